"""The figures of a ladder: their numbers are its forecasts, and they draw on the axes they are given."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError, RunsError

FAR = {"N": [2.6e9, 7e9], "D": [2.6e11, 4e12]}


@pytest.fixture(scope="module")
def targets():
    """Return two targets of each task; what one of them measured is not known."""
    rows = [(task, *at, 0.6, 0.8) for task in ("easy", "hard") for at in zip(FAR["N"], FAR["D"], strict=True)]
    table = pd.DataFrame(rows, columns=["task", "N", "D", "accuracy", "loss"])
    table.loc[3, ["accuracy", "loss"]] = np.nan
    return table


@pytest.fixture
def dropped():
    """Return what ladders of four sizes and of three might have said of two tasks."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [(task, 7e9, D) for task in ("easy", "hard") for D in (1e12, 4e12)], columns=["task", "N", "D"]
    )
    ladders = [dict(largest=1.3e9, runs=16, compute=1.0), dict(largest=6.85e8, runs=12, compute=0.276)]
    table = pd.concat([table.assign(**each) for each in ladders], ignore_index=True)
    numbers = dict(width=rng.uniform(4, 8, 8), error=rng.normal(size=8), crps=rng.uniform(0, 2, 8))
    return bs.Rungs(table.assign(truth=0.7, in80=True, in95=True, **numbers), "N", "task", {})


def part(data, **which):
    for name, value in which.items():
        data = data[data[name] == value]
    return data.reset_index(drop=True)


def test_targets_are_the_ladder_s_forecasts(task_ladder, targets):
    data = plots.ladder_data(task_ladder, targets, n=5)
    seed = task_ladder.seeds(0)["hard"]
    ways = {"loss": task_ladder.losses, "link": task_ladder.two_steps, "accuracy": task_ladder}
    for panel, way in ways.items():
        mine = part(data, part="target", panel=panel, task="hard")
        table = way["hard"].predict(**FAR, seed=seed).table()
        for name in ("median", "low50", "high95"):
            np.testing.assert_allclose(mine[name], table[name])
        truth = 0.8 if panel == "loss" else 0.6
        assert mine["truth"][0] == truth and np.isnan(mine["truth"][1])
    loss = task_ladder.losses["hard"].predict(**FAR, seed=seed)
    mine = part(data, part="target", panel="link", task="hard")
    np.testing.assert_allclose(mine["loss"], loss.median)
    np.testing.assert_allclose(mine["loss_low95"], loss.interval(0.95)[0])


def test_curves_run_through_sizes_and_the_link_as_far_as_the_targets(task_ladder, targets):
    data = plots.ladder_data(task_ladder, targets, tasks="easy", level=0.8, n=6)
    curves = part(data, part="curve", panel="accuracy")
    assert curves.groupby(["of", "N"]).size().tolist() == [6] * 6
    at = dict(N=curves["N"], D=curves["D"])
    expected = task_ladder["easy"].predict(**{k: x.to_numpy() for k, x in at.items()}, kind="mean")
    np.testing.assert_allclose(curves["median"], expected.median)
    assert curves.loc[curves["of"] == 1, "D"].max() == pytest.approx(4e12)
    link = part(data, part="curve", panel="link")
    low = part(data, part="target", panel="link")["loss_low80"]
    assert link["loss"].min() <= low.min()
    assert link["loss"].max() == pytest.approx(task_ladder.losses["easy"].runs.column("loss").max())
    assert (np.diff(link["median"]) < 0).all()


def test_a_task_of_its_own_targets(task_ladder, targets):
    data = plots.ladder_data(task_ladder, targets.iloc[:3], show="accuracy", n=3)
    counts = data[data["part"] == "target"].groupby("task").size()
    assert counts.to_dict() == {"easy": 2, "hard": 1}


def test_the_figure_draws_on_the_axes_given(task_ladder, targets):
    figure, given = plt.subplots(2, 3)
    axes = plots.ladder(task_ladder, targets, axes=given, n=4)
    assert list(axes) == list(given.ravel())
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()
    titles = [ax.get_title(loc="left") for ax in axes]
    assert titles[:3] == ["easy: task loss", "easy: accuracy over task loss", "easy: accuracy"]
    said = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert said[0] == "runs of 190M" and said[-1] == "measured at the target"
    assert "forecast 7B, 4T tokens: 50/80/95% intervals" in said
    with pytest.raises(LawError, match="2 panels need 2 axes, not 1"):
        plots.ladder(task_ladder, show="accuracy", axes=given[0, 0])


def test_runs_and_truths_stand_where_they_were_measured(task_ladder, targets, task_table):
    (ax,) = plots.ladder(task_ladder, targets, show="link", tasks=["hard"], n=4)
    dots = np.concatenate([c.get_offsets() for c in ax.collections if str(c.get_label()).startswith("runs of")])
    mine = task_table[task_table["task"] == "hard"]
    np.testing.assert_allclose(np.sort(dots, axis=0), np.sort(mine[["loss", "accuracy"]], axis=0))
    crosses = next(c for c in ax.collections if c.get_label() == "measured at the target").get_offsets()
    np.testing.assert_allclose(crosses[0], [0.8, 0.6])


@pytest.mark.parametrize("show", ["loss", "link", "accuracy"])
def test_without_targets(task_ladder, show):
    axes = plots.ladder(task_ladder, show=show, n=4)
    axes[0].figure.canvas.draw()
    assert len(axes) == 2
    assert (plots.ladder_data(task_ladder, show=show, n=4)["part"] == "curve").all()


def test_many_sizes_have_no_curve_each(task_ladder, monkeypatch):
    monkeypatch.setattr(import_module("bayesscale.plots.ladder"), "MANY_SIZES", 3)
    assert plots.ladder_data(task_ladder, show="accuracy").empty
    ax, _ = plots.ladder(task_ladder, show="accuracy")
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["runs"]
    data = plots.ladder_data(task_ladder, FAR, show="loss", n=3)
    assert set(data["of"].dropna()) == {0, 1}


def test_what_cannot_be_drawn(task_ladder):
    with pytest.raises(LawError, match="show is one or several of loss, link, accuracy, not los"):
        plots.ladder(task_ladder, show="los")
    with pytest.raises(LawError, match="no task harder in the ladder, which has easy, hard"):
        plots.ladder(task_ladder, tasks=["harder"])
    with pytest.raises(LawError, match=r"bs.ladder\(...\) gives"):
        plots.ladder(task_ladder["easy"])
    with pytest.raises(RunsError, match="needs D"):
        plots.ladder(task_ladder, {"N": [7e9]})


def test_rungs_numbers_are_those_of_the_table(dropped):
    data = plots.rungs_data(dropped)
    each, means = (data[data["part"] == name].reset_index(drop=True) for name in ("forecast", "mean"))
    np.testing.assert_allclose(each["width"], dropped.table["width"])
    np.testing.assert_allclose(each["error"], dropped.table["error"].abs())
    for name in ("width", "error", "crps", "compute"):
        np.testing.assert_allclose(means[name], dropped.summary[name])


def test_rungs_draws_width_and_error(dropped):
    _, given = plt.subplots(1, 2)
    width, error = plots.rungs(dropped, axes=given)
    assert width is given[0]
    width.figure.canvas.draw()
    ticks = [tick.get_text() for tick in width.get_xticklabels()]
    assert ticks[0] == "1.3B\n16 runs\n100%" and ticks[1] == "685M\n12 runs\n28%"
    lines = {line.get_label(): line for line in error.lines}
    np.testing.assert_allclose(lines["CRPS, mean"].get_ydata(), dropped.summary["crps"])
    with pytest.raises(LawError, match="2 panels need 2 axes, not 1"):
        plots.rungs(dropped, axes=given[0])


def test_rungs_without_the_truth_have_no_error(dropped):
    unknown = bs.Rungs(dropped.table.drop(columns=["truth", "error", "crps", "in80", "in95"]), "N", "task", {})
    (ax,) = plots.rungs(unknown)
    assert ax.get_ylabel() == "points of accuracy"
