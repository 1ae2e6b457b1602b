"""How much data a model needs, by Kaplan et al. 2020: their section 4 from Table 2, and with intervals."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, NumberError
from bayesscale.models import kaplan_nd, kaplan_ns, kaplan_x
from bayesscale.models.derived import intervals, paired
from bayesscale.models.kaplan_overfitting import (
    data_growth,
    early_stopping_step,
    overfitting,
    tokens_to_avoid_overfitting,
)

TABLE_2 = dict(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
TABLE_3 = dict(N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76)
N = np.geomspace(1e6, 1e10, 5)


def of_endless_data(N):
    return kaplan_x("N").evaluate(dict(x_c=TABLE_2["N_c"], alpha=TABLE_2["alpha_N"]), N=N)


@pytest.fixture(scope="module")
def fitted():
    """Runs at Table 2's constants on Kaplan et al.'s ranges, with their noise of .02 nats."""
    sizes, tokens = (x.ravel() for x in np.meshgrid(np.geomspace(1e6, 1.5e9, 8), np.geomspace(2.2e7, 2.3e10, 8)))
    noise = 0.02 * np.random.default_rng(0).standard_normal(sizes.size)
    loss = kaplan_nd.evaluate(TABLE_2, N=sizes, D=tokens) + noise
    return bs.fit(kaplan_nd, dict(N=sizes, D=tokens, loss=loss), discrepancy=False)


def test_penalty_is_that_of_the_law():
    D = np.array([[1e7], [1e9], [1e12]])
    by_law = kaplan_nd.evaluate(TABLE_2, N=np.broadcast_to(N, (3, 5)), D=np.broadcast_to(D, (3, 5)))
    np.testing.assert_allclose(overfitting(TABLE_2, N, D), by_law / of_endless_data(N) - 1, rtol=1e-9)


def test_tokens_keep_the_penalty_exactly():
    for penalty in (1e-6, 0.02, 0.5):
        D = tokens_to_avoid_overfitting(TABLE_2, N, penalty)
        np.testing.assert_allclose(overfitting(TABLE_2, N, D), penalty, rtol=1e-9)


def test_rule_4_4_is_of_a_relative_penalty():
    """Their 5e3 N^.74 holds 2 % of the loss (5.3e3 at every N); .02 nats, the noise they name, take 2 to 4 times it."""
    np.testing.assert_allclose(tokens_to_avoid_overfitting(TABLE_2, N) / N**0.74, 5.3e3, rtol=0.015)
    of_nats = tokens_to_avoid_overfitting(TABLE_2, N, penalty=0.02 / of_endless_data(N)) / N**0.74
    np.testing.assert_allclose(of_nats[[0, -1]], [2.2e4, 1.07e4], rtol=0.02)
    assert np.all(np.diff(of_nats) < 0)


def test_data_growth_of_a_model_eight_times_larger():
    growth = data_growth(TABLE_2, 8)
    assert growth == pytest.approx(4.64, abs=0.005)  # "5x" in the paper
    by_tokens = tokens_to_avoid_overfitting(TABLE_2, "8B") / tokens_to_avoid_overfitting(TABLE_2, "1B")
    assert by_tokens == pytest.approx(growth, rel=1e-12)


def test_early_stopping_bound():
    """Eq. 5.7: the training curve alone would need that many steps to come as near to L(N, infinity) as L(N, D) is."""
    constants = TABLE_3 | TABLE_2
    D = 1e9
    S = early_stopping_step(constants, N, D)
    still_to_fall = kaplan_ns.evaluate({**TABLE_3, "N_c": 6.4e13, "alpha_N": 0.076}, N=N, S=S) - of_endless_data(N)
    excess = kaplan_nd.evaluate(TABLE_2, N=N, D=D) - of_endless_data(N)
    np.testing.assert_allclose(still_to_fall, excess, rtol=1e-9)
    assert np.all(np.diff(S) < 0)  # a larger model over-fits the same data sooner


def test_shapes_and_names():
    draws = {k: np.full(7, v) for k, v in TABLE_2.items()}
    assert overfitting(TABLE_2, "1B", "20B").shape == ()
    assert overfitting(draws, "1B", "20B").shape == (7,)
    assert overfitting(draws, N, 1e9).shape == (7, 5)
    assert overfitting(draws, N, np.full((3, 1), 1e9)).shape == (7, 3, 5)
    np.testing.assert_allclose(overfitting(draws, N, 1e9)[3], overfitting(TABLE_2, N, 1e9), rtol=1e-14)
    with pytest.raises(LawError, match=r"S_c, alpha_S missing.*paired"):
        early_stopping_step(TABLE_2, N, 1e9)
    with pytest.raises(LawError, match="D must be positive, got -1"):
        overfitting(TABLE_2, N, -1.0)
    with pytest.raises(NumberError, match="N: 'much'"):
        overfitting(TABLE_2, "much", 1e9)
    with pytest.raises(LawError, match="interval needs the draws"):
        intervals({"growth": data_growth(TABLE_2, 8)})


def test_from_a_posterior(fitted):
    """The statement with its interval: a model 8 times larger needs 4.64 times the data, here within a fifth."""
    table = intervals({"growth": data_growth(fitted, 8)}, level=0.99)
    low, high = table.loc["growth", ["low99", "high99"]]
    assert low < 4.64 < high
    assert high / low < 1.2
    penalties = intervals({"penalty": overfitting(fitted, N, 1e9)}, level=0.99, N=N)
    np.testing.assert_array_equal(penalties["N"], N)
    true = overfitting(TABLE_2, N, 1e9)
    assert np.all((penalties["low99"] < true) & (true < penalties["high99"]))
    tokens = tokens_to_avoid_overfitting(fitted, 1e9)
    assert np.quantile(tokens, 0.005) < tokens_to_avoid_overfitting(TABLE_2, 1e9) < np.quantile(tokens, 0.995)


def test_pairing_takes_a_shared_constant_from_the_first(fitted):
    sizes, steps = (x.ravel() for x in np.meshgrid(np.geomspace(1e6, 1.5e9, 4), np.geomspace(3e3, 2.5e5, 5)))
    loss = kaplan_ns.evaluate(TABLE_3, N=sizes, S=steps)
    curves = bs.fit(
        kaplan_ns,
        dict(N=sizes, S=steps, loss=loss * np.exp(0.005 * np.sin(7 * np.arange(20)))),
        chains=2,
        discrepancy=False,
    )
    joined = paired(fitted, curves)
    assert set(joined) == {"N_c", "D_c", "alpha_N", "alpha_D", "S_c", "alpha_S"}
    assert {len(x) for x in joined.values()} == {2000}  # of 4000 and 2000
    assert set(joined["N_c"]) <= set(fitted.flat_draws["N_c"])
    # What one fit knows together stays together, what two fits know apart is apart.
    assert np.corrcoef(joined["alpha_S"], np.log(joined["S_c"]))[0, 1] == pytest.approx(
        np.corrcoef(curves.flat_draws["alpha_S"], np.log(curves.flat_draws["S_c"]))[0, 1], abs=1e-9
    )
    assert abs(np.corrcoef(joined["alpha_S"], joined["alpha_D"])[0, 1]) < 0.1
    bound = early_stopping_step(joined, [1e7, 1e9], 1e8)
    assert bound.shape == (2000, 2)
    assert np.all(np.isfinite(bound))
