"""WAIC and LOO against independent computations, and what a comparison says."""

from dataclasses import replace

import arviz as az
import numpy as np
import pytest

import bayesscale as bs
from bayesscale.elpd import loo, waic
from bayesscale.errors import LawError, RunsError

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # of short rollouts


@pytest.fixture(scope="module")
def comparison(ladder):
    return bs.compare(ladder, ["chinchilla", "chinchilla_tied", "power(C)"], rollout=False, discrepancy=False)


@pytest.fixture(scope="module")
def rolled(ladder, short):
    return bs.compare(ladder, ["chinchilla", "power(C)"], **short)


def test_waic_row_by_row(fitted):
    """By its definition, a row at a time, in extended precision."""
    flat = fitted.log_likelihood.reshape(-1, fitted.log_likelihood.shape[-1])
    elpd = []
    for row in flat.T.astype(np.longdouble):
        lppd = np.log(np.mean(np.exp(row - row.max()))) + row.max()
        elpd.append(lppd - np.mean((row - row.mean()) ** 2))
    found = waic(fitted.log_likelihood)
    assert found.elpd == pytest.approx(float(np.sum(elpd)), abs=1e-6)
    n = len(elpd)
    assert found.se == pytest.approx(float(np.sqrt(n * np.var(elpd, ddof=1))), abs=1e-6)


def test_waic_of_a_normal_mean_in_closed_form():
    """Known variance, flat prior: p_waic tends to the closed-form posterior variance of the log density."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    mu = rng.normal(y.mean(), 1 / np.sqrt(50), size=(4, 50_000))
    log_likelihood = -0.5 * np.log(2 * np.pi) - 0.5 * (y - mu[..., None]) ** 2
    v, d = 1 / 50, y - y.mean()
    lppd = -0.5 * np.log(2 * np.pi * (1 + v)) - 0.5 * d**2 / (1 + v)
    p = v * d**2 + v**2 / 2
    assert waic(log_likelihood).elpd == pytest.approx(np.sum(lppd - p), abs=0.01)
    assert waic(log_likelihood).p == pytest.approx(p.sum(), rel=0.02)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_loo_is_arviz(fitted):
    theirs = az.loo(fitted.data, pointwise=True)
    ours = loo(fitted)
    assert ours.elpd == float(theirs.elpd)
    assert ours.se == pytest.approx(float(theirs.se), rel=1e-12)
    np.testing.assert_array_equal(ours.diagnostic, theirs.pareto_k)


def test_loo_is_what_refitting_without_the_row_gives(ladder, fitted):
    """Exact leave-one-out of three rows, by refitting."""
    ours = loo(fitted)
    full = [bs.fit("chinchilla", ladder.select(np.arange(16) != i), seed=i, discrepancy=False) for i in (3, 9)]
    for i, post in zip((3, 9), full, strict=True):
        d = post.flat_draws
        from scipy import stats

        x = {k: ladder.column(k)[i] for k in ("N", "D", "loss")}
        mean = np.log(d["E"] + d["A"] / x["N"] ** d["alpha"] + d["B"] / x["D"] ** d["beta"])
        exact = np.log(np.mean(stats.t.pdf(np.log(x["loss"]), d["nu"], mean, d["sigma"])))
        assert ours.pointwise[i] == pytest.approx(exact, abs=0.15)


def test_table(comparison, ladder):
    table = comparison.table
    assert table.index[-1] == "power(C)"
    assert table["diff"].iloc[0] == 0
    assert (table["diff"].iloc[1:] < 0).all()
    assert table["weight"].sum() == pytest.approx(1)
    assert comparison.pointwise.shape == (len(ladder), 3)
    np.testing.assert_allclose(comparison.pointwise.sum()[table.index], table["elpd_loo"])
    assert comparison.best.law.name == table.index[0]


def test_differences_are_paired(comparison):
    best, other = comparison.table.index[0], "power(C)"
    difference = comparison.pointwise[other] - comparison.pointwise[best]
    assert comparison.table.loc[other, "diff"] == pytest.approx(difference.sum())
    assert comparison.table.loc[other, "diff_se"] == pytest.approx(np.sqrt(len(difference)) * difference.std(ddof=1))


def test_it_speaks(comparison):
    said = repr(comparison)
    assert "not how a law extrapolates" in said
    assert "equally well" in said or "best" in said
    assert "<table" in comparison._repr_html_()


def test_elpd_rollout_is_that_of_the_backtest(rolled, ladder, short):
    table = bs.backtest(ladder, ["chinchilla", "power(C)"], **short).table
    of_rows = table.groupby(["law", "row"])["log_score"].mean()
    for law in ("chinchilla", "power(C)"):
        assert rolled.table.loc[law, "elpd_rollout"] == pytest.approx(of_rows[law].sum())
    best = rolled.table["elpd_rollout"].idxmax()
    other = next(law for law in rolled.table.index if law != best)
    difference = of_rows[other] - of_rows[best]
    assert rolled.table.loc[best, "diff_rollout"] == 0
    assert rolled.table.loc[other, "diff_rollout"] == pytest.approx(difference.sum())
    C = ladder.column("C")[difference.index]
    of_bands = difference.groupby(np.floor(np.round(np.log2(C / C.min()), 6))).sum()
    assert rolled.table.loc[other, "diff_rollout_se"] == pytest.approx(np.sqrt(len(of_bands)) * of_bands.std(ddof=1))


def test_fits_are_fitted_again_as_they_were(rolled, pair):
    assert "elpd_rollout" not in bs.compare(pair).table
    again = bs.compare(pair, rollout=True)
    np.testing.assert_allclose(again.table["elpd_rollout"], rolled.table["elpd_rollout"][again.table.index])
    assert "no rollout" in repr(bs.compare(pair))


def test_it_says_when_loo_and_rollout_disagree(rolled):
    by_loo, other = rolled.table.index
    table = rolled.table.assign(elpd_rollout=[0.0, 9.0], diff_rollout=[-9.0, 0.0], diff_rollout_se=[2.0, 0.0])
    (said,) = (note for note in replace(rolled, table=table).notes if "disagree" in note)
    assert f"LOO prefers {by_loo}" in said
    assert f"{other} foretells the larger ones better, by 9.0 +- 2.0" in said
    assert "chance" not in said
    (said,) = (n for n in replace(rolled, table=table.assign(diff_rollout_se=8.0)).notes if "disagree" in n)
    assert "no more than chance" in said
    agree = table.assign(elpd_rollout=[9.0, 0.0], diff_rollout=[0.0, -9.0])
    assert any("the rollout agrees" in note for note in replace(rolled, table=agree).notes)


def test_a_table_too_small_for_a_rollout_says_so(ladder, short):
    small = ladder.select(slice(0, 8))
    found = bs.compare(small, ["power(C)"], **short)
    assert found.rollout is None
    assert any("no rollout: no cutoff of C leaves 8 rows" in note for note in found.notes)
    with pytest.raises(RunsError, match="no cutoff of C"):
        bs.compare(small, ["power(C)"], rollout=True, **short)


def test_posteriors_of_one_law_are_named_apart(ladder, fitted):
    normal = bs.fit("chinchilla", ladder, noise="normal", discrepancy=bool(fitted.discrepancy))
    assert set(bs.compare([fitted, normal]).table.index) == {"chinchilla, student-t", "chinchilla, normal"}
    assert set(bs.compare(dict(a=fitted, b=normal)).table.index) == {"a", "b"}


def test_laws_of_one_name_are_named_by_their_priors(ladder):
    narrow = bs.models.pure_power("C").with_priors(alpha=bs.law.prior.exponent(0.1, spread=0.1))
    found = bs.compare(ladder, ["pure_power(C)", narrow], rollout=False, discrepancy=False)
    assert set(found.table.index) == {"pure_power(C)", "pure_power(C), alpha ~ LogNormal(log 0.1, 0.1)"}


def test_fits_are_compared_as_they_are(fitted):
    with pytest.raises(LawError, match="as they are"):
        bs.compare([fitted], ["power(C)"], discrepancy=False)


def test_warnings_in_words(ladder):
    """An outlier that one row's absence would change."""
    table = ladder.table
    table.loc[15, "loss"] *= 1.2
    spoiled = bs.read_runs(table)
    found = bs.compare(spoiled, ["chinchilla"], noise="normal", rollout=False, discrepancy=False)
    assert "row 15" in found.table["warning"].iloc[0]
    assert "go by LOO" in found.table["warning"].iloc[0]


def test_refuses_different_tables(ladder, fitted):
    other = bs.fit("chinchilla", ladder.select(slice(0, 14)), discrepancy=False)
    with pytest.raises(RunsError, match="different tables"):
        bs.compare([fitted, other])
    with pytest.raises(RunsError, match="nothing to compare"):
        bs.compare(ladder)


def test_tables_that_take_long_are_rolled_out_on_request(ladder, short):
    runs = bs.read_runs(ladder.table.assign(run=["a", "a", *map(str, range(14))]))
    found = bs.compare(runs, ["power(C)"], **short)
    assert any("take long to fit: ask for it" in note for note in found.notes)
