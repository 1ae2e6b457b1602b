"""The point fits of the ladder paper (Bhagia et al. 2024), which forecasts of accuracy are compared with.

`tests/benchmarks/ladder` prints the comparison.
"""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "ladder"
# Their table 5: A, alpha, B, beta, E of step 1; a, k, L0, b of step 2.
LOSS = {
    "mmlu_avg": (38.07, 0.23, 100.09, 0.24, 0.45),
    "hellaswag": (11.23, 0.20, 60.37, 0.26, 0.50),
    "arc_challenge": (702974.93, 0.79, 38.45, 0.20, 0.65),
    "arc_easy": (79412.07, 0.66, 3957.51, 0.42, 0.56),
    "piqa": (405.66, 0.40, 10.16, 0.15, 0.72),
    "csqa": (56.86, 0.23, 10.91, 0.11, 0.00),
    "socialiqa": (1200.94, 0.45, 7897.19, 0.48, 0.95),
    "openbookqa": (86346.32, 0.69, 137.35, 0.26, 1.20),
}
LINK = {
    "mmlu_avg": (-0.74, 4.83, 0.62, 1.00),
    "hellaswag": (-0.73, 12.74, 0.77, 0.99),
    "arc_challenge": (-0.78, 5.91, 0.71, 1.00),
    "arc_easy": (-0.65, 4.13, 0.74, 1.00),
    "piqa": (-0.46, 5.03, 0.96, 1.00),
    "csqa": (-0.86, 2.21, 1.13, 1.00),
    "socialiqa": (-0.60, 7.16, 0.89, 1.00),
    "openbookqa": (-0.79, 4.31, 1.08, 1.00),
}


def module(name):
    spec = importlib.util.spec_from_file_location(f"ladder_{name}", FOLDER / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def paper():
    return module("paper")


@pytest.fixture(scope="module")
def olmo(real_data):
    found = module("olmo")
    found.DATA = real_data("ladder/olmo_ladder_final.csv").parents[1]
    return found


@pytest.fixture(scope="module")
def asked(olmo):
    return olmo.question()


@pytest.fixture(scope="module")
def said(paper, asked):
    """The two-step forecast of the two targets, beside what was measured."""
    return beside(asked, paper.two_steps(asked))


def beside(question, forecast):
    """What is said of each target and task, and the true loss and accuracy."""
    true = question.targets
    names = dict(target=true["size"] + "-" + true["xC"], true_loss=true["loss"], true_accuracy=true["accuracy"])
    return forecast.assign(task=true["task"], **names).set_index(["target", "task"])


def percent_off(said, of):
    return 100 * (said[of] / said[f"true_{of}"] - 1).abs()


def published(real_data, **which):
    """Rows of the published table."""
    table = pd.read_csv(real_data("ladder/published_task_predictions.csv"))
    for column, value in which.items():
        table = table[table[column] == value]
    return table.set_index(["target", "task"])


def test_the_sixteen_published_predictions(said, real_data):
    theirs = published(real_data, source="Bhagia2024 Fig2")
    assert len(theirs) == 16
    np.testing.assert_allclose(100 * said.loc[theirs.index, "accuracy"], theirs["predicted"], atol=0.1)


def test_the_published_answers(said, real_data):
    theirs = published(real_data, source="Bhagia2024 Fig2")
    np.testing.assert_allclose(100 * said.loc[theirs.index, "true_accuracy"], theirs["actual"], atol=0.051)


def test_the_published_errors_of_the_loss(said, real_data):
    theirs = published(real_data, source="Bhagia2024 Table3", method="step1 task loss: (N,D)")
    np.testing.assert_allclose(percent_off(said, "loss")[theirs.index], theirs["rel_error_pct"], atol=0.1)


def test_tasks_that_the_paper_leaves_out(olmo, paper, real_data):
    """Table 4: Winogrande and BoolQ, both steps and the first."""
    question = olmo.question(tasks=("winogrande", "boolq"))
    said = beside(question, paper.two_steps(question))
    for of, method in (("accuracy", "two-step: (N,D)->task bpb->acc"), ("loss", "step1 task loss: (N,D)")):
        theirs = published(real_data, source="Bhagia2024 Table4", method=method)
        assert len(theirs) == 2
        np.testing.assert_allclose(percent_off(said, of)[theirs.index], theirs["rel_error_pct"], atol=0.1)


@pytest.mark.parametrize(
    ("fit", "of", "method"),
    [
        (lambda paper, asked: paper.two_steps(asked, on="C"), "loss", "step1 task loss: FLOPs"),
        (lambda paper, asked: paper.single_step(asked), "accuracy", "single step"),
    ],
)
def test_the_other_fits_of_table_3(olmo, paper, real_data, fit, of, method):
    question = olmo.question(tasks=("mmlu_avg",))
    ours = percent_off(beside(question, fit(paper, question)), of)
    theirs = published(real_data, source="Bhagia2024 Table3", method=method)
    np.testing.assert_allclose(ours, theirs.loc[ours.index, "rel_error_pct"], atol=0.1)


@pytest.mark.parametrize("task", LOSS)
def test_table_5_loss(paper, asked, task):
    a, b, alpha, beta, E = paper.fit_loss(asked.finals[asked.finals["task"] == task])
    np.testing.assert_allclose([alpha, beta, E], np.array(LOSS[task])[[1, 3, 4]], atol=0.0051)
    np.testing.assert_allclose(np.exp([a, b]), np.array(LOSS[task])[[0, 2]], rtol=0.01)


@pytest.mark.parametrize("task", LINK)
def test_table_5_link(paper, asked, task):
    a, L0, k, b = paper.fit_link(asked.checkpoints[asked.checkpoints["task"] == task])[0]
    np.testing.assert_allclose([a, k, L0, b], LINK[task], atol=0.0051)


def test_the_band_is_theirs_and_theirs_has_a_wrong_sign(olmo, paper, said, real_data):
    again = pd.read_csv(real_data("ladder/baseline_two_step_reproduced.csv")).query("fit_on == '<=1.3B'")
    again = again.set_index(["target", "task"])["delta_halfwidth95_pts"]
    np.testing.assert_allclose(196 * said.loc[again.index, "error"], again, rtol=0.01)
    question = olmo.question(tasks=("mmlu_avg", "arc_easy"))
    right = 196 * beside(question, paper.two_steps(question, their_signs=False))["error"]
    assert (right < 0.5 * again[right.index]).all()


def test_gradients(paper):
    """Each law's gradient is the slope of its values."""
    x, L = np.array([[2e8, 1e9], [4e9, 2e11]]), np.array([0.7, 1.4])
    laws = {
        paper.loss_law: ([3.0, 6.0, 0.2, 0.3, 0.5], x),
        paper.flop_law: ([6.0, 0.15, 0.5], 6 * x.prod(axis=0)),
        paper.single_law: ([3.0, 6.0, 0.2, 0.3, -0.5, -0.75, 1.0], x),
        lambda p, L: (paper.link(L, *p), paper.link_gradient(L, *p)): ([-0.75, 0.9, 4.0, 0.98], L),
    }
    for law, (p, at) in laws.items():
        steps = 1e-6 * np.eye(len(p))
        slope = [(law(p + step, at)[0] - law(p - step, at)[0]) / 2e-6 for step in steps]
        np.testing.assert_allclose(law(np.array(p), at)[1], slope, rtol=1e-5, atol=1e-8)


def test_the_runs(olmo, asked):
    assert asked.finals.groupby("task").size().eq(16).all()
    assert asked.checkpoints.groupby("task").size().eq(1401).all()  # as many as in the paper
    for largest, runs in (("370M", 8), ("760M", 12)):
        assert olmo.ladder(asked.finals, largest)["run"].nunique() == runs
    everything = olmo.finals()
    assert olmo.ladder(everything, reruns=True)["run"].nunique() == 20
    assert olmo.ladder(everything, reruns=True, half=True)["run"].nunique() == 24


def test_thinned_checkpoints(asked):
    """At most eight of a run, the last of which are its last measurements, and no checkpoint in two of them."""
    every, few = (frame[frame["task"] == "mmlu_avg"] for frame in (asked.checkpoints, asked.thinned))
    assert few.groupby("run").size().between(5, 8).all()
    ends = few.groupby("run").tail(1).set_index("run")[["loss", "accuracy", "D"]]
    finals = asked.finals.query("task == 'mmlu_avg'").set_index("run")[ends.columns]
    np.testing.assert_allclose(ends, finals.loc[ends.index], rtol=1e-5)
    for run, rows in few.groupby("run"):
        place = np.searchsorted(every.loc[every["run"] == run, "D"], rows["D"])
        assert place[0] >= 4
        assert (np.diff(place) >= 5).all()


def test_a_question_keeps_its_answer_apart(olmo):
    for name in olmo.QUESTIONS:
        one = olmo.question(name, ("piqa", "boolq"), reruns=True, half=True)
        asked = set(one.targets["size"])
        assert not asked & (set(one.finals["size"]) | set(one.checkpoints["size"]) | set(one.thinned["size"]))
        assert set(one.targets["task"]) == {"piqa", "boolq"}


def test_scores_by_hand():
    """A forecast that is N(50, 2) of what is 52 and of what is 60, and a point."""
    scores = module("scores")
    targets = pd.DataFrame(dict(size="7B", xC=["4T", "5T"], task="piqa", accuracy=[0.52, 0.60], loss=[0.5, 1.0]))
    question = SimpleNamespace(targets=targets)
    draws = scores.as_draws([0.5, 0.5], [0.02, 0.02])
    rows = scores.rows_of(question, scores.Forecast(draws, np.array([[0.55, 0.9]])))
    said = scores.summary(rows)
    assert said["MAE"] == pytest.approx(6.0, abs=1e-6)
    assert [said[f"in{level}"] for level in (80, 90, 95)] == ["1/2"] * 3
    assert said["width90"] == pytest.approx(2 * 1.6449 * 2, rel=5e-3)
    # Of N(m, s) it is s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), z = (y - m) / s: Gneiting and Raftery 2007.
    np.testing.assert_allclose(rows["crps"], [2 * 0.602441, 2 * 4.435817], rtol=5e-3)
    np.testing.assert_allclose(rows["loss_error"], [10.0, -10.0])
    assert said["loss_in90"] == "-"

    point = scores.summary(scores.rows_of(question, scores.Forecast(scores.as_draws([0.5, 0.5], [np.nan, np.nan]))))
    assert (point["in90"], point["crps"]) == ("-", pytest.approx(6.0))
