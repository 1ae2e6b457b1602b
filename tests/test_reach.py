"""How far targets lie beyond the runs: in compute, and outside of what was seen of N and D."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.discrepancy import scales
from bayesscale.models import chinchilla_batch, error_exponential, power, pure_power
from bayesscale.reach import column_of_size, may_say_size, outside, times_the_largest


@pytest.fixture
def grid():
    N, D = np.meshgrid([1e8, 1e9, 1e10], [1e10, 1e11])
    return pd.DataFrame(dict(N=N.ravel(), D=D.ravel()))


@pytest.mark.parametrize(
    ("N", "D", "expected"),
    [
        (1e9, 3e10, False),
        (1e8, 1e10, False),  # a run itself
        (3e8, 1e10, False),  # on the edge
        (1e9, 1.01e11, True),
        (1.01e10, 3e10, True),
        (1e7, 1e9, True),
    ],
)
def test_outside_of_what_was_seen(grid, N, D, expected):
    assert outside(grid, pd.DataFrame(dict(N=[N], D=[D])), ("N", "D")).tolist() == [expected]


def test_runs_on_one_ray_have_no_inside_but_the_ray():
    ray = pd.DataFrame(dict(N=[1e8, 1e9, 1e10], D=[2e9, 2e10, 2e11]))
    asked = pd.DataFrame(dict(N=[3e9, 3e9, 3e10], D=[6e10, 7e10, 6e11]))
    assert outside(ray, asked, ("N", "D")).tolist() == [False, True, True]


def test_one_column_has_a_range():
    asked = pd.DataFrame(dict(C=[1e17, 1e18, 5e18, 1e20]))
    assert outside(pd.DataFrame(dict(C=[1e18, 1e19])), asked, ("C",)).tolist() == [True, False, False, True]


def test_times_the_largest(grid):
    fitted = grid.assign(C=6 * grid["N"] * grid["D"])
    np.testing.assert_allclose(times_the_largest(fitted, pd.DataFrame(dict(C=[6e21, 6e23]))), [1, 100])
    assert times_the_largest(grid, pd.DataFrame(dict(C=[6e21]))) is None


@pytest.mark.parametrize(
    ("law", "may", "says"),
    [
        (power("C"), ("C",), ("C",)),
        (power("compute"), ("compute",), ("compute",)),
        (pure_power("B"), (), ()),
        (error_exponential, (), ()),
        (error_exponential("c4_loss"), (), ()),  # a loss under another name is still a loss
        (chinchilla_batch, ("N", "D"), ("N", "D")),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_what_says_how_large_a_run_is(law, may, says):
    assert may_say_size(law) == may
    assert scales(law) == says


def test_the_column_of_size():
    runs = bs.read_runs(dict(N=np.geomspace(1e8, 1e9, 8), c4_loss=np.linspace(3, 2, 8), error=np.linspace(0.7, 0.5, 8)))
    assert column_of_size(runs, [error_exponential("c4_loss")]) is None
    assert column_of_size(runs, [power("N"), error_exponential("c4_loss")]) == "N"
