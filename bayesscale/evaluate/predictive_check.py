"""Posterior predictive checks: whether tables that the fitted law would make look like the one that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.evaluate.calibrate import shape_of, uniformity
from bayesscale.evaluate.finding import Finding
from bayesscale.inference import rows_of, trained_along

__all__ = ["PredictiveCheck", "predictive_check"]

# Share of replicated tables as far out as the measured one, on its side: at the law's own tables it is below these in
# one of 20 and one of 100.
UNUSUAL, ODD = 0.025, 0.005
OUTSIDE = "share outside 95% intervals"
MEANS = {"trend with": "the slope of the law is wrong there", "bend along": "the law has the wrong shape there"}
MEANS |= {"largest": "look at that row, or at noise with heavier tails", "share": "the noise has another shape"}


@dataclass(frozen=True, eq=False, repr=False)
class PredictiveCheck(Finding):
    """The measured table beside tables that the posterior would make.

    Parameters
    ----------
    table : DataFrame
        One row per statistic: its value ``observed``, its ``median``, ``low95`` and ``high95`` over the replicated
        tables, the posterior predictive p-value ``p`` (share of these where it is at least as large; ties count half)
        and a ``verdict``: "-", "unusual" or "odd".
    replicated : DataFrame
        The statistics (columns) of each replicated table (rows).
    pit : Series or None
        Leave-one-out probability integral transform of each row: the probability of less than was measured, by a law
        that has not seen the row. None with noise along training curves, where rows are not predicted one by one.
    law : str
    """

    table: pd.DataFrame
    replicated: pd.DataFrame
    pit: pd.Series | None
    law: str

    @property
    def pit_pvalue(self) -> float:
        """P-value of uniform `pit`; NaN where there is none."""
        return np.nan if self.pit is None else uniformity(self.pit)

    @property
    def notes(self) -> list[str]:
        """What the table says in words."""
        said = []
        for name, row in self.table[self.table["verdict"] != "-"].iterrows():
            share = 100 * min(row["p"], 1 - row["p"])
            rare = f"{share:.1f}%" if share else f"none of {len(self.replicated)}"
            means = next((f": {words}" for start, words in MEANS.items() if name.startswith(start)), "")
            said.append(
                f"{name} is {row['observed']:.3g}, {'higher' if row['p'] < 0.5 else 'lower'} than the fitted law makes "
                f"it ({row['low95']:.3g} to {row['high95']:.3g}; {rare} of the replicated tables go as far){means}"
            )
        if not said:
            said = ["the measured table looks like the tables that the fitted law makes"]
        if self.pit_pvalue < 2 * ODD:
            said.append(f"rows left out one by one and forecast: {shape_of(self.pit)} (p = {self.pit_pvalue:.1g})")
        return said

    def _headline(self):
        made = f"{len(self.replicated)} replicated tables; residuals in %"
        return f"posterior predictive check of law {self.law}: {made}"


def predictive_check(post, statistic=None, *, replications: int = 1000, seed: int = 0) -> PredictiveCheck:
    """Compare the measured table with tables that the posterior would make of the same runs.

    Each replicated table comes from one posterior draw, with new scatter and new effects of runs. A statistic looks at
    residuals, 100 log(measured / expected) with the posterior median of the expected value: what the law leaves over.

    Parameters
    ----------
    post : Posterior
    statistic : str, sequence of str, or dict of str to callable, optional
        Names of built-in ones; or callables that take the residuals of one table in percent, shape (rows,), and the
        table as a DataFrame, and give a number. By default all built-in ones: "residual spread" (root mean square),
        "typical residual" (median of the absolute ones), "largest residual", "share outside 95% intervals", and along
        compute, tokens per parameter and what else the law takes "trend with ..." (percent per decade) and "bend along
        ..." (percent per decade squared).
    replications : int
        As many tables at most as there are draws.
    seed : int

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    LawError
        A statistic is unknown to this table, or does not give one number.

    Notes
    -----
    Gelman, Meng and Stern 1996. The law has seen the table, so p-values are drawn to the middle: a small one is worse
    than it looks, a middling one is no proof. A discrepancy bends as the runs show, so that fewer shapes are odd.
    """
    table, measured = post.runs.table, post.runs.column(post.law.gives)
    expected = post.predict(post.runs, kind="mean", seed=seed).draws
    scale = post.law.scale
    made = scale.back(scale.to(expected) + _scatter(post, np.random.default_rng(seed), expected.shape))
    low, high = np.quantile(made, [0.025, 0.975], axis=0)
    middle = np.median(expected, axis=0)
    chosen = _chosen(statistic, _built_in(post, 100 * np.log(low / middle), 100 * np.log(high / middle)), table)
    which = np.linspace(0, len(made) - 1, min(replications, len(made))).astype(int)
    residual, residuals = (100 * np.log(y / middle) for y in (measured, made[which]))
    rows, replicated = {}, {}
    for name, function in chosen.items():
        values, value = function(residuals), float(function(residual[None])[0])
        p = np.mean(values > value) + 0.5 * np.mean(values == value)
        where = dict(zip(("low95", "median", "high95"), np.quantile(values, [0.025, 0.5, 0.975]), strict=True))
        tail = min(p, 1 - p)
        rows[name] = dict(
            observed=value, **where, p=p, verdict="odd" if tail < ODD else "unusual" if tail < UNUSUAL else "-"
        )
        replicated[name] = values
    summary = pd.DataFrame.from_dict(rows, orient="index").rename_axis("statistic")
    return PredictiveCheck(summary, pd.DataFrame(replicated), _loo_pit(post, seed), post.law.name)


# -- statistics of the residuals of many tables, (tables, rows) -> (tables,) -------------------------------------------


def _built_in(post, low, high):
    """Return the statistics that a table allows, by name."""
    found = {
        "residual spread": lambda r: np.sqrt(np.mean(r**2, axis=-1)),
        "typical residual": lambda r: np.median(np.abs(r), axis=-1),
        "largest residual": lambda r: np.abs(r).max(axis=-1),
        OUTSIDE: lambda r: np.mean((r < low) | (r > high), axis=-1),
    }
    for name, x in _axes(post).items():
        x = np.log10(x) - np.log10(x).mean()
        levels = len(np.unique(np.round(x, 3)))
        powers = np.vander(x, 3, increasing=True)
        for least, what, degree in ((2, "trend with", 1), (3, "bend along", 2)):
            if levels >= least:
                # The last coefficient of a polynomial fitted by least squares.
                weights = np.linalg.pinv(powers[:, : degree + 1])[-1]
                found[f"{what} {name}"] = lambda r, weights=weights: r @ weights
    return found


def _axes(post):
    there = {
        c: post.runs.column(c) for c in dict.fromkeys(("C", "N", "D", *post.law.columns)) if c in post.runs.columns
    }
    axes = {"compute": there["C"]} if "C" in there else {}
    axes |= {"tokens per parameter": there["D"] / there["N"]} if {"N", "D"} <= set(there) else {}
    return axes | {c: there[c] for c in post.law.columns if c not in ("C", "N", "D") or not axes}


def _chosen(statistic, built_in, table):
    if statistic is None:
        return built_in
    if isinstance(statistic, Mapping):
        return {name: _each_table(name, function, table) for name, function in statistic.items()}
    names = [statistic] if isinstance(statistic, str) else list(statistic)
    if unknown := [name for name in names if name not in built_in]:
        raise LawError(
            f"no statistic {unknown[0]!r} of this table; there are {', '.join(built_in)}; of your own: "
            'statistic={"name": function of (residuals, table)}'
        )
    return {name: built_in[name] for name in names}


def _each_table(name, function, table):
    def of_all(residuals):
        values = np.array([np.asarray(function(r, table), float) for r in residuals])
        if values.ndim != 1 or not np.isfinite(values).all():
            raise LawError(f"statistic {name!r} must give one finite number for each table of residuals")
        return values

    return of_all


# -- what a posterior makes --------------------------------------------------------------------------------------------


def _scatter(post, rng, shape):
    """Draw what new runs at the fitted rows have around the expected value: those that share a run again share one."""
    rows, n = rows_of(post.law, post.runs, by=post.noise.by), shape[1]
    draws = {k: v for k, v in post.flat_draws.items() if k != "run_effect"}
    sharing = {}
    if rows.run is not None:
        along = trained_along(post.law, post.runs)
        sharing = dict(run=rows.run[:n], place=np.log(post.runs.column(along)) if along else None)
    error = None if rows.log_error is None else rows.log_error[:n]
    return post.noise.simulate(rng, draws, shape, log_error=error, **sharing)


def _loo_pit(post, seed):
    """Leave-one-out PIT by ArviZ, from what each run would measure again: a row's own run is known by its effect."""
    from arviz_stats.base import array_stats

    if "length" in post.draws:
        return None
    again = post.predict(post.runs, kind="new-run", seed=seed).draws.T
    log_weights = array_stats.psislw(-post.log_likelihood.reshape(-1, len(post.runs)).T)[0]
    measured = post.runs.column(post.law.gives)
    pit = array_stats.loo_pit(again, measured, log_weights, chain_axis=None, random_state=seed)
    return pd.Series(pit, index=post.runs.table.index, name="pit")
