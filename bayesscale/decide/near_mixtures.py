"""Around the best mixture: those that are about as good, and whether it lies among the mixtures that were trained."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

__all__ = ["beyond", "walk"]

WALKERS = 192
STEPS = 24  # of each walker; the last KEPT of them are kept
KEPT = 8
TRIES = 60  # to find a point that is as good on a line through one that is


def walk(cost, best, limit, low, high, *, seed) -> np.ndarray:
    """Return mixtures that cost no more than `limit`, spread evenly over all of these: by hit and run.

    Parameters
    ----------
    cost : callable
        From mixtures, shape (n, domains), to their cost, shape (n,).
    best : ndarray, shape (domains,)
        A mixture that costs less.
    limit : float
    low, high : ndarray, shape (domains,)
    seed : int

    Returns
    -------
    ndarray, shape (mixtures, domains)
    """
    rng = np.random.default_rng(seed)
    free = np.flatnonzero(high - low > 1e-9)
    p, kept = np.tile(best, (WALKERS, 1)), []
    for step in range(STEPS if len(free) > 1 else 0):
        p = _along(cost, p, _directions(rng, p, free), limit, low, high, rng)
        kept += [p] if step >= STEPS - KEPT else []
    return np.concatenate([best[None], *kept])


def _directions(rng, p, free):
    """Return directions that keep the sum: anywhere, or for every other walker more of one domain for less of all."""
    way = np.zeros_like(p)
    way[:, free] = rng.standard_normal((len(p), len(free))) * rng.choice([1.0, 0.1], (len(p), len(free)))
    one = rng.choice(free, len(p))
    way[::2] = 0.0
    way[::2, free] = -p[::2][:, free] - 1e-9
    way[np.arange(0, len(p), 2), one[::2]] = 0.0
    total = way.sum(axis=1)
    way[np.arange(0, len(p), 2), one[::2]] = -total[::2]
    way[1::2, free] -= (total[1::2] / len(free))[:, None]
    return way


def _along(cost, p, way, limit, low, high, rng):
    """Go to a random point of each line that costs no more than the limit, by slices that shrink around the start."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(low - p) / way, (high - p) / way])
    ends = np.where(way == 0, np.array([-np.inf, np.inf])[:, None, None], np.sort(ends, axis=0))
    back, ahead = np.minimum(ends[0].max(axis=1), 0.0), np.maximum(ends[1].min(axis=1), 0.0)
    new, waiting = p.copy(), np.ones(len(p), bool)
    for _ in range(TRIES):
        t = rng.uniform(back, ahead)
        tried = np.clip(p + t[:, None] * way, low, high)
        good = cost(tried) <= limit
        new = np.where((waiting & good)[:, None], tried, new)
        waiting &= ~good
        back, ahead = np.where(waiting & (t < 0), t, back), np.where(waiting & (t >= 0), t, ahead)
        if not waiting.any():
            break
    return new


def beyond(mixtures, seen) -> np.ndarray:
    """Return how far each mixture lies from all averages of the mixtures seen (their convex hull).

    Parameters
    ----------
    mixtures : ndarray, shape (n, domains)
    seen : ndarray, shape (m, domains)

    Returns
    -------
    ndarray, shape (n,)
        The distance; 0 within the hull.
    """
    corners = np.vstack([seen.T, np.ones(len(seen))])
    return np.array([nnls(corners, np.append(p, 1.0))[1] for p in mixtures])
