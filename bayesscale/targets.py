"""The targets of a forecast: covariates by name, "70B" understood, the missing ones derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError
from bayesscale.table_columns import RULES, derive, shown
from bayesscale.units import parse_numbers

__all__ = ["read_targets"]


def read_targets(targets=None, *, takes: Sequence[str], **covariates) -> pd.DataFrame:
    """Read the targets of a forecast.

    Parameters
    ----------
    targets : DataFrame, Runs or dict, optional
        One row per target; other columns of a frame are kept. A dict is read like `covariates`.
    takes : sequence of str
        The covariates that must be there or follow from others (C = 6 N D, D = C / (6 N), ...).
    **covariates : number, str or sequence
        Each covariate by name; single values hold for all targets.

    Returns
    -------
    DataFrame
        Float64 covariates, one row per target.

    Raises
    ------
    RunsError
        A covariate is missing, not a positive finite number, or of another length than the others.
    """
    table = getattr(targets, "table", targets)
    if isinstance(table, Mapping):
        covariates, table = {**table, **covariates}, None
    frame = pd.DataFrame() if table is None else pd.DataFrame(table).copy()
    given = {k: np.atleast_1d(parse_numbers(v, name=k)) for k, v in covariates.items()}
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
    known = {name for rule in RULES for name in (rule.gives, *rule.needs)} | set(takes)
    for name in known & set(frame.columns):
        if not pd.api.types.is_float_dtype(frame[name]):
            frame[name] = parse_numbers(frame[name], name=name)
    frame, _ = derive(frame)
    _check(frame, takes)
    return frame


def _check(frame, takes):
    problems = []
    for name in takes:
        if name not in frame:
            there = shown(frame.columns) if len(frame.columns) else "nothing"
            problems.append(f"the forecast needs {name}; given: {there}. Say it, as in predict({name}=...)")
            continue
        for row, value in frame[name].items():
            if not (np.isfinite(value) and value > 0):
                problems.append(f"{name} of target {row} is {value}: it must be a positive number")
    if problems:
        raise RunsError(problems)
