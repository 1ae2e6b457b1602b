"""Leave-one-group-out: how well a law foretells all rows of a mixture, a model or a study that it has not seen.

Checkpoints of one run, and runs of one mixture, stray from a law together. To leave out one row and keep its neighbours
asks how well a law fills gaps; to leave out the whole group asks what a user asks: what would a new mixture give?
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from bayesscale.elpd import KHAT, psis
from bayesscale.errors import BayesscaleWarning, RunsError
from bayesscale.evaluate.members import fitted_how
from bayesscale.fitting import fit_many
from bayesscale.forecast import predict
from bayesscale.inference import rows_of, trained_along
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs
from bayesscale.targets import names_of

__all__ = ["LeftOut", "leave_groups_out"]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The expected log predictive density of groups that are left out.

    Parameters
    ----------
    pointwise : Series
        By group: log density of all its rows together, given the other groups.
    khat : Series
        Pareto k-hat of each group.
    refitted : tuple
        The groups whose k-hat is too large, so that the law was fitted again without them.
    """

    pointwise: pd.Series
    khat: pd.Series
    refitted: tuple


def leave_groups_out(post: Posterior, by: str, *, refit: bool = True) -> LeftOut:
    r"""Leave out each group of rows in turn.

    .. math:: elpd = \sum_g \log p(y_g | y_{-g}),

    .. math:: p(y_g | \theta) = \prod_{r \in g} \int \prod_{i \in r} p(y_i | \theta, e) dp(e)

    with what a run has of its own, e, integrated out: a group that is left out takes its runs with it.

    Parameters
    ----------
    post : Posterior
    by : str
        The column that names the groups, such as ``mixture``.
    refit : bool
        Where Pareto-smoothed importance sampling fails (k-hat above .7), as it does where a group has many rows, fit
        the law again without the group: exact, one fit per such group, all in one call. False: take what it gives.

    Raises
    ------
    RunsError
        There is no such column, it names fewer than three groups, or a run belongs to several.
    """
    names = _groups(post.runs, by, post.noise.by)
    groups = pd.unique(names)
    inside = _density_of_groups(post, post.runs, names, groups)
    smoothed = _psis(post, inside)
    pointwise, khat = smoothed.pointwise.copy(), smoothed.diagnostic
    bad = np.flatnonzero(khat > KHAT) if refit else np.array([], int)
    if len(bad):
        tables = [post.runs.select(names != groups[i]) for i in bad]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayesscaleWarning)  # of fits that nobody sees
            fits = fit_many(tables=tables, parts_of=post.runs, **fitted_how(post))
        for i, fitted in zip(bad, fits, strict=True):
            held_out = post.runs.select(names == groups[i])
            density = _density_of_groups(fitted, held_out, names[names == groups[i]], groups[[i]])[:, 0]
            pointwise[i] = logsumexp(density) - np.log(len(density))
    index = pd.Index(groups, name=by)
    return LeftOut(pd.Series(pointwise, index), pd.Series(khat, index), tuple(groups[bad]))


def _groups(runs: Runs, by, sharing) -> np.ndarray:
    if by not in runs.columns:
        raise RunsError(f"no column {by!r} to leave out by; the runs have {', '.join(runs.columns)}")
    column = runs.table[by]
    if column.isna().any():
        raise RunsError(f"column {by!r}: row {column.index[column.isna()][0]} names no group. Fill it in, or drop it.")
    names = column.astype(str).to_numpy()
    if len(set(names)) < 3:
        raise RunsError(f"column {by!r} names {len(set(names))} group(s): to leave one out takes three at least")
    if (of_rows := names_of(runs.table, sharing)) is not None:
        groups = column.groupby(of_rows).nunique()
        if (groups > 1).any():
            raise RunsError(
                f"{'run ' * (sharing == 'run')}{groups.index[groups > 1][0]!r} has rows in several groups of {by!r}: "
                f"leave out by a column in which all rows of one {sharing} agree, such as {sharing} itself"
            )
    return names


def _density_of_groups(post, runs, names, groups) -> np.ndarray:
    """Log density of the rows of each group together, given each draw: shape (draws, groups)."""
    law = post.law
    rows = rows_of(law, post.runs, by=post.noise.by)
    targets = runs.table.drop(columns="run", errors="ignore")
    expected = law.scale.to(predict(post, targets, kind="mean").draws)
    measured = runs.column(law.gives)
    run = names_of(runs.table, post.noise.by).factorize()[0] if rows.run is not None else np.arange(len(runs))
    along = trained_along(law, runs)
    error = post.noise.error_of(runs.table, post, measured)
    draws = post.flat_draws if rows.run is not None else {k: v for k, v in post.flat_draws.items() if k != "sigma_run"}
    of_runs = post.noise.log_density_of_runs(
        law.scale.to(measured) - expected,
        draws,
        run,
        place=np.log(runs.column(along)) if along else None,
        log_error=None if error is None else error * law.scale.slope(measured),
        weight=runs.column("weight") if "weight" in runs.columns else 1.0,
    )
    first = pd.Series(names).groupby(run).first().to_numpy()
    return np.stack([of_runs[:, first == group].sum(axis=1) for group in groups], axis=1)


def _psis(post, density):
    """Leave out each group by Pareto-smoothed importance sampling."""
    import arviz_base as azb

    chains = next(iter(post.draws.values())).shape[:2]
    # How well the chains have mixed is part of the smoothing.
    groups = {"group": density.reshape(*chains, -1)}
    return psis(azb.from_dict({"posterior": dict(post.draws), "log_likelihood": groups}))
