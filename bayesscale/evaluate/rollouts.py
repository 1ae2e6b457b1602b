"""What rollouts say of laws: one log score per held-out row, and differences that count each factor of two once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.evaluate.backtest import Backtest, bands

__all__ = ["difference_error", "log_scores"]


def log_scores(tested: Backtest) -> pd.DataFrame:
    """Return the log predictive density of each row that was held out, averaged over the cutoffs where it was.

    Returns
    -------
    DataFrame
        One row per row of the table, one column per law; index ``band`` (factors of two in size) and ``row``.
    """
    # A user's table may call two rows by one name.
    same_name = tested.table.groupby(["law", "cutoff", "row"]).cumcount()
    table = tested.table.assign(band=bands(tested.sizes), same_name=same_name)
    key = ["band", "row", "same_name"]
    found = table.pivot_table(index=key, columns="law", values="log_score", aggfunc="mean", sort=False)
    return found[list(tested.laws)].droplevel("same_name")


def difference_error(differences: pd.DataFrame) -> pd.Series:
    """Return the standard error of sums over rows of paired differences: sqrt(J var(d_j)) over bands."""
    of_bands = differences.groupby(level="band").sum()
    return np.sqrt(len(of_bands) * of_bands.var(ddof=1))
