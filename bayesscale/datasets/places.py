"""Where a published table is found: in a folder of the user's, else in the download."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayesscale.datasets.download import PinnedFile, fetch, sha256_of
from bayesscale.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_table"]


def find_table(
    file: PinnedFile, convert: Callable[[pd.DataFrame], pd.DataFrame], columns: Sequence[str], *, folder=None
) -> pd.DataFrame:
    """Return the tidy table: from ``<dataset>/runs.csv`` of a folder, or converted from the published file.

    Parameters
    ----------
    file : PinnedFile
        What its authors publish. The folder may hold a copy of it, at the same `PinnedFile.place` as the cache does.
    convert : callable
        From the published columns to the tidy ones.
    columns : sequence of str
        The tidy columns.
    folder : path, optional
        ``$BAYESSCALE_DATA`` if not given; with neither, and for what is not there, the file is downloaded.

    Raises
    ------
    DatasetError
        The folder does not exist, its file is not the one that is meant, or the download fails.
    RunsError
        ``runs.csv`` cannot be read.
    """
    from bayesscale.table_sources import open_table

    if (chosen := _chosen_folder(folder)) is not None:
        tidy, published = chosen / file.dataset / "runs.csv", chosen / file.place
        if tidy.is_file():
            table = open_table(tidy)[0]
            if missing := [name for name in columns if name not in table.columns]:
                raise DatasetError(f"{tidy} has no column {', '.join(missing)}; it must have {', '.join(columns)}.")
            return table
        if published.is_file():
            if (found := sha256_of(published)) != file.sha256:
                raise DatasetError(
                    f"{published} is not the file that was published: its SHA-256 is {found}, not {file.sha256}. "
                    f"Get it again from {file.url()}."
                )
            return convert(open_table(published)[0])
    return convert(open_table(fetch(file))[0])


def _chosen_folder(folder) -> Path | None:
    who, chosen = ("folder", folder) if folder is not None else ("BAYESSCALE_DATA", os.environ.get("BAYESSCALE_DATA"))
    if not chosen:
        return None
    path = Path(chosen).expanduser()
    if not path.is_dir():
        raise DatasetError(f"{who}={str(chosen)!r}: there is no such folder. Correct it, or leave it out to download.")
    return path
