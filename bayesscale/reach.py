"""How far targets lie beyond the runs that were fitted: in compute, and outside of all that was seen of N and D."""

from __future__ import annotations

import numpy as np

__all__ = ["outside", "times_the_largest"]


def times_the_largest(fitted, targets) -> np.ndarray | None:
    """Return the compute of each target as a multiple of the largest run's; None where either is unknown.

    Parameters
    ----------
    fitted, targets : DataFrame
    """
    if "C" not in targets or "C" not in fitted:
        return None
    return targets["C"].to_numpy(float) / fitted["C"].max()


def outside(fitted, targets, columns) -> np.ndarray:
    """Say which targets lie outside the convex hull of the runs, in the logarithms of one or two columns.

    Parameters
    ----------
    fitted, targets : DataFrame
    columns : tuple of str

    Returns
    -------
    ndarray of bool, shape (targets,)
    """
    inner, asked = (np.log(table[list(columns)].to_numpy(float)) for table in (fitted, targets))
    if inner.shape[1] == 1:
        return ((asked < inner.min(axis=0) - 1e-9) | (asked > inner.max(axis=0) + 1e-9))[:, 0]
    # Seen from a point outside, all runs lie within less than half a turn: some gap between them is more than half.
    x, y = np.moveaxis(np.unique(inner, axis=0)[None] - asked[:, None], -1, 0)
    angle = np.sort(np.arctan2(y, x), axis=1)
    gap = np.diff(angle, axis=1, append=angle[:, :1] + 2 * np.pi).max(axis=1)
    return (gap > np.pi + 1e-6) & (np.hypot(x, y).min(axis=1) > 1e-9)
