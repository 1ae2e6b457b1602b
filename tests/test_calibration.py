"""Simulation-based calibration of every law, by `bayesscale.calibrate`: the truth is ranked evenly in the posterior."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.law import prior
from bayesscale.scale import LOGIT

# One law of each kind on every run of the tests; all of them, with more simulations, on the slow ones.
KINDS = (
    "accuracy_direct",
    "accuracy_link",
    "chinchilla",
    "critical_batch",
    "error_exponential",
    "growth_effective_compute",
    "kaplan_nd",
    "power(C)",
    "repeated",
    "skaling",
)
OTHERS = (
    "accuracy_direct_flops",
    "accuracy_hill",
    "accuracy_logistic",
    "accuracy_one_step",
    "accuracy_weibull",
    "batch_lr_power",
    "batch_power",
    "bnsl(C)",
    "chinchilla_batch",
    "chinchilla_tied",
    "growth_factor",
    "growth_head_start",
    "growth_none",
    "growth_shifted_floor",
    "growth_timing",
    "growth_two_stage",
    "kaplan_ns",
    "kaplan_x(N)",
    "lr_power",
    "m1(C)",
    "m2(C)",
    "m3(C)",
    "m4(C)",
    "mixture_additive",
    "mixture_drift",
    "mixture_exponential_tokens",
    "mixture_joint",
    "mixture_linear",
    "mixture_log_linear",
    "power(N)",
    "pure_power(C)",
    "pure_power(D)",
    "repeated_tied",
    "shifted",
    "skaling_drift",
    "steps_examples",
    "three_term",
)
# A few simulations each on every run: they have many parameters.
MIXTURES = ("bimix(r, D)", "mixture_exponential")
TYPICAL = 2.5


def typical(law):
    """Return what a typical run measures: a loss, or the share of questions answered right or wrong."""
    return 0.5 if laws.named(law).scale is LOGIT else TYPICAL


def sixteen_runs():
    """Return four sizes by four tokens per parameter, with epochs, batch sizes and learning rates crossed evenly.

    Half of them are grown, from models of other sizes and tokens. Their losses are what laws of an accuracy take, with
    the accuracy of guessing.
    """
    size, multiple = np.divmod(np.arange(16), 4)
    # Three mutually orthogonal Latin squares: any two factors meet at each pair of their levels once.
    epochs, batch, rate = (np.array(times)[size] ^ multiple for times in ([0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]))
    N = np.geomspace(1.9e8, 1.3e9, 4)[size]
    D = 20 * N * np.array([1.0, 2.0, 5.0, 10.0])[multiple]
    columns = dict(B=2.0**17 * 4.0**batch, lr=2e-4 * 3.0**rate, U=D / 4.0**epochs, chance=0.25)
    columns |= dict(grown=1.0 * (epochs > 1), d=1e9 * 4.0**epochs, g=2.0**batch)
    # Sixteen mixtures of three domains; the second and third have proportions of zero, the first is the target's own.
    parts = np.stack([4.0**epochs, 4.0**batch - 1, 4.0**rate - 1])
    shares = parts / parts.sum(axis=0)
    columns |= dict(zip(("r_a", "r_b", "r_c"), shares, strict=True), r=shares[0])
    return bs.read_runs(dict(N=N, D=D, loss=np.linspace(2.2, 3.5, 16), **columns))


def check(found):
    pvalues = found.summary()["pvalue"]
    # Bonferroni over the quantities, at one false alarm in a thousand.
    assert pvalues.min() > 1e-3 / len(pvalues), f"ranks are not uniform:\n{found}"


def test_every_law_is_calibrated():
    here = {laws.named(law).function.__name__ for law in KINDS + OTHERS + MIXTURES}
    assert here == {name for name in laws.names() if laws.named(name).built_in}


@pytest.mark.parametrize("law", KINDS)
def test_ranks_are_uniform(law):
    check(bs.calibrate(law, sixteen_runs(), simulations=40, typical=typical(law)))


@pytest.mark.parametrize("law", MIXTURES)
def test_ranks_are_uniform_in_laws_of_mixtures(law):
    check(bs.calibrate(law, sixteen_runs(), simulations=15, draws=300, typical=TYPICAL))


@pytest.mark.slow
@pytest.mark.parametrize("law", KINDS + OTHERS + MIXTURES)
def test_ranks_are_uniform_in_many_simulations(law):
    check(bs.calibrate(law, sixteen_runs(), simulations=200, typical=typical(law)))


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["normal", "laplace"])
def test_ranks_are_uniform_under_other_noises(noise):
    check(bs.calibrate("chinchilla", sixteen_runs(), simulations=200, noise=noise, typical=TYPICAL))


@pytest.mark.parametrize("simulations", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_ranks_are_uniform_where_sizes_share_an_effect(simulations):
    targets = dict(N=["2B", sixteen_runs().table["N"].max()], D="40B")
    found = bs.calibrate(
        "chinchilla", sixteen_runs(), simulations=simulations, noise="normal by N", targets=targets, typical=TYPICAL
    )
    check(found)


@pytest.mark.slow
def test_ranks_are_uniform_with_a_discrepancy():
    targets = dict(N=["2B", "7B"], D=["40B", "1T"])
    found = bs.calibrate(
        "chinchilla", sixteen_runs(), simulations=200, discrepancy=True, targets=targets, typical=TYPICAL
    )
    check(found)


def test_a_wrong_prior_is_found():
    """The check can fail: the truth comes from another prior than the fit's."""
    law = bs.models.pure_power("C")
    fitted_with = law.with_priors(alpha=prior.exponent(0.075, spread=0.05))
    truth = law.with_priors(alpha=prior.exponent(0.15, spread=0.1))
    with pytest.raises(AssertionError, match="not uniform"):
        check(bs.calibrate(fitted_with, sixteen_runs(), simulations=40, truth_law=truth, typical=TYPICAL))
