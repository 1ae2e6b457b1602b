"""The steps of a ladder, task by task: the loss over compute, the accuracy over the loss, the accuracy over compute."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps, ticker

from bayesscale.errors import LawError
from bayesscale.intervals import LEVELS, intervals, masses
from bayesscale.ladders import Ladder
from bayesscale.plots.bands import SERIES, bands, edge
from bayesscale.plots.style import BLUE, INK, explain, label, log_axis, panels, quiet
from bayesscale.targets import read_targets
from bayesscale.units import format_number

__all__ = ["ladder", "ladder_data"]

PANELS = {"loss": "task loss", "link": "accuracy over task loss", "accuracy": "accuracy"}
MANY_SIZES = 8  # beyond so many, a curve for each would be a thicket
OF_TARGETS = (SERIES[1], SERIES[3], SERIES[5])  # apart from the colours of sizes
WIDTHS = (1.2, 5.0)  # of the lines of a target's intervals: of the widest one, and of the narrowest


def ladder_data(made, targets=None, *, show=tuple(PANELS), tasks=None, level=LEVELS, n=24, seed=0) -> pd.DataFrame:
    """Compute the numbers of `ladder`.

    Parameters
    ----------
    made, targets, show, tasks, level, n, seed
        As for `ladder`.

    Returns
    -------
    DataFrame
        One row per point of a curve and per target: ``task``; ``panel`` ("loss", "link" or "accuracy"); ``part``:
        "curve", the expected value for a size N, or over the task loss, or "target", a new run there; N, D and C;
        ``median`` and the intervals, ``low95``, ``high95`` and so on; ``truth``, where it is known. In panel "link"
        also ``loss``, of a target the median, with its intervals ``loss_low95``, ... and ``loss_truth``.
    """
    tasks, over, tables = _tasks(made, tasks), made.over or "task", []
    seeds = made.seeds(seed)
    targets = _read(made, targets)
    for task in tasks:
        asked = targets[targets[over].astype(str) == task] if over in targets else targets
        truth = {k: asked[k].to_numpy(float) if k in asked else np.nan for k in ("loss", "accuracy")}
        at = asked[[c for c in ("N", "D", "C") if c in asked]].reset_index(drop=True)
        along = _along(made[task].runs, at, n)
        ways = {"loss": made.losses[task], "link": made.two_steps[task], "accuracy": made[task]}
        for panel in _chosen(show):
            if panel != "link":
                tables.append(_told(ways[panel], along, level, kind="mean", task=task, panel=panel, part="curve"))
            said = dict(task=task, panel=panel, part="target", truth=truth["loss" if panel == "loss" else "accuracy"])
            told = _told(ways[panel], at, level, kind="new-run", seed=seeds[task], **said)
            if panel == "link":
                losses = made.losses[task].predict(at, seed=seeds[task]).draws if len(at) else np.empty((1, 0))
                ends = {f"loss_{k}": x for k, x in intervals(losses, level).items()}
                told = told.assign(loss=ends.pop("loss_median"), **ends, loss_truth=truth["loss"])
                grid = _losses(made.links[task].runs.column("loss"), losses, truth["loss"], n)
                tables.append(_told(made.links[task], grid, level, kind="mean", task=task, panel=panel, part="curve"))
            tables.append(told)
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def ladder(made, targets=None, *, show=tuple(PANELS), tasks=None, level=LEVELS, axes=None, n=24, seed=0):
    """Draw the steps of a ladder: the task loss over compute, the accuracy over that loss, the accuracy over compute.

    Points are runs, their colour the size; lines the expected value of runs of that size and of the targets', with the
    interval of the largest level around the latter. A target has its intervals, the narrower ones thicker; a cross is
    what was measured there, where it is known. In the panel of the second step the target stands where two steps
    forecast it, in that of the accuracy where their average with the direct law does.

    Parameters
    ----------
    made : Ladder
        What `bayesscale.ladder` gives.
    targets : DataFrame or dict of columns, optional
        N and D, one row per target; where the truth is known ``accuracy`` and ``loss``, to be drawn. With a column that
        names the task each row is of that task, else all rows are of every task.
    show : {"loss", "link", "accuracy"} or several
        The panels of each task.
    tasks : sequence of str, optional
        Some of the tasks only.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    axes : sequence of Axes, optional
        One per panel: task by task.
    n : int
        Points along a curve.
    seed : int
        Of the scatter of new runs.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        There is no such task or panel, or there are more or fewer axes than panels.
    RunsError
        A target lacks N or D.
    """
    show, tasks, levels = _chosen(show), _tasks(made, tasks), sorted(masses(level), reverse=True)
    data = ladder_data(made, targets, show=show, tasks=tasks, level=level, n=n, seed=seed)
    wanted = [(task, panel) for task in tasks for panel in show]
    shape = (
        dict(columns=len(show), width=3.9) if len(show) > 1 else dict(columns=min(4, -(-len(tasks) // 2)), width=3.1)
    )
    own = axes is None
    axes = panels(axes, len(wanted), height=2.9, **shape)
    for place, (ax, (task, panel)) in enumerate(zip(axes, wanted, strict=True)):
        quiet(ax)
        mine = data[(data["task"] == task) & (data["panel"] == panel)]
        curves, marked = (mine[mine["part"] == part] for part in ("curve", "target"))
        runs = made[task].runs
        (_draw_link if panel == "link" else _draw_along)(ax, panel, runs, curves, marked, levels)
        title = f"{task}: {PANELS[panel]}" if len(show) > 1 else task
        ax.set_title(title, loc="left", fontsize=10, color=INK)
        first = place % shape["columns"] == 0 or len(show) > 1
        ax.set_ylabel(("task loss" if panel == "loss" else "accuracy") if first else "")
        ax.set_xlabel("task loss" if panel == "link" else label("C", runs))
        if panel != "loss":
            ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
    _explain(axes, own)
    return axes


def _chosen(show) -> list[str]:
    show = [show] if isinstance(show, str) else list(show)
    if not show or (unknown := [panel for panel in show if panel not in PANELS]):
        raise LawError(f"show is one or several of {', '.join(PANELS)}, not {', '.join(map(str, unknown or show))}")
    return show


def _tasks(made, tasks) -> list[str]:
    if not isinstance(made, Ladder):
        raise LawError("the figure of a ladder is of what bs.ladder(...) gives")
    tasks = list(made) if tasks is None else [tasks] if isinstance(tasks, str) else list(tasks)
    if unknown := [str(task) for task in tasks if task not in made]:
        raise LawError(f"no task {', '.join(unknown)} in the ladder, which has {', '.join(map(str, made))}")
    return tasks


def _read(made, targets) -> pd.DataFrame:
    if targets is None:
        return pd.DataFrame({"N": [], "D": []}, dtype=float)
    one = next(iter(made.values()))
    return read_targets(targets, takes=[c for c in one.law.columns if c not in one.fixed])


def _along(runs, at, n) -> pd.DataFrame:
    """Return what curves run along: for each size, of runs and of targets, its tokens; ``of`` a target is its place."""
    N, D = runs.column("N"), runs.column("D")
    ends = [(size, D[size == N].min(), D[size == N].max(), -1) for size in _few(N)]
    least = (D / N).min()
    ends += [(row.N, min(least * row.N, row.D / 10), row.D, i) for i, row in enumerate(at.itertuples())]
    parts = [pd.DataFrame({"N": size, "D": np.geomspace(low, high, n), "of": of}) for size, low, high, of in ends]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _losses(runs, targets, truth, n) -> pd.DataFrame:
    """Return task losses from the runs' worst to the best that a target may have."""
    low = np.quantile(targets, 0.025, axis=0) if targets.size else []
    known = np.atleast_1d(truth)
    ends = np.concatenate([[runs.min(), runs.max()], low, known[~np.isnan(known)]])
    return pd.DataFrame({"loss": np.geomspace(ends.min(), ends.max(), 2 * n)})


def _told(post, frame, level, *, kind, seed=0, **about) -> pd.DataFrame:
    if frame.empty:
        return pd.DataFrame(columns=[*about, "N", "D", "C", "of"])
    asked = frame.drop(columns="of", errors="ignore")
    made = post.predict(asked, kind=kind, seed=seed)
    found = made.targets[[c for c in ("N", "D", "C", "loss") if c in made.targets]]
    of = {"of": frame["of"].to_numpy()} if "of" in frame else {}
    return found.assign(**about, **of, **intervals(made.draws, level))[[*about, *found.columns, *of, *_ends(level)]]


def _ends(level) -> list[str]:
    return list(intervals(np.zeros((1, 1)), level))


def _draw_along(ax, panel, runs, curves, marked, levels):
    """Draw what is measured over compute."""
    widest = f"{100 * levels[0]:g}"
    for (of, N), curve in curves.groupby(["of", "N"], sort=False):
        color = OF_TARGETS[int(of) % len(OF_TARGETS)] if of >= 0 else _shade(N, runs)
        ax.plot(curve["C"], curve["median"], color=color, linewidth=1.1, zorder=2)
        if of >= 0:
            low, high = curve[f"low{widest}"], curve[f"high{widest}"]
            ax.fill_between(curve["C"], low, high, color=color, alpha=0.15, linewidth=0)
    _draw_runs(ax, runs, runs.column("C"), runs.column(panel))
    edge(ax, runs.column("C").max(), named=False)
    _draw_targets(ax, marked["C"], marked, levels)
    ax.margins(x=0.06)
    log_axis(ax, "C")


def _draw_link(ax, panel, runs, curves, marked, levels):
    """Draw the accuracy over the task loss."""
    bands(ax, curves["loss"], curves, levels, labels=False)
    ax.plot(curves["loss"], curves["median"], color=BLUE, linewidth=1.2, zorder=2)
    _draw_runs(ax, runs, runs.column("loss"), runs.column("accuracy"))
    if len(marked):
        widest = f"{100 * levels[0]:g}"
        for i, row in enumerate(marked.to_dict("records")):
            ends = [row[f"loss_low{widest}"], row[f"loss_high{widest}"]]
            ax.plot(ends, [row["median"]] * 2, color=OF_TARGETS[i % len(OF_TARGETS)], linewidth=WIDTHS[0], zorder=4)
        _draw_targets(ax, marked["loss"], marked, levels, truth_at=marked["loss_truth"])


def _draw_runs(ax, runs, x, y):
    look = dict(s=18, linewidths=0.4, edgecolors="white", zorder=3)
    sizes = runs.column("N")
    for size in _few(sizes):
        mine = sizes == size
        ax.scatter(x[mine], y[mine], color=_shade(size, runs), label=f"runs of {format_number(size)}", **look)
    if not len(_few(sizes)):
        ax.scatter(x, y, color=BLUE, label="runs", **look)


def _few(sizes):
    """Return the sizes, each once, if they are few enough for a curve and a colour each."""
    sizes = np.unique(sizes)
    return sizes if len(sizes) <= MANY_SIZES else sizes[:0]


def _shade(N, runs):
    sizes = np.unique(runs.column("N"))
    return colormaps["viridis"](0.8 * np.searchsorted(sizes, N) / max(len(sizes) - 1, 1))


def _draw_targets(ax, x, marked, levels, *, truth_at=None):
    widths = dict(zip(levels, np.linspace(WIDTHS[0], WIDTHS[-1], len(levels)), strict=True))
    said = f"{'/'.join(f'{100 * mass:g}' for mass in levels[::-1])}% intervals"
    for i, (at, row) in enumerate(zip(x, marked.to_dict("records"), strict=True)):
        color = OF_TARGETS[i % len(OF_TARGETS)]
        for mass, width in widths.items():
            ends = [row[f"{side}{100 * mass:g}"] for side in ("low", "high")]
            name = f"forecast {format_number(row['N'])}, {format_number(row['D'])} tokens: {said}"
            line = dict(color=color, linewidth=width, solid_capstyle="butt", zorder=4)
            ax.plot([at, at], ends, **line, label=name if mass == levels[-1] else None)
        ax.plot([at], [row["median"]], "o", markersize=3.2, color="white", markeredgewidth=0, zorder=5)
    if len(marked) and marked["truth"].notna().any():
        places = x if truth_at is None else truth_at
        cross = dict(marker="x", s=42, linewidths=1.8, color=INK, zorder=6)
        ax.scatter(places, marked["truth"], **cross, label="measured at the target")


def _explain(axes, own):
    """Say what is what, once: below a figure of our own, else in the first panel."""
    handles, labels = axes[0].get_legend_handles_labels()
    if not own:
        explain(axes[0])
        return
    look = dict(fontsize=9, frameon=False, labelcolor=INK)
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), **look)
