"""Groups fitted together: what is learned of all of them, and that each remains a fit of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpyro import distributions as dist
from numpyro import handlers
from scipy import stats

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.calibrate import uniformity
from bayesscale.inference import rows_of
from bayesscale.inference.program import pooled as pose
from bayesscale.law import Law, prior, sample, split_at_center
from bayesscale.models import accuracy_link, chinchilla, power
from bayesscale.noise import StudentT
from bayesscale.pooled_fit import groups_of
from bayesscale.pooling import Pooling, pooling_of

# What is tested is how groups stand together: of short chains a warning that they are short is expected.
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")
SHORT = dict(chains=2, draws=500, second_try=False, discrepancy=False)
ALPHA, BETA, SPREAD = 0.45, 0.35, 0.15  # typical exponents, that of N far from the middle of its prior
SIZES = (10, 11, 12, 13, 14, 10, 11, 12)


def eight_tasks(seed=0):
    """Return runs of eight tasks whose exponents are alike, and those exponents."""
    rng, parts, truth = np.random.default_rng(seed), [], {}
    for i, rows in enumerate(SIZES):
        alpha, beta = np.array([ALPHA, BETA]) * np.exp(SPREAD * rng.standard_normal(2))
        N, ratio = (np.exp(rng.uniform(*np.log(span), rows)) for span in ((1e8, 2e9), (10, 300)))
        E, a, b = rng.uniform([1.2, 0.3, 0.3], [2.2, 0.8, 0.8])
        loss = E + a * (N / 5e8) ** -alpha + b * (N * ratio / 3e10) ** -beta
        loss = loss * np.exp(0.01 * rng.standard_normal(rows))
        parts.append(pd.DataFrame(dict(task=f"task {i}", N=N, D=N * ratio, loss=loss)))
        truth[f"task {i}"] = dict(alpha=alpha, beta=beta)
    return bs.read_runs(pd.concat(parts, ignore_index=True)), pd.DataFrame(truth).T


@pytest.fixture(scope="module")
def tasks():
    return eight_tasks()


@pytest.fixture(scope="module")
def pooled(tasks):
    return bs.fit_pooled("chinchilla", tasks[0], over="task", **SHORT)


@pytest.fixture(scope="module")
def apart(pooled):
    return dict(zip(pooled, bs.fit_many("chinchilla", [post.runs for post in pooled.values()], **SHORT), strict=True))


@pytest.fixture(scope="module")
def curves():
    """Return curves of two tasks, of more runs in the one of fewer rows, and what each run has of its own."""
    rng, parts = np.random.default_rng(1), []
    for task, runs, rows in (("long", 4, 5), ("short", 6, 3)):
        C = np.repeat(np.geomspace(1e18, 1e20, runs), rows) * np.tile(np.linspace(0.5, 1, rows), runs)
        own = np.repeat(0.05 * rng.standard_normal(runs), rows)
        loss = (1.5 + (C / 1e19) ** -0.15) * np.exp(own + 0.003 * rng.standard_normal(len(C)))
        names = [f"{task} {i}" for i in np.repeat(np.arange(runs), rows)]
        parts.append(pd.DataFrame(dict(task=task, C=C, loss=loss, run=names, own=own)))
    return pd.concat(parts, ignore_index=True)


def errors(fits, truth, name):
    """Return log(median) - log(truth) of an exponent, group by group."""
    return np.log([np.median(fits[task].draws[name]) / truth.loc[task, name] for task in truth.index])


# -- what is learned ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "typical"), [("alpha", ALPHA), ("beta", BETA)])
def test_the_typical_exponent_is_recovered(pooled, name, typical):
    said = pooled.table.loc[name]
    assert said["typical_low95"] < typical < said["typical_high95"]
    assert said["spread_low95"] < SPREAD < said["spread_high95"]
    # The prior of a typical exponent alone is far wider.
    own = chinchilla.priors()[name]
    before = np.diff(np.log(prior.interval(own)))
    assert np.log(said["typical_high95"] / said["typical_low95"]) < 0.5 * before


def test_exponents_are_drawn_toward_each_other_and_to_the_truth(pooled, apart, tasks):
    truth = tasks[1]
    together, alone = (np.mean(errors(fits, truth, "alpha") ** 2) for fits in (pooled, apart))
    assert together < 0.6 * alone
    spread = {
        who: np.std([np.median(p.draws["beta"]) for p in of.values()]) for who, of in (("p", pooled), ("a", apart))
    }
    assert spread["p"] < 0.8 * spread["a"]
    assert np.mean([pooled[t].draws["alpha"].std() / apart[t].draws["alpha"].std() for t in truth.index]) < 0.9


def test_intervals_of_the_groups_hold(pooled, tasks):
    truth, held = tasks[1], []
    for name in ("alpha", "beta"):
        for task in truth.index:
            low, high = np.quantile(pooled[task].draws[name], [0.025, 0.975])
            held.append(low < truth.loc[task, name] < high)
    assert np.sum(held) >= 14


def test_nothing_pooled_is_as_if_fitted_alone(tasks):
    runs = tasks[0]
    three = runs.select(runs.table["task"].isin(["task 0", "task 3", "task 4"]).to_numpy())
    how = {**SHORT, "draws": 1000}
    joint = bs.fit_pooled("chinchilla", three, over="task", pool=(), **how)
    assert joint.pooling.names == () and not joint.common
    assert "nothing pooled" in repr(joint)
    for post, alone in zip(
        joint.values(), bs.fit_many("chinchilla", [p.runs for p in joint.values()], **how), strict=True
    ):
        for name in ("E", "alpha", "beta", "sigma"):
            away = np.median(post.draws[name]) - np.median(alone.draws[name])
            assert abs(away) < 0.25 * alone.draws[name].std(), name


# -- the model ---------------------------------------------------------------------------------------------------------


def log_prior_of_law(d, exponents):
    """Return the log density of what a group of Chinchilla samples; of its exponents as `exponents` gives it."""
    said = stats.norm.logpdf(np.log(d["level"]), 0, 0.1) - np.log(d["level"])
    for name, center, spread in (("reducible", -1.0, 0.7), ("share_A", 0.0, 1.0)):
        said += stats.norm.logpdf(np.log(d[name] / (1 - d[name])), center, spread) - np.log(d[name] * (1 - d[name]))
    for name, (mean, spread) in exponents.items():
        said += stats.norm.logpdf(np.log(d[name]), mean, spread) - np.log(d[name])
    return said + stats.lognorm.logpdf(d["sigma"], 0.8, scale=0.006) + stats.gamma.logpdf(d["nu"] - 2, 2, scale=10)


@pytest.mark.parametrize("pool", [("alpha", "beta"), ("alpha",), ()])
def test_the_potential_is_the_sum_written_out(tasks, pool):
    """Of the priors, of every row and of the volume that the coordinates take, at random points."""
    runs = tasks[0]
    parts = [runs.select((runs.table["task"] == task).to_numpy()) for task in ("task 0", "task 4")]
    rows = [rows_of(chinchilla, part, shape_of=parts[1]) for part in parts]
    typical = {"alpha": (np.log(0.30), 0.4), "beta": (np.log(0.33), 0.5)}
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *rows)
        dimension = 2 * len(pool) + 2 * 7
        sampled = [f"{name}_{what}" for name in pool for what in ("mean", "spread")]
        sampled += [*chinchilla.priors(), "sigma", "nu"]

        def at(q, rows):
            posed = pose(Pooling("task", pool), chinchilla, StudentT(), rows)
            assert posed.dimension == dimension

            def flat(q):
                return jnp.concatenate([jnp.ravel(posed.parameters(q)[name]) for name in sampled])

            return posed.potential(q), posed.parameters(q), jnp.linalg.slogdet(jax.jacobian(flat)(q))[1]

        at = jax.jit(at)
        for q in 0.5 * np.random.default_rng(0).standard_normal((3, dimension)):
            potential, parameters, volume = at(q, stacked)
            d, said = {k: np.asarray(v) for k, v in parameters.items()}, float(volume)
            for name in pool:
                center, spread = typical[name]
                said += stats.norm.logpdf(d[f"{name}_mean"], center, spread)
                said += stats.lognorm.logpdf(d[f"{name}_spread"], 0.5, scale=0.5 * spread)
                np.testing.assert_allclose(d[f"{name}_typical"], np.exp(d[f"{name}_mean"]))
            for i, part in enumerate(parts):
                own = {k: v[i] for k, v in d.items() if np.ndim(v)}
                pooled = {name: (d[f"{name}_mean"], d[f"{name}_spread"]) for name in pool}
                said += log_prior_of_law(own, {**typical, **pooled})
                loss = chinchilla.evaluate(
                    {k: own[k] for k in chinchilla.constants}, N=part.column("N"), D=part.column("D")
                )
                said += stats.t.logpdf(np.log(part.column("loss")), own["nu"], np.log(loss), own["sigma"]).sum()
            assert -float(potential) == pytest.approx(said, rel=1e-9)


def test_what_is_pooled():
    assert pooling_of(chinchilla, "task").names == ("alpha", "beta")
    assert pooling_of(chinchilla, "task", "beta").names == ("beta",)
    assert pooling_of(accuracy_link, "task").names == ("shape", "tail", "slope")
    assert pooling_of(accuracy_link, "task", ("Q_0", "guess")).names == ("Q_0", "guess")
    # An exponent whose prior cannot be pooled is left to each group.
    assert pooling_of(chinchilla.with_priors(alpha=dist.Gamma(2.0, 5.0)), "task").names == ("beta",)


def test_a_share_and_a_number_of_any_sign_are_pooled_where_they_are_normal():
    """Before any data a group's own parameter has nearly the prior that it has alone, a little wider."""
    pooling = Pooling("task", ("Q_0", "shape", "slope"))

    def one(key):
        with handlers.seed(rng_seed=key), handlers.trace() as trace:
            found = pooling.common(accuracy_link)
        keys = jax.random.split(jax.random.fold_in(key, 1), len(found))
        drawn = {name: d.sample(own) for (name, d), own in zip(found.items(), keys, strict=True)}
        return drawn, {name: trace[f"{name}_spread"]["value"] for name in pooling.names}

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.PRNGKey(0), 4000)
        drawn, spread = jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(keys))
    logit = np.log(drawn["Q_0"] / (1 - drawn["Q_0"]))
    for values, center, own in ((logit, 0, 1.5), (drawn["shape"], 0.5, 0.5), (np.log(drawn["slope"]), np.log(4), 0.7)):
        assert np.mean(values) == pytest.approx(center, abs=0.1 * own)
        assert 1.0 < np.std(values) / own < 1.35
    assert np.median(spread["Q_0"]) == pytest.approx(0.75, rel=0.05)


# -- each group --------------------------------------------------------------------------------------------------------


def test_draws_are_joint(pooled):
    shapes = {name: post.draws["alpha"].shape for name, post in pooled.items()}
    assert set(shapes.values()) == {(2, 500)}
    assert {post.size for post in pooled.values()} == {1000}
    assert pooled.common["alpha_typical"].shape == (2, 500)
    np.testing.assert_allclose(pooled.common["alpha_typical"], np.exp(pooled.common["alpha_mean"]))
    # Where the typical exponent is drawn high, so are those of the groups.
    related = [
        np.corrcoef(np.log(post.draws["alpha"]).ravel(), pooled.common["alpha_mean"].ravel())[0, 1]
        for post in pooled.values()
    ]
    assert np.mean(related) > 0.2


def test_each_group_is_a_fit(pooled, tasks, tmp_path):
    assert list(pooled) == [f"task {i}" for i in range(8)]
    assert [len(post.runs) for post in pooled.values()] == list(SIZES)
    post = pooled["task 3"]
    assert "13 rows, task = task 3 (pooled), 2 x 500 draws" in repr(post)
    assert list(post.summary().index) == [*chinchilla.constants, "sigma", "nu", "level", "reducible", "share_A"]
    assert {"R-hat", "divergences"} <= set(post.check().table["check"])
    assert post.log_likelihood.shape == (2, 500, 13)
    made = post.predict(N="7B", D="1T")
    low, high = made.interval(0.95)
    assert low[0] < made.median[0] < high[0]
    post.save(tmp_path / "task.nc")
    again = bs.load(tmp_path / "task.nc")
    np.testing.assert_array_equal(again.predict(N="7B", D="1T").draws, made.draws)
    assert again.settings["pooled"] == "task = task 3"


def test_the_fit_in_words(pooled):
    said = repr(pooled)
    assert "law chinchilla fitted to 8 groups of task: task 0, task 1" in said
    assert list(pooled.table.index) == ["alpha", "beta"]
    assert "<table" in pooled._repr_html_()
    assert len(pooled) == 8 and "task 7" in pooled and "task 8" not in pooled


def test_groups_are_compared_draw_by_draw(pooled):
    """The difference of two groups knows that they have the typical exponent in common."""
    one, other = (np.log(pooled[f"task {i}"].draws["alpha"]).ravel() for i in (0, 1))
    independent = np.hypot(one.std(), other.std())
    assert np.std(one - other) < independent


# -- tables of every kind ----------------------------------------------------------------------------------------------


def test_groups_have_runs_of_their_own(curves):
    """More of them in the group of fewer rows: each keeps its own number."""
    fitted = bs.fit_pooled("power(C)", curves, over="task", noise="normal", **SHORT)
    assert {name: post.draws["run_effect"].shape[-1] for name, post in fitted.items()} == {"long": 4, "short": 6}
    for name, post in fitted.items():
        rows = curves[curves["task"] == name]
        found, true = (
            np.median(post.draws["run_effect"], axis=(0, 1)),
            rows["own"].to_numpy()[~rows["run"].duplicated()],
        )
        assert np.corrcoef(found, true)[0, 1] > 0.8, name
        assert 0.01 < np.median(post.draws["sigma_run"]) < 0.12
        # A run that was fitted goes on as it was; a new one may be anything.
        run, there = rows["run"].iloc[-1], rows["C"].max()
        known, new = post.predict(C=there, run=run), post.predict(C=there)
        assert known.continued == (run,)
        assert np.std(np.log(known.draws)) < 0.5 * np.std(np.log(new.draws))


def test_a_discrepancy_in_every_group():
    """With fewer rows than the process has points in one of them."""
    rng, parts = np.random.default_rng(2), []
    for task, rows in (("a", 14), ("b", 6)):
        C = np.geomspace(1e18, 1e20, rows)
        loss = (1.5 + (C / 1e19) ** -0.2) * np.exp(0.003 * rng.standard_normal(rows))
        parts.append(pd.DataFrame(dict(task=task, C=C, loss=loss)))
    fitted = bs.fit_pooled("power(C)", pd.concat(parts), over="task", **{**SHORT, "draws": 250, "discrepancy": True})
    for post in fitted.values():
        assert post.draws["tau"].shape == (2, 250)
        made = post.predict(C="1e22", kind="mean")
        assert list(made.logs) == ["parameters", "discrepancy"]
        assert np.std(made.logs["discrepancy"]) > 0.005
        assert np.abs(post.predict(C=1e20, kind="mean").logs["discrepancy"]).max() < 1e-9  # pinned at the largest run
        assert "is part of the interval" in made.caveat


def test_a_law_of_ones_own_is_pooled_as_it_is(tasks):
    def product(N, D):
        """L = E + A / (N^alpha D^alpha)"""
        E, a = split_at_center("E", "A")
        alpha = sample("alpha", prior.exponent(0.2, spread=0.5), of=a)
        k = sample("k", dist.Normal(0.0, 1.0))
        return E + a * jnp.exp(-alpha * (N.log_ratio + D.log_ratio)) * jnp.exp(1e-3 * k)

    own = Law(product, ("N", "D"), "loss")
    assert pooling_of(own, "task", ("alpha", "k")).sites[3:] == ("k_mean", "k_spread", "k_typical")
    two = tasks[0].select(tasks[0].table["task"].isin(["task 2", "task 6"]).to_numpy())
    fitted = bs.fit_pooled(own, two, over="task", **{**SHORT, "draws": 200, "warmup": 300})
    assert fitted.pooling.names == ("alpha",)
    low, high = (float(fitted.table.loc["alpha", k]) for k in ("typical_low95", "typical_high95"))
    assert 0.05 < low < high < 0.8
    for post in fitted.values():
        assert post.law is own and np.isfinite(post.predict(N="7B", D="1T").draws).all()


def test_groups_of_any_name(curves):
    """Numbers become texts, in the order of the table, each with its own rows."""
    table = bs.read_runs(curves.assign(task=np.where(curves["task"] == "long", 7, 3)))
    assert {name: len(part) for name, part in groups_of(table, "task").items()} == {"7": 20, "3": 18}
    assert list(groups_of(table, "task")) == ["7", "3"]
    assert set(groups_of(table, "task")["3"].table["run"]) == {f"short {i}" for i in range(6)}


@pytest.mark.parametrize(
    ("how", "wrong", "said"),
    [
        (dict(over="corpus"), RunsError, "no column 'corpus' to pool over; the runs have N, D, C, loss, task"),
        (dict(over="task", pool="gamma"), LawError, "no parameter 'gamma' to pool; it samples level, reducible"),
        (dict(over="task", pool=("E",)), LawError, "no parameter 'E' to pool"),
        (dict(over="task", tune=100), LawError, "no option tune"),
    ],
)
def test_what_cannot_be_pooled_is_refused(tasks, how, wrong, said):
    with pytest.raises(wrong, match=said):
        bs.fit_pooled("chinchilla", tasks[0], **how)


def test_a_prior_that_is_nowhere_normal_is_refused(tasks):
    gamma = chinchilla.with_priors(alpha=dist.Gamma(2.0, 5.0))
    with pytest.raises(LawError, match=r"alpha ~ Gamma\(.*\) cannot be pooled: give it a normal, log-normal or"):
        bs.fit_pooled(gamma, tasks[0], over="task", pool=("alpha",))


def test_groups_that_are_none_are_refused(tasks, curves):
    runs = tasks[0]
    with pytest.raises(RunsError, match=r"'task' names one group only, task 0: fit it with bs\.fit"):
        bs.fit_pooled("chinchilla", runs.select(slice(0, 10)), over="task")
    table = runs.table
    table.loc[5, "task"] = None
    with pytest.raises(RunsError, match="column 'task': row 5 names no group"):
        bs.fit_pooled("chinchilla", table, over="task")
    of_one_row = curves[(curves["task"] == "long") | ~curves["run"].duplicated()]
    with pytest.raises(RunsError, match="groups of task differ in what is known of them"):
        bs.fit_pooled("power(C)", of_one_row, over="task")


# -- calibration -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ranks_are_uniform():
    """Truths from the prior of the pooled model lie evenly in its posteriors: what is common, and each group's own."""
    rng, law, groups, C = np.random.default_rng(0), power("C"), 3, np.geomspace(1e18, 1e21, 12)
    found, center = [], np.exp(np.log(C).mean())
    for seed in range(150):
        mean, spread = rng.normal(np.log(0.25), 0.6), 0.3 * np.exp(0.5 * rng.standard_normal())
        alpha = np.exp(mean + spread * rng.standard_normal(groups))
        parts = []
        for i in range(groups):
            reducible, sigma = (
                1 / (1 + np.exp(1.0 - 0.7 * rng.standard_normal())),
                0.006 * np.exp(0.8 * rng.standard_normal()),
            )
            loss = 2.5 * (1 - reducible + reducible * (C / center) ** -alpha[i])
            parts.append(pd.DataFrame(dict(task=f"{i}", C=C, loss=loss * np.exp(sigma * rng.standard_normal(12)))))
        fitted = bs.fit_pooled(law, pd.concat(parts), over="task", noise="normal", seed=seed, **SHORT)
        truth = dict(mean=mean, spread=spread, **{f"alpha {i}": alpha[i] for i in range(groups)})
        draws = dict(mean=fitted.common["alpha_mean"], spread=fitted.common["alpha_spread"])
        draws |= {f"alpha {i}": fitted[f"{i}"].draws["alpha"] for i in range(groups)}
        found.append({k: (np.sum(draws[k].ravel()[::10] < v) + rng.uniform()) / 101 for k, v in truth.items()})
    pvalues = pd.DataFrame(found).apply(lambda pit: uniformity(pit.to_numpy()))
    assert pvalues.min() > 1e-3 / len(pvalues), pvalues
