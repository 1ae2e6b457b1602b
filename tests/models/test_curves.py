"""M1-M4 and the broken power law: closed forms, limits, the equation that M4 solves, and fits of error rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayesscale as bs
from bayesscale.forecast import expectation
from bayesscale.models import bnsl, m1, m2, m3, m4, power, pure_power
from bayesscale.models.implicit import logit_left
from bayesscale.prior_forecast import prior_draws

ERROR = dict(e_inf=0.12, e_0=0.99, alpha=0.7, beta=5e5, c=0.75)
# Caballero et al.'s four-digit addition, refitted: a cliff at 613 examples.
CLIFF = dict(a=0.414, b=2.277, c0=0.0551, c1=5.66, d=612.6, f=0.0592)
ALPHAS = (0.01, 0.1, 0.5, 0.99, 1.0, 2.0, 10.0, 100.0)
X = np.geomspace(1e6, 1e11, 21)


# -- the equation of M4 -----------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "tolerance"), [(True, 1e-10), (False, 3e-5)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_solves_its_equation(alpha, precision, tolerance):
    log_f = np.linspace(-60, 60, 2001)
    with jax.enable_x64(precision):
        v = np.asarray(jax.jit(logit_left)(jnp.asarray(log_f), alpha), float)
    log_u, log_rest = -np.logaddexp(0, -v), -np.logaddexp(0, v)
    np.testing.assert_allclose(log_u - alpha * log_rest, log_f, atol=tolerance, rtol=tolerance)


def test_solutions_in_closed_form():
    f = np.geomspace(1e-6, 1e6, 101)
    u = {1.0: f / (1 + f), 2.0: 1 - 2 / (1 + np.sqrt(1 + 4 * f)), 0.5: 2 * f / (f + np.sqrt(f**2 + 4))}
    with jax.enable_x64(True):
        for alpha, expected in u.items():
            np.testing.assert_allclose(jax.nn.sigmoid(logit_left(jnp.log(f), alpha)), expected, rtol=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_derivatives_are_those_of_the_solution(alpha):
    """Forward, reverse and twice, under vmap, against differences of the solution."""
    h = 1e-5
    with jax.enable_x64(True):
        log_f = jnp.linspace(-20.0, 20.0, 81)
        slope = jax.vmap(jax.grad(logit_left), (0, None))
        by_f = slope(log_f, alpha)
        forward = jax.jvp(logit_left, (log_f, alpha), (jnp.ones(81), 0.0))[1]
        by_alpha = jax.vmap(jax.grad(logit_left, 1), (0, None))(log_f, alpha)
        twice = jax.vmap(jax.grad(jax.grad(logit_left)), (0, None))(log_f, alpha)
        rise = (logit_left(log_f + h, alpha) - logit_left(log_f - h, alpha)) / (2 * h)
        in_alpha = (logit_left(log_f, alpha * (1 + h)) - logit_left(log_f, alpha * (1 - h))) / (2 * h * alpha)
        bend = (slope(log_f + h, alpha) - slope(log_f - h, alpha)) / (2 * h)
    np.testing.assert_allclose(by_f, rise, rtol=1e-6)
    np.testing.assert_allclose(forward, by_f, rtol=1e-12)
    np.testing.assert_allclose(by_alpha, in_alpha, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(twice, bend, rtol=1e-5, atol=1e-7)


# -- the laws ---------------------------------------------------------------------------------------


def test_m4_holds_its_equation():
    y = m4.evaluate(ERROR, x=X)
    left = (y - ERROR["e_inf"]) / (ERROR["e_0"] - y) ** ERROR["alpha"]
    np.testing.assert_allclose(left, ERROR["beta"] * X ** -ERROR["c"], rtol=1e-9)
    assert np.all((ERROR["e_inf"] < y) & (y < ERROR["e_0"])) and np.all(np.diff(y) < 0)


def test_m4_is_m2_without_a_start():
    below = dict(e_inf=0.12, beta=3e3, c=0.75)  # at most .11 above the floor
    expected = m2.evaluate(below, x=X)
    np.testing.assert_allclose(m4.evaluate(dict(below, e_0=0.99, alpha=0.0), x=X), expected, rtol=1e-12)
    e_0, alpha = 1e12, 0.7
    far = dict(below, e_0=e_0, alpha=alpha, beta=below["beta"] / e_0**alpha)
    np.testing.assert_allclose(m4.evaluate(far, x=X), expected, rtol=1e-9)


def test_m1_and_m2_are_the_powers():
    at = dict(beta=40.0, c=0.2)
    np.testing.assert_allclose(m1.evaluate(at, x=X), pure_power.evaluate(dict(A=40.0, alpha=0.2), x=X), rtol=1e-14)
    floored = power.evaluate(dict(E=0.1, A=40.0, alpha=0.2), x=X)
    np.testing.assert_allclose(m2.evaluate(dict(at, e_inf=0.1), x=X), floored, rtol=1e-14)


def test_m3_levels_off():
    at = dict(beta=40.0, c=0.2)
    np.testing.assert_allclose(m3.evaluate(dict(at, gamma=0.0), x=X), m1.evaluate(at, x=X), rtol=1e-12)
    np.testing.assert_allclose(m3.evaluate(dict(at, gamma=1e-8), x=1e8), 40.0 * 2e-8**0.2, rtol=1e-12)
    np.testing.assert_allclose(m3.evaluate(dict(at, gamma=1e-8), x=1e20), 40.0 * 1e-8**0.2, rtol=1e-9)


def test_a_broken_power_by_hand_and_without_a_break():
    x = np.array([100.0, 612.6, 1000.0])
    by_hand = 0.414 + 2.277 * x**-0.0551 * (1 + (x / 612.6) ** (1 / 0.0592)) ** (-5.66 * 0.0592)
    np.testing.assert_allclose(bnsl.evaluate(CLIFF, x=x), by_hand, rtol=1e-12)
    straight = dict(CLIFF, c1=0.0)
    np.testing.assert_allclose(
        bnsl.evaluate(straight, x=x), m2.evaluate(dict(e_inf=0.414, beta=2.277, c=0.0551), x=x), rtol=1e-12
    )


@pytest.mark.parametrize(("x", "slope"), [(6.0, 0.0551), (612.6, 0.0551 + 5.66 / 2), (6e4, 0.0551 + 5.66)])
def test_a_broken_power_has_two_exponents(x, slope):
    """c0 before the break, c0 + c1 after it, their middle at it."""
    around = bnsl.evaluate(dict(CLIFF, a=0.0), x=x * np.exp([-1e-4, 1e-4]))
    assert -np.diff(np.log(around))[0] / 2e-4 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("law", [m1, m2, m3, m4, bnsl], ids=lambda law: law.name)
def test_centre_and_constants_say_the_same(law):
    """What is sampled at the data's centre and the paper's constants computed from it give one curve, in any unit."""
    draws = prior_draws(law, bs.noise.named("student-t"), draws=20, seed=1)
    centers = dict(x=3e8, loss=0.6)
    at_center = expectation(law, draws, dict(x=np.array([3e8])), centers)[:, 0]
    np.testing.assert_allclose(at_center, 0.6 * draws["level"], rtol=1e-9)
    scaled = expectation(law, draws, dict(x=X / 1e9), dict(x=0.3, loss=6.0))
    np.testing.assert_allclose(scaled, 10 * expectation(law, draws, dict(x=X), centers), rtol=1e-7)


@pytest.mark.parametrize("column", ["D", "S", "N", "C", "examples"])
def test_an_error_rate_against_any_column(column):
    x = np.geomspace(1e6, 1e8, 24)
    rate = m4.evaluate(dict(ERROR, beta=5e4), x=x) * np.exp(0.004 * np.random.default_rng(3).standard_normal(24))
    table = {column: x, "error_rate": rate} | ({"D": x} if column == "examples" else {})
    runs = bs.read_runs(table, columns={"loss": "error_rate"}, about={"loss_unit": "error rate"})
    post = bs.fit(f"m2({column})", runs, discrepancy=False, chains=2, draws=500)
    forecast = post.predict({column: [2e8]})
    assert forecast.unit == "error rate"
    assert 0.12 < forecast.median[0] < rate[-1]
