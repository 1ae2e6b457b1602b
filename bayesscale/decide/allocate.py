"""The best use of a training budget: how many parameters, how many tokens, and how much it matters."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from bayesscale.decide.answers import Optimum
from bayesscale.decide.draws import need
from bayesscale.decide.line_search import least_along
from bayesscale.errors import RunsError
from bayesscale.units import format_number, parse_number

__all__ = ["allocate"]

# The optimum is sought from 1/1000 to 1000 times the parameters that give 20 tokens per parameter.
TOKENS_PER_PARAMETER, DECADES, GRID = 20.0, 3.0, 241


def allocate(post, *, C, N=None, inference_tokens=0.0, D_max=None, N_max=None, tolerance: float = 0.001) -> Optimum:
    """Find the parameters and tokens that give the least expected loss for a budget, with their uncertainty.

    Minimises L(N, D) subject to C = 6 N D + 2 N D_inference, for each posterior draw on its own.

    Parameters
    ----------
    post : Posterior or Average
        Of a law in N and D.
    C : number or str
        Compute in FLOP, such as ``"1e24"``.
    N : number or str, optional
        Parameters, where they are given and only the tokens follow; the answer then says what that costs, as the
        ``excess`` of its loss over that of each draw's best N.
    inference_tokens : number or str
        Tokens that the model will process once trained (D_inference), paid from the same budget at 2 N FLOP each.
    D_max, N_max : number or str, optional
        No more tokens (parameters) than these: data runs out, a model must fit a device.
    tolerance : float
        Relative excess loss that counts as near-optimal.

    Returns
    -------
    Optimum

    Raises
    ------
    LawError
        The law is not one of N and D.
    RunsError
        The budget leaves nothing to choose from.

    Notes
    -----
    By golden section in log N around the best point of a grid, for all draws at once; it agrees with the closed form of
    Hoffmann et al. 2022, eq. 4, where there is one. The optimum is flat: a model three times off often costs about one
    percent of the loss (several where N and D depend on each other, as in `skaling` with a small k), so the
    near-optimal range says more than the optimum's interval.
    """
    need(post, lambda law: set(law.columns) == {"N", "D"}, "allocate needs a law in N and D, such as chinchilla")
    budget = dict(C=parse_number(C, name="C"), inference_tokens=parse_number(inference_tokens, name="inference_tokens"))
    budget |= {k: parse_number(v, name=k) for k, v in (("D_max", D_max), ("N_max", N_max)) if v is not None}
    low, high = _allowed(**budget)
    spare = budget["inference_tokens"] / 3.0
    given = dict(log_ND=np.log(budget["C"] / 6.0), spare=spare)

    def follows(N):
        D = budget["C"] / (6.0 * N) - spare
        return {"D": D, "tokens_per_parameter": D / N}

    def best(log_N, said):
        how = dict(follows=follows, said=said, tolerance=tolerance)
        return least_along(post, "N", _budget_line, log_N, given, **how)

    free = best(np.linspace(low, high, GRID), budget)
    if N is None:
        return free
    N = parse_number(N, name="N")
    if not np.exp(low) <= N <= np.exp(high):
        raise _nothing_left(budget["C"], low, high)
    fixed = best(np.log([N]), {**budget, "N": N})
    excess = fixed.draws[fixed.gives] / free.draws[free.gives] - 1.0
    return replace(fixed, draws=fixed.draws.assign(excess=excess))


def _budget_line(choices, given):
    log_N = choices["N"]
    return {"N": log_N, "D": jnp.log(jnp.exp(given["log_ND"] - log_N) - given["spare"])}


def _allowed(C, inference_tokens, D_max=np.inf, N_max=np.inf):
    """Return the least and the largest log N that the budget and the limits allow."""
    if not C > 0 or inference_tokens < 0 or not D_max > 0 or not N_max > 0:
        raise RunsError("C, D_max and N_max must be positive, inference_tokens not negative")
    center = 0.5 * np.log(C / (6.0 * TOKENS_PER_PARAMETER))
    spare = inference_tokens / 3.0
    low = max(center - DECADES * np.log(10), np.log(C / 6.0) - np.log(D_max + spare))
    high = min(center + DECADES * np.log(10), np.log(N_max))
    if spare:
        high = min(high, np.log(C / 6.0) - np.log(spare) - 1e-3)  # beyond, nothing is left to train with
    if not low < high:
        raise _nothing_left(C, low, high)
    return low, high


def _nothing_left(C, low, high):
    low, high = (format_number(np.exp(x)) for x in (low, high))
    return RunsError(
        f"the limits leave no such model for C = {format_number(C)}: N must be at least {low} to spend it and at most "
        f"{high}; choose N between them, raise D_max or N_max, or lower C or inference_tokens"
    )
