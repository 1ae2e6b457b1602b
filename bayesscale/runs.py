"""The table that goes in: one row per trained model (or per checkpoint of one), checked and in one set of units."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from bayesscale.errors import NumberError, RunsError, RunsWarning
from bayesscale.table_checks import Problems, check_identities, check_repeats, check_run_ids, doubts, read_numbers
from bayesscale.table_columns import COVARIATES, MAY_HAVE_GAPS, NUMBERS, STANDARD, derive, how_to_name, rename, shown
from bayesscale.table_sources import open_table
from bayesscale.units import format_number, scale_factor

__all__ = ["Runs", "read_runs"]

COUNTS_OF_N = ("total", "non-embedding", "unknown")
LOSS_UNIT = "nats/token"


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """A checked table of runs, as `read_runs` makes it. It cannot be changed.

    Covariates are N (parameters), D (training tokens), C (training FLOP), B (tokens per batch), S (optimizer steps) and
    lr (peak learning rate), in float64, as many of them as are given or follow from others. `run` joins the rows of one
    run; `loss_error` is a known standard error of the loss, `weight` the number of equal measurements a row stands for.
    Every other column is the user's.
    """

    _table: pd.DataFrame
    _about: dict

    @property
    def table(self) -> pd.DataFrame:
        """The runs as a DataFrame: a copy (on write), to do with as you please."""
        return self._table.copy(deep=False)

    @property
    def about(self) -> dict:
        """What goes with the table wherever it goes (a copy).

        `count_N` ("total", "non-embedding", "unknown"), `loss_unit`, `eval`, `tokenizer`, `columns` (our name -> your
        column), `units` (those that were converted), `derived` (column -> formula), and what else `read_runs` was told.
        """
        return deepcopy(self._about)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._table.columns)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same content, in any process and order of columns."""
        digest = hashlib.sha256()
        for name in sorted(self._table.columns, key=str):
            content = _canonical_bytes(self._table[name])
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:16]

    def column(self, name: str) -> np.ndarray:
        """Return a column as float64 (read-only).

        Raises
        ------
        RunsError
            If there is no such column, or a cell of it is missing or not a number.
        """
        if name not in self._table.columns:
            raise RunsError(f"no column {name!r} in the runs, which have {shown(self.columns)}: {how_to_name(name)}.")
        problems = Problems(self._table.index)
        numbers = read_numbers(self._table[name], problems)
        if problems.said:
            raise RunsError(problems.said)
        numbers.setflags(write=False)
        return numbers

    def select(self, rows) -> Runs:
        """Keep some of the runs, and all that is said about them.

        Parameters
        ----------
        rows : array of bool, array of int, or slice
            A mask of the length of the table, or positions in it.

        Raises
        ------
        RunsError
            If the mask is of another length, a position lies outside the table, or nothing is left.
        """
        if not isinstance(rows, slice):
            rows = np.asarray(rows, dtype=bool if pd.api.types.is_bool_dtype(rows) else None)
            if rows.dtype == bool and rows.shape != (len(self),):
                raise RunsError(f"select: a mask of shape {rows.shape} for {len(self)} rows. Give one value per row.")
            if rows.size and rows.dtype.kind not in "bi":
                raise RunsError(f"select: {rows.dtype} is neither a mask nor positions. Give booleans or integers.")
            if rows.dtype.kind == "i" and ((rows < -len(self)) | (rows >= len(self))).any():
                raise RunsError(f"select: positions {rows.min()} to {rows.max()}, but there are {len(self)} rows.")
        chosen = np.arange(len(self))[rows if isinstance(rows, slice) or rows.size else slice(0)]
        if chosen.size == 0:
            raise RunsError("select: no runs are left. Check the condition they are selected by.")
        return Runs(self._table.iloc[chosen.ravel()], self._about)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        lines = [f"{name:<10} {said}" for name, said in self._summary()]
        return "\n".join([self._title(), *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>" for name, said in self._summary())
        return f"<table><caption>{escape(self._title())}</caption>{rows}</table>"

    def _title(self) -> str:
        rows = f"{len(self)} row{'s' * (len(self) != 1)}"
        if "run" not in self._table.columns:
            return f"Runs: {rows}"
        runs = self._table["run"].nunique()
        return f"Runs: {rows} of {runs} run{'s' * (runs != 1)}"

    def _summary(self):
        """Yield what there is to know of each column and of the table, as pairs of texts."""
        about = self._about
        for name in (*COVARIATES, "loss"):
            if name in self._table.columns:
                low, high = (format_number(x) for x in (self._table[name].min(), self._table[name].max()))
                span = low if low == high else f"{low} to {high}"
                unit = f" {about['loss_unit']}" if name == "loss" else ""
                formula = f"   = {about['derived'][name]}" if name in about["derived"] else ""
                yield name, span + unit + formula
        others = [name for name in self._table.columns if name not in (*COVARIATES, "loss")]
        if others:
            yield "others", shown(others)
        for name, said in about.items():
            if name not in ("derived", "loss_unit") and said not in (None, {}):
                heading = {"columns": "renamed", "units": "converted"}.get(name, name)
                yield heading, ", ".join(f"{k}: {v}" for k, v in said.items()) if isinstance(said, dict) else str(said)


def read_runs(source, *, columns=None, units=None, about=None) -> Runs:
    """Read a table of runs, bring it to our names and units, and check it.

    Derived in float64 where a column is absent: C = 6 N D, D = B S or C / (6 N), N = C / (6 D), S = D / B, B = D / S.
    What is given is never overwritten. Cells such as "7B", "1.4T", "6e21" or "1,000,000" are numbers.

    Parameters
    ----------
    source : path, DataFrame, dict of columns, list of dicts, anything with ``to_pandas()``, or Runs
        A file is read by its ending: .csv, .tsv, .parquet.
    columns : dict, optional
        Our name -> your column: ``{"N": "params", "D": "tokens", "loss": "final_loss"}``. Besides the standard columns
        (`run`, `N`, `D`, `C`, `B`, `S`, `lr`, `loss`, `loss_error`, `weight`), any name that a law asks for. If your
        table has another column of our name, that one becomes ``<name>_original``. Common spellings (`params`,
        `tokens`, `flops`, `learning_rate`, `val_loss`, ...) need no mention where one column only can be meant.
    units : dict, optional
        Our name -> unit or factor, see `bayesscale.units.scale_factor`: ``{"N": "millions", "loss": "bits"}``. The unit
        of the loss is also that of `loss_error`.
    about : dict, optional
        Stays with the table and what is fitted to it. `count_N`: "total", "non-embedding" or "unknown"; `loss_unit`:
        "nats/token" by default; `eval`; `tokenizer`; anything else that JSON can hold.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        With all that is wrong, by column, row and value: missing, non-numeric, infinite and non-positive numbers,
        duplicated rows and column names, an empty table, C more than 100 times off 6 N D, unknown columns and units.

    Warns
    -----
    RunsWarning
        If the loss does not look like nats per token, N or D not like parameters or tokens, N or D has one value only,
        all runs have about the same tokens per parameter, or C is more than 20% off 6 N D.
    """
    known = {}
    if isinstance(source, Runs):
        if columns is None and units is None and about is None:
            return source
        source, known = source.table, source.about
    frame, lines = open_table(source)
    said: list[str] = []
    columns, units = _as_dict(columns, "columns", said), _as_dict(units, "units", said)
    about = {**known, **_as_dict(about, "about", said)}

    frame, renamed = rename(frame, columns, said)
    problems = Problems(frame.index, lines, theirs=renamed, said=said)
    # A critical batch is measured against the loss; runs may differ in their mixture alone.
    if not {*COVARIATES, "B_crit"} & set(frame.columns) and not any(str(c).startswith("r_") for c in frame.columns):
        said.append(f"no covariate (N, D, C, ...) among the columns {shown(frame.columns)}: {how_to_name('N')}.")
    frame = _in_our_units(frame, units, problems)
    frame, derived = derive(frame)
    for name in derived:
        too_large = np.isinf(frame[name].to_numpy()) & ~problems.suspect
        problems.add_rows(too_large, f"column {name!r} = {derived[name]}: not finite", "Check what it is derived from")

    check_run_ids(frame, problems)
    check_repeats(frame, problems)
    second_looks = check_identities(frame, problems)
    converted = {name: str(unit) for name, unit in units.items()}
    about = _complete(about, {"columns": renamed, "units": converted, "derived": derived}, said)
    if said:
        raise RunsError(said)
    for second_look in (*second_looks, *doubts(frame, problems)):
        warnings.warn(second_look, RunsWarning, stacklevel=2)
    order = [name for name in STANDARD if name in frame.columns]
    return Runs(frame[order + [name for name in frame.columns if name not in order]], about)


def _as_dict(given, name, said) -> dict:
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    example = {"columns": '{"N": "params"}', "units": '{"N": "millions"}', "about": '{"count_N": "total"}'}[name]
    said.append(f"{name}={given!r} is not a dict. Write {name}={example}.")
    return {}


def _in_our_units(frame, units, problems) -> pd.DataFrame:
    """Read the columns that must be numbers, each times the factor of its unit."""
    factors = {}
    for name, unit in units.items():
        if name not in frame.columns:
            problems.said.append(
                f"units={{{name!r}: {unit!r}}}: no such column. The columns are {shown(frame.columns)}."
            )
            continue
        try:
            factors[name] = scale_factor(unit, name=f"units[{name!r}]")
        except NumberError as error:
            problems.said.append(f"{error}.")
    factors.setdefault("loss_error", factors.get("loss", 1.0))

    frame = frame.copy(deep=False)
    for name in frame.columns:
        if name in units:
            suffixed = np.array([isinstance(cell, str) and cell.strip()[-1:].isalpha() for cell in frame[name]])
            what = f"{problems.column(name)}: a suffix as well as units={{{name!r}: {units[name]!r}}}"
            problems.add_rows(suffixed, what, "Leave one of them out", cells=frame[name].array)
        if name in NUMBERS or name in units:
            positive = name in NUMBERS and name != "loss_error"
            signs = dict(above_zero=positive, zero_too=name == "loss_error")
            numbers = read_numbers(frame[name], problems, **signs, gaps=name in MAY_HAVE_GAPS)
            frame[name] = numbers * factors.get(name, 1.0)
    return frame


def _complete(about, found, said) -> dict:
    """Join what the user says about the table with what was `found` while reading it, as JSON would give it back."""
    about = {"count_N": "unknown", "loss_unit": LOSS_UNIT, "eval": None, "tokenizer": None, **about}
    for name, new in found.items():
        before = about.get(name, {})  # where the table comes from other Runs
        if not isinstance(before, Mapping):
            said.append(f"about: {name!r} is filled in by read_runs. Call yours by another name.")
            before = {}
        about[name] = {**before, **new}
    if about["count_N"] not in COUNTS_OF_N:
        said.append(f"about: count_N is {about['count_N']!r}. It is one of {shown(COUNTS_OF_N)}.")
    try:
        return json.loads(json.dumps(about, allow_nan=False))
    except (TypeError, ValueError) as error:
        said.append(f"about: it must be texts, numbers, lists and dicts, so that it can be saved with a fit ({error}).")
        return about


def _canonical_bytes(cells: pd.Series) -> bytes:
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_complex_dtype(cells):
        numbers = cells.to_numpy(dtype="<f8", na_value=np.nan, copy=True)
        numbers[np.isnan(numbers)] = np.nan  # one bit pattern for every NaN
        return (numbers + 0.0).tobytes()  # -0.0 becomes 0.0
    return "\0".join("\0" if missing else str(cell) for cell, missing in zip(cells, cells.isna(), strict=True)).encode()
