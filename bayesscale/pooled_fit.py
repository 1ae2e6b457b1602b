"""What a pooled fit gives: a posterior for each group, drawn jointly, and what the groups have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError
from bayesscale.intervals import intervals
from bayesscale.pooling import Pooling
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs

__all__ = ["PooledFit", "groups_of"]


@dataclass(frozen=True, eq=False, repr=False)
class PooledFit(Mapping):
    """A law fitted to several groups at once. Made by `bayesscale.fit_pooled`.

    A mapping from the group's name to its `Posterior`: with it everything can be done that can be done with a fit of
    that group alone. Draw i of every group belongs to one joint draw.

    Parameters
    ----------
    pooling : Pooling
        What is pooled, over which column.
    posteriors : mapping of str to Posterior
    common : mapping of str to ndarray, shape (chain, draw)
        For each pooled parameter ``<name>_typical``, its value for a typical group; ``<name>_mean``, the same on the
        scale where its prior is normal (a logarithm or a logit); ``<name>_spread``, the standard deviation of the
        groups around it there.
    """

    pooling: Pooling
    posteriors: Mapping[str, Posterior]
    common: Mapping[str, np.ndarray]

    def __getitem__(self, group) -> Posterior:
        return self.posteriors[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self.posteriors)

    def __len__(self) -> int:
        return len(self.posteriors)

    @property
    def table(self) -> pd.DataFrame:
        """One row per pooled parameter: its typical value and the spread between groups, with 95 % intervals."""
        rows = {}
        for name in self.pooling.names:
            row = {}
            for what in ("typical", "spread"):
                found = intervals(self.common[f"{name}_{what}"].reshape(-1, 1), 0.95)
                row |= {what if k == "median" else f"{what}_{k}": v[0] for k, v in found.items()}
            rows[name] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def _headline(self):
        first = next(iter(self.values()))
        return f"law {first.law.name} fitted to {len(self)} groups of {self.pooling.over}: {', '.join(map(str, self))}"

    def __repr__(self):
        shown = self.table.to_string(float_format=lambda x: f"{x:.3g}") if self.pooling.names else "nothing pooled"
        return f"{self._headline()}\n{shown}"

    def _repr_html_(self):
        return f"<p><b>{self._headline()}</b></p>{self.table.to_html(float_format=lambda x: f'{x:.3g}', border=0)}"


def groups_of(runs: Runs, over: str) -> dict[str, Runs]:
    """Split a table by a column that names groups.

    Raises
    ------
    RunsError
        There is no such column, a row has no name in it, or there is one group only.
    """
    if over not in runs.columns:
        raise RunsError(f"no column {over!r} to pool over; the runs have {', '.join(runs.columns)}")
    column = runs.table[over]
    if column.isna().any():
        raise RunsError(
            f"column {over!r}: row {column.index[column.isna()][0]} names no group. Fill it in, or drop it."
        )
    names = column.astype(str)
    if names.nunique() < 2:
        raise RunsError(f"column {over!r} names one group only, {names.iloc[0]}: fit it with bs.fit")
    return {name: runs.select((names == name).to_numpy()) for name in pd.unique(names)}
