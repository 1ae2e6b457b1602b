"""Effects that the runs of one size share: ``noise="student-t by N"``."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.leave_out import leave_groups_out
from bayesscale.forecast import log_density

SIZES = np.geomspace(1e8, 2e9, 6)
QUICK = dict(discrepancy=False, draws=1000)


def of_sizes(shock=0.02, each=20, seed=3):
    """Runs of a power law of N, twenty to a size, whose sizes stray by 2 % and the runs of a size by .2 %."""
    rng = np.random.default_rng(seed)
    N = np.repeat(SIZES, each)
    strayed = shock * np.repeat(rng.standard_normal(len(SIZES)), each) + 0.002 * rng.standard_normal(len(N))
    return pd.DataFrame(dict(N=N, loss=8 * (N / 1e8) ** -0.1 * np.exp(strayed)))


@pytest.fixture(scope="module")
def runs():
    return of_sizes()


@pytest.fixture(scope="module")
def shared(runs):
    return bs.fit("pure_power(N)", runs, noise="student-t by N", **QUICK)


def width(post, N, kind="new-run"):
    low, high = post.predict(N=N, kind=kind).interval(0.9)
    return float(np.log(high / low)[0])


def test_a_hundred_runs_of_six_sizes_tell_the_exponent_as_six_do(runs, shared):
    alone = bs.fit("pure_power(N)", runs, **QUICK)
    few = bs.fit("pure_power(N)", runs.groupby("N", as_index=False).mean(), **QUICK)
    spread = {name: post.draws["alpha"].std() for name, post in dict(shared=shared, alone=alone, few=few).items()}
    assert spread["shared"] > 2.5 * spread["alone"]
    assert 0.6 < spread["shared"] / spread["few"] < 1.6
    assert 0.008 < np.median(shared.draws["sigma_run"]) < 0.04


def test_a_new_size_strays_as_those_seen_and_a_run_of_a_seen_size_with_its_size(runs, shared):
    assert width(shared, 4e9) > 3 * width(shared, SIZES[-1])
    of_largest = runs.loc[runs["N"] == runs["N"].max(), "loss"].mean()
    assert shared.predict(N=SIZES[-1]).median[0] == pytest.approx(of_largest, rel=0.003)
    assert shared.predict(N=[1e9, 4e9], run=["a", "b"]).continued == ()


def test_targets_of_one_new_size_stray_together(shared):
    together = np.log(shared.predict(N=[4e9, 4e9, 5e9]).draws)
    left = together - np.log(shared.predict(N=[4e9, 4e9, 5e9], kind="mean").draws)
    same, other = (np.corrcoef(left[:, 0], left[:, i])[0, 1] for i in (1, 2))
    assert same > 0.9
    assert abs(other) < 0.2


def test_a_table_with_run_ids_says_the_same_and_keeps_them(runs, shared):
    named = runs.assign(run=[f"r{i}" for i in range(len(runs))])
    post = bs.fit("pure_power(N)", named, noise="student-t by N", **QUICK)
    np.testing.assert_array_equal(post.draws["alpha"], shared.draws["alpha"])
    assert list(post.runs.table["run"]) == list(named["run"])
    assert list(post.data.posterior["run_id"].values) == [f"N = {N:.12g}" for N in SIZES]


def test_it_is_saved_with_the_posterior(shared, tmp_path):
    shared.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert loaded.noise == shared.noise
    assert str(loaded.noise) == "student-t by N"
    assert loaded.noise != bs.noise.named("student-t", scatter=0.006)
    assert width(loaded, SIZES[-1]) == pytest.approx(width(shared, SIZES[-1]))


def test_a_log_score_knows_the_sizes_that_were_fitted(runs, shared):
    rows = pd.DataFrame(dict(N=[SIZES[0], SIZES[3], 4e9]))
    rows = bs.read_runs(rows.assign(loss=shared.predict(rows).median))
    draws = np.log(shared.predict(rows.table).draws)
    smoothed = [gaussian_kde(draws[:, i])(np.log(rows.column("loss"))[i])[0] for i in range(3)]
    np.testing.assert_allclose(log_density(shared, rows), np.log(smoothed), atol=0.3)


def test_it_goes_through_backtest_and_compare(runs, shared):
    found = bs.backtest(runs, "pure_power(N)", noise="normal by N", cutoffs=[0.5, 0.7], **QUICK)
    assert found.table["in95"].notna().all()
    compared = bs.compare([bs.fit("pure_power(N)", runs, **QUICK), shared])
    assert any("student-t by N" in name for name in compared.table.index)


def test_a_group_that_cuts_through_sizes_cannot_be_left_out(runs):
    post = bs.fit("pure_power(N)", runs.assign(mixture=np.arange(len(runs)) % 5), noise="normal by N", **QUICK)
    with pytest.raises(RunsError, match="all rows of one N agree"):
        leave_groups_out(post, "mixture")


def test_the_truth_may_have_it_where_the_fit_has_not(runs):
    found = bs.calibrate("pure_power(N)", runs, simulations=24, noise="normal", truth_noise="normal by N")
    assert found.summary()["pvalue"]["level"] < 1e-3


def test_the_discrepancy_beside_it_samples_well(runs):
    post = bs.fit("pure_power(N)", runs, noise="student-t by N", second_try=False)
    assert post.summary()["rhat"].max() < 1.03
    assert post.stats["n_steps"].mean() < 40


@pytest.mark.parametrize(
    ("change", "noise", "error", "words"),
    [
        (dict(run="a"), "normal by N", RunsError, "run 'a' has several rows"),
        (dict(), "normal by family", RunsError, "no column 'family'"),
        (dict(), "normal by ", LawError, "no noise is named"),
        (dict(family=None), "normal by family", RunsError, "column family: row 0 is empty"),
        (dict(), "curve by N", LawError, "not of curve"),
        (dict(), "cauchy by N", LawError, "student-t"),
        (dict(), bs.noise.named("curve").__class__(by="N"), LawError, "along each run"),
    ],
)
def test_what_cannot_be_is_said(runs, change, noise, error, words):
    with pytest.raises(error, match=words):
        bs.fit("pure_power(N)", runs.assign(**change), noise=noise, **QUICK)


def test_tasks_fitted_together_share_sizes_each_by_itself(runs):
    tasks = pd.concat([runs.assign(task=task, run=[f"r{i}" for i in range(len(runs))]) for task in "ab"])
    found = bs.fit_pooled("pure_power(N)", tasks.reset_index(drop=True), over="task", noise="normal by N", **QUICK)
    assert {str(post.noise) for post in found.values()} == {"normal by N"}
    assert all(post.draws["run_effect"].shape[-1] == len(SIZES) for post in found.values())
