"""Figures of calibration, of prior sensitivity and of predictive checks: their numbers, and what they say in colour."""

import matplotlib.colors as colors
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError
from bayesscale.evaluate import Calibration
from bayesscale.plots.style import BLUE, ORANGE


@pytest.fixture(scope="module")
def calibrated():
    """One quantity as it should be, one with intervals too narrow."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal(60)
    pits = {"alpha": rng.permutation(np.arange(0.5, 60) / 60), "beta": stats.norm.cdf(z / 0.4)}
    held = dict(in50=True, in80=True, in95=True)
    tables = [pd.DataFrame(dict(simulation=range(60), quantity=k, pit=v, **held)) for k, v in pits.items()]
    return Calibration(pd.concat(tables), "of a test", 99, {})


def colour(line):
    return colors.to_hex(line.get_color()).upper()


def test_ranks(calibrated):
    table = plots.ranks_data(calibrated)
    one = table[table["quantity"] == "beta"]
    pit = calibrated.table.loc[calibrated.table["quantity"] == "beta", "pit"].to_numpy()
    by_hand = [np.mean(pit <= share) - share for share in one["share"].iloc[1:-1]]
    np.testing.assert_allclose(one["difference"].iloc[1:-1], by_hand, atol=1e-12)
    assert (one["low"] <= 0).all()
    assert (one["high"] >= 0).all()
    axes = plots.ranks(calibrated)
    assert [ax.get_title(loc="left") for ax in axes] == ["alpha\nas it should be", "beta\nintervals too narrow"]
    assert [colour(ax.lines[-1]) for ax in axes] == [BLUE, ORANGE]
    assert len(plots.ranks(calibrated, quantities="beta")) == 1
    with pytest.raises(LawError, match="gamma was not calibrated"):
        plots.ranks(calibrated, quantities=["gamma"])


def test_the_band_holds_what_is_calibrated():
    """All curves of three panels together stay inside in about 95 of 100 calibrations."""
    rng = np.random.default_rng(1)
    blank = dict(in50=True, in80=True, in95=True)
    inside = []
    for _ in range(15):
        tables = [
            pd.DataFrame(dict(simulation=range(20), quantity=k, pit=rng.uniform(size=20), **blank)) for k in "abc"
        ]
        table = plots.ranks_data(Calibration(pd.concat(tables), "", 99, {}))
        inside.append(((table["low"] <= table["difference"]) & (table["difference"] <= table["high"])).all())
    assert np.sum(inside) >= 12


def test_sensitivity(fitted):
    found = bs.sensitivity(fitted, dict(N="70B", D="1.4T"))
    table = plots.sensitivity_data(found)
    assert table["quantity"].unique().tolist() == ["loss at N = 70B, D = 1.4T"]
    assert table["prior"].tolist() == ["weaker", "as fitted", "stronger"]
    low, high = fitted.predict(N="70B", D="1.4T").interval(0.95)
    fitted = table[table["power"] == 1.0].iloc[0]
    assert (fitted["low"], fitted["high"]) == pytest.approx((low[0], high[0]), rel=2e-3)
    axes = plots.sensitivity(found, quantities=["nu", "level"])
    assert "the prior decides" in axes[0].get_title(loc="left")
    assert "the prior hardly matters" in axes[1].get_title(loc="left")
    with pytest.raises(LawError, match="nothing is known of gamma"):
        plots.sensitivity(found, quantities="gamma")


def test_predictive_check(pair):
    checked = bs.predictive_check(pair["chinchilla"])
    table = plots.predictive_check_data(checked)
    share = table.groupby("statistic", sort=False)["share"].sum()
    assert list(share.index) == list(checked.table.index)
    assert (share > 0.98).all()
    axes = plots.predictive_check(checked)
    observed = [ax.lines[-1].get_xdata()[0] for ax in axes]
    np.testing.assert_allclose(observed, checked.table["observed"])
    assert axes[0].get_xlabel() == "%"
    with pytest.raises(LawError, match="1 panels need 1 axes"):
        plots.predictive_check(checked, statistics="largest residual", axes=axes[:2])
    with pytest.raises(LawError, match="was not checked"):
        plots.predictive_check(checked, statistics="kurtosis")
