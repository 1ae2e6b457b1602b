"""How good forecasts were, once the truth is known: coverage, CRPS, PIT, bias and width, target by target."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["LEVELS", "crps", "pit", "score"]

LEVELS = (0.5, 0.8, 0.95)


def crps(draws, truth) -> np.ndarray:
    """Continuous ranked probability score of predictive draws: E|X - y| - E|X - X'| / 2, in the unit of the truth.

    Parameters
    ----------
    draws : array, shape (draws, targets)
    truth : array, shape (targets,)

    Returns
    -------
    ndarray, shape (targets,)
        The lower the better; for a point forecast it is the absolute error (Gneiting and Raftery 2007).
    """
    draws = np.sort(np.asarray(draws, float), axis=0)
    n = len(draws)
    # Over sorted draws the mean distance of all pairs is a weighted sum.
    rank = (2.0 * np.arange(1, n + 1) - n - 1.0)[:, None]
    half_spread = (rank * draws).sum(axis=0) / (n * n)
    return np.abs(draws - truth).mean(axis=0) - half_spread


def pit(draws, truth) -> np.ndarray:
    """Probability integral transform: the share of draws below the truth, shape (targets,); uniform if calibrated."""
    draws = np.asarray(draws, float)
    return (draws < truth).mean(axis=0) + 0.5 * (draws == truth).mean(axis=0)


def score(draws, truth) -> pd.DataFrame:
    """Score predictive draws against the truth.

    Parameters
    ----------
    draws : array, shape (draws, targets)
    truth : array, shape (targets,)

    Returns
    -------
    DataFrame
        One row per target: ``truth``, ``median``, the interval's ends ``low50``, ``high50``, ... and whether it held
        the truth ``in50``, ``in80``, ``in95``; ``width95`` relative to the truth; ``error``, (median - truth) / truth;
        ``crps`` and ``pit``.
    """
    truth = np.asarray(truth, float)
    columns = {"truth": truth, "median": np.median(draws, axis=0)}
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        mass = f"{100 * level:g}"
        columns |= {f"low{mass}": low, f"high{mass}": high, f"in{mass}": (low <= truth) & (truth <= high)}
    columns["width95"] = (columns["high95"] - columns["low95"]) / truth
    columns["error"] = columns["median"] / truth - 1.0
    return pd.DataFrame({**columns, "crps": crps(draws, truth), "pit": pit(draws, truth)})
