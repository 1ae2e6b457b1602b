"""The scale on which measured values scatter around a law: the logarithm, or for shares between 0 and 1 the logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from bayesscale.errors import LawError

__all__ = ["LOG", "LOGIT", "Scale", "named"]


@dataclass(frozen=True)
class Scale:
    """A monotone map of what a law gives to the real line, on which noise and discrepancy are added to the law.

    Parameters
    ----------
    name : str
    to, back : callable
        The map and its inverse, for NumPy's arrays and JAX's.
    slope : callable
        Its derivative: what a small error of a measured value is on the scale.
    holds : callable
        Which measured values have a place on it.
    values : str
        Those, in words.
    """

    name: str
    to: Callable = field(compare=False)
    back: Callable = field(compare=False)
    slope: Callable = field(compare=False)
    holds: Callable = field(compare=False)
    values: str = ""


def _of(x):
    return jnp if isinstance(x, jax.Array) else np


LOG = Scale(
    "log",
    to=lambda y: _of(y).log(y),
    back=lambda z: _of(z).exp(z),
    slope=lambda y: 1 / y,
    holds=lambda y: y > 0,
    values="positive",
)
LOGIT = Scale(
    "logit",
    to=lambda y: _of(y).log(y) - _of(y).log1p(-y),
    back=lambda z: _of(z).exp(-_of(z).logaddexp(0.0, -z)),  # 1 / (1 + e^-z), which may overflow
    slope=lambda y: 1 / (y * (1 - y)),
    holds=lambda y: (y > 0) & (y < 1),
    values="between 0 and 1",
)


def named(which: str) -> Scale:
    """Return the scale ``"log"`` or ``"logit"``."""
    scales = {scale.name: scale for scale in (LOG, LOGIT)}
    if which not in scales:
        raise LawError(f"scale is {' or '.join(map(repr, scales))}, not {which!r}")
    return scales[which]
