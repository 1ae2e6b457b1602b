"""Whatever a table of runs comes in, as a DataFrame: a file, a DataFrame of another library, columns, records."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError

__all__ = ["open_table"]

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def open_table(source) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Give the table as a DataFrame, and the line of each row where it is a text file.

    Raises
    ------
    RunsError
        If there is no table, no row in it, or no way to read it.
    """
    if isinstance(source, (str, os.PathLike)):
        frame, lines = _open_file(Path(source).expanduser())
    else:
        frame, lines = _open_object(source), None
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise RunsError(f"the table is empty ({len(frame)} rows, {frame.shape[1]} columns). Give one row per run.")
    if frame.columns.nlevels > 1:
        raise RunsError("the table has several rows of column names. Flatten them to one.")
    frame.columns = [name.strip() if isinstance(name, str) else name for name in frame.columns]
    return frame, lines


def _open_object(source) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source.copy(deep=False)
    if hasattr(source, "to_pandas"):
        return source.to_pandas()
    if isinstance(source, Mapping) or (isinstance(source, list) and all(isinstance(row, Mapping) for row in source)):
        try:
            return pd.DataFrame(source)
        except ValueError as error:
            raise RunsError(f"the columns do not make a table: {error}. Give lists of one length.") from error
    raise RunsError(
        f"a table of runs cannot be read from {type(source).__name__}. Give a path (.csv, .tsv, .parquet), "
        "a DataFrame, a dict of columns, a list of dicts, or anything with to_pandas()."
    )


def _open_file(path: Path) -> tuple[pd.DataFrame, np.ndarray | None]:
    ending = path.suffix.lower()
    if ending not in (*SEPARATORS, ".parquet"):
        raise RunsError(
            f"{path}: files ending in {ending or 'nothing'} are not read. Give .csv, .tsv or .parquet, "
            "or read it with pandas and give the DataFrame."
        )
    if not path.is_file():
        raise RunsError(f"{path}: there is no such file. Check the path; it is looked for from {Path.cwd()}.")
    try:
        return (pd.read_parquet(path), None) if ending == ".parquet" else _open_text(path, SEPARATORS[ending])
    except ImportError as error:
        raise RunsError(f"{path}: Parquet needs pyarrow. Install it (pip install pyarrow) or give a CSV.") from error
    except pd.errors.ParserWarning as error:
        raise RunsError(
            f'{path}: the rows have more cells than there are column names. Quote cells that hold a comma: "1,000,000".'
        ) from error
    except (ValueError, OSError) as error:
        raise RunsError(f"{path}: the file cannot be read as {ending[1:]}: {str(error).strip()}") from error


def _open_text(path: Path, separator: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    layout = {"sep": separator, "skipinitialspace": True}
    with warnings.catch_warnings():
        # Without index_col=False pandas takes the first column for labels when rows are longer than the header.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(path, index_col=False, low_memory=False, **layout)
    # pandas renames the second "N" to "N.1" in silence; the names as they stand show that there are two.
    names = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **layout).iloc[0]
    if len(names) == frame.shape[1]:
        frame.columns = list(names)
    with path.open("rb") as file:
        filled = [number for number, line in enumerate(file, start=1) if line.strip()]
    # A quoted cell may span lines: then rows and lines do not match, and no line is better than a wrong one.
    lines = np.array(filled[1:]) if len(filled) == len(frame) + 1 else None
    return frame, lines
