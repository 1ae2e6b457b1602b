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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import deterministic, handlers
from numpyro import distributions as dist
from numpyro.primitives import Messenger

from bayesscale import priors as prior
from bayesscale.center import Covariate, response_centered_at, sample, split_at_center, value_at_center
from bayesscale.errors import LawError
from bayesscale.scale import LOG, Scale
from bayesscale.scale import named as scale_named
from bayesscale.units import parse_numbers

__all__ = [
    "Covariate",
    "Law",
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

OF_LOSSES = 0.006  # typical scatter of log(loss) around a law on real tables


class _with_distributions(Messenger):
    """Run a model with some of its priors replaced by name."""

    def __init__(self, fn, replacements):
        self.replacements = replacements
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] == "sample" and msg["name"] in self.replacements:
            msg["fn"] = self.replacements[msg["name"]]


def unsampled():
    """Run a model for its sites alone: every parameter is one half, which costs no random numbers to trace."""

    def half(site):
        if site["type"] == "sample" and not site["is_observed"]:
            return jnp.full(site["fn"].shape(), 0.5)
        return None

    return handlers.substitute(substitute_fn=half)


@dataclass(frozen=True, eq=False, repr=False)
class Law:
    """A scaling law: a NumPyro model with a formula, inputs, an output and priors.

    Made by the decorator `law`. Frozen: every method that changes something returns a new law.

    Parameters
    ----------
    function : callable
        Takes the covariates by position, samples parameters, returns the expected value per run.
    takes : tuple of str
        The covariates' names in the formula.
    gives : str
        Column that the law predicts.
    source : str
        Paper and equation.
    scatter : float
        Typical scatter of what the law gives, on its scale: sets the scale of the noise's priors.
    scale : Scale
        On which measured values scatter around the law: the logarithm, or the logit for shares such as an accuracy.
    columns : tuple of str
        Column of the table for each covariate of `takes` (the same names unless bound: ``power("C")``).
    replaced : mapping of str to distribution
        Priors that stand in place of the function's own.
    """

    function: Callable
    takes: tuple[str, ...]
    gives: str
    source: str = ""
    scatter: float = OF_LOSSES
    scale: Scale = LOG
    columns: tuple[str, ...] = ()
    replaced: Mapping[str, dist.Distribution] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "columns", self.columns or self.takes)
        object.__setattr__(self, "replaced", MappingProxyType(dict(self.replaced)))

    # -- identity: two laws are the same when they sample the same model, so that they share one compiled program

    @property
    def _identity(self):
        # What a notebook's law reads from outside is part of it: a changed constant makes another law.
        outside = inspect.getclosurevars(self.function)
        constants = {**outside.globals, **outside.nonlocals}
        constants = sorted((k, v) for k, v in constants.items() if isinstance(v, int | float | str))
        replaced = sorted((k, prior.identity(d)) for k, d in self.replaced.items())
        return self.function, self.scatter, self.scale, self.columns, tuple(replaced), tuple(constants)

    def __eq__(self, other):
        return isinstance(other, Law) and self._identity == other._identity

    def __hash__(self):
        return hash(self._identity)

    def __reduce__(self):
        # The decorator has put the law in its function's place; a function is pickled by that place, so go by it here.
        said = (self.takes, self.gives, self.source, self.scatter, self.scale.name, self.columns, dict(self.replaced))
        return _found_again, (self.function.__module__, self.function.__qualname__, *said)

    # -- what it says of itself --------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The function's name, with the columns where they are bound: ``chinchilla``, ``power(C)``."""
        bound = "" if self.columns == self.takes else f"({', '.join(self.columns)})"
        return self.function.__name__ + bound

    @property
    def built_in(self) -> bool:
        """Whether the law comes with bayesscale."""
        return _is_built_in(self.function)

    @property
    def formula(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.function) or self.function.__name__).splitlines()[0]

    def priors(self) -> dict[str, dist.Distribution]:
        """Return the prior of every sampled parameter, by name, in the order in which the law samples them."""
        return {k: site["fn"] for k, site in self._sites.items() if site["type"] == "sample"}

    @property
    def constants(self) -> tuple[str, ...]:
        """The parameters by the paper's names: the floor, the amplitudes, then what is sampled by its own name."""
        computed = [k for k, site in self._sites.items() if site["type"] == "deterministic"]
        own = [k for k in self.priors() if k not in ("level", "reducible") and not k.startswith("share_")]
        return (*computed, *own)

    @property
    def alike(self) -> tuple[str, ...]:
        """The parameters that tasks or domains may share: exponents, and what else the law says is alike."""
        sampled = ((k, site) for k, site in self._sites.items() if site["type"] == "sample")
        return tuple(k for k, site in sampled if site["infer"].get("alike"))

    @cached_property
    def _sites(self):
        found = {}

        def run():
            ones = {c: Covariate(jnp.zeros(1), 1.0) for c in self.columns}
            with unsampled(), handlers.trace() as trace:
                self.expected(ones, 1.0)
            found.update((k, site) for k, site in trace.items() if site["type"] in ("sample", "deterministic"))

        jax.eval_shape(run)  # nothing is computed, so nothing is compiled
        if any(isinstance(x, jax.core.Tracer) for site in found.values() for x in jax.tree.leaves(site.get("fn"))):
            run()  # a prior is itself computed in the law: compute it
        return found

    @property
    def _inputs(self):
        return [x if x == column else f"{x} = {column}" for x, column in zip(self.takes, self.columns, strict=True)]

    def __repr__(self):
        said = {name: prior.describe(d) for name, d in self.priors().items()}
        width, wide = (max(map(len, texts), default=0) for texts in (said, said.values()))
        lines = [f"law {self.name}: {self.formula}", f"  takes {', '.join(self._inputs)}; gives {self.gives}"]
        lines += [f"  source: {self.source}"] if self.source else []
        for name, d in self.priors().items():
            interval = prior.interval(d)
            tail = f"   95% in {interval[0]:.3g} to {interval[1]:.3g}" if interval else ""
            changed = "   (replaced)" if name in self.replaced else ""
            lines.append(f"  {name:<{width}} ~ {said[name]:<{wide if tail else 0}}{tail}{changed}")
        if "level" in self.priors():
            lines.append(
                f"  level is the {self.gives} at the data's centre relative to its geometric mean over the runs"
            )
        return "\n".join(lines)

    # -- other laws from this one ------------------------------------------------------------------

    def __call__(self, *columns: str) -> Law:
        """Return the law over other columns of the table: ``power("C")``, ``chinchilla("N_active", "D")``."""
        if len(columns) != len(self.takes) or not all(isinstance(c, str) for c in columns):
            raise LawError(
                f"law {self.function.__name__} takes {len(self.takes)} column name(s) ({', '.join(self.takes)}), got "
                f"{columns!r}; to compute its value at given numbers call {self.function.__name__}.evaluate(...)"
            )
        return replace(self, columns=columns)

    def with_priors(self, **distributions: dist.Distribution) -> Law:
        """Return the law with some priors replaced.

        Parameters
        ----------
        **distributions : numpyro distribution
            New prior for each named parameter.

        Raises
        ------
        LawError
            A name is not sampled by this law, or a value is not a NumPyro distribution.
        """
        known = self.priors()
        for name, d in distributions.items():
            if name in self._sites and name not in known:
                raise LawError(
                    f"{name} is computed by law {self.name}, not sampled: give a prior to one of {', '.join(known)}"
                )
            if name not in known:
                raise LawError(f"law {self.name} has no parameter {name!r}; it samples {', '.join(known)}")
            if not isinstance(d, dist.Distribution):
                raise LawError(
                    f"the prior of {name} must be a NumPyro distribution such as dist.LogNormal(-1.2, 0.4), got {d!r}"
                )
        return replace(self, replaced={**self.replaced, **distributions})

    # -- running it --------------------------------------------------------------------------------

    def expected(self, covariates: Mapping[str, Covariate], response_center):
        """Sample the parameters (a NumPyro model) and return the expected value per run.

        Parameters
        ----------
        covariates : mapping of str to Covariate
            By column name.
        response_center : scalar
            Geometric mean of the measured values of the fit.
        """
        with response_centered_at(response_center):
            try:
                return _with_distributions(self.function, self.replaced)(*(covariates[c] for c in self.columns))
            except TypeError as error:
                hint = "in functions of jax.numpy write N.values, or N.log for its logarithm"
                raise LawError(f"law {self.name}: {str(error).splitlines()[0]} ({hint})") from error

    def evaluate(self, parameters: Mapping[str, float], **covariates) -> np.ndarray:
        """Compute the law at given constants, for example a paper's.

        Parameters
        ----------
        parameters : mapping of str to float
            The paper's constants by name, such as ``dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)``.
        **covariates : number, str or array
            Each column of the law; "70B" is understood.

        Returns
        -------
        ndarray
            Expected values, float64, in the shape of the covariates.

        Raises
        ------
        LawError
            A parameter that the formula needs is missing, or a name is unknown.
        """
        missing = [c for c in self.columns if c not in covariates]
        if missing or len(covariates) > len(self.columns):
            raise LawError(f"law {self.name} takes {', '.join(self.columns)}; got {', '.join(covariates) or 'nothing'}")
        unknown, needed = set(parameters) - set(self._sites), set(self.constants) - set(parameters)
        if unknown:
            raise LawError(f"law {self.name} has no {', '.join(sorted(unknown))}; it has {', '.join(self._sites)}")
        if needed and not set(self.priors()) <= set(parameters):
            raise LawError(f"law {self.name} needs {', '.join(self.constants)}; missing: {', '.join(sorted(needed))}")
        x = {k: Covariate(np.log(parse_numbers(v, name=k)), 1.0) for k, v in covariates.items()}

        def at(seed):
            with handlers.seed(rng_seed=seed), handlers.substitute(data=parameters):
                return np.asarray(self.expected(x, 1.0))

        with jax.enable_x64(True):
            parameters = {k: jnp.asarray(v, float) for k, v in parameters.items()}
            value, again = at(0), at(1)
        if not np.array_equal(value, again, equal_nan=True):
            free = ", ".join(k for k in self.priors() if k not in parameters)
            raise LawError(f"the constants given leave law {self.name} open: give {free} as well")
        return value


def _is_built_in(function) -> bool:
    return (function.__module__ or "").startswith("bayesscale.models")


def _found_again(module, qualname, takes, gives, source, scatter, scale, *bound) -> Law:
    """Rebuild a law in another process."""
    found = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise LawError(f"{module} has no {qualname} here: declare the law in a module that the other process imports")
    return Law(getattr(found, "function", found), takes, gives, source, scatter, scale_named(scale), *bound)


def law(*, takes, gives="loss", source="", scatter=OF_LOSSES, scale="log"):
    """Declare a function to be a scaling law and register it under its name.

    Parameters
    ----------
    takes : str or sequence of str
        The columns that the function takes, in order.
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
        if not _is_built_in(function):
            import_module("bayesscale.models")  # the built-in names are taken, whoever comes first
        arguments = tuple(inspect.signature(function).parameters)
        if len(arguments) != len(takes):
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
