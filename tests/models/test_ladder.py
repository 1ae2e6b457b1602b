"""Laws of task accuracy: their closed forms, their limits, and constants recovered from simulated runs."""

import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro import handlers

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.errors import SamplingWarning
from bayesscale.forecast import expectation
from bayesscale.models import (
    accuracy_direct,
    accuracy_direct_flops,
    accuracy_hill,
    accuracy_link,
    accuracy_logistic,
    accuracy_one_step,
    accuracy_weibull,
    error_exponential,
)
from bayesscale.prior_forecast import prior_draws

LINKS = (accuracy_logistic, accuracy_hill, accuracy_weibull, accuracy_link)
LOSS = np.linspace(0.3, 2.5, 12)
# Bhagia et al. 2024, table 5, step 2: a, k, L0, b of a / (1 + exp(-k (L - L0))) + b.
PAPER = {
    "MMLU": (-0.74, 4.83, 0.62, 1.00),
    "HellaSwag": (-0.73, 12.74, 0.77, 0.99),
    "ARC-Challenge": (-0.78, 5.91, 0.71, 1.00),
    "ARC-Easy": (-0.65, 4.13, 0.74, 1.00),
    "PIQA": (-0.46, 5.03, 0.96, 1.00),
    "CommonsenseQA": (-0.86, 2.21, 1.13, 1.00),
    "Social IQa": (-0.60, 7.16, 0.89, 1.00),
    "OpenBookQA": (-0.79, 4.31, 1.08, 1.00),
}
NOTHING = 1e-12  # as small a share as can be told from none


def shares(law, loss, chance=0.25, **constants):
    """Return Q of a law whose floor is at chance and whose ceiling is one."""
    made = law.evaluate(dict(guess=0.0, missed=NOTHING, **constants), loss=loss, chance=chance)
    return (made - chance) / (1 - chance)


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "L0"), [(5.0, 0.8), (2.2, 1.13), (12.7, 0.77)])
def test_logistic(k, L0):
    """1 / (1 + exp(k (L - L0))): evaluated, the centre is a loss of one, where an e-fold is as long as the loss."""
    by_hand = 1 / (1 + np.exp(k * (LOSS - L0)))
    at_center = dict(Q_0=1 / (1 + np.exp(k * (1 - L0))), slope=k)
    np.testing.assert_allclose(shares(accuracy_logistic, LOSS, **at_center), by_hand, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(
        shares(accuracy_link, LOSS, shape=1.0, tail=1.0, **at_center), by_hand, rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize(("k", "L0"), [(5.0, 0.8), (2.0, 1.3)])
def test_hill(k, L0):
    by_hand = 1 / (1 + (LOSS / L0) ** k)
    at_center = dict(Q_0=1 / (1 + L0**-k), slope=k)
    np.testing.assert_allclose(shares(accuracy_hill, LOSS, **at_center), by_hand, rtol=1e-6)
    np.testing.assert_allclose(shares(accuracy_link, LOSS, shape=0.0, tail=1.0, **at_center), by_hand, rtol=1e-6)


@pytest.mark.parametrize(("k", "L0"), [(3.0, 0.8), (2.0, 1.3)])
def test_weibull(k, L0):
    by_hand = np.exp(-((LOSS / L0) ** k))
    at_center = dict(Q_0=np.exp(-(L0**-k)), slope=k)
    np.testing.assert_allclose(shares(accuracy_weibull, LOSS, **at_center), by_hand, rtol=1e-6, atol=1e-12)
    off = [
        np.abs(shares(accuracy_link, LOSS, shape=0.0, tail=tail, **at_center) - by_hand).max()
        for tail in (0.1, 0.01, 1e-4, 1e-6)
    ]
    assert off[0] > 0.005
    assert off[1] < 0.2 * off[0]
    assert off[2] < 1e-4
    assert off[3] < 1e-6


@pytest.mark.parametrize(("shape", "tail"), [(0.5, 0.7), (-0.4, 2.0), (1.7, 0.2)])
def test_the_link_between_them(shape, tail):
    v = np.log((0.3**-tail - 1) / tail) + 4.0 * (LOSS**shape - 1) / shape
    by_hand = (1 + tail * np.exp(v)) ** (-1 / tail)
    made = shares(accuracy_link, LOSS, shape=shape, tail=tail, Q_0=0.3, slope=4.0)
    np.testing.assert_allclose(made, by_hand, rtol=1e-6, atol=1e-12)


def test_no_step_where_the_shape_crosses_zero():
    near = [shares(accuracy_link, LOSS, shape=x, tail=0.7, Q_0=0.3, slope=4.0) for x in (-1e-3, -1e-9, 0.0, 1e-9, 1e-3)]
    np.testing.assert_allclose(near[1], near[2], rtol=1e-7)
    np.testing.assert_allclose(near[3], near[2], rtol=1e-7)
    np.testing.assert_allclose((near[0] + near[4]) / 2, near[2], rtol=1e-4)


@pytest.mark.parametrize("task", PAPER)
def test_the_paper_s_links(task):
    """The paper's floor is b + a, where the loss is large; its ceiling is b."""
    a, k, L0, b = PAPER[task]
    said, floor = a / (1 + np.exp(-k * (LOSS - L0))) + b, b + a
    missed = max(1 + a / (1 - floor), NOTHING)
    constants = dict(Q_0=1 / (1 + np.exp(k * (1 - L0))), slope=k, guess=0.0, missed=missed)
    np.testing.assert_allclose(accuracy_logistic.evaluate(constants, loss=LOSS, chance=floor), said, rtol=1e-6)


def test_floor_and_ceiling():
    """A guess moves the floor on the logit scale; a share of what is above it is missed whatever the loss."""
    constants = dict(Q_0=0.5, slope=8.0, guess=0.3, missed=0.02)
    best, worst = accuracy_hill.evaluate(constants, loss=[1e-3, 1e3], chance=0.25)
    floor = 1 / (1 + 3 * np.exp(-0.3))
    assert worst == pytest.approx(floor, rel=1e-6)
    assert best == pytest.approx(floor + (1 - floor) * 0.98, rel=1e-6)
    # Each task, and each target, has a chance of its own.
    many = accuracy_hill.evaluate({**constants, "guess": 0.0}, loss=[1e3] * 3, chance=[0.2, 0.25, 0.5])
    np.testing.assert_allclose(many, [0.2, 0.25, 0.5], rtol=1e-6)


# -- without a loss between --------------------------------------------------------------------------------------------


def test_direct_adds_up():
    """-log Q = A / N^alpha + B / D^beta, at the constants that a draw has computed."""
    N, D = np.geomspace(1e8, 1e11, 5), np.geomspace(1e12, 1e9, 5)
    at = dict(A=300.0, B=4000.0, alpha=0.32, beta=0.37, Q_0=0.5, share_A=0.5, guess=0.0, missed=NOTHING, floor=0.25)
    Q = (accuracy_direct.evaluate(at, N=N, D=D, chance=0.25) - 0.25) / 0.75
    np.testing.assert_allclose(-np.log(Q), 300.0 / N**0.32 + 4000.0 / D**0.37, rtol=1e-6)
    at = dict(A=2e3, alpha=0.17, Q_0=0.5, guess=0.0, missed=NOTHING, floor=0.25)
    Q = (accuracy_direct_flops.evaluate(at, C=6 * N * D, chance=0.25) - 0.25) / 0.75
    np.testing.assert_allclose(-np.log(Q), 2e3 / (6 * N * D) ** 0.17, rtol=1e-6)
    constants = dict(A=300.0, B=4000.0, E=-1.0, alpha=0.32, beta=0.37, Q_0=0.5, a=1.0, b=1.0)
    at = dict(constants, guess=0.0, missed=NOTHING, floor=0.25)
    Q = (accuracy_one_step.evaluate(at, N=N, D=D, chance=0.25) - 0.25) / 0.75
    np.testing.assert_allclose(np.log(1 / Q - 1), 300.0 / N**0.32 + 4000.0 / D**0.37 - 1.0, rtol=1e-6)


@pytest.mark.parametrize("law", [accuracy_direct, accuracy_direct_flops, accuracy_one_step], ids=lambda law: law.name)
def test_the_centre_is_where_it_is_said_to_be(law):
    """With share Q_0 learned at the centre, whatever the exponents."""
    centers = dict(N=5e8, D=2e10, C=6e19, chance=0.25, accuracy=0.4)
    drawn = prior_draws(law, bs.noise.named("normal"), centers=centers, draws=200)
    middle = {c: np.array([centers[c]]) for c in law.columns}
    Q = at_prior(law, drawn, middle, centers)
    np.testing.assert_allclose(Q[:, 0], drawn["Q_0"], rtol=1e-6)


def at_prior(law, drawn, x, centers):
    """Return Q of draws from the prior, shape (draws, targets)."""
    floor = 1 / (1 + (1 / x["chance"] - 1) * np.exp(-drawn["guess"][:, None]))
    made = expectation(law, drawn, x, centers)
    return (made - floor) / (1 - floor) / (1 - drawn["missed"][:, None])


@pytest.mark.parametrize(
    "law", [*LINKS, accuracy_direct, accuracy_direct_flops, accuracy_one_step], ids=lambda law: law.name
)
def test_better_with_less_loss_more_parameters_and_more_tokens(law):
    """Of whatever prior draw: never worse, and between guessing and one."""
    centers = dict(loss=1.0, N=5e8, D=2e10, C=6e19, chance=0.25, accuracy=0.4)
    drawn = prior_draws(law, bs.noise.named("normal"), centers=centers, draws=500)
    way = dict(
        loss=np.geomspace(10, 0.1, 9),
        N=np.geomspace(1e7, 1e12, 9),
        D=np.geomspace(1e9, 1e14, 9),
        C=np.geomspace(1e17, 1e26, 9),
    )
    for covariate in (c for c in law.columns if c != "chance"):
        x = {c: np.full(9, centers[c]) for c in law.columns} | {covariate: way[covariate]}
        made = expectation(law, drawn, x, centers)
        assert np.isfinite(made).all()
        assert (np.diff(made) > -1e-12).all()
        assert np.median(made[:, -1] - made[:, 0]) > 0.1
        assert ((made > 0.1) & (made < 1)).all()


# -- Gadre et al.'s error ----------------------------------------------------------------------------------------------


def test_an_error_rate_is_between_none_and_guessing():
    """For any draw of the prior, at losses far from any run: fitted without limits, an error of 1.03 was forecast."""
    drawn = prior_draws(error_exponential, bs.noise.named("normal"), draws=4000)
    loss = np.array([0.1, 0.5, 1.0, 3.0, 20.0])
    for center in (0.7, 3.0):
        made = expectation(error_exponential, drawn, dict(loss=loss), dict(loss=center, error=0.5))
        assert ((made > 0) & (made < 1)).all()
        eps = drawn["Err_0"] + (1 - drawn["Err_0"]) * drawn["share_eps"]
        assert (made <= eps[:, None]).all()
        assert (np.diff(made) > -1e-12).all()
        there = expectation(error_exponential, drawn, dict(loss=np.array([center])), dict(loss=center, error=0.5))
        np.testing.assert_allclose(there[:, 0], drawn["Err_0"], rtol=1e-6)


def test_gadre_s_form():
    """eps - k exp(-gamma L) with the constants that are computed along."""
    loss = dict(loss=np.linspace(0.5, 6.0, 9))
    for seed in range(5):
        with jax.enable_x64(True), handlers.seed(rng_seed=seed), handlers.trace() as trace:
            x = bs.law.Covariate(np.log(loss["loss"] / 2.5), 2.5)
            made = np.asarray(error_exponential.expected(dict(loss=x), 0.5))
        eps, k, gamma = (float(trace[name]["value"]) for name in ("eps", "k", "gamma"))
        np.testing.assert_allclose(made, eps - k * np.exp(-gamma * loss["loss"]), rtol=1e-6)
        assert gamma > 0 and 0 < k < eps
    # And from a paper's constants, whatever else a draw has.
    said = dict(eps=0.85, k=2.1, gamma=0.9, Err_0=0.5, share_eps=0.5, part=0.5)
    np.testing.assert_allclose(error_exponential.evaluate(said, **loss), 0.85 - 2.1 * np.exp(-0.9 * loss["loss"]))


def test_the_constants_of_an_error_rate_hardly_bend_around_each_other():
    """What the runs know, the error at the centre of their losses, stands apart from what they leave open."""
    runs = simulated(error_exponential, TRUE["error_exponential"])
    post = bs.fit(error_exponential, runs, chains=2, draws=500, warmup=500, second_try=False, discrepancy=False)
    logits = [np.log(x / (1 - x)).ravel() for x in (post.draws[name] for name in error_exponential.priors())]
    assert np.abs(np.corrcoef(logits) - np.eye(3)).max() < 0.93


# -- recovery ----------------------------------------------------------------------------------------------------------

TRUE = {
    "accuracy_logistic": dict(Q_0=0.35, slope=5.0, guess=0.1, missed=0.01),
    "accuracy_hill": dict(Q_0=0.35, slope=5.0, guess=0.1, missed=0.01),
    "accuracy_weibull": dict(Q_0=0.35, slope=4.0, guess=0.1, missed=0.01),
    "accuracy_link": dict(Q_0=0.35, slope=5.0, shape=0.3, tail=0.6, guess=0.1, missed=0.01),
    "accuracy_direct": dict(Q_0=0.35, share_A=0.5, alpha=0.35, beta=0.30, guess=0.1, missed=0.01),
    "accuracy_direct_flops": dict(Q_0=0.35, alpha=0.2, guess=0.1, missed=0.01),
    "accuracy_one_step": dict(Q_0=0.35, a=1.5, b=1.5, alpha=0.35, beta=0.30, guess=0.1, missed=0.01),
    "error_exponential": dict(Err_0=0.51, share_eps=0.69, part=0.5),
}


def simulated(law, true):
    """Return 40 runs that a law's own constants say, their logit scattered by .02."""
    rng = np.random.default_rng(1)
    N, ratio = np.exp(rng.uniform(*np.log([2e7, 5e9]), 40)), np.exp(rng.uniform(*np.log([10, 400]), 40))
    D = ratio * N
    x = dict(N=N, D=D, C=6 * N * D, loss=np.exp(rng.uniform(*np.log([0.4, 1.8]), 40)), chance=np.full(40, 0.25))
    x = {c: x[c] for c in law.columns}
    centers = {c: np.exp(np.log(v).mean()) for c, v in x.items()}
    made = expectation(law, {k: np.array([v]) for k, v in true.items()}, x, {**centers, law.gives: 0.5})[0]
    z = np.log(made / (1 - made)) + 0.02 * rng.standard_normal(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a plain quantity as covariate may look odd as a loss in nats
        return bs.read_runs(pd.DataFrame({**x, "N": N, law.gives: 1 / (1 + np.exp(-z))}))


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.filterwarnings(f"ignore::{SamplingWarning.__module__}.{SamplingWarning.__qualname__}")
def test_constants_are_recovered(name):
    law = laws.named(name)
    runs = simulated(law, TRUE[name])
    post = bs.fit(law, runs, chains=2, draws=500, warmup=500, second_try=False, discrepancy=False)
    for constant, true in TRUE[name].items():
        low, high = np.quantile(post.draws[constant], [0.005, 0.995])
        assert low < true < high, constant
    # What the runs say, they say more sharply than the prior did.
    for constant in set(TRUE[name]) & {"Q_0", "slope", "alpha", "beta", "Err_0"}:
        before = np.asarray(law.priors()[constant].sample(jax.random.PRNGKey(0), (4000,)))
        assert np.std(np.log(post.draws[constant])) < 0.6 * np.std(np.log(before)), constant
