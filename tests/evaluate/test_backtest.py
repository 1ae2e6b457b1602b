"""Rollout on the user's own table."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.errors import RunsError
from bayesscale.evaluate.scores import crps, pit, score
from bayesscale.forecast import log_density


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


@pytest.fixture(scope="module")
def tested(ladder):
    return bs.backtest(ladder, ["chinchilla", "power(C)"], cutoffs=(0.5, 0.75), least=8)


def test_folds_are_what_was_asked_for(tested, ladder):
    compute = ladder.column("C")
    table = tested.table
    assert set(table["law"]) == {"chinchilla", "power(C)"}
    for (_, cut), rows in table.groupby(["law", "cutoff"]):
        held_out = compute > 1.01 * cut
        assert set(rows["row"]) == set(np.flatnonzero(held_out))
        assert (rows["fitted"] == (~held_out).sum()).all()
        np.testing.assert_allclose(rows["factor"], compute[rows["row"]] / cut)
        np.testing.assert_array_equal(rows["truth"], ladder.column("loss")[rows["row"]])


def test_a_fold_is_a_fit_and_a_forecast(tested, ladder):
    cut = tested.table["cutoff"].min()
    fitted = ladder.column("C") <= cut
    post = bs.fit("chinchilla", ladder.select(fitted))
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


def test_runs_and_levels_stay_whole():
    """A run counts where its largest row is: none of its checkpoints is fitted while it is held out."""
    N = np.repeat(np.geomspace(1e8, 1e9, 6), 4)
    D = 20 * N * np.tile([0.25, 0.5, 0.75, 1.0], 6)
    loss = 1.8 + 400 / N**0.35 + 2000 / D**0.37
    loss = loss * np.exp(0.002 * np.random.default_rng(0).standard_normal(24))
    frame = pd.DataFrame(dict(run=np.repeat(list("abcdef"), 4), N=N, D=D, loss=loss))
    found = bs.backtest(frame, "chinchilla", cutoffs=(0.6,))
    assert set(frame["run"][found.table["row"]]) | set("abcd") == set("abcdef")
    assert (found.table["row"].value_counts() == 1).all()
    assert len(found.table) % 4 == 0  # whole runs


def test_refusals(ladder):
    with pytest.raises(RunsError, match="no cutoff of C leaves 8 rows"):
        bs.backtest(ladder, "chinchilla", cutoffs=(0.1,))
    with pytest.raises(RunsError, match="no column 'E'"):
        bs.backtest(ladder, "chinchilla", by="E")


def test_discrepancy_makes_the_interval_hold_on_real_runs(epoch):
    """Epoch's Chinchilla runs: the law alone holds half to three quarters, with the discrepancy nearly what it says."""
    plain, bent = (bs.backtest(epoch, "chinchilla", cutoffs=(0.5,), discrepancy=d) for d in (False, True))
    assert plain.summary()["coverage95"].iloc[0] < 0.85
    assert bent.summary()["coverage95"].iloc[0] > 0.9
    assert bent.summary()["log_score"].iloc[0] > plain.summary()["log_score"].iloc[0] + 0.2
