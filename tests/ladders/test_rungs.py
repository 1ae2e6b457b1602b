"""Less compute for the ladder: what its forecasts are worth without the largest rungs."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import BayesscaleWarning, RunsError, SamplingWarning

ASKED = [(task, 2.6e9, D) for task in ("easy", "hard") for D in (5.2e10, 5.2e11)]


@pytest.fixture(scope="module")
def targets(truth):
    """Return two targets of each task, with what they would measure."""
    return pd.DataFrame([dict(task=task, N=N, D=D, accuracy=truth(task, N, D)) for task, N, D in ASKED])


@pytest.fixture(scope="module")
def dropped(simulated, targets, quick):
    """Return a ladder of four sizes, then three."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        return bs.drop_rungs(simulated(), targets, least=3, **quick)


def test_each_ladder_has_lost_its_largest_rung(dropped):
    np.testing.assert_allclose(list(dropped.ladders), [1.3e9, 6.848e8], rtol=1e-3)
    assert dropped.summary["runs"].tolist() == [16, 12]
    N = np.geomspace(1.9e8, 1.3e9, 4)
    np.testing.assert_allclose(dropped.summary["compute"], [1.0, (N[:3] ** 2).sum() / (N**2).sum()])
    assert "685M" in repr(dropped) and "2 ladders" in repr(dropped)


def test_targets_are_of_their_task(dropped, targets):
    assert len(dropped.table) == 2 * 4
    first = dropped.table.iloc[:4]
    assert first["task"].tolist() == ["easy", "easy", "hard", "hard"]
    made = dropped.ladders[first["largest"].iloc[0]]["hard"].predict(N=2.6e9, D=targets["D"].to_numpy()[:2])
    np.testing.assert_allclose(first["median"].iloc[2:], made.median)


def test_errors_are_in_points_of_the_truth(dropped):
    table = dropped.table
    np.testing.assert_allclose(table["error"], 100 * (table["median"] - table["truth"]))
    assert (table["in80"] == ((table["low80"] <= table["truth"]) & (table["truth"] <= table["high80"]))).all()
    assert table["in95"].mean() >= 0.5
    np.testing.assert_allclose(
        dropped.summary["error"], table.groupby("largest", sort=False)["error"].agg(lambda x: x.abs().mean())
    )


def test_without_the_truth_there_is_no_error(simulated, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesscaleWarning)  # so few rows
        runs = simulated(("easy",)).drop(columns="task")
        found = bs.drop_rungs(runs, dict(N=[7e9], D=[4e12]), by="D", least=6, **{**quick, "draws": 100})
    assert {"width", "median"} <= set(found.table) and not {"error", "truth", "in80"} & set(found.table)
    assert list(found.summary["runs"]) == sorted(found.summary["runs"], reverse=True)


def test_too_few_rungs(simulated, targets):
    with pytest.raises(RunsError, match=r"the runs have 4 rung\(s\) of N, 190M.*to drop one and keep 4"):
        bs.drop_rungs(simulated(), targets, least=4)
