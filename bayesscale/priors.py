"""Priors that scaling laws share, and how a prior is read, written to a file and rebuilt from it.

Every prior is a NumPyro distribution; nothing here is needed to use another one.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import distributions as dist
from numpyro.distributions import constraints, transforms

from bayesscale.errors import LawError

__all__ = ["describe", "exponent", "from_spec", "identity", "interval", "positive", "share", "shifted_gamma", "to_spec"]


def positive(typical, *, spread):
    """Log-normal prior of a positive quantity: median `typical`, standard deviation `spread` of its logarithm.

    `typical` is a number, or inside a law a parameter that was sampled before: ``prior.positive(2 * a, spread=0.3)``.
    """
    return dist.LogNormal(jnp.log(typical) if isinstance(typical, jax.Array) else math.log(typical), spread)


def exponent(typical, *, spread):
    """Log-normal prior of an exponent: median `typical`, standard deviation `spread` of its logarithm.

    Published exponents scatter like this: 17 fits of alpha have geometric mean .28 and log-sd .24, 16 fits of beta
    .33 and .40. A prior should be somewhat wider than that.
    """
    return positive(typical, spread=spread)


def share(center=0.0, *, spread=1.0):
    """Logit-normal prior of a share between 0 and 1: its logit is Normal(center, spread)."""
    return dist.TransformedDistribution(dist.Normal(center, spread), transforms.SigmoidTransform())


def shifted_gamma(shift, concentration, rate):
    """Prior of `shift` + Gamma(concentration, rate)."""
    affine = transforms.AffineTransform(shift, 1.0, domain=constraints.positive)
    return dist.TransformedDistribution(dist.Gamma(concentration, rate), affine)


def _number(x):
    x = np.asarray(x)
    return f"{float(x):.3g}" if x.ndim == 0 else np.array2string(x, precision=3, threshold=6)


def _shifted(d):
    """Return the shift of ``shift + base``, or None where `d` is not of that form."""
    if type(d) is dist.TransformedDistribution and len(d.transforms) == 1:
        affine = d.transforms[0]
        if isinstance(affine, transforms.AffineTransform) and np.all(np.asarray(affine.scale) == 1):
            return affine.loc
    return None


def _is_share(d):
    return (
        type(d) is dist.TransformedDistribution
        and isinstance(d.base_dist, dist.Normal)
        and [type(t) for t in d.transforms] == [transforms.SigmoidTransform]
    )


def describe(d) -> str:
    """Say a distribution in one readable piece, such as ``LogNormal(log 0.3, 0.4)``."""
    if isinstance(d, dist.LogNormal):
        return f"LogNormal(log {_number(np.exp(d.loc))}, {_number(d.scale)})"
    if _is_share(d):
        return f"LogitNormal({_number(d.base_dist.loc)}, {_number(d.base_dist.scale)})"
    if (shift := _shifted(d)) is not None:
        return f"{_number(shift)} + {describe(d.base_dist)}"
    if isinstance(d, dist.ExpandedDistribution | dist.Independent):
        return describe(d.base_dist)
    inner = [describe(d.base_dist)] if isinstance(getattr(d, "base_dist", None), dist.Distribution) else []
    given = [f"{k}={_number(getattr(d, k))}" for k in d.arg_constraints if getattr(d, k, None) is not None]
    return f"{type(d).__name__}({', '.join(inner + given)})"


def interval(d, level=0.95):
    """Equal-tailed prior interval as (low, high), or None where the distribution has no quantile function."""
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    try:
        low, high = (float(np.asarray(d.icdf(q))) for q in tails)
    except (NotImplementedError, TypeError, ValueError):
        return None
    return low, high


def identity(d) -> tuple:
    """Say exactly which distribution this is, as a hashable: equal for equal families with equal parameters."""
    leaves, structure = jax.tree.flatten(d)
    return str(structure), tuple(np.asarray(x).tobytes() for x in leaves)


# Families that have a base distribution, but whose own parameters say all of them.
TRANSFORMED = (dist.LogNormal, dist.LogUniform, dist.InverseGamma, dist.Pareto)
TRUNCATED = (dist.LeftTruncatedDistribution, dist.RightTruncatedDistribution, dist.TwoSidedTruncatedDistribution)


def to_spec(d) -> dict | None:
    """Write a prior as plain JSON data, or None where its parameters do not say all of it."""
    if _is_share(d):
        return {"name": "share", "center": float(d.base_dist.loc), "spread": float(d.base_dist.scale)}
    shift = _shifted(d)
    if shift is not None and isinstance(d.base_dist, dist.Gamma):
        base = d.base_dist
        values = (float(shift), float(base.concentration), float(base.rate))
        return {"name": "shifted_gamma", **dict(zip(("shift", "concentration", "rate"), values, strict=True))}
    if d.event_shape:  # a matrix is held in several forms at once, and its family takes one
        return None
    values = {k: np.asarray(getattr(d, k)).tolist() for k in d.arg_constraints}
    if isinstance(d, TRUNCATED):
        base = to_spec(d.base_dist)
        return base and {"name": "truncated", "base": base, **values}
    known = getattr(dist, type(d).__name__, None) is type(d)
    if not known or (hasattr(d, "base_dist") and not isinstance(d, TRANSFORMED)):
        return None
    return {"name": type(d).__name__, **values}


def from_spec(spec: dict):
    """Rebuild a prior from `to_spec`; only names of this module and of NumPyro's distributions are looked up."""
    arguments = {k: np.asarray(v) if isinstance(v, list) else v for k, v in spec.items() if k != "name"}
    if spec["name"] == "share":
        return share(arguments["center"], spread=arguments["spread"])
    if spec["name"] == "shifted_gamma":
        return shifted_gamma(**arguments)
    if spec["name"] == "truncated":
        return dist.TruncatedDistribution(from_spec(arguments.pop("base")), **arguments)
    family = getattr(dist, spec["name"], None)
    if not (isinstance(family, type) and issubclass(family, dist.Distribution)):
        raise LawError(f"the file names the prior {spec['name']!r}, which this version of NumPyro does not have")
    return family(**arguments)
