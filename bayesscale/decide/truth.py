"""What one posterior draw takes for the truth, as a function of the covariates, inside a compiled program."""

from __future__ import annotations

import jax.numpy as jnp
from numpyro import handlers

from bayesscale.center import Covariate

__all__ = ["truth"]


def truth(law, draw, centers):
    """Return the function from the logarithms of the covariates to the expected value of what the law gives.

    Parameters
    ----------
    law : Law
    draw : tuple of dict and SamplePaths or None
        The sampled parameters of the draw, and how its truth bends away from the law.
    centers : dict of str to number
    """
    parameters, bend = draw

    def value(logs):
        size = jnp.broadcast_shapes(*(jnp.shape(logs[k]) for k in law.columns))
        x = {k: Covariate(jnp.broadcast_to(logs[k] - jnp.log(centers[k]), size), centers[k]) for k in law.columns}
        with handlers.substitute(data=parameters):
            expected = law.expected(x, centers[law.gives])
        if bend is None:
            return expected
        tokens = {"D": logs["S"] + logs["B"]} if {"S", "B"} <= set(logs) else {}
        scale = {c: jnp.broadcast_to({**tokens, **logs}[c], size) for c in bend.columns}
        return law.scale.back(law.scale.to(expected) + bend.of(scale))

    return value
