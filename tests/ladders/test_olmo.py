"""The verdicts on real tasks: OLMo's ladder (Bhagia et al. 2024)."""

import warnings

import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import SamplingWarning


@pytest.fixture(scope="module")
def olmo(real_data, short_ladder):
    """Return the ladder of a task with a clear curve and of one that is mostly noise."""
    frame = pd.read_csv(real_data("ladder/olmo_ladder_final.csv")).rename(
        columns={"bpb_mean5": "loss", "acc_mean5": "accuracy"}
    )
    frame = frame[(frame["role"] == "ladder16") & frame["task"].isin(["hellaswag", "boolq"])]
    chance = frame["task"].map({"hellaswag": 1 / 4, "boolq": 1 / 2})
    return short_ladder(frame[["task", "N", "D", "loss", "accuracy"]].assign(chance=chance))


def test_boolq_is_noise_and_hellaswag_is_not(olmo):
    found = bs.verdicts(olmo, N="7B", D="4T").table.set_index("task")
    assert found.loc["boolq", "verdict"] == "not forecastable"
    assert "noise of a run" in found.loc["boolq", "why"]
    assert found.loc["hellaswag", "verdict"] != "not forecastable"
    assert found.loc["hellaswag", "signal"] > 5 * found.loc["boolq", "signal"]


def test_a_shorter_ladder_knows_less(olmo, quick):
    """The width of the interval at the target grows when the 1.3B runs are dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        found = bs.drop_rungs(olmo.runs, dict(N=[6.89e9], D=[3.945e12]), least=3, **quick)
    width = found.table.set_index(["task", "largest"])["width"].loc["hellaswag"]
    assert width.iloc[1] > width.iloc[0]
