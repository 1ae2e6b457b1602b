"""The Chinchilla runs as Epoch AI read them off the paper's figure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from bayesscale.datasets.download import PinnedFile
from bayesscale.datasets.places import find_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesscale.runs import Runs

__all__ = ["ABOUT", "FILE", "convert", "load"]

FILE = PinnedFile(
    dataset="epoch_chinchilla",
    repository="epoch-research/analyzing-chinchilla",
    commit="92258837425e1b5f2851d624287f0120583a3d0e",
    path="data/svg_extracted_data.csv",
    sha256="193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
)

THEIRS = MappingProxyType({"N": "Model Size", "C": "Training FLOP", "loss": "loss"})
COLUMNS = ("N", "D", "C", "loss", "used_by_epoch")
OUTLIERS = 5  # the largest losses, which the authors' notebook leaves out as outliers

ABOUT = MappingProxyType(
    {
        "count_N": "total",
        "loss_unit": "nats/token",
        "eval": "MassiveText",
        "dataset": "epoch-chinchilla",
        "source": (
            "Hoffmann et al. 2022, figure 4, digitised by Besiroglu et al. 2024, arXiv:2404.10102 "
            f"(github.com/{FILE.repository})"
        ),
        "licence": "none stated: cite it, do not redistribute it",
        "caution": "digitised: the loss was read off a colour map, so its noise is not that of training",
        "derived": {"D": "C / (6 * N)"},
    }
)


def convert(raw: pd.DataFrame) -> pd.DataFrame:
    """Bring the authors' table to our columns.

    Parameters
    ----------
    raw : DataFrame
        ``svg_extracted_data.csv``: one row per point of the figure, with its place and colour.

    Returns
    -------
    DataFrame
        N (parameters), D = C / (6 N) (tokens, as in the authors' notebook), C (FLOP), loss (nats per token), and
        `used_by_epoch`: 0 for the five largest losses, which their notebook leaves out, and 1 elsewhere.
    """
    table = raw[list(THEIRS.values())].set_axis(list(THEIRS), axis="columns")
    used = table["loss"].rank(ascending=False, method="first") > OUTLIERS
    table = table.assign(D=table["C"] / (6.0 * table["N"]), used_by_epoch=used.astype(int))
    return table[list(COLUMNS)]


def load(*, folder=None, all_rows: bool = False) -> Runs:
    """Return the 240 runs that Epoch AI fitted, or all 245 with the column `used_by_epoch`.

    Raises
    ------
    DatasetError
        The folder does not exist, its file is not the table, or the download fails.
    RunsError
        ``runs.csv`` of the folder cannot be read, or its values cannot be used.
    """
    from bayesscale.runs import read_runs

    table = find_table(FILE, convert, COLUMNS, folder=folder)
    if not all_rows:
        used = table["used_by_epoch"] == 1
        table = table[used].drop(columns="used_by_epoch").reset_index(drop=True)
    return read_runs(table, about=dict(ABOUT))
