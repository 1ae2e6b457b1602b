"""Run the compiled fit on one table or on many, and look at how it went."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

from bayesscale.errors import LawError, SamplingError
from bayesscale.inference.compilation import compiling, precise
from bayesscale.inference.program import Sampled, Settings, compiled_batch, compiled_fit, compiled_log_densities
from bayesscale.inference.rows import Rows

__all__ = ["Sampling", "log_densities", "sample_many", "trouble"]

# With few runs, rows that share runs or a discrepancy the posterior is curved: the warm-up takes longer to learn it.
FEW_ROWS, WARMUP_CURVED, WARMUP = 64, 1000, 300
TARGET_ACCEPT, TARGET_ACCEPT_SECOND = 0.9, 0.98
# Effective draws that are enough: a tenth of the draws, at most 400.
RHAT, ENOUGH, DIVERGENCES_SECOND = 1.01, 0.1, 0.001


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Parameters
    ----------
    seed : int
    chains, draws : int
        Draws are per chain.
    warmup : int or None
        None: 1000, or 300 for many rows that share no runs, without a discrepancy.
    target_accept : float
    precision : {"float64", "float32"}
    second_try : bool
        Sample again with five times the warm-up and smaller steps where the first try is in trouble.
    """

    seed: int = 0
    chains: int = 4
    draws: int = 1000
    warmup: int | None = None
    target_accept: float = TARGET_ACCEPT
    precision: str = "float64"
    second_try: bool = True

    def __post_init__(self):
        for name, least in (("chains", 1), ("draws", 4), ("warmup", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
            if not whole and not (name == "warmup" and value is None):
                raise LawError(f"{name} is a whole number of at least {least}, not {value!r}")
        if not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise LawError(f"seed is a whole number that is not negative, not {self.seed!r}")
        if not (isinstance(self.target_accept, float) and 0.5 <= self.target_accept < 1):
            raise LawError(f"target_accept lies between 0.5 and 1, usually 0.8 to 0.99, not at {self.target_accept!r}")
        precise(self.precision)

    def program(self, rows: Rows) -> Settings:
        """Return what the program is compiled for."""
        curved = rows.n_row <= FEW_ROWS or rows.n_run or rows.bend is not None
        usual = WARMUP_CURVED if curved else WARMUP
        return Settings(self.chains, self.draws, usual if self.warmup is None else self.warmup, self.target_accept)

    def careful(self, rows: Rows) -> Sampling:
        """Return the settings of the second try."""
        target = max(TARGET_ACCEPT_SECOND, self.target_accept)
        return replace(self, warmup=5 * self.program(rows).warmup, target_accept=target, second_try=False)


def trouble(sampled: Sampled, *, divergences: float = 0.0) -> str:
    """Say in a few words why the draws are not to be trusted, or nothing where they are.

    Parameters
    ----------
    sampled : Sampled
    divergences : float
        Share of divergent transitions that may pass.
    """
    said = []
    if (divergent := int(np.sum(sampled.stats["diverging"]))) > divergences * sampled.stats["diverging"].size:
        said.append(f"{divergent} divergent transitions")
    values = [v.reshape(*v.shape[:2], -1) for v in sampled.values.values()]
    values = np.concatenate(values, axis=-1)
    # A constant far from the data, such as B, may leave the range of a float: what it is computed from does not.
    values = values[..., np.isfinite(values).all(axis=(0, 1))]
    values = values / np.maximum(np.abs(values).max(axis=(0, 1)), np.finfo(values.dtype).tiny)
    # A parameter that never moves (a prior of a single value) has neither R-hat nor effective draws.
    values = values[..., np.ptp(values, axis=(0, 1)) > 0]
    if values.shape[-1] == 0:
        return "no chain has moved"
    if values.shape[0] > 1 and not (worst := float(np.max(split_gelman_rubin(values), initial=0))) <= RHAT:
        said.append(f"R-hat {worst:.3f}")
    # A chain that was stuck in a corner for a while shows in the tails first.
    low, high = np.quantile(values, [0.05, 0.95], axis=(0, 1))
    for what, x in (("", values), (" in the tails", np.concatenate([values <= low, values >= high], axis=-1) * 1.0)):
        least = float(np.min(effective_sample_size(x), initial=np.inf))
        if least < ENOUGH * min(values[..., 0].size, 4000):
            said.append(f"effective sample size {least:.0f}{what}")
    return ", ".join(said)


def _numpy(tree):
    return jax.tree.map(np.asarray, tree)


def sample_many(law, noise, tables: list[Rows], how: Sampling, pooling=None) -> list[tuple[Sampled, dict]]:
    """Sample the posteriors of many tables with as few compiled programs as they have shapes.

    Table i is sampled with seed + i. On a CPU the program runs on all cores at once, one table each: running a compiled
    program in a thread is safe, tracing NumPyro in one is not, so the first table of a shape goes first.

    With a pooling each element of `tables` holds several groups, as first axis of its arrays, sampled together.

    Returns
    -------
    list of (Sampled, dict)
        For each table its draws as NumPy arrays, and what was done: the settings used, what is wrong with the draws
        (``trouble``) and what was wrong with a first try (``first_try``).
    """
    everything = list(range(len(tables)))
    program = law, noise, pooling
    results = _try(program, tables, everything, how, divergences=0.0)
    again = [i for i in everything if how.second_try and results[i][1]["trouble"]]
    # A few divergences are reason to try again, but not to distrust a careful second try.
    careful = [how.careful(tables[i]) for i in again]
    for setting in dict.fromkeys(careful):
        chosen = [i for i, each in zip(again, careful, strict=True) if each == setting]
        seconds = _try(program, tables, chosen, setting, divergences=DIVERGENCES_SECOND)
        for i, (sampled, done) in seconds.items():
            results[i] = sampled, dict(done, first_try=results[i][1]["trouble"])
    return [results[i] for i in everything]


def _try(program, tables, chosen, how, *, divergences) -> dict[int, tuple[Sampled, dict]]:
    """Sample the chosen tables once."""
    shapes: dict = {}
    for i in chosen:
        shapes.setdefault(_shape(tables[i]), []).append(i)
    results = {}
    with precise(how.precision), compiling():
        for same in shapes.values():
            keys = [jax.random.PRNGKey(how.seed + i) for i in same]
            found = _sample_same_shape(program, [tables[i] for i in same], keys, how)
            results |= dict(zip(same, found, strict=True))
    law, noise, _ = program
    for i, sampled in results.items():
        if not np.isfinite(sampled.mode_value):
            which = f" of table {i}" if len(tables) > 1 else ""
            raise SamplingError(
                f"law {law.name} with {noise} noise has no finite likelihood at any of the starts{which}: its "
                "expected values must be positive and finite over the table; look at them with "
                "bs.prior_predictive(law, runs)"
            )
    done = {i: dict(seed=how.seed + i, **how.program(tables[i])._asdict(), precision=how.precision) for i in chosen}
    return {i: (s, dict(done[i], trouble=trouble(s, divergences=divergences))) for i, s in results.items()}


def _shape(rows: Rows):
    leaves, structure = jax.tree.flatten(rows)
    return structure, tuple(np.shape(x) for x in leaves)


def _sample_same_shape(program, tables, keys, how) -> list[Sampled]:
    settings = how.program(tables[0])
    tables = [jax.tree.map(jnp.asarray, rows) for rows in tables]
    accelerated = _accelerated()
    if accelerated and len(tables) > 1:
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *tables)
        together = _numpy(compiled_batch(*program, settings)(jnp.stack(keys), stacked))
        return [jax.tree.map(lambda x, i=i: x[i], together) for i in range(len(tables))]
    fit = compiled_fit(*program, settings, vectorized=accelerated)
    first = _numpy(fit(keys[0], tables[0]))
    if len(tables) == 1:
        return [first]

    def one(key, rows):
        with precise(how.precision):  # the context belongs to a thread
            return _numpy(fit(key, rows))

    with ThreadPoolExecutor(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ) as threads:
        return [first, *threads.map(one, keys[1:], tables[1:])]


def _accelerated() -> bool:
    return jax.default_backend() != "cpu"


def log_densities(law, noise, rows: Rows, values: dict, *, precision: str = "float64"):
    """Compute the log likelihood of each row and the log prior of each sampled site at given parameters.

    Parameters
    ----------
    values : dict of str to array, shape (draws, ...)

    Returns
    -------
    ndarray, shape (draws, rows)
        Filling rows included.
    dict of str to ndarray, shape (draws,)
        By the name of the site; what runs or the discrepancy have of their own (``run_effect``, ``bend``) is a site.
    """
    with precise(precision), compiling():
        values, rows = jax.tree.map(jnp.asarray, (values, rows))
        return _numpy(compiled_log_densities(law, noise)(values, rows))
