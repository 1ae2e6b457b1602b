"""What the batch size does: to the loss of a model and its tokens, or to the steps that reach one loss."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesscale.decide.answers import Optimum
from bayesscale.decide.batch_size import optimal_batch, optimal_lr
from bayesscale.decide.critical_batch import critical_batch
from bayesscale.errors import LawError, RunsError
from bayesscale.forecast import LEVELS
from bayesscale.plots.bands import SERIES, bands, log_y
from bayesscale.plots.style import GRAY, INK, explain, label, log_axis, new_axes, quiet, tint
from bayesscale.units import format_number, parse_numbers

__all__ = ["batch", "batch_data"]

REACH = 8.0  # by default from an eighth of the best batch to eight times it: a bowl with both its sides
DEFINITION = "E_min/S_min"
RUNS = "runs, on the curve's level"


def batch_data(post, *, B=None, level=LEVELS, tolerance=0.001, n=33, **given) -> pd.DataFrame:
    """Compute the numbers of `batch`.

    Parameters
    ----------
    post, B, level, tolerance, n, **given
        As for `batch`.

    Returns
    -------
    DataFrame
        One row per posterior and batch size ``B``. For a law of the loss ``median``, ``low95``, ``high95``, ... are the
        excess over each draw's own best batch, as a share of the loss; for a law of the steps they are the steps.

        The same in all rows of a posterior, with the interval of the largest level: ``best``, ``best_low95``,
        ``best_high95`` and the near-optimal range ``near_low``, ``near_high``; for a law of the steps ``critical``,
        ``critical_low95``, ``critical_high95``, in the definition E_min / S_min.
    """
    posts = _named(post)
    of_steps = _of_steps(posts)
    solve = _critical if of_steps else _best
    found = {name: solve(one, tolerance, given) for name, one in posts.items()}
    sizes = _range(posts, None if of_steps else [best.draws["B"].median() for best in found.values()], B, n)
    tables = []
    for name, one in posts.items():
        values = _mean(one, sizes, given) if of_steps else _excess(one, found[name], sizes, given)
        table = pd.DataFrame({"posterior": name, "B": sizes, "median": np.median(values, axis=0)})
        for mass in np.atleast_1d(level):
            low, high = np.quantile(values, _tails(mass), axis=0)
            table = table.assign(**{f"low{100 * mass:g}": low, f"high{100 * mass:g}": high})
        tables.append(table.assign(**_marks(found[name], np.max(level))))
    return pd.concat(tables, ignore_index=True)


def batch(post, *, B=None, level=LEVELS, tolerance=0.001, n=33, ax=None, **given):
    """Draw what the batch size does, with intervals, for one posterior or several.

    For a law of the loss: how much more than at the best batch, for this model and these tokens. Below the curve the
    best batch with its interval, and the near-optimal range, which is the wider of the two. Dots are the runs of these
    N and D, if there are any, the best of each batch; their level is put on the curve, which is about shape.

    For a law of the steps that reach one loss: the steps, the runs, and the critical batch, at which twice the fewest
    steps are taken. Dashed lines are the fewest steps, and steps that halve whenever the batch doubles.

    Parameters
    ----------
    post : Posterior, or dict of str to Posterior
        Several are drawn in colours of their own, with the interval of the largest level only.
    B : sequence of number or str, optional
        Batch sizes in tokens. Two of them are the ends, with `n` from one to the other.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    n : int
        Batch sizes along the curve.
    ax : Axes, optional
    **given : number or str
        What else the law takes: ``N="1B", D="100B"``. A learning rate that is not given is tuned at every batch size.

    Returns
    -------
    Axes

    Raises
    ------
    LawError
        A law takes no batch size, or some posteriors are of the loss and some of the steps.
    RunsError
        Something that the law takes is missing or not positive.
    """
    posts = _named(post)
    table = batch_data(posts, B=B, level=level, tolerance=tolerance, n=n, **given)
    ax = new_axes(width=6.8)[0] if ax is None else ax
    quiet(ax)
    draw = _draw_steps if "critical" in table else _draw_loss
    draw(ax, posts, table, level, tolerance, given)
    ax.set_xlim(table["B"].min(), table["B"].max())
    log_axis(ax, "B")
    ax.set_xlabel(label("B", next(iter(posts.values())).runs))
    return ax


# -- the numbers -------------------------------------------------------------------------------------------------------


def _named(post) -> dict:
    posts = dict(post) if isinstance(post, Mapping) else {post.law.name: post}
    if not posts:
        raise LawError("no posterior: give one, or a dict of them by name")
    if lacking := [name for name, one in posts.items() if "B" not in one.law.columns]:
        raise LawError(f"no batch size in the law of {', '.join(lacking)}: fit one that takes B, such as three_term")
    return posts


def _of_steps(posts) -> bool:
    kinds = {one.law.gives == "S" for one in posts.values()}
    if len(kinds) > 1:
        raise LawError("some posteriors are of the loss and some of the steps: draw them apart")
    return kinds.pop()


def _best(post, tolerance, given):
    return optimal_batch(post, tolerance=tolerance, **given)


def _critical(post, tolerance, given):
    return critical_batch(post, definition=DEFINITION, **given)


def _tails(mass):
    return (1 - mass) / 2, (1 + mass) / 2


def _marks(found, mass) -> dict:
    """Return what is marked in the figure: the best batch and the near-optimal range, or the critical batch."""
    near = dict(zip(("near_low", "near_high"), found.near_optimal, strict=True)) if isinstance(found, Optimum) else {}
    what, sizes = "best" if near else "critical", found.draws["B"]
    low, high = sizes.quantile(_tails(mass))
    return {what: sizes.median(), f"{what}_low{100 * mass:g}": low, f"{what}_high{100 * mass:g}": high} | near


def _range(posts, best, B, n):
    """Return the batch sizes: as given, between the two given, around the best ones, or where the runs are."""
    if B is None and best:
        B = min(best) / REACH, max(best) * REACH
    elif B is None:
        runs = np.concatenate([one.runs.column("B") for one in posts.values()])
        B = runs.min() / 1.5, runs.max() * 1.5
    sizes = np.sort(np.atleast_1d(parse_numbers(B, name="B")))
    if sizes.size < 2 or not (sizes > 0).all():
        raise RunsError(f"B = {B}: a curve needs two positive batch sizes or more, such as B=('64K', '4M')")
    return np.geomspace(*sizes, n) if sizes.size == 2 else sizes


def _mean(post, sizes, given):
    """Return what the law expects at each batch size; draws in rows."""
    return post.predict(B=sizes, kind="mean", **given).draws


def _excess(post, found, sizes, given):
    """Return by how much the loss at each batch size exceeds the draw's least, as a share; draws in rows."""
    if "lr" in post.law.columns and "lr" not in given:
        losses = np.stack([optimal_lr(post, B=B, **given).draws[post.law.gives] for B in sizes], axis=1)
    else:
        losses = _mean(post, sizes, given)
    return losses / found.draws[post.law.gives].to_numpy()[:, None] - 1.0


# -- the loss ----------------------------------------------------------------------------------------------------------


def _draw_loss(ax, posts, table, level, tolerance, given):
    name, alone = f"{100 * np.max(level):g}", len(posts) == 1
    table = table.assign(**{k: 100 * table[k] for k in table if k.startswith(("median", "low", "high"))})
    ceiling = 1.05 * table.groupby("posterior")["median"].max().max()
    bottom, row = 0.0, 0.05 * ceiling
    for (posterior, one), color in zip(posts.items(), cycle(SERIES)):
        part = table[table["posterior"] == posterior]
        bands(
            ax, part["B"], part, level if alone else np.max(level), color, alpha=None if alone else 0.25, labels=alone
        )
        ax.plot(part["B"], part["median"], color=color, linewidth=1.4, label="median" if alone else posterior)
        bottom = min(bottom, _draw_runs(ax, one, part, given, INK if alone else color))
    for i, (posterior, color) in enumerate(zip(posts, cycle(SERIES), strict=False)):
        marks, y = table[table["posterior"] == posterior].iloc[0], bottom - row * (1.2 + i)
        ax.hlines(y, marks["near_low"], marks["near_high"], color=tint(color, 0.35), linewidth=8)
        reach = [[marks["best"] - marks[f"best_low{name}"]], [marks[f"best_high{name}"] - marks["best"]]]
        ax.errorbar(marks["best"], y, xerr=reach, fmt="D", markersize=4, capsize=3, elinewidth=1.6, color=color)
    ax.set_ylim(bottom - row * (1.0 + len(posts)), ceiling)
    ax.axhline(0, color=GRAY, linewidth=0.8, zorder=1)
    ax.set_ylabel("loss above that of the best batch [%]")
    ink = SERIES[0] if alone else GRAY
    handles, words = ax.get_legend_handles_labels()
    runs = [handle for handle, said in zip(handles, words, strict=True) if said == RUNS]
    handles = [handle for handle in handles if handle not in runs]
    if not alone:
        handles.append(Patch(color=tint(GRAY, 0.3), label=f"{name}% interval"))
    handles += [
        *runs[:1],
        Line2D([], [], color=ink, linewidth=1.6, marker="D", markersize=4, label=f"best batch, {name}% interval"),
        Line2D([], [], color=tint(ink, 0.35), linewidth=8, label=f"costs less than {100 * tolerance:g}% more"),
    ]
    said = ", ".join(f"{k} = {format_number(parse_numbers(v, name=k))}" for k, v in given.items())
    title = f"{next(iter(posts))}, {said}" if alone else said
    explain(ax, handles=handles, title=title, loc="upper center")


def _draw_runs(ax, post, part, given, color):
    """Draw the best run of each batch size at these N and D, on the level of the curve; return where the lowest is."""
    runs = post.runs.table
    same = [np.isclose(runs[k], parse_numbers(v, name=k), rtol=0.01) for k, v in given.items() if k in runs]
    runs = runs[np.all(same, axis=0)].groupby("B", as_index=False)[post.law.gives].min()
    runs = runs[runs["B"].between(part["B"].min(), part["B"].max())]
    if runs.empty:
        return 0.0
    expected = 1 + np.interp(np.log(runs["B"]), np.log(part["B"]), part["median"]) / 100
    above = np.exp(np.log(runs[post.law.gives] / expected).mean())
    percent = 100 * (runs[post.law.gives] / above - 1)
    ax.plot(runs["B"], percent, "o", markersize=4, color=color, label=RUNS)
    return percent.min()


# -- the steps ---------------------------------------------------------------------------------------------------------


def _draw_steps(ax, posts, table, level, tolerance, given):
    name, alone = f"{100 * np.max(level):g}", len(posts) == 1
    floor = dict(linewidth=0.9, linestyle=(0, (4, 3)), color=GRAY)
    for (posterior, one), color in zip(posts.items(), cycle(SERIES)):
        part = table[table["posterior"] == posterior]
        bands(
            ax, part["B"], part, level if alone else np.max(level), color, alpha=None if alone else 0.25, labels=alone
        )
        ax.plot(part["B"], part["median"], color=color, linewidth=1.4, label="median" if alone else posterior)
        ax.plot(one.runs.column("B"), one.runs.column("S"), "o", markersize=4, color=INK if alone else color)
        marks = part.iloc[0]
        y = np.exp(np.interp(np.log(marks["critical"]), np.log(part["B"]), np.log(part["median"])))
        reach = [
            [marks["critical"] - marks[f"critical_low{name}"]],
            [marks[f"critical_high{name}"] - marks["critical"]],
        ]
        diamond = dict(fmt="D", markersize=6, capsize=3, elinewidth=1.6, markeredgecolor="white", zorder=4)
        ax.errorbar(marks["critical"], y, xerr=reach, color=color, **diamond)
        if alone:
            fewest = critical_batch(one, definition=DEFINITION, **given).draws.median()
            ax.axhline(fewest["S_min"], **floor)
            ax.plot(part["B"], fewest["E_min"] / part["B"], **floor)
    log_y(ax)
    ax.set_ylabel("steps S that reach the loss")
    handles, _ = ax.get_legend_handles_labels()
    mark = dict(color=SERIES[0] if alone else GRAY, linewidth=1.6, marker="D", markersize=5)
    runs = dict(color=INK if alone else GRAY, linestyle="none", marker="o", markersize=4)
    handles += [
        Line2D([], [], label="runs", **runs),
        Line2D([], [], label=f"critical batch {DEFINITION}, {name}% interval", **mark),
    ]
    explain(ax, handles=handles, title=next(iter(posts)) if alone else None, loc="upper right")
