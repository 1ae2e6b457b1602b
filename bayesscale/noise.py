"""How a measured value scatters around the law: seed, evaluation, outliers.

All of them scatter the logarithm of the measured value, so a scale of .005 is half a percent of the loss; for a law of
accuracies its logit (`Law.scale`). Known measurement errors are added to the scale in quadrature; runs that give
several rows share an effect of their own, which is one number here and a course along training in `curve_noise`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import ClassVar, NamedTuple, override

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro import handlers
from numpyro.distributions import transforms
from scipy import sparse, stats
from scipy.special import logsumexp

from bayesscale import priors
from bayesscale.coordinates import Through
from bayesscale.errors import LawError

__all__ = ["Laplace", "Noise", "Normal", "Seen", "StudentT", "named"]

NODES = 21  # of quadratures over what a run has of its own


class Seen(NamedTuple):
    """The fitted rows of runs that a forecast continues."""

    run: np.ndarray  # (rows,): index of each row's run
    place: np.ndarray  # (rows,): how far the run was trained, such as log S
    residual: np.ndarray  # (draws, rows): log(measured value) - log(law)
    log_error: np.ndarray | None = None  # (rows,): known standard errors, on the log scale


@dataclass(frozen=True, eq=False, repr=False)
class Noise:
    """Scatter of log(measured value) around log(law).

    Parameters
    ----------
    sigma : distribution
        Prior of the scale; the default puts 90 % in .0016 to .022, what is seen on real tables.
    sigma_run : distribution
        Prior of the standard deviation of the runs' own effects; used where rows share a run.
    by : str
        The column whose rows share an effect: ``run``, or another where each run gives one row. All runs of one size
        are trained with the same hyper-parameters and evaluated alike, so that what they stray from a law they stray
        together: a hundred mixtures at four sizes say as much of N as four runs do, and `by` ``"N"`` says so.
    """

    name: ClassVar[str]
    scales: ClassVar[dict[str, float]] = {"sigma": 1.0, "sigma_run": 2 / 3}  # medians of priors, in typical scatters
    sigma: dist.Distribution = priors.positive(0.006, spread=0.8)
    sigma_run: dist.Distribution = priors.positive(0.004, spread=0.8)
    by: str = field(default="run", kw_only=True)

    def scatter(self):
        """Sample the parameters of the noise; return a function (loc, known error) -> distribution of the logs."""
        raise NotImplementedError

    def draw(self, rng, draws, shape):
        """Draw the scatter of rows, an array of `shape` (draws, rows); parameters have shape (draws, 1 or rows)."""
        raise NotImplementedError

    def check(self, rows):
        """Raise a RunsError where the table lacks what this noise needs."""

    def with_errors(self, runs, law):
        """Return the table with the errors that this noise knows of beforehand, in the column ``<gives>_error``."""
        return runs

    def error_of(self, frame, post, value):
        """Return the known standard errors of what is measured at targets, or None.

        Parameters
        ----------
        frame : DataFrame
            The targets.
        post : Posterior
        value : array, shape (targets,)
            About what is measured there.
        """
        name = f"{post.law.gives}_error"
        return frame[name].to_numpy(float) if name in frame else None

    def observe(self, loc, rows):
        """Condition the model on the measured values.

        Parameters
        ----------
        loc : array, shape (rows,)
            The law's expected values, on its scale.
        rows : Rows
            The table as the sampler sees it.
        """
        distribution = self.scatter()
        spread = None if rows.run is None else numpyro.sample("sigma_run", self.sigma_run)
        if rows.bend is not None:
            loc, log_error = rows.bend.of(loc, rows, distribution(0.0, None).scale, spread)
            rows = replace(rows, log_error=log_error)
        if rows.run is not None:
            loc = loc + self._run_effects(distribution(loc, rows.log_error), rows, spread)[rows.run]
        with numpyro.plate("row", rows.n_row), handlers.scale(scale=rows.weight):
            numpyro.sample("observed", distribution(loc, rows.log_error), obs=rows.measured)

    def _run_effects(self, without, rows, spread):
        """Sample what each run has of its own: Normal(0, sigma_run), added to the log of all its rows.

        The coordinate of an effect is relative to what the run's rows say of it: z in effect = m + s z, where m and s
        are the mean and standard deviation that it would have, were the noise normal. Sampled directly, or in units of
        sigma_run, the effects and their spread form a funnel, with many rows a run or with few.
        """
        weight = rows.weight / without.scale**2
        told = jnp.zeros(rows.n_run).at[rows.run].add(weight)
        residuals = jnp.zeros(rows.n_run).at[rows.run].add(weight * (rows.measured - without.loc))
        precision = told + spread**-2
        m, s = residuals / precision, precision**-0.5
        effects = dist.Normal(jnp.zeros(rows.n_run), spread)
        with numpyro.plate("runs", rows.n_run):
            return numpyro.sample("run_effect", Through(effects, transforms.AffineTransform(m, s)))

    def simulate(self, rng, draws, shape, *, log_error=None, run=None, place=None, seen=None):
        """Draw log(measured value) - log(law), as `observe` has it.

        Parameters
        ----------
        rng : numpy.random.Generator
        draws : mapping of str to array, shape (draws, ...)
            The parameters of the noise, at least; with ``sigma_run``, runs have effects of their own, those of the
            table in ``run_effect``.
        shape : tuple
            (draws, rows).
        log_error : array, optional
            Known standard errors of the new values, on the log scale.
        run : array of int, optional
            Index of each row's run, those of the table first; every row is a new run of its own if not given.
        place : array, optional
            How far its run is trained at each row, such as log S; for noise along training curves.
        seen : Seen, optional
            The fitted rows of runs that the new rows belong to; for noise along training curves.

        Returns
        -------
        ndarray of `shape`
        """
        own = {k: np.asarray(v)[:, None] for k, v in draws.items() if k in self.priors()}
        own["sigma"] = np.hypot(own["sigma"], 0.0 if log_error is None else log_error)
        scatter = self.draw(rng, own, shape)
        return scatter + self.effects(rng, draws, shape, run)

    def effects(self, rng, draws, shape, run=None):
        """Draw what the runs of rows have of their own, an array of `shape`; zero where rows share none."""
        if "sigma_run" not in draws:
            return 0.0
        known = draws.get("run_effect", np.empty((shape[0], 0)))
        run = known.shape[1] + np.arange(shape[1]) if run is None else run
        new = max(run.max() + 1 - known.shape[1], 0)
        spread = np.asarray(draws["sigma_run"])[:, None]
        return np.hstack([known, spread * rng.standard_normal((shape[0], new))])[:, run]

    def log_density(self, residual, draws, *, log_error=None):
        """Log density of log(measured value) - log(expected) of new rows, each of a run of its own.

        Parameters
        ----------
        residual : array, shape (draws, rows)
            What the runs have of their own taken off.
        draws : mapping of str to array, shape (draws,)
        log_error : array, optional
            Known standard errors, on the log scale.

        Returns
        -------
        ndarray, shape (draws, rows)
        """
        own = {k: np.asarray(v)[:, None] for k, v in draws.items() if k in self.priors()}
        scale = np.hypot(own["sigma"], 0.0 if log_error is None else log_error)
        return self.family(own).logpdf(residual / scale) - np.log(scale)

    def log_density_of_runs(self, residual, draws, run, *, place=None, log_error=None, weight=1.0):
        """Log density of all rows of a run together, what the run has of its own integrated out.

        Parameters
        ----------
        residual, draws, log_error
            As for `log_density`, for the rows of new runs; with ``sigma_run`` in `draws` each run has an effect.
        run : array of int, shape (rows,)
            Index of each row's run, from 0 on.
        place : array, shape (rows,), optional
            How far its run is trained at each row, such as log S; for noise along training curves.
        weight : array, shape (rows,), optional
            How often each row counts.

        Returns
        -------
        ndarray, shape (draws, runs)
        """
        of_runs = sparse.csr_array((np.ones(len(run)), (run, np.arange(len(run)))))

        def rows_together(effect):
            shifted = residual - effect[:, run]
            return (of_runs @ (weight * self.log_density(shifted, draws, log_error=log_error)).T).T

        none = np.zeros((len(residual), of_runs.shape[0]))
        if "sigma_run" not in draws:
            return rows_together(none)
        # Gauss-Hermite quadrature around the effect that a run would have, were the noise normal; twice as wide.
        spread = np.asarray(draws["sigma_run"])[:, None]
        precision = weight / np.hypot(np.asarray(draws["sigma"])[:, None], 0.0 if log_error is None else log_error) ** 2
        precision = np.broadcast_to(precision, residual.shape)
        told = (of_runs @ precision.T).T + spread**-2
        middle, width = (of_runs @ (precision * residual).T).T / told, 2 * told**-0.5
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        logs = [
            np.log(w)
            + x**2 / 2
            + np.log(width)
            + rows_together(e := middle + width * x)
            + stats.norm.logpdf(e, 0, spread)
            for x, w in zip(nodes, weights, strict=True)
        ]
        return logsumexp(logs, axis=0)

    def family(self, draws):
        """Return the standard distribution of the scatter, one of `scipy.stats`."""
        raise NotImplementedError

    def priors(self) -> dict[str, dist.Distribution]:
        """Return the prior of every parameter by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "by"}

    def _identity(self):
        return str(self), tuple((k, priors.identity(d)) for k, d in self.priors().items())

    def __eq__(self, other):
        return isinstance(other, Noise) and self._identity() == other._identity()

    def __hash__(self):
        return hash(self._identity())

    def __str__(self):
        return self.name if self.by == "run" else f"{self.name} by {self.by}"

    def __repr__(self):
        lines = [f"noise {self}, on the log of the measured value"]
        lines += [f"  {k:<9} ~ {priors.describe(d)}" for k, d in self.priors().items()]
        return "\n".join(lines)


def _total(scale, log_error):
    return scale if log_error is None else jnp.sqrt(scale**2 + log_error**2)


@dataclass(frozen=True, eq=False, repr=False)
class StudentT(Noise):
    """Student-t scatter: most runs close to the law, a few far from it. The default, best on real tables.

    Parameters
    ----------
    nu : distribution
        Prior of the degrees of freedom; 2 to 4 on digitised tables, like a normal above 30.
    """

    name: ClassVar[str] = "student-t"
    nu: dist.Distribution = priors.shifted_gamma(2.0, 2.0, 0.1)

    @override
    def scatter(self):
        sigma, nu = numpyro.sample("sigma", self.sigma), numpyro.sample("nu", self.nu)
        return lambda loc, log_error: dist.StudentT(nu, loc, _total(sigma, log_error))

    @override
    def draw(self, rng, draws, shape):
        return draws["sigma"] * rng.standard_t(draws["nu"], shape)

    @override
    def family(self, draws):
        return stats.t(draws["nu"])


@dataclass(frozen=True, eq=False, repr=False)
class Normal(Noise):
    """Normal scatter: no outliers."""

    name: ClassVar[str] = "normal"

    @override
    def scatter(self):
        sigma = numpyro.sample("sigma", self.sigma)
        return lambda loc, log_error: dist.Normal(loc, _total(sigma, log_error))

    @override
    def draw(self, rng, draws, shape):
        return draws["sigma"] * rng.standard_normal(shape)

    @override
    def family(self, draws):
        return stats.norm


@dataclass(frozen=True, eq=False, repr=False)
class Laplace(Noise):
    """Laplace scatter: the law runs through the median. The literature's Huber loss with delta = 1e-3 amounts to it."""

    name: ClassVar[str] = "laplace"

    @override
    def scatter(self):
        sigma = numpyro.sample("sigma", self.sigma)
        return lambda loc, log_error: dist.Laplace(loc, _total(sigma, log_error))

    @override
    def draw(self, rng, draws, shape):
        return draws["sigma"] * rng.laplace(size=shape)

    @override
    def family(self, draws):
        return stats.laplace


def named(which: str | Noise, *, scatter: float = 0.006) -> Noise:
    """Return a noise by name: ``"student-t"``, ``"normal"``, ``"laplace"``, ``"curve"``, ``"binomial"``; or a `Noise`.

    ``"student-t by N"``: the rows of one N share an effect, instead of those of one run.

    Parameters
    ----------
    which : str or Noise
    scatter : float
        Typical scatter of what the law gives, of its logarithm: sets the medians of the priors of the scales.
    """
    if isinstance(which, Noise):
        return which
    elsewhere = [import_module("bayesscale.curve_noise").Curve, import_module("bayesscale.item_noise").Binomial]
    kinds = {kind.name: kind for kind in (StudentT, Normal, Laplace, *elsewhere)}
    name, said, by = which.partition(" by ") if isinstance(which, str) else (None, "", "")
    if name not in kinds or (said and (name == "curve" or not by.strip())):
        raise LawError(
            f"no noise is named {which!r}; there are {', '.join(kinds)}, and such as 'student-t by N' (not of curve), "
            "where rows of one N share an effect"
        )
    scales = {k: priors.positive(share * scatter, spread=0.8) for k, share in kinds[name].scales.items()}
    return kinds[name](**scales, by=by.strip() or "run")
