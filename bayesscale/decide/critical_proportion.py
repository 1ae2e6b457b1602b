"""The proportion of a domain at which a loss is reached: how much old data to keep, how much new to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.decide.answers import Answer
from bayesscale.decide.mixture_limits import proportions, seen_by
from bayesscale.decide.mixture_losses import losses_of
from bayesscale.errors import LawError
from bayesscale.units import format_number, parse_number

__all__ = ["CriticalProportion", "critical_proportion"]

POINTS = 201  # proportions at which each draw is looked at, before the crossing is found between two of them
HALVINGS = 40


@dataclass(frozen=True, eq=False, repr=False)
class CriticalProportion(Answer):
    """The critical proportion of each posterior draw. Made by `critical_proportion`.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw, one column, the domain: the proportion at which the loss is reached; missing where
        it never is.
    given : dict
        The loss to reach and the covariates held fixed.
    side : {"least", "most"}
        Whether it is the least or the most of the domain with which the loss is reached.
    seen : tuple of float
        The least and the largest proportion of the domain in the mixtures seen.
    """

    side: str
    seen: tuple[float, float]

    @property
    def what(self) -> str:
        """What was asked for."""
        return f"{self.side} proportion of {self.draws.columns[0]}"

    @property
    def never(self) -> float:
        """Share of the draws in which the loss is reached at no proportion."""
        return float(self.draws.iloc[:, 0].isna().mean())

    @property
    def at_end(self) -> float:
        """Share of the draws in which none of the domain is needed ("least"), or nothing else ("most")."""
        return float((self.draws.iloc[:, 0] == (0.0 if self.side == "least" else 1.0)).mean())

    def table(self, **level) -> pd.DataFrame:
        """Return median and intervals over the draws in which the loss is reached: ``median``, ``low50``, ..."""
        reached = self.draws.dropna()
        return Answer(self.draws if reached.empty else reached, self.given).table(**level)

    @property
    def notes(self) -> list[str]:
        """How many draws have no such proportion, and whether it lies among those seen."""
        notes = []
        if self.never > 0:
            notes.append(f"in {100 * self.never:.3g}% of the draws no proportion reaches the loss; they are left out")
        if self.at_end > 0:
            end = "without any of it" if self.side == "least" else "with nothing else"
            notes.append(f"in {100 * self.at_end:.3g}% of the draws the loss is reached {end}")
        low, high = map(format_number, self.seen)
        x = self.draws.iloc[:, 0]
        if (beyond := ((x < self.seen[0]) | (x > self.seen[1])).mean()) > 0.05:
            notes.append(
                f"in {100 * beyond:.0f}% of the draws it lies outside of what was seen, {low} to {high}: extrapolated"
            )
        return notes


def critical_proportion(
    fits,
    domain: str,
    *,
    loss,
    weights: Mapping | None = None,
    others: Mapping | None = None,
    at: Mapping | None = None,
    side: str | None = None,
) -> CriticalProportion:
    """Find the proportion of one domain at which an expected loss is reached, the others in a fixed ratio.

    In continued pretraining: how much of the old data must stay in so that the loss on it does not rise?

    Parameters
    ----------
    fits : Posterior, or mapping of str to Posterior
        By target; of several the weighted mean must reach the loss. Of a law in all proportions (``*r``), or in the
        target's own (``r``).
    domain : str
    loss : number
        To be reached: no more than this.
    weights, at
        As for `optimal_mixture`.
    others : mapping of str to number, optional
        The ratio of all other domains among each other; as in the mean of the mixtures seen without.
    side : {"least", "most"}, optional
        The least proportion with which the loss is reached, or the most. By default the least, if more of the domain
        lowers the expected loss from one end to the other, else the most.

    Returns
    -------
    CriticalProportion

    Raises
    ------
    LawError, RunsError
        As `optimal_mixture`; an unknown domain or side.
    """
    losses = losses_of(fits, weights, at)
    domains, seen = list(losses.domains), seen_by(fits, losses.domains)
    domain = str(domain)
    if domain not in domains:
        raise LawError(f"no domain {domain}; the mixtures are of {', '.join(domains)}")
    if side not in (None, "least", "most"):
        raise LawError(f'side is "least" or "most", not {side!r}')
    goal, place = parse_number(loss, name="loss"), domains.index(domain)
    rest = _others(others, domains, place, seen)

    def mixtures(shares):
        return np.asarray(shares)[..., None] * np.eye(len(domains))[place] + (1 - np.asarray(shares))[..., None] * rest

    grid = np.linspace(0.0, 1.0, POINTS)
    over = losses.mean(mixtures(grid)) - goal  # at an end it may be infinite, where a law has no zero
    if side is None:
        inner = over.mean(axis=0)[[1, -2]]
        side = "least" if inner[1] <= inner[0] else "most"
    if side == "most":
        grid, over = grid[::-1], over[:, ::-1]
    reached = over <= 0
    first = np.argmax(reached, axis=1)
    out, into = grid[np.maximum(first - 1, 0)], grid[first]
    for _ in range(HALVINGS):
        middle = (out + into) / 2
        fine = losses.mean_at_own(mixtures(middle)) <= goal
        out, into = np.where(fine, out, middle), np.where(fine, middle, into)
    found = np.where(reached.any(axis=1), into, np.nan)
    known = seen[domain] if len(seen) else pd.Series([0.0, 1.0])
    given = {"loss": goal, **{k: parse_number(v, name=k) for k, v in (at or {}).items()}}
    return CriticalProportion(pd.DataFrame({domain: found}), given, side, (float(known.min()), float(known.max())))


def _others(given, domains, place, seen) -> np.ndarray:
    """Return the proportions of the other domains where there is none of the one."""
    if given is None and len(domains) > 2 and seen.empty:
        raise LawError("the tables do not say which mixtures were seen: give the ratio of the other domains, others=")
    if given is None:
        p = seen.mean().to_numpy() if len(seen) else np.ones(len(domains))
    else:
        total = sum(parse_number(v, name=f"others {k}") for k, v in given.items())
        if domains[place] in given:
            raise LawError(f"others is of the other domains: leave {domains[place]} out")
        p = proportions({k: parse_number(v) / total for k, v in given.items()}, domains, seen, "others").to_numpy()
    p = np.where(np.arange(len(domains)) == place, 0.0, p)
    return p / p.sum()
