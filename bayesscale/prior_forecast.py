"""What a law says before it sees any measured value: draws of its parameters, and forecasts from them."""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from bayesscale import discrepancy as discrepancies
from bayesscale import law as laws
from bayesscale.center import Covariate
from bayesscale.forecast import Forecast, expectation, unit_of
from bayesscale.inference import compiling, precise, rows_of, trained_along
from bayesscale.item_noise import noise_for
from bayesscale.runs import Runs, read_runs
from bayesscale.sample_paths import carry_on

__all__ = ["prior_draws", "prior_predictive"]


@lru_cache(maxsize=128)
def _compiled_priors(law, noise, discrepancy):
    independent = {**noise.priors(), **(discrepancy.priors() if discrepancy else {})}

    def one(key, center, y_center):
        key, key_law, key_bend = jax.random.split(key, 3)
        x = {k: Covariate(jnp.zeros(1), center[k]) for k in law.columns}
        # The law itself is run: the prior of a parameter may depend on one before it.
        with handlers.trace() as trace, handlers.seed(rng_seed=key_law):
            law.expected(x, y_center)
        drawn = {k: site["value"] for k, site in trace.items() if site["type"] == "sample"}
        keys = jax.random.split(key, len(independent))
        drawn |= {k: d.sample(each) for (k, d), each in zip(independent.items(), keys, strict=True)}
        return drawn | ({"bend": jax.random.normal(key_bend, (discrepancy.points,))} if discrepancy else {})

    return jax.jit(jax.vmap(one, in_axes=(0, None, None)))


def prior_draws(law, noise, discrepancy=None, *, centers=None, draws: int = 1000, seed: int = 0):
    """Draw every parameter of law, noise and discrepancy from the prior.

    Parameters
    ----------
    law : Law
    noise : Noise
    discrepancy : Discrepancy, optional
    centers : mapping of str to float, optional
        Geometric means of the covariates and of what the law gives, for priors that refer to them; 1 unless given.
    draws, seed : int

    Returns
    -------
    dict of str to ndarray, shape (draws, ...)
        With a discrepancy also ``tau`` and ``bend``.
    """
    centers = dict.fromkeys((*law.columns, law.gives), 1.0) if centers is None else centers
    with precise("float64"), compiling():
        given = jax.tree.map(jnp.asarray, ({k: float(centers[k]) for k in law.columns}, float(centers[law.gives])))
        keys = jax.random.split(jax.random.PRNGKey(seed), draws)
        return jax.tree.map(np.asarray, _compiled_priors(law, noise, discrepancy)(keys, *given))


def prior_predictive(
    law, runs, *, noise="student-t", discrepancy=True, kind="new-run", draws: int = 1000, seed: int = 0
) -> Forecast:
    """Forecast from the prior alone, at the rows of a table: what the law believes before it sees the losses.

    Parameters
    ----------
    law : str or Law
    runs : Runs, DataFrame or path
        Gives the rows and, with its measured values, the scale (the geometric mean of what the law gives).
    noise, discrepancy, kind, seed
        As for `fit` and `predict`.
    draws : int

    Returns
    -------
    Forecast
        Its targets are the table's covariates.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    law = laws.named(law).over(runs.columns)
    noise, (runs,) = noise_for(noise, law, [runs])
    rows = rows_of(law, runs, by=noise.by)
    x = {c: runs.column(c) for c in law.columns}
    centers = {**rows.x_center, law.gives: rows.y_center}
    discrepancy = discrepancies.named(discrepancy, scatter=law.scatter)
    frame = discrepancy and discrepancy.frame(law, runs)
    parameters = prior_draws(law, noise, frame and frame.discrepancy, centers=centers, draws=draws, seed=seed)
    values = expectation(law, parameters, x, centers)
    logs = {"parameters": law.scale.to(values)}
    if frame:
        paths = carry_on(frame, parameters, seed=seed)
        logs["discrepancy"] = paths.at({c: runs.column(c) for c in frame.columns})
    if kind == "new-run":
        noise.check(rows)
        if rows.run is None:
            del parameters["sigma_run"]  # as in the fit: only rows that share runs have effects of them
        error, run = (None if x is None else x[: len(runs)] for x in (rows.log_error, rows.run))
        along = trained_along(law, runs)
        place = np.log(runs.column(along)) if along else None
        rng = np.random.default_rng(seed)
        logs["noise"] = noise.simulate(rng, parameters, values.shape, log_error=error, run=run, place=place)
    targets, draws = runs.table[list(law.columns)], law.scale.back(sum(logs.values()))
    return Forecast(targets, draws, law.gives, kind, law.name, unit_of(runs, law.gives), logs=logs)
