"""The laws at the constants of their papers."""

import numpy as np
import pytest

from bayesscale.models import chinchilla, chinchilla_tied, power, pure_power

# Epoch's replication (Besiroglu et al. 2024), unrounded as their notebook prints it.
EPOCH = dict(E=1.81686, A=482.006, B=2085.43, alpha=0.34781, beta=0.36585)


def test_chinchilla_by_hand():
    N, D = np.array([70e9, 1e9]), np.array([1.4e12, 2e10])
    by_hand = 1.81686 + 482.006 / N**0.34781 + 2085.43 / D**0.36585
    np.testing.assert_allclose(chinchilla.evaluate(EPOCH, N=N, D=D), by_hand, rtol=1e-12)


def test_chinchilla_understands_units():
    np.testing.assert_array_equal(
        chinchilla.evaluate(EPOCH, N="70B", D="1.4T"), chinchilla.evaluate(EPOCH, N=70e9, D=1.4e12)
    )


def test_chinchilla_splits_evenly_at_its_optimum():
    """At the compute optimum alpha A / N^alpha = beta B / D^beta (Hoffmann et al., eq. 4)."""
    E, A, B, alpha, beta = EPOCH.values()
    C = 5.76e23
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N = G * (C / 6) ** (beta / (alpha + beta))
    around = N * np.array([0.98, 1.0, 1.02])
    losses = chinchilla.evaluate(EPOCH, N=around, D=C / (6 * around))
    assert losses[1] == losses.min()
    reducible = losses[1] - E
    assert A / N**alpha / reducible == pytest.approx(beta / (alpha + beta), rel=1e-9)


def test_tied_is_chinchilla_with_one_exponent():
    tied = dict(E=1.8, A=400.0, B=2000.0, alpha=0.35)
    untied = dict(tied, beta=0.35)
    x = dict(N=[1e8, 1e10], D=[1e10, 1e12])
    np.testing.assert_allclose(chinchilla_tied.evaluate(tied, **x), chinchilla.evaluate(untied, **x), rtol=1e-14)


@pytest.mark.parametrize(
    ("column", "exponent", "constant", "x", "loss"),
    [("N", 0.076, 8.8e13, 1.5e9, 2.30355), ("D", 0.095, 5.4e13, 2.2e10, 2.09917)],
)
def test_kaplan_in_one_quantity(column, exponent, constant, x, loss):
    """Kaplan et al. 2020, eqs 1.1 and 1.2: L = (N_c / N)^alpha, so A = N_c^alpha."""
    law = pure_power(column)
    value = law.evaluate(dict(A=constant**exponent, alpha=exponent), **{column: x})
    assert value == pytest.approx(loss, abs=1e-5)


def test_power_is_pure_power_above_a_floor():
    x = np.geomspace(1e18, 1e24, 7)
    above = power("C").evaluate(dict(E=1.7, A=300.0, alpha=0.15), C=x) - 1.7
    np.testing.assert_allclose(above, pure_power("C").evaluate(dict(A=300.0, alpha=0.15), C=x), rtol=1e-12)
