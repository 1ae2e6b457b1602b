"""When to grow: how long to train the small model first, or how much larger to make it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayesscale.decide.answers import Optimum
from bayesscale.decide.draws import need
from bayesscale.decide.line_search import least_along
from bayesscale.errors import LawError, RunsError
from bayesscale.units import format_number, parse_number

__all__ = ["GrowthOptimum", "optimal_growth"]

DECADES, GRID = 3.0, 241  # d is sought from 1/1000 to 1000 times the centre of the runs, as far as the budget goes
LARGEST = 64.0  # times larger than the small model


@dataclass(frozen=True, eq=False, repr=False)
class GrowthOptimum(Optimum):
    """The best d (or g), and whether growing beats scratch. Made by `bayesscale.optimal_growth`.

    Parameters
    ----------
    gain : Series, optional
        Loss from scratch less loss of the grown model at the one best d, draw by draw.
    """

    gain: pd.Series | None = None

    @property
    def beats_scratch(self) -> float | None:
        """P(the grown model has less expected loss than one from scratch on the same budget)."""
        return None if self.gain is None else float((self.gain > 0).mean())

    @property
    def notes(self) -> list[str]:
        """The near-optimal range, whether a limit decides, and whether to grow at all."""
        if self.gain is None:
            return super().notes
        low, middle, high = self.gain.quantile([0.025, 0.5, 0.975])
        better = f"{middle:.3f} less {self.gives} than scratch on this budget ({low:.3f} to {high:.3f}, 95%)"
        return [*super().notes, f"P(growing beats scratch) = {self.beats_scratch:.3f}: {better}"]


def optimal_growth(post, *, N, C, g=4, d=None, scratch=None, tolerance: float = 0.001, seed: int = 0) -> GrowthOptimum:
    """Find for how many tokens to train the small model before it is grown, with its uncertainty.

    The budget is C = 6 N (D + d / g): a model of N / g parameters on d tokens, then one of N on D.

    Parameters
    ----------
    post : Posterior or Average
        Of a law of d, such as `growth_two_stage` or `growth_timing`; of a law of g, `growth_factor`, the best g.
    N, C : number or str
        Parameters of the grown model, and all of the compute in FLOP.
    g : number
        How many times larger the grown model is.
    d : number or str, optional
        Where it is given: the answer says what it costs, as the ``excess`` of its loss over that of each draw's best d.
    scratch : Posterior, optional
        Of a law of models from scratch, in N and D or C, in the same unit: whether growing beats that, on the same
        budget.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    seed : int
        Of how draws of the two posteriors are put together: they are independent.

    Returns
    -------
    GrowthOptimum
        ``d`` and the ``D`` that follows. ``at_edge`` is the share of draws without an optimum between the ends: where
        the law does not bend within what was searched, or all of the budget goes to the small model.

    Raises
    ------
    LawError
        The law knows neither d nor g.
    RunsError
        N, C, g or d are not positive, or the budget does not pay for d.

    Notes
    -----
    `growth_timing` and `growth_factor` carry a parabola in log d, or log g, to other budgets by its vertex alone: far
    beyond the runs look at the interval first.
    """
    suits = "the best time to grow needs a law with d or g in it, such as growth_two_stage or growth_timing"
    need(post, lambda law: set(law.columns) in ({"d", "D"}, {"N", "C", "d"}, {"N", "C", "g"}), suits)
    numbers = {k: parse_number(v, name=k) for k, v in dict(N=N, C=C, g=g, d=d).items() if v is not None}
    if bad := [k for k, v in numbers.items() if not v > 0]:
        raise RunsError(f"{', '.join(bad)} must be positive")
    over = "d" if "d" in post.law.columns else "g"
    if over == "g" and d is not None:
        raise LawError(f"law {post.law.name} says the best g; it does not know d")
    N, C, g = (numbers[k] for k in "NCg")
    tokens = C / (6 * N)
    logs = dict(N=np.log(N), C=np.log(C), g=np.log(g), tokens=np.log(tokens))
    said = {"N": N, "C": C} | ({"g": g} if over == "d" else {})

    def follows(choice):
        return {"D": tokens - choice / g} if over == "d" else {}

    def best(grid, said):
        how = dict(follows=follows, said=said, tolerance=tolerance)
        return least_along(post, over, _after_growing, grid, logs, **how)

    grid = _searched(post, over, g * tokens)
    free = best(grid, said)
    if d is not None:
        if not numbers["d"] < g * tokens:
            most = format_number(g * tokens)
            raise RunsError(f"d = {format_number(numbers['d'])}: C = {format_number(C)} pays for d below {most}")
        found = best(np.log([numbers["d"]]), {**said, "d": numbers["d"]})
        found = replace(found, draws=found.draws.assign(excess=found.draws[found.gives] / free.draws[free.gives] - 1))
    else:
        found = free
    gain = None
    if scratch is not None:
        one = found if d is not None else best(np.log([float(free.best[over])]), said)
        from_scratch = scratch.predict({"N": [N], "D": [tokens], "C": [C]}, kind="mean").draws[:, 0]
        rng, n = np.random.default_rng(seed), min(len(from_scratch), len(one.draws))
        gain = rng.permutation(from_scratch)[:n] - one.draws[one.gives].to_numpy()[rng.permutation(len(one.draws))[:n]]
        gain = pd.Series(gain, name="gain")
    return GrowthOptimum(**{k: getattr(found, k) for k in found.__dataclass_fields__}, gain=gain)


def _searched(post, over, most):
    if over == "g":
        return np.linspace(0.0, np.log(LARGEST), GRID)
    middle = np.log(post.centers["d"])
    low, high = middle - DECADES * np.log(10), min(middle + DECADES * np.log(10), np.log(0.999 * most))
    if not low < high:
        raise RunsError(
            f"C pays for a small model on {format_number(most)} tokens at most, less than 1/1000 of what the runs "
            "have: raise C, or lower N"
        )
    return np.linspace(low, high, GRID)


def _after_growing(choices, given):
    logs = {**given, **choices}
    if "d" not in choices:
        return logs
    left = jnp.exp(logs["tokens"]) - jnp.exp(logs["d"] - logs["g"])
    return {**logs, "D": jnp.log(jnp.maximum(left, 1.0))}
