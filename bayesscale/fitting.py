"""The way through: a table of runs and a law become a posterior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields, replace

import jax
import numpy as np

from bayesscale import discrepancy as discrepancies
from bayesscale import law as laws
from bayesscale.discrepancy import Discrepancy
from bayesscale.errors import LawError, RunsError, RunsWarning, SamplingWarning
from bayesscale.inference import Sampling, rows_of, sample_many
from bayesscale.item_noise import noise_for
from bayesscale.law import Law
from bayesscale.noise import Noise
from bayesscale.pooled_fit import PooledFit, groups_of
from bayesscale.pooling import pooling_of
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs, read_runs

__all__ = ["fit", "fit_many", "fit_pooled"]


def fit(
    law: str | Law,
    runs,
    *,
    noise: str | Noise = "student-t",
    discrepancy: bool | Discrepancy = True,
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
        ``"student-t"``, ``"normal"``, ``"laplace"``, all on the log of the measured value (the logit of an accuracy),
        or a `Noise` with other priors. Rows that share a ``run`` get an effect of that run; for the checkpoints of
        training curves ``"curve"`` is the honest choice: what a run has of its own is a smooth course along training.
        ``"student-t by N"``: the runs of one size share an effect; for tables of many runs at a few sizes.
        ``"binomial"`` is for accuracies on questions of their own, with a column ``n_items``. A column ``loss_error``
        adds to the scale.
    discrepancy : bool or Discrepancy
        True: the truth may bend away from the law, more so the further from the largest run, as part of the model; what
        intervals beyond the data need. False: the law alone, as papers fit it; its intervals hold if the law does. Laws
        that say nothing of how large a run is, such as `steps_examples`, have none.
    seed : int
        Same seed, same machine: same draws.
    **sampling
        ``chains`` (4), ``draws`` per chain (1000), ``warmup`` (1000; 300 without a discrepancy for more than 64 rows
        that share no runs), ``target_accept`` (.9), ``precision`` ("float64", or "float32" for a TPU), ``second_try``
        (True: sample again, more carefully, where the first try is in trouble).

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
    discrepancy: bool | Discrepancy = True,
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
    discrepancy = discrepancies.named(discrepancy, scatter=law.scatter)
    tables = [table if isinstance(table, Runs) else read_runs(table) for table in tables]
    law = law.over(tables[0].columns) if tables else law
    noise, tables = noise_for(noise, law, tables)
    how = _sampling(seed, sampling)
    rows = [
        rows_of(law, table, discrepancy=discrepancy, shape_of=parts_of, y_center=typical, by=noise.by)
        for table in tables
    ]
    for each in rows:
        noise.check(each)
    if parts_of is not None and how.warmup is None:
        # Filled up, a small part would pass for a large table and be warmed up for too short a time.
        smallest = rows_of(law, min(tables, key=len), discrepancy=discrepancy, by=noise.by)
        how = replace(how, warmup=how.program(smallest).warmup)
    posteriors = []
    for runs, of_runs, (sampled, done) in zip(tables, rows, sample_many(law, noise, rows, how), strict=True):
        posteriors.append(_posterior(law, noise, runs, of_runs, sampled, {**done, "asked": sampling}))
        _warn_of_few_rows(posteriors[-1])
        _warn_of_trouble(law, done)
    return posteriors


def fit_pooled(
    law: str | Law,
    runs,
    *,
    over: str,
    pool: Sequence[str] | None = None,
    noise: str | Noise = "student-t",
    discrepancy: bool | Discrepancy = True,
    seed: int = 0,
    **sampling,
) -> PooledFit:
    """Fit a law to several groups of rows at once: tasks, domains, corpora. What they have in common is learned.

    Each group has parameters, noise and discrepancy of its own, as if it were fitted alone; the pooled parameters of
    all groups come from one distribution whose mean and spread are learned with them (`Pooling`). Groups of few runs
    gain most. Draw i of all groups is of one joint draw, so that groups can be compared draw by draw.

    Parameters
    ----------
    law, noise, discrepancy, seed, **sampling
        As for `fit`.
    runs : Runs, DataFrame or path
    over : str
        The column that names the group of each row.
    pool : sequence of str, optional
        The parameters that are pooled; the exponents, and what else the law samples as alike, unless given.
        ``pool=()``: none, only the sampling is joint.

    Returns
    -------
    PooledFit
        One `Posterior` per group, by its name.

    Raises
    ------
    RunsError
        There is no such column, or one group only; or as for `fit`.
    LawError
        A parameter cannot be pooled.

    Warns
    -----
    SamplingWarning
        The draws are not to be trusted as they stand.
    """
    law = laws.named(law)
    discrepancy = discrepancies.named(discrepancy, scatter=law.scatter)
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    law = law.over(runs.columns)
    noise, (runs,) = noise_for(noise, law, [runs])
    pooling, how = pooling_of(law, over, pool), _sampling(seed, sampling)
    parts = groups_of(runs, over)
    largest = max(parts.values(), key=len)
    rows = [rows_of(law, part, discrepancy=discrepancy, shape_of=largest, by=noise.by) for part in parts.values()]
    # The group of most rows need not be that of most runs.
    n_run = max((1 + int(each.run.max()) for each in rows if each.run is not None), default=0)
    rows = [replace(each, n_run=n_run) if each.run is not None else each for each in rows]
    for each in rows:
        noise.check(each)
    if len({jax.tree.structure(each) for each in rows}) > 1:
        raise RunsError(
            f"the groups of {over} differ in what is known of them (rows that share a {noise.by} in some only): fit "
            "them one by one"
        )
    stacked = jax.tree.map(lambda *x: np.stack(x), *rows)
    ((sampled, done),) = sample_many(law, noise, [stacked], how, pooling)
    common = {k: v for k, v in sampled.values.items() if k in pooling.sites}
    posteriors = {}
    for i, (name, part) in enumerate(parts.items()):
        values = {k: v[:, :, i] for k, v in sampled.values.items() if k not in common}
        mode = {k: v[i] for k, v in sampled.mode.items() if k not in common}
        of_group = sampled._replace(values=values, mode=mode)
        posteriors[name] = _posterior(
            law, noise, part, rows[i], of_group, {**done, "pooled": f"{over} = {name}", "asked": sampling}
        )
    _warn_of_trouble(law, done)
    return PooledFit(pooling, posteriors, common)


def _sampling(seed, given) -> Sampling:
    options = [f.name for f in fields(Sampling)]
    if unknown := set(given) - set(options):
        known = ", ".join(["noise", "discrepancy", *options])
        raise LawError(f"fit has no option {', '.join(sorted(unknown))}; there are {known}")
    return Sampling(seed=seed, **given)


def _posterior(law, noise, runs, rows, draws, done) -> Posterior:
    if "run_effect" in draws.values:
        # Runs that only fill the shape have effects too, of the prior.
        own = 1 + int(rows.run.max())
        values, mode = ({**of, "run_effect": of["run_effect"][..., :own]} for of in (draws.values, draws.mode))
        draws = draws._replace(values=values, mode=mode)
    return Posterior(
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


def _warn_of_few_rows(post):
    sampled = [k for k in (*post.law.priors(), *post.noise.priors()) if k in post.draws]
    if len(post.runs) < len(sampled):
        warnings.warn(
            f"{len(post.runs)} rows for {len(sampled)} parameters of law {post.law.name}: the prior decides what the "
            "data cannot; look at .check() for which, and at prior_predictive before trusting the interval",
            RunsWarning,
            stacklevel=4,
        )


def _warn_of_trouble(law, done):
    if done["trouble"]:
        tried = "after a second, more careful try; " if "first_try" in done else ""
        warnings.warn(
            f"law {law.name}: {done['trouble']}; {tried}the draws are not to be trusted as they stand. See .check(); a "
            "simpler law, tighter priors or more runs help",
            SamplingWarning,
            stacklevel=4,
        )
