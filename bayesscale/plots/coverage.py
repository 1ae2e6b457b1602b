"""How often intervals held, by how far the forecasts went."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import ticker

from bayesscale.evaluate.backtest import bands
from bayesscale.intervals import LEVELS
from bayesscale.plots.bands import SERIES
from bayesscale.plots.style import GRAY, INK, explain, panels, quiet, tint

__all__ = ["coverage", "coverage_data"]


def coverage_data(tested) -> pd.DataFrame:
    """Compute the numbers of `coverage`.

    Parameters
    ----------
    tested : Backtest

    Returns
    -------
    DataFrame
        One row per law, factor and level: ``law``, ``factor`` (how many times the compute that was fitted), ``level``,
        ``n`` forecasts, ``independent`` (the factors of two in compute that their runs lie in), ``held`` (the share of
        intervals that held the truth), and ``low`` and ``high``, the level give and take a standard error of so many
        independent forecasts.
    """
    binned = tested.table.assign(band=bands(tested.sizes), factor=tested.factor_names)
    rows = []
    for (law, factor), found in tested.summary(by=["law", "factor"]).iterrows():
        independent = binned.loc[(binned["law"] == law) & (binned["factor"] == factor), "band"].nunique()
        for level in LEVELS:
            error = np.sqrt(level * (1 - level) / independent)
            held = dict(n=int(found["n"]), independent=independent, held=found[f"coverage{100 * level:g}"])
            chance = dict(low=max(level - error, 0.0), high=min(level + error, 1.0))
            rows.append(dict(law=law, factor=factor, level=level, **held, **chance))
    return pd.DataFrame(rows)


def coverage(tested, *, axes=None):
    """Draw the share of intervals that held the truth, by how many times the fitted compute was forecast.

    Parameters
    ----------
    tested : Backtest
        What `bayesscale.backtest` gives.
    axes : sequence of Axes, optional
        Three: for the 50%, 80% and 95% intervals.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        There are more or fewer axes than three.

    Notes
    -----
    The bar is the level, give and take one standard error if runs within a factor of two in compute count as one.
    """
    table = coverage_data(tested)
    n = len(LEVELS)
    axes = panels(axes, n, columns=n, width=3.4, height=3.6, sharey=True)
    for ax, level in zip(axes, LEVELS, strict=True):
        _draw_level(ax, table[table["level"] == level], level, tested.laws)
        ax.set_title(f"{100 * level:g}% intervals", loc="left", fontsize=10, color=INK)
        ax.set_xlabel(f"times the {tested.by} that was fitted\n(forecasts)")
    axes[0].set_ylabel("held the truth")
    explain(axes[-1], loc="lower left")
    return axes


def _draw_level(ax, table, level, laws):
    quiet(ax)
    ax.grid(False, axis="x")
    factors = table.drop_duplicates("factor").set_index("factor")
    places = pd.Series(np.arange(len(factors), dtype=float), index=factors.index)
    ground = dict(width=0.9, color=tint(GRAY, 0.25), linewidth=0, zorder=0.5)
    ax.bar(places, factors["high"] - factors["low"], bottom=factors["low"], label="calibrated, ± se", **ground)
    ax.axhline(level, color=GRAY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    for i, law in enumerate(laws):
        mine = table[table["law"] == law]
        at = places[mine["factor"]] + 0.12 * (i - (len(laws) - 1) / 2)
        ax.plot(at, mine["held"], "o-", color=SERIES[i % len(SERIES)], markersize=5, linewidth=1.2, label=law)
    counts = [f"{name}\n({count})" for name, count in factors["n"].items()]
    ax.set_xticks(places, counts)
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.set_ylim(0, 1.03)
    ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
