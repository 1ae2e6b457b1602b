"""How large runs are, and how far targets lie beyond those that were fitted: in compute, and in N and D."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

__all__ = ["column_of_size", "may_say_size", "outside", "times_the_largest"]

# Covariates that do not say how large a run is.
NO_SIZE = ("B", "lr", "loss", "r")


def may_say_size(law) -> tuple[str, ...]:
    """Return the columns of a law that may say how large a run is, by what they are called in it and in the table."""
    called = zip_longest(law.columns, getattr(law, "takes", ()))
    return tuple(c for c, name in called if not {c, name} & {*NO_SIZE, *law.shares})


def column_of_size(runs, laws) -> str | None:
    """Return the column that says how large a run is: compute, or the only size that the laws take; None if unclear.

    Parameters
    ----------
    runs : Runs
    laws : iterable of Law
    """
    if "C" in runs.columns:
        return "C"
    sizes = {c for law in laws for c in may_say_size(law) if c in runs.columns}
    return sizes.pop() if len(sizes) == 1 else None


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
