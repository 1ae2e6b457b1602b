"""What a smaller ladder would have said: interval and error of the forecast as the largest rungs are dropped."""

from __future__ import annotations

import pandas as pd
from matplotlib import ticker

from bayesscale.plots.bands import SERIES
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, panels, quiet, tint
from bayesscale.units import format_number

__all__ = ["rungs", "rungs_data"]

MEANS = {"width": BLUE, "error": ORANGE, "crps": SERIES[2]}
SAID = {"width": "width of the 80% interval", "error": "error of the median", "crps": "CRPS"}


def rungs_data(dropped) -> pd.DataFrame:
    """Compute the numbers of `rungs`.

    Parameters
    ----------
    dropped : Rungs

    Returns
    -------
    DataFrame
        One row per ladder and forecast (``part`` "forecast"), and the mean of each ladder (``part`` "mean"):
        ``largest`` rung kept, ``runs``, ``compute`` (share of the whole ladder's), the task and the target, ``width``
        of the 80 % interval and, where the truth is known, the absolute ``error`` of the median and the ``crps``, all
        in points.
    """
    columns = ["largest", "runs", "compute", dropped.over, "N", "D", *(c for c in MEANS if c in dropped.table)]
    each = dropped.table[columns].assign(part="forecast")
    if "error" in each:
        each["error"] = each["error"].abs()
    numbers = each.drop(columns=["part", dropped.over, "N", "D"])
    means = numbers.groupby("largest", sort=False).mean().reset_index().assign(part="mean")
    table = pd.concat([each, means], ignore_index=True)
    return table[["part", *table.columns.drop("part")]]


def rungs(dropped, *, axes=None):
    """Draw how wide the interval and how large the error of the forecast are as the largest rungs are dropped.

    Thin lines are the forecasts, one for each task and target; thick ones their mean.

    Parameters
    ----------
    dropped : Rungs
        What `bayesscale.drop_rungs` gives.
    axes : Axes or sequence of Axes, optional
        One for the width; where the truth is known one more, for error and CRPS.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        There are more or fewer axes than panels.
    """
    data = rungs_data(dropped)
    each, means = (data[data["part"] == part] for part in ("forecast", "mean"))
    shown = [["width"], [c for c in ("error", "crps") if c in data]]
    shown = [columns for columns in shown if columns]
    axes = panels(axes, len(shown), columns=len(shown), width=4.6, height=3.6, sharex=True)
    for ax, columns in zip(axes, shown, strict=True):
        quiet(ax)
        for i, (_, line) in enumerate(each.groupby([dropped.over, "N", "D"])):
            thin = dict(color=tint(GRAY, 0.45), linewidth=0.7, zorder=1.5)
            ax.plot(line["compute"], line[columns[0]], **thin, label=None if i else f"{columns[0]} of each forecast")
        for name in columns:
            line = dict(color=MEANS[name], linewidth=2.0, markersize=5.5, zorder=3)
            ax.plot(means["compute"], means[name], "o-", **line, label=f"{SAID[name]}, mean")
        ax.set_ylim(0, (1.1 + 0.1 * len(ax.get_legend_handles_labels()[1])) * data[columns].max().max())  # and a legend
        _name_rungs(ax, means, dropped.by)
        ax.set_ylabel("points of accuracy")
        explain(ax)
    return axes


def _name_rungs(ax, means, by):
    """Put a tick at each ladder: the largest rung it keeps, its runs, its share of the compute."""
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    names = [
        f"{format_number(row.largest)}\n{row.runs:.0f} runs\n{_percent(row.compute)}" for row in means.itertuples()
    ]
    ax.set_xticks(means["compute"], names)
    ax.margins(x=0.12)
    ax.set_xlabel(f"largest {by} kept, runs of a task, share of the ladder's compute", color=INK)


def _percent(share):
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"
