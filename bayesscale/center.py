"""Terms at the data's centre: where a law's parameters are sampled.

The amplitude of a term at N = 1 lies many decades from any run: log A and alpha correlate .999 there. The value of the
term at the geometric centre of the data is what the runs measure, so laws sample that and compute the paper's
constants from it.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar

import jax.numpy as jnp
import numpyro
from numpy.lib.mixins import NDArrayOperatorsMixin

from bayesscale import priors
from bayesscale.errors import LawError

__all__ = ["Covariate", "Share", "response_centered_at", "sample", "split_at_center", "value_at_center"]

_response_center = ContextVar("response_center")


@contextmanager
def response_centered_at(value):
    """Run a law where the typical measured value (the geometric mean of the table's losses) is `value`."""
    token = _response_center.set(value)
    try:
        yield
    finally:
        _response_center.reset(token)


class Covariate(NDArrayOperatorsMixin):
    """A covariate of all runs, such as N, kept as ``log(N / N.center)``.

    It adds, multiplies, divides and compares like the array of its values, and NumPy's functions take it; a power is
    one exponential and never leaves the range of a float. In functions of `jax.numpy` write ``N.values``, and ``N.log``
    for its logarithm.

    Parameters
    ----------
    log_ratio : array
        log(x / center), one per run.
    center : scalar
        Geometric mean over the runs of the fit, in the covariate's own unit.
    """

    def __init__(self, log_ratio, center):
        self.log_ratio = log_ratio
        self.center = center

    @property
    def log(self):
        """The natural logarithm of the values."""
        return self.log_ratio + jnp.log(self.center)

    @property
    def values(self):
        """The values themselves, as a JAX array."""
        return self.center * jnp.exp(self.log_ratio)

    def __pow__(self, exponent):
        return self.center**exponent * jnp.exp(exponent * self.log_ratio)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or kwargs:
            return NotImplemented
        return getattr(jnp, ufunc.__name__)(*(x.values if isinstance(x, Covariate) else x for x in inputs))


class Share(Covariate):
    """A covariate that may be zero: a domain's proportion in the training data, or whether a model was grown (0 or 1).

    Its centre is the mean over the runs of the fit, not the geometric mean. Zero to a positive power is zero, and the
    gradient by the exponent is zero there too.

    Parameters
    ----------
    name : str
        Of which domain, or operator: the column without its prefix.
    log_ratio : array
        log(x / center), one per run; minus infinity for zero.
    center : scalar
    """

    def __init__(self, name, log_ratio, center):
        super().__init__(log_ratio, center)
        self.name = name

    def __pow__(self, exponent):
        there = self.log_ratio > -jnp.inf
        power = self.center**exponent * jnp.exp(exponent * jnp.where(there, self.log_ratio, 0.0))
        return jnp.where(there, power, jnp.where(exponent > 0, 0.0, jnp.inf))


def sample(name, distribution, *, of=None, alike=None):
    """Sample a parameter: `numpyro.sample`, which may say of which term the parameter is the exponent.

    Parameters
    ----------
    name : str
        The paper's name.
    distribution : numpyro distribution
        Its prior.
    of : scalar, optional
        For an exponent: the value of its term at the centre. Changes nothing but how fast the posterior is sampled.
    alike : bool, optional
        Whether the parameter is alike in tasks or domains of different units and difficulty, so that `fit_pooled` pools
        it. Exponents (`of`) are, unless said otherwise; others are not.
    """
    return numpyro.sample(name, distribution, infer={"alike": of is not None if alike is None else alike, "term": of})


def value_at_center(*, spread=0.1):
    """Sample the law's value at the centre of the data.

    Samples ``level`` ~ LogNormal(0, spread), the law's value at the centre relative to the geometric mean of the
    measured values, so that the prior holds in any unit.

    Parameters
    ----------
    spread : float
        How far the two may be apart, as the standard deviation of the logarithm: little for losses, which vary little.

    Returns
    -------
    scalar
        The law's value at the centre, in the unit of the measured values.
    """
    try:
        center = _response_center.get()
    except LookupError:
        raise LawError(
            "value_at_center and split_at_center work inside a law, while bayesscale runs it; "
            "to see a law's numbers call law.evaluate(...)"
        ) from None
    return numpyro.sample("level", priors.positive(1.0, spread=spread)) * center


def split_at_center(floor, *terms, reducible=None, spread=1.0):
    """Sample the law's value at the centre of the data and share it out among the floor and the terms.

    Samples ``level`` (see `value_at_center`), ``reducible``, the share of that value which is not the floor, with
    logit Normal(-1, .7) (90 % in .10-.54; Epoch's Chinchilla runs: .27), and for all terms but the last
    ``share_<term>``, the term's share of what the terms before it leave, with logit centred at equal shares.

    Parameters
    ----------
    floor : str
        Name under which the floor is recorded, such as ``"E"``.
    *terms : str
        Name of each term's constant in the paper, such as ``"A", "B"``.
    reducible : distribution, optional
        Another prior of the reducible share.
    spread : float
        Standard deviation of the logits of the terms' shares.

    Returns
    -------
    tuple of scalars
        The floor, then each term's value at the centre.

    Notes
    -----
    These numbers are what the data pin down whatever the unit of the loss, and hardly depend on one another: the
    condition number of the posterior correlation falls from 5e4 (raw constants) to 1.3e2.
    """
    value = value_at_center()
    reducible = numpyro.sample("reducible", priors.share(-1.0, spread=0.7) if reducible is None else reducible)
    left = value * reducible
    values = []
    for i, term in enumerate(terms[:-1]):
        # The logit -log(k) makes all terms equal in the middle of the prior: the first of k + 1 gets 1 / (k + 1).
        logit = math.log(1 / (len(terms) - 1 - i))
        part = numpyro.sample(f"share_{term}", priors.share(logit, spread=spread))
        values.append(left * part)
        left = left * (1 - part)
    return (numpyro.deterministic(floor, value * (1 - reducible)), *values, left)
