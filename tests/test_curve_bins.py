"""Binned training curves: even on the logarithm of training, run by run, and true to products of covariates."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import RunsError


def curves():
    """Return two curves of 300 and 500 points, logged at even steps."""
    parts = []
    for run, n in (("a", 300), ("b", 500)):
        D = 1e8 * np.arange(1, n + 1)
        N = 1e9 * (1 + len(parts))
        parts.append(pd.DataFrame(dict(run=run, arm=f"arm {run}", N=N, D=D, loss=2 + D**-0.1, extra=D)))
    return bs.read_runs(pd.concat(parts, ignore_index=True))


def test_rows_are_even_on_the_logarithm_and_means_of_their_bins():
    runs = curves()
    found = bs.bin_curves(runs, bins=8)
    for run, part in found.table.groupby("run"):
        own = runs.table.query("run == @run")
        edges = np.geomspace(own["C"].min(), own["C"].max(), 9)
        which = np.clip(np.searchsorted(edges * (1 + 1e-12), own["C"], side="right") - 1, 0, 7)
        expected = own.groupby(which).agg(
            C=("C", lambda x: np.exp(np.log(x).mean())), loss=("loss", "mean"), extra=("extra", "mean")
        )
        np.testing.assert_allclose(part[["C", "loss", "extra"]], expected, rtol=1e-9)
        assert (part["arm"] == f"arm {run}").all() and len(part) <= 8
    np.testing.assert_allclose(found.column("C"), 6 * found.column("N") * found.column("D"), rtol=1e-12)
    assert found.about == runs.about


def test_the_order_of_rows_does_not_matter_and_short_curves_stay():
    runs = curves()
    shuffled = bs.read_runs(runs.table.sample(frac=1, random_state=1))
    one, other = (bs.bin_curves(each, bins=10).table.sort_values(["run", "C"]) for each in (runs, shuffled))
    np.testing.assert_allclose(one[["C", "loss"]], other[["C", "loss"]])
    two = bs.bin_curves(runs.select([0, 1, 400]), bins=10)
    assert len(two) == 3


def test_refusals():
    runs = curves()
    with pytest.raises(RunsError, match="needs a column run"):
        bs.bin_curves(runs.table.drop(columns="run"))
    with pytest.raises(RunsError, match="no column 'S' to bin training curves along"):
        bs.bin_curves(runs, along="S")
    with pytest.raises(RunsError, match="whole number from 2"):
        bs.bin_curves(runs, bins=1)
