"""The expected losses of a mixture on all targets, as each posterior draw has them, and where their mean is least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayesscale.decide.simplex import inner_points, least_on_simplex, shared_out
from bayesscale.decide.truth import truth
from bayesscale.errors import LawError
from bayesscale.inference import compiling, precise
from bayesscale.posterior import Posterior
from bayesscale.targets import read_targets

__all__ = ["MixtureLosses", "losses_of"]

OWN = "r"  # the column of the target's own proportion
FEW = 32  # draws that are looked at from several starts
BATCH = 32  # draws at a time: one shape, compiled once
PROBES = (0.02, 0.1, 0.5)  # proportions at which a slope is asked whether it is a power


@dataclass(frozen=True, eq=False)
class MixtureLosses:
    """The laws of several targets, put together draw by draw. Made by `losses_of`.

    Parameters
    ----------
    targets : tuple of str
    domains : tuple of str
        What is mixed.
    weights : ndarray, shape (targets,)
        How much each target counts; their sum is one.
    laws : tuple of Law
        Each law once.
    draws : tuple
        Per law the parameters by name, shape (draws, targets of that law).
    at : tuple
        Per law what all draws share: ``logs`` and ``centers`` by column, ``place`` of its targets among all, and
        ``own``, the place of each target's own domain.
    gives : str
    """

    targets: tuple[str, ...]
    domains: tuple[str, ...]
    weights: np.ndarray
    laws: tuple
    draws: tuple
    at: tuple
    gives: str

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(next(iter(self.draws[0].values())))

    def thinned(self, n) -> MixtureLosses:
        """Keep at most `n` draws, evenly."""
        return self._of(np.unique(np.linspace(0, self.size - 1, min(n, self.size)).round().astype(int)))

    def each(self, mixtures) -> np.ndarray:
        """Return the loss on each target: shape (draws, mixtures, targets)."""
        return self._run(_each, mixtures)

    def mean(self, mixtures) -> np.ndarray:
        """Return the weighted mean over the targets: shape (draws, mixtures)."""
        return self._run(_mean, mixtures)

    def mean_at_own(self, mixtures) -> np.ndarray:
        """Return it for one mixture per draw, shape (draws, domains): shape (draws,)."""
        return self._run(_mean_at_own, mixtures)

    def expected(self, mixtures) -> np.ndarray:
        """Return its expectation over the draws: shape (mixtures,)."""
        return self.mean(mixtures).mean(axis=0)

    def best_of_each_draw(self, low, high, *, natural=None, kl=0.0) -> np.ndarray:
        """Return the mixture of least loss of each draw, shape (draws, domains), between bounds.

        Parameters
        ----------
        low, high : ndarray, shape (domains,)
        natural : ndarray, optional
        kl : float
            What is added to the loss: kl times sum_j p_j log(p_j / natural_j).
        """
        asked = _Asked.between(low, high, natural, kl)
        if asked.fixed is not None:
            return np.tile(asked.fixed, (self.size, 1))
        if not kl and (closed := self._closed(low, high)) is not None:
            return closed
        starts, few = asked.starts, self.thinned(FEW)
        reached = np.stack([few._least(asked, start)[1] for start in starts], axis=1)
        # Where no start leads to another valley than the first one does, it is enough.
        enough = not (reached[:, 0] - reached.min(axis=1) > 1e-7 * np.abs(reached[:, 0])).any()
        found, values = zip(*(self._least(asked, start) for start in (starts[:1] if enough else starts)), strict=True)
        return np.stack(found, axis=1)[np.arange(self.size), np.argmin(np.stack(values, axis=1), axis=1)]

    def best(self, low, high, *, natural=None, kl=0.0, near=None) -> np.ndarray:
        """Return the one mixture of least expected loss; also looked for from `near`, where it is given."""
        asked = _Asked.between(low, high, natural, kl)
        if asked.fixed is not None:
            return asked.fixed
        middle = asked.starts[0]
        starts = middle[None] if near is None else np.stack([middle, 0.9 * asked.taken(near) + 0.1 * middle])
        found, values = self._run(_least_expected, *asked.given, starts)
        return asked.put(found[np.argmin(values)][None])[0]

    def _least(self, asked, start):
        """Return the least of each draw from one start, and its value: always so many draws at a time."""
        found, values = [], []
        for i in range(0, self.size, BATCH):
            rows = np.minimum(np.arange(i, i + BATCH), self.size - 1)
            x, value = self._of(rows)._run(_least, *asked.given, start)
            found, values = [*found, x], [*values, value]
        return asked.put(np.concatenate(found)[: self.size]), np.concatenate(values)[: self.size]

    def _closed(self, low, high):
        """Return the optimum in closed form, if each loss goes by its own proportion with a power for a slope."""
        if any(law.shares for law in self.laws):
            return None
        height, power, miss = self._run(_slopes, np.asarray(PROBES))
        if not (np.all(miss < 1e-8) and np.all(power > 0)):
            return None
        with precise("float64"), compiling():
            return np.asarray(_shared_out(*map(jnp.asarray, (height, power, low, high))))

    def _of(self, rows) -> MixtureLosses:
        return replace(self, draws=jax.tree.map(lambda x: x[rows], self.draws))

    def _run(self, program, *asked):
        """Run a program for each draw, or for all."""
        with precise("float64"), compiling():
            given = jax.tree.map(jnp.asarray, (self.draws, self.at, self.weights, *asked))
            return jax.tree.map(np.asarray, program(self.laws, self.domains)(*given))


@dataclass(frozen=True)
class _Asked:
    """Bounds without the domains that they leave no choice; `fixed`, where they leave none at all."""

    whole: np.ndarray
    free: np.ndarray
    low: np.ndarray
    high: np.ndarray
    natural: np.ndarray
    kl: float
    fixed: np.ndarray | None = None

    @classmethod
    def between(cls, low, high, natural, kl):
        natural = np.full(len(low), 1 / len(low)) if natural is None else natural
        if kl:  # what the natural mixture has not is infinitely far from it
            high = np.where(natural > 0, high, np.minimum(high, low))
        if high.sum() < 1 - 1e-9:
            raise LawError(
                "the caps leave none but mixtures of domains that natural has not, infinitely far from it: kl=0"
            )
        high = np.minimum(high, 1 - low.sum() + low)
        free = np.flatnonzero(high - low > 1e-9)
        fixed = next((end for end in (low, high) if abs(end.sum() - 1) < 1e-9), None)
        rest = 1 - low.sum() + low[free].sum()  # to be shared out among the free ones
        return cls(low, free, low[free] / rest, high[free] / rest, natural, kl, fixed)

    @property
    def given(self):
        """What the programs are told."""
        return self.whole, self.free, self.low, self.high, self.natural, self.kl

    @property
    def starts(self):
        with precise("float64"):
            return np.asarray(inner_points(jnp.asarray(self.low), jnp.asarray(self.high)))

    def taken(self, mixture):
        """Return how a mixture shares out what is left to the free domains."""
        return mixture[self.free] / (1 - self.whole.sum() + self.whole[self.free].sum())

    def put(self, found):
        """Put the free domains' parts of their rest back among all."""
        whole = np.tile(self.whole, (len(found), 1))
        whole[:, self.free] = found * (1 - self.whole.sum() + self.whole[self.free].sum())
        return whole


def losses_of(fits, weights=None, at=None) -> MixtureLosses:
    """Put the fits of several targets together.

    Parameters
    ----------
    fits : mapping of str to Posterior, or one Posterior
        By target. Draw i of each belongs to one joint draw if they were pooled; else they are put together in order.
    weights : mapping of str to number, optional
        How much each target counts; those not named do not. All alike without.
    at : mapping, optional
        Covariates beside the proportions: ``dict(N="1B", D="100B")``.

    Raises
    ------
    LawError
        A law takes no proportions, or that of a domain which is not mixed.
    RunsError
        A covariate is missing or unknown.
    """
    fits = {fits.law.gives: fits} if not isinstance(fits, Mapping) else {str(k): v for k, v in fits.items()}
    if odd := [k for k, post in fits.items() if not isinstance(post, Posterior)]:
        raise LawError(f"{', '.join(odd)}: a fit of one law is needed, not {type(fits[odd[0]]).__name__}")
    if odd := [k for k, post in fits.items() if not (post.law.shares or OWN in post.law.columns)]:
        raise LawError(
            f"the fit of {', '.join(odd)} says nothing of mixtures: its law must take the proportions of all domains "
            "(*r), as mixture_exponential, or the target's own (r), as bimix"
        )
    domains = tuple(dict.fromkeys(d for k, post in fits.items() for d in _mixed(k, post)))
    if len(domains) < 2:
        raise LawError(f"one domain only, {', '.join(domains)}: there is nothing to mix")
    if len({post.law.gives for post in fits.values()}) > 1:
        raise LawError("the fits give different quantities: there is no mean of these")
    w = _weights(weights, tuple(fits))
    fits = {k: post for (k, post), x in zip(fits.items(), w, strict=True) if x > 0}
    n = min(post.size for post in fits.values())
    fits = {k: post.thinned(n) for k, post in fits.items()}
    laws = tuple(dict.fromkeys(post.law for post in fits.values()))
    draws, shared = [], []
    for law in laws:
        mine = {k: post for k, post in fits.items() if post.law == law}
        draws.append(
            {name: np.stack([p.flat_draws[name] for p in mine.values()], axis=1).astype(float) for name in law.priors()}
        )
        known = [c for c in law.columns if c not in law.shares and c != OWN]
        asked = [_covariates(known, post, at) for post in mine.values()]
        columns = (*law.columns, law.gives)
        shared.append(
            dict(
                logs={c: np.array([np.log(x[c]) for x in asked]) for c in known},
                centers={c: np.array([post.centers[c] for post in mine.values()]) for c in columns},
                place=np.array([list(fits).index(k) for k in mine]),
                own=np.array([domains.index(k) if k in domains else 0 for k in mine]),
            )
        )
    gives = laws[0].gives
    return MixtureLosses(tuple(fits), domains, w[w > 0], laws, tuple(draws), tuple(shared), gives)


def _mixed(target, post) -> list[str]:
    """Return the domains whose proportions a fit knows of."""
    return [c.removeprefix(f"{post.law.star}_") for c in post.law.shares] if post.law.shares else [target]


def _covariates(known, post, at) -> Any:
    frame = read_targets(dict(at or {}), takes=known, fixed=post.fixed) if known else None
    if frame is not None and len(frame) > 1:
        raise LawError(f"one model at a time: at= has {len(frame)} values of {', '.join(known)}")
    return {} if frame is None else frame.iloc[0]


def _weights(weights, targets) -> np.ndarray:
    if weights is None:
        return np.full(len(targets), 1 / len(targets))
    if unknown := [str(k) for k in weights if str(k) not in targets]:
        raise LawError(f"weights: no target {', '.join(unknown)}; there are {', '.join(targets)}")
    w = np.array([float({str(k): v for k, v in weights.items()}.get(k, 0.0)) for k in targets])
    if not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
        raise LawError(f"weights must be positive numbers or zero, not all zero: {dict(weights)}")
    return w / w.sum()


# --- the compiled programs: for each law or laws, compiled once ---


def _log(p):
    """Take the logarithm, with a derivative of zero at zero: a domain that is left out stays out."""
    return jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1.0)), -jnp.inf)


def _losses(laws, domains, draws, at, p):
    """Return the expected loss on each target for one draw and one mixture."""
    logs, found, place = _log(p), [], []
    for law, parameters, given in zip(laws, draws, at, strict=True):

        def one(parameters, known, centers, own, law=law):
            shares = {c: logs[domains.index(c.removeprefix(f"{law.star}_"))] for c in law.shares}
            own = {OWN: logs[own]} if OWN in law.columns else {}
            return truth(law, (parameters, None), centers)({**known, **shares, **own})

        found.append(jax.vmap(one)(parameters, given["logs"], given["centers"], given["own"]))
        place.append(given["place"])
    return jnp.concatenate(found)[jnp.argsort(jnp.concatenate(place))]


def _objective(laws, domains, draw, at, weights, whole, free, natural, kl):
    """Return what is made least, as a function of how the free domains share what is left to them."""
    rest = 1 - whole.sum() + whole[free].sum()

    def value(x):
        p = whole.at[free].set(rest * x)
        away = jnp.where(p > 0, p * (_log(jnp.where(p > 0, p, 1.0)) - _log(jnp.where(natural > 0, natural, 1.0))), 0.0)
        return weights @ _losses(laws, domains, draw, at, p) + kl * away.sum()

    return value


@lru_cache(maxsize=64)
def _each(laws, domains):
    def one(draws, at, weights, mixtures):
        return jax.vmap(lambda p: _losses(laws, domains, draws, at, p))(mixtures)

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))


@lru_cache(maxsize=64)
def _mean(laws, domains):
    def one(draws, at, weights, mixtures):
        return jax.vmap(lambda p: weights @ _losses(laws, domains, draws, at, p))(mixtures)

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))


@lru_cache(maxsize=64)
def _mean_at_own(laws, domains):
    def one(draws, at, weights, p):
        return weights @ _losses(laws, domains, draws, at, p)

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, 0)))


@lru_cache(maxsize=64)
def _least(laws, domains):
    def one(draws, at, weights, whole, free, low, high, natural, kl, start):
        value = _objective(laws, domains, draws, at, weights, whole, free, natural, kl)
        found = least_on_simplex(value, low, high, start)
        return found, value(found)

    return jax.jit(jax.vmap(one, in_axes=(0, *[None] * 9)))


@lru_cache(maxsize=64)
def _least_expected(laws, domains):
    def all_of(draws, at, weights, whole, free, low, high, natural, kl, starts):
        def value(x):
            of = jax.vmap(lambda draw: _objective(laws, domains, draw, at, weights, whole, free, natural, kl)(x))
            return of(draws).mean()

        # One start after another: derivatives of all draws at once take room enough.
        found = jax.lax.map(lambda start: least_on_simplex(value, low, high, start), starts)
        return found, jax.vmap(value)(found)

    return jax.jit(all_of)


@lru_cache(maxsize=64)
def _slopes(laws, domains):
    """Give the slope downwards of the loss by each domain as exp(height) / p^power, and how far that is off elsewhere.

    Of laws that go by the target's own proportion alone.
    """

    def one(draws, at, weights, probes):
        def down(p):
            mixture = jnp.full(len(domains), p)
            return jnp.log(-jax.grad(lambda q: weights @ _losses(laws, domains, draws, at, q))(mixture))

        x, heights = jnp.log(probes), jax.vmap(down)(probes)
        power = (heights[0] - heights[2]) / (x[2] - x[0])
        height = heights[0] + power * x[0]
        return height, power, jnp.abs(height - power * x[1] - heights[1])

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))


_shared_out = jax.jit(jax.vmap(shared_out, in_axes=(0, 0, None, None)))
