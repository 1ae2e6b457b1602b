"""How far each law is behind the best, and how sure that is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.elpd import waic
from bayesscale.evaluate.rollouts import difference_error, log_scores
from bayesscale.plots.bands import SERIES
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, new_axes, quiet

__all__ = ["comparison", "comparison_data"]


def comparison_data(compared) -> pd.DataFrame:
    """Compute the numbers of `comparison`.

    Parameters
    ----------
    compared : Comparison

    Returns
    -------
    DataFrame
        One row per law, the best by LOO first: ``loo_diff`` and ``loo_se``, ``waic_diff`` and ``waic_se`` (elpd minus
        that of the first law, and the standard error of the difference over rows), ``weight`` (stacking); with a
        rollout ``rollout_diff`` and ``rollout_se``, over factors of two in compute.
    """
    laws = compared.table.index
    by_waic = pd.DataFrame({law: waic(compared.posteriors[law].log_likelihood).pointwise for law in laws})
    behind = by_waic.sub(by_waic[laws[0]], axis=0)
    columns = dict(
        loo_diff=compared.table["diff"],
        loo_se=compared.table["diff_se"],
        waic_diff=behind.sum(),
        waic_se=np.sqrt(len(behind) * behind.var(ddof=1)),  # as the table's diff_se
        weight=compared.table["weight"],
    )
    if compared.rollout is not None:
        scores = log_scores(compared.rollout)
        ahead = scores.sub(scores[laws[0]], axis=0)
        columns |= dict(rollout_diff=ahead.sum(), rollout_se=difference_error(ahead))
    return pd.DataFrame(columns, index=laws).rename_axis("law")


def comparison(compared, *, ax=None):
    """Draw each law's elpd beside that of the best by LOO, with standard errors; stacking weights on the right.

    By LOO, by WAIC and, if there is one, by rollout: a law right of zero by the rollout foretold the larger runs better
    than the one that LOO prefers.

    Parameters
    ----------
    compared : Comparison
        What `bayesscale.compare` gives.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    table = comparison_data(compared)
    ax = new_axes(height=1.2 + 0.55 * len(table))[0] if ax is None else ax
    quiet(ax)
    ax.grid(False, axis="y")
    ax.axvline(0, color=GRAY, linewidth=0.9)
    places = np.arange(len(table))
    scores = {"loo": ("LOO", -0.11, "o", BLUE), "waic": ("WAIC", 0.11, "s", ORANGE)}
    if "rollout_diff" in table:
        scores |= {"loo": ("LOO", -0.2, "o", BLUE), "waic": ("WAIC", 0.0, "s", ORANGE)}
        scores["rollout"] = ("rollout", 0.2, "D", SERIES[2])
    for score, (said, shift, marker, color) in scores.items():
        behind, error = table[f"{score}_diff"], table[f"{score}_se"]
        line = dict(color=color, markersize=5, capsize=3, linewidth=1.4, label=f"{said} ± se")
        ax.errorbar(behind, places + shift, xerr=error, fmt=marker, **line)
    ax.set_yticks(places, table.index)
    ax.set_ylim(len(table) - 0.5, -0.5)
    _write_beside(ax, 78, "LOO ± se", [f"{row.loo_diff:.1f} ± {row.loo_se:.1f}" for row in table.itertuples()])
    _write_beside(ax, 124, "weight", [f"{weight:.2f}" for weight in table["weight"]])
    ax.set_xlabel("elpd minus that of the best law by LOO (higher is better)")
    explain(ax)
    return ax


def _write_beside(ax, points, title, texts):
    """Write a column of numbers that ends so many points to the right of the axes, a number per law."""
    words = dict(fontsize=9, color=INK, ha="right", annotation_clip=False, textcoords="offset points")
    ax.annotate(title, (1, 1), xycoords="axes fraction", xytext=(points, 2), va="bottom", **words)
    for place, text in enumerate(texts):
        at = dict(xycoords=ax.get_yaxis_transform(), xytext=(points, 0), va="center")
        ax.annotate(text.replace("-", "\N{MINUS SIGN}"), (1, place), **at, **words)
