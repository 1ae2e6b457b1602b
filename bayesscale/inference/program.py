"""The compiled fit: table in, draws out, everything between inside one `jax.jit`.

A law, a noise and a setting make one program; a new table of the same padded shape runs it again without tracing or
compiling. NumPyro does the statistics: it traces the model, maps its parameters to unconstrained ones, and samples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy

from bayesscale.coordinates import slopes
from bayesscale.inference.start import find_modes
from bayesscale.scaling_law import unsampled

# ArviZ leaves a lazily loaded `numpyro` behind. Whoever then imports numpyro.distributions first gets a second copy of
# that package without its submodules, and numpyro.factor, which every fit needs, fails: give it back what it lacks.
for _name, _module in list(sys.modules.items()):
    if _name.rpartition(".")[0] == "numpyro.distributions":
        vars(numpyro.distributions).setdefault(_name.rpartition(".")[2], _module)

__all__ = ["Sampled", "Settings", "compiled_batch", "compiled_fit", "compiled_log_densities", "model"]


# A program holds some 50 MiB: rerunning a notebook's law keeps the last few only.
PROGRAMS = 32


class Settings(NamedTuple):
    """What a program is compiled for, besides law, noise and shape."""

    chains: int
    draws: int
    warmup: int
    target_accept: float


class Sampled(NamedTuple):
    """What a program returns, chain by chain."""

    values: dict  # every sampled and computed parameter: (chain, draw, ...)
    stats: dict  # what the sampler says of each draw: (chain, draw)
    mode: dict  # the same parameters at the posterior mode, for which `mode_value` is the potential
    mode_value: jax.Array


def model(law, noise, rows):
    """Join law, discrepancy, noise and table: the NumPyro model that is sampled."""
    with slopes():
        expected = law.expected(rows.covariates, rows.y_center)
    noise.observe(law.scale.to(expected), rows)


class Posed(NamedTuple):
    """What is to be sampled, in flat unconstrained vectors."""

    dimension: int
    potential: Callable  # vector -> minus the log posterior density
    parameters: Callable  # vector -> every sampled and computed parameter by name


def _unconstrained(model, *given):
    """Return the length of the flat unconstrained vector of a model and its map to named parameters."""
    with unsampled(), handlers.trace() as trace:
        model(*given)
    latent = {k: s["value"] for k, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
    flat, named = ravel_pytree({k: jnp.zeros_like(v) for k, v in latent.items()})
    return flat.size, named


def posed(law, noise, rows) -> Posed:
    """Pose a law on one table."""
    given = law, noise, rows
    dimension, named = _unconstrained(model, *given)
    return Posed(
        dimension,
        lambda q: potential_energy(model, given, {}, named(q)),
        lambda q: constrain_fn(model, given, {}, named(q), return_deterministic=True),
    )


def pooled(pooling, law, noise, rows) -> Posed:
    """Pose a law on the tables of several groups: `rows` holds them all, the groups as first axis of every array.

    The vector is that of what the groups have in common, then each group's own; the parameters of the groups have the
    groups as first axis.
    """
    groups = rows.measured.shape[0]
    n_common, named_common = _unconstrained(pooling.common, law)
    n_own, named = _unconstrained(model, law, noise, jax.tree.map(lambda x: x[0], rows))

    def split(q):
        common = named_common(q[:n_common])
        values = constrain_fn(pooling.common, (law,), {}, common, return_deterministic=True)
        return common, values, q[n_common:].reshape(groups, n_own)

    def of_group(values):
        # Run with what the groups have in common at its value, the pooling says each parameter's prior in a group.
        with handlers.block(), handlers.substitute(data=values):
            return replace(law, replaced={**law.replaced, **pooling.common(law)})

    def potential(q):
        common, values, own = split(q)
        one = of_group(values)
        each = jax.vmap(lambda q, rows: potential_energy(model, (one, noise, rows), {}, named(q)))(own, rows)
        return potential_energy(pooling.common, (law,), {}, common) + each.sum()

    def parameters(q):
        _, values, own = split(q)

        def of_one(q, rows):
            return constrain_fn(model, (of_group(values), noise, rows), {}, named(q), return_deterministic=True)

        return {**values, **jax.vmap(of_one)(own, rows)}

    return Posed(n_common + groups * n_own, potential, parameters)


def _fit(law, noise, pooling, settings: Settings, vectorized: bool):
    """Return the function (key, rows) -> Sampled that is compiled.

    Parameters
    ----------
    law : Law
    noise : Noise
    pooling : Pooling or None
    settings : Settings
    vectorized : bool
        Chains side by side, as an accelerator wants them; else one after the other, which on a CPU compiles faster and
        runs faster: no chain waits for the longest tree.
    """

    def fit(key, rows):
        key_start, key_chains = jax.random.split(key)
        dimension, potential, parameters = (
            posed(law, noise, rows) if pooling is None else pooled(pooling, law, noise, rows)
        )
        potential, parameters = jax.jit(potential), jax.jit(parameters)  # traced once, wherever they are used below
        modes, scale, mode_value = find_modes(potential, dimension, key_start)
        mode = modes[0]
        # The geometry is nearly right after whitening. With few runs the posterior is curved and "nearly" is not
        # enough, so the warm-up still adapts a dense mass matrix.
        kernel = NUTS(
            potential_fn=lambda z: potential(mode + scale @ z),
            step_size=0.6,
            dense_mass=True,
            target_accept_prob=settings.target_accept,
            find_heuristic_step_size=False,
        )

        def chain(key_and_center):
            key, center = key_and_center
            key_kernel, key_start = jax.random.split(key)
            start = center + jax.random.normal(key_start, (dimension,))
            state = kernel.init(key_kernel, settings.warmup, init_params=start, model_args=(), model_kwargs={})

            def step(state, _):
                state = kernel.sample(state, (), {})
                kept = (
                    state.z,
                    state.num_steps,
                    state.diverging,
                    state.accept_prob,
                    state.energy,
                    state.potential_energy,
                )
                return state, kept

            # One loop for warm-up and draws: the program holds NUTS once.
            _, kept = jax.lax.scan(step, state, None, length=settings.warmup + settings.draws)
            return jax.tree.map(lambda x: x[settings.warmup :], kept)

        # Chains start at different modes where there are several, so that R-hat shows what no single mode would.
        ranks = jnp.linspace(0, len(modes) - 1, settings.chains).round().astype(int)
        centers = jax.scipy.linalg.solve_triangular(scale, (modes[ranks] - mode).T, lower=True).T
        keys = (jax.random.split(key_chains, settings.chains), centers)
        z, steps, diverging, accept, energy, potentials = (
            jax.vmap(chain)(keys) if vectorized else jax.lax.map(chain, keys)
        )
        stats = dict(n_steps=steps, diverging=diverging, acceptance_rate=accept, energy=energy, lp=-potentials)
        return Sampled(jax.vmap(jax.vmap(parameters))(mode + z @ scale.T), stats, parameters(mode), mode_value)

    return fit


@lru_cache(maxsize=PROGRAMS)
def compiled_fit(law, noise, pooling, settings: Settings, vectorized: bool):
    """Return the jitted function (key, rows) -> Sampled of one table."""
    # A lower optimisation level compiles a fifth faster and runs as fast: the kernels are small.
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    return jax.jit(_fit(law, noise, pooling, settings, vectorized), compiler_options=options)


@lru_cache(maxsize=PROGRAMS)
def compiled_batch(law, noise, pooling, settings: Settings):
    """Return the jitted function (keys, stacked rows) -> Sampled, all tables at once, as an accelerator wants them."""
    return jax.jit(jax.vmap(_fit(law, noise, pooling, settings, vectorized=True)))


@lru_cache(maxsize=PROGRAMS)
def compiled_log_densities(law, noise):
    """Return the jitted function (parameters, rows) -> (log likelihood per row, log prior per site) of draws."""

    def one(parameters, rows):
        substituted = handlers.substitute(model, data=parameters)
        trace = handlers.trace(substituted).get_trace(law, noise, rows)
        observed = trace.pop("observed")
        latent = {k: s for k, s in trace.items() if s["type"] == "sample"}
        log_prior = {k: jnp.sum(s["fn"].log_prob(s["value"])) for k, s in latent.items()}
        return rows.weight * observed["fn"].log_prob(observed["value"]), log_prior

    return jax.jit(jax.vmap(one, in_axes=(0, None)))
