"""The compiled fit: compiled once, in float64, without a trace in the user's JAX, the same each time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density

import bayesscale as bs
from bayesscale.errors import LawError, RunsError, RunsWarning, SamplingError
from bayesscale.inference import Sampling, compilation, rows_of, run, sample_many
from bayesscale.inference.program import Sampled, model
from bayesscale.inference.run import trouble
from bayesscale.law import Law, deterministic, prior, sample, split_at_center, value_at_center
from bayesscale.models import chinchilla
from bayesscale.noise import StudentT

# Short chains: what is tested is how they are made. Their warnings about few draws are expected.
SHORT = dict(chains=2, draws=100, warmup=150, second_try=False, discrepancy=False)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")


def counted(calls):
    """Return a law that counts how often it is traced."""

    def law(N, D):
        """E + A / N^alpha + B / D^beta"""
        calls.append(1)
        E, a, b = split_at_center("E", "A", "B")
        alpha, beta = sample("alpha", prior.exponent(0.3, spread=0.4)), sample("beta", prior.exponent(0.3, spread=0.5))
        return E + deterministic("A", a * N.center**alpha) / N**alpha + deterministic("B", b * D.center**beta) / D**beta

    return Law(law, ("N", "D"), "loss")


def shaken(runs, seed):
    table = runs.table
    return bs.read_runs(
        table.assign(loss=table["loss"] * np.exp(0.01 * np.random.default_rng(seed).normal(size=len(table))))
    )


def test_new_data_of_the_same_shape_trace_nothing(ladder):
    calls = []
    law = counted(calls)
    bs.fit(law, ladder, **SHORT)
    traced = len(calls)
    assert traced > 0
    bs.fit(law, shaken(ladder, 1), seed=5, **SHORT)
    bs.fit(law, ladder.select(slice(0, 15)), **SHORT)  # 15 rows are padded to the same 16
    bs.fit_many(law, [shaken(ladder, 2), shaken(ladder, 3)], **SHORT)
    assert len(calls) == traced
    bs.fit(law, bs.read_runs(pd.concat([ladder.table, shaken(ladder, 4).table], ignore_index=True)), **SHORT)
    assert len(calls) > traced  # 32 rows are another shape


def test_padding_changes_nothing(ladder):
    """Weight 0 rows only fill the shape: the potential is that of the rows alone."""
    rows = rows_of(chinchilla, ladder.select(slice(0, 13)))
    assert rows.n_row == 16
    bare = jax.tree.map(lambda x: x[:13] if np.ndim(x) else x, rows)
    at = dict(level=1.0, reducible=0.3, share_A=0.5, alpha=0.3, beta=0.35, sigma=0.01, nu=5.0)
    with jax.enable_x64(True):
        at = jax.tree.map(jnp.asarray, at)
        density = jax.jit(lambda rows: log_density(model, (chinchilla, StudentT(), rows), {}, at)[0])
        full, part = density(rows), density(bare)
    assert float(full) == pytest.approx(float(part), rel=1e-13)


def test_same_seed_same_draws_and_batches_equal_single_fits(ladder):
    tables = [ladder, shaken(ladder, 1), ladder.select(slice(0, 12))]
    together = bs.fit_many("chinchilla", tables, seed=3, **SHORT)
    for i, (table, post) in enumerate(zip(tables, together, strict=True)):
        alone = bs.fit("chinchilla", table, seed=3 + i, **SHORT)
        for name in alone.draws:
            np.testing.assert_array_equal(post.draws[name], alone.draws[name])
    other = bs.fit("chinchilla", ladder, seed=99, **SHORT)
    assert not np.array_equal(other.draws["alpha"], together[0].draws["alpha"])


def test_users_jax_is_left_as_it_was(ladder):
    before = {k: getattr(jax.config, k) for k in ("jax_enable_x64", "jax_compilation_cache_dir")}
    post = bs.fit("chinchilla", ladder, **SHORT)
    post.predict(N="70B", D="1.4T")
    assert post.draws["alpha"].dtype == np.float64
    assert {k: getattr(jax.config, k) for k in before} == before
    assert jnp.ones(2).dtype == jnp.float32


def test_float32_agrees_within_its_precision(fitted, ladder):
    post = bs.fit("chinchilla", ladder, precision="float32", discrepancy=False)
    assert post.draws["alpha"].dtype == np.float32
    for name in ("E", "alpha", "beta"):
        sd = fitted.draws[name].std()
        assert abs(np.mean(post.draws[name]) - fitted.draws[name].mean()) < 0.2 * sd
    with pytest.raises(LawError, match="precision"):
        bs.fit("chinchilla", ladder, precision="float16", discrepancy=False)


def test_vectorized_chains_agree_with_sequential_ones(ladder, monkeypatch):
    """What an accelerator runs, on this machine's processor."""
    rows = rows_of(chinchilla, ladder)
    how = Sampling()
    [(sequential, _)] = sample_many(chinchilla, StudentT(), [rows], how)
    monkeypatch.setattr(run, "_accelerated", lambda: True)
    single = sample_many(chinchilla, StudentT(), [rows], how)
    both = sample_many(chinchilla, StudentT(), [rows, rows], how)
    for vectorized, _ in [*single, *both]:
        for name in ("E", "alpha", "beta", "sigma"):
            spread = sequential.values[name].std()
            assert abs(vectorized.values[name].mean() - sequential.values[name].mean()) < 0.25 * spread
            assert vectorized.values[name].std() == pytest.approx(spread, rel=0.25)


def test_trouble_is_said(ladder):
    post = bs.fit("chinchilla", ladder, chains=2, draws=20, warmup=5, second_try=False, discrepancy=False)
    assert post.settings["trouble"]
    assert "not to be trusted" in repr(post)
    assert post.check().status != "PASS"


def test_second_try_is_more_careful_and_says_so(ladder):
    post = bs.fit("chinchilla", ladder, chains=2, draws=200, warmup=3, discrepancy=False)
    assert post.settings["first_try"]
    assert post.settings["warmup"] == 15
    assert post.settings["target_accept"] == 0.98
    checks = post.check().table.set_index("check")
    assert checks.loc["first try", "status"] == "WARN"


def test_trouble_finds_chains_that_disagree(fitted):
    apart = fitted.draws["alpha"] + np.arange(4)[:, None]
    sampled = Sampled(dict(alpha=apart), dict(diverging=np.zeros((4, 1000), bool)), {}, 0.0)
    assert "R-hat" in trouble(sampled)
    stuck = Sampled(dict(alpha=np.ones((4, 1000))), dict(diverging=np.zeros((4, 1000), bool)), {}, 0.0)
    assert trouble(stuck) == "no chain has moved"
    beyond = fitted.draws["alpha"].copy()
    beyond[0, 0] = np.inf
    overflown = dict(alpha=fitted.draws["alpha"], B=beyond, A=1e300 * fitted.draws["alpha"])
    assert trouble(Sampled(overflown, dict(diverging=np.zeros((4, 1000), bool)), {}, 0.0)) == ""
    fine = Sampled(dict(alpha=fitted.draws["alpha"]), dict(diverging=np.zeros((4, 1000), bool)), {}, 0.0)
    assert trouble(fine) == ""


def test_arviz_and_distributions_imported_first():
    """In this order a user's import leaves NumPyro without numpyro.distributions.distribution."""
    code = (
        "import arviz, numpyro.distributions; import bayesscale.inference, numpyro; numpyro.distributions.distribution"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_second_mode_is_not_silent():
    """On one ray of tokens per parameter, with equal priors, alpha and beta can change places."""

    def law(N, D):
        """E + A / N^alpha + B / D^beta"""
        E, a, b = split_at_center("E", "A", "B")
        alpha, beta = (sample(k, prior.exponent(0.3, spread=0.5)) for k in ("alpha", "beta"))
        return E + a * jnp.exp(-alpha * N.log_ratio) + b * jnp.exp(-beta * D.log_ratio)

    N = np.geomspace(5e7, 5e9, 32)
    loss = 1.8 + 12 / N**0.15 + 3e5 / (20 * N) ** 0.6
    loss = loss * np.exp(0.0003 * np.random.default_rng(0).normal(size=32))
    with pytest.warns(RunsWarning, match="tokens per parameter"):
        runs = bs.read_runs(dict(N=N, D=20 * N, loss=loss))
    post = bs.fit(Law(law, ("N", "D"), "loss"), runs, second_try=False, discrepancy=False)
    found = np.sign(post.draws["alpha"] - post.draws["beta"]).mean(axis=1)
    assert found.min() < -0.9
    assert found.max() > 0.9
    assert "R-hat" in post.settings["trouble"]


def test_threads_of_the_user_neither_fail_nor_leave_traces(ladder):
    before = jax.config.jax_compilation_cache_dir
    with ThreadPoolExecutor(3) as threads:
        posts = list(threads.map(lambda i: bs.fit("pure_power(C)", ladder, seed=i, **SHORT), range(3)))
    np.testing.assert_array_equal(
        posts[1].draws["alpha"], bs.fit("pure_power(C)", ladder, seed=1, **SHORT).draws["alpha"]
    )
    assert jax.config.jax_compilation_cache_dir == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(chains=0), "chains is a whole number of at least 1"),
        (dict(draws=3), "draws is a whole number of at least 4"),
        (dict(draws="1k"), "draws is a whole number"),
        (dict(warmup=-1), "warmup is a whole number"),
        (dict(seed="a"), "seed is a whole number"),
        (dict(target_accept=2.0), "target_accept lies between"),
        (dict(precision="float16"), "precision is"),
        (dict(tune=500), "fit has no option tune; there are noise, discrepancy, seed, chains"),
        (dict(noise=["normal"]), "no noise is named"),
    ],
)
def test_options_are_checked(ladder, options, said):
    with pytest.raises(LawError, match=said):
        bs.fit("chinchilla", ladder, **options)


def test_a_users_own_target_is_never_lowered():
    rows = rows_of(chinchilla, bs.datasets.load("simulated-ladder"))
    assert Sampling(target_accept=0.995).careful(rows).target_accept == 0.995


def test_float32_is_float32_whatever_the_user_has_set(ladder):
    with jax.enable_x64(True):
        assert bs.fit("chinchilla", ladder, precision="float32", **SHORT).draws["alpha"].dtype == np.float32


def test_a_law_that_is_nowhere_positive(ladder):
    def negative(N):
        """-L0"""
        return -value_at_center() + 0 * N.log

    with pytest.raises(SamplingError, match=r"positive and finite.*prior_predictive"):
        bs.fit(Law(negative, ("N",), "loss"), ladder, **SHORT)


def test_fewer_rows_than_parameters_is_allowed_with_a_warning(ladder):
    with pytest.warns(RunsWarning, match="6 rows for 7 parameters"):
        post = bs.fit("chinchilla", ladder.select(slice(0, 16, 3)), **SHORT)
    assert np.isfinite(post.predict(N="7B", D="140B").median).all()


def test_what_the_law_takes_must_be_there(ladder):
    with pytest.raises(LawError, match=r'say which column, as in "power\(C\)"'):
        bs.fit("power", ladder, discrepancy=False)
    with pytest.raises(RunsError, match="no column 'lr'"):
        bs.fit("power(lr)", ladder, discrepancy=False)


def test_compiled_programs_are_kept_where_asked(ladder, tmp_path):
    try:
        bs.cache_compilation(tmp_path / "kept")
        bs.fit(counted([]), ladder, **SHORT)
        assert any((tmp_path / "kept").iterdir())
        bs.cache_compilation(False)
        assert compilation.compilation_folder() is None
    finally:
        bs.cache_compilation(True)


def test_cache_is_switched_by_the_environment_and_survives_a_read_only_home(ladder, tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESSCALE_COMPILATION_CACHE", "off")
    assert compilation.compilation_folder() is None
    monkeypatch.delenv("BAYESSCALE_COMPILATION_CACHE")
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("BAYESSCALE_CACHE_DIR", str(file))  # nothing can be made below a file
    bs.fit("chinchilla", ladder, **SHORT)
