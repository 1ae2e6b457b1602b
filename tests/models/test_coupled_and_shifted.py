"""Laws that hold Chinchilla as a special case: coupled terms, and shifts at the small end."""

import numpy as np
import pytest

from bayesscale.models import chinchilla, kaplan_nd, power, shifted, skaling, skaling_drift

# Epoch's replication (Besiroglu et al. 2024), unrounded as their notebook prints it.
EPOCH = dict(E=1.81686, A=482.006, B=2085.43, alpha=0.34781, beta=0.36585)
RUNS = dict(N=np.array([1e7, 1e9, 7e10]), D=np.array([3e9, 2e10, 1.4e12]))


def test_skaling_without_coupling_is_chinchilla():
    np.testing.assert_allclose(
        skaling.evaluate(dict(EPOCH, k=1.0), **RUNS), chinchilla.evaluate(EPOCH, **RUNS), rtol=1e-13
    )


def test_skaling_as_its_paper_writes_it():
    """E + A (N^-a + R D^-b)^k."""
    k, (E, A, B, alpha, beta) = 0.6, EPOCH.values()
    a, b, R = alpha / k, beta / k, (B / A) ** (1 / k)
    by_hand = E + A * (RUNS["N"] ** -a + R * RUNS["D"] ** -b) ** k
    np.testing.assert_allclose(skaling.evaluate(dict(EPOCH, k=k), **RUNS), by_hand, rtol=1e-12)


@pytest.mark.parametrize("k", [0.2, 0.6, 1.5])
def test_skaling_far_from_the_data_is_a_power(k):
    of_N = power("N").evaluate(dict(E=EPOCH["E"], A=EPOCH["A"], alpha=EPOCH["alpha"]), N=RUNS["N"])
    of_D = power("D").evaluate(dict(E=EPOCH["E"], A=EPOCH["B"], alpha=EPOCH["beta"]), D=RUNS["D"])
    np.testing.assert_allclose(skaling.evaluate(dict(EPOCH, k=k), N=RUNS["N"], D=1e90), of_N, rtol=1e-10)
    np.testing.assert_allclose(skaling.evaluate(dict(EPOCH, k=k), N=1e90, D=RUNS["D"]), of_D, rtol=1e-10)


def test_skaling_without_floor_is_kaplan():
    """k = beta and E = 0 give Kaplan's eq. 1.5."""
    N_c, D_c, alpha_N, alpha_D = 6.4e13, 1.8e13, 0.076, 0.103
    kaplan = kaplan_nd.evaluate(dict(N_c=N_c, D_c=D_c, alpha_N=alpha_N, alpha_D=alpha_D), **RUNS)
    as_kaplan = dict(E=0.0, A=N_c**alpha_N, B=D_c**alpha_D, alpha=alpha_N, beta=alpha_D, k=alpha_D)
    np.testing.assert_allclose(skaling.evaluate(as_kaplan, **RUNS), kaplan, rtol=1e-12)


def test_shifted_by_nothing_is_chinchilla():
    unshifted = dict(EPOCH, N_0=0.0, D_0=0.0)
    np.testing.assert_allclose(shifted.evaluate(unshifted, **RUNS), chinchilla.evaluate(EPOCH, **RUNS), rtol=1e-13)


def test_shifted_is_chinchilla_of_shifted_covariates():
    N_0, D_0 = 2e8, 5e9
    moved = chinchilla.evaluate(EPOCH, N=RUNS["N"] + N_0, D=RUNS["D"] + D_0)
    np.testing.assert_allclose(shifted.evaluate(dict(EPOCH, N_0=N_0, D_0=D_0), **RUNS), moved, rtol=1e-13)


def test_a_floor_that_drifts():
    """At C_0 and with eps = 0 it is `skaling`; a decade of compute further the floor is 10^-eps of what it was."""
    still = skaling.evaluate(dict(EPOCH, k=0.6), **RUNS)
    drifting = dict(EPOCH, k=0.6, C_0=6e20)
    np.testing.assert_allclose(skaling_drift.evaluate(dict(drifting, eps=0.0), **RUNS), still, rtol=1e-12)
    at = dict(N=1e10, D=[1e10, 1e11])
    fallen = skaling.evaluate(dict(EPOCH, k=0.6), **at) - skaling_drift.evaluate(dict(drifting, eps=0.02), **at)
    np.testing.assert_allclose(fallen, EPOCH["E"] * np.array([0.0, 1 - 10**-0.02]), atol=1e-12)
