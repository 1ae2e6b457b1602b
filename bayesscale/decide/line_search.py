"""The least expected loss along a line of choices: the optimum of each posterior draw, and what other choices cost."""

from __future__ import annotations

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayesscale.decide.answers import Optimum
from bayesscale.decide.draws import of_each_draw
from bayesscale.decide.truth import truth
from bayesscale.errors import LawError

__all__ = ["golden", "least_along", "root"]

GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
STEPS = 60  # of golden section: shrinks the bracket by 3e-13
HALVINGS = 64


def golden(value, grid):
    """Find the least of `value` over a line: around the best point of a grid by golden section.

    Parameters
    ----------
    value : callable
        From an array of points to an array of values.
    grid : array
        Increasing.

    Returns
    -------
    best, least, on_grid
        Where the least value is, that value, and the values on the grid.
    """
    on_grid = value(grid)
    i = jnp.argmin(on_grid)
    low, high = grid[jnp.maximum(i - 1, 0)], grid[jnp.minimum(i + 1, grid.size - 1)]

    def shrink(_, bracket):
        low, high = bracket
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_left, at_right = value(jnp.stack([left, right]))
        return jnp.where(at_left < at_right, low, left), jnp.where(at_left < at_right, right, high)

    low, high = jax.lax.fori_loop(0, STEPS, shrink, (low, high))
    best = (low + high) / 2
    return best, jnp.minimum(value(best[None])[0], on_grid[i]), on_grid


def root(rises_through_zero, low, high):
    """Return where an increasing function crosses zero, by halving; infinite where it does not before `high`."""

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        below = rises_through_zero(middle) < 0
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    found = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return jnp.where(rises_through_zero(high) < 0, jnp.inf, sum(found) / 2)


def least_along(post, over, line, log_grid, given, *, follows, said, tolerance, inner=None) -> Optimum:
    """Find the choice of least expected loss for each posterior draw.

    Parameters
    ----------
    post : Posterior or Average
    over : str
        What is chosen.
    line : callable
        ``line(choices, given)`` -> the logarithm of each covariate of the law, where `choices` holds the logarithms of
        what is chosen by name. A function of a module, so that its program is compiled once.
    log_grid : array
        Logarithms of the candidates, increasing and evenly spaced.
    given : dict of str to number
        What `line` needs to know beside the choice.
    follows : callable
        From an array of choices to the columns that follow from them, as a dict.
    said : dict of str to number
        What the user gave.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    inner : tuple of str and array, optional
        A second covariate, and its logarithmic grid, which is at its own best for every choice and draw.

    Returns
    -------
    Optimum
    """
    if not tolerance > 0:
        raise LawError(f"tolerance is a relative excess such as 0.001 for 0.1 %, not {tolerance!r}")
    second, inner_grid = inner or (None, np.zeros(0))
    program = partial(_compiled, line=line, over=over, second=second)
    best, least, on_grid, at_best = of_each_draw(post, program, log_grid, inner_grid, given)
    choice, gives = np.exp(best), post.law.gives
    tuned = {second: np.exp(at_best)} if second else {}
    draws = pd.DataFrame({over: choice, **follows(choice), **tuned, gives: least})
    expected, regret = on_grid.mean(axis=0), (on_grid / least[:, None]).mean(axis=0) - 1.0
    candidates = pd.DataFrame({over: np.exp(log_grid), **follows(np.exp(log_grid)), gives: expected})
    candidates = candidates.assign(excess=expected / expected.min() - 1.0, regret=regret)
    margin = (log_grid[-1] - log_grid[0]) / (100 * len(log_grid))
    at_edge = float(np.mean((best < log_grid[0] + margin) | (best > log_grid[-1] - margin)))
    return Optimum(draws, said, over, candidates, tolerance, at_edge, gives)


@lru_cache(maxsize=128)
def _compiled(law, line, over, second):
    """Give the optimum of each draw, its value, the values on the grid, and what the second covariate is there."""

    def one(draw, grid, inner_grid, given, centers):
        expected = truth(law, draw, centers)

        def loss(**choices):
            return expected(line(choices, given))

        def tuned(choice):
            return golden(lambda inner: loss(**{over: choice, second: inner}), inner_grid)[:2]

        if second is None:
            return *golden(lambda choices: loss(**{over: choices}), grid), jnp.nan
        best, least, on_grid = golden(lambda choices: jax.vmap(tuned)(choices)[1], grid)
        return best, least, on_grid, tuned(best)[0]

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None, None)))
