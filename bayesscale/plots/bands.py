"""Bands of intervals around a median, the mark of the largest run, and logarithmic axes of both kinds."""

from __future__ import annotations

import numpy as np
from matplotlib import ticker

from bayesscale.plots.style import BLUE, GRAY, ORANGE, log_ticks, tint

__all__ = ["SERIES", "bands", "edge", "log_y"]

# Okabe and Ito's palette again, for several posteriors in one figure.
SERIES = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def bands(ax, x, table, levels, color=BLUE, *, alpha=None, labels=True):
    """Draw the intervals of a table (``low95``, ``high95``, ...), the widest one first.

    Opaque tints unless `alpha` is given: bands of several posteriors must show through each other. A thin line of the
    band's own colour keeps it visible where it is narrower than a pixel.
    """
    levels = sorted(np.atleast_1d(levels), reverse=True)
    shades = np.linspace(0.15, 0.5, len(levels)) if len(levels) > 1 else [0.3]
    for mass, shade in zip(levels, shades, strict=True):
        name = f"{100 * mass:g}"
        ground = dict(color=tint(color, shade)) if alpha is None else dict(color=color, alpha=alpha)
        said = dict(label=f"{name}% interval") if labels else {}
        ax.fill_between(x, table[f"low{name}"], table[f"high{name}"], linewidth=0.8, **ground, **said)


def edge(ax, C, *, color=GRAY, named=True):
    """Mark the compute of the largest run: what lies beyond is extrapolated."""
    ax.axvline(C, color=color, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if not named:
        return
    # Above the frame, where no data, band or legend can be in its way.
    top = dict(xycoords=ax.get_xaxis_transform(), xytext=(0, 2), textcoords="offset points")
    ax.annotate("largest run", (C, 1.0), ha="center", va="bottom", fontsize=8, color=GRAY, **top)


def log_y(ax):
    """Make the y axis logarithmic, with ticks as people write the numbers: 100M, 1B; a loss over a third: 2.2, 2.4."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high / low > 3:
        log_ticks(ax.yaxis, low, high)
        return
    ax.yaxis.set_major_locator(ticker.MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(ticker.NullLocator())
