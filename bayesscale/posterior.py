"""What a fit gives: posterior draws, with the law, the noise and the table that they came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesscale.discrepancy import Discrepancy, Frame
from bayesscale.inference import log_densities, rows_of
from bayesscale.intervals import masses
from bayesscale.law import Law
from bayesscale.noise import Noise
from bayesscale.runs import Runs
from bayesscale.sample_paths import SamplePaths, carry_on
from bayesscale.table_columns import STANDARD
from bayesscale.targets import names_of

if TYPE_CHECKING:
    import xarray as xr

    from bayesscale.checks import Checks
    from bayesscale.forecast import Forecast

__all__ = ["Posterior"]


def _frozen(arrays: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
    held = {}
    for name, values in arrays.items():
        array = np.array(values)
        array.setflags(write=False)
        held[name] = array
    return MappingProxyType(held)


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """A fitted law: posterior draws, the law, the noise and the table it saw. Made by `bayesscale.fit`.

    Parameters
    ----------
    law : Law
    noise : Noise
    runs : Runs
        The table that was fitted.
    draws : mapping of str to ndarray, shape (chain, draw, ...)
        Every sampled and computed parameter by the paper's name.
    stats : mapping of str to ndarray, shape (chain, draw)
        What the sampler says of each draw: ``n_steps`` (leapfrogs), ``diverging``, ``acceptance_rate``, ``energy``,
        ``lp``.
    mode : mapping of str to ndarray
        The parameters at the posterior mode (in the unconstrained parameters).
    centers : mapping of str to float
        Geometric mean over the table of each covariate and of what the law gives.
    settings : mapping
        Seed, chains, draws, warm-up, precision, what of these the user ``asked`` for, and what was wrong with a first
        try, if anything.
    discrepancy : Discrepancy, optional
        How the truth may bend away from the law.
    """

    law: Law
    noise: Noise
    runs: Runs
    draws: Mapping[str, np.ndarray]
    stats: Mapping[str, np.ndarray]
    mode: Mapping[str, np.ndarray]
    centers: Mapping[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    discrepancy: Discrepancy | None = None

    def __post_init__(self):
        for name in ("draws", "stats", "mode"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        for name in ("centers", "settings"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self):
        # Read-only mappings cannot be pickled: rebuilt from plain ones, which are made read-only again.
        values = (getattr(self, f.name) for f in fields(self))
        return type(self), tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values)

    # -- the draws ---------------------------------------------------------------------------------

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the scalar parameters: the paper's constants, the noise's, then how the law samples them."""
        bend = self.discrepancy.priors() if self.discrepancy else ()
        first = [*self.law.constants, *self.noise.priors(), *bend]
        rest = [k for k in self.law.priors() if k not in first]
        return tuple(k for k in (*first, *rest) if k in self.draws)

    @property
    def flat_draws(self) -> dict[str, np.ndarray]:
        """All draws with the chains joined: shape (chains * draws, ...)."""
        return {k: v.reshape(-1, *v.shape[2:]) for k, v in self.draws.items()}

    def resampled(self) -> dict[str, Posterior]:
        """Return the fits whose draws, one behind the other, are this one's: itself. An `Average` has several."""
        return {self.law.name: self}

    @property
    def size(self) -> int:
        """Number of draws, of all chains."""
        return int(np.prod(next(iter(self.draws.values())).shape[:2]))

    def thinned(self, n: int) -> Posterior:
        """Keep `n` draws as one chain, evenly over all chains; some of them twice where there are fewer."""
        if n == self.size:
            return self
        chosen = ((np.arange(n) + 0.5) * self.size / n).astype(int)

        def keep(arrays):
            return {k: v.reshape(self.size, *v.shape[2:])[chosen][None] for k, v in arrays.items()}

        return replace(self, draws=keep(self.draws), stats=keep(self.stats))

    @property
    def fixed(self) -> dict[str, float]:
        """What the law takes and is the same in all runs, but does not say how they were trained: `chance` of a task.

        It need not be said of a target.
        """
        own = [c for c in self.law.columns if c not in STANDARD]
        return {c: float(x[0]) for c in own if np.ptp(x := self.runs.column(c)) == 0}

    @cached_property
    def frame(self) -> Frame | None:
        """The discrepancy laid out over the runs; None without one."""
        return self.discrepancy and self.discrepancy.frame(self.law, self.runs)

    @cached_property
    def bends(self) -> SamplePaths | None:
        """How the truth of each draw bends away from the law, at any scale; None without a discrepancy.

        The same functions for forecasts, plots and decisions: what the runs leave open of them is drawn once.
        """
        return self.frame and carry_on(self.frame, self.flat_draws, seed=self.settings.get("seed", 0))

    @cached_property
    def _densities(self):
        center = self.centers[self.law.gives]
        rows = rows_of(self.law, self.runs, discrepancy=self.discrepancy, y_center=center, by=self.noise.by)
        precision = self.settings.get("precision", "float64")
        rowwise, priors = log_densities(self.law, self.noise, rows, self.flat_draws, precision=precision)
        chains = next(iter(self.draws.values())).shape[:2]
        by_site = {name: prior.reshape(chains) for name, prior in priors.items()}
        return rowwise[:, : len(self.runs)].reshape(*chains, -1), by_site

    @property
    def log_likelihood(self) -> np.ndarray:
        """Log density of each measured value given each draw: shape (chain, draw, row)."""
        return self._densities[0]

    @property
    def log_prior(self) -> np.ndarray:
        """Log prior density of each draw, of all that is sampled: shape (chain, draw)."""
        return sum(self.log_priors.values())

    @property
    def log_priors(self) -> dict[str, np.ndarray]:
        """Its share of each sampled site, what runs and the discrepancy have of their own included."""
        return self._densities[1]

    @cached_property
    def data(self) -> xr.DataTree:
        """The fit as an ArviZ object.

        Groups posterior, sample_stats, log_likelihood, log_prior, observed_data and constant_data; rows carry the
        dimension ``row``, runs with several rows ``run_id``.
        """
        import arviz_base as azb

        gives = self.law.gives
        constant = {c: self.runs.column(c) for c in self.law.columns}
        constant |= {f"{k}_center": np.asarray(v) for k, v in self.centers.items()}
        groups = dict(
            posterior=dict(self.draws),
            sample_stats=dict(self.stats),
            log_likelihood={gives: self.log_likelihood},
            # What has a prior of its own, and not one given by another parameter: what a prior sensitivity scales.
            log_prior={k: v for k, v in self.log_priors.items() if k not in ("run_effect", "bend")},
            observed_data={gives: self.runs.column(gives)},
            constant_data=constant,
        )
        dims = {gives: ["row"], "run_effect": ["run_id"], "bend": ["point"], **{c: ["row"] for c in self.law.columns}}
        dims |= {f"{k}_center": [] for k in self.centers}
        coords = {"row": self.runs.table.index.to_numpy()}
        if "run_effect" in self.draws:
            coords["run_id"] = names_of(self.runs.table, self.noise.by).unique().astype(str)
        return azb.from_dict(groups, dims=dims, coords=coords)

    # -- what it says ------------------------------------------------------------------------------

    def summary(self, *, level: float = 0.95) -> pd.DataFrame:
        """Summarise each parameter.

        Parameters
        ----------
        level : float
            Mass of the equal-tailed interval.

        Returns
        -------
        DataFrame
            One row per parameter: median, mean, sd, low and high of the interval (``low95``, ``high95``), bulk and tail
            effective sample size, rank-normalised R-hat.
        """
        from bayesscale.checks import convergence

        (level,) = masses(level)
        tails = [(1 - level) / 2, (1 + level) / 2]
        rows = {}
        for name in self.parameters:
            x = self.draws[name]
            low, high = np.quantile(x, tails)
            spread = {f"low{100 * level:g}": low, f"high{100 * level:g}": high}
            rows[name] = dict(median=np.median(x), mean=x.mean(), sd=x.std(ddof=1), **spread, **convergence(x))
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def check(self) -> Checks:
        """Check the fit: convergence, divergences, influential rows, and which parameters the data moved."""
        from bayesscale.checks import check

        return check(self)

    def predict(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> Forecast:
        """Forecast what the law gives at targets.

        Parameters
        ----------
        targets : DataFrame, Runs or dict, optional
            One row per target, other columns are kept; or give each covariate by name.
        kind : {"new-run", "mean"}
            What would be measured, or the law's expected value, which knows nothing of single runs. What would be
            measured by one more run; but where a target names a ``run`` of which several rows were fitted, by that run,
            whose own way of straying from the law goes on: its constant effect, or with curve noise its course. A name
            that was not fitted is a new run; targets of one name share what their run has of its own.
        seed : int
            Of the scatter of new runs.
        **covariates : number, str or sequence
            Such as ``N="70B", D=["1.4T", "2T"]``, ``run="name"``. C = 6ND and its like are derived where missing.

        Returns
        -------
        Forecast

        Raises
        ------
        RunsError
            A covariate that the law takes is neither given nor derivable, or is not a positive number; a keyword is
            none of the law's covariates.
        """
        from bayesscale.forecast import predict

        return predict(self, targets, kind=kind, seed=seed, **covariates)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fit to a NetCDF file; `bayesscale.load` reads it back to the same forecasts."""
        from bayesscale.storage import save

        save(self, path)

    def _headline(self):
        chains, draws = next(iter(self.draws.values())).shape[:2]
        pooled = f", {self.settings['pooled']} (pooled)" if "pooled" in self.settings else ""
        fitted = f"posterior of law {self.law.name}, {self.noise} noise, {len(self.runs)} rows{pooled}"
        return f"{fitted}, {chains} x {draws} draws"

    @property
    def _banner(self):
        wrong = self.settings.get("trouble")
        return f"!! not to be trusted as it stands: {wrong}; see .check()" if wrong else ""

    def __repr__(self):
        shown = self.summary()[["median", "sd", "low95", "high95"]]
        lines = [self._headline(), self.law.formula, shown.to_string(float_format=lambda x: f"{x:.4g}")]
        return "\n".join([*lines, "95% equal-tailed intervals", *filter(None, [self._banner])])

    def _repr_html_(self):
        shown = self.summary().to_html(float_format=lambda x: f"{x:.4g}", border=0)
        banner = f"<p style='color:#b00020'><b>{self._banner}</b></p>" if self._banner else ""
        return f"<p><b>{self._headline()}</b><br>{self.law.formula}</p>{banner}{shown}<p>95% equal-tailed intervals</p>"
