"""A law that can be fitted: its function, what the function takes and gives, and its priors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import distributions as dist
from numpyro import handlers
from numpyro.primitives import Messenger

from bayesscale import priors as prior
from bayesscale.center import Covariate, Share, response_centered_at
from bayesscale.errors import LawError
from bayesscale.scale import LOG, Scale
from bayesscale.scale import named as scale_named
from bayesscale.units import parse_numbers

__all__ = ["OF_LOSSES", "Law", "is_built_in", "unsampled"]

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
        The covariates' names in the formula. A last one with a star, ``*r``, stands for any number of shares (`Share`),
        such as the proportions of a mixture: the columns ``r_<domain>``.
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
        """The function's name, with the columns where they are not those of `takes`: ``chinchilla``, ``power(C)``."""
        own = len(self.takes) - bool(self.star)
        natural = self.columns[:own] == self.takes[:own] and set(self.shares) <= {*_of_star(self.star, self.shares)}
        return self.function.__name__ + ("" if natural else f"({', '.join(self.columns)})")

    @property
    def star(self) -> str:
        """What the star argument is called: ``r`` of ``*r``; empty without one."""
        return self.takes[-1][1:] if self.takes[-1].startswith("*") else ""

    @property
    def shares(self) -> tuple[str, ...]:
        """The columns of the star argument, which may be zero; none before the law is bound to a table."""
        return self.columns[len(self.takes) - 1 :] if self.star and self.bound else ()

    @property
    def bound(self) -> bool:
        """Whether it is known which columns the law takes."""
        return not self.columns[-1].startswith("*")

    @property
    def built_in(self) -> bool:
        """Whether the law comes with bayesscale."""
        return is_built_in(self.function)

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
        inner = ("level", "reducible"), ("share_", "raw_")
        own = [k for k in self.priors() if k not in inner[0] and not k.startswith(inner[1])]
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
        names = self.takes if not self.shares else (*self.takes[:-1], *self.shares)
        return [x if x == column else f"{x} = {column}" for x, column in zip(names, self.columns, strict=True)]

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
        enough = len(columns) >= len(self.takes) if self.star else len(columns) == len(self.takes)
        if not enough or not all(isinstance(c, str) for c in columns):
            raise LawError(
                f"law {self.function.__name__} takes {len(self.takes)} column name(s) ({', '.join(self.takes)}), got "
                f"{columns!r}; to compute its value at given numbers call {self.function.__name__}.evaluate(...)"
            )
        return replace(self, columns=columns)

    def over(self, columns) -> Law:
        """Return the law with its star argument bound to the columns that a table has of it; itself without one.

        Parameters
        ----------
        columns : sequence of str
            Those of the table. ``*r`` is bound to all that begin with ``r_`` (or is ``r`` itself, if none does).

        Raises
        ------
        LawError
            The table has none.
        """
        if self.bound:
            return self
        found = _of_star(self.star, columns)
        if not found:
            raise LawError(
                f"law {self.name} takes columns {self.star}_<name>, such as {self.star}_a and {self.star}_b; the table "
                f"has {', '.join(map(str, columns))}: rename yours, or say which: {self.name}(...)"
            )
        return replace(self, columns=(*self.columns[:-1], *found))

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
        own = len(self.takes) - bool(self.star)
        given = [covariates[c] for c in self.columns]
        names = [c.lstrip("*").removeprefix(f"{self.star}_") if self.bound else "j" for c in self.columns[own:]]
        shares = [Share(name, x.log_ratio, x.center) for name, x in zip(names, given[own:], strict=True)]
        with response_centered_at(response_center):
            try:
                return _with_distributions(self.function, self.replaced)(*given[:own], *shares)
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
        if not self.bound:
            return self.over(covariates).evaluate(parameters, **covariates)
        missing = [c for c in self.columns if c not in covariates]
        if missing or len(covariates) > len(self.columns):
            raise LawError(f"law {self.name} takes {', '.join(self.columns)}; got {', '.join(covariates) or 'nothing'}")
        unknown, needed = set(parameters) - set(self._sites), set(self.constants) - set(parameters)
        if unknown:
            raise LawError(f"law {self.name} has no {', '.join(sorted(unknown))}; it has {', '.join(self._sites)}")
        if needed and not set(self.priors()) <= set(parameters):
            raise LawError(f"law {self.name} needs {', '.join(self.constants)}; missing: {', '.join(sorted(needed))}")
        with np.errstate(divide="ignore"):  # a share may be zero
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


def _of_star(star, columns) -> tuple[str, ...]:
    """Return the columns that a star argument is bound to: those of its prefix, or the one of its name."""
    names = [c for c in columns if isinstance(c, str)]
    return tuple(c for c in names if c.startswith(f"{star}_")) or tuple(c for c in names if c == star)


def is_built_in(function) -> bool:
    """Return whether a function is one of the laws that come with bayesscale."""
    return (function.__module__ or "").startswith("bayesscale.models")


def _found_again(module, qualname, takes, gives, source, scatter, scale, *bound) -> Law:
    """Rebuild a law in another process."""
    found = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise LawError(f"{module} has no {qualname} here: declare the law in a module that the other process imports")
    return Law(getattr(found, "function", found), takes, gives, source, scatter, scale_named(scale), *bound)
