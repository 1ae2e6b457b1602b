"""What tables of runs there are, and how one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from bayesscale.datasets import epoch_chinchilla, simulated
from bayesscale.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

    from bayesscale.runs import Runs

__all__ = ["listing", "load", "names"]


@dataclass(frozen=True)
class Entry:
    """A dataset: what `listing` says of it, and the function that makes its runs."""

    name: str
    rows: int
    fits: str
    source: str
    licence: str
    download: bool
    make: Callable[..., Runs]


ENTRIES = (
    Entry(
        name="simulated-ladder",
        rows=20,
        fits="L(N, D)",
        source="drawn from the Chinchilla constants of Besiroglu et al. 2024, arXiv:2404.10102; the truth is attached",
        licence="part of bayesscale (Apache-2.0)",
        download=False,
        make=lambda *, folder, all_rows: simulated.simulate_ladder(),
    ),
    Entry(
        name="epoch-chinchilla",
        rows=240,
        fits="L(N, D)",
        source=epoch_chinchilla.ABOUT["source"],
        licence=epoch_chinchilla.ABOUT["licence"],
        download=True,
        make=epoch_chinchilla.load,
    ),
)


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(entry.name for entry in ENTRIES)


def listing() -> pd.DataFrame:
    """Return what there is, one row per dataset.

    Returns
    -------
    DataFrame
        `name`, `rows` (of ``load(name)``), `fits` (what can be fitted to it), `source`, `licence`, and `download`
        (whether the first `load` needs a network).
    """
    import pandas as pd

    said = [field.name for field in fields(Entry) if field.name != "make"]
    return pd.DataFrame([{name: getattr(entry, name) for name in said} for entry in ENTRIES])


def load(name: str, *, folder=None, all_rows: bool = False) -> Runs:
    """Return the runs of a dataset.

    A published table is looked for in `folder`, as ``epoch_chinchilla/runs.csv`` (tidy columns) or
    ``epoch_chinchilla/svg_extracted_data.csv`` (as its authors publish it). What is not there is downloaded once, its
    checksum compared, and kept in the cache folder, ``datasets`` in ``$BAYESSCALE_CACHE_DIR`` or the user's cache. That
    folder has the same layout: copied to a machine without network, it is a `folder` there.

    Parameters
    ----------
    name : str
        One of `names`.
    folder : path, optional
        Folder to look in first; ``$BAYESSCALE_DATA`` if not given.
    all_rows : bool
        Keep the rows that the authors leave out of their own fit, with a column that marks them. Changes nothing where
        none are left out.

    Returns
    -------
    Runs
        ``runs.about`` says how N was counted, the unit of the loss, the source, its licence and what to beware of;
        ``runs.about["truth"]`` of a simulated table holds the constants that it was drawn from.

    Raises
    ------
    DatasetError
        The name is unknown, the folder does not exist, its file is not the table, or the download fails.
    RunsError
        ``runs.csv`` of the folder cannot be read, or its values cannot be used.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry.make(folder=folder, all_rows=all_rows)
    raise DatasetError(f"no dataset is named {name!r}; there are {', '.join(names())}")
