"""Smoothed training curves as a table that can be fitted: a few rows per run, even on the logarithm of training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError
from bayesscale.runs import Runs, read_runs
from bayesscale.table_columns import COVARIATES, NUMBERS

__all__ = ["bin_curves"]


def bin_curves(runs, *, bins: int = 40, along: str | None = None) -> Runs:
    """Bring each training curve down to at most so many rows: means over bins of equal width in log C (or D, or S).

    A logged curve has thousands of points, smoothed by who logged it: neighbours hold the same numbers. What they say
    together is what a few of them say, and to most of them the end of training, where the law has to be right, is next
    to nothing. Binning evens out both, but it does not make rows of one curve independent: fit them with
    ``noise="curve"``, which gives every run a smooth course of its own.

    Parameters
    ----------
    runs : Runs, DataFrame or path
        One row per point, a column `run` that names the curve: of a comparison, each model and arm has its own.
    bins : int
        Of each curve, between its own ends. Empty ones give no row.
    along : str, optional
        The column that says how far a run was trained then: C, D or S, the first that there is, unless given.

    Returns
    -------
    Runs
        In each bin the geometric mean of the covariates, the mean of other numbers, and the first of anything else.
        Products such as C = 6 N D hold as before.

    Raises
    ------
    RunsError
        There is no column `run` or none to bin along, or there are fewer than two bins.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    if "run" not in runs.columns:
        raise RunsError("bin_curves needs a column run: one name for all rows of a training curve")
    if not (isinstance(bins, int) and bins >= 2):
        raise RunsError(f"bins is a whole number from 2 on, not {bins!r}")
    known = [c for c in ("C", "D", "S") if c in runs.columns]
    if along not in (known if along is not None else (None,)) or not known:
        what = f"no column {along!r}" if along else "no column C, D or S"
        raise RunsError(f"{what} to bin training curves along; the runs have {', '.join(runs.columns)}")
    log_x = np.log(runs.column(along or known[0]))
    table = runs.table
    ends = pd.Series(log_x, index=table.index).groupby(table["run"], sort=False)
    low, high = ends.transform("min").to_numpy(), ends.transform("max").to_numpy()
    width = np.where(high > low, high - low, 1.0)
    place = np.minimum((bins * (log_x - low) / width).astype(int), bins - 1)
    how = {c: _how(c, table[c]) for c in table.columns if c != "run"}
    binned = table.groupby([table["run"].rename("_run"), pd.Series(place, index=table.index)], sort=False).agg(
        {"run": "first", **how}
    )
    return Runs(binned[list(table.columns)].reset_index(drop=True), runs.about)


def _how(name, column):
    if name in COVARIATES:
        return lambda x: np.exp(np.log(x).mean())
    return "mean" if name in NUMBERS or pd.api.types.is_float_dtype(column) else "first"
