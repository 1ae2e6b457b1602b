"""What is checked of a table of runs, and how it is said: which column, which row, which value, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd

from bayesscale.units import format_number, read_number

__all__ = ["Problems", "check_identities", "check_repeats", "check_run_ids", "doubts", "read_numbers"]

EXAMPLES = 5
ROUGHLY = 1.2  # other ways of counting FLOP (attention, embeddings) stay within; beyond, say so
UNIT_SLIP = 100.0  # nothing but a wrong unit is off by that much
# The largest model and the largest run of a table have more (the smallest model of Kaplan et al. 2020 has 768), and the
# tokens per parameter of its median run lie between these. Below the third number billions are the likelier unit.
LEAST = {"N": (1e5, "parameters", 20), "D": (1e6, "tokens", 1e4)}
TOKENS_PER_PARAMETER = (1e-3, 1e6)
SAME_CHECKPOINT = 1.002  # of two, by their tokens
ONE_RAY = 0.15  # standard deviation of log(D / N): 15%

# Columns that say one thing twice when all are given.
IDENTITIES = (
    ("C", ("N", "D"), "6 * N * D", lambda N, D: 6.0 * N * D),
    ("D", ("B", "S"), "B * S", lambda B, S: B * S),
)


@dataclass
class Problems:
    """What is wrong with a table, gathered so that all of it can be said at once.

    Attributes
    ----------
    index : Index
        The labels of the rows.
    lines : array of int or None
        The line of each row in the file it came from.
    theirs : dict
        Our name -> their name of a column, so that messages name the column the user knows.
    said : list of str
    suspect : array of bool
        Rows that were named in a problem.
    """

    index: pd.Index
    lines: np.ndarray | None = None
    theirs: dict = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    suspect: np.ndarray = field(init=False)

    def __post_init__(self):
        self.suspect = np.zeros(len(self.index), dtype=bool)

    def column(self, name) -> str:
        """Name a column, by their name too where it is another."""
        return f"column {name!r}" + (f" (yours: {self.theirs[name]!r})" if name in self.theirs else "")

    def row(self, position: int) -> str:
        """Name a row: its label, and its line in the file."""
        line = f" (line {self.lines[position]})" if self.lines is not None else ""
        return f"row {self.index[position]}{line}"

    def add_rows(self, bad, what: str, remedy: str, *, cells=None) -> None:
        """Say what is wrong with the rows where `bad`, a few of them by name; with no such row, say nothing."""
        positions = np.flatnonzero(bad)
        if len(positions) == 0:
            return
        self.suspect[positions] = True
        examples = [self.row(at) + ("" if cells is None else f": {_cell(cells[at])}") for at in positions[:EXAMPLES]]
        left = len(positions) - len(examples)
        more = f"; and {left} more row{'s' * (left > 1)}" if left else ""
        self.said.append(f"{what} in {'; '.join(examples)}{more}. {remedy}.")


def _cell(value) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def read_numbers(cells: pd.Series, problems: Problems, *, above_zero=False, zero_too=False, gaps=False) -> np.ndarray:
    """Read a column as float64, telling `problems` of every cell that is missing, no number, infinite or not positive.

    Parameters
    ----------
    cells : Series
        Numbers, or texts such as "7B".
    problems : Problems
    above_zero : bool
        Whether a number must be positive.
    zero_too : bool
        Whether a number must be positive or zero.
    gaps : bool
        Whether a cell may be empty: such columns are refused when a law asks for them, not before.

    Returns
    -------
    ndarray of float64
        NaN where there was a problem or a gap.
    """
    where = problems.column(cells.name)
    values = cells.array
    missing = cells.isna().to_numpy()
    if not gaps:
        problems.add_rows(
            missing, f"{where}: no value", "Fill it in, or drop the row (or the column, if no law needs it)"
        )

    numbers, why = _numbers_or_why(cells)
    for reason in dict.fromkeys(why[why != ""]):
        no_number = (why == reason) & ~missing
        problems.add_rows(no_number, f"{where}: not a number", _sentence(reason), cells=values)
    numbers[missing] = np.nan

    infinite = np.isinf(numbers)
    problems.add_rows(infinite, f"{where}: not finite", "Correct it, or drop the row", cells=values)
    numbers[infinite] = np.nan

    if above_zero or zero_too:
        low = numbers < 0 if zero_too else numbers <= 0
        what = "negative" if zero_too else "not positive"
        problems.add_rows(low, f"{where}: {what}", "Correct it, or drop the row", cells=values)
        numbers[low] = np.nan
    return numbers


def _numbers_or_why(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    kind = pd.api.types
    if kind.is_numeric_dtype(cells) and not kind.is_bool_dtype(cells) and not kind.is_complex_dtype(cells):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan, copy=True), np.full(len(cells), "", dtype=object)
    read = [read_number(cell) for cell in cells]
    return np.array([number for number, _ in read], dtype=np.float64), np.array([why for _, why in read], dtype=object)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def check_run_ids(frame: pd.DataFrame, problems: Problems) -> None:
    """Rows of one run share an id, so every row needs one."""
    if "run" in frame.columns:
        missing = frame["run"].isna().to_numpy()
        problems.add_rows(missing, f"{problems.column('run')}: no run id", "Fill it in, or drop the column")


def check_repeats(frame: pd.DataFrame, problems: Problems) -> None:
    """Rows that are equal in every column count one measurement twice and make intervals too narrow."""
    comparable = frame.copy(deep=False)
    for name in frame.columns:
        if pd.api.types.is_object_dtype(frame[name]):  # lists and dicts cannot be compared as they are
            comparable[name] = frame[name].map(repr)
    repeats = comparable.duplicated().to_numpy() & ~problems.suspect
    problems.add_rows(
        repeats,
        "duplicated rows (equal to an earlier row in every column)",
        "Drop them; if they are measurements of their own, tell them apart by a `run` or `seed` column, "
        "or keep one of each with its number in a `weight` column",
    )


def check_identities(frame: pd.DataFrame, problems: Problems) -> list[str]:
    """Compare columns that say one thing twice: C with 6 N D, D with B S.

    A row that is off by a factor above 100 is a problem. Returns the doubts: who is off by more than 20%.
    """
    said = []
    for name, needs, formula, compute in IDENTITIES:
        if not {name, *needs} <= set(frame.columns):
            continue
        with np.errstate(all="ignore"):  # rows with a problem hold NaN
            ratio = frame[name].to_numpy() / compute(*(frame[other].to_numpy() for other in needs))
            off = np.maximum(ratio, 1.0 / ratio)
        remedy = f'Check the units of {name}, {" and ".join(needs)}; units={{"N": "millions"}} converts'
        what = f"{problems.column(name)}: {name} / ({formula}) is off by a factor above {UNIT_SLIP:g} (a wrong unit?)"
        problems.add_rows(off > UNIT_SLIP, what, remedy, cells=[float(f"{r:.3g}") for r in ratio])
        if (off > ROUGHLY).any():
            said.append(
                f"{problems.column(name)} is {np.nanmin(ratio):.3g} to {np.nanmax(ratio):.3g} times {formula} "
                f"(off by more than 20% in {(off > ROUGHLY).sum()} of {len(ratio)} rows). It is kept as given, "
                f"which is fine if it was counted in another way; otherwise drop the column, and {formula} is used."
            )
    return said


def doubts(frame: pd.DataFrame, problems: Problems) -> list[str]:
    """Say what can be used but deserves a second look: units, and what cannot be told apart in this table."""
    kinds = _doubts_of_loss, _doubts_of_repeats, _doubts_of_units
    return [*chain.from_iterable(doubt(frame, problems) for doubt in kinds), *_doubts_of_design(frame)]


def _doubts_of_loss(frame, problems):
    if "loss" not in frame.columns:
        return
    loss = frame["loss"].to_numpy()
    odd = np.flatnonzero((loss <= 0.05) | (loss > 20))
    if len(odd):
        yield (
            f"{problems.column('loss')}: {len(odd)} of {len(loss)} values are at most 0.05 or above 20, the first in "
            f"{problems.row(odd[0])}: {format_number(loss[odd[0]])}. Is it nats per token? A perplexity needs its "
            'logarithm; bits per token are converted with units={"loss": "bits"}.'
        )


def _doubts_of_repeats(frame, problems):
    if not {"run", "D", "loss"} <= set(frame.columns):
        return
    of_run = [name for name in ("run", "domain", "task") if name in frame.columns]
    rows = frame.reset_index(drop=True).sort_values("D")
    before = rows.groupby([*of_run, "loss"], observed=True)["D"].shift()
    again = rows.index[(rows["D"] > before) & (rows["D"] < SAME_CHECKPOINT * before)]
    if len(again):
        yield (
            f"{len(again)} rows have exactly the loss that their run has with almost as many tokens, the first in "
            f"{problems.row(again[0])}: D = {rows['D'][again[0]]:.6g} after {before[again[0]]:.6g}. Is it one "
            "checkpoint, written twice? Keep one: two equal measurements make the noise look too small."
        )


def _doubts_of_units(frame, problems):
    there = [name for name in LEAST if name in frame.columns]
    small = [name for name in there if frame[name].max() < LEAST[name][0]]
    for name in small:
        _, what, turn = LEAST[name]
        largest = frame[name].max()
        unit = "billions" if largest < turn else "millions"
        yield (
            f"{problems.column(name)}: {name} up to {largest:.6g}: are these {what}? Write "
            f'units={{"{name}": "{unit}"}} if they are {unit} of them, or give the units of the columns that {name} '
            "follows from."
        )
    if len(there) == 2 and not small:
        ratio = np.median(frame["D"] / frame["N"])
        low, high = TOKENS_PER_PARAMETER
        if not low <= ratio <= high:
            yield (
                f"the median run has {format_number(ratio)} tokens per parameter (D / N; 20 is usual). Check the units "
                'of N and D, or of the columns that they follow from; units={"N": "millions"} converts.'
            )


def _doubts_of_design(frame):
    logs = {name: np.log(frame[name].to_numpy()) for name in ("N", "D") if name in frame.columns}
    single = [name for name, log in logs.items() if np.ptp(log) < 1e-6]
    if single:
        values = " and ".join(f"one {name} ({format_number(frame[name].iloc[0])})" for name in single)
        yield (
            f"all runs have {values}: how the loss changes with {' or '.join(single)} cannot be seen in this table, "
            f"the prior decides it. Add runs with another {' and another '.join(single)}, or use a law without it."
        )
    elif len(logs) == 2:
        per_parameter = logs["D"] - logs["N"]
        spread = np.std(per_parameter)
        if spread < ONE_RAY and np.std(logs["N"]) > 3 * spread:
            ratio = format_number(np.exp(np.median(per_parameter)))
            yield (
                f"all runs have about the same tokens per parameter (D / N = {ratio}): the effects of N and D, alpha "
                "and beta, cannot be told apart in this table, the prior decides. Add runs with more or fewer tokens "
                "per parameter, or use a law with one exponent, chinchilla_tied."
            )
