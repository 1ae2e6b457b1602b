"""Each law's published constants from a table simulated with them, with Kaplan et al.'s noise: 0.02 nats."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.law import prior

EPOCH = dict(E=1.81686, A=482.006, B=2085.43, alpha=0.34781, beta=0.36585)
MUENNIGHOFF = dict(E=1.869, A=520.8, B=1487.6, alpha=0.35266, beta=0.35266, R_D_star=15.388, R_N_star=5.3097)
N_KAPLAN = np.geomspace(1e6, 1.5e9, 6)


@pytest.mark.parametrize(
    ("name", "constants", "N", "other"),
    [
        ("kaplan_x(N)", dict(x_c=8.8e13, alpha=0.076), N_KAPLAN, np.ones(10)),
        (
            "kaplan_nd",
            dict(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
            N_KAPLAN,
            np.geomspace(2.2e7, 2.3e10, 10),
        ),
        (
            "kaplan_ns",
            dict(N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76),
            N_KAPLAN,
            np.geomspace(3e3, 2.5e5, 10),
        ),
        ("skaling", dict(EPOCH, k=0.6), np.geomspace(5e7, 1e10, 6), np.geomspace(5e8, 2e11, 10)),
        ("shifted", dict(EPOCH, N_0=2e8, D_0=2e9), np.geomspace(5e7, 1e10, 6), np.geomspace(5e8, 2e11, 10)),
        ("repeated", MUENNIGHOFF, np.geomspace(2e7, 4e9, 6), np.geomspace(1e9, 1e11, 10)),
    ],
)
def test_published_constants_are_recovered(name, constants, N, other):
    law = laws.named(name)
    N, other = (x.ravel() for x in np.meshgrid(N, other, indexing="ij"))
    epochs = np.ravel([np.roll(np.resize([1.0, 4.0, 16.0, 64.0], 10), i) for i in range(6)])
    table = {c: dict(N=N, D=other, S=other, U=other / epochs)[c] for c in law.columns}
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(N))
    post = bs.fit(law, dict(table, loss=law.evaluate(constants, **table) + noise), chains=2, discrepancy=False)
    assert not post.settings["trouble"] and "first_try" not in post.settings  # no warning, at the first try
    assert np.mean(post.stats["n_steps"]) <= 15
    for constant, true in constants.items():
        low, high = np.quantile(post.draws[constant], [0.005, 0.995])
        assert low < true < high, constant
    # The table said more than the priors did.
    for constant in law.priors().keys() & constants.keys():
        low, high = np.quantile(post.draws[constant], [0.005, 0.995])
        before = prior.interval(law.priors()[constant], 0.99)
        assert np.log(high / low) < 0.75 * np.log(before[1] / before[0]), constant


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("m1(D)", dict(beta=60.0, c=0.25)),
        ("m2(D)", dict(e_inf=0.2, beta=4e3, c=0.5)),
        ("m3(D)", dict(beta=1.5e4, gamma=2e-9, c=0.55)),
        ("m4(D)", dict(e_inf=0.2, e_0=0.98, alpha=0.6, beta=2e5, c=0.7)),
        ("bnsl(D)", dict(a=0.15, b=4.0, c0=0.1, c1=0.5, d=2e8, f=0.4)),
    ],
)
def test_constants_of_curves_are_recovered(name, constants):
    """An image classifier's error over four decades of examples, measured to .3 %."""
    law = laws.named(name)
    D = np.geomspace(3e6, 3e10, 64)
    measured = law.evaluate(constants, D=D) * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(D)))
    post = bs.fit(law, dict(D=D, loss=measured), discrepancy=False, chains=2)
    assert not post.settings["trouble"] and "first_try" not in post.settings
    for constant, true in constants.items():
        low, high = np.quantile(post.draws[constant], [0.005, 0.995])
        assert low < true < high, constant
        if constant in law.priors():
            assert high - low < 0.75 * np.diff(prior.interval(law.priors()[constant], 0.99)), constant
