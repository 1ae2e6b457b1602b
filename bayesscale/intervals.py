"""Median and equal-tailed intervals of draws, as the columns that every table of answers has."""

from __future__ import annotations

import numpy as np

from bayesscale.errors import LawError

__all__ = ["LEVELS", "intervals"]

LEVELS = (0.5, 0.8, 0.95)


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
    masses = np.atleast_1d(np.asarray(level, float))
    if not ((masses > 0) & (masses < 1)).all():
        raise LawError(f"level is a probability such as 0.95, not {level!r}")
    tails = np.stack([(1 - masses) / 2, (1 + masses) / 2], axis=1).ravel()
    median, *ends = np.quantile(np.asarray(draws, float), [0.5, *tails], axis=0)
    names = [f"{side}{100 * mass:g}" for mass in masses for side in ("low", "high")]
    return {"median": median, **dict(zip(names, ends, strict=True))}
