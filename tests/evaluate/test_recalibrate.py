"""Widening by a backtest: by the errors that it shows, shrunk, and said wherever the forecast is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError

BIG = dict(N=["500M", "70B"], D=["10B", "1.4T"])


def with_errors(tested, spread, bands, each=20, seed=0):
    """Return a backtest whose errors are normal and `spread` times what the intervals say, over so many bands."""
    rng = np.random.default_rng(seed)
    n = bands * each
    factor = np.repeat(2.0 ** np.arange(1, bands + 1), each)
    median, sd = np.full(n, 2.5), 0.02
    ends = dict(low95=median * np.exp(-1.96 * sd), high95=median * np.exp(1.96 * sd))
    truth = median * np.exp(spread * sd * rng.standard_normal(n))
    held = (ends["low95"] < truth) & (truth < ends["high95"])
    table = pd.DataFrame(
        dict(law="chinchilla", cutoff=1e20, factor=factor, truth=truth, median=median, in95=held, **ends)
    )
    return replace(tested, table=table)


@pytest.mark.parametrize("spread", [1.0, 2.0, 3.0])
def test_the_factor_is_what_the_errors_say_where_there_are_many_bands(pair, tested, spread):
    found = bs.recalibrate(pair["chinchilla"], with_errors(tested, spread, bands=100))
    assert found.factor == pytest.approx(spread, rel=0.06)


def test_few_bands_say_little(pair, tested):
    """s^2 = (2 + J m) / (2 + J) with m = 4."""
    factors = [bs.recalibrate(pair["chinchilla"], with_errors(tested, 2.0, J, each=500)).factor for J in (1, 2, 6)]
    expected = [np.sqrt((2 + J * 4) / (2 + J)) for J in (1, 2, 6)]
    np.testing.assert_allclose(factors, expected, rtol=0.05)


def test_one_wild_run_does_not_decide(pair, tested):
    backtest = with_errors(tested, 1.0, bands=4)
    backtest.table.loc[3, "truth"] *= 3.0
    assert bs.recalibrate(pair["chinchilla"], backtest).factor < 1.4


def test_intervals_are_never_narrowed(pair, tested):
    found = bs.recalibrate(pair["chinchilla"], with_errors(tested, 0.2, bands=10))
    assert found.factor == 1.0
    assert (found.table["spread"] < 0.4).all()
    assert "left as they are" in found.predict(**BIG).caveat


def test_forecasts_are_spread_about_their_median_beyond_the_data(pair, tested):
    post = pair["chinchilla"]
    found = bs.recalibrate(post, with_errors(tested, 3.0, bands=6))
    plain, wide = post.predict(**BIG, seed=4), found.predict(**BIG, seed=4)
    assert plain.reach[0] < 1 < plain.reach[1]
    np.testing.assert_array_equal(plain.draws[:, 0], wide.draws[:, 0])
    log_median = np.median(np.log(plain.draws[:, 1]))
    np.testing.assert_allclose(
        np.log(wide.draws[:, 1]) - log_median, found.factor * (np.log(plain.draws[:, 1]) - log_median)
    )
    assert "widened" not in plain.caveat
    for said in (wide.caveat, repr(wide), repr(found), found._repr_html_()):
        assert f"widened {found.factor:.2f}-fold" in said


def test_the_backtest_of_an_average_recalibrates_the_average(pair, tested):
    mixed = bs.average({name: pair[name] for name in ("power(C)", "chinchilla")}, "equal")
    found = bs.recalibrate(mixed, tested)
    notes = found.predict(**BIG).caveat
    assert "equal weights" in notes
    assert found.note in notes


def test_refusals(pair, tested, ladder, short):
    part = bs.fit("power(C)", ladder.select(slice(0, 14)), **short)
    with pytest.raises(RunsError, match="another table"):
        bs.recalibrate(part, tested)
    normal = bs.fit("power(C)", ladder, noise="normal", **short)
    with pytest.raises(LawError, match="with the same noise and discrepancy"):
        bs.recalibrate(normal, tested)
    with pytest.raises(LawError, match="weights of the same kind: loo"):  # the backtest's weights are equal
        bs.recalibrate(bs.average(pair, "loo"), tested)
