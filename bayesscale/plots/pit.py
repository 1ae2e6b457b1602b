"""Where in its forecast the truth lay."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import ticker

from bayesscale.evaluate.backtest import bands
from bayesscale.plots.bands import SERIES
from bayesscale.plots.style import GRAY, INK, explain, panels, quiet, tint

__all__ = ["pit", "pit_data"]


def pit_data(tested, *, bins: int = 10) -> pd.DataFrame:
    """Compute the numbers of `pit`.

    Parameters
    ----------
    tested : Backtest
    bins : int

    Returns
    -------
    DataFrame
        One row per law and bin: ``law``, ``low`` and ``high`` (the ends of the bin), ``share`` of the forecasts in it,
        and, for a calibrated forecast, where 95% of the shares lie: ``all_low`` to ``all_high`` if every forecast told
        something of its own, ``bands_low`` to ``bands_high`` if only every factor of two in compute did.
    """
    edges = np.linspace(0, 1, bins + 1)
    tables = []
    for law, shares in tested.pit_histogram(bins=bins).iterrows():
        mine = (tested.table["law"] == law).to_numpy()
        counts = dict(all=mine.sum(), bands=len(np.unique(bands(tested.sizes[mine]))))
        chance = {}
        for name, n in counts.items():
            error = 1.96 * np.sqrt((1 / bins) * (1 - 1 / bins) / n)
            chance |= {f"{name}_low": max(1 / bins - error, 0.0), f"{name}_high": 1 / bins + error}
        bars = dict(low=edges[:-1], high=edges[1:], share=shares.to_numpy())
        tables.append(pd.DataFrame(dict(law=law, **bars, **chance)))
    return pd.concat(tables, ignore_index=True)


def pit(tested, *, bins: int = 10, axes=None):
    """Draw where in its forecast the truth lay: the histogram of the probability integral transform, a panel per law.

    Flat if forecasts are calibrated; high at both ends if intervals are too narrow, high in the middle if too wide;
    leaning to the left if forecasts are too high.

    Parameters
    ----------
    tested : Backtest
        What `bayesscale.backtest` gives.
    bins : int
    axes : Axes or sequence of Axes, optional
        One per law.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        There are more or fewer axes than laws.
    """
    table, n = pit_data(tested, bins=bins), len(tested.laws)
    axes = panels(axes, n, columns=3, width=3.6, height=3.4, sharey=True)
    for i, (ax, law) in enumerate(zip(axes, tested.laws, strict=True)):
        quiet(ax)
        ax.grid(False, axis="x")
        mine = table[table["law"] == law]
        for name, shade, said in (("bands", 0.15, "neighbours err alike"), ("all", 0.4, "each errs on its own")):
            ends = mine[[f"{name}_low", f"{name}_high"]].iloc[0]
            ax.axhspan(*ends, color=tint(GRAY, shade), linewidth=0, zorder=0.5, label=f"calibrated, if {said}")
        color = SERIES[i % len(SERIES)]
        ax.bar(
            mine["low"], mine["share"], width=1 / bins, align="edge", color=(*tint(color, 1), 0.6), edgecolor="white"
        )
        ax.axhline(1 / bins, color=GRAY, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.set_title(law, loc="left", fontsize=10, color=INK)
        ax.set_xlim(0, 1)
        ax.set_xlabel("share of the forecast below the truth")
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
    axes[0].set_ylabel("forecasts")
    axes[0].set_ylim(0, 1.4 * axes[0].get_ylim()[1])  # room for the legend over the bars
    explain(axes[0], loc="upper right")
    return axes
