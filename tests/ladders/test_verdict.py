"""Verdicts: a task with a clear curve passes; one at guessing, one drowned in noise and one far away do not."""

import warnings

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, SamplingWarning
from bayesscale.ladders.verdict import learned, signal


@pytest.fixture(scope="module")
def doubtful(short_ladder, simulated):
    """Return a ladder of a good task, one whose runs only guess, and one with a noise as large as its signal."""
    good, guessing, noisy = simulated(("easy",)), simulated(("easy",), seed=1), simulated(("easy",), seed=2)
    rng = np.random.default_rng(3)
    guessing["accuracy"] = 0.25 + 0.004 * rng.standard_normal(16)
    noisy["accuracy"] = np.clip(noisy["accuracy"].mean() + 0.04 * rng.standard_normal(16), 0.3, 0.9)
    tables = {"good": good, "guessing": guessing, "noisy": noisy}
    return {name: short_ladder(table.drop(columns="task")) for name, table in tables.items()}


def test_a_clear_curve_is_forecastable_nearby(doubtful):
    found = bs.verdicts(doubtful["good"], N="2.6B", D="260B")
    assert found.table["verdict"].tolist() == ["forecastable"] and found.notes == []
    assert "1 forecastable, 0 with care, 0 not forecastable" in repr(found)


@pytest.mark.parametrize("task", ["guessing", "noisy"])
def test_no_curve_is_not_forecastable(doubtful, task):
    found = bs.verdicts(doubtful[task], N="7B", D="4T")
    assert found.table["verdict"].tolist() == ["not forecastable"]
    assert "noise of a run" in found.table["why"][0]
    assert "not forecastable" in repr(found)


def test_the_evidence_is_what_it_says(doubtful, two_tasks, simulated):
    assert signal(doubtful["good"].directs["accuracy"]) > 3 * signal(doubtful["noisy"].directs["accuracy"])
    low, middle, high = (learned(two_tasks, "easy")[i] for i in (1, 0, 2))
    best = simulated().query("task == 'easy'")["accuracy"].max()
    assert low < middle < high
    assert low - 0.1 < (best - 0.25) / 0.75 < high + 0.1  # the floor and the ceiling are not quite those
    assert learned(doubtful["guessing"], "accuracy")[0] < 0.05
    found = bs.verdicts(two_tasks, N="7B", D=["1T", "4T"]).table
    assert found["task"].tolist() == ["easy", "easy", "hard", "hard"]
    two, one = (
        np.median(each["hard"].predict(N="7B", D="4T", kind="mean").draws)
        for each in (two_tasks.two_steps, two_tasks.directs)
    )
    assert found["apart"].iloc[3] == pytest.approx(100 * (two - one))
    low, high = two_tasks.forecasts(N="7B", D=["1T", "4T"])["hard"].interval(0.8)
    np.testing.assert_allclose(found["width"].iloc[2:], 100 * (high - low))


def test_other_links_are_fitted_on_request(doubtful):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        found = bs.verdicts(doubtful["good"], N="7B", D="4T", links=["accuracy_hill"]).table
    assert 0 <= found["links"][0] < 20
    assert "links" not in bs.verdicts(doubtful["good"], N="7B", D="4T").table


def test_only_a_ladder_has_verdicts(two_tasks):
    with pytest.raises(LawError, match=r"what bs.ladder\(...\) gives"):
        bs.verdicts(two_tasks["easy"], N="7B", D="4T")
