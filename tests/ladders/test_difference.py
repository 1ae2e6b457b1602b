"""Which of two wins: paired draws of one fit, independent ones of two, by task and on average."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import LawError

FAR = dict(N="2.6B", D="260B")


@pytest.fixture(scope="module")
def recipes(short_ladder, simulated):
    """Return a ladder over two recipes of data on one task, of which the second is better."""
    good = simulated(("easy",), better=0.06, seed=5).assign(task="good")
    poor = simulated(("easy",), seed=4).assign(task="poor")
    runs = pd.concat([poor, good], ignore_index=True).rename(columns={"task": "corpus"})
    return short_ladder(runs, over="corpus")


def test_of_one_fit_draws_are_paired(recipes):
    found = bs.difference(recipes["good"], recipes["poor"], **FAR)
    assert found.paired and found.draws.shape == (600, 1)
    one, other = (recipes[name].predict(kind="mean", **FAR).draws for name in ("good", "poor"))
    np.testing.assert_allclose(found.draws, one - other)
    assert found.probability[0] > 0.9
    assert "draw i with draw i" in repr(found)


def test_the_two_together_know_more_than_each(recipes):
    """What is not known of both alike cancels: the law is the same for both."""
    found = bs.difference(recipes["good"], recipes["poor"], N="70B", D="10T").draws
    one, other = (recipes[name].predict(kind="mean", N="70B", D="10T").draws for name in ("good", "poor"))
    assert found.std() < np.hypot(one.std(), other.std())


def test_of_two_fits_draws_are_independent(two_tasks, better):
    found = bs.difference(better["easy"], two_tasks["easy"], **FAR)
    assert not found.paired
    assert "separate fits" in found.notes[0]
    same = bs.difference(two_tasks.losses["easy"], two_tasks.losses["easy"], **FAR)
    assert same.paired and np.ptp(same.draws) == 0 and same.probability[0] == 0.5


def test_by_task_and_on_average(two_tasks, better):
    found = bs.difference(better, two_tasks, N=["1B", "2.6B"], D="260B")
    assert found.table["group"].tolist() == ["easy", "easy", "hard", "hard", "mean of all", "mean of all"]
    np.testing.assert_allclose(found.draws[:, 4:], (found.draws[:, :2] + found.draws[:, 2:4]) / 2)
    assert (found.probability > 0.9).all()
    assert found.table["low95"].iloc[4] > found.table["low95"].min() - 1e-12


def test_new_runs_have_noise_of_their_own(two_tasks):
    """Also where both are the same fit: two more runs of one recipe differ."""
    mean, new = (bs.difference(two_tasks["easy"], two_tasks["easy"], kind=kind, **FAR) for kind in ("mean", "new-run"))
    assert np.ptp(mean.draws) == 0
    alone = two_tasks["easy"].predict(**FAR).logs["noise"]
    p = two_tasks["easy"].predict(**FAR).median[0]
    assert new.draws.std() > 0.7 * np.sqrt(2) * np.quantile(np.abs(alone), 0.68) * p * (1 - p)
    assert 0.4 < new.probability[0] < 0.6


def test_what_cannot_be_compared(two_tasks, recipes):
    with pytest.raises(LawError, match="one gives loss, the other accuracy"):
        bs.difference(two_tasks.losses["easy"], two_tasks["easy"], **FAR)
    with pytest.raises(LawError, match="nothing to compare: one has easy, hard, the other poor, good"):
        bs.difference(two_tasks, recipes, **FAR)
    with pytest.raises(LawError, match="not one of each"):
        bs.difference(two_tasks, two_tasks["easy"], **FAR)
