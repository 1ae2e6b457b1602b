"""How good forecasts were, once the truth is known: coverage, CRPS, PIT, bias and width, target by target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.intervals import LEVELS, intervals

__all__ = ["crps", "pit", "score"]


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
        One row per target: ``truth``, ``median``, the intervals' ends ``low50``, ``high50``, ... and whether they held
        the truth ``in50``, ``in80``, ``in95``; ``width95`` relative to the truth; ``error``, (median - truth) / truth;
        ``crps`` and ``pit``.
    """
    truth = np.asarray(truth, float)
    columns = {"truth": truth, **intervals(draws)}
    for mass in (f"{100 * level:g}" for level in LEVELS):
        columns[f"in{mass}"] = (columns[f"low{mass}"] <= truth) & (truth <= columns[f"high{mass}"])
    columns["width95"] = (columns["high95"] - columns["low95"]) / truth
    columns["error"] = columns["median"] / truth - 1.0
    return pd.DataFrame({**columns, "crps": crps(draws, truth), "pit": pit(draws, truth)})
