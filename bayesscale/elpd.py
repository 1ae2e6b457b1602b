"""Expected log predictive density of a fit for new rows like those it saw: WAIC (ours) and PSIS-LOO (ArviZ's).

Both score interpolation. Neither tells whether a law holds beyond the data.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

__all__ = ["KHAT", "Elpd", "arviz_loo", "loo", "psis", "waic"]

KHAT = 0.7  # Pareto k-hat up to which importance sampling can be relied on


@dataclass(frozen=True, eq=False)
class Elpd:
    """An estimate of the expected log predictive density.

    Parameters
    ----------
    pointwise : ndarray, shape (rows,)
        Each row's share; their sum is the estimate.
    p : float
        Effective number of parameters.
    diagnostic : ndarray, shape (rows,)
        p_waic of each row (reliable up to .4), or Pareto k-hat of each row (reliable up to .7).
    """

    pointwise: np.ndarray
    p: float
    diagnostic: np.ndarray

    @property
    def elpd(self) -> float:
        """The estimate: higher is better."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Its standard error over rows, sqrt(n var(elpd_i)), as ArviZ 1.x has it."""
        return float(np.sqrt(self.pointwise.size * self.pointwise.var(ddof=1)))


def waic(log_likelihood: np.ndarray) -> Elpd:
    r"""Widely applicable information criterion, on the scale of elpd (not times -2).

    .. math:: elpd_i = \log \frac1S \sum_s p(y_i | \theta_s) - \mathrm{var}_s \log p(y_i | \theta_s)

    Parameters
    ----------
    log_likelihood : ndarray, shape (chain, draw, row)

    Returns
    -------
    Elpd

    Notes
    -----
    Watanabe 2010; Vehtari, Gelman and Gabry 2017, eq. 11. The variance has divisor S, as in ArviZ 0.x.
    """
    flat = log_likelihood.reshape(-1, log_likelihood.shape[-1])
    p = flat.var(axis=0)
    return Elpd(logsumexp(flat, axis=0) - np.log(len(flat)) - p, float(p.sum()), p)


def loo(post) -> Elpd:
    """Pareto-smoothed leave-one-out cross-validation by ArviZ.

    Parameters
    ----------
    post : Posterior

    Returns
    -------
    Elpd
    """
    return psis(post.data)


def psis(data) -> Elpd:
    """Do the same for any ArviZ object with one variable in its log likelihood: rows, or groups of rows.

    Parameters
    ----------
    data : xarray.DataTree

    Returns
    -------
    Elpd
    """
    found = arviz_loo(data)
    return Elpd(found.elpd_i.to_numpy(), float(found.p), found.pareto_k.to_numpy())


def arviz_loo(data):
    """Return ArviZ's own record of leave-one-out, which its `compare` takes."""
    import arviz_stats

    with warnings.catch_warnings():
        # A large k-hat is said in our own words, by those who show the number.
        warnings.simplefilter("ignore", UserWarning)
        return arviz_stats.loo(data, pointwise=True)
