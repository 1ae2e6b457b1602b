"""The table as a compiled fit sees it: arrays of a padded shape, so that tables of similar size share one program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from bayesscale.center import Covariate
from bayesscale.curve_noise import FAR, along_runs
from bayesscale.discrepancy import Bend
from bayesscale.errors import LawError, RunsError
from bayesscale.table_columns import STANDARD, shown
from bayesscale.targets import names_of

__all__ = ["Rows", "rows_of", "trained_along"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["log_x", "x_center", "measured", "y_center", "log_error", "weight", "run", "order", "gap", "bend"],
    meta_fields=["n_run"],
)
@dataclass(frozen=True)
class Rows:
    """Arrays of one table, traced by the compiled program; `n_run` and the shapes are part of the program itself.

    Parameters
    ----------
    log_x : dict of str to array
        log(x / center) of each covariate.
    x_center : dict of str to float
        Geometric mean of each covariate over the table, the mean of a share.
    measured : array
        The measured values on the law's scale: their logarithm, or logit.
    y_center : float
        Geometric mean of the measured values.
    log_error : array or None
        Known standard error of the measured values on that scale.
    weight : array
        How often each row counts; 0 for the rows that only fill the shape.
    run : array of int or None
        Index of each row's run, where rows share runs.
    order : array of int or None
        The rows in the order of training, run by run, where rows share runs.
    gap : array or None
        How far each row, in that order, was trained beyond the one before it in its run, such as log(S / S before).
    bend : Bend or None
        The discrepancy at the rows.
    n_run : int
        Number of runs in the program's shape, if `run` is given.
    """

    log_x: dict
    x_center: dict
    measured: jax.Array
    y_center: jax.Array
    log_error: jax.Array | None
    weight: jax.Array
    run: jax.Array | None
    order: jax.Array | None = None
    gap: jax.Array | None = None
    bend: Bend | None = None
    n_run: int = 0

    @property
    def n_row(self) -> int:
        """Number of rows, filling rows included."""
        return self.measured.shape[-1]

    @property
    def covariates(self) -> dict[str, Covariate]:
        """What a law takes."""
        return {k: Covariate(x, self.x_center[k]) for k, x in self.log_x.items()}


def _padded(n):
    """Round a number of rows up to a multiple of 16, and of larger powers of two beyond 256 rows."""
    step = 16
    while step * 16 <= n:
        step *= 2
    return -(-n // step) * step


def trained_along(law, runs) -> str | None:
    """Return the column that says how far a run was trained, where there is one: S, D or C, one of the law's first."""
    measures = [c for c in ("S", "D", "C") if c in runs.columns and c != law.gives]
    known = [c for c in measures if np.isfinite(runs.table[c].to_numpy(float)).all()]
    return min(known, key=lambda c: c not in law.columns, default=None)


def _centered(law, runs, name):
    """Return log(x / center) of a covariate, and its centre over the table."""
    x, share = runs.column(name), name in law.shares
    odd = np.flatnonzero(~((x >= 0 if share else x > 0) & np.isfinite(x)))
    if len(odd):
        zero = " (or zero)" if share else ""
        raise RunsError(
            f"column {name!r}: row {runs.table.index[odd[0]]} has {x[odd[0]]:.6g}; law {law.name} takes positive "
            f"numbers{zero}. Leave such rows out, {len(odd)} of {len(x)}, or take a law that does without {name}."
        )
    if not share:
        logs = np.log(x)
        return logs - logs.mean(), np.exp(logs.mean())
    center = x.mean() or 1.0
    with np.errstate(divide="ignore"):
        return np.log(x / center), center


def _names(runs, by):
    """Name what the effect of each row is of, where rows may share one."""
    table = runs.table
    if by != "run" and by not in table:
        raise RunsError(f"no column {by!r}, whose rows are to share an effect; the runs have {shown(table.columns)}")
    if by != "run" and "run" in table and (again := table["run"].duplicated()).any():
        raise RunsError(
            f"run {table['run'][again].iloc[0]!r} has several rows, and rows of one {by} are to share an effect, not "
            "those of a run: keep one row of each run, such as its last"
        )
    return names_of(table, by)


def rows_of(law, runs, *, discrepancy=None, y_center=None, shape_of=None, by="run") -> Rows:
    """Take from a table what a law and its noise need.

    Parameters
    ----------
    law : Law
    runs : Runs
        Has the law's columns (`Law.over` has bound a star argument) and what it gives; ``loss_error``
        (``<gives>_error``), ``weight`` and ``run`` are used where present.
    discrepancy : Discrepancy, optional
        How the truth may bend away from the law.
    y_center : float, optional
        Stands for the geometric mean of the measured values (simulation-based calibration holds it fixed).
    shape_of : Runs, optional
        The larger table of which this one is a part: rows (and runs, where rows share them) are filled up to its shape,
        so that all parts of a table share one program.
    by : str
        The column whose rows share an effect (`Noise.by`): what `Rows.run` is of.

    Returns
    -------
    Rows
        NumPy arrays, float64.

    Raises
    ------
    RunsError
        A column is missing, or runs give several rows where the rows of another column share an effect.
    LawError
        The law is over any quantity and was not told which.
    """
    free = [x for x in law.takes if len(law.takes) == 1 and x in law.columns and x not in STANDARD]
    if free and not set(free) <= set(runs.columns):
        raise LawError(
            f'law {law.name} takes {", ".join(free)}: say which column, as in "{law.name}(C)" or "{law.name}(N)"'
        )
    n = len(runs)
    extra = _padded(n if shape_of is None else len(shape_of)) - n

    def pad(values, fill=0.0):
        return np.concatenate([values, np.full(extra, fill, dtype=np.asarray(values).dtype)])

    log_x, x_center = {}, {}
    for name in law.columns:
        logs, center = _centered(law, runs, name)
        log_x[name], x_center[name] = pad(logs), center
    y = runs.column(law.gives)
    if not np.all(law.scale.holds(y)):
        raise RunsError(
            f"column {law.gives}: law {law.name} is fitted on the {law.scale.name} scale, so values must be "
            f"{law.scale.values}; row {runs.table.index[~law.scale.holds(y)][0]} has {y[~law.scale.holds(y)][0]:.6g}"
        )
    columns = runs.table.columns
    error = pad(runs.column(f"{law.gives}_error") * law.scale.slope(y)) if f"{law.gives}_error" in columns else None
    weight = runs.column("weight") if "weight" in columns else np.ones(n)
    run, order, gap, n_run = None, None, None, 0
    names = _names(runs, by)
    if names is not None and names.duplicated().any():
        codes, seen = names.factorize()
        run = pad(codes.astype(np.int32))
        n_run = len(seen) if shape_of is None else _names(shape_of, by).nunique()
        if along := trained_along(law, runs):
            order, gap = along_runs(codes, np.log(runs.column(along)))
            order, gap = np.r_[order, n : n + extra].astype(np.int32), pad(gap, FAR)
    center = np.exp(np.log(y).mean()) if y_center is None else float(y_center)
    bend = None
    if discrepancy is not None and (frame := discrepancy.frame(law, runs)) is not None:
        at_rows = frame.of_runs({c: runs.column(c) for c in frame.columns})
        bend = jax.tree.map(lambda x: np.concatenate([x, np.zeros((extra, *x.shape[1:]))]), at_rows)
    return Rows(log_x, x_center, pad(law.scale.to(y)), center, error, pad(weight), run, order, gap, bend, n_run)
