"""Median and equal-tailed intervals as columns."""

import numpy as np
import pytest

from bayesscale.errors import LawError
from bayesscale.intervals import intervals


def test_they_are_quantiles_under_their_names():
    draws = np.random.default_rng(0).standard_normal((1000, 3))
    found = intervals(draws, (0.5, 0.9))
    assert list(found) == ["median", "low50", "high50", "low90", "high90"]
    np.testing.assert_array_equal(found["median"], np.median(draws, axis=0))
    np.testing.assert_allclose(found["low90"], np.quantile(draws, 0.05, axis=0))
    np.testing.assert_allclose(found["high50"], np.quantile(draws, 0.75, axis=0))
    assert list(intervals(draws[:, 0], 0.975)) == ["median", "low97.5", "high97.5"]
    assert np.ndim(intervals(draws[:, 0])["low95"]) == 0


@pytest.mark.parametrize("level", [0.0, 1.0, 95, (0.5, -0.1)])
def test_a_level_is_a_probability(level):
    with pytest.raises(LawError, match=r"level is a probability such as 0\.95"):
        intervals(np.arange(10.0), level)
