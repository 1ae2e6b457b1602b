"""Grown models beside scratch: the loss of every arm over compute, and the speed-up at every loss."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.decide.speedup import operators_of, speedups
from bayesscale.errors import RunsError
from bayesscale.intervals import LEVELS, intervals, masses
from bayesscale.plots.bands import SERIES, bands, edge
from bayesscale.plots.style import INK, explain, label, log_axis, panels, quiet

__all__ = ["growth", "growth_data"]


def growth_data(post, *, losses=None, level=LEVELS, n: int = 32, **given) -> pd.DataFrame:
    """Compute the numbers of `growth`.

    Parameters
    ----------
    post, losses, level, n, **given
        As for `growth`.

    Returns
    -------
    DataFrame
        One row per point: ``panel`` ("loss" or "speedup"); ``arm``, "scratch" or the operator; in panel "loss" ``C``
        and the expected loss as ``median``, ``low95``, ``high95`` and so on; in panel "speedup" ``loss`` and the
        speed-up in percent, ``beyond`` where scratch, or this arm, has not come to that loss in the runs.
    """
    arms = ("scratch", *operators_of(post))
    if "C" not in post.runs.columns:
        raise RunsError("the figure of growth is over compute: the runs need a column C")
    tables = []
    for arm, rows in zip(arms, _rows(post), strict=True):
        if not rows.any():
            continue
        C = post.runs.column("C")[rows]
        grid = np.geomspace(C.min() / 1.1, 1.1 * C.max(), n)
        shares = {c: float(c.removeprefix("grown_") == arm) for c in post.law.shares}
        told = post.predict({"C": grid, **shares, **given}, kind="mean").draws
        tables.append(pd.DataFrame(dict(panel="loss", arm=arm, C=grid, **intervals(told, level))))
    y, least = post.runs.column(post.law.gives), _least(post)
    if losses is None:
        losses = np.linspace(min(least.values()), np.quantile(y[_rows(post)[0]], 0.75), n)
    losses = np.asarray(losses, dtype=float)
    found = speedups(post, loss=losses, **given)
    for j, arm in enumerate(arms[1:]):
        if arm not in least:
            continue
        with np.errstate(invalid="ignore"):
            percent = 100 * (found["C_scratch"][:, j] / found["C_grown"][:, j] - 1)
        percent = np.where(np.isnan(percent), 0.0, np.minimum(percent, 1e6))  # neither arm comes there: no difference
        beyond = losses < max(least.get("scratch", np.inf), least[arm])
        said = dict(panel="speedup", arm=arm, loss=losses, beyond=beyond)
        tables.append(pd.DataFrame(dict(**said, **intervals(percent, level))))
    return pd.concat(tables, ignore_index=True)


def growth(post, *, losses=None, published=None, level=LEVELS, axes=None, n: int = 32, **given):
    """Draw grown models beside scratch: the loss of every arm over compute, and the speed-up over the loss.

    Points are runs, lines the expected loss with its intervals. On the right, from high losses (early) to low ones
    (late), the compute that scratch needs for a loss over that of the grown model, less one; beyond the dashed line no
    run of both arms has come to that loss.

    Parameters
    ----------
    post : Posterior
        Of a law with a star argument ``*grown``, such as `growth_effective_compute`.
    losses : sequence of number, optional
        Where the speed-up is computed; from the start of the scratch runs to the least loss seen, unless given.
    published : mapping of number to number, optional
        Loss -> speed-up in percent that others state, to be drawn as diamonds.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    axes : two Axes, optional
    n : int
        Points along a line.
    **given : number or str
        What else the law takes: ``N="7B"``.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        The law does not tell grown models from scratch, or there are not two axes.
    RunsError
        The runs have no compute.
    """
    levels = masses(level)
    data = growth_data(post, losses=losses, level=levels, n=n, **given)
    axes = panels(axes, 2, columns=2, width=5.2, height=3.8)
    arms = ("scratch", *operators_of(post))
    colours = dict(zip(arms, [SERIES[k % len(SERIES)] for k in range(len(arms))], strict=True))
    one = len(arms) == 2
    for arm, rows in zip(arms, _rows(post), strict=True):
        if not rows.any():
            continue
        mine = data[(data["panel"] == "loss") & (data["arm"] == arm)]
        wide = max(levels)
        if one or arm == "scratch":
            bands(axes[0], mine["C"], mine, [wide], colours[arm], alpha=0.25, labels=False)
            axes[0].plot(mine["C"], mine["median"], color=colours[arm], linewidth=1.4)
        x, y = post.runs.column("C")[rows], post.runs.column(post.law.gives)[rows]
        axes[0].plot(x, y, "o", color=colours[arm], markersize=3.5 if rows.sum() > 3 else 6, label=arm)
        late = data[(data["panel"] == "speedup") & (data["arm"] == arm)]
        if len(late):
            if one:
                bands(axes[1], late["loss"], late, levels, colours[arm])
            axes[1].plot(late["loss"], late["median"], color=colours[arm], label="median" if one else arm)
    _finish(axes, post, data, published)
    return axes


def _finish(axes, post, data, published):
    """Put scales, marks and words to both panels."""
    left, right = axes
    quiet(left), quiet(right)
    log_axis(left, "C")
    left.set_xlabel(label("C", post.runs))
    left.set_ylabel(label(post.law.gives, post.runs))
    explain(left)
    of = data[data["panel"] == "speedup"]
    shown = of.filter(regex="^(low|high|median)").to_numpy()
    low, high = np.quantile(shown, [0.02, 0.98])
    low, high = min(low, 0.0), max(high, 0.0)
    right.set_ylim(low - 0.08 * (high - low), high + 0.12 * (high - low))
    right.axhline(0, color=INK, linewidth=0.9)
    beyond = of["beyond"].to_numpy(bool)
    if beyond.any() and not beyond.all():
        edge(right, of["loss"][~beyond].min(), named=False)
    if published:
        known = dict(color="none", markeredgecolor=INK, markersize=7, zorder=7, label="published")
        right.plot(list(published), list(published.values()), "D", **known)
    right.set_xlim(of["loss"].max(), of["loss"].min())
    right.set_xlabel(label(post.law.gives, post.runs))
    right.set_ylabel("speed-up over scratch [%]")
    explain(right)


def _rows(post):
    """Return a mask of the rows of each arm, scratch first."""
    grown = [post.runs.column(c) > 0 for c in post.law.shares]
    return [~np.any(grown, axis=0), *grown]


def _least(post):
    """Return the least loss that each arm has come to in the runs."""
    arms, y = ("scratch", *operators_of(post)), post.runs.column(post.law.gives)
    return {arm: y[rows].min() for arm, rows in zip(arms, _rows(post), strict=True) if rows.any()}
