"""The columns of a table of runs: our names for them, and what follows from what."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["COVARIATES", "NUMBERS", "RULES", "STANDARD", "Rule", "derive", "how_to_name", "rename", "shown"]

COVARIATES = ("N", "D", "C", "B", "S", "lr")
# How a run was trained is often known of some runs only; most laws do not ask.
MAY_HAVE_GAPS = ("B", "S", "lr")
NUMBERS = (*COVARIATES, "loss", "loss_error", "weight")
STANDARD = ("run", *NUMBERS)

# Recognised in any case, when our own name is absent and one column only has such a name. What two readers could read
# differently is left out: "batch_size" counts sequences as often as tokens, "step" may be a checkpoint's number.
SPELLINGS = {
    "run": ("run", "run_id"),
    "N": ("params", "parameters", "n_params", "num_params", "n_parameters", "num_parameters", "param_count"),
    "D": ("tokens", "n_tokens", "num_tokens", "train_tokens", "training_tokens"),
    "C": ("flop", "flops", "compute", "train_flops", "training_flops", "total_flops", "training_compute"),
    "B": ("batch_tokens", "batch_size_tokens", "tokens_per_batch"),
    "S": ("steps", "n_steps", "num_steps", "train_steps", "training_steps"),
    "lr": ("lr", "learning_rate", "peak_lr", "max_lr"),
    "loss": ("loss", "val_loss", "eval_loss", "valid_loss", "validation_loss", "test_loss", "final_loss"),
    "loss_error": ("loss_error", "loss_se", "loss_stderr"),
    "weight": ("weight",),
}


class Rule(NamedTuple):
    """A column that follows from two others."""

    gives: str
    needs: tuple[str, str]
    formula: str
    compute: Callable


# Counted tokens (B S) come before tokens inferred from compute.
RULES = (
    Rule("D", ("B", "S"), "B * S", lambda B, S: B * S),
    Rule("D", ("C", "N"), "C / (6 * N)", lambda C, N: C / (6.0 * N)),
    Rule("C", ("N", "D"), "6 * N * D", lambda N, D: 6.0 * N * D),
    Rule("N", ("C", "D"), "C / (6 * D)", lambda C, D: C / (6.0 * D)),
    Rule("S", ("D", "B"), "D / B", lambda D, B: D / B),
    Rule("B", ("D", "S"), "D / S", lambda D, S: D / S),
)


def rename(frame: pd.DataFrame, columns: dict, problems: list[str]) -> tuple[pd.DataFrame, dict]:
    """Give the columns our names.

    Parameters
    ----------
    frame : DataFrame
    columns : dict
        Our name -> their column. A column of the table that bears our name already, but is not the one meant, stays
        under the name ``<name>_original``.
    problems : list of str
        What is wrong with `columns` or with the names is appended here.

    Returns
    -------
    frame : DataFrame
        Each name once.
    renamed : dict
        Our name -> their column, for those that were renamed.
    """
    for name in dict.fromkeys(frame.columns[frame.columns.duplicated()]):
        problems.append(f"column {name!r}: there are {(frame.columns == name).sum()} of this name. Rename or drop one.")
    frame = frame.loc[:, ~frame.columns.duplicated()]

    renamed = {}
    for ours, theirs in columns.items():
        if problem := _problem_of_mapping(ours, theirs, columns, list(frame.columns)):
            problems.append(problem)
        elif ours != theirs:
            renamed[ours] = theirs
    for ours, theirs in _recognised(frame.columns, columns, list(columns.values())):
        renamed[ours] = theirs

    new_name = {theirs: ours for ours, theirs in renamed.items()}
    for ours in renamed:
        if ours in frame.columns and ours not in new_name:
            new_name[ours] = f"{ours}_original"
    frame = frame.rename(columns=new_name)
    for name in frame.columns[frame.columns.duplicated()]:
        problems.append(f"column {name!r}: the table has this column already, and `columns` makes another. Drop one.")
    return frame.loc[:, ~frame.columns.duplicated()], renamed


def _problem_of_mapping(ours, theirs, columns, present) -> str | None:
    there = f"The columns are {shown(present)}."
    if not isinstance(ours, str) or not ours.isidentifier():
        return f"columns={{{ours!r}: {theirs!r}}}: {ours!r} cannot be a name. Our names are {shown(STANDARD)}."
    meant = next((name for name in STANDARD if ours.lower() == name.lower() or _is_spelling(ours, name)), None)
    if ours not in STANDARD and meant:
        return f"columns={{{ours!r}: {theirs!r}}}: {ours!r} is called {meant!r} here. Write {{{meant!r}: {theirs!r}}}."
    if theirs not in present:
        swapped = theirs in STANDARD and ours in present
        turned = f" Write our name first: columns={{{theirs!r}: {ours!r}}}." if swapped else ""
        return f"columns={{{ours!r}: {theirs!r}}}: the table has no column {theirs!r}. {there}{turned}"
    if list(columns.values()).count(theirs) > 1:
        return f"columns={{{ours!r}: {theirs!r}}}: the column {theirs!r} is named twice. {there}"
    return None


def _recognised(present, named, taken):
    for ours in STANDARD:
        if ours in present or ours in named:
            continue
        candidates = [theirs for theirs in present if _is_spelling(theirs, ours) and theirs not in taken]
        if len(candidates) == 1:
            yield ours, candidates[0]


def _is_spelling(theirs, ours) -> bool:
    if not isinstance(theirs, str):
        return False
    plain = theirs.strip().lower().replace(" ", "_").replace("-", "_")
    return plain in SPELLINGS[ours]


def derive(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Add the columns that follow from others: C = 6 N D, D = B S or C / (6 N), N = C / (6 D), S = D / B, B = D / S.

    Only columns that are absent; float64 throughout.

    Returns
    -------
    frame : DataFrame
    derived : dict
        Column -> the formula it came from.
    """
    frame, derived = frame.copy(deep=False), {}
    progress = True
    while progress:  # one column may make the next one possible: B, S -> D, and with N -> C
        progress = False
        for rule in RULES:
            if rule.gives not in frame.columns and all(name in frame.columns for name in rule.needs):
                with np.errstate(all="ignore"):  # what is not finite is a problem that `read_runs` tells in words
                    frame[rule.gives] = rule.compute(*(frame[name].to_numpy() for name in rule.needs))
                derived[rule.gives] = rule.formula
                progress = True
    return frame, derived


def how_to_name(name: str) -> str:
    """Say how a column that is not there can be had."""
    theirs = {"N": "params", "D": "tokens", "C": "flops", "loss": "val_loss"}.get(name, "your_column")
    ways = [" and ".join(rule.needs) for rule in RULES if rule.gives == name]
    derived = f", or give {', or '.join(ways)}, from which it is derived" if ways else ""
    return f'name yours with columns={{"{name}": "{theirs}"}}{derived}'


def shown(names) -> str:
    """List names in a message, the first twenty of them."""
    names = [str(name) for name in names]
    more = f", ... ({len(names) - 20} more)" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more if names else "(none)"
