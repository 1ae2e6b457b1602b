"""Noise of an accuracy that is measured on some hundred or thousand questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, override

import numpy as np

from bayesscale.errors import RunsError
from bayesscale.noise import Noise, Normal, named
from bayesscale.runs import Runs

__all__ = ["Binomial", "noise_for", "typical_scatter"]

ITEMS = "n_items"
# Of the binomial error: what two runs differ by that answer the same questions.
SAME_ITEMS = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class Binomial(Normal):
    """Scatter of accuracies each of which is measured on questions of its own: binomial error, and what runs differ by.

    On one fixed set of questions, models of a ladder scatter around a law by half of the binomial error or less: they
    find the same questions hard, and the curve takes that in. There the default noise is the better one. This one is
    for forecasts on new questions of the same kind, and the cautious choice. Needs a column ``n_items``; a target has
    as many questions as the runs, unless it says so.

    The binomial error sqrt(p (1 - p) / n_items) is that of a normal approximation, added to sigma in quadrature.
    """

    name: ClassVar[str] = "binomial"

    @override
    def with_errors(self, runs, law):
        if ITEMS not in runs.columns or law.scale.name != "logit":
            raise RunsError(
                f"binomial noise is of a law that gives a share, such as an accuracy, and needs a column {ITEMS}: the "
                f"number of questions; law {law.name} gives {law.gives}, the runs have {', '.join(runs.columns)}"
            )
        error = _binomial_error(runs.column(law.gives), runs.column(ITEMS))
        return Runs(runs.table.assign(**{f"{law.gives}_error": error}), runs.about)

    @override
    def error_of(self, frame, post, value):
        items = frame[ITEMS].to_numpy(float) if ITEMS in frame else _usual(post.runs)
        return _binomial_error(value, items)


def _binomial_error(p, n):
    return np.sqrt(p * (1 - p) / n)


def _usual(runs):
    return np.exp(np.log(runs.column(ITEMS)).mean())


def typical_scatter(law, tables) -> float:
    """Return how much what a law gives typically scatters on its scale, around which its noise has its priors.

    The law's own number; for an accuracy of known ``n_items`` half of the binomial error of its logit.

    Parameters
    ----------
    law : Law
    tables : sequence of Runs
        One law has one noise, whatever the table.
    """
    if law.scale.name != "logit" or not all({ITEMS, law.gives} <= set(runs.columns) for runs in tables):
        return law.scatter
    p, n = (np.concatenate([runs.column(name) for runs in tables]) for name in (law.gives, ITEMS))
    p, n = p[law.scale.holds(p)], n[law.scale.holds(p)]
    errors = law.scale.slope(p) * _binomial_error(p, n)
    return float(SAME_ITEMS * np.exp(np.log(errors).mean())) if p.size else law.scatter


def noise_for(which, law, tables) -> tuple[Noise, list[Runs]]:
    """Return a noise by name, its priors where the tables put them, and the tables with the errors that it knows of.

    Parameters
    ----------
    which : str or Noise
    law : Law
    tables : sequence of Runs
    """
    noise = named(which, scatter=typical_scatter(law, tables))
    return noise, [noise.with_errors(runs, law) for runs in tables]
