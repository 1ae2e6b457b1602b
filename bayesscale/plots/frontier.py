"""The compute-optimal frontier with its bands, for one posterior or several, beside what others have published."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd

from bayesscale.decide.frontier import frontier as solve
from bayesscale.errors import LawError, RunsError
from bayesscale.forecast import LEVELS
from bayesscale.plots.bands import SERIES, bands, edge, log_y
from bayesscale.plots.style import GRAY, INK, explain, label, log_axis, new_axes, quiet
from bayesscale.table_columns import derive
from bayesscale.units import format_number, parse_numbers

__all__ = ["frontier", "frontier_data"]

AXIS = {
    "N": "compute-optimal parameters N",
    "D": "compute-optimal training tokens D",
    "tokens_per_parameter": "compute-optimal tokens per parameter",
}
SYMBOL = {"tokens_per_parameter": "D/N", "loss": "L"}
BEYOND = 10.0  # as the fan of a forecast: a decade beyond the largest run
# Room above the data for the legend, as a share of the axis; a loss falls away from its corner by itself.
HEADROOM = {"N": 0.15, "D": 0.25, "tokens_per_parameter": 0.4}
MARKERS, DASHES = "osD^v", ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def frontier_data(post, *, C=None, what="N", level=LEVELS, n=31, **limits) -> pd.DataFrame:
    """Compute the numbers of `frontier`.

    Parameters
    ----------
    post, C, what, level, n, **limits
        As for `frontier`.

    Returns
    -------
    DataFrame
        One row per posterior and budget: ``posterior``, then what `bayesscale.Frontier.table` gives (``C``, ``median``,
        the intervals, the local ``exponent`` d log x / d log C with its interval, ``near_low`` and ``near_high``), and
        whether the budget lies ``beyond`` the posterior's largest run.
    """
    posts = _named(post)
    budgets = _range(posts.values(), C, n)
    tables = []
    for name, one in posts.items():
        table = solve(one, C=budgets, **limits).table(_column(one, what), level=level)
        table.insert(0, "posterior", name)
        tables.append(table.assign(beyond=table["C"] > _largest(one)))
    return pd.concat(tables, ignore_index=True)


def frontier(
    post,
    *,
    C=None,
    what="N",
    published=None,
    near_optimal=False,
    level=LEVELS,
    ax=None,
    n=31,
    **limits,
):
    """Draw the compute-optimal N, D, tokens per parameter or loss against compute, with intervals.

    The legend says the local exponent d log x / d log C at the largest run, or at the budget nearest to it. Dots are
    the runs: where they lie far from the band, the optimum is the law's word more than the data's.

    Parameters
    ----------
    post : Posterior, or dict of str to Posterior
        Several are drawn in colours of their own, with the interval of the largest level only.
    C : sequence of number or str, optional
        Budgets. Two of them are the ends, with `n` budgets from one to the other; by default from the smallest run to a
        decade beyond the largest.
    what : {"N", "D", "tokens_per_parameter", "loss"}
    published : dict, optional
        What to compare with, by the name in the legend: a table of points, with columns ``C`` and `what` (or what it
        follows from) and optionally ``low`` and ``high``; or a function of C, drawn as a line:
        ``{"Hoffmann et al.": lambda C: 0.09 * C**0.5}``.
    near_optimal : bool
        Outline the N (D, tokens per parameter) that cost less than the tolerance (.1 % of the loss) more than the best.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    ax : Axes, optional
    n : int
        Budgets along the frontier.
    **limits
        ``inference_tokens``, ``D_max``, ``N_max``, ``tolerance``, as for `bayesscale.allocate`.

    Returns
    -------
    Axes

    Raises
    ------
    LawError
        A law is not one of N and D, there is no such `what`, or a near-optimal range of the loss is asked for.
    RunsError
        Budgets that are none, or published points without C or `what`.
    """
    posts = _named(post)
    if near_optimal and what not in AXIS:
        raise LawError(f"the near-optimal range is one of {', '.join(AXIS)}, not of the {what}: leave near_optimal out")
    table = frontier_data(posts, C=C, what=what, level=level, n=n, **limits)
    ax = new_axes()[0] if ax is None else ax
    quiet(ax)
    alone = len(posts) == 1
    masses = level if alone else np.max(level)
    shown = dict(alpha=None if alone else 0.2, labels=alone)
    exponents = []
    for (name, one), color in zip(posts.items(), cycle(SERIES)):
        part = table[table["posterior"] == name]
        exponents.append(_exponent(part, _largest(one), what, np.max(level)))
        bands(ax, part["C"], part, masses, color, **shown)
        _draw_line(ax, part, color, "median" if alone else f"{name}: {exponents[-1]}")
        if near_optimal:
            _draw_near_optimal(ax, part, color, limits.get("tolerance", 0.001), labelled=len(exponents) == 1)
        _draw_runs(ax, one, what, INK if alone else color, table["C"].max(), labelled=alone)
        if _largest(one) <= table["C"].max():
            edge(ax, _largest(one), named=alone, **({} if alone else dict(color=color)))
    for name, style in zip(published or {}, cycle(zip(MARKERS, DASHES * 2, strict=False))):
        _draw_published(ax, name, published[name], what, table["C"], *style)
    low, high = table["C"].agg(["min", "max"])
    ax.set_xlim(low / (high / low) ** 0.03, high * (high / low) ** 0.03)
    log_axis(ax, "C")
    _make_room(ax, HEADROOM.get(what, 0.0))
    log_y(ax)
    first = next(iter(posts.values()))
    ax.set_xlabel(label("C", first.runs))
    ax.set_ylabel(AXIS.get(what) or f"compute-optimal {label(first.law.gives, first.runs)}")
    interval = f"{100 * np.max(level):g}% interval"
    title = f"{first.law.name}: {exponents[0]}" if alone else f"{interval}s; dots: runs; dashed: the largest run"
    explain(ax, title=title, loc="upper left" if what in AXIS else "upper right", ncols=2 if alone else 1)
    return ax


def _named(post) -> dict:
    if not isinstance(post, Mapping):
        return {post.law.name: post}
    if not post:
        raise LawError("no posterior: give one, or a dict of them by name")
    return dict(post)


def _column(post, what):
    columns = (*AXIS, "loss")
    if what not in columns:
        raise LawError(f"a frontier is drawn of {', '.join(columns)}, not of {what!r}")
    return post.law.gives if what == "loss" else what


def _largest(post):
    return post.runs.column("C").max() if "C" in post.runs.columns else np.inf


def _range(posts, C, n):
    """Return the budgets: as given, between the two given, or where the runs are and a decade beyond."""
    if C is None:
        if not all("C" in post.runs.columns for post in posts):
            raise RunsError('the runs have no C: say the budgets, such as C=("1e20", "1e24")')
        runs = [post.runs.column("C") for post in posts]
        C = min(c.min() for c in runs), BEYOND * max(c.max() for c in runs)
    budgets = np.atleast_1d(parse_numbers(C, name="C"))
    if budgets.size < 2 or not (budgets > 0).all():
        raise RunsError(
            f"C = {C}: a frontier needs two positive budgets or more, such as C=('1e20', '1e24'); for one, see "
            "bayesscale.allocate"
        )
    return np.geomspace(*np.sort(budgets), n) if budgets.size == 2 else budgets


def _exponent(part, at, what, level):
    """Say the local exponent at the budget nearest to the largest run."""
    row = part.iloc[np.abs(np.log(part["C"] / min(at, part["C"].max()))).argmin()]
    low, high = (row[f"exponent_{side}{100 * level:g}"] for side in ("low", "high"))
    # As many digits as the interval warrants: an exponent of the loss is small.
    digits = int(np.clip(1 - np.floor(np.log10(max(high - low, 1e-4))), 2, 4))
    middle, low, high = (f"{x:.{digits}f}".replace("-", "\N{MINUS SIGN}") for x in (row["exponent"], low, high))
    varies = np.ptp(part["exponent"]) > 0.02 * abs(row["exponent"])
    where = f" at {format_number(row['C'])} FLOP" if varies else ""
    return rf"${SYMBOL.get(what, what)} \propto C^{{\,{middle}}}$ ({low} to {high}){where}"


def _draw_line(ax, part, color, said):
    ax.plot(part["C"], part["median"], color=color, linewidth=1.4, label=said)


def _draw_near_optimal(ax, part, color, tolerance, *, labelled):
    outline = dict(color=color, linewidth=1.0, linestyle=(0, (4, 2)))
    said = dict(label=f"within {100 * tolerance:g}% of the least loss") if labelled else {}
    ax.plot(part["C"], part["near_low"], **outline, **said)
    ax.plot(part["C"], part["near_high"], **outline)


def _draw_runs(ax, post, what, color, last, *, labelled):
    runs, column = post.runs.table, _column(post, what)
    if {"N", "D"} <= set(runs):
        runs = runs.assign(tokens_per_parameter=runs["D"] / runs["N"])
    if {"C", column} <= set(runs):
        runs = runs[runs["C"] <= last]
        said = dict(label="runs") if labelled else {}
        ax.scatter(runs["C"], runs[column], s=7, color=color, alpha=0.4, linewidths=0, zorder=1.5, **said)


def _make_room(ax, share):
    """Raise the top of a logarithmic y axis by a share of its height: for the legend, above the data."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** share)


def _draw_published(ax, name, said, what, C, marker, dashes):
    if callable(said):
        C = np.geomspace(C.min(), C.max(), 50)
        ax.plot(C, said(C), color=INK, linewidth=1.1, linestyle=dashes, label=name)
        return
    points = pd.DataFrame({k: np.atleast_1d(v) if isinstance(v, str | float | int) else v for k, v in said.items()})
    points = points[[k for k in ("C", "N", "D", what, "low", "high") if k in points]].dropna()
    points = points.loc[:, ~points.columns.duplicated()]
    points, _ = derive(points.apply(lambda column: parse_numbers(column, name=f"{name}: {column.name}")))
    if {"N", "D"} <= set(points):
        points = points.assign(tokens_per_parameter=points["D"] / points["N"])
    if missing := [k for k in ("C", what) if k not in points]:
        raise RunsError(f"published {name!r} lacks {', '.join(missing)}: give columns C and {what}, or a function of C")
    style = dict(marker=marker, markersize=5, markerfacecolor="white", markeredgecolor=INK, label=name, zorder=4)
    reach = None
    if {"low", "high"} <= set(points):
        reach = np.abs([points[what] - points["low"], points["high"] - points[what]])
    ax.errorbar(points["C"], points[what], yerr=reach, linestyle="none", ecolor=GRAY, elinewidth=1, capsize=2, **style)
