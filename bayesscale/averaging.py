"""Several laws at once: a mixture of their forecasts, each law with a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from bayesscale.chaining import Chain, Compound
from bayesscale.elpd import loo
from bayesscale.errors import LawError
from bayesscale.evaluate.backtest import Backtest, bands, rollout
from bayesscale.evaluate.compare import Comparison
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.members import check_same_table, fitted_how, labelled, stacking
from bayesscale.evaluate.rollouts import log_scores
from bayesscale.forecast import Forecast, log_density
from bayesscale.posterior import Posterior
from bayesscale.reach import column_of_size
from bayesscale.runs import Runs
from bayesscale.targets import read_targets

__all__ = ["Average", "average"]


@dataclass(frozen=True, eq=False, repr=False)
class Average(Finding):
    """A mixture of fits of one table: with probability w_k the truth follows law k. Made by `bayesscale.average`.

    Parameters
    ----------
    posteriors : mapping of str to Posterior
    weights : Series
        w_k by name; they sum to one.
    how : str
        Where the weights come from, in words.
    rollout : Backtest, optional
        What the weights were learned from.
    weighting : {"rollout", "loo", "equal", "given"}
        What weights were asked for.
    """

    posteriors: Mapping[str, Posterior]
    weights: pd.Series
    how: str = ""
    rollout: Backtest | None = field(default=None)
    weighting: str = "given"

    # -- what a posterior has too ------------------------------------------------------------------

    @property
    def law(self) -> Compound:
        """What the laws together take and give."""
        laws = [post.law for post in self.posteriors.values()]
        columns = tuple(dict.fromkeys(c for law in laws for c in law.columns))
        shares = tuple(c for c in columns if all(c in law.shares for law in laws if c in law.columns))
        name = f"average of {', '.join(self.posteriors)}"
        formula = f"{laws[0].gives} = one of the laws, with probability weight"
        return Compound(name, columns, laws[0].gives, formula, laws[0].scale, shares)

    @property
    def runs(self) -> Runs:
        """The table that all of them saw."""
        return self._first.runs

    @property
    def centers(self) -> dict[str, float]:
        """Geometric mean over the table of each covariate and of what the laws give."""
        return {k: x for post in self.posteriors.values() for k, x in post.centers.items()}

    @property
    def settings(self) -> dict:
        """Precision, and what is wrong with a fit, if anything."""
        wrong = [f"{name}: {p.settings['trouble']}" for name, p in self.posteriors.items() if p.settings.get("trouble")]
        return dict(precision=self._first.settings.get("precision", "float64"), trouble="; ".join(wrong))

    @property
    def fixed(self) -> dict[str, float]:
        """What is the same in all runs and goes without saying: see `Posterior.fixed`."""
        return {k: x for post in self.posteriors.values() for k, x in post.fixed.items()}

    @property
    def _first(self):
        return next(iter(self.posteriors.values()))

    # -- draws -------------------------------------------------------------------------------------

    @cached_property
    def shares(self) -> dict[str, int]:
        """How many draws each law has in the mixture: in proportion to its weight, rounded so that they add up."""
        size = max(post.size for post in self.posteriors.values())
        exact = size * self.weights.to_numpy()
        counts = np.floor(exact).astype(int)
        short = size - counts.sum()
        counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
        return dict(zip(self.posteriors, counts.tolist(), strict=True))

    @property
    def members(self) -> np.ndarray:
        """The law that each draw of a forecast belongs to, for all targets alike: shape (draws,)."""
        return np.repeat(list(self.shares), list(self.shares.values()))

    def resampled(self) -> dict[str, Posterior]:
        """Return the fits, each thinned to its share of the draws as one chain; laws without a share are left out.

        What is computed from each of them and put one behind the other is computed from the mixture, draw by draw as
        `members` has it.
        """
        return {name: self.posteriors[name].thinned(n) for name, n in self.shares.items() if n}

    # -- what it says ------------------------------------------------------------------------------

    def predict(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> Forecast:
        """Forecast what the laws give at targets, as `Posterior.predict` does.

        Parameters
        ----------
        targets, kind, seed, **covariates
            As for `Posterior.predict`. Targets need what any of the laws takes.

        Returns
        -------
        Forecast
            As many draws as the member with the most has; draw i is of law ``members[i]`` at all targets.

        Raises
        ------
        RunsError
            As for `Posterior.predict`.
        """
        frame = read_targets(targets, takes=self.law.columns, shares=self.law.shares, fixed=self.fixed, **covariates)
        own = np.random.SeedSequence(seed).generate_state(len(self.posteriors))
        made = [
            post.predict(frame, kind=kind, seed=int(own[list(self.posteriors).index(name)]))
            for name, post in self.resampled().items()
        ]
        return replace(_joined(made), law=self.law.name, notes=(self.how,) if self.how else ())

    def log_density(self, runs, *, seed: int = 0) -> np.ndarray:
        """Log predictive density of the logarithm of new measured values: log sum_k w_k p_k(y), shape (rows,)."""
        each = [log_density(post, runs, seed=seed) for post in self.posteriors.values()]
        return logsumexp(each, axis=0, b=self.weights.to_numpy()[:, None])

    @property
    def table(self) -> pd.DataFrame:
        """One row per law: its ``weight``, and its ``draws`` in the mixture."""
        return pd.DataFrame(dict(weight=self.weights, draws=pd.Series(self.shares))).rename_axis("law")

    @property
    def notes(self) -> list[str]:
        """Where the weights come from, and what is wrong with a fit, if anything."""
        wrong = self.settings["trouble"]
        return [*filter(None, [self.how, wrong and f"!! not to be trusted as it stands: {wrong}"])]

    _numbers = ".3f"

    def _headline(self):
        return f"average of {len(self.posteriors)} laws, {len(self.runs)} rows"


def average(posteriors, weights="rollout", **rolled) -> Average:
    r"""Average the forecasts of several laws fitted to one table.

    Parameters
    ----------
    posteriors : sequence or mapping of Posterior or Chain, or Comparison
        A comparison with a rollout is not rolled out again.
    weights : {"rollout", "loo", "equal"} or mapping of str to number
        ``"rollout"``: how well each law, fitted to the smaller runs, foretold the larger ones; ``"loo"``: how well each
        predicts a row that it was not fitted to; ``"equal"``; or weights of your own by name, used as they are.
    **rolled
        ``by``, ``cutoffs``, ``horizon``, ``least`` of the `backtest` that rollout weights come from.

    Returns
    -------
    Average

    Raises
    ------
    RunsError
        The fits are of different tables or predict different things; or no cutoff leaves enough rows for a rollout.
    LawError
        There are no such weights.

    Notes
    -----
    Stacking (Yao et al. 2018) finds the mixture that would have predicted best, w* = argmax
    sum_i log sum_k w_k p_k(y_i), and puts all on one law where a few rows favour it. So it is shrunk toward equal
    weights,

    .. math:: w_k = \lambda w^*_k + (1 - \lambda) / K, \qquad \lambda = J / (J + K),

    the posterior mean of the shares of K laws after J independent trials, starting from one trial for each. J counts
    factors of two in compute, held out in a rollout or fitted for LOO: runs of similar size err alike. A run that is
    held out at several cutoffs has its scores averaged.
    """
    rolled_already = None
    if isinstance(posteriors, Comparison):
        rolled_already, posteriors = None if rolled else posteriors.rollout, posteriors.posteriors
    given = [posteriors] if isinstance(posteriors, Posterior | Chain) else posteriors
    fits = list(given.values()) if isinstance(given, Mapping) else given
    if isinstance(fits, str) or not len(fits) or not all(isinstance(post, Posterior | Chain) for post in fits):
        raise LawError("average takes fits: average([bs.fit(law, runs), ...]), or what bs.compare gives")
    posteriors = labelled(given)
    check_same_table(posteriors)
    if isinstance(weights, Mapping | pd.Series):
        return Average(posteriors, _given(weights, posteriors), "weights as given")
    if weights not in ("rollout", "loo", "equal"):
        raise LawError(f'weights are "rollout", "loo", "equal" or numbers by law, not {weights!r}')
    if rolled and weights != "rollout":
        raise LawError(f"{', '.join(rolled)}: only weights from a rollout are learned from cutoffs")
    K = len(posteriors)
    if weights == "equal" or K == 1:
        return Average(posteriors, pd.Series(1 / K, index=list(posteriors)), "equal weights", weighting=weights)
    if chained := [name for name, post in posteriors.items() if isinstance(post, Chain)]:
        raise LawError(f'{chained[0]} is two fits, without one likelihood: average it with weights="equal" or your own')
    runs = next(iter(posteriors.values())).runs
    if weights == "loo":
        tested, by = None, column_of_size(runs, [post.law for post in posteriors.values()])
        scores = np.column_stack([loo(post).pointwise for post in posteriors.values()])
        J = len(np.unique(bands(runs.column(by)))) if by else len(runs)
    else:
        tested = rolled_already or _rolled_out(posteriors, runs, rolled)
        by, scores = tested.by, log_scores(tested)[list(posteriors)]
        J = scores.index.get_level_values("band").nunique()
    share = J / (J + K)
    trials = f"{J} factor(s) of two in {by}" if by else f"{J} rows"
    said = f"weights by {weights} over {trials}, {100 * (1 - share):.0f}% of the way to equal ones"
    found = pd.Series(share * stacking(scores) + (1 - share) / K, index=list(posteriors))
    return Average(posteriors, found, said, tested, weights)


def _rolled_out(posteriors, runs, rolled):
    if unknown := set(rolled) - {"by", "cutoffs", "horizon", "least", "parts_of"}:
        raise LawError(f"average has no option {', '.join(unknown)}; there are by, cutoffs, horizon, least")
    members = {name: fitted_how(post) for name, post in posteriors.items()}
    return rollout(members, runs, **rolled)


def _given(weights, posteriors):
    weights = dict(weights)
    if set(weights) != set(posteriors):
        raise LawError(f"weights are for {', '.join(map(str, weights))}; the laws are {', '.join(posteriors)}")
    found = pd.Series({name: float(weights[name]) for name in posteriors})
    if not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
        raise LawError(f"weights are not negative and not all zero, got {found.to_dict()}")
    return found / found.sum()


def _joined(made) -> Forecast:
    """Put the draws of forecasts of the same targets one behind the other."""
    if len(made) == 1:
        return made[0]
    logs = {}
    # A part that not all laws have, such as a discrepancy, counts with the parameters of those that have it.
    common = [name for name in made[0].logs if all(name in forecast.logs for forecast in made)]
    for name in common:
        other = [k for forecast in made for k in forecast.logs if k not in common] if name == "parameters" else []
        each = [sum(part for k, part in forecast.logs.items() if k in (name, *other)) for forecast in made]
        logs[name] = np.concatenate([part - part.mean(axis=0) for part in each])
    beyond = [forecast.outside for forecast in made]
    on_scale = [sum(forecast.logs.values()) for forecast in made]
    laws = [np.broadcast_to(x.mean(axis=0), x.shape) for x in on_scale]
    return replace(
        made[0],
        draws=np.concatenate([forecast.draws for forecast in made]),
        outside=None if any(x is None for x in beyond) else np.any(beyond, axis=0),
        continued=tuple(dict.fromkeys(run for forecast in made for run in forecast.continued)),
        logs={**logs, "law choice": np.concatenate(laws)},
    )
