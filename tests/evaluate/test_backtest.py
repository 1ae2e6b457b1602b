"""Rollout on the user's own table."""

import sys
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.errors import LawError, RunsError, SamplingWarning
from bayesscale.evaluate.backtest import rollout
from bayesscale.evaluate.members import fitted_how
from bayesscale.evaluate.scores import crps, pit, score
from bayesscale.forecast import log_density
from bayesscale.inference import rows_of

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short


def test_crps_is_that_of_the_normal():
    """Against the closed form of Gneiting and Raftery 2007, eq. 21; a point forecast scores its absolute error."""
    draws = np.random.default_rng(0).standard_normal((200_000, 1))
    for y in (-1.0, 0.0, 2.5):
        closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
        assert crps(draws, np.array([y]))[0] == pytest.approx(closed, abs=0.005)
    assert crps(np.full((5, 1), 3.0), np.array([1.0]))[0] == pytest.approx(2.0)


def test_scores_of_known_draws():
    draws = np.arange(1, 100)[:, None] / 100 + np.array([[0.0, 10.0]])
    truth = np.array([0.4, 10.999])
    assert pit(draws, truth) == pytest.approx([39.5 / 99, 1.0])
    rows = score(draws, truth)
    assert list(rows["in50"]) == [True, False]
    assert list(rows["in95"]) == [True, False]
    assert rows["error"][0] == pytest.approx(0.5 / 0.4 - 1)
    assert rows["width95"][0] == pytest.approx(0.95 * 0.98 / 0.4, rel=1e-6)


def test_folds_are_what_was_asked_for(tested, ladder):
    compute = ladder.column("C")
    table = tested.table
    assert set(table["law"]) == {"chinchilla", "power(C)", "average (equal)"}
    for (_, cut), rows in table.groupby(["law", "cutoff"]):
        held_out = compute > 1.01 * cut
        assert set(rows["row"]) == set(np.flatnonzero(held_out))
        assert (rows["fitted"] == (~held_out).sum()).all()
        np.testing.assert_allclose(rows["factor"], compute[rows["row"]] / cut)
        np.testing.assert_array_equal(rows["truth"], ladder.column("loss")[rows["row"]])


def test_a_fold_is_a_fit_and_a_forecast(tested, ladder, short):
    cut = tested.table["cutoff"].min()
    fitted = ladder.column("C") <= cut
    post = bs.fit("chinchilla", ladder.select(fitted), **short)
    rows = tested.table[(tested.table["cutoff"] == cut) & (tested.table["law"] == "chinchilla")]
    draws = post.predict(ladder.select(~fitted)).draws
    np.testing.assert_allclose(rows["median"], np.median(draws, axis=0), rtol=1e-12)
    np.testing.assert_allclose(rows["log_score"], log_density(post, ladder.select(~fitted)))


def test_log_density_is_the_mixture_over_draws(fitted, ladder):
    d = fitted.flat_draws
    mean = fitted.predict(ladder, kind="mean").draws[:, 0]
    z = np.log(ladder.column("loss")[0]) - np.log(mean)
    by_hand = np.log(np.mean(stats.t.pdf(z / d["sigma"], d["nu"]) / d["sigma"]))
    assert log_density(fitted, ladder)[0] == pytest.approx(by_hand, rel=1e-9)


def test_summary_and_words(tested):
    summary = tested.summary()
    by_hand = tested.table.groupby("law")["in95"].mean()
    np.testing.assert_allclose(summary["coverage95"], by_hand[summary.index])
    by_factor = tested.summary(by=["law", "factor"])
    assert by_factor["n"].sum() == len(tested.table)
    assert "the 95% intervals held" in repr(tested)
    assert "not independent" in repr(tested)
    with pytest.raises(LawError, match="by law, cutoff, factor or several, not run"):
        tested.summary(by="run")


def test_laws_come_in_the_order_given_and_factors_from_near_to_far(tested):
    order = ["power(C)", "chinchilla", "average (equal)"]
    assert list(tested.summary().index) == order
    assert tested.laws == tuple(order)
    by_factor = tested.summary(by=["factor", "law"])
    names = list(dict.fromkeys(by_factor.index.get_level_values("factor")))
    assert names == [name for name in ("<2x", "2-4x", "4-10x", "10-30x", ">30x") if name in names]
    assert list(by_factor.loc[names[0]].index) == order


def test_pit_histogram_counts(tested):
    found = tested.pit_histogram(bins=4)
    assert list(found.index) == list(tested.laws)
    mine = tested.table.loc[tested.table["law"] == "chinchilla", "pit"]
    assert found.loc["chinchilla", 0.25] == pytest.approx(mine.between(0.25, 0.5, inclusive="left").mean())
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert tested.summary().loc["chinchilla", "pit"] == pytest.approx(mine.mean())


def test_the_average_is_the_mixture_of_the_folds_own_fits(tested):
    table = tested.table.set_index(["law", "cutoff", "row"]).sort_index()
    by_hand = np.log((np.exp(table.loc["chinchilla", "log_score"]) + np.exp(table.loc["power(C)", "log_score"])) / 2)
    found = table.loc["average (equal)", "log_score"]
    np.testing.assert_allclose(found, by_hand[found.index])


def test_laws_of_one_name_are_told_apart(ladder, short):
    narrow = bs.models.pure_power("C").with_priors(alpha=bs.law.prior.exponent(0.1, spread=0.1))
    found = bs.backtest(ladder, ["pure_power(C)", narrow], cutoffs=(0.75,), **short)
    assert found.laws == ("pure_power(C)", "pure_power(C), alpha ~ LogNormal(log 0.1, 0.1)")
    assert found.posteriors[found.laws[1], found.table["cutoff"][0]].law == narrow


@pytest.mark.parametrize("discrepancy", [None, bs.discrepancy.Discrepancy()])
def test_parts_of_a_table_share_the_shape_of_the_whole(epoch, discrepancy):
    """One shape is one compiled program: see inference/run.py."""

    def shapes(runs, **more):
        return jax.tree.map(np.shape, rows_of(bs.models.chinchilla, runs, discrepancy=discrepancy, **more))

    whole = shapes(epoch)
    for n in (20, 100, 200):
        assert shapes(epoch.select(slice(0, n)), shape_of=epoch) == whole
        assert shapes(epoch.select(slice(0, n))) != whole


def test_runs_that_fill_the_shape_are_no_part_of_the_posterior(checkpoints, short):
    """A part with fewer runs shares the program of the whole; what the missing runs have of their own is dropped."""
    runs = bs.read_runs(checkpoints)
    part = runs.select(slice(0, 16))
    shape = [jax.tree.structure(rows_of(bs.models.power("C"), each, shape_of=runs)) for each in (part, runs)]
    assert shape[0] == shape[1]
    (filled,), alone = bs.fit_many("power(C)", [part], parts_of=runs, **short), bs.fit("power(C)", part, **short)
    assert filled.draws["run_effect"].shape == alone.draws["run_effect"].shape == (2, 250, 4)
    assert filled.mode["run_effect"].shape == (4,)
    apart = filled.draws["run_effect"].mean(axis=(0, 1)) - alone.draws["run_effect"].mean(axis=(0, 1))
    assert (np.abs(apart) < 0.5 * alone.draws["run_effect"].std(axis=(0, 1))).all()


def test_a_part_filled_up_has_the_same_posterior(epoch):
    part = epoch.select(np.argsort(epoch.column("C"))[:40])
    how = dict(chains=2, draws=500, discrepancy=False, second_try=False)
    (filled,), alone = bs.fit_many("chinchilla", [part], parts_of=epoch, **how), bs.fit("chinchilla", part, **how)
    assert filled.settings["warmup"] == alone.settings["warmup"] == 1000, "few rows need the longer warm-up"
    for name in ("E", "alpha", "beta", "sigma"):
        apart = np.log(filled.draws[name]).mean() - np.log(alone.draws[name]).mean()
        assert abs(apart) < 0.25 * np.log(alone.draws[name]).std()


@pytest.fixture(scope="module")
def checkpoints():
    """Return six runs, four checkpoints each."""
    N = np.repeat(np.geomspace(1e8, 1e9, 6), 4)
    D = 20 * N * np.tile([0.25, 0.5, 0.75, 1.0], 6)
    loss = 1.8 + 400 / N**0.35 + 2000 / D**0.37
    loss = loss * np.exp(0.002 * np.random.default_rng(0).standard_normal(24))
    return pd.DataFrame(dict(run=np.repeat(list("abcdef"), 4), N=N, D=D, loss=loss))


def test_runs_and_levels_stay_whole(checkpoints, short):
    """A run counts where its largest row is: none of its checkpoints is fitted while it is held out."""
    frame = checkpoints
    found = bs.backtest(frame, "power(C)", cutoffs=(0.6,), **short)
    assert set(frame["run"][found.table["row"]]) | set("abcd") == set("abcdef")
    assert (found.table["row"].value_counts() == 1).all()
    assert len(found.table) % 4 == 0  # whole runs


def test_cutoffs_are_shares_of_runs_not_of_rows(short):
    """Five runs with one row, the smallest with twenty: half of the runs is not half of the rows."""
    N = np.r_[np.full(20, 1e8), np.geomspace(2e8, 3.2e9, 5)]
    D = 20 * N * np.r_[np.linspace(0.05, 1, 20), np.ones(5)]
    loss = (1.8 + 400 / N**0.35 + 2000 / D**0.37) * np.exp(0.002 * np.random.default_rng(0).standard_normal(25))
    frame = pd.DataFrame(dict(run=["a"] * 20 + list("bcdef"), N=N, D=D, loss=loss))
    found = bs.backtest(frame, "power(C)", cutoffs=(0.5,), **short)
    assert set(frame["run"][found.table["row"]]) == set("def")
    assert (found.table["fitted"] == 22).all()


def test_a_fit_in_trouble_is_said_with_its_cutoff(ladder, short, monkeypatch):
    def troubled(**how):
        return [replace(post, settings={**post.settings, "trouble": "R-hat 1.2"}) for post in bs.fit_many(**how)]

    # The module: its name in the package is the function's.
    monkeypatch.setattr(sys.modules["bayesscale.evaluate.backtest"], "fit_many", troubled)
    with pytest.warns(SamplingWarning, match=r"power\(C\) up to C = .*: R-hat 1.2; the scores of this fold are not"):
        found = bs.backtest(ladder, "power(C)", cutoffs=(0.75,), **short)
    assert any(note.startswith("power(C) up to C = ") for note in found.notes)


def test_refusals(ladder):
    with pytest.raises(RunsError, match="no cutoff of C leaves 8 rows"):
        bs.backtest(ladder, "chinchilla", cutoffs=(0.1,))
    with pytest.raises(RunsError, match="no column 'E'"):
        bs.backtest(ladder, "chinchilla", by="E")
    curves = dict(N=ladder.column("N"), S=ladder.column("D") / 1e6, loss=ladder.column("loss"))
    with pytest.raises(RunsError, match='choose one, as in by="N"; there are N, S'):
        bs.backtest(curves, "kaplan_ns")


@pytest.mark.parametrize(("column", "law"), [("D", "power(D)"), ("samples", "power(samples)")])
def test_the_only_size_is_what_the_table_is_cut_by(ladder, short, column, law):
    """A table without compute: by its tokens, or by whatever the law takes."""
    table = {"B": np.full(len(ladder), 1e6), column: ladder.column("D"), "loss": ladder.column("loss")}
    found = bs.backtest(table, law, cutoffs=(0.6,), **short)
    assert found.by == column
    cut = found.table["cutoff"].iloc[0]
    np.testing.assert_array_equal(found.table["row"], np.flatnonzero(ladder.column("D") > 1.01 * cut))


def test_discrepancy_makes_the_interval_hold_on_real_runs(epoch):
    """Epoch's Chinchilla runs: the law alone holds half to three quarters, with the discrepancy nearly what it says."""
    plain, bent = (bs.backtest(epoch, "chinchilla", cutoffs=(0.5,), discrepancy=d) for d in (False, True))
    assert plain.summary()["coverage95"].iloc[0] < 0.85
    assert bent.summary()["coverage95"].iloc[0] > 0.9
    assert bent.summary()["log_score"].iloc[0] > plain.summary()["log_score"].iloc[0] + 0.2


def test_weights_of_an_average_are_those_of_its_fold(ladder, pair):
    """A fold too small for a rollout of its own has equal weights; the others what their own runs say."""
    members = {name: fitted_how(post) for name, post in pair.items()}
    found = rollout(members, ladder, cutoffs=(0.5, 0.9), average="rollout")
    first, last = (found.posteriors["average (rollout)", cut] for cut in sorted(found.table["cutoff"].unique()))
    assert first.how == "equal weights"
    assert "weights by rollout" in last.how
    assert set(last.rollout.runs.table.index) == set(last.runs.table.index) < set(ladder.table.index)
    with pytest.raises(LawError, match='average is "rollout", "loo" or "equal"'):
        bs.backtest(ladder, average="waic")
