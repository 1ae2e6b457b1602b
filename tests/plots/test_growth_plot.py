"""The figure of growth: its numbers are the forecast's and the decision's, and it draws on the axes it is given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError
from bayesscale.models import growth_effective_compute

SHORT = dict(discrepancy=False, chains=1, draws=200, second_try=False)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")


@pytest.fixture(scope="module")
def operators():
    C, rng = np.geomspace(5e20, 1e22, 8), np.random.default_rng(5)
    rows = pd.DataFrame(dict(C=np.r_[C, C, 1e22], arm=np.r_[np.zeros(8), np.ones(8), 2]))
    rows = rows.assign(grown_direct=1.0 * (rows["arm"] == 1), grown_zero=1.0 * (rows["arm"] == 2)).drop(columns="arm")
    truth = dict(E=1.7, A=0.5 * 2e21**0.35, alpha=0.35, k1=0.0, kappa_direct=1.5, kappa_zero=1.3)
    loss = growth_effective_compute.evaluate(truth, **rows) * np.exp(0.001 * rng.standard_normal(17))
    return bs.fit("growth_effective_compute", rows.assign(loss=loss), **SHORT)


def test_numbers_are_those_of_the_forecast_and_the_decision(operators):
    data = plots.growth_data(operators, losses=[2.1, 2.0], level=0.9, n=5)
    late = data[(data["panel"] == "speedup") & (data["arm"] == "direct")].set_index("loss")
    expected = bs.speedup(operators, loss=2.1, operator="direct").table(level=0.9).loc["speedup_percent"]
    np.testing.assert_allclose(late.loc[2.1, ["median", "low90", "high90"]].astype(float), expected, rtol=1e-6)
    curve = data[(data["panel"] == "loss") & (data["arm"] == "direct")]
    forecast = operators.predict(C=curve["C"].to_numpy(), grown_direct=1.0, grown_zero=0.0, kind="mean")
    np.testing.assert_allclose(curve["median"], forecast.median)
    assert set(data["arm"]) == {"scratch", "direct", "zero"}
    zero = data[(data["panel"] == "speedup") & (data["arm"] == "zero")].set_index("loss")["beyond"]
    least = operators.runs.table.query("grown_zero == 1")["loss"].iloc[0]
    assert (
        zero == (zero.index < max(least, operators.runs.table.query("grown_direct + grown_zero == 0")["loss"].min()))
    ).all()


def test_it_draws_on_the_axes_given(operators):
    fig, axes = plt.subplots(1, 2)
    drawn = plots.growth(operators, axes=axes, n=6, published={2.05: 40.0})
    assert list(drawn) == list(axes) and plt.get_fignums() == [fig.number]
    fig.canvas.draw()
    assert axes[0].get_xscale() == "log" and axes[1].get_xlim()[0] > axes[1].get_xlim()[1]
    said = [text.get_text() for text in axes[1].get_legend().get_texts()]
    assert said == ["direct", "zero", "published"]


def test_it_needs_a_law_that_tells_grown_models(fitted):
    with pytest.raises(LawError, match=r"needs a law with \*grown"):
        plots.growth(fitted)
