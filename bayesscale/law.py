"""What a law is: a NumPyro model from a run's covariates to the expected value of what is measured.

A law is a plain function; the decorator says what it takes, what it gives and where it comes from::

    from bayesscale.law import deterministic, law, prior, sample, split_at_center

    @law(takes=("N", "D"), gives="loss", source="Hoffmann et al. 2022")
    def chinchilla(N, D):
        \"\"\"L(N, D) = E + A / N^alpha + B / D^beta\"\"\"
        E, a, b = split_at_center("E", "A", "B")
        alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
        ...

A law written in a notebook cell is used exactly as a built-in one.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module

from numpyro import deterministic

from bayesscale import priors as prior
from bayesscale.center import Covariate, Share, sample, split_at_center, value_at_center
from bayesscale.errors import LawError
from bayesscale.scale import named as scale_named
from bayesscale.scaling_law import OF_LOSSES, Law, is_built_in

__all__ = [
    "Covariate",
    "Law",
    "Share",
    "deterministic",
    "law",
    "named",
    "names",
    "prior",
    "sample",
    "split_at_center",
    "value_at_center",
]

_registry: dict[str, Law] = {}


def law(*, takes, gives="loss", source="", scatter=OF_LOSSES, scale="log"):
    """Declare a function to be a scaling law and register it under its name.

    Parameters
    ----------
    takes : str or sequence of str
        The columns that the function takes, in order; a star argument, ``def blend(D, *r)``, as ``"*r"``.
    gives : str
        The column that it predicts.
    source : str
        Paper and equation.
    scatter : float
        How much what the law gives typically scatters, as the standard deviation of its logarithm (or logit): about
        .6 % for losses, more for batch sizes or steps. The default noise has its prior around it.
    scale : {"log", "logit"}
        On which measured values scatter around the law, and the truth bends away from it: the logarithm of a positive
        quantity, the logit of one between 0 and 1.

    Returns
    -------
    callable
        A decorator that turns the function into a `Law`. Declaring a name again replaces the law (a notebook cell that
        is run twice), except that a built-in law cannot be replaced.
    """
    takes = (takes,) if isinstance(takes, str) else tuple(takes)

    def declare(function) -> Law:
        if not is_built_in(function):
            import_module("bayesscale.models")  # the built-in names are taken, whoever comes first
        arguments = tuple(str(p) for p in inspect.signature(function).parameters.values())
        if [a.startswith("*") for a in arguments] != [x.startswith("*") for x in takes]:
            raise LawError(f"law {function.__name__} has arguments {arguments} but is declared to take {takes}")
        made = Law(function, takes, gives, source, scatter, scale_named(scale))
        before = _registry.get(made.name)
        if before is not None and before.built_in != made.built_in:
            raise LawError(f"{made.name} is the name of a built-in law; give yours another name")
        _registry[made.name] = made
        return made

    return declare


def named(which: str | Law) -> Law:
    """Return a law by name, ``"chinchilla"`` or with columns ``"power(C)"``; a `Law` is returned as it is.

    Raises
    ------
    LawError
        No law has this name.
    """
    if isinstance(which, Law):
        return which
    import_module("bayesscale.models")  # declares the built-in laws
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", which) if isinstance(which, str) else None
    if match is None or match[1] not in _registry:
        raise LawError(f"no law is named {which!r}; there are {', '.join(names())}")
    found = _registry[match[1]]
    return found(*(c.strip() for c in match[2].split(","))) if match[2] else found


def names() -> tuple[str, ...]:
    """Return the names of all laws known now, the user's own included."""
    import_module("bayesscale.models")
    return tuple(_registry)
