"""The fan of a forecast, with the runs it stands on and the targets it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

from bayesscale.forecast import LEVELS
from bayesscale.plots.bands import bands, edge
from bayesscale.plots.path import own_covariate, path
from bayesscale.plots.style import BLUE, INK, ORANGE, explain, label, log_axis, log_ticks, new_axes, quiet
from bayesscale.runs import Runs
from bayesscale.table_columns import COVARIATES
from bayesscale.targets import read_targets
from bayesscale.units import format_number

__all__ = ["forecast", "forecast_data"]


def forecast_data(
    post,
    *,
    x=None,
    targets=None,
    kind="new-run",
    level=LEVELS,
    n=60,
    tokens_per_parameter=None,
    seed=0,
) -> pd.DataFrame:
    """Compute the numbers of `forecast`.

    Parameters
    ----------
    post, x, targets, kind, level, n, tokens_per_parameter, seed
        As for `forecast`.

    Returns
    -------
    DataFrame
        ``part`` ("fan" or "target"), the covariates, ``median``, and ``low95``, ``high95`` of each level: what
        ``post.predict(...).table()`` gives for the targets, and for each point of the fan.
    """
    x = x or own_covariate(post.law)
    given = _targets(post, x, targets, tokens_per_parameter)
    run_x = post.runs.column(x)
    ends = given[x] if given is not None else np.array([10.0 * run_x.max()])
    low, high = min(run_x.min(), ends.min()), max(run_x.max(), ends.max())
    fan, _ = path(post, x, np.geomspace(low, high, n), tokens_per_parameter=tokens_per_parameter)
    # One point at a time: all points of the fan then share their scatter, and its edges are as smooth as the law.
    asked = [("fan", fan.iloc[[i]]) for i in range(n)] + ([] if given is None else [("target", given)])
    tables = [post.predict(frame, kind=kind, seed=seed).table(level=level).assign(part=part) for part, frame in asked]
    table = pd.concat(tables, ignore_index=True)
    return table[["part", *table.columns.drop("part")]]


def _targets(post, x, targets, tokens_per_parameter):
    if targets is None:
        return None
    frame = read_targets(targets if isinstance(targets, Runs | pd.DataFrame | Mapping) else {x: targets}, takes=())
    # Only covariates: a table of an earlier forecast has its numbers in it too.
    frame = frame[[name for name in frame if name in (*COVARIATES, *post.law.columns)]]
    if x in frame and not set(post.law.columns) & set(frame.columns) - {x}:
        # Known by the axis alone: the point on the fan is meant.
        on_path, _ = path(post, x, frame[x], tokens_per_parameter=tokens_per_parameter)
        frame = frame.assign(**{name: on_path[name].to_numpy() for name in on_path})
    return read_targets(frame, takes=(*post.law.columns, x), shares=post.law.shares)


def forecast(
    post,
    *,
    x=None,
    targets=None,
    kind="new-run",
    level=LEVELS,
    ax=None,
    n=60,
    tokens_per_parameter=None,
    seed=0,
):
    """Draw the forecast as a fan of intervals against one covariate, with the runs on it.

    The fan follows one line through the covariates, which the x axis names: for a law of N and D that of constant
    tokens per parameter, so runs with more or fewer tokens per parameter (their colour) lie off it.

    Parameters
    ----------
    post : Posterior
    x : str, optional
        Covariate on the x axis; the law's own if it takes one only, else ``"C"``.
    targets : DataFrame, Runs, dict of columns; or numbers, optional
        What to mark, with the interval of the largest level. Numbers are values of `x`, on the fan; a table gives the
        law's covariates, which may lie off the fan. Without targets the fan goes a decade beyond the largest run.
    kind : {"new-run", "mean"}
        What one more run would measure, or the law's expected value.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    ax : Axes, optional
    n : int
        Points along the fan.
    tokens_per_parameter : number, optional
        Of the fan; the geometric mean over the runs unless given.
    seed : int
        Of the scatter of new runs.

    Returns
    -------
    Axes

    Raises
    ------
    LawError
        The law does not depend on `x`, or tokens per parameter are needed and neither given nor in the table.
    RunsError
        A target lacks a covariate.
    """
    x = x or own_covariate(post.law)
    ray = dict(tokens_per_parameter=tokens_per_parameter)
    table = forecast_data(post, x=x, targets=targets, kind=kind, level=level, n=n, seed=seed, **ray)
    fan, marked = (table[table["part"] == part] for part in ("fan", "target"))
    _, held = path(post, x, fan[x], **ray)
    ax = new_axes()[0] if ax is None else ax
    quiet(ax)
    levels = sorted(np.atleast_1d(level), reverse=True)
    bands(ax, fan[x], fan, levels)
    ax.plot(fan[x], fan["median"], color=BLUE, linewidth=1.4, label="median")
    _draw_runs(ax, x, post)
    edge(ax, post.runs.column(x).max())
    if len(marked):
        _draw_targets(ax, x, marked, levels[0])
    ax.margins(x=0.07, y=0.12 if len(marked) > 1 else 0.05)  # room for the numbers beside the targets
    log_axis(ax, x)
    ax.set_xlabel(label(x, post.runs) + (f"\nfan: {held}" if held else ""))
    ax.set_ylabel(label(post.law.gives, post.runs))
    what = "one new run" if kind == "new-run" else f"expected {post.law.gives}"
    explain(ax, title=f"{post.law.name}: {what}")
    return ax


def _draw_runs(ax, x, post):
    style = dict(s=16, linewidths=0.4, edgecolors="white", zorder=3, label="runs")
    run_x, measured = post.runs.column(x), post.runs.column(post.law.gives)
    if {"N", "D"} <= set(post.runs.columns):
        ratio = post.runs.column("D") / post.runs.column("N")
        if ratio.max() > 1.5 * ratio.min():
            points = ax.scatter(run_x, measured, c=ratio, cmap="viridis", norm=LogNorm(), **style)
            bar = ax.figure.colorbar(points, ax=ax, aspect=40, pad=0.02)
            log_ticks(bar.ax.yaxis, ratio.min(), ratio.max())
            bar.set_label("tokens per parameter of the run", fontsize=9)
            bar.ax.tick_params(labelsize=8)
            bar.outline.set_visible(False)
            return
    ax.scatter(run_x, measured, color=INK, **style)


def _draw_targets(ax, x, marked, mass):
    name = f"{100 * mass:g}"
    marked = marked.sort_values(x)
    low, high = marked[f"low{name}"], marked[f"high{name}"]
    reach = np.abs([marked["median"] - low, high - marked["median"]])
    said = f"target{'s' * (len(marked) > 1)}, {name}% interval"
    line = dict(color=ORANGE, capsize=3, linewidth=1.4, zorder=4, label=said)
    ax.errorbar(marked[x], marked["median"], yerr=reach, fmt="D", markersize=5, markeredgecolor="white", **line)
    # From the last one backwards, above and below in turn, so that neighbours do not write over each other.
    for i, (at, *numbers) in enumerate(
        zip(marked[x][::-1], marked["median"][::-1], low[::-1], high[::-1], strict=True)
    ):
        middle, bottom, top = (_number(number) for number in numbers)
        side, anchor, va = (1, numbers[2], "bottom") if i % 2 == 0 else (-1, numbers[1], "top")
        words = dict(ha="center", va=va, fontsize=8, color=ORANGE, textcoords="offset points")
        ax.annotate(f"{middle}\n{bottom}–{top}", (at, anchor), xytext=(0, 6 * side), **words)


def _number(value):
    return f"{value:.3f}" if 0.1 <= value < 100 else format_number(value)
