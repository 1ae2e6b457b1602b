"""The way through: a table of runs and a law become a posterior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields, replace

from bayesscale import discrepancy as discrepancies
from bayesscale import law as laws
from bayesscale import noise as noises
from bayesscale.discrepancy import Discrepancy
from bayesscale.errors import LawError, RunsWarning, SamplingWarning
from bayesscale.inference import Sampling, rows_of, sample_many
from bayesscale.law import Law
from bayesscale.noise import Noise
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs, read_runs

__all__ = ["fit", "fit_many"]


def fit(
    law: str | Law,
    runs,
    *,
    noise: str | Noise = "student-t",
    discrepancy: bool | Discrepancy = False,
    seed: int = 0,
    **sampling,
) -> Posterior:
    """Fit a law to a table of runs.

    Parameters
    ----------
    law : str or Law
        ``"chinchilla"``, ``"power(C)"``, or a law of your own.
    runs : Runs, DataFrame or path
        Anything that `read_runs` takes.
    noise : str or Noise
        ``"student-t"``, ``"normal"``, ``"laplace"`` (all on the log of the measured value), or a `Noise` with other
        priors. Rows that share a ``run`` get an effect of that run; for the checkpoints of training curves ``"curve"``
        is the honest choice: what a run has of its own is a smooth course along training. A column ``loss_error`` adds
        to the scale.
    discrepancy : bool or Discrepancy
        True: the truth may bend away from the law, more so the further from the largest run, as part of the model; what
        intervals far beyond the data need. False: the law alone, as papers fit it.
    seed : int
        Same seed, same machine: same draws.
    **sampling
        ``chains`` (4), ``draws`` per chain (1000), ``warmup`` (300; 1000 for at most 64 rows or rows that
        share runs), ``target_accept``
        (.9), ``precision`` ("float64", or "float32" for a TPU), ``second_try`` (True: sample again, more carefully,
        where the first try is in trouble).

    Returns
    -------
    Posterior

    Raises
    ------
    RunsError, LawError
        The table lacks what the law takes, or has values that cannot be used.
    SamplingError
        The likelihood is finite nowhere.

    Warns
    -----
    RunsWarning
        There are fewer rows than parameters: the prior decides.
    SamplingWarning
        The draws are not to be trusted as they stand.
    """
    return fit_many(law, [runs], noise=noise, discrepancy=discrepancy, seed=seed, **sampling)[0]


def fit_many(
    law: str | Law,
    tables: Sequence,
    *,
    noise: str | Noise = "student-t",
    discrepancy: bool | Discrepancy = False,
    seed: int = 0,
    parts_of=None,
    typical: float | None = None,
    **sampling,
) -> list[Posterior]:
    """Fit a law to many tables in one call: folds, tasks, bootstraps, candidate runs.

    Tables of similar size share one compiled program; on a CPU it runs on all cores, on an accelerator the tables are
    one batch. Table i is sampled with ``seed + i``.

    Parameters
    ----------
    law, noise, discrepancy, seed, **sampling
        As for `fit`.
    tables : sequence of Runs, DataFrame or path
    parts_of : Runs, optional
        The table of which all of them are parts: they then share the compiled program of a fit to the whole.
    typical : float, optional
        What stands for the geometric mean of the measured values, around which the law's priors lie; each table's own,
        unless given.

    Returns
    -------
    list of Posterior
        In the order of the tables.
    """
    law = laws.named(law)
    noise, discrepancy = noises.named(noise, scatter=law.scatter), discrepancies.named(discrepancy)
    tables = [table if isinstance(table, Runs) else read_runs(table) for table in tables]
    unknown = set(sampling) - {f.name for f in fields(Sampling)}
    if unknown:
        options = ", ".join(f.name for f in fields(Sampling))
        raise LawError(f"fit has no option {', '.join(sorted(unknown))}; there are noise, discrepancy, {options}")
    how = Sampling(seed=seed, **sampling)
    rows = [rows_of(law, table, discrepancy=discrepancy, shape_of=parts_of, y_center=typical) for table in tables]
    if parts_of is not None and how.warmup is None:
        # Filled up, a small part would pass for a large table and be warmed up for too short a time.
        smallest = rows_of(law, min(tables, key=len), discrepancy=discrepancy)
        how = replace(how, warmup=how.program(smallest).warmup)
    sampled = sample_many(law, noise, rows, how)
    return [_posterior(law, noise, *each) for each in zip(tables, rows, sampled, strict=True)]


def _posterior(law, noise, runs, rows, sampled) -> Posterior:
    draws, done = sampled
    if "run_effect" in draws.values:
        # Runs that only fill the shape have effects too, of the prior.
        own = runs.table["run"].nunique()
        values, mode = ({**of, "run_effect": of["run_effect"][..., :own]} for of in (draws.values, draws.mode))
        draws = draws._replace(values=values, mode=mode)
    posterior = Posterior(
        law=law,
        noise=noise,
        runs=runs,
        draws=draws.values,
        stats=draws.stats,
        mode=draws.mode,
        centers={**{k: float(v) for k, v in rows.x_center.items()}, law.gives: float(rows.y_center)},
        settings=done,
        discrepancy=rows.bend.discrepancy if rows.bend else None,
    )
    sampled_names = [k for k in (*law.priors(), *noise.priors()) if k in draws.values]
    if len(runs) < len(sampled_names):
        warnings.warn(
            f"{len(runs)} rows for {len(sampled_names)} parameters of law {law.name}: the prior decides what the data "
            "cannot; look at .check() for which, and at prior_predictive before trusting the interval",
            RunsWarning,
            stacklevel=4,
        )
    if done["trouble"]:
        tried = "after a second, more careful try; " if "first_try" in done else ""
        warnings.warn(
            f"law {law.name}: {done['trouble']}; {tried}the draws are not to be trusted as they stand. See .check(); a "
            "simpler law, tighter priors or more runs help",
            SamplingWarning,
            stacklevel=4,
        )
    return posterior
