"""What a posterior predicts: draws of what is measured, or of its expected value, at targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro import handlers
from scipy.special import logsumexp

from bayesscale.center import Covariate
from bayesscale.discrepancy import scales
from bayesscale.errors import LawError
from bayesscale.inference import compiling, precise, rows_of, trained_along
from bayesscale.intervals import LEVELS, intervals
from bayesscale.noise import Seen
from bayesscale.reach import outside, times_the_largest
from bayesscale.targets import check_whole, names_of, read_targets
from bayesscale.units import format_number

__all__ = ["Forecast", "expectation", "log_density", "predict", "unit_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Predictive draws at targets.

    Parameters
    ----------
    targets : DataFrame
        One row per target.
    draws : ndarray, shape (draws, targets)
        In the unit of what the law gives.
    gives : str
        What is forecast.
    kind : {"new-run", "mean"}
        What one more run would measure (or the run that the target names, if it was fitted), or the law's value.
    law : str
        Name of the law.
    unit : str
        Of what is forecast.
    reach : ndarray, optional
        Compute of each target as a multiple of the largest run's, where both are known.
    outside : ndarray of bool, optional
        Whether each target lies outside the convex hull of the runs in (log N, log D).
    continued : tuple of str
        The runs of the targets that were fitted, and whose own course the forecast continues.
    logs : mapping of str to ndarray, shape (draws, targets)
        What the draws, on the law's scale (the logarithm, or logit), are the sum of: ``parameters`` (the law),
        ``discrepancy`` (how the truth bends away from it) and ``noise`` (of a new run).
    notes : tuple of str
        What else was done to the draws, such as a recalibration: said wherever the forecast is shown.
    """

    targets: pd.DataFrame
    draws: np.ndarray
    gives: str
    kind: str
    law: str
    unit: str = ""
    reach: np.ndarray | None = None
    outside: np.ndarray | None = None
    continued: tuple[str, ...] = ()
    logs: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def median(self) -> np.ndarray:
        """Median per target."""
        return np.median(self.draws, axis=0)

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Equal-tailed interval of this mass: (low, high), one per target."""
        if not 0 < level < 1:
            raise LawError(f"level is a probability such as 0.95, not {level!r}")
        return tuple(np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0))

    def table(self, *, level: float | tuple[float, ...] = LEVELS) -> pd.DataFrame:
        """Return the targets with the median and the equal-tailed intervals: ``median``, ``low50``, ``high50``, ..."""
        return self.targets.assign(**intervals(self.draws, level))

    def quantiles(self, probabilities=(0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)) -> pd.DataFrame:
        """Return quantiles, one row per target and one column per probability."""
        values = np.quantile(self.draws, probabilities, axis=0).T
        return pd.DataFrame(values, index=self.targets.index, columns=list(probabilities))

    def probability(self, *, below: float | None = None, above: float | None = None) -> pd.Series:
        """Return P(value < below) or P(value > above) per target; with both, P(above < value < below)."""
        if below is None and above is None:
            raise LawError("say a threshold: probability(below=2.0) or probability(above=2.0)")
        inside = np.ones(self.draws.shape, bool)
        inside &= self.draws < below if below is not None else True
        inside &= self.draws > above if above is not None else True
        return pd.Series(inside.mean(axis=0), index=self.targets.index, name=f"P({self.gives})")

    def _shown(self):
        shown = self.table()
        for name in self.targets.select_dtypes("number"):
            shown[name] = [format_number(x) for x in shown[name]]
        return shown

    @property
    def what(self) -> str:
        """What is forecast, in words."""
        what = f"{self.gives} of a new run" if self.kind == "new-run" else f"expected {self.gives}"
        if self.continued:
            first = ", ".join(self.continued[:3]) + ", ..." * (len(self.continued) > 3)
            new = self.targets["run"].nunique() > len(self.continued)
            what = f"{self.gives} of run {first} continued" + ", else of new runs" * new
        return what

    def _headline(self):
        unit = f" [{self.unit}]" if self.unit else ""
        return f"forecast of the {self.what}{unit}, law {self.law}; 50/80/95% equal-tailed intervals"

    def parts(self) -> pd.DataFrame:
        """Say how much of the uncertainty comes from where.

        Returns
        -------
        DataFrame
            One row per target, one column per source: ``parameters`` of the law, ``discrepancy`` (how the truth may
            bend away from it), ``noise`` of a new run. Shares of the variance of the logarithm, of total one.

        Notes
        -----
        A source's share is its covariance with the sum, over the variance of the sum. Law and discrepancy make up for
        each other where there are runs, so one of them may have a negative share there.
        """
        total = sum(self.logs.values())
        away = total - total.mean(axis=0)
        shares = {name: (away * part).mean(axis=0) / away.var(axis=0) for name, part in self.logs.items()}
        return pd.DataFrame(shares, index=self.targets.index)

    @property
    def bent(self) -> bool:
        """Whether the truth may bend away from the law (`Discrepancy`)."""
        return "discrepancy" in self.logs

    @property
    def caveat(self) -> str:
        """How far the targets lie beyond the data, if they do, what the interval then leaves out, and the notes."""
        beyond = self.reach is not None and np.max(self.reach) > 1.0
        where = [f"up to {np.max(self.reach):.3g} times the compute of the largest run"] if beyond else []
        if self.outside is not None and self.outside.any():
            where.append(f"{self.outside.sum()} of {len(self.outside)} targets outside the runs' range of N and D")
        if not where:
            return "; ".join(self.notes)
        how = "how far the truth may bend away from the law is part of the interval"
        if not self.bent:
            how = "the interval holds if the law does; with discrepancy=True the truth may bend away from it"
        return "; ".join([f"{', '.join(where)}: {how}", *self.notes])

    def __repr__(self):
        shown = self._shown().to_string(index=False, float_format=lambda x: f"{x:.4g}")
        return "\n".join(filter(None, [self._headline(), shown, self.caveat]))

    def _repr_html_(self):
        table = self._shown().to_html(index=False, float_format=lambda x: f"{x:.4g}", border=0)
        return f"<p><b>{self._headline()}</b></p>{table}<p>{self.caveat}</p>"


@lru_cache(maxsize=128)
def _compiled_expectation(law, by_draw):
    def one(parameters, log_x, center, y_center):
        x = {k: Covariate(v, center[k]) for k, v in log_x.items()}
        with handlers.substitute(data=parameters):
            value = law.expected(x, y_center)
        return jnp.broadcast_to(value, next(iter(log_x.values())).shape)

    log_x = {k: 0 if k in by_draw else None for k in law.columns}
    return jax.jit(jax.vmap(one, in_axes=(0, log_x, None, None)))


def expectation(law, parameters, covariates, centers, *, precision="float64") -> np.ndarray:
    """Compute a law's expected value for each draw at each target.

    Parameters
    ----------
    law : Law
    parameters : mapping of str to ndarray, shape (draws,)
        The law's sampled parameters.
    covariates : mapping of str to ndarray, shape (targets,) or (draws, targets)
        The same for all draws, or other ones for each.
    centers : mapping of str to float
        The centres of the fit.

    Returns
    -------
    ndarray, shape (draws, targets)
    """
    with np.errstate(divide="ignore"):  # a share may be zero
        logs = {k: np.log(np.asarray(covariates[k]) / centers[k]) for k in law.columns}
    n = next(iter(logs.values())).shape[-1]
    size = 8 * 2 ** int(np.ceil(np.log2(max(n, 8) / 8)))  # few shapes, few compilations
    log_x = {k: np.take(x, np.arange(size) % n, axis=-1) for k, x in logs.items()}
    by_draw = tuple(k for k, x in log_x.items() if x.ndim == 2)
    with precise(precision), compiling():
        sampled = {k: jnp.asarray(parameters[k]) for k in law.priors()}
        given = jax.tree.map(jnp.asarray, (log_x, {k: centers[k] for k in law.columns}, centers[law.gives]))
        return np.asarray(_compiled_expectation(law, by_draw)(sampled, *given))[:, :n]


def predict(post, targets=None, *, kind="new-run", seed=0, **covariates) -> Forecast:
    """Forecast what a posterior's law gives at targets; see `Posterior.predict`."""
    if kind not in ("new-run", "mean"):
        raise LawError(
            f'kind is "new-run" (what one more run would measure) or "mean" (the expected value), not {kind!r}'
        )
    frame = read_targets(targets, takes=post.law.columns, shares=post.law.shares, fixed=post.fixed, **covariates)
    check_whole(post.runs.table, frame, post.law.shares)
    x = {c: frame[c].to_numpy(float) for c in post.law.columns}
    precision = post.settings.get("precision", "float64")
    scale = post.law.scale
    logs = {"parameters": scale.to(expectation(post.law, post.flat_draws, x, post.centers, precision=precision))}
    if post.bends is not None:
        logs["discrepancy"] = post.bends.at(frame)
    continued = ()
    if kind == "new-run":
        middle, shape = scale.back(np.median(sum(logs.values()), axis=0)), logs["parameters"].shape
        error = post.noise.error_of(frame, post, middle)
        known = None if error is None else error * scale.slope(middle)
        joined, continued = _joined(post, frame)
        rng = np.random.default_rng(seed)
        logs["noise"] = post.noise.simulate(rng, post.flat_draws, shape, log_error=known, **joined)
    size = scales(post.law)
    return Forecast(
        frame,
        scale.back(sum(logs.values())),
        post.law.gives,
        kind,
        post.law.name,
        unit=unit_of(post.runs, post.law.gives),
        reach=times_the_largest(post.runs.table, frame),
        outside=outside(post.runs.table, frame, size) if len(size) in (1, 2) else None,
        continued=continued,
        logs=logs,
    )


def log_density(post, runs, *, seed=0) -> np.ndarray:
    """Log predictive density of new measured values on the law's scale, shape (rows,): log mean over the draws.

    Parameters
    ----------
    post : Posterior
    runs : Runs
        New runs, with what the law gives; every row is taken for a run of its own.
    seed : int
        Of what new runs have of their own, and of the discrepancy.

    Returns
    -------
    ndarray, shape (rows,)
    """
    targets = runs.table.drop(columns="run", errors="ignore")
    measured = runs.column(post.law.gives)
    scale = post.law.scale
    loc = scale.to(predict(post, targets, kind="mean", seed=seed).draws)
    run = _joined(post, targets)[0].get("run")
    loc = loc + post.noise.effects(np.random.default_rng(seed), post.flat_draws, loc.shape, run)
    error = post.noise.error_of(runs.table, post, measured)
    known = None if error is None else error * scale.slope(measured)
    density = post.noise.log_density(scale.to(measured) - loc, post.flat_draws, log_error=known)
    return logsumexp(density, axis=0) - np.log(len(density))


def _joined(post, frame) -> tuple[dict, tuple[str, ...]]:
    """Say which targets share runs with one another and with the table, as the noise asks, and which runs were seen."""
    rows = rows_of(post.law, post.runs, by=post.noise.by)
    theirs = names_of(frame, post.noise.by)
    if theirs is None or rows.run is None:
        return {}, ()
    ours = names_of(post.runs.table, post.noise.by)
    names = pd.unique(pd.concat([ours, theirs]))  # those of the table first
    run = pd.Index(names).get_indexer(theirs)
    continued = tuple(name for name in pd.unique(theirs) if name in set(ours)) if post.noise.by == "run" else ()
    along = trained_along(post.law, post.runs)
    if along is None or along not in frame:
        return dict(run=run), continued
    there = ours.isin(theirs).to_numpy()
    x = {c: post.runs.column(c)[there] for c in post.law.columns}
    residual = np.empty((len(next(iter(post.flat_draws.values()))), 0))
    if there.any():
        precision = post.settings.get("precision", "float64")
        expected = expectation(post.law, post.flat_draws, x, post.centers, precision=precision)
        scale = post.law.scale
        residual = scale.to(post.runs.column(post.law.gives)[there]) - scale.to(expected)
        if post.bends is not None:
            residual = residual - post.bends.at(post.runs.table[there])
    place = np.log(post.runs.column(along)[there])
    error = None if rows.log_error is None else rows.log_error[: len(ours)][there]
    seen = Seen(pd.Index(names).get_indexer(ours[there]), place, residual, error)
    return dict(run=run, place=np.log(frame[along].to_numpy(float)), seen=seen), continued


def unit_of(runs, gives) -> str:
    """Return the unit of what a law gives, where the table knows it."""
    return runs.about.get("loss_unit", "") if gives == "loss" else ""
