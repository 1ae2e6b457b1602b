"""What was forecast from the smaller runs, against what the larger ones gave."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, label, log_axis, panels, quiet
from bayesscale.units import format_number

__all__ = ["rollout", "rollout_data"]


def rollout_data(tested) -> pd.DataFrame:
    """Compute the numbers of `rollout`.

    Parameters
    ----------
    tested : Backtest

    Returns
    -------
    DataFrame
        One row per forecast: ``law``, ``cutoff``, ``row``, ``size`` (how large the run is); ``median``, ``low95`` and
        ``high95`` of the forecast in percent above what was measured; ``held``, whether the 95% interval holds it.
    """
    table = tested.table
    percent = {k: 100 * (table[k] / table["truth"] - 1) for k in ("median", "low95", "high95")}
    where = dict(law=table["law"], cutoff=table["cutoff"], row=table["row"], size=tested.sizes)
    return pd.DataFrame(dict(**where, **percent, held=table["in95"]))


def rollout(tested, *, cutoff=None, axes=None):
    """Draw each forecast against what was measured, with its 95% interval: a row of panels per law, a panel per cutoff.

    Parameters
    ----------
    tested : Backtest
        What `bayesscale.backtest` gives.
    cutoff : number, optional
        Show the cutoff nearest to this one only.
    axes : Axes or sequence of Axes, optional
        One per panel.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        There are more or fewer axes than panels.

    Notes
    -----
    In percent of what was measured, which is the line at zero: against losses of 2 to 4 themselves, intervals of one
    percent cannot be seen.
    """
    table = rollout_data(tested)
    cutoffs = np.sort(table["cutoff"].unique())
    if cutoff is not None:
        cutoffs = cutoffs[[np.abs(np.log(cutoffs / float(cutoff))).argmin()]]
    shown = [(law, cut) for law in tested.laws for cut in cutoffs]
    shape = dict(columns=len(cutoffs), width=3.6 if len(cutoffs) > 1 else 6.4, height=2.8)
    axes = panels(axes, len(shown), **shape, sharex=True, sharey=True)
    for i, (ax, (law, cut)) in enumerate(zip(axes, shown, strict=True)):
        quiet(ax)
        _draw_panel(ax, table[(table["law"] == law) & (table["cutoff"] == cut)])
        ax.axvline(cut, color=GRAY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        ax.set_title(f"{law}, fitted up to {format_number(cut)}", loc="left", fontsize=10, color=INK)
        log_axis(ax, tested.by)
        if i % len(cutoffs) == 0:
            ax.set_ylabel("forecast above measured [%]")
        if i >= len(shown) - len(cutoffs):
            ax.set_xlabel(label(tested.by, tested.runs))
    explain(axes[0])
    return axes


def _draw_panel(ax, table):
    ax.axhline(0, color=INK, linewidth=0.9, zorder=1.5)
    for held, color, said in ((True, BLUE, "95% interval holds"), (False, ORANGE, "it does not")):
        rows = table[table["held"] == held]
        reach = np.abs([rows["median"] - rows["low95"], rows["high95"] - rows["median"]])
        line = dict(color=color, linewidth=0.8, alpha=0.75, zorder=3 if not held else 2, label=said)
        ax.errorbar(rows["size"], rows["median"], yerr=reach, fmt="o", markersize=2.5, **line)
