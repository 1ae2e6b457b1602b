"""What a decision gives back: draws of what was asked for, with intervals, and words for a person."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bayesscale.intervals import LEVELS, intervals
from bayesscale.units import format_number

__all__ = ["Answer", "Optimum"]


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """Quantities computed from each posterior draw.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw, one column per quantity.
    given : dict
        What was asked: the budget, the limits, the covariates held fixed.
    """

    draws: pd.DataFrame
    given: dict

    def table(self, *, level: float | tuple[float, ...] = LEVELS) -> pd.DataFrame:
        """Return median and equal-tailed intervals of each quantity: ``median``, ``low50``, ``high50``, ..."""
        return pd.DataFrame(intervals(self.draws, level), index=self.draws.columns)

    @property
    def what(self) -> str:
        """What was asked for."""
        return ", ".join(self.draws.columns)

    @property
    def headline(self) -> str:
        """What was asked for, and where."""
        given = ", ".join(f"{k} = {v if isinstance(v, str) else format_number(v)}" for k, v in self.given.items() if v)
        return f"{self.what} for {given}" if given else self.what

    @property
    def notes(self) -> list[str]:
        """What the table does not say."""
        return []

    def __repr__(self):
        shown = self.table().map(format_number).to_string()
        return "\n".join([f"{self.headline}; 50/80/95% equal-tailed intervals", shown, *self.notes])

    def _repr_html_(self):
        return f"<pre>{self!r}</pre>"


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Answer):
    """The best choice of each posterior draw, and what other choices cost.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw: the best choice, what follows from it (D, tokens per parameter, S, ...) and the
        expected ``loss`` there.
    given : dict
        What was held fixed: the budget, the limits, the other covariates.
    over : str
        What is chosen: ``"N"`` (for a budget), ``"B"`` or ``"lr"``.
    candidates : DataFrame
        Per candidate: what follows from it; ``loss``, its expectation over the posterior; ``excess``, how much more
        that is than at the best candidate, relatively; ``regret``, the expected relative excess over each draw's own
        optimum, which no decision brings to zero while the law is uncertain.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    at_edge : float
        Share of draws whose optimum lies at the edge of what was searched or allowed.
    gives : str
        What the law predicts.
    """

    over: str
    candidates: pd.DataFrame
    tolerance: float
    at_edge: float
    gives: str = "loss"

    @property
    def near_optimal(self) -> tuple[float, float]:
        """Smallest and largest choice whose expected loss is within the tolerance of the best decision's."""
        good = self.candidates.loc[self.candidates["excess"] <= self.tolerance, self.over]
        return float(good.min()), float(good.max())

    @property
    def best(self) -> pd.Series:
        """The one decision to take: the candidate of least expected loss."""
        return self.candidates.loc[self.candidates[self.gives].idxmin()]

    @property
    def what(self) -> str:
        """What was asked for."""
        return f"best {self.over}"

    @property
    def notes(self) -> list[str]:
        """What the table does not say: the near-optimal range, and whether a limit decides."""
        low, high = map(format_number, self.near_optimal)
        if len(self.candidates) == 1:
            return [f"{self.over} = {low} was given: excess is what it costs against each draw's own best {self.over}"]
        notes = [
            f"any {self.over} from {low} to {high} costs less than {100 * self.tolerance:g}% {self.gives} against the "
            "best choice"
        ]
        if self.at_edge > 0.01:
            notes.append(
                f"in {100 * self.at_edge:.0f}% of the draws the optimum lies at the edge of what is searched or allowed"
            )
        return notes
