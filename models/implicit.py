"""The curve that M4 gives only implicitly: solved to rounding in a fixed number of steps, with exact derivatives."""

import jax
import jax.numpy as jnp

__all__ = ["logit_left"]

STEPS = 3  # reach 1e-11 for every f and all alpha from 1e-2 to 1e2, in which a prior of alpha should lie


@jax.custom_jvp
def logit_left(log_f, alpha):
    """Solve u / (1 - u)^alpha = f for u between 0 and 1, and return v = log(u / (1 - u)).

    Parameters
    ----------
    log_f : array
        Logarithm of f: u is near f where f is small, near 1 where it is large.
    alpha : scalar or array
        Positive. 1 is the logistic curve, v = log f; as alpha goes to 0, u goes to f or to 1, whichever is less.

    Returns
    -------
    array
        In the shape that the two have together.

    Notes
    -----
    In v the equation is g(v) = alpha log(1 + e^v) - log(1 + e^-v) = log f. g rises with slope 1 far to the left and
    with slope alpha far to the right, and in between it bends one way only: a start where these two straight lines meet
    log f is never far off. From there Householder's method of third order, whose derivatives cost nothing here,
    quadruples the digits with every step. It needs no bracket.
    """
    v = jnp.where(log_f < 0, log_f, log_f / alpha)
    for _ in range(STEPS):
        log_rest, u = _rest_and_left(v)
        g = v + log_rest - alpha * log_rest - log_f
        first = 1 + (alpha - 1) * u
        second = (alpha - 1) * u * (1 - u)
        third = second * (1 - 2 * u)
        v = v - g * (first**2 - g * second / 2) / (first**3 - g * first * second + g**2 * third / 6)
    return v


def _rest_and_left(v):
    """Return log(1 - u) and u, without rounding either away."""
    e = jnp.exp(-jnp.abs(v))
    return -jnp.maximum(v, 0) - jnp.log1p(e), jnp.where(v > 0, 1, e) / (1 + e)


@logit_left.defjvp
def _change(at, changes):
    # The implicit function theorem: g'(v) dv = dlog_f + log(1 - u) dalpha, however v was found.
    (log_f, alpha), (d_log_f, d_alpha) = at, changes
    v = logit_left(log_f, alpha)
    log_rest, u = _rest_and_left(v)
    return v, (d_log_f + log_rest * d_alpha) / (1 + (alpha - 1) * u)
