"""Laws of grown models: published constants, formulas by hand, what the centre and the constants say, and recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpyro import handlers

import bayesscale as bs
from bayesscale.center import Covariate
from bayesscale.errors import LawError, RunsError
from bayesscale.law import named
from bayesscale.models import growth

C = np.geomspace(1e20, 1e22, 5)
FLOOR = dict(E=1.7, A=1e6, alpha=0.3)
EFFECTIVE = dict(FLOOR, kappa=1.6, k1=0.0)


@pytest.mark.parametrize(
    ("N", "D", "d"), [(8e9, 15e12, 6.58), (7e9, 2e12, 11.11), (13e9, 2e12, 15.84), (70e9, 2e12, 42.48)]
)
def test_the_timing_rule_gives_the_papers_table_4(N, D, d):
    assert growth.guideline(N, 6 * N * D, **growth.GSTACK) == pytest.approx(1e9 * d, abs=5e6)


def test_the_rule_is_the_least_loss_of_its_law():
    d = np.geomspace(1e9, 1e11, 4001)
    constants = dict(E=1.7, A=480.0, alpha=0.35, B=2085.0, beta=0.366, h=0.05, **growth.GSTACK)
    loss = named("growth_timing").evaluate(constants, N=7e9, C=8.4e22, d=d)
    assert d[loss.argmin()] == pytest.approx(11.11e9, rel=0.002)
    assert loss.min() == pytest.approx(1.7 + 480 / 7e9**0.35 + 2085 / 2e12**0.366, rel=1e-6)


def test_the_factor_that_is_published_lies_between_two_and_four_where_it_was_fitted():
    """The paper finds the optimum there, at 1.1B and 3B on about 1e21 FLOP, and calls its formula preliminary."""
    g = growth.guideline(np.array([1.1e9, 3e9]), np.array([7e20, 1e21]), **growth.GSTACK_FACTOR)
    assert g.min() > 1.5 and g.max() < 8


def test_effective_compute_is_the_published_speed_up():
    """Scratch needs kappa times the compute for the loss of the grown model."""
    law = named("growth_effective_compute")
    grown = law.evaluate(EFFECTIVE, C=C, grown=np.ones(5))
    np.testing.assert_allclose(law.evaluate(EFFECTIVE, C=1.6 * C, grown=np.zeros(5)), grown, rtol=1e-12)
    np.testing.assert_allclose(law.evaluate(EFFECTIVE, C=C, grown=np.zeros(5)), 1.7 + 1e6 / C**0.3, rtol=1e-12)


def test_each_operator_has_a_kappa_of_its_own():
    law = named("growth_effective_compute")
    kappas = dict(kappa_direct=1.5, kappa_random=0.75)
    arms = dict(grown_direct=[1, 0, 0], grown_random=[0, 1, 0])
    value = law.evaluate(FLOOR | dict(k1=0.0) | kappas, C=1e21, **arms)
    np.testing.assert_allclose(value, 1.7 + 1e6 / (np.array([1.5, 0.75, 1.0]) * 1e21) ** 0.3, rtol=1e-12)


def test_the_rivals_by_hand():
    at = dict(C=1e21, grown=[1.0, 0.0])
    ahead = named("growth_head_start").evaluate(FLOOR | dict(C_h=5e20), **at)
    np.testing.assert_allclose(ahead, 1.7 + 1e6 / np.array([1.5e21, 1e21]) ** 0.3, rtol=1e-12)
    lower = named("growth_shifted_floor").evaluate(FLOOR | dict(delta=-0.04), **at)
    np.testing.assert_allclose(lower, 1.7 + 1e6 / 1e21**0.3 + np.array([-0.04, 0.0]), rtol=1e-12)
    none = named("growth_none").evaluate(FLOOR, **at)
    np.testing.assert_allclose(none, 1.7 + 1e6 / 1e21**0.3, rtol=1e-12)


def test_two_stages_by_hand():
    constants = dict(E=1.5, A=900.0, a1=0.4, a2=0.5, a3=0.01)
    value = named("growth_two_stage").evaluate(constants, d=1e10, D=1e11)
    assert value == pytest.approx(1.5 + 900 * 1e10**-0.4 * 1e11 ** (-0.5 + 0.01 * np.log(1e10)), rel=1e-12)


CENTERS = dict(N=1e9, D=1e11, C=5e20, d=1e10, g=3.0, grown=0.5, loss=2.5)


@pytest.mark.parametrize("name", [name for name in bs.law.names() if name.startswith("growth_")])
def test_centre_and_constants_say_the_same(name):
    """What is sampled at the data's centre and the paper's constants computed from it give one loss."""
    law = named(name).over(CENTERS)
    times = {c: 1.0 / CENTERS[c] if c == "grown" else 3.0 for c in law.columns}
    for seed in range(4):
        with jax.enable_x64(True), handlers.seed(rng_seed=seed), handlers.trace() as sites:
            at_center = {c: Covariate(jnp.log(jnp.array([times[c]])), CENTERS[c]) for c in law.columns}
            found = float(law.expected(at_center, CENTERS["loss"])[0])
        constants = {k: float(sites[k]["value"]) for k in law.constants}
        if "kappa" in constants:  # that at the centre of the data; evaluate has it at C = 1
            constants["kappa"] *= CENTERS["C"] ** -constants["k1"]
        value = law.evaluate(constants, **{c: times[c] * CENTERS[c] for c in law.columns})
        assert float(value.squeeze()) == pytest.approx(found, rel=1e-7)


@pytest.mark.slow
def test_the_timing_rule_is_recovered_where_the_runs_are_and_open_far_from_them():
    rng = np.random.default_rng(0)
    N = np.repeat([410e6, 1.1e9, 3e9], 15)
    budgets = np.array([[0.8, 1.5, 2.2], [2.0, 4.5, 7.0], [4.0, 8.0, 12.0]])
    C, d = 1e20 * np.repeat(budgets.ravel(), 5), np.tile(1e9 * np.array([1, 5, 10, 20, 50]), 9)
    truth = dict(E=1.7, A=480.0, alpha=0.35, B=2085.0, beta=0.366, h=0.02, **growth.GSTACK)
    loss = named("growth_timing").evaluate(truth, N=N, C=C, d=d) * np.exp(0.002 * rng.standard_normal(45))
    post = bs.fit("growth_timing", dict(N=N, C=C, d=d, loss=loss), discrepancy=False, chains=2, draws=400)

    def factor(N, C):
        """How far the ends of a 99 % interval of the best d are apart; the truth lies between."""
        found = bs.optimal_growth(post, N=N, C=C).draws["d"]
        low, high = found.quantile([0.005, 0.995])
        assert low < growth.guideline(N, C, **growth.GSTACK) < high
        np.testing.assert_allclose(found, growth.guideline(N, C, **{k: post.flat_draws[k] for k in "abc"}), rtol=1e-4)
        return high / low

    assert factor(1.1e9, 5e20) < 3 and factor(8e9, 7.2e23) > 6
    with pytest.raises(RunsError, match="pays for d below"):
        bs.optimal_growth(post, N="1.1B", C="1e21", d="1T")


def test_a_table_that_does_not_say_which_models_were_grown_is_refused():
    with pytest.raises(LawError, match="takes columns grown_<name>"):
        bs.fit("growth_effective_compute", pd.DataFrame(dict(C=C, loss=2.5 - 0.1 * np.arange(5))))
