"""How the truth may bend away from a law: hardly where the largest runs are, and more so the further one goes.

No law is exactly true. Fitted to many runs its own parameters leave next to no doubt, and its intervals beyond the data
hold half of what they should. The discrepancy is part of the model: learned from how the runs bend away from the law,
carried on beyond them, and given a scale of its own by what was seen on other tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist

from bayesscale import priors
from bayesscale.coordinates import Affine, Through
from bayesscale.errors import LawError
from bayesscale.reach import may_say_size

__all__ = ["Bend", "Discrepancy", "Frame", "named", "scales"]

# What says how large a training run is. Batch size and learning rate do not: the law alone speaks of them.
SCALES = ("N", "D", "S", "C")
JITTER = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Discrepancy:
    """A smooth bend of log(truth) away from log(law), pinned to zero at the scale of the largest run.

    With x the logarithms of what the run is made of, (log N, log D), and c = log N + log D their sum, log compute::

        log truth = log law + (c - c_max) g(x),   g ~ GP(0, tau^2 exp(-|x - x'|^2 / (2 length^2)))

    so that the law is trusted most where it is needed to set out from, the small runs count less the further they are
    away, and beyond the largest run the bend goes on as the runs show it, the more freely the further.

    Parameters
    ----------
    tau : distribution
        Prior of the size of the bend per e-fold of compute, on the law's scale (log loss). The default is as much as a
        run of the law typically scatters, which for losses was chosen on thirteen public tables.
    length : float
        How far, in e-folds of N or D, the bend keeps its direction.
    points : int
        The process is carried by its values at so many of the runs, spread as far as can be; what they leave open is
        added to the noise of each row.
    """

    tau: dist.Distribution = priors.positive(0.006, spread=0.4)
    length: float = 3.0
    points: int = 8

    def __post_init__(self):
        if not isinstance(self.tau, dist.Distribution):
            raise LawError(f"tau is the prior of a size, such as dist.LogNormal(-4.8, 0.4), not {self.tau!r}")
        if not (isinstance(self.points, int) and self.points >= 1 and self.length > 0):
            raise LawError(
                f"points is a whole number from 1 on and length is positive, not {self.points!r} and {self.length!r}"
            )

    def priors(self) -> dict[str, dist.Distribution]:
        """Return the prior of every scalar parameter by name."""
        return {"tau": self.tau}

    def frame(self, law, runs) -> Frame | None:
        """Lay out the process over a table of runs; None where the law takes nothing that says how large a run is."""
        columns = scales(law)
        if not columns:
            return None
        x = np.log(np.column_stack([runs.column(c) for c in columns]))
        origin = x.mean(axis=0)
        at = _spread(x - origin, min(self.points, len(x)))
        root = np.linalg.cholesky(self._covariance(at, at) + JITTER * np.eye(len(at)))
        return Frame(self, columns, origin, (x - origin).sum(axis=1).max(), at, root)

    def _covariance(self, a, b):
        return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(axis=-1) / self.length**2)

    def to_spec(self) -> dict:
        """Write it as plain JSON data."""
        tau = priors.to_spec(self.tau)
        if tau is None:
            raise LawError(f"the prior of tau, {priors.describe(self.tau)}, cannot be written to a file")
        return dict(tau=tau, length=self.length, points=self.points)

    @classmethod
    def from_spec(cls, spec) -> Discrepancy:
        """Rebuild it from `to_spec`."""
        return cls(**{**spec, "tau": priors.from_spec(spec["tau"])})

    def _identity(self):
        return priors.identity(self.tau), self.length, self.points

    def __eq__(self, other):
        return isinstance(other, Discrepancy) and self._identity() == other._identity()

    def __hash__(self):
        return hash(self._identity())

    def __repr__(self):
        return (
            f"discrepancy: (c - c_max) g, g a Gaussian process over log N, log D with length {self.length:g} e-folds\n"
            f"  tau ~ {priors.describe(self.tau)}"
        )


@partial(jax.tree_util.register_dataclass, data_fields=["away", "basis", "rest"], meta_fields=["discrepancy"])
@dataclass(frozen=True)
class Bend:
    """A discrepancy at the rows of a table, as the compiled fit sees it.

    Parameters
    ----------
    away : array, shape (rows,)
        c - c_max.
    basis : array, shape (rows, points)
        g = basis @ z, where z ~ Normal(0, 1) for each point.
    rest : array, shape (rows,)
        Standard deviation of what the points leave open of g.
    discrepancy : Discrepancy
    """

    away: jax.Array
    basis: jax.Array
    rest: jax.Array
    discrepancy: Discrepancy

    def of(self, loc, rows, scale, spread=None):
        """Sample the bend in a NumPyro model.

        The coordinates of the process are relative to what the rows say of it, given the law: the mean and the Cholesky
        factor of the covariance that it would have, were the noise normal. Law and bend take each other's place freely,
        and sampled directly they form a long narrow ridge.

        Parameters
        ----------
        loc : array, shape (rows,)
            Log of the law's expected values.
        rows : Rows
        scale : scalar
            Of the noise.
        spread : scalar, optional
            Standard deviation of the effects that rows of one run share, where they do.

        Returns
        -------
        loc : array, shape (rows,)
            Bent.
        log_error : array, shape (rows,)
            The known errors of the rows and what the points of the process leave open, in quadrature.
        """
        tau = numpyro.sample("tau", self.discrepancy.tau)
        basis = tau * self.away[:, None] * self.basis
        known = 0.0 if rows.log_error is None else rows.log_error
        variance = known**2 + (tau * self.away * self.rest) ** 2
        weight = rows.weight / (scale**2 + variance)
        weighted = weight[:, None] * basis
        if spread is not None:  # what a run has of its own, integrated out
            told = jnp.zeros(rows.n_run).at[rows.run].add(weight)
            of_runs = jnp.zeros((rows.n_run, basis.shape[1])).at[rows.run].add(weighted)
            weighted = weighted - weight[:, None] * (of_runs / (told + spread**-2)[:, None])[rows.run]
        precision = jnp.eye(basis.shape[1]) + weighted.T @ basis
        root = jnp.linalg.cholesky(precision)
        mean = jax.scipy.linalg.cho_solve((root, True), weighted.T @ (rows.measured - loc))
        # precision^-1 = R^-T R^-1: an upper factor of the covariance, which serves as well as a lower one.
        factor = jax.scipy.linalg.solve_triangular(root, jnp.eye(len(mean)), lower=True).T
        prior = dist.Normal(0.0, 1.0).expand([len(mean)]).to_event(1)
        z = numpyro.sample("bend", Through(prior, Affine(mean, factor)))
        # Where both are zero a root has no derivative; a millionth of a millionth is zero enough.
        return loc + basis @ z, jnp.sqrt(variance + 1e-24)


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
    """A discrepancy laid out over one table: where its points are, and where the largest run is.

    Parameters
    ----------
    discrepancy : Discrepancy
    columns : tuple of str
        What x is made of.
    origin : ndarray, shape (columns,)
        Mean of x over the runs.
    edge : float
        c of the largest run, from the origin.
    at : ndarray, shape (points, columns)
        The points of the process, from the origin.
    root : ndarray, shape (points, points)
        Cholesky factor of their covariance.
    """

    discrepancy: Discrepancy
    columns: tuple[str, ...]
    origin: np.ndarray
    edge: float
    at: np.ndarray
    root: np.ndarray

    def place(self, columns) -> tuple[np.ndarray, np.ndarray]:
        """Return c - c_max of targets, and what each point of the process says of them, shape (targets, points)."""
        x = np.log(np.column_stack([np.asarray(columns[c], float) for c in self.columns])) - self.origin
        basis = np.linalg.solve(self.root, self.discrepancy._covariance(self.at, x)).T
        return x.sum(axis=1) - self.edge, basis

    def of_runs(self, columns) -> Bend:
        """Return what the model of a fit needs of each row."""
        away, basis = self.place(columns)
        rest = np.sqrt(np.clip(1.0 - (basis**2).sum(axis=1), 0.0, 1.0))
        # Points beyond the number of different runs say nothing: with them all small tables share one program.
        unused = np.zeros((len(basis), self.discrepancy.points - basis.shape[1]))
        return Bend(away, np.hstack([basis, unused]), rest, self.discrepancy)


def scales(law) -> tuple[str, ...]:
    """Return the covariates of a law that say how large a run is."""
    if law.gives in SCALES or law.gives == "B_crit":
        return ()
    # With a batch size the tokens count, not the steps: many small steps are no larger run.
    columns = ("D" if c == "S" and "B" in law.columns else c for c in law.columns)
    found = tuple(c for c in columns if c in SCALES)
    return found or (may_say_size(law) if len(law.columns) == 1 else ())


def _spread(x, n):
    """Choose `n` rows that lie as far apart as can be, the smallest run first.

    Rounded, so that ties of a regular design are broken alike on every machine: a saved process belongs to its points.
    """
    x = np.round(x, 9)
    chosen = [int(np.argmin(np.round(x.sum(axis=1), 9)))]
    nearest = np.full(len(x), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.round(((x - x[chosen[-1]]) ** 2).sum(axis=1), 9))
        if nearest.max() <= 0:  # fewer different runs than points
            break
        chosen.append(int(np.argmax(nearest)))
    return x[chosen]


def named(which, *, scatter: float = 0.006) -> Discrepancy | None:
    """Return a discrepancy: ``True`` is the default one, ``False`` or None is none; a `Discrepancy` is itself.

    Parameters
    ----------
    which : bool, Discrepancy or None
    scatter : float
        Typical scatter of what the law gives, on its scale: the median of the default's tau.
    """
    if which is True:
        return Discrepancy(tau=priors.positive(scatter, spread=0.4))
    if which is None or which is False or isinstance(which, Discrepancy):
        return which or None
    raise LawError(f"discrepancy is True, False or a Discrepancy, not {which!r}")
