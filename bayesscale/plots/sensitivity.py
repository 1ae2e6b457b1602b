"""Which answers are the prior's: intervals where the prior is a little weaker or stronger."""

from __future__ import annotations

import pandas as pd

from bayesscale.errors import LawError
from bayesscale.evaluate.sensitivity import STRONGER, WEAKER, WIDE
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, log_axis, panels, quiet

__all__ = ["sensitivity", "sensitivity_data"]

SAID = {WEAKER: "weaker", 1.0: "as fitted", STRONGER: "stronger"}


def sensitivity_data(found, *, quantities=None) -> pd.DataFrame:
    """Compute the numbers of `sensitivity`.

    Returns
    -------
    DataFrame
        ``quantity``, ``power`` and ``prior`` ("weaker", "as fitted", "stronger"), ``median``, ``low`` and ``high`` of
        the interval, and the ``diagnosis``.
    """
    table = found.intervals[found.intervals["quantity"].isin(_chosen(found, quantities))]
    mass = f"{100 * found.level:g}"
    return pd.DataFrame(
        {
            "quantity": table["quantity"],
            "power": table["power"],
            "prior": table["power"].map(SAID),
            "median": table["median"],
            "low": table[f"low{mass}"],
            "high": table[f"high{mass}"],
            "diagnosis": table["quantity"].map(found.table["diagnosis"]),
        }
    ).reset_index(drop=True)


def _chosen(found, quantities):
    answers = list(found.table.index[found.table["of"] != "parameter"]) or list(found.table.index)
    chosen = [quantities] if isinstance(quantities, str) else list(quantities or answers)
    if unknown := [name for name in chosen if name not in found.table.index]:
        raise LawError(f"nothing is known of {', '.join(unknown)}; there are {', '.join(found.table.index)}")
    return chosen


def sensitivity(found, *, quantities=None, axes=None):
    """Draw the interval of each answer where the prior is weaker (power .8), as fitted and stronger (1.25).

    Parameters
    ----------
    found : Sensitivity
        What `bayesscale.sensitivity` gives.
    quantities : str or sequence of str, optional
        The forecasts and decisions, unless given; without any, the parameters.
    axes : Axes or sequence of Axes, optional
        One per quantity.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        A quantity is unknown, or there are more or fewer axes than quantities.
    """
    table = sensitivity_data(found, quantities=quantities)
    chosen = list(table["quantity"].unique())
    n = len(chosen)
    axes = panels(axes, n, columns=3, width=3.6, height=1.7)
    for ax, name in zip(axes, chosen, strict=True):
        one = table[table["quantity"] == name]
        diagnosis = one["diagnosis"].iloc[0]
        quiet(ax)
        ax.grid(False, axis="y")
        color = BLUE if diagnosis == "-" else ORANGE
        fitted = one[one["power"] == 1.0].iloc[0]
        for end in (fitted["low"], fitted["high"]):
            ax.axvline(end, color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        places = range(len(one))
        ax.hlines(places, one["low"], one["high"], color=color, linewidth=2.2)
        ax.plot(one["median"], places, "o", color=color, markersize=4.5)
        ax.set_yticks(places, one["prior"])
        ax.set_ylim(len(one) - 0.5, -0.5)
        if fitted["low"] > 0 and fitted["high"] > WIDE * fitted["low"]:
            log_axis(ax, name)
        said = "the prior hardly matters" if diagnosis == "-" else diagnosis
        ax.set_title(f"{name}\n{said} ({found.table.loc[name, 'prior']:.2f})", loc="left", fontsize=9, color=INK)
    axes[0].set_ylabel("prior", fontsize=9)
    axes[-1].set_xlabel(f"{100 * found.level:g}% interval and median", fontsize=9)
    return axes
