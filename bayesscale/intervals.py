"""Median and equal-tailed intervals of draws, as the columns that every table of answers has."""

from __future__ import annotations

import numpy as np

from bayesscale.errors import LawError

__all__ = ["LEVELS", "intervals", "masses"]

LEVELS = (0.5, 0.8, 0.95)


def masses(level) -> np.ndarray:
    """Return a level, or several, as an array; raise a LawError where one is no probability."""
    found = np.atleast_1d(np.asarray(level, float))
    if not ((found > 0) & (found < 1)).all():
        raise LawError(f"level is a probability such as 0.95, not {level!r}")
    return found


def intervals(draws, level: float | tuple[float, ...] = LEVELS) -> dict[str, np.ndarray]:
    """Return the median of draws and their equal-tailed intervals.

    Parameters
    ----------
    draws : array, shape (draws, ...)
    level : float or tuple of float
        Mass of each interval: from the quantile (1 - level) / 2 to (1 + level) / 2.

    Returns
    -------
    dict of str to ndarray, shape (...)
        ``median``, then ``low95``, ``high95`` and so on for each level.

    Raises
    ------
    LawError
        A level is no probability.
    """
    found = masses(level)
    tails = np.stack([(1 - found) / 2, (1 + found) / 2], axis=1).ravel()
    median, *ends = np.quantile(np.asarray(draws, float), [0.5, *tails], axis=0)
    names = [f"{side}{100 * mass:g}" for mass in found for side in ("low", "high")]
    return {"median": median, **dict(zip(names, ends, strict=True))}
