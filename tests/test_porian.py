"""Five set-ups of Porian et al. 2024, from Kaplan's exponent to Chinchilla's, on their own runs (reduced; see below).

`tests/benchmarks/porian.py` has the whole comparison: other rows, laws and noise, the other corpus, budget by budget.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs

PUBLISHED = [0.835, 0.706, 0.602, 0.571, 0.497]  # of N_opt, RefinedWeb


@pytest.fixture(scope="module")
def porian():
    path = Path(__file__).parent / "benchmarks" / "porian.py"
    spec = importlib.util.spec_from_file_location("porian", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables(porian, real_data):
    """Runs and optima of the five set-ups."""
    isoflop, optima = (pd.read_csv(real_data(f"porian2024/{name}.csv")) for name in ("isoflop", "optima"))
    best = [porian.of_setup(optima, "rw", s).dropna(subset=["N_opt"], ignore_index=True) for s in porian.SETUPS]
    return [porian.of_setup(isoflop, "rw", s) for s in porian.SETUPS], best


def test_their_exponents_are_their_regression(porian, tables):
    again = [porian.slope(np.log(best["N_opt"]), best) for best in tables[1]]
    np.testing.assert_allclose(again, PUBLISHED, atol=0.0006)


def test_rows_are_the_best_of_their_budget(porian, tables):
    for runs in tables[0]:
        kept = porian.rows(runs)
        by_budget = kept.groupby("C")["loss"]
        assert (by_budget.max() - by_budget.min() <= porian.WITHIN).all()
        np.testing.assert_array_equal(by_budget.min(), runs.groupby("C")["loss"].min())
        assert kept["run"].nunique() == kept["C"].nunique()


def test_five_exponents(porian, tables):
    """Each published exponent lies in our 98 % interval (too few draws here for the ends of the 90 % one)."""
    runs, optima = tables
    posts = bs.fit_many(
        "skaling", [porian.rows(one) for one in runs], chains=2, draws=500, warmup=500, discrepancy=False
    )
    draws = [porian.slope(porian.ours(*each), each[1]) for each in zip(posts, optima, strict=True)]
    low, median, high = np.quantile(draws, [0.01, 0.5, 0.99], axis=1)
    assert ((low < PUBLISHED) & (high > PUBLISHED)).all(), np.c_[low, median, high]
    np.testing.assert_allclose(median, PUBLISHED, atol=0.02)
    assert (high - low < 0.09).all()
    assert (np.diff(median) < 0).all(), "each correction lowers the exponent"
