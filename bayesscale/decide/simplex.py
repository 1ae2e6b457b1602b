"""The least of a function of proportions: they sum to one, and each lies between two bounds.

Two ways, each a function that JAX may map over posterior draws: Newton steps inside the bounds, for any smooth
function; and where the function is a sum of terms in one proportion each, whose slopes are powers, the closed form.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["inner_points", "least_on_simplex", "shared_out"]

STEPS = 70  # of Newton's method
BARRIER = (1e-2, 1e-14)  # its first and its last weight, relative to the function's value
TRIED = (1.0, 0.7, 0.4, 0.15, 0.05, 0.01)  # parts of a step, the longest that does not lead upwards is taken
CENTRAL = 1e4  # how far a bound's price may be from what the barrier says it is
SNAP = 1e-7  # a proportion so close to a bound is at the bound
HALVINGS = 100  # of the interval of the price: to the last bit


def inner_points(low, high):
    """Return points strictly between the bounds that sum to one: the middle, and one towards each domain.

    Parameters
    ----------
    low, high : array of shape (domains,)
        ``low < high``, and their sums lie below and above one.

    Returns
    -------
    array of shape (1 + domains, domains)
    """
    room = high - low
    middle = low + room * (1 - low.sum()) / room.sum()

    def towards(j):
        top = jnp.minimum(high[j], 1 - low.sum() + low[j])
        others = jnp.where(jnp.arange(low.size) == j, 0.0, room)
        rest = low + others * (1 - top - low.sum() + low[j]) / others.sum()
        return 0.2 * middle + 0.8 * jnp.where(jnp.arange(low.size) == j, top, rest)

    return jnp.concatenate([middle[None], jax.vmap(towards)(jnp.arange(low.size))])


def least_on_simplex(value, low, high, start):
    """Find where a smooth function of proportions is least, from a point strictly inside the bounds.

    A primal-dual interior-point method with exact second derivatives. Where the function bends downwards its curvature
    is taken as positive, so that steps lead down there too: to a local least value.

    Parameters
    ----------
    value : callable
        From an array of proportions, shape (domains,), to a number.
    low, high, start : array of shape (domains,)

    Returns
    -------
    array of shape (domains,)
        Which proportions; at a bound exactly where it is reached.
    """
    size = jnp.abs(value(start)) + 1e-300
    weights = size * jnp.geomspace(*BARRIER, STEPS)
    slope = jax.grad(value)
    bending = jax.jacfwd(lambda p: (slope(p),) * 2, has_aux=True)  # the slope comes with it
    off_mean = jnp.eye(low.size) - 1 / low.size  # what changes the sum does not count

    def merit(p, weight):
        inside = (p > low) & (p < high)
        walls = jnp.log(jnp.where(inside, p - low, 1.0)) + jnp.log(jnp.where(inside, high - p, 1.0))
        return jnp.where(inside.all(), value(p) - weight * walls.sum(), jnp.inf)

    def step(state, weight):
        p, at_low, at_high = state
        below, above = p - low, high - p
        curvature, g = bending(p)
        roots, axes = jnp.linalg.eigh(off_mean @ curvature @ off_mean)
        H = (axes * jnp.maximum(jnp.abs(roots), 1e-10 * size)) @ axes.T + jnp.diag(at_low / below + at_high / above)
        g = g - weight / below + weight / above
        factor = jax.scipy.linalg.cho_factor(H)
        down, even = jax.scipy.linalg.cho_solve(factor, jnp.stack([-g, jnp.ones_like(g)], axis=1)).T
        move = down - even * down.sum() / even.sum()
        room = jnp.where(move < 0, -below / move, jnp.where(move > 0, above / move, jnp.inf)).min()
        lengths = jnp.minimum(1.0, 0.995 * room) * jnp.asarray(TRIED)
        *reached, here = jax.vmap(lambda t: merit(p + t * move, weight))(jnp.append(lengths, 0.0))
        fine = jnp.stack(reached) <= here + 1e-13 * size
        t = jnp.where(fine.any(), lengths[jnp.argmax(fine)], 0.0)
        new = p + t * move
        prices = []
        for price, gap, change, left in (
            (at_low, below, move, new - low),
            (at_high, above, -move, high - new),
        ):
            wanted = price + t * (weight / gap - price - price / gap * change)
            prices.append(jnp.clip(wanted, weight / left / CENTRAL, weight / left * CENTRAL))
        return (new, *prices), None

    first = (start, weights[0] / (start - low), weights[0] / (high - start))
    (p, *_), _ = jax.lax.scan(step, first, weights)
    return _at_bounds(p, low, high)


def shared_out(height, power, low, high):
    """Share one out where the loss falls, by a little more of domain i, by exp(height_i) / p_i^power_i.

    At the optimum all domains that are not at a bound are worth the same: p_i = (exp(height_i) / price)^(1 / power_i).
    The one price at which they sum to one is found by halving. Of BiMix: power = 1 + alpha.

    Parameters
    ----------
    height, power, low, high : array of shape (domains,)

    Returns
    -------
    array of shape (domains,)
    """

    def at(price):
        return jnp.clip(jnp.exp((height - price) / power), low, high)

    def halve(_, ends):
        cheap, dear = ends
        middle = (cheap + dear) / 2
        return jax.tree.map(lambda a, b: jnp.where(at(middle).sum() > 1, a, b), (middle, dear), (cheap, middle))

    # At its highest bound, and at a proportion far below any that is of use.
    cheap, dear = jnp.min(height - power * jnp.log(high)), jnp.max(height - power * jnp.log(jnp.maximum(low, 1e-12)))
    return at(sum(jax.lax.fori_loop(0, HALVINGS, halve, (cheap - 1.0, dear + 1.0))) / 2)


def _at_bounds(p, low, high):
    """Put what is next to a bound onto it, and what that takes from the others."""
    low_end, high_end = p - low < SNAP, high - p < SNAP
    fixed = jnp.where(low_end, low, jnp.where(high_end, high, 0.0))
    free = jnp.where(low_end | high_end, 0.0, p)
    total = free.sum()
    return fixed + free * jnp.where(total > 0, (1 - fixed.sum()) / jnp.where(total > 0, total, 1.0), 0.0)
