"""The best use of a training budget: how many parameters, how many tokens, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro import handlers

from bayesscale.center import Covariate
from bayesscale.errors import LawError, RunsError
from bayesscale.inference import compiling, precise
from bayesscale.units import format_number, parse_number

__all__ = ["Allocation", "allocate"]

# The optimum is sought from 1/1000 to 1000 times the parameters that give 20 tokens per parameter.
TOKENS_PER_PARAMETER, DECADES, GRID = 20.0, 3.0, 241
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
STEPS = 60  # of golden section: shrinks the bracket by 3e-13


@dataclass(frozen=True, eq=False, repr=False)
class Allocation:
    """The compute-optimal N and D of each posterior draw, and what other sizes cost.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw: ``N``, ``D``, ``tokens_per_parameter``, ``loss`` (the expected loss there).
    candidates : DataFrame
        Per candidate ``N``: ``D`` that the budget leaves; ``loss``, its expectation over the posterior; ``excess``, how
        much more that is than at the best candidate, relatively; ``regret``, the expected relative excess over each
        draw's own optimum, which no decision brings to zero while the law is uncertain.
    budget : dict
        What was allocated: ``C`` and the constraints.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    at_edge : float
        Share of draws whose optimum lies at the edge of what was searched or allowed.
    gives : str
        What the law predicts.
    """

    draws: pd.DataFrame
    candidates: pd.DataFrame
    budget: dict
    tolerance: float
    at_edge: float
    gives: str = "loss"

    def table(self, *, level: float | tuple[float, ...] = (0.5, 0.8, 0.95)) -> pd.DataFrame:
        """Return median and equal-tailed intervals of N, D, tokens per parameter and loss at the optimum."""
        columns = {"median": self.draws.median()}
        for mass in np.atleast_1d(level):
            columns[f"low{100 * mass:g}"] = self.draws.quantile((1 - mass) / 2)
            columns[f"high{100 * mass:g}"] = self.draws.quantile((1 + mass) / 2)
        return pd.DataFrame(columns)

    @property
    def near_optimal(self) -> tuple[float, float]:
        """Smallest and largest N whose expected loss is within the tolerance of the best decision's."""
        good = self.candidates.loc[self.candidates["excess"] <= self.tolerance, "N"]
        return float(good.min()), float(good.max())

    @property
    def best(self) -> pd.Series:
        """The one decision to take: the candidate of least expected loss."""
        return self.candidates.loc[self.candidates[self.gives].idxmin()]

    @property
    def headline(self) -> str:
        """What was allocated."""
        return "allocation of " + ", ".join(f"{k} = {format_number(v)}" for k, v in self.budget.items() if v)

    @property
    def notes(self) -> list[str]:
        """What the table does not say: the near-optimal range, and whether a limit decides."""
        low, high = map(format_number, self.near_optimal)
        notes = [
            f"any N from {low} to {high} costs less than {100 * self.tolerance:g}% {self.gives} against the best choice"
        ]
        if self.at_edge > 0.01:
            notes.append(f"in {100 * self.at_edge:.0f}% of the draws the optimum lies at the edge of what is allowed")
        return notes

    def __repr__(self):
        shown = self.table().map(format_number).to_string()
        return "\n".join([f"{self.headline}; 50/80/95% equal-tailed intervals", shown, *self.notes])

    def _repr_html_(self):
        return f"<pre>{self!r}</pre>"


def allocate(post, *, C, inference_tokens=0.0, D_max=None, N_max=None, tolerance: float = 0.001) -> Allocation:
    """Find the parameters and tokens that give the least expected loss for a budget, with their uncertainty.

    Minimises L(N, D) subject to C = 6 N D + 2 N D_inference, for each posterior draw on its own.

    Parameters
    ----------
    post : Posterior
        Of a law in N and D.
    C : number or str
        Compute in FLOP, such as ``"1e24"``.
    inference_tokens : number or str
        Tokens that the model will process once trained (D_inference), paid from the same budget at 2 N FLOP each.
    D_max, N_max : number or str, optional
        No more tokens (parameters) than these: data runs out, a model must fit a device.
    tolerance : float
        Relative excess loss that counts as near-optimal.

    Returns
    -------
    Allocation

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
    percent of the loss, so the near-optimal range says more than the optimum's interval.
    """
    if set(post.law.columns) != {"N", "D"}:
        raise LawError(
            f"allocate needs a law in N and D, such as chinchilla; {post.law.name} takes {', '.join(post.law.columns)}"
        )
    budget = dict(C=parse_number(C, name="C"), inference_tokens=parse_number(inference_tokens, name="inference_tokens"))
    budget |= {k: parse_number(v, name=k) for k, v in (("D_max", D_max), ("N_max", N_max)) if v is not None}
    log_N = _candidates(**budget)
    spare = budget["inference_tokens"] / 3.0
    parameters = {k: post.flat_draws[k] for k in post.law.priors()}
    with precise(post.settings.get("precision", "float64")), compiling():
        given = jax.tree.map(jnp.asarray, (parameters, log_N, np.log(budget["C"] / 6.0), spare, dict(post.centers)))
        best, loss, on_grid = map(np.asarray, _compiled_optimum(post.law)(*given))
    N = np.exp(best)
    D = budget["C"] / (6.0 * N) - spare
    draws = pd.DataFrame({"N": N, "D": D, "tokens_per_parameter": D / N, post.law.gives: loss})
    sizes = np.exp(log_N)
    expected = on_grid.mean(axis=0)
    regret = (on_grid / loss[:, None]).mean(axis=0) - 1.0
    candidates = pd.DataFrame({"N": sizes, "D": budget["C"] / (6.0 * sizes) - spare, post.law.gives: expected})
    candidates = candidates.assign(excess=expected / expected.min() - 1.0, regret=regret)
    step = log_N[1] - log_N[0]
    at_edge = float(np.mean((best < log_N[0] + step / 100) | (best > log_N[-1] - step / 100)))
    return Allocation(draws, candidates, budget, tolerance, at_edge, post.law.gives)


def _candidates(C, inference_tokens, D_max=np.inf, N_max=np.inf):
    """Return the grid of log N that the budget and the limits allow."""
    if not C > 0 or inference_tokens < 0 or not D_max > 0 or not N_max > 0:
        raise RunsError("C, D_max and N_max must be positive, inference_tokens not negative")
    center = 0.5 * np.log(C / (6.0 * TOKENS_PER_PARAMETER))
    spare = inference_tokens / 3.0
    low = max(center - DECADES * np.log(10), np.log(C / 6.0) - np.log(D_max + spare))
    high = min(center + DECADES * np.log(10), np.log(N_max))
    if spare:
        high = min(high, np.log(C / 6.0) - np.log(spare) - 1e-3)  # beyond, nothing is left to train with
    if not low < high:
        raise RunsError(
            f"the limits leave no model for C = {format_number(C)}: N must be at least {format_number(np.exp(low))} to "
            f"spend it and at most {format_number(np.exp(high))}; raise D_max or N_max, or lower C or inference_tokens"
        )
    return np.linspace(low, high, GRID)


@lru_cache(maxsize=128)
def _compiled_optimum(law):
    def one(parameters, log_N, log_budget, spare, centers):
        def loss(log_n):
            tokens = jnp.exp(log_budget - log_n) - spare
            logs = {"N": log_n, "D": jnp.log(tokens)}
            x = {k: Covariate(jnp.atleast_1d(v) - jnp.log(centers[k]), centers[k]) for k, v in logs.items()}
            with handlers.substitute(data=parameters):
                return law.expected(x, centers[law.gives])

        on_grid = loss(log_N)
        i = jnp.argmin(on_grid)
        low, high = log_N[jnp.maximum(i - 1, 0)], log_N[jnp.minimum(i + 1, log_N.size - 1)]

        def shrink(_, bracket):
            low, high = bracket
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            keep_left = loss(left)[0] < loss(right)[0]
            return jnp.where(keep_left, low, left), jnp.where(keep_left, right, high)

        low, high = jax.lax.fori_loop(0, STEPS, shrink, (low, high))
        best = (low + high) / 2
        least = jnp.minimum(loss(best)[0], on_grid[i])
        return best, least, on_grid

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None, None)))
