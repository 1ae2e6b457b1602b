"""Kaplan et al. 2020 at their published constants."""

import numpy as np
import pytest

from bayesscale.models import kaplan_nd, kaplan_ns, kaplan_x, pure_power

PF_DAY = 8.64e19  # FLOP
TABLE_2 = dict(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
TABLE_3 = dict(N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76)


@pytest.mark.parametrize(
    ("column", "x_c", "alpha", "x", "loss"),
    [
        ("N", 8.8e13, 0.076, 1.5e9, 2.30355),
        ("D", 5.4e13, 0.095, 2.2e10, 2.09917),
        ("C", 3.1e8 * PF_DAY, 0.050, PF_DAY, 2.65808),  # the least compute, C_min
    ],
)
def test_one_quantity(column, x_c, alpha, x, loss):
    value = kaplan_x(column).evaluate(dict(x_c=x_c, alpha=alpha), **{column: x})
    assert value == pytest.approx(loss, abs=5e-6)
    assert value == pytest.approx(pure_power(column).evaluate(dict(A=x_c**alpha, alpha=alpha), **{column: x}))


def test_parameters_and_tokens():
    """Eq. 1.5 with Table 2."""
    assert kaplan_nd.evaluate(TABLE_2, N=1e8, D=1e9) == pytest.approx(2.95673, abs=5e-6)


def test_one_of_parameters_and_tokens_without_end():
    N, D = np.geomspace(1e6, 1e12, 7), np.geomspace(1e7, 1e13, 7)
    of_N = kaplan_x("N").evaluate(dict(x_c=TABLE_2["N_c"], alpha=TABLE_2["alpha_N"]), N=N)
    of_D = kaplan_x("D").evaluate(dict(x_c=TABLE_2["D_c"], alpha=TABLE_2["alpha_D"]), D=D)
    np.testing.assert_allclose(kaplan_nd.evaluate(TABLE_2, N=N, D=1e80), of_N, rtol=1e-12)
    np.testing.assert_allclose(kaplan_nd.evaluate(TABLE_2, N=1e80, D=D), of_D, rtol=1e-12)


def test_over_fitting_depends_on_one_ratio():
    """Eqs 4.2-4.4: the penalty of finite data depends on N^(alpha_N / alpha_D) / D; 5e3 N^.74 tokens keep it at 2%."""

    def penalty(N, D):
        return kaplan_nd.evaluate(TABLE_2, N=N, D=D) / kaplan_nd.evaluate(TABLE_2, N=N, D=1e80) - 1

    N = np.array([1e6, 1e8, 1e10])
    ratio = TABLE_2["alpha_N"] / TABLE_2["alpha_D"]
    penalties = penalty(N, 1e4 * N**ratio)
    np.testing.assert_allclose(penalties, penalties[0], rtol=1e-9)
    assert penalty(1e8, 5e3 * 1e8**0.74) == pytest.approx(0.02, rel=0.1)
    assert 8**ratio == pytest.approx(5, rel=0.08)  # a model 8 times larger needs 5 times the data


def test_nothing_overflows():
    """alpha_N / alpha_D = 30: the terms of the bracket span 250 decades."""
    steep = dict(N_c=1e13, D_c=1e13, alpha_N=0.6, alpha_D=0.02)
    assert kaplan_nd.evaluate(steep, N=1e-10, D=1e10) == pytest.approx(1e23**0.6, rel=1e-9)
    assert kaplan_nd.evaluate(steep, N=1e40, D=1e10) == pytest.approx(1e3**0.02, rel=1e-9)


def test_training_curves():
    """Eq. 5.6 with Table 3, and S without end."""
    assert kaplan_ns.evaluate(TABLE_3, N=1e8, S=1e4) == pytest.approx(3.10823, abs=5e-6)
    converged = kaplan_x("N").evaluate(dict(x_c=TABLE_3["N_c"], alpha=TABLE_3["alpha_N"]), N=1e8)
    assert kaplan_ns.evaluate(TABLE_3, N=1e8, S=1e60) == pytest.approx(converged, rel=1e-12)


def test_compute_efficient_training_stops_a_tenth_above_convergence():
    """Appendix B.5: at the N that gives the least loss for N S fixed, the loss is 1 + alpha_N / alpha_S of L(N)."""
    N = np.geomspace(1e6, 1e12, 200_001)
    losses = kaplan_ns.evaluate(TABLE_3, N=N, S=1e13 / N)
    best = losses.argmin()
    above = losses[best] / (TABLE_3["N_c"] / N[best]) ** TABLE_3["alpha_N"]
    assert above == pytest.approx(1 + TABLE_3["alpha_N"] / TABLE_3["alpha_S"], rel=1e-4)
