"""What a fit gives: draws, summaries, checks, forecasts, an ArviZ object."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.discrepancy import Discrepancy
from bayesscale.errors import LawError, NumberError, RunsError
from bayesscale.models import chinchilla


def test_frozen(fitted):
    with pytest.raises(AttributeError):
        fitted.law = None
    with pytest.raises(ValueError, match="read-only"):
        fitted.draws["alpha"][0, 0] = 1.0
    with pytest.raises(TypeError):
        fitted.draws["alpha"] = 1.0


def test_constants_follow_from_what_is_sampled(fitted):
    d = fitted.draws
    value = d["level"] * fitted.centers["loss"]
    np.testing.assert_allclose(d["E"], value * (1 - d["reducible"]), rtol=1e-12)
    a = value * d["reducible"] * d["share_A"]
    np.testing.assert_allclose(d["A"], a * fitted.centers["N"] ** d["alpha"], rtol=1e-10)


def test_summary(fitted):
    summary = fitted.summary(level=0.9)
    assert list(summary.index[:7]) == ["E", "A", "B", "alpha", "beta", "sigma", "nu"]
    low, high = np.quantile(fitted.draws["alpha"], [0.05, 0.95])
    assert summary.loc["alpha", "low90"] == low
    assert summary.loc["alpha", "high90"] == high
    assert (summary["rhat"] < 1.01).all()


def test_data_is_an_arviz_object(fitted, ladder):
    data = fitted.data
    groups = ("posterior", "sample_stats", "log_likelihood", "log_prior", "observed_data", "constant_data")
    assert set(groups) <= set(data.children)
    assert data["log_likelihood"]["loss"].dims == ("chain", "draw", "row")
    np.testing.assert_array_equal(data["observed_data"]["loss"], ladder.column("loss"))
    assert float(data["constant_data"]["N_center"]) == pytest.approx(stats.gmean(ladder.column("N")))


def test_log_densities_by_scipy(fitted, ladder):
    d = {k: v[1, 7] for k, v in fitted.draws.items()}
    mean = np.log(d["E"] + d["A"] / ladder.column("N") ** d["alpha"] + d["B"] / ladder.column("D") ** d["beta"])
    expected = stats.t.logpdf(np.log(ladder.column("loss")), d["nu"], mean, d["sigma"])
    np.testing.assert_allclose(fitted.log_likelihood[1, 7], expected, rtol=1e-9)

    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    log_prior = stats.lognorm.logpdf(d["level"], 0.1)
    log_prior += stats.norm.logpdf(logit(d["reducible"]), -1, 0.7) - np.log(d["reducible"] * (1 - d["reducible"]))
    log_prior += stats.norm.logpdf(logit(d["share_A"])) - np.log(d["share_A"] * (1 - d["share_A"]))
    log_prior += stats.lognorm.logpdf(d["alpha"], 0.4, scale=0.30) + stats.lognorm.logpdf(d["beta"], 0.5, scale=0.33)
    log_prior += stats.lognorm.logpdf(d["sigma"], 0.8, scale=0.006) + stats.gamma.logpdf(d["nu"] - 2, 2, scale=10)
    assert fitted.log_prior[1, 7] == pytest.approx(log_prior, rel=1e-9)


def test_forecast_of_the_mean_is_the_law_at_the_draws(fitted):
    forecast = fitted.predict(N="70B", D=["1.4T", "2T"], kind="mean")
    draw = {k: fitted.flat_draws[k][5] for k in fitted.law.constants}
    by_law = chinchilla.evaluate(draw, N=70e9, D=[1.4e12, 2e12])
    np.testing.assert_allclose(forecast.draws[5], by_law, rtol=1e-10)
    np.testing.assert_allclose(forecast.targets["C"], 6 * 70e9 * np.array([1.4e12, 2e12]))


def test_forecast_of_a_new_run_adds_the_scatter(fitted):
    mean, new = (fitted.predict(N="1B", D="20B", kind=kind) for kind in ("mean", "new-run"))
    scatter = np.log(new.draws / mean.draws)[:, 0]
    d = fitted.flat_draws
    assert stats.kstest(stats.t.cdf(scatter / d["sigma"], d["nu"]), "uniform").pvalue > 0.01
    again = fitted.predict(N="1B", D="20B", seed=0)
    np.testing.assert_array_equal(again.draws, new.draws)


def test_forecast_tables(fitted):
    forecast = fitted.predict(N=["7B", "70B"], D="1.4T")
    table = forecast.table()
    columns = ["low95", "low80", "low50", "median", "high50", "high80", "high95"]
    assert (table[columns].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    np.testing.assert_allclose(forecast.quantiles()[[0.025, 0.5, 0.975]], table[["low95", "median", "high95"]])
    low, _ = forecast.interval(0.95)
    np.testing.assert_allclose(forecast.probability(below=low[0])[0], 0.025, atol=0.001)
    np.testing.assert_allclose(forecast.probability(below=low[0]) + forecast.probability(above=low[0]), 1.0)
    with pytest.raises(LawError, match="threshold"):
        forecast.probability()
    with pytest.raises(LawError, match="probability such as"):
        forecast.interval(95)
    assert "70B" in repr(forecast)
    assert "95%" in forecast._repr_html_()


def test_forecast_says_how_far_it_reaches(fitted):
    largest = fitted.runs.column("C").max()
    far = fitted.predict(C=[10 * largest, 100 * largest], N="10B")
    np.testing.assert_allclose(far.reach, [10, 100])
    assert "up to 100 times the compute of the largest run" in repr(far)
    assert "[nats/token]" in repr(far)
    assert fitted.predict(C=largest / 2, N="1B").caveat == ""


def test_targets_derive_what_is_missing(fitted):
    np.testing.assert_allclose(fitted.predict(N="70B", C="5.88e23").draws, fitted.predict(N="70B", D="1.4T").draws)


@pytest.mark.parametrize(
    ("targets", "error", "said"),
    [
        (dict(N="70B"), RunsError, "needs D"),
        (dict(N="70Q", D="1T"), NumberError, "70Q"),
        (dict(N=-1, D="1T"), RunsError, "N of target 0 is -1"),
        (dict(N=[1e9, 2e9], D=[1e9, 2e9, 3e9]), RunsError, "different lengths"),
        (dict(N=1e9, D=1e9, kind="median"), LawError, "kind is"),
    ],
)
def test_bad_targets(fitted, targets, error, said):
    with pytest.raises(error, match=said):
        fitted.predict(**targets)


def test_check_passes_and_says_what_the_prior_decides(ladder):
    assert (
        bs.fit("power(C)", ladder, noise="normal", discrepancy=False)
        .check()
        .table.set_index("check")
        .loc["R-hat", "status"]
        == "PASS"
    )
    with pytest.warns(bs.errors.RunsWarning):
        few = bs.fit("chinchilla", ladder.select([0, 5, 10, 15]), discrepancy=False)
    checks = few.check().table.set_index("check")
    assert checks.loc["data on nu", "status"] == "WARN"
    assert "usual with few runs" in checks.loc["data on nu", "advice"]
    undecided = [k for k in few.law.priors() if checks.loc[f"data on {k}", "status"] == "WARN"]
    assert undecided
    assert all("the prior's answer" in checks.loc[f"data on {k}", "advice"] for k in undecided)
    assert checks.loc["data on level", "status"] == "PASS"
    assert "WARN" in repr(few.check())


def test_prior_predictive_scatters_as_the_model_does(ladder):
    """Runs of several rows share their effect; rows of their own have none; known errors widen."""
    law, table = bs.models.pure_power("C"), ladder.table

    def scatter(**columns):
        runs = bs.read_runs(table.assign(**columns))
        new, mean = (bs.prior_predictive(law, runs, kind=k, noise="normal", draws=4000) for k in ("new-run", "mean"))
        return np.log(new.draws / mean.draws)

    alone, apart = scatter(), scatter(run=np.arange(16))
    np.testing.assert_array_equal(alone, apart)
    together = scatter(run=np.repeat(np.arange(8), 2))
    ranks = stats.spearmanr(together[:, 0], together[:, 1]).statistic
    assert ranks > 0.2
    assert abs(stats.spearmanr(together[:, 0], together[:, 2]).statistic) < 0.1
    known = scatter(loss_error=0.1 * table["loss"])
    assert np.std(known[:, 0]) == pytest.approx(0.1, rel=0.1)


def test_prior_predictive_bends_as_the_discrepancy_has_it(ladder):
    """As far from the law as tau says for each e-fold of compute below the largest run, and not at all there."""
    bend = Discrepancy(tau=bs.law.prior.positive(0.02, spread=0.01))
    how = dict(kind="mean", draws=2000, seed=3)
    bent, plain = (bs.prior_predictive("chinchilla", ladder, discrepancy=d, **how) for d in (bend, False))
    assert list(bent.logs) == ["parameters", "discrepancy"]
    assert list(plain.logs) == ["parameters"]
    away = np.log(ladder.column("C").max() / ladder.column("C"))
    np.testing.assert_allclose(bent.logs["discrepancy"].std(axis=0), 0.02 * away, rtol=0.1, atol=1e-9)
    np.testing.assert_allclose(np.log(bent.draws), sum(bent.logs.values()), rtol=1e-9)
    by_default = bs.prior_predictive("chinchilla", ladder, draws=50)
    assert list(by_default.logs) == ["parameters", "discrepancy", "noise"]
    assert by_default.bent
    # What says nothing of how large a run is has none: a law of the batch size that gives the steps.
    steps = bs.prior_predictive("steps_examples", dict(B=[1e5, 1e6], S=[1e4, 3e3]), draws=50)
    assert list(steps.logs) == ["parameters", "noise"]


def test_a_level_in_percent_is_refused(fitted):
    with pytest.raises(LawError, match=r"a probability such as 0\.95, not 95"):
        fitted.summary(level=95)


def test_noises(ladder):
    for noise in ("normal", "laplace"):
        post = bs.fit("chinchilla", ladder, noise=noise, discrepancy=False)
        assert post.settings["trouble"] == ""
        assert "nu" not in post.draws
        assert 0.005 < np.median(post.draws["sigma"]) < 0.02
    with pytest.raises(LawError, match="there are student-t, normal, laplace"):
        bs.fit("chinchilla", ladder, noise="gauss", discrepancy=False)


def test_known_measurement_error_takes_the_blame(ladder):
    known = bs.read_runs(ladder.table.assign(loss_error=0.01 * ladder.column("loss")))
    without, with_error = (bs.fit("chinchilla", runs, noise="normal", discrepancy=False) for runs in (ladder, known))
    assert np.median(with_error.draws["sigma"]) < 0.7 * np.median(without.draws["sigma"])


def test_weights_count_in_the_criteria(ladder):
    """A row of weight 3 is left out with all its measurements."""
    weighted = bs.fit("chinchilla", bs.read_runs(ladder.table.assign(weight=3.0)), discrepancy=False)
    plain = bs.fit("chinchilla", bs.read_runs(ladder.table.assign(weight=1.0)), discrepancy=False)
    same = {k: v[:, :50] for k, v in weighted.draws.items()}
    once, thrice = (dataclasses.replace(p, draws=same).log_likelihood for p in (plain, weighted))
    np.testing.assert_allclose(thrice, 3 * once, rtol=1e-12)


def test_weights_count_exact_duplicates(ladder):
    """Three equal measurements are one row of weight 3."""
    table = ladder.table
    tripled = bs.fit("chinchilla", bs.read_runs(table.assign(weight=3.0)), noise="normal", discrepancy=False)
    once = bs.fit("chinchilla", ladder, noise="normal", discrepancy=False)
    ratio = tripled.draws["level"].std() / once.draws["level"].std()
    assert ratio == pytest.approx(1 / np.sqrt(3), rel=0.2)


def test_rows_of_one_run_share_an_effect():
    """Checkpoints of one run err together: counting them as independent makes the interval too narrow."""
    rng = np.random.default_rng(1)
    N = np.repeat(np.geomspace(1e8, 2e9, 8), 6)
    D = 20 * N * np.tile(np.linspace(0.5, 5, 6), 8)
    run = np.repeat(np.arange(8), 6)
    effect = 0.01 * rng.normal(size=8)[run]
    loss = (1.8172 + 482.01 / N**0.3478 + 2085.43 / D**0.3658) * np.exp(effect + 0.001 * rng.normal(size=48))
    together = bs.read_runs(dict(N=N, D=D, loss=loss, run=[f"run {i}" for i in run]))
    post = bs.fit("chinchilla", together, noise="normal", discrepancy=False)
    assert post.settings["trouble"] == ""
    assert 0.005 < np.median(post.draws["sigma_run"]) < 0.02
    assert np.median(post.draws["sigma"]) == pytest.approx(0.001, rel=0.5)
    assert post.draws["run_effect"].shape[2:] == (8,)
    effects = post.data["posterior"]["run_effect"]
    assert effects.dims == ("chain", "draw", "run_id")
    assert list(effects.coords["run_id"].values) == [f"run {i}" for i in range(8)]
    assert "run_z" not in post.draws
    d = {k: v[0, 0] for k, v in post.draws.items()}
    sigma_part = stats.lognorm.logpdf(d["sigma"], 0.8, scale=0.006)
    noise_part = sigma_part + stats.lognorm.logpdf(d["sigma_run"], 0.8, scale=0.004)
    noise_part += stats.norm.logpdf(d["run_effect"], 0, d["sigma_run"]).sum()
    plain = bs.fit("chinchilla", bs.read_runs(together.table.drop(columns="run")), noise="normal", discrepancy=False)
    at = {k: np.full((1, 1), d[k]) for k in plain.draws}
    law_part = dataclasses.replace(plain, draws=at).log_prior[0, 0] - sigma_part
    assert post.log_prior[0, 0] == pytest.approx(law_part + noise_part, rel=1e-9)
    found = np.median(post.draws["run_effect"], axis=(0, 1))
    assert np.corrcoef(found, effect[::6])[0, 1] > 0.8
    # A new run has an effect of its own.
    new, mean = post.predict(N="1B", D="20B"), post.predict(N="1B", D="20B", kind="mean")
    assert np.std(np.log(new.draws / mean.draws)) > 0.006
