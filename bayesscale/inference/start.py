"""Where to start, and the shape of the posterior there: many starts, each taken to the mode by BFGS."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optimistix as optx

__all__ = ["find_mode"]

STARTS = 8
STEPS = 300


def find_mode(potential, dimension, key):
    """Find the posterior mode and whiten there.

    Parameters
    ----------
    potential : callable
        Minus the log posterior density of a flat unconstrained vector.
    dimension : int
        Its length.
    key : PRNG key

    Returns
    -------
    mode : array, shape (dimension,)
    scale : array, shape (dimension, dimension)
        Lower triangular; mode + scale @ z with z ~ Normal(0, I) is the Laplace approximation.
    value : scalar
        The potential at the mode; not finite if no start reached a finite density.

    Notes
    -----
    The inverse Hessian that BFGS has built on its way is the covariance. It costs no second derivatives (half of the
    program's compile time), is positive definite by construction, and stays useful where the density has kinks
    (Laplace noise), whose Hessian says nothing. NUTS corrects it during its warm-up.
    """
    solver = optx.BFGS(rtol=1e-8, atol=1e-8)

    def descend(start):
        found = optx.minimise(lambda q, _: potential(q), solver, start, max_steps=STEPS, throw=False)
        reached = found.state.f_info
        # f_info belongs to the last accepted step, as found.value does.
        return found.value, reached.hessian_inv.as_matrix(), reached.f

    starts = jax.random.uniform(key, (STARTS, dimension), minval=-1.0, maxval=1.0)
    modes, covariances, values = jax.lax.map(descend, starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(values), values, jnp.inf))
    return modes[best], jnp.linalg.cholesky(covariances[best]), values[best]
