"""Where to start, and the shape of the posterior there: many starts, each taken to the mode by BFGS."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optimistix as optx

__all__ = ["find_modes"]

STARTS = 8
STEPS = 300
# A mode that much less probable (in log density) than the best holds next to nothing of the posterior.
REACH = 5.0


def find_modes(potential, dimension, key):
    """Find the posterior's modes and whiten at the best.

    Parameters
    ----------
    potential : callable
        Minus the log posterior density of a flat unconstrained vector.
    dimension : int
        Its length.
    key : PRNG key

    Returns
    -------
    modes : array, shape (STARTS, dimension)
        Where each start ended, the best first; what is out of `REACH` is replaced by the best. More than one mode is
        rare: alpha and beta can change places where all runs have the same tokens per parameter.
    scale : array, shape (dimension, dimension)
        Lower triangular; mode + scale @ z with z ~ Normal(0, I) is the Laplace approximation at the best.
    value : scalar
        The potential there; not finite if no start reached a finite density.

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
    ends, covariances, values = jax.lax.map(descend, starts)
    values = jnp.where(jnp.isfinite(values), values, jnp.inf)
    order = jnp.argsort(values)
    best = order[0]
    within = (values[order] - values[best] < REACH)[:, None]
    return jnp.where(within, ends[order], ends[best]), jnp.linalg.cholesky(covariances[best]), values[best]
