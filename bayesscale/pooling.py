"""Partial pooling: the constants of one law in several groups (tasks, domains, corpora), alike as far as the data say.

Sixteen runs leave the exponents of a task nearly open; sixteen runs of eight tasks do not, if tasks are alike. How much
alike is learned too.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpyro
from numpyro import distributions as dist
from numpyro.distributions import transforms

from bayesscale import priors
from bayesscale.errors import LawError

__all__ = ["Pooling", "pooling_of"]


@dataclass(frozen=True)
class Pooling:
    """Which parameters of a law are pooled, and how much alike they may be.

    A pooled parameter x has, in the scale where its own prior is Normal(m, s) (the logarithm of an exponent, the logit
    of a share)::

        x_g ~ Normal(mean, spread),   mean ~ Normal(m, s),   spread ~ LogNormal(log(typical s), 0.5)

    so that before any data a group's own parameter has nearly the prior that it has alone. A spread is not zero under
    this prior: groups are never quite the same, and the funnel that a spread of zero makes is not there. So parameters
    are sampled as they are, an exponent in the slope of its term; as distances from the common mean, in units of the
    spread, they took four times the leapfrogs.

    Parameters
    ----------
    over : str
        The column that names the groups.
    names : tuple of str
        The parameters that are pooled; each group has all others to itself.
    typical : float
        Spread between groups that is expected, in units of the prior's own.
    """

    over: str
    names: tuple[str, ...]
    typical: float = 0.5

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of what the groups have in common."""
        return tuple(f"{name}_{what}" for name in self.names for what in ("mean", "spread", "typical"))

    def common(self, law) -> dict:
        """Sample what the groups have in common (a NumPyro model); return the prior of each pooled parameter."""
        found = {}
        for name in self.names:
            loc, scale, onto = _normal(law.priors()[name])
            mean = numpyro.sample(f"{name}_mean", dist.Normal(loc, scale))
            spread = numpyro.sample(f"{name}_spread", priors.positive(self.typical * scale, spread=0.5))
            numpyro.deterministic(f"{name}_typical", onto(mean))
            own = dist.Normal(mean, spread)
            found[name] = own if onto is _same else dist.TransformedDistribution(own, onto)
        return found


_same = transforms.IdentityTransform()


def _normal(d):
    """Return mean and standard deviation of a prior on the scale where it is normal, and the way back from there."""
    if isinstance(d, dist.Normal):
        return jnp.asarray(d.loc), jnp.asarray(d.scale), _same
    if isinstance(d, dist.LogNormal):
        return jnp.asarray(d.loc), jnp.asarray(d.scale), transforms.ExpTransform()
    if isinstance(d, dist.TransformedDistribution) and isinstance(d.base_dist, dist.Normal) and len(d.transforms) == 1:
        return jnp.asarray(d.base_dist.loc), jnp.asarray(d.base_dist.scale), d.transforms[0]
    return None


def pooling_of(law, over, names=None) -> Pooling:
    """Say which parameters of a law are pooled.

    Parameters
    ----------
    law : Law
    over : str
        The column that names the groups.
    names : sequence of str, optional
        Those that the law samples as exponents (`of`) or as `alike`, unless given.

    Raises
    ------
    LawError
        A name is not sampled by the law, or its prior is no transformed normal distribution.
    """
    known = law.priors()
    if names is None:
        return Pooling(over, tuple(k for k in law.alike if _normal(known[k])))
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in known:
            raise LawError(f"law {law.name} has no parameter {name!r} to pool; it samples {', '.join(known)}")
        if not _normal(known[name]):
            raise LawError(
                f"{name} ~ {priors.describe(known[name])} cannot be pooled: give it a normal, log-normal or "
                "logit-normal prior with law.with_priors(...)"
            )
    return Pooling(over, names)
