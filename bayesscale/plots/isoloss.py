"""Contours of the expected loss over parameters and tokens, with the runs and the compute-optimal line."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from scipy.spatial import ConvexHull, QhullError

from bayesscale.decide.frontier import frontier
from bayesscale.errors import LawError, RunsError
from bayesscale.plots.bands import log_y
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, label, log_axis, new_axes, quiet, tint
from bayesscale.units import format_number, parse_numbers

__all__ = ["isoloss", "isoloss_data"]

ROOM = 3.0  # the window reaches so many times beyond the runs, either way
FRONTIER = 25  # budgets along the compute-optimal line
CORNER = 0.16  # of the width: what a budget's name takes


def isoloss_data(post, *, N=None, D=None, level=0.95, n=60) -> pd.DataFrame:
    """Compute the numbers of the contours of `isoloss`; those of its line are `frontier_data`'s.

    Parameters
    ----------
    post, N, D, level, n
        As for `isoloss`.

    Returns
    -------
    DataFrame
        One row per point of an n by n grid, by N and then D: ``N``, ``D``, ``C`` = 6 N D; ``median`` of the expected
        loss with its interval (``low95``, ``high95``); and whether the point is ``inside`` the convex hull of the runs
        in (log N, log D).
    """
    (N, D), hull = _window(post, N, D, n), _hull(post.runs)
    # A column of the grid at a time: all draws at all points would be gigabytes.
    columns = [
        post.predict(N=np.full(n, one), D=D, kind="mean").table(level=level).assign(N=one, D=D, C=6.0 * one * D)
        for one in N
    ]
    table = pd.concat(columns, ignore_index=True)
    points = np.log(table[["N", "D"]].to_numpy())
    inside = np.zeros(len(points), bool)
    if hull is not None:
        # Inside of every edge; a run on an edge is inside.
        inside = (points @ hull.equations[:, :2].T + hull.equations[:, 2] <= 1e-9).all(axis=1)
    bounds = [k for k in table if k.startswith(("low", "high"))]
    return table[["N", "D", "C", "median", *bounds]].assign(inside=inside)


def isoloss(post, *, N=None, D=None, C=None, losses=None, level=0.95, ax=None, n=60):
    """Draw contours of the posterior median of the expected loss over (N, D), and the compute-optimal line with a band.

    Contours are dashed and pale outside the convex hull of the runs: there the law alone speaks.

    Parameters
    ----------
    post : Posterior
        Of a law in N and D.
    N, D : pair of number or str, optional
        Ends of the axes; by default three times beyond the runs either way.
    C : number, str or sequence, optional
        Budgets of which the lines C = 6 N D are drawn; by default some powers of ten. An empty list draws none.
    losses : int or sequence of number, optional
        The contours, or about how many of them.
    level : float
        Mass of the equal-tailed interval of the line.
    ax : Axes, optional
    n : int
        Points of the grid per axis.

    Returns
    -------
    Axes

    Raises
    ------
    LawError
        The law is not one of N and D.
    RunsError
        The runs lack N or D, or an axis' ends are not two positive numbers.
    """
    table = isoloss_data(post, N=N, D=D, level=level, n=n)
    shape = (n, n)
    x, y, loss = (table[k].to_numpy().reshape(shape) for k in ("N", "D", "median"))
    ax = new_axes(width=6.8, height=5.4)[0] if ax is None else ax
    quiet(ax)
    ax.grid(False)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(x.min(), x.max())
    ax.set_ylim(y.min(), y.max())
    _draw_contours(ax, x, y, loss, losses, _hull(post.runs))
    _draw_optimum(ax, post, level)
    runs = dict(s=16, color=INK, linewidths=0.4, edgecolors="white", zorder=4, label="runs")
    ax.scatter(post.runs.column("N"), post.runs.column("D"), **runs)
    _draw_budgets(ax, C)
    log_axis(ax, "N")
    log_y(ax)
    ax.set_xlabel(label("N", post.runs))
    ax.set_ylabel(label("D", post.runs))
    what = f"{post.law.name}: expected {label(post.law.gives, post.runs)}, numbers at the right"
    # Above the frame: within it there may be runs and contours in every corner.
    explain(ax, title=what, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    return ax


def _window(post, N, D, n):
    if set(post.law.columns) != {"N", "D"}:
        raise LawError(f"isoloss needs a law in N and D, such as chinchilla; {post.law.name} takes {post.law.columns}")
    axes = []
    for name, ends in (("N", N), ("D", D)):
        if ends is None:
            runs = post.runs.column(name)
            ends = runs.min() / ROOM, runs.max() * ROOM
        ends = parse_numbers(ends, name=name)
        if ends.shape != (2,) or not 0 < ends[0] < ends[1]:
            raise RunsError(f'{name} is two positive numbers, the ends of its axis, such as {name}=("1B", "100B")')
        axes.append(np.geomspace(*ends, n))
    return axes


# -- the parts ---------------------------------------------------------------------------------------------------------


def _hull(runs):
    """Return the convex hull of the runs in (log N, log D); none where they lie on a line."""
    try:
        return ConvexHull(np.log(np.column_stack([runs.column("N"), runs.column("D")])))
    except (QhullError, ValueError):
        return None


def _draw_contours(ax, x, y, loss, losses, hull):
    levels = np.sort(losses) if np.ndim(losses) else _levels(loss, losses or 14)
    pale = tint(BLUE, 0.45)
    dashed = dict(linewidths=0.9, linestyles="dashed")
    ax.contour(x, y, loss, levels=levels, colors=[pale], **dashed)
    if hull is not None:
        corners = np.exp(hull.points[hull.vertices])
        outline = PathPatch(Path(np.vstack([corners, corners[:1]]), closed=True), transform=ax.transData)
        near = ax.contour(x, y, loss, levels=levels, colors=[BLUE], linewidths=1.3)
        near.set_clip_path(outline)
        ax.plot([], [], color=BLUE, linewidth=1.3, label="equal loss, among the runs")
    ax.plot([], [], color=pale, linewidth=0.9, linestyle="dashed", label="beyond their convex hull")
    _name_contours(ax, y[-1], loss[-1], levels)


def _levels(loss, about):
    # Not to the corner of no parameters and no tokens, where the loss rises without end.
    return ticker.MaxNLocator(about, steps=[1, 2, 5, 10]).tick_values(loss.min(), np.quantile(loss, 0.95))


def _name_contours(ax, D, loss, levels):
    """Write each contour's loss beside the frame, where the contour leaves it at the right."""
    taken = np.inf
    for level in sorted(levels, reverse=True):
        if not loss.min() < level < loss.max():
            continue
        leaves = np.exp(np.interp(level, loss[::-1], np.log(D)[::-1]))
        height = np.log(leaves / D[0]) / np.log(D[-1] / D[0])
        if abs(height - taken) < 0.025:
            continue  # too close to the one below
        at = dict(xycoords="axes fraction", xytext=(4, 0), textcoords="offset points", annotation_clip=False)
        ax.annotate(f"{level:.4g}", (1.0, height), va="center", fontsize=8, color=BLUE, **at)
        taken = height


def _draw_budgets(ax, C):
    """Draw lines of equal compute; straight on logarithmic axes."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    if C is None:
        decades = np.arange(np.ceil(np.log10(6 * left * bottom)), np.log10(6 * right * top))
        C = 10.0 ** decades[:: int(np.ceil(len(decades) / 6))]
    for budget in np.atleast_1d(parse_numbers(C, name="C")):
        N = np.clip(budget / 6.0 / np.array([top, bottom]), left, right)
        if np.log(N[1] / left) < CORNER * np.log(right / left):
            continue  # in the corner there is no room for its name
        ax.plot(N, budget / 6.0 / N, color=GRAY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        words = dict(
            fontsize=8, color=GRAY, ha="right", va="bottom", textcoords="offset points", xytext=(-2, 2), zorder=5
        )
        ax.annotate(f"{format_number(budget)} FLOP", (N[1], budget / 6.0 / N[1]), **words)


def _draw_optimum(ax, post, level):
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    table = frontier(post, C=np.geomspace(6 * left * bottom, 6 * right * top, FRONTIER)).table(level=level)
    name = f"{100 * level:g}"
    low, high, C = table[f"low{name}"], table[f"high{name}"], table["C"]
    # The interval runs along each line of equal compute: more parameters are fewer tokens.
    N = np.concatenate([low, high[::-1]])
    D = np.concatenate([C / 6.0 / low, (C / 6.0 / high)[::-1]])
    ax.plot(table["median"], C / 6.0 / table["median"], color=ORANGE, linewidth=1.6, zorder=3, label="compute-optimal")
    ax.fill(N, D, color=ORANGE, alpha=0.25, linewidth=0.8, zorder=2, label=f"its {name}% interval")
