"""Noise along training curves: its density, what it recovers, how it continues a curve, whether its intervals hold."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.curve_noise import Curve
from bayesscale.errors import LawError, RunsError
from bayesscale.inference import log_densities, rows_of
from bayesscale.models import pure_power

SHORT = dict(chains=2, draws=500, discrepancy=False)
LAW = dict(A=8.0, alpha=0.1)


def covariance(places, others, sigma_run, length):
    z = np.sqrt(3) * np.abs(np.asarray(places)[:, None] - np.asarray(others)) / length
    return sigma_run**2 * (1 + z) * np.exp(-z)


def curves(rng, runs=3, rows=12, *, sigma=2e-4, sigma_run=0.01, length=1.5, span=(1e3, 1e5)):
    """Simulate curves around a power of S, each with a course of its own; rows in any order."""
    S = np.geomspace(*span, rows)
    own = covariance(np.log(S), np.log(S), sigma_run, length) + sigma**2 * np.eye(rows)
    course = rng.multivariate_normal(np.zeros(rows), own, size=runs)
    table = dict(
        run=np.repeat([f"run {i}" for i in range(runs)], rows),
        N=np.repeat(1e8 * 2.0 ** np.arange(runs), rows),
        S=np.tile(S, runs),
        loss=(pure_power.evaluate(LAW, x=S) * np.exp(course)).ravel(),
    )
    return bs.read_runs(table).select(rng.permutation(runs * rows))


@pytest.fixture(scope="module")
def post():
    return bs.fit("pure_power(S)", curves(np.random.default_rng(0)), noise="curve", **SHORT)


def likelihood(post, **parameters):
    """Log density of each row at given parameters."""
    held = {**{k: v[:1, :1] for k, v in post.draws.items()}, **{k: np.full((1, 1), v) for k, v in parameters.items()}}
    return dataclasses.replace(post, draws=held).log_likelihood[0, 0]


@pytest.mark.parametrize("known_error", [False, True])
def test_density_is_the_dense_one(post, known_error):
    if known_error:
        table = post.runs.table.assign(loss_error=np.linspace(0.001, 0.02, len(post.runs)))
        post = dataclasses.replace(post, runs=bs.read_runs(table))
    d = {k: v[0, 0] for k, v in post.draws.items()}
    table = post.runs.table
    residual = np.log(table["loss"]) - np.log(d["A"] / table["S"] ** d["alpha"])
    error = table["loss_error"] / table["loss"] if known_error else 0.0 * table["loss"]
    total = 0.0
    for _, rows in table.groupby("run"):
        t = np.log(rows["S"])
        own = covariance(t, t, d["sigma_run"], d["length"]) + np.diag(d["sigma"] ** 2 + error[rows.index] ** 2)
        total += stats.multivariate_normal.logpdf(residual[rows.index], cov=own)
    assert likelihood(post).sum() == pytest.approx(total, rel=1e-9)
    # Each row's own is that given the rows of its run before it: a run's first row knows none.
    first = table.sort_values("S").index[0]
    alone = np.sqrt(d["sigma_run"] ** 2 + d["sigma"] ** 2 + error[first] ** 2)
    position = table.index.get_loc(first)
    assert likelihood(post)[position] == pytest.approx(stats.norm.logpdf(residual[first], scale=alone), rel=1e-9)


def test_order_of_rows_does_not_matter(post):
    shuffled = post.runs.select(np.random.default_rng(5).permutation(len(post.runs)))
    again = likelihood(dataclasses.replace(post, runs=shuffled))
    by_row = dict(zip(shuffled.table.index, again, strict=True))
    np.testing.assert_allclose([by_row[i] for i in post.runs.table.index], likelihood(post), rtol=1e-9)


def test_rows_that_fill_the_shape_do_nothing(post):
    """36 rows are filled up to 48; more filling changes the density of none of them."""
    rows = rows_of(post.law, post.runs)
    assert rows.n_row == 48
    values = {k: v[:5] for k, v in post.flat_draws.items()}
    filled, _ = log_densities(post.law, post.noise, rows, values)
    assert np.all(filled[:, 36:] == 0)
    bare = dataclasses.replace(
        rows,
        log_x={k: v[:36] for k, v in rows.log_x.items()},
        **{k: getattr(rows, k)[:36] for k in ("measured", "weight", "run", "order", "gap")},
    )
    np.testing.assert_allclose(log_densities(post.law, post.noise, bare, values)[0], filled[:, :36], rtol=1e-12)


def test_scale_and_length_are_recovered():
    rng = np.random.default_rng(2)
    post = bs.fit("pure_power(S)", curves(rng, runs=16, rows=24, sigma=5e-4), noise="curve", discrepancy=False)
    assert post.settings["trouble"] == ""
    for name, truth in (("sigma", 5e-4), ("sigma_run", 0.01), ("length", 1.5), ("alpha", LAW["alpha"])):
        low, high = np.quantile(post.draws[name], [0.005, 0.995])
        assert low < truth < high, name
        assert np.median(post.draws[name]) == pytest.approx(truth, rel=0.3), name


def test_forecast_continues_the_curve(post):
    table = post.runs.table
    rows = table[table["run"] == "run 1"].sort_values("S")
    last, S = rows["loss"].iloc[-1], rows["S"].iloc[-1]
    near = post.predict(S=[1.001 * S, 1.5 * S, 1e4 * S], run="run 1")
    mean = post.predict(S=near.targets["S"], kind="mean")
    assert np.median(near.draws[:, 0]) == pytest.approx(last, rel=2e-3)
    spread = np.std(np.log(near.draws / mean.draws), axis=0)
    assert np.std(np.log(near.draws[:, 0])) < 0.3 * np.median(post.draws["sigma_run"])
    assert np.std(np.log(near.draws), axis=0)[1] < np.std(np.log(post.predict(S=1.5 * S).draws))
    # Far beyond, what the run had of its own is forgotten: the law, and any run's scatter.
    new = post.predict(S=1e4 * S)
    assert spread[2] == pytest.approx(np.std(np.log(new.draws / mean.draws[:, 2:])), rel=0.15)
    assert near.continued == ("run 1",)
    assert "loss of run run 1 continued" in repr(near)
    # The law's expected value knows nothing of runs.
    np.testing.assert_array_equal(
        post.predict(S=S, run="run 1", kind="mean").draws, post.predict(S=S, kind="mean").draws
    )


def test_forecast_is_the_normal_conditional(post):
    """Between and beyond a run's rows: mean and covariance by the textbook, draw by draw on average."""
    table = post.runs.table[post.runs.table["run"] == "run 0"]
    flat = post.flat_draws
    d = {k: np.full_like(v, v[7]) for k, v in flat.items()}
    held = dataclasses.replace(post, draws={k: v.reshape(post.draws[k].shape) for k, v in d.items()})
    many = dataclasses.replace(held, draws={k: np.resize(v, (4, 5000)) for k, v in d.items()})
    d = {k: v[0] for k, v in d.items()}
    at = np.array([2.2e3, 2e5])
    law = lambda S: np.log(d["A"] / S ** d["alpha"])  # noqa: E731
    forecast = np.log(many.predict(S=at, run="run 0").draws) - law(at)
    t, s = np.log(table["S"]).to_numpy(), np.log(at)
    shape = d["sigma_run"], d["length"]
    within = np.linalg.inv(covariance(t, t, *shape) + d["sigma"] ** 2 * np.eye(len(t)))
    across = covariance(s, t, *shape)
    residual = (np.log(table["loss"]) - law(table["S"])).to_numpy()
    expected = covariance(s, s, *shape) + d["sigma"] ** 2 * np.eye(2) - across @ within @ across.T
    error = np.sqrt(np.diag(expected) / len(forecast))
    assert np.all(np.abs(forecast.mean(axis=0) - across @ within @ residual) < 4 * error)
    np.testing.assert_allclose(forecast.std(axis=0), np.sqrt(np.diag(expected)), rtol=0.03)


def test_a_name_that_was_not_fitted_is_a_new_run(post):
    new, named = (post.predict(S=1e5, **run) for run in ({}, {"run": "another"}))
    assert named.continued == ()
    assert stats.ks_2samp(new.draws[:, 0], named.draws[:, 0]).pvalue > 0.001
    # Rows of one new run share its course, rows of two do not.
    one, two = (post.predict(S=[1e5, 1.1e5], run=run) for run in (["x", "x"], ["x", "y"]))
    scatter = [np.log(f.draws / post.predict(S=[1e5, 1.1e5], kind="mean").draws) for f in (one, two)]
    together, apart = (np.corrcoef(x.T)[0, 1] for x in scatter)
    assert together > 0.8
    assert abs(apart) < 0.15


def test_constant_effects_of_seen_runs_are_kept():
    """Without curve noise a run's own effect, as it was sampled, moves its forecast."""
    rng = np.random.default_rng(3)
    runs = curves(rng, runs=4, rows=8, sigma=0.002, sigma_run=0.03, length=1e3)
    post = bs.fit("pure_power(S)", runs, noise="normal", **SHORT)
    order = list(dict.fromkeys(runs.table["run"]))
    for name in order:
        shift = np.log(post.predict(S=1e5, run=name).draws / post.predict(S=1e5, kind="mean").draws)[:, 0]
        effect = post.flat_draws["run_effect"][:, order.index(name)]
        assert abs(np.mean(shift - effect)) < 5e-4
        assert np.std(shift - effect) == pytest.approx(np.median(post.draws["sigma"]), rel=0.2)


def test_comes_back_from_a_file(post, tmp_path):
    post.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert loaded.noise == post.noise
    for run in ("run 0", "another"):
        asked = dict(S=[2e5, 4e5], run=run)
        np.testing.assert_array_equal(loaded.predict(**asked).draws, post.predict(**asked).draws)
    own = bs.fit("pure_power(S)", post.runs, noise=Curve(length=bs.law.prior.positive(1.0, spread=0.3)), **SHORT)
    own.save(tmp_path / "own.nc")
    assert bs.load(tmp_path / "own.nc").noise == own.noise


@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # one try each is enough here
@pytest.mark.parametrize("simulations", [24, pytest.param(100, marks=pytest.mark.slow)])
def test_intervals_hold_where_curves_are_cut(simulations):
    """Curves seen up to a fifth of their steps: how often the 50% and 80% intervals hold the end."""
    rng, tables, ends = np.random.default_rng(4), [], []
    for _ in range(simulations):
        scale, length = (rng.lognormal(np.log(typical), spread) for typical, spread in ((0.006, 0.8), (2.3, 0.7)))
        table = curves(rng, runs=2, rows=20, sigma=3e-4, sigma_run=scale, length=length).table
        tables.append(bs.read_runs(table[table["S"] < 2e4]))
        ends.append(table[(table["S"] > 9e4) & (table["run"] == "run 0")])
    posts = bs.fit_many("pure_power(S)", tables, noise="curve", second_try=False, **SHORT)
    below = [
        np.mean(post.predict(end[["S", "run"]]).draws[:, 0] < end["loss"].iloc[0])
        for post, end in zip(posts, ends, strict=True)
    ]
    for level in (0.5, 0.8):
        inside = np.sum(np.abs(np.array(below) - 0.5) < level / 2)
        assert stats.binomtest(int(inside), simulations, level).pvalue > 1e-3, level


def test_what_it_needs_is_said(ladder):
    with pytest.raises(RunsError, match="rows that share a run: a column run"):
        bs.fit("chinchilla", ladder, noise="curve", discrepancy=False)
    with pytest.raises(RunsError, match="rows that share a run"):
        bs.prior_predictive("chinchilla", ladder, noise="curve")
    both = bs.read_runs(ladder.table.assign(run=np.repeat(np.arange(4), 4))[["run", "N", "loss"]])
    with pytest.raises(RunsError, match="a column S, D or C"):
        bs.fit("power(N)", both, noise="curve", discrepancy=False)
    weighted = bs.read_runs(curves(np.random.default_rng(0)).table.assign(weight=2.0))
    for ask in (bs.fit, bs.prior_predictive):
        with pytest.raises(RunsError, match="cannot count rows by a column weight"):
            ask("pure_power(S)", weighted, noise="curve", discrepancy=False)
    with pytest.raises(LawError, match="there are student-t, normal, laplace, curve"):
        bs.fit("chinchilla", ladder, noise="curves", discrepancy=False)


def test_prior_predictive_of_curves_is_smooth(post):
    new, mean = (bs.prior_predictive("pure_power(S)", post.runs, noise="curve", kind=k) for k in ("new-run", "mean"))
    scatter = np.log(new.draws / mean.draws)
    table = post.runs.table.reset_index(drop=True)
    rows = table[table["run"] == "run 0"].sort_values("S").index
    assert stats.spearmanr(scatter[:, rows[4]], scatter[:, rows[5]]).statistic > 0.7
    other = table[table["run"] == "run 1"].index[0]
    assert abs(stats.spearmanr(scatter[:, rows[4]], scatter[:, other]).statistic) < 0.15


def test_comparison_says_what_its_criteria_score(post):
    assert any("next row is predicted, not a new run" in note for note in bs.compare([post]).notes)
