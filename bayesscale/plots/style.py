"""The look that all figures share: colours that the colour-blind can tell apart, quiet axes, units in the labels."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import colors, ticker

from bayesscale.errors import LawError
from bayesscale.units import format_number

__all__ = [
    "BLUE",
    "GRAY",
    "INK",
    "ORANGE",
    "explain",
    "label",
    "log_axis",
    "log_ticks",
    "new_axes",
    "panels",
    "quiet",
    "tint",
]

# Okabe and Ito's palette.
BLUE, ORANGE = "#0072B2", "#D55E00"
INK, GRAY = "#222222", "#767676"

_SAID = {
    "N": "parameters N",
    "D": "training tokens D",
    "C": "training compute C [FLOP]",
    "B": "batch size B [tokens]",
    "S": "optimizer steps S",
    "lr": "peak learning rate",
}


def tint(color, share):
    """Mix a colour with white: opaque, so that a legend shows the colour that the figure shows."""
    return tuple(share * channel + (1 - share) for channel in colors.to_rgb(color))


def label(name, runs) -> str:
    """Say a column of the table with its unit."""
    if name == "loss":
        return f"loss [{runs.about['loss_unit']}]"
    return _SAID.get(name, name)


def new_axes(n=1, *, columns=1, width=6.4, height=4.2, **shared):
    """Make a figure of `n` panels, `width` by `height` inches each, and return its axes as an array.

    The only place that touches pyplot: whoever brings axes of their own gets no figure.
    """
    import matplotlib.pyplot as plt

    columns = min(columns, n)
    rows = math.ceil(n / columns)
    size = (width * columns, height * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **shared)
    for unused in axes.flat[n:]:
        unused.remove()
    return axes.flat[:n]


def panels(axes, n, **shape):
    """Return the axes of `n` panels as a flat array: those that a user gave, else new ones of this shape.

    Parameters
    ----------
    axes : Axes or sequence of Axes, or None
    n : int
    **shape
        As for `new_axes`.

    Raises
    ------
    LawError
        There are more or fewer axes than panels.
    """
    if axes is None:
        return new_axes(n, **shape)
    axes = np.asarray(axes, dtype=object).ravel()
    if len(axes) != n:
        raise LawError(f"{n} panels need {n} axes, not {len(axes)}: give axes= as many, or leave it out")
    return axes


def quiet(ax):
    """Take away what is not data: a thin grid, two spines, small ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRAY)
    ax.grid(True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(which="both", color=GRAY, labelsize=9)


def explain(ax, **more):
    """Add the legend, on a ground of its own so that lines under it do not cross the words."""
    ax.legend(fontsize=9, title_fontsize=9, alignment="left", framealpha=0.9, edgecolor="none", **more)


def log_axis(ax, name):
    """Make the x axis logarithmic, with ticks as people write the numbers: 10^21 FLOP, but 70B parameters."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    if name != "C" or high / low < 30:
        log_ticks(ax.xaxis, low, high)


def log_ticks(axis, low, high):
    """Put ticks on a logarithmic axis from `low` to `high`: 1B, 3B, 10B."""
    decades = math.log10(high / low)
    # Over few decades powers of ten alone would leave one or two labels.
    steps = (1.0,) if decades > 4 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0)
    axis.set_major_locator(ticker.LogLocator(subs=steps))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: format_number(value)))
    axis.set_minor_formatter(ticker.NullFormatter())
