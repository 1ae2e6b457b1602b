"""Two laws, one behind the other: what the first gives the second takes, such as a loss and then an accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bayesscale.errors import LawError
from bayesscale.forecast import Forecast, expectation
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs
from bayesscale.scale import Scale
from bayesscale.targets import read_targets

__all__ = ["Chain", "Compound", "chain"]


class Compound(NamedTuple):
    """What stands in the place of a law where several work together: what they take and give."""

    name: str
    columns: tuple[str, ...]
    gives: str
    formula: str
    scale: Scale
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Chain:
    """A law of what another law takes: N, D -> task loss -> accuracy. Made by `bayesscale.chain`.

    Where loss and accuracy are measured of the same runs, the accuracy depends on a run through its measured loss
    alone, so the likelihood is a product of two, and two fits are the joint posterior. A forecast draws the loss that a
    run would measure, noise of the run included, then the accuracy at that loss.

    Parameters
    ----------
    first, second : Posterior
    """

    first: Posterior
    second: Posterior

    @property
    def law(self) -> Compound:
        """What the two laws together take and give."""
        first, second = self.first.law, self.second.law
        others = (c for c in second.columns if c != first.gives)
        columns = tuple(dict.fromkeys((*first.columns, *others)))
        name = f"{first.name}, then {second.name}"
        formula = f"{second.gives} = {second.name} of {first.name}"
        return Compound(name, columns, second.gives, formula, second.scale, (*first.shares, *second.shares))

    @property
    def runs(self) -> Runs:
        """The table that both saw."""
        return self.first.runs

    @property
    def centers(self) -> dict[str, float]:
        """Geometric mean over the table of each covariate and of what the laws give."""
        return {**self.second.centers, **self.first.centers}

    @property
    def settings(self) -> dict:
        """Precision, and what is wrong with a fit, if anything."""
        fits = (self.first, self.second)
        wrong = [f"{p.law.name}: {p.settings['trouble']}" for p in fits if p.settings.get("trouble")]
        return dict(precision=self.first.settings.get("precision", "float64"), trouble="; ".join(wrong))

    @property
    def fixed(self) -> dict[str, float]:
        """What is the same in all runs and goes without saying: see `Posterior.fixed`."""
        return {**self.first.fixed, **self.second.fixed}

    @property
    def size(self) -> int:
        """Number of draws."""
        return min(self.first.size, self.second.size)

    def thinned(self, n: int) -> Chain:
        """Keep `n` draws of both laws; see `Posterior.thinned`."""
        return Chain(self.first.thinned(n), self.second.thinned(n))

    def predict(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> Forecast:
        """Forecast what the second law gives, at targets of the first.

        Parameters
        ----------
        targets, kind, seed, **covariates
            As for `Posterior.predict`.

        Returns
        -------
        Forecast
            Its `parts`: the law that was put second (``parameters``), what comes from not knowing what the first gives
            (named after it, such as ``loss``), the ``discrepancy`` of both laws, and ``noise``.
        """
        both = self.thinned(self.size)
        frame = read_targets(targets, takes=self.law.columns, shares=self.law.shares, fixed=self.fixed, **covariates)
        given, seed_of_first = self.first.law.gives, int(np.random.SeedSequence(seed).generate_state(1)[0])
        between = both.first.predict(frame, kind=kind, seed=seed_of_first)
        law, scale = both.second.law, both.second.law.scale

        def through(values):
            second, how = both.second, dict(precision=self.settings["precision"])
            return scale.to(expectation(law, second.flat_draws, {**frame, given: values}, second.centers, **how))

        middle = np.broadcast_to(between.median, between.draws.shape)
        unbent = sum(part for name, part in between.logs.items() if name != "discrepancy")
        at_middle, at_unbent = through(middle), through(self.first.law.scale.back(unbent))
        logs = {"parameters": at_middle, given: at_unbent - at_middle}
        bends = [through(between.draws) - at_unbent] if between.bent else []
        bends += [both.second.bends.at(frame)] if both.second.bends is not None else []
        if bends:
            logs["discrepancy"] = sum(bends)
        if kind == "new-run":
            value = scale.back(np.median(sum(logs.values()), axis=0))
            error = both.second.noise.error_of(frame, both.second, value)
            known = None if error is None else error * scale.slope(value)
            rng, draws = np.random.default_rng(seed), both.second.flat_draws
            logs["noise"] = both.second.noise.simulate(rng, draws, middle.shape, log_error=known)
        return replace(
            between,
            targets=frame,
            draws=scale.back(sum(logs.values())),
            gives=law.gives,
            law=self.law.name,
            unit="",
            logs=logs,
            notes=(),
        )

    def __repr__(self):
        wrong = self.settings["trouble"]
        lines = [f"{self.law.name}: {self.law.formula}", f"  {self.first.law.formula}", f"  {self.second.law.formula}"]
        return "\n".join([*lines, *([f"!! not to be trusted as it stands: {wrong}"] if wrong else [])])


def chain(first, second) -> Chain | dict[str, Chain]:
    """Put a law behind another: the second takes what the first gives.

    Parameters
    ----------
    first : Posterior, or mapping of str to Posterior
        Such as the task loss over N and D; of pooled fits all groups are put together, by name.
    second : Posterior, or mapping of str to Posterior
        Such as the accuracy over the task loss. Fitted to what was measured, of the same runs.

    Returns
    -------
    Chain, or dict of str to Chain

    Raises
    ------
    LawError
        The second law does not take what the first gives, or the groups differ.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if set(first) != set(second):
            apart = sorted(set(first) ^ set(second))
            raise LawError(f"the two fits have different groups: {', '.join(apart)} in one of them only")
        return {name: chain(first[name], second[name]) for name in first}
    if not (isinstance(first, Posterior) and isinstance(second, Posterior)):
        raise LawError("chain takes two fits, or two pooled fits: chain(bs.fit(...), bs.fit(...))")
    if first.law.gives not in second.law.columns:
        raise LawError(
            f"law {second.law.name} takes {', '.join(second.law.columns)}, not {first.law.gives}, which "
            f"{first.law.name} gives: it cannot stand behind it"
        )
    return Chain(first, second)
