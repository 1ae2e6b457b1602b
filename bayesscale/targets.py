"""The targets of a forecast: covariates by name, "70B" understood, the missing ones derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError
from bayesscale.runs import Runs
from bayesscale.table_columns import RULES, SPELLINGS, derive, shown
from bayesscale.units import format_number, parse_numbers

__all__ = ["check_whole", "names_of", "read_targets", "run_names", "target_names"]

# What can be said of any target: the covariates that follow from each other, and the standard error of its measurement.
OF_ANY_LAW = (*dict.fromkeys(name for rule in RULES for name in (*rule.needs, rule.gives)), "loss_error")
OFF_ONE = 0.011  # how far from one the proportions of a mixture may sum, by rounding
# What is meant for the forecast that comes back.
LATER = {
    "level": "Intervals of another mass: forecast.table(level=...).",
    "below": "The probability of less: forecast.probability(below=...).",
    "above": "The probability of more: forecast.probability(above=...).",
}


def read_targets(
    targets=None,
    *,
    takes: Sequence[str],
    shares: Sequence[str] = (),
    fixed: Mapping | None = None,
    **covariates,
) -> pd.DataFrame:
    """Read the targets of a forecast.

    Parameters
    ----------
    targets : DataFrame, Runs or dict of columns, optional
        One row per target; columns that are no covariates, such as a name, are kept. Single values of a dict hold for
        all targets.
    takes : sequence of str
        The covariates that must be there or follow from others (C = 6 N D, D = C / (6 N), ...). With none, any name may
        be given.
    shares : sequence of str
        Those of them that may be zero.
    fixed : mapping of str to number, optional
        What holds for a target that says nothing else: covariates that are the same in all runs.
    **covariates : number, str or sequence
        Each covariate by name; single values hold for all targets. ``run``, a name, says to which run a target belongs.

    Returns
    -------
    DataFrame
        Float64 covariates, one row per target; ``run`` as text.

    Raises
    ------
    RunsError
        A covariate is missing, unknown, not a positive finite number (shares: or zero), or of another length than the
        others.
    """
    if takes:
        _refuse_unknown(covariates, takes)
    known = dict.fromkeys((*takes, *OF_ANY_LAW))
    run = covariates.pop("run", None)
    given, table = {}, targets.table if isinstance(targets, Runs) else targets
    if isinstance(table, Mapping):
        covariates = {**{k: v for k, v in table.items() if k in known}, **covariates}
        given, table = {k: _column(v) for k, v in table.items() if k not in known}, None
    frame = pd.DataFrame() if table is None else pd.DataFrame(table).copy()
    given |= {k: _column(parse_numbers(v, name=k)) for k, v in covariates.items()}
    given |= {} if run is None else {"run": _column(run)}
    if nested := [k for k, values in given.items() if values.ndim > 1]:
        raise RunsError(f"{', '.join(nested)}: a table of numbers; give one number, or a list with one per target")
    lengths = {k: len(v) for k, v in given.items() if len(v) != 1}
    if len(frame.columns):
        lengths["targets"] = len(frame)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{k}: {n}" for k, n in lengths.items())
        raise RunsError(f"targets of different lengths ({said}): give each covariate once, or once per target")
    n = next(iter(lengths.values()), 1)
    frame = frame if len(frame.columns) else pd.DataFrame(index=range(n))
    for name, values in given.items():
        frame[name] = np.broadcast_to(values, n)
    for name in [name for name in known if name in frame]:
        if not pd.api.types.is_float_dtype(frame[name]):
            frame[name] = parse_numbers(frame[name], name=name)
    frame, _ = derive(frame)
    for name, value in (fixed or {}).items():
        if name not in frame:
            frame[name] = value
    if "run" in frame:
        frame["run"] = run_names(frame["run"])
    _check(frame, takes, shares)
    return frame


def run_names(column) -> pd.Series:
    """Return run ids as texts: run 3 of a table of numbers is the run "3" of a command line."""
    if column.isna().any():
        raise RunsError("run: no name for some of the targets; name each target's run, or leave the column out")
    return column.astype(str)


def names_of(frame, by) -> pd.Series | None:
    """Name what the effect of each row is of, a run or such as "N = 3.1e+08"; None where the rows do not say it.

    Parameters
    ----------
    frame : DataFrame
    by : str
        The column whose rows share an effect (`Noise.by`).
    """
    if by not in frame:
        return None
    if by == "run":
        return run_names(frame["run"])
    column = frame[by]
    if column.isna().any():
        raise RunsError(
            f"column {column.name}: row {column.index[column.isna()][0]} is empty, and rows of one {column.name} share "
            "an effect. Fill it in, or leave the row out."
        )
    values = column.map("{:.12g}".format) if pd.api.types.is_numeric_dtype(column) else column
    return f"{by} = " + values.astype(str)


def target_names(frame, *, takes, gives) -> list[str]:
    """Name each target by where it lies, such as "loss at N = 7B, D = 1T": by the covariates in which they differ."""
    columns = [c for c in takes if np.ptp(frame[c]) > 0] or list(takes)
    places = [", ".join(f"{c} = {format_number(row[c])}" for c in columns) for _, row in frame.iterrows()]
    names = [f"{gives} at {place}" for place in places]
    return names if len(set(names)) == len(names) else [f"{name} ({i + 1})" for i, name in enumerate(names)]


def check_whole(runs, frame, shares) -> None:
    """Raise a RunsError where shares that sum to one in every run of a table do not in a target.

    Parameters
    ----------
    runs, frame : DataFrame
        The runs that were fitted, and the targets.
    shares : sequence of str
    """
    parts, asked = (table[list(shares)].to_numpy(float).sum(axis=1) for table in (runs, frame))
    odd = np.flatnonzero(np.abs(asked - 1) > OFF_ONE)
    if len(shares) > 1 and len(odd) and np.all(np.abs(parts - 1) <= OFF_ONE):
        raise RunsError(
            f"the proportions {shown(shares)} of target {frame.index[odd[0]]} sum to {asked[odd[0]]:.6g}; in all runs "
            "they sum to 1. Give each domain its share of the whole."
        )


def _column(values) -> np.ndarray:
    return np.atleast_1d(values if isinstance(values, np.ndarray) else pd.Series(values).to_numpy())


def _refuse_unknown(covariates, takes):
    """Refuse a slip such as seeed=3, which would become a column that nobody looks at."""
    allowed = (*takes, *(name for name in OF_ANY_LAW if name not in takes))
    problems = []
    for name in covariates:
        if name in (*allowed, "run"):
            continue
        nearest = _nearest(name, allowed)
        remedy = "Other columns go in a table of targets."
        if nearest in LATER:
            remedy = LATER[nearest]
        elif nearest:
            remedy = f"Did you mean {nearest}?"
        problems.append(f"{name} is no covariate of a target; the law takes {shown(takes)}. {remedy}")
    if problems:
        raise RunsError(problems)


def _nearest(name, allowed) -> str | None:
    words = {word.lower(): word for word in (*LATER, "targets", "kind", "seed", "run", *reversed(allowed))}
    words |= {spelling: ours for ours, spellings in SPELLINGS.items() if ours in allowed for spelling in spellings}
    nearest = get_close_matches(name.lower(), words, n=1)
    return words[nearest[0]] if nearest else None


def _check(frame, takes, shares):
    problems = []
    for name in takes:
        if name not in frame:
            there = shown(frame.columns) if len(frame.columns) else "nothing"
            problems.append(f"the forecast needs {name}; given: {there}. Say it, as in predict({name}=...)")
            continue
        for row, value in frame[name].items():
            if not (np.isfinite(value) and (value > 0 or (value == 0 and name in shares))):
                zero = ", or zero" if name in shares else ""
                problems.append(f"{name} of target {row} is {format_number(value)}: it must be a positive number{zero}")
    if problems:
        raise RunsError(problems)
