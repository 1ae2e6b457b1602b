"""Simulation-based calibration: whether the truth is ranked evenly among the draws."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, panels, quiet, tint

__all__ = ["ranks", "ranks_data"]

BAND = 2000  # simulated tables of uniform values, for the band


def ranks_data(calibrated, *, quantities=None, level=0.95) -> pd.DataFrame:
    """Compute the numbers of `ranks`.

    Returns
    -------
    DataFrame
        ``quantity``; ``share`` of the draws; ``difference``, the share of simulations in which the truth lies above at
        most so many draws, minus that; ``low`` and ``high`` of the band.
    """
    from arviz_stats.ecdf_utils import ecdf_pit

    tables, chosen = [], _chosen(calibrated, quantities)
    # The band is that of all panels together.
    level = 1 - (1 - level) / len(chosen)
    for name in chosen:
        values = calibrated.table.loc[calibrated.table["quantity"] == name, "pit"].to_numpy()
        share, found, low, high = ecdf_pit(values, level, BAND)
        columns = dict(share=share, difference=found - share, low=low - share, high=high - share)
        tables.append(pd.DataFrame({"quantity": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def _chosen(calibrated, quantities):
    there = list(calibrated.table["quantity"].unique())
    chosen = [quantities] if isinstance(quantities, str) else list(quantities or there)
    if unknown := [name for name in chosen if name not in there]:
        raise LawError(f"{', '.join(unknown)} was not calibrated; there are {', '.join(there)}")
    return chosen


def ranks(calibrated, *, quantities=None, level=0.95, axes=None):
    """Draw the distribution of the truth's rank among the draws, minus the uniform one, a panel per quantity.

    A calibrated posterior stays in the band. Intervals that are too narrow make an S that begins above zero, too wide
    ones an S that begins below it; a posterior that is too low makes a valley, one that is too high a hill.

    Parameters
    ----------
    calibrated : Calibration
        What `bayesscale.calibrate` gives.
    quantities : str or sequence of str, optional
    level : float
        Chance that calibrated curves stay in their bands, in all panels and over the whole range.
    axes : Axes or sequence of Axes, optional
        One per quantity.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        A quantity is unknown, or there are more or fewer axes than quantities.

    Notes
    -----
    Säilynoja, Bürkner and Vehtari 2022; the band is ArviZ's.
    """
    table = ranks_data(calibrated, quantities=quantities, level=level)
    chosen, verdicts = list(table["quantity"].unique()), calibrated.summary()["verdict"]
    n = len(chosen)
    axes = panels(axes, n, columns=4, width=2.8, height=2.3, sharey=True)
    for ax, name in zip(axes, chosen, strict=True):
        one = table[table["quantity"] == name]
        outside = ((one["difference"] < one["low"]) | (one["difference"] > one["high"])).any()
        quiet(ax)
        ax.fill_between(
            one["share"], one["low"], one["high"], step="post", color=tint(GRAY, 0.25), linewidth=0, label="calibrated"
        )
        ax.axhline(0, color=GRAY, linewidth=0.9)
        ax.step(one["share"], one["difference"], where="post", color=ORANGE if outside else BLUE, linewidth=1.5)
        ax.set_title(f"{name}\n{verdicts[name]}", loc="left", fontsize=9, color=INK)
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.5, 1])
    reach = 1.35 * np.abs(table[["difference", "low", "high"]].to_numpy()).max()
    for ax in axes:
        ax.set_ylim(-reach, reach)
    axes[0].set_ylabel("ranks minus uniform", fontsize=9)
    axes[-1].set_xlabel("share of draws below the truth", fontsize=9)
    explain(axes[0], loc="upper right")
    return axes
