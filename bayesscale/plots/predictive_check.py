"""The measured table beside tables that the fitted law would make."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.plots.style import BLUE, INK, ORANGE, explain, panels, quiet, tint

__all__ = ["predictive_check", "predictive_check_data"]


def predictive_check_data(checked, *, statistics=None, bins=30) -> pd.DataFrame:
    """Compute the numbers of `predictive_check`.

    Returns
    -------
    DataFrame
        ``statistic``, ``low`` and ``high`` of a bin, the ``share`` of replicated tables in it, and the statistic
        ``observed`` on the measured table. The last bins hold what lies beyond, where tails are long.
    """
    tables = []
    for name in _chosen(checked, statistics):
        values, observed = checked.replicated[name].to_numpy(), checked.table.loc[name, "observed"]
        edges = _edges(values, bins)
        counts, _ = np.histogram(np.clip(values, *edges[[0, -1]]), edges)
        columns = dict(low=edges[:-1], high=edges[1:], share=counts / len(values), observed=observed)
        tables.append(pd.DataFrame({"statistic": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def _edges(values, bins):
    distinct = np.unique(values)
    if len(distinct) <= 2 * bins:  # a share of few rows: a bar for each
        step = np.diff(distinct).min() if len(distinct) > 1 else 1.0
        return np.append(distinct - step / 2, distinct[-1] + step / 2)
    return np.linspace(*np.quantile(values, [0.005, 0.995]), bins + 1)


def _unit(name):
    units = {"trend with": "% per decade", "bend along": "% per decade squared", "share": "share of the rows"}
    return next((unit for start, unit in units.items() if name.startswith(start)), "%" if "residual" in name else "")


def _chosen(checked, statistics):
    there = list(checked.table.index)
    chosen = [statistics] if isinstance(statistics, str) else list(statistics or there)
    if unknown := [name for name in chosen if name not in there]:
        raise LawError(f"{', '.join(unknown)} was not checked; there are {', '.join(there)}")
    return chosen


def predictive_check(checked, *, statistics=None, axes=None):
    """Draw each statistic of the replicated tables as a histogram, and that of the measured table as a line.

    Parameters
    ----------
    checked : PredictiveCheck
        What `bayesscale.predictive_check` gives.
    statistics : str or sequence of str, optional
    axes : Axes or sequence of Axes, optional
        One per statistic.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        A statistic is unknown, or there are more or fewer axes than statistics.
    """
    table = predictive_check_data(checked, statistics=statistics)
    chosen = list(table["statistic"].unique())
    n = len(chosen)
    axes = panels(axes, n, columns=4, width=2.8, height=2.2)
    for ax, name in zip(axes, chosen, strict=True):
        one, row = table[table["statistic"] == name], checked.table.loc[name]
        quiet(ax)
        ax.bar(
            one["low"], one["share"], width=one["high"] - one["low"], align="edge", color=tint(BLUE, 0.45), linewidth=0
        )
        odd = row["verdict"] != "-"
        ax.axvline(row["observed"], color=ORANGE if odd else INK, linewidth=1.8, label="measured")
        p = f"p = {row['p']:.2f}" if 0.005 < row["p"] < 0.995 else "p < .005" if row["p"] < 0.5 else "p > .995"
        ax.set_title(f"{name}\n{p}{', ' + row['verdict'] if odd else ''}", loc="left", fontsize=9, color=INK)
        ax.set_xlabel(_unit(name), fontsize=9)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.grid(False)
    axes[0].containers[0].set_label("replicated tables")
    explain(axes[0])
    return axes
