"""The compute-optimal frontier: the best use of every budget, and how fast it grows with compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.decide.allocate import allocate
from bayesscale.errors import LawError, RunsError
from bayesscale.intervals import LEVELS, intervals
from bayesscale.units import format_number, parse_number, parse_numbers

__all__ = ["Frontier", "frontier"]

# A local exponent is the slope between neighbouring budgets. Where these are further apart than DENSE, each budget gets
# two neighbours of its own, STEP below and above.
DENSE, STEP = 2.0, 1.1


@dataclass(frozen=True, eq=False, repr=False)
class Frontier:
    """The best use of several budgets, and its local exponents, for each posterior draw.

    Parameters
    ----------
    C : ndarray, shape (budgets,)
        Compute in FLOP, increasing.
    draws : mapping of str to ndarray, shape (draws, budgets)
        ``N``, ``D``, ``tokens_per_parameter`` and what the law gives (``loss``) at each draw's own optimum.
    exponents : mapping of str to ndarray, shape (draws, budgets)
        d log x / d log C of each of these, at the budget.
    near_optimal : mapping of str to ndarray, shape (2, budgets)
        Smallest and largest N (D, tokens per parameter) whose expected loss is within the tolerance of the best.
    at_edge : ndarray, shape (budgets,)
        Share of draws whose optimum lies at the edge of what was searched or allowed.
    given : mapping
        The limits, as `allocate` took them.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    law : str
        Name of the law.
    """

    C: np.ndarray
    draws: Mapping[str, np.ndarray]
    exponents: Mapping[str, np.ndarray]
    near_optimal: Mapping[str, np.ndarray]
    at_edge: np.ndarray
    given: Mapping[str, object]
    tolerance: float
    law: str

    def table(self, what: str = "N", *, level: float | tuple[float, ...] = LEVELS) -> pd.DataFrame:
        """Return the frontier of N, D, tokens per parameter or loss.

        Parameters
        ----------
        what : str
            One of `draws`.
        level : float or tuple of float
            Mass of each equal-tailed interval.

        Returns
        -------
        DataFrame
            One row per budget: ``C``, ``median``, ``low95``, ``high95`` and so on for each level; ``exponent`` (median
            of the local d log `what` / d log C) with the interval of the largest level, ``exponent_low95`` and
            ``exponent_high95``; and, but for the loss, ``near_low`` and ``near_high``, the near-optimal range.

        Raises
        ------
        LawError
            The frontier has no such quantity, or a level is no probability.
        """
        if what not in self.draws:
            raise LawError(f"the frontier has {', '.join(self.draws)}, not {what!r}")
        columns = {"C": self.C, **intervals(self.draws[what], level)}
        slope = intervals(self.exponents[what], np.max(level))
        columns |= {"exponent": slope.pop("median"), **{f"exponent_{end}": x for end, x in slope.items()}}
        if what in self.near_optimal:
            columns |= dict(zip(("near_low", "near_high"), self.near_optimal[what], strict=True))
        return pd.DataFrame(columns)

    def exponent(self, what: str = "N", *, at, level: float = 0.95) -> tuple[float, float, float]:
        """Return median, low and high of the local exponent of `what`, at the budget nearest to `at`."""
        nearest = np.abs(np.log(self.C / parse_number(at, name="at"))).argmin()
        row = self.table(what, level=level).iloc[nearest]
        return tuple(float(row[k]) for k in ("exponent", *(f"exponent_{s}{100 * level:g}" for s in ("low", "high"))))

    @property
    def notes(self) -> list[str]:
        """What the table does not say: the exponents in words, and whether a limit decides."""
        C = self.C[len(self.C) // 2]
        said = []
        for what in ("N", "D"):
            middle, low, high = self.exponent(what, at=C)
            said.append(f"{what} grows as C^{middle:.3f} ({low:.3f} to {high:.3f})")
        notes = [f"at {format_number(C)} FLOP {', '.join(said)}; 95% equal-tailed"]
        if (bound := self.C[self.at_edge > 0.01]).size:
            notes.append(
                f"for C from {format_number(bound[0])} to {format_number(bound[-1])} the optimum of some draws lies at "
                "the edge of what is searched or allowed: the exponent there is the limit's"
            )
        return notes

    def __repr__(self):
        shown = self.table().map(format_number).to_string(index=False)
        limits = "".join(f", {k} = {format_number(v)}" for k, v in self.given.items() if v)
        head = f"compute-optimal N, law {self.law}{limits}; 50/80/95% equal-tailed intervals"
        return "\n".join([head, shown, *self.notes])

    def _repr_html_(self):
        return f"<pre>{self!r}</pre>"


def frontier(post, *, C, **limits) -> Frontier:
    """Find the best parameters and tokens for each of several budgets, and their local exponents.

    Parameters
    ----------
    post : Posterior or Average
        Of a law in N and D.
    C : sequence of number or str
        Budgets in FLOP, such as ``["1e20", "1e22", "1e24"]``. They come back increasing.
    **limits
        ``inference_tokens``, ``D_max``, ``N_max``, ``tolerance``, as for `allocate`.

    Returns
    -------
    Frontier

    Raises
    ------
    LawError
        The law is not one of N and D.
    NumberError
        A budget is not a number.
    RunsError
        A budget is not positive, is given twice, or leaves nothing to choose from; or N is given.

    Notes
    -----
    N_opt = G (C / 6)^(beta / (alpha + beta)) for `chinchilla` (Hoffmann et al. 2022, eq. 4): one exponent for all
    budgets. Other laws, inference and limits bend the frontier, so the exponent is said for each budget.
    """
    budgets = _budgets(C)
    if "N" in limits:
        raise RunsError("N is what a frontier seeks: leave it out, or ask for one budget with allocate(post, C=, N=)")
    searched = _with_neighbours(budgets)
    optima = [allocate(post, C=c, **limits) for c in searched]
    draws = {k: np.stack([best.draws[k] for best in optima], axis=1) for k in optima[0].draws}
    log_C = np.log(searched)
    exponents = {k: np.gradient(np.log(v), log_C, axis=1, edge_order=2) for k, v in draws.items()}
    asked = np.isin(searched, budgets)
    optima = [best for best, kept in zip(optima, asked, strict=True) if kept]
    near = {k: _near_optimal(optima, k) for k in draws if k != optima[0].gives}
    given = {k: v for k, v in optima[0].given.items() if k != "C"}
    return Frontier(
        C=budgets,
        draws={k: v[:, asked] for k, v in draws.items()},
        exponents={k: v[:, asked] for k, v in exponents.items()},
        near_optimal=near,
        at_edge=np.array([best.at_edge for best in optima]),
        given=given,
        tolerance=optima[0].tolerance,
        law=post.law.name,
    )


def _budgets(C):
    budgets = np.atleast_1d(parse_numbers(C, name="C"))
    if budgets.ndim != 1 or not budgets.size:
        raise RunsError('C is a list of budgets such as ["1e20", "1e22"]')
    if not (budgets > 0).all():
        raise RunsError(f"C = {format_number(budgets[budgets <= 0][0])}: a budget is a positive number of FLOP")
    if len(np.unique(budgets)) < len(budgets):
        raise RunsError("C has a budget twice: give each once")
    return np.sort(budgets)


def _with_neighbours(budgets):
    if len(budgets) > 2 and (budgets[1:] < DENSE * budgets[:-1]).all():
        return budgets
    neighbours = np.unique(np.concatenate([budgets / STEP, budgets * STEP]))
    # Budgets one step apart are each other's neighbours.
    new = ~np.isclose(np.log(neighbours[:, None]), np.log(budgets), rtol=0.0, atol=0.01).any(axis=1)
    return np.sort(np.concatenate([budgets, neighbours[new]]))


def _near_optimal(optima, what):
    """Where the excess crosses the tolerance: between candidates, so that a frontier of them is smooth."""
    ends = [
        _crossings(best.candidates[what].to_numpy(), best.candidates["excess"].to_numpy(), best.tolerance)
        for best in optima
    ]
    return np.sort(np.transpose(ends), axis=0)


def _crossings(values, excess, tolerance):
    log_values, good = np.log(values), np.flatnonzero(excess <= tolerance)
    ends = []
    for last, step in ((good[0], -1), (good[-1], 1)):
        beyond = last + step
        if not 0 <= beyond < len(values) or not np.isfinite(excess[beyond]):
            ends.append(log_values[last])
            continue
        # Near its minimum the excess is a parabola: its root is a straight line.
        near, far, edge = np.sqrt([excess[last], excess[beyond], tolerance])
        share = (edge - near) / (far - near)
        ends.append(log_values[last] + share * (log_values[beyond] - log_values[last]))
    return np.exp(ends)
