"""The frontier against its closed form, and against one allocation at a time."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, NumberError, RunsError

FAR = ("1e19", "1e21", "1e24")


@pytest.fixture(scope="module")
def frontier(fitted):
    return bs.frontier(fitted, C=FAR)


def test_every_budget_is_an_allocation(fitted, frontier):
    np.testing.assert_array_equal(frontier.C, [1e19, 1e21, 1e24])
    for i, C in enumerate(FAR):
        draws = bs.allocate(fitted, C=C).draws
        for what in ("N", "D", "tokens_per_parameter", "loss"):
            np.testing.assert_array_equal(frontier.draws[what][:, i], draws[what])


@pytest.mark.parametrize("C", [FAR, np.geomspace(1e19, 1e22, 13)], ids=["far apart", "dense"])
def test_exponents_are_the_closed_form(fitted, C):
    """N_opt ~ C^(beta / (alpha + beta)) (Hoffmann et al. 2022, eq. 4), the rest follows from C = 6 N D."""
    found = bs.frontier(fitted, C=C).exponents
    alpha, beta = (fitted.flat_draws[k][:, None] for k in ("alpha", "beta"))
    a = np.broadcast_to(beta / (alpha + beta), found["N"].shape)
    np.testing.assert_allclose(found["N"], a, atol=1e-5)
    np.testing.assert_allclose(found["D"], 1 - a, atol=1e-5)
    np.testing.assert_allclose(found["tokens_per_parameter"], 1 - 2 * a, atol=2e-5)


def test_the_exponent_of_the_loss_is_local(fitted, frontier):
    """d log L / d log C at the optimum is -(alpha beta / (alpha + beta)) (L - E) / L."""
    draws = fitted.flat_draws
    alpha, beta, E = (draws[k][:, None] for k in ("alpha", "beta", "E"))
    loss = frontier.draws["loss"]
    expected = -(alpha * beta / (alpha + beta)) * (loss - E) / loss
    np.testing.assert_allclose(frontier.exponents["loss"], expected, rtol=1e-3)


def test_table(frontier):
    table = frontier.table(level=(0.5, 0.9))
    assert list(table) == [
        *("C", "median", "low50", "high50", "low90", "high90"),
        *("exponent", "exponent_low90", "exponent_high90", "near_low", "near_high"),
    ]
    inwards = ["low90", "low50", "median", "high50", "high90"]
    assert (table[inwards].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    np.testing.assert_allclose(table["low90"], np.quantile(frontier.draws["N"], 0.05, axis=0))
    assert "near_low" not in frontier.table("loss")
    middle, low, high = frontier.exponent("N", at=2e21)
    assert (middle, low, high) == tuple(frontier.table()[["exponent", "exponent_low95", "exponent_high95"]].iloc[1])


def test_near_optimal_range_ends_where_the_excess_is_the_tolerance(fitted, frontier):
    for i, C in enumerate(frontier.C):
        low, high = frontier.near_optimal["N"][:, i]
        coarse = bs.allocate(fitted, C=C)
        step = coarse.candidates["N"].iloc[1] / coarse.candidates["N"].iloc[0]
        assert coarse.near_optimal[0] / step < low <= coarse.near_optimal[0] * (1 + 1e-9)
        assert coarse.near_optimal[1] * (1 - 1e-9) <= high < coarse.near_optimal[1] * step
        N = np.array([low, high])
        expected = fitted.predict(N=N, D=C / 6 / N, kind="mean").draws.mean(axis=0)
        np.testing.assert_allclose(expected / coarse.best["loss"] - 1, 0.001, rtol=0.02)
        np.testing.assert_allclose(frontier.near_optimal["D"][:, i], C / 6 / N[::-1], rtol=2e-3)


def test_limits_bend_the_frontier(fitted):
    free = bs.frontier(fitted, C=[1e24])
    D_max = float(np.median(free.draws["D"]) / 100)
    bound = bs.frontier(fitted, C=[1e24], D_max=D_max)
    np.testing.assert_allclose(bound.exponents["N"], 1.0, atol=1e-6)  # more compute can only go into parameters
    np.testing.assert_allclose(bound.exponents["D"], 0.0, atol=1e-6)
    assert bound.at_edge[0] > 0.9
    assert "at the edge" in repr(bound)
    assert "at the edge" not in repr(free)


def test_words(frontier):
    middle = np.median(frontier.exponents["N"][:, 1])
    assert f"N grows as C^{middle:.3f} (" in repr(frontier)
    assert "law chinchilla; 50/80/95% equal-tailed intervals" in repr(frontier)


def test_refusals(fitted, frontier, ladder):
    with pytest.raises(LawError, match="needs a law in N and D"):
        bs.frontier(bs.fit("power(C)", ladder, discrepancy=False), C=FAR)
    with pytest.raises(NumberError, match=r"C\[1\]: 'much' is not a number"):
        bs.frontier(fitted, C=["1e20", "much"])
    with pytest.raises(RunsError, match="C = -1: a budget is a positive number of FLOP"):
        bs.frontier(fitted, C=[1e20, -1])
    with pytest.raises(RunsError, match="twice"):
        bs.frontier(fitted, C=["1e20", 1e20])
    with pytest.raises(RunsError, match="list of budgets"):
        bs.frontier(fitted, C=[])
    with pytest.raises(RunsError, match="N is what a frontier seeks"):
        bs.frontier(fitted, C=FAR, N="1B")
    with pytest.raises(LawError, match="the frontier has N, D, tokens_per_parameter, loss, not 'B'"):
        frontier.table("B")
    with pytest.raises(LawError, match="probability"):
        frontier.table(level=95)
