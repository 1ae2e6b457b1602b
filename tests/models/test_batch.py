"""Steps against examples and the loss at a batch size: closed forms, simulated tables, and two real ones."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.models import chinchilla, chinchilla_batch, steps_examples, three_term

HYPERBOLA = dict(S_min=1500.0, E_min=2e9)
TERMS = dict(E=1.0, A=120.0, alpha=0.28, F=4.0, b=0.18, G=4.1, c=0.12)
WASTE = dict(E=1.6, A=54.0, alpha=0.23, F=32000.0, beta=0.5, B_crit=3e6)


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark that measures the same in full."""
    path = Path(__file__).parents[1] / "benchmarks" / "batch_size.py"
    spec = importlib.util.spec_from_file_location("benchmark_batch_size", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def simulated_sweep(law, constants, sigma, seed):
    """Ten batch sizes at each of twelve (N, D)."""
    N, D = np.repeat([2e8, 5e8, 1e9], 40), np.tile(np.repeat([4e9, 1e10, 2e10, 3e10], 10), 3)
    B = np.tile(2.0 ** np.arange(15, 25), 12)
    x = dict(N=N, D=D, B=B, S=D / B)
    loss = law.evaluate(constants, **{k: x[k] for k in law.takes})
    return dict(x, loss=loss * np.exp(sigma * np.random.default_rng(seed).standard_normal(len(N))))


def holds(post, truth):
    """Whether each true constant lies in its 99 % interval, and the sampler is sound."""
    for name, value in truth.items():
        low, high = np.quantile(post.draws[name], [0.005, 0.995])
        assert low < value < high, name
    assert not post.settings["trouble"]
    assert post.stats["diverging"].sum() == 0
    assert post.summary()["rhat"].max() <= 1.01


# -- steps against examples -------------------------------------------------------------------------


def test_hyperbola_at_the_critical_batch():
    S_min, E_min = HYPERBOLA.values()
    B_crit = E_min / S_min
    S = steps_examples.evaluate(HYPERBOLA, B=B_crit)
    np.testing.assert_allclose(S, 2 * S_min, rtol=1e-12)
    np.testing.assert_allclose(B_crit * S, 2 * E_min, rtol=1e-12)
    B = B_crit * np.geomspace(1e-3, 1e3, 7)
    S = steps_examples.evaluate(HYPERBOLA, B=B)
    np.testing.assert_allclose((S / S_min - 1) * (B * S / E_min - 1), 1.0, rtol=1e-9)


def test_twenty_percent_above_linear_scaling_in_closed_form():
    """Zhang et al.'s definition: B S(B) = 1.2 B_ref S(B_ref) at B = 1.2 B_ref + .2 E_min / S_min."""
    S_min, E_min = HYPERBOLA.values()
    B_ref = 256 * 512
    B = 1.2 * B_ref + 0.2 * E_min / S_min
    S, S_ref = steps_examples.evaluate(HYPERBOLA, B=np.array([B, B_ref]))
    np.testing.assert_allclose(S * B, 1.2 * S_ref * B_ref, rtol=1e-12)


def test_recovers_the_hyperbola():
    B = 2.0 ** np.arange(15, 24)
    S = steps_examples.evaluate(HYPERBOLA, B=B) * np.exp(0.05 * np.random.default_rng(0).standard_normal(9))
    post = bs.fit("steps_examples", dict(B=B, S=S), discrepancy=False)
    holds(post, HYPERBOLA)
    ratio = post.flat_draws["E_min"] / post.flat_draws["S_min"]
    assert ratio.std() / ratio.mean() < 0.15


# -- the loss ---------------------------------------------------------------------------------------


def test_three_term_by_hand():
    by_hand = 1.0 + 120.0 / 1e9**0.28 + 4.0 / 1e4**0.18 + 4.1 / 1e6**0.12
    assert three_term.evaluate(TERMS, N=1e9, S=1e4, B=1e6) == pytest.approx(by_hand, rel=1e-13)


def test_three_term_at_its_best_batch_is_chinchilla(benchmark):
    D = np.geomspace(1e9, 1e12, 4)
    B = benchmark.three_term_batch(TERMS, D)

    def loss(B):
        return three_term.evaluate(TERMS, N=1e9, S=D / B, B=B)

    for step in (0.9, 0.99, 1.01, 1.1):
        assert np.all(loss(step * B) > loss(B))
    b, c = TERMS["b"], TERMS["c"]
    np.testing.assert_allclose(np.diff(np.log(B)) / np.diff(np.log(D)), b / (b + c), rtol=1e-12)
    beta = b * c / (b + c)
    at_one = three_term.evaluate(TERMS, N=1e9, S=1 / (B[0] / D[0] ** (b / (b + c))), B=B[0] / D[0] ** (b / (b + c)))
    constants = dict(E=1.0, A=120.0, alpha=0.28, B=at_one - 1.0 - 120.0 / 1e9**0.28, beta=beta)
    np.testing.assert_allclose(loss(B), chinchilla.evaluate(constants, N=1e9, D=D), rtol=1e-12)


def test_half_of_the_tokens_are_wasted_at_the_critical_batch():
    base = {k: WASTE[k] for k in ("E", "A", "alpha", "beta")} | {"B": WASTE["F"]}
    D = np.geomspace(4e9, 1e12, 5)
    at = chinchilla_batch.evaluate(WASTE, N=1e9, D=2 * D, B=WASTE["B_crit"])
    np.testing.assert_allclose(at, chinchilla.evaluate(base, N=1e9, D=D), rtol=1e-12)


def test_waste_of_tiny_batches_is_none():
    base = {k: WASTE[k] for k in ("E", "A", "alpha", "beta")} | {"B": WASTE["F"]}
    x = dict(N=[1e8, 1e9], D=[1e10, 1e11])
    np.testing.assert_allclose(
        chinchilla_batch.evaluate(WASTE, **x, B=1e-6), chinchilla.evaluate(base, **x), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("law", "constants"), [(three_term, TERMS), (chinchilla_batch, WASTE)], ids=lambda x: getattr(x, "name", "")
)
def test_recovers_the_constants(law, constants):
    holds(bs.fit(law, simulated_sweep(law, constants, sigma=0.002, seed=1), discrepancy=False), constants)


# -- real tables ------------------------------------------------------------------------------------


def test_step_law_ranks_the_laws(real_data, benchmark):
    """A law with a best batch predicts best, wasted tokens next, no batch last."""
    best = benchmark.best_rates(benchmark.sweep(pd.read_csv(real_data("steplaw/dense.csv"))))
    assert len(best) == 110
    compared = bs.compare(best, ["chinchilla", "chinchilla_batch", "three_term"], discrepancy=False)
    assert list(compared.table.index) == ["three_term", "chinchilla_batch", "chinchilla"]
    assert list(compared.table["elpd_waic"].sort_values(ascending=False).index) == list(compared.table.index)
    for post in compared.posteriors.values():
        holds(post, {})
    draws = compared.best.flat_draws
    low, high = np.quantile(draws["b"] / (draws["b"] + draws["c"]), [0.05, 0.95])
    assert low < 0.606 < high
    assert 0.05 < high - low < 0.15
    mean = np.median(compared.best.predict(best, kind="mean").draws, axis=0)
    assert np.std(np.log(best["loss"] / mean)) < 0.006


def test_zhang_both_definitions_from_one_posterior(real_data, benchmark):
    frame = pd.read_csv(real_data("zhang_cbs/steps_to_target.csv"))
    posts = benchmark.hyperbolas(frame)
    both, slopes = benchmark.critical(posts, frame.groupby("model", sort=False)["N"].first())
    for (name, post), ratio in zip(posts.items(), both["E_min/S_min"], strict=True):
        holds(post, {})
        low, high = np.quantile(ratio, [0.05, 0.95])
        assert low < benchmark.CRITICAL[name] < high
        assert high / low < 1.45
    published = pd.read_csv(real_data("zhang_cbs/published_fits.csv"))["cbs_seqs"]
    low, high = np.quantile(both["step-overhead"] / 512, [0.05, 0.95], axis=1)
    assert np.all((low < published) & (published < high))
    for definition, exponent in (("E_min/S_min", 0.62), ("step-overhead", 0.47)):
        low, high = np.quantile(slopes[definition], [0.05, 0.95])
        assert low < exponent < high
        assert high - low < 0.15
