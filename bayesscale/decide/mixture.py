"""The best proportions of the domains in the training data, and how much it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bayesscale.decide.answers import Answer
from bayesscale.decide.mixture_limits import limits as limits_of
from bayesscale.decide.mixture_limits import proportions, seen_by
from bayesscale.decide.mixture_losses import MixtureLosses, losses_of
from bayesscale.decide.near_mixtures import beyond, walk
from bayesscale.errors import LawError
from bayesscale.intervals import LEVELS, intervals
from bayesscale.units import format_number, parse_number

__all__ = ["OptimalMixture", "optimal_mixture"]

ROUGH = 200  # draws that decide which mixtures to look at; what is kept is judged by all
HULL = 2e-3  # a mixture so far from those seen lies beyond them: more than rounded proportions make
MEAN = "weighted mean"


@dataclass(frozen=True, eq=False, repr=False)
class OptimalMixture(Answer):
    """The best mixture of each posterior draw, the one to take, and what others cost. Made by `optimal_mixture`.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw: the proportions that are best if that draw is the truth, a column per domain.
    given : dict
        The covariates held fixed, such as N and D.
    best : Series
        The one mixture to take: that of least expected loss.
    natural : Series or None
        The mixture to compare with.
    near : DataFrame
        Mixtures whose expected loss is within the tolerance, spread evenly over all of these: a column per domain, and
        ``excess``, relative to the best. The first is the best itself.
    tolerance : float
        Relative excess of the expected loss that counts as near-optimal.
    limits : DataFrame
        ``low`` and ``high`` of each domain: what was allowed.
    seen : DataFrame
        The mixtures that the laws were fitted to, by their label; none if the tables do not say.
    losses : MixtureLosses
        The laws.
    kl : float
        What is added to the loss for a mixture's distance from the natural one.
    """

    best: pd.Series
    natural: pd.Series | None
    near: pd.DataFrame
    tolerance: float
    limits: pd.DataFrame
    seen: pd.DataFrame
    losses: MixtureLosses
    kl: float = 0.0

    @property
    def what(self) -> str:
        """What was asked for."""
        return "best mixture"

    @property
    def near_optimal(self) -> pd.DataFrame:
        """How little and how much of each domain near-optimal mixtures have: ``low``, ``high``."""
        of_domains = self.near[list(self.best.index)]
        return pd.DataFrame({"low": of_domains.min(), "high": of_domains.max()})

    def table(self, *, level: float | tuple[float, ...] = LEVELS) -> pd.DataFrame:
        """One row per domain: natural, best, the near-optimal range, and where the optimum of a draw lies."""
        first = {} if self.natural is None else {"natural": self.natural}
        first |= {"best": self.best, **self.near_optimal.add_prefix("near_")}
        return pd.DataFrame(first).join(super().table(level=level))

    @cached_property
    def _least(self) -> np.ndarray:
        """The mean loss of each draw at its own optimum."""
        return self.losses.mean_at_own(self.draws.to_numpy())

    def _expected(self, mixture) -> float:
        return float(self.losses.expected(_read(mixture, self).to_numpy()[None])[0])

    def regret(self, mixture=None) -> float:
        """Return how much more loss a mixture is expected to have than each draw's own optimum.

        Parameters
        ----------
        mixture : mapping of str to number, or str, optional
            Proportions by domain, or the label of a mixture seen. The best without.

        Returns
        -------
        float
            In the unit of the loss. That of the best mixture is what the uncertainty of the laws costs.
        """
        mixture = self.best if mixture is None else mixture
        found = self.losses.mean(_read(mixture, self).to_numpy()[None])[:, 0]
        return float((found - self._least).mean())

    def against(self, mixture=None, *, level: float | tuple[float, ...] = LEVELS) -> pd.DataFrame:
        """Compare the best mixture with another, draw by draw.

        Parameters
        ----------
        mixture : mapping of str to number, or str, optional
            Proportions by domain, or the label of a mixture seen. The natural one without.

        Returns
        -------
        DataFrame
            One row per target, and the weighted mean of all: how much lower the expected loss is with the best mixture,
            ``median`` and intervals; and ``P(better)``, that it is lower at all.
        """
        if mixture is None and self.natural is None:
            raise LawError("against which mixture? There is no natural one: optimal_mixture(..., natural={...})")
        other = _read(self.natural if mixture is None else mixture, self)
        each = self.losses.each(np.stack([other.to_numpy(), self.best.to_numpy()]))
        lower = each[:, 0] - each[:, 1]
        lower = np.column_stack([lower, lower @ self.losses.weights])
        named = pd.Index([*self.losses.targets, MEAN], name="target")
        better = (lower > 0).mean(axis=0) + 0.5 * (lower == 0).mean(axis=0)
        return pd.DataFrame({"P(better)": better, **intervals(lower, level)}, index=named)

    @cached_property
    def outside(self) -> pd.Series:
        """Whether the laws are asked beyond the mixtures seen, that is, outside of all averages of these.

        ``best``, ``natural``: how far that mixture lies outside, 0 if it does not (Euclidean). ``draws``: the share of
        draws whose optimum lies outside. Missing where the tables do not say which mixtures were seen.
        """
        if self.seen.empty:
            return pd.Series({"best": np.nan, "natural": np.nan, "draws": np.nan})
        seen, some = self.seen.to_numpy(), np.linspace(0, len(self.draws) - 1, min(1000, len(self.draws))).astype(int)
        other = self.best if self.natural is None else self.natural
        far = beyond(np.vstack([self.best.to_numpy(), other.to_numpy(), self.draws.to_numpy()[some]]), seen)
        far = np.where(far > HULL, far, 0.0)
        natural = np.nan if self.natural is None else far[1]
        return pd.Series({"best": far[0], "natural": natural, "draws": (far[2:] > 0).mean()})

    @property
    def notes(self) -> list[str]:
        """What the table does not say: is there anything to gain, what holds it back, how far to trust it."""
        gives, unit = self.losses.gives, format_number
        notes = [
            f"near_low to near_high: mixtures whose expected {gives} is within {100 * self.tolerance:g}% of the best's",
        ]
        if self.natural is not None:
            row = self.against(level=0.95).loc[MEAN]
            said = f"{unit(row['median'])} ({unit(row['low95'])} to {unit(row['high95'])})"
            better = f"P(better than natural) = {row['P(better)']:.2f}"
            notes.append(f"against natural: {gives} lower by {said}, 95% interval; {better}")
            if self.outside["natural"] > 0:
                notes.append("natural lies outside the mixtures seen: what is gained against it is extrapolated")
            excess = self._expected(self.natural) / self._expected(self.best) - 1
            if excess <= self.tolerance:
                notes.append("natural is itself near-optimal: nothing to gain that would matter")
        notes.append(f"regret of the best mixture: {unit(self.regret())}, what not knowing the laws better costs")
        for side, said in (("high", "cap"), ("low", "floor")):
            reached = self.best[(self.best - self.limits[side]).abs() < 1e-6]
            reached = reached[(reached > 0) & (self.limits["high"] < 1)[reached.index]] if side == "high" else reached
            if names := [k for k in reached.index if side == "high" or self.limits["low"][k] > 0]:
                notes.append(f"the {said} decides for {', '.join(names)}")
        if none := [k for k in self.best.index if self.best[k] < 1e-6]:
            notes.append(f"nothing of {', '.join(none)}: the laws see no use of it for these targets")
        far = self.outside
        if np.isnan(far["best"]):
            notes.append("the tables do not say which mixtures were seen: whether this one lies beyond them is open")
        elif far["best"] > 0:
            notes.append(
                f"the best mixture lies outside the mixtures seen (so do {100 * far['draws']:.0f}% of the draws' own): "
                "the laws are extrapolated; train a mixture like it before you rely on it"
            )
        elif far["draws"] > 0.05:
            notes.append(f"in {100 * far['draws']:.0f}% of the draws the optimum lies outside the mixtures seen")
        return notes

    def __repr__(self):
        shown = self.table().map("{:.3f}".format).to_string()
        return "\n".join([f"{self.headline}; 50/80/95% equal-tailed intervals of each draw's own", shown, *self.notes])


def optimal_mixture(
    fits,
    weights: Mapping | None = None,
    *,
    at: Mapping | None = None,
    natural=None,
    floor=None,
    cap=None,
    tokens: Mapping | None = None,
    repeats: float = 4.0,
    kl: float = 0.0,
    tolerance: float = 0.001,
    seed: int = 0,
) -> OptimalMixture:
    """Find the proportions of the domains that make the expected loss least.

    Parameters
    ----------
    fits : mapping of str to Posterior
        By target, such as ``bs.fit_pooled("mixture_additive", runs, over="domain")``, or one Posterior. Of a law in all
        proportions (``*r``) or in the target's own (``r``).
    weights : mapping of str to number, optional
        How much the loss of each target counts; targets not named do not. All alike without.
    at : mapping, optional
        What else the laws take: ``dict(N="1B", D="100B")``.
    natural : mapping of str to number, or str, optional
        The mixture to compare with: proportions by domain, or the label of a mixture seen.
    floor, cap : number or mapping of str to number, optional
        No less, no more than this proportion of each domain.
    tokens : mapping of str to number, optional
        How many tokens there are of each domain; then a domain's share of the D training tokens is at most `repeats`
        times these.
    repeats : float
        How often they may be repeated.
    kl : float
        Adds ``kl sum_j p_j log(p_j / natural_j)`` to the loss, which holds the mixture near the natural one.
    tolerance : float
        Relative excess of the expected loss that counts as near-optimal.
    seed : int
        Of the sample of near-optimal mixtures.

    Returns
    -------
    OptimalMixture

    Raises
    ------
    LawError
        A law takes no proportions; an unknown domain or target; limits that no mixture keeps.
    RunsError
        A covariate is missing.

    Notes
    -----
    For each draw the loss is ``sum_t w_t L_t(p)``, the weights scaled to sum to one. Its least value is found by
    Newton's method inside the limits; if each target's loss goes by a power of its own proportion, in closed form,
    ``p_i = (w_i s_i / lambda)^(1 / (1 + alpha_i))`` (Ge et al. 2024, arXiv:2405.14908). A discrepancy plays no part: it
    bends the law over N and D, not over the proportions. The repetition cap and the penalty are those of Olmix
    (arXiv:2602.12237).
    """
    losses = losses_of(fits, weights, at)
    domains, seen = list(losses.domains), seen_by(fits, losses.domains)
    if not tolerance > 0:
        raise LawError(f"tolerance is a relative excess such as 0.001 for 0.1 %, not {tolerance!r}")
    if not 0 <= kl < np.inf:
        raise LawError(f"kl is what the distance from the natural mixture costs, such as 0.05, not {kl!r}")
    if kl and natural is None:
        raise LawError("kl holds the mixture near the natural one: say which that is, natural={...}")
    if natural is not None:
        natural = proportions(natural, domains, seen, "natural")
    at = {k: parse_number(v, name=k) for k, v in (at or {}).items()}
    low, high = limits_of(domains, floor, cap, tokens, repeats, at)
    held = dict(natural=None if natural is None else natural.to_numpy(), kl=kl)
    draws = losses.best_of_each_draw(low, high, **held)
    best = losses.best(low, high, **held, near=draws.mean(axis=0))

    def cost(of):
        def at(mixtures):
            return of.expected(mixtures) + (kl * _distance(mixtures, held["natural"]) if kl else 0.0)

        return at

    rough, whole = cost(losses.thinned(ROUGH)), cost(losses)
    reach = rough(best[None])[0] + tolerance * losses.expected(best[None])[0]
    near = walk(rough, best, reach, low, high, seed=seed)
    excess = (whole(near) - whole(best[None])) / losses.expected(best[None])
    good = excess <= tolerance
    near = pd.DataFrame(near[good], columns=domains).assign(excess=excess[good])
    limits = pd.DataFrame({"low": low, "high": high}, index=domains)
    found = pd.DataFrame(draws, columns=domains), at, pd.Series(best, domains), natural
    return OptimalMixture(*found, near, tolerance, limits, seen, losses, kl)


def _distance(mixtures, natural):
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(mixtures > 0, mixtures * np.log(mixtures / natural), 0.0)
    return terms.sum(axis=1)


def _read(mixture, found) -> pd.Series:
    return proportions(mixture, list(found.best.index), found.seen, "mixture")
