"""Noise for training curves: what a run has of its own is a smooth course along training.

Checkpoints of one run are not independent measurements of a law: a curve that lies above the law at one step lies above
it at the next, and where it is bending away it goes on to. Counted as independent, many checkpoints make an interval
far too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, override

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro import handlers
from numpyro.distributions import transforms
from scipy import stats

from bayesscale import priors
from bayesscale.coordinates import Through
from bayesscale.errors import LawError, RunsError
from bayesscale.noise import Noise

__all__ = ["Curve", "along_runs"]

FAR = 1e9  # e-folds between one run and the next; not infinite, so that gradients stay finite


@dataclass(frozen=True, eq=False, repr=False)
class Curve(Noise):
    """Scatter of log(measured value) around log(law) along training curves.

    A row of a run at t = log S (or log D, or log C) has u(t) + e: e ~ Normal(0, sigma) belongs to this measurement
    alone, u is the run's own course, a Gaussian process with Matern's covariance of smoothness 3/2::

        cov(u(t), u(t')) = sigma_run^2 (1 + z) exp(-z),  z = sqrt(3) |t - t'| / length

    Over a length far beyond the table it is a constant effect of the run. A forecast of a run that was fitted continues
    its curve, value and slope, and comes back to the law over a length.

    Parameters
    ----------
    sigma : distribution
        Prior of the scale of single measurements: an evaluation's error. On smoothed curves hardly any.
    sigma_run : distribution
        Prior of how far a run strays from the law.
    length : distribution
        Prior of how long it does, in e-folds of training; the default is about a decade.

    Notes
    -----
    Why smooth: real curves bend away from a law, they do not jitter around it. An Ornstein-Uhlenbeck process, which has
    no slope, fits them worse and gives intervals at the end of a curve that are too narrow.

    The density of a row is that given the rows of its run before it (by a Kalman filter: exact, in time proportional to
    the rows), so LOO and WAIC ask how well a law predicts the next row of a curve, not how well it predicts a new one.
    """

    name: ClassVar[str] = "curve"
    scales: ClassVar[dict[str, float]] = {"sigma": 0.05, "sigma_run": 1.0}
    sigma: dist.Distribution = priors.positive(0.0003, spread=0.8)
    sigma_run: dist.Distribution = priors.positive(0.006, spread=0.8)
    length: dist.Distribution = priors.positive(2.3, spread=0.7)

    @staticmethod
    def transition(gap, length, exp=np.exp):
        """Move the state (course, slope), in units of their standard deviations, along a gap.

        Parameters
        ----------
        gap, length : array or scalar
        exp : callable
            NumPy's, or JAX's while sampling.

        Returns
        -------
        F : tuple
            Rows of the matrix that carries the state over.
        Q : tuple
            (1, 1), (1, 2) and (2, 2) of the covariance of what is new.
        """
        z = 3**0.5 * gap / length
        e = exp(-z)
        F = (1 + z) * e, z * e, -z * e, (1 - z) * e
        return F, (1 - F[0] ** 2 - F[1] ** 2, 2 * (z * e) ** 2, 1 - F[2] ** 2 - F[3] ** 2)

    @override
    def check(self, rows):
        if self.by != "run":
            raise LawError(f"curve noise is along each run: it has no effects by {self.by}")
        if rows.run is None:
            raise RunsError(
                "curve noise needs rows that share a run: a column run, with one name for all rows of a training curve"
            )
        if rows.gap is None:
            raise RunsError("curve noise needs to know how far a run was trained at each row: a column S, D or C")
        # Without such a column the weights are 1, and 0 for the rows that only fill the shape.
        if not np.isin(rows.weight, (0.0, 1.0)).all():
            raise RunsError(
                "curve noise takes each row of a curve as measured once, one after the other: it cannot count rows by "
                "a column weight; drop the column, or give known errors instead (a column such as loss_error)"
            )

    @override
    def observe(self, loc, rows):
        sigma, length = numpyro.sample("sigma", self.sigma), numpyro.sample("length", self.length)
        # A stretch of curve shows how sharply it bends, sigma_run / length^1.5, before it shows how far it strays.
        bend = transforms.AffineTransform(0.0, length**1.5, domain=dist.constraints.positive)
        bend = transforms.ComposeTransform([transforms.ExpTransform(), bend])
        sigma_run = numpyro.sample("sigma_run", Through(self.sigma_run, bend))
        if rows.bend is not None:
            loc, log_error = rows.bend.of(loc, rows, jnp.hypot(sigma, sigma_run))
            rows = replace(rows, log_error=log_error)
        white = sigma**2 + (jnp.zeros(rows.n_row) if rows.log_error is None else rows.log_error**2)
        F, Q = self.transition(rows.gap, length, jnp.exp)
        ahead, variance = _one_ahead((rows.measured - loc)[rows.order], white[rows.order], F, Q, sigma_run)
        ahead, variance = (jnp.zeros(rows.n_row).at[rows.order].set(x) for x in (ahead, variance))
        with numpyro.plate("row", rows.n_row), handlers.scale(scale=rows.weight):
            numpyro.sample("observed", dist.Normal(loc + ahead, jnp.sqrt(variance)), obs=rows.measured)

    @override
    def family(self, draws):
        return stats.norm

    @override
    def log_density_of_runs(self, residual, draws, run, *, place=None, log_error=None, weight=1.0):
        order, gap = along_runs(run, np.zeros(len(run)) if place is None else place)
        sigma, sigma_run, length = (np.asarray(draws[k])[:, None] for k in ("sigma", "sigma_run", "length"))
        white = np.broadcast_to(sigma**2 + (0.0 if log_error is None else log_error**2), residual.shape)
        F, Q = self.transition(gap, length)
        with jax.enable_x64(True):
            filtered = _ahead_of_each_draw(residual[:, order], white[:, order], F, Q, sigma_run[:, 0])
        ahead, variance = map(np.asarray, filtered)
        density = stats.norm.logpdf(residual[:, order], ahead, np.sqrt(variance))
        first = np.flatnonzero(np.diff(run[order], prepend=-1))
        return np.add.reduceat(density, first, axis=1)

    @override
    def simulate(self, rng, draws, shape, *, log_error=None, run=None, place=None, seen=None):
        n = shape[1]
        if run is not None and place is None:
            raise RunsError("to continue a curve, targets must say how far the run is trained then: a column S, D or C")
        run = np.arange(n) if run is None else run
        place = np.zeros(n) if place is None else place
        error = np.broadcast_to(0.0 if log_error is None else log_error, n)
        residual = np.full(shape, np.nan)  # not measured: what is asked for
        if seen is not None:
            run, place = np.concatenate([seen.run, run]), np.concatenate([seen.place, place])
            error = np.concatenate([np.zeros(len(seen.run)) if seen.log_error is None else seen.log_error, error])
            residual = np.concatenate([seen.residual, residual], axis=1)
        order, gap = along_runs(run, place)
        sigma, sigma_run, length = (np.asarray(draws[k])[:, None] for k in ("sigma", "sigma_run", "length"))
        white = sigma**2 + error**2
        F, Q = self.transition(gap, length)
        course = np.empty_like(residual)
        course[:, order] = _sampled_course(rng, residual[:, order], white[:, order], F, Q, sigma_run)
        return (course + np.sqrt(white) * rng.standard_normal(course.shape))[:, -n:]


def along_runs(run, place):
    """Put rows in the order of training, run by run.

    Parameters
    ----------
    run : ndarray of int, shape (rows,)
    place : ndarray, shape (rows,)
        log S, or another measure of training.

    Returns
    -------
    order : ndarray of int
    gap : ndarray
        How far each row, in that order, is from the one before it; `FAR` where a run begins.
    """
    order = np.lexsort((place, run))
    gap = np.diff(place[order], prepend=0.0)
    gap[np.diff(run[order], prepend=-1) != 0] = FAR
    return order, gap


def _carried(P, F, Q):
    """Carry a covariance (P11, P12, P22) over a gap: F P F' + Q."""
    (a, b, c, d), (p, q, r) = F, P
    return (
        a * a * p + 2 * a * b * q + b * b * r + Q[0],
        a * c * p + (a * d + b * c) * q + b * d * r + Q[1],
        c * c * p + 2 * c * d * q + d * d * r + Q[2],
    )


def _one_ahead(residual, white, F, Q, sigma_run):
    """Predict each row of a curve from the rows before it: its mean and variance, by a Kalman filter.

    Parameters
    ----------
    residual, white : array, shape (rows,)
        log y - log law and the variance of the measurements, in the order of training.
    F, Q : tuple of array, shape (rows,)
        As `Curve.transition` has them.
    sigma_run : scalar

    Returns
    -------
    mean, variance : array, shape (rows,)
    """

    def step(state, row):
        (u, v, *P), (residual, white, F, Q) = state, row
        u, v = F[0] * u + F[1] * v, F[2] * u + F[3] * v
        p, q, r = _carried(P, F, Q)
        total = p + white
        surprise = (residual - u) / total
        after = u + p * surprise, v + q * surprise, p * white / total, q * white / total, r - q * q / total
        return after, (u, total)

    zero = jnp.zeros_like(sigma_run)
    Q = tuple(sigma_run**2 * x for x in Q)
    start = (zero, zero, sigma_run**2, zero, sigma_run**2)
    return jax.lax.scan(step, start, (residual, white, F, Q))[1]


_ahead_of_each_draw = jax.jit(jax.vmap(_one_ahead))


def _sampled_course(rng, residual, white, F, Q, sigma_run):
    """Draw what runs have of their own at every row, given what was measured of them.

    A course is drawn from the process alone, then corrected by what the measurements say of its difference from the
    truth: one pass forth, one back (Durbin and Koopman 2002).

    Parameters
    ----------
    residual, white : ndarray, shape (draws, rows)
        As for `_one_ahead`; NaN where nothing was measured.
    F, Q : tuple of ndarray, shape (draws, rows)
    sigma_run : ndarray, shape (draws, 1)

    Returns
    -------
    ndarray, shape (draws, rows)
    """
    n_draw, n_row = residual.shape
    F, Q = np.moveaxis(np.array(F), -1, 0), np.moveaxis(sigma_run**2 * np.array(Q), -1, 0)  # by row
    measured = ~np.isnan(residual)
    drawn = np.empty((n_row, n_draw))
    u = v = np.zeros(n_draw)
    for i in range(n_row):
        first, second = rng.standard_normal((2, n_draw))
        scale = np.sqrt(np.maximum(Q[i, 0], 0.0))
        across = Q[i, 1] / np.maximum(scale, np.finfo(float).tiny)
        rest = np.sqrt(np.maximum(Q[i, 2] - across**2, 0.0))
        (a, b, c, d) = F[i]
        u, v = a * u + b * v + scale * first, c * u + d * v + across * first + rest * second
        drawn[i] = u
    difference = residual - drawn.T - np.sqrt(white) * rng.standard_normal(residual.shape)

    u, v = np.zeros((2, n_draw))
    P = (sigma_run[:, 0] ** 2, np.zeros(n_draw), sigma_run[:, 0] ** 2)
    ahead, gains, surprises = [], [], []
    for i in range(n_row):
        a, b, c, d = F[i]
        u, v = a * u + b * v, c * u + d * v
        P = p, q, r = _carried(P, F[i], Q[i])
        ahead.append((u, p, q))
        one_over = np.where(measured[:, i], 1 / (p + white[:, i]), 0.0)
        surprise = np.where(measured[:, i], difference[:, i] - u, 0.0) * one_over
        u, v = u + p * surprise, v + q * surprise
        gains.append((p * one_over, q * one_over))
        surprises.append(surprise)
        P = (p - p * p * one_over, q - p * q * one_over, r - q * q * one_over)
    back_u = back_v = np.zeros(n_draw)
    for i in range(n_row - 1, -1, -1):
        (u, p, q), (gain_u, gain_v) = ahead[i], gains[i]
        back_u = back_u - gain_u * back_u - gain_v * back_v + surprises[i]
        drawn[i] += u + p * back_u + q * back_v
        a, b, c, d = F[i]
        back_u, back_v = a * back_u + c * back_v, b * back_u + d * back_v
    return drawn.T
