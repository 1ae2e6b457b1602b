"""The best use of a budget, against closed forms."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError


@pytest.fixture(scope="module")
def allocation(fitted):
    return bs.allocate(fitted, C="1e22")


def closed_form(draws, C):
    """Hoffmann et al. 2022, eq. 4."""
    A, B, alpha, beta = (draws[k] for k in ("A", "B", "alpha", "beta"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return G * (C / 6) ** (beta / (alpha + beta))


def test_optimum_of_each_draw_is_the_closed_form(fitted, allocation):
    N = closed_form(fitted.flat_draws, 1e22)
    inside = allocation.at_edge == 0
    assert inside
    # A minimum is flat: half the digits of the loss are all that can be had of N.
    np.testing.assert_allclose(allocation.draws["N"], N, rtol=1e-6)
    np.testing.assert_allclose(6 * allocation.draws["N"] * allocation.draws["D"], 1e22, rtol=1e-12)
    at = fitted.predict(N=N[:1], D=1e22 / (6 * N[:1]), kind="mean").draws[0, 0]
    assert allocation.draws["loss"][0] == pytest.approx(at, rel=1e-12)


def test_near_optimal_range_is_wide_and_regret_is_never_less_than_excess(allocation):
    low, high = allocation.near_optimal
    assert low < allocation.best["N"] < high
    assert high / low > 1.5  # the optimum is flat
    candidates = allocation.candidates
    assert (candidates["regret"] >= candidates["excess"] - 1e-12).all()  # no decision beats each draw's own optimum
    assert (candidates.loc[candidates["N"] > high, "excess"] > allocation.tolerance).all()
    assert candidates["excess"].min() == 0


def test_table_and_words(allocation):
    table = allocation.table()
    assert list(table.index) == ["N", "D", "tokens_per_parameter", "loss"]
    assert (table["low95"] < table["median"]).all()
    assert (table["median"] < table["high95"]).all()
    assert "costs less than 0.1% loss" in repr(allocation)


def test_inference_makes_the_model_smaller(fitted, allocation):
    served = bs.allocate(fitted, C="1e22", inference_tokens="1T")
    assert served.draws["N"].median() < allocation.draws["N"].median()
    spent = served.draws["N"] * (6 * served.draws["D"] + 2e12)
    np.testing.assert_allclose(spent, 1e22, rtol=1e-9)
    # At the optimum no neighbour on the budget line is better.
    best = served.draws.iloc[0]
    draw = {k: fitted.flat_draws[k][0] for k in fitted.law.constants}
    N = best["N"] * np.array([0.99, 1.0, 1.01])
    losses = fitted.law.evaluate(draw, N=N, D=1e22 / (6 * N) - 1e12 / 3)
    assert losses[1] == losses.min()


def test_limits(fitted, allocation):
    D_max = float(allocation.draws["D"].median() / 10)
    short = bs.allocate(fitted, C=1e22, D_max=D_max)
    assert short.draws["D"].max() <= D_max * (1 + 1e-9)
    assert short.at_edge > 0.9
    assert "edge" in repr(short)
    N_max = float(allocation.draws["N"].median() / 10)
    assert bs.allocate(fitted, C=1e22, N_max=N_max).draws["N"].max() <= N_max * (1 + 1e-9)


def test_refusals(fitted, ladder):
    with pytest.raises(LawError, match="needs a law in N and D"):
        bs.allocate(bs.fit("power(C)", ladder, discrepancy=False), C=1e22)
    with pytest.raises(RunsError, match="leave no such model"):
        bs.allocate(fitted, C=1e22, D_max="1B", N_max="1B")
    with pytest.raises(RunsError, match="positive"):
        bs.allocate(fitted, C=-1)


def test_a_given_size_is_told_what_it_costs(fitted, allocation):
    N = float(3 * allocation.best["N"])
    fixed = bs.allocate(fitted, C="1e22", N=N)
    np.testing.assert_allclose(fixed.draws[["N", "D"]], [[N, 1e22 / (6 * N)]] * len(fixed.draws))
    ratio = fixed.draws["loss"] / allocation.draws["loss"]
    np.testing.assert_allclose(fixed.draws["excess"], ratio - 1)
    assert (fixed.draws["excess"] > 0).all()
    assert "N = " in repr(fixed) and "excess" in repr(fixed)
    with pytest.raises(RunsError, match="at most"):
        bs.allocate(fitted, C="1e22", N=N, N_max=N / 2)
