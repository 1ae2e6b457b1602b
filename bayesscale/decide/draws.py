"""Decisions draw by draw, of a posterior or of the laws of an average, one behind the other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bayesscale.errors import LawError
from bayesscale.inference import compiling, precise

__all__ = ["need", "of_each_draw"]


def need(post, suits, needed) -> None:
    """Raise a LawError where the law of a posterior, or one of an average, does not suit the question.

    Parameters
    ----------
    post : Posterior or Average
    suits : callable
        Law -> bool.
    needed : str
        What the question needs, such as "allocate needs a law in N and D".
    """
    odd = {name: one.law for name, one in post.resampled().items() if not suits(one.law)}
    if not odd:
        return
    if post.law in odd.values():
        raise LawError(f"{needed}; {post.law.name} takes {', '.join(post.law.columns)} and gives {post.law.gives}")
    said = ", ".join(f"{name} takes {' and '.join(law.columns)}" for name, law in odd.items())
    raise LawError(f"{needed}; in the average {said}: leave it out of the average, or fit another law in its place")


def of_each_draw(post, program, *asked, bent=True):
    """Run a program for each draw.

    Parameters
    ----------
    post : Posterior or Average
    program : callable
        Law -> compiled function of (draws, *asked, centers), the draws as `truth` takes them.
    *asked
        Trees of arrays, the same for all draws.
    bent : bool
        Whether the truth of a draw bends away from its law, where the posterior has a discrepancy.

    Returns
    -------
    What the program returns, as NumPy arrays whose first axis are the draws.
    """
    parts = []
    for one in post.resampled().values():
        draws = {k: one.flat_draws[k] for k in one.law.priors()}, one.bends if bent else None
        with precise(one.settings.get("precision", "float64")), compiling():
            given = jax.tree.map(jnp.asarray, (draws, *asked, dict(one.centers)))
            parts.append(jax.tree.map(np.asarray, program(one.law)(*given)))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
