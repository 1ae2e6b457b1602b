"""What a law is: declaration, priors, names, evaluation."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist
from scipy import stats

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.errors import LawError
from bayesscale.law import Covariate, Law, law, prior, sample, split_at_center, value_at_center
from bayesscale.models import chinchilla, power, pure_power
from bayesscale.prior_forecast import prior_draws


@pytest.fixture
def registry():
    """Forget the laws that a test declares."""
    laws.names()
    before = dict(laws._registry)
    yield
    laws._registry.clear()
    laws._registry.update(before)


def test_repr_lists_formula_inputs_output_and_every_prior():
    said = repr(chinchilla)
    assert "L(N, D) = E + A / N^alpha + B / D^beta" in said
    assert "takes N, D; gives loss" in said
    assert "arXiv:2203.15556" in said
    for name in chinchilla.priors():
        assert f"  {name}" in said
    assert "LogNormal(log 0.3, 0.4)" in said


def test_priors_in_the_order_of_sampling():
    assert list(chinchilla.priors()) == ["level", "reducible", "share_A", "alpha", "beta"]
    assert chinchilla.constants == ("E", "A", "B", "alpha", "beta")
    assert pure_power("N").constants == ("A", "alpha")


def test_with_priors_replaces_one_and_leaves_the_law():
    narrow = dist.Normal(0.35, 0.01)
    changed = chinchilla.with_priors(alpha=narrow)
    assert changed.priors()["alpha"] is narrow
    assert isinstance(chinchilla.priors()["alpha"], dist.LogNormal)
    assert "(replaced)" in repr(changed)
    assert changed != chinchilla
    assert changed == chinchilla.with_priors(alpha=dist.Normal(0.35, 0.01))
    assert changed != chinchilla.with_priors(alpha=dist.Normal(0.35, 0.0100001))


@pytest.mark.parametrize(
    ("priors", "said"),
    [
        (dict(gamma=dist.Normal(0, 1)), "no parameter 'gamma'; it samples level"),
        (dict(E=dist.Normal(1.8, 0.1)), "E is computed by law chinchilla, not sampled"),
        (dict(alpha=0.3), "must be a NumPyro distribution"),
    ],
)
def test_with_priors_refuses(priors, said):
    with pytest.raises(LawError, match=said):
        chinchilla.with_priors(**priors)


def test_named_with_columns():
    assert laws.named("power(C)") == power("C")
    assert laws.named(" power( N ) ").name == "power(N)"
    assert laws.named("chinchilla") is chinchilla
    assert laws.named(chinchilla) is chinchilla
    assert set(laws.names()) >= {"chinchilla", "chinchilla_tied", "power", "pure_power"}


@pytest.mark.parametrize("name", ["kaplann", "power(", 3, ""])
def test_unknown_law_lists_those_there_are(name):
    with pytest.raises(LawError, match="there are chinchilla"):
        laws.named(name)


def test_binding_takes_one_column_each():
    with pytest.raises(LawError, match="takes 1 column"):
        power("C", "D")
    with pytest.raises(LawError, match="evaluate"):
        chinchilla(70e9, 1.4e12)


def test_a_law_of_ones_own(registry):
    @law(takes=("N", "D"), gives="loss", source="a notebook")
    def product(N, D):
        """L = E + A / (N^alpha D^beta)"""
        E, a = split_at_center("E", "A")
        alpha = sample("alpha", prior.exponent(0.2, spread=0.5))
        return E + a * (N / N.center) ** -alpha * (D / D.center) ** -alpha

    assert laws.named("product") is product
    assert product.formula == "L = E + A / (N^alpha D^beta)"
    assert "product" in laws.names()

    @law(takes=("N", "D"))
    def product(N, D):
        """Run again, changed."""
        return split_at_center("E", "A")[0] + 0 * N.log

    assert laws.named("product").formula == "Run again, changed."


def test_builtin_names_are_protected(registry):
    with pytest.raises(LawError, match="built-in"):

        @law(takes=("N", "D"))
        def chinchilla(N, D):
            """Another."""


def test_declaration_must_match_the_function(registry):
    with pytest.raises(LawError, match="declared to take"):

        @law(takes=("N", "D"))
        def lopsided(N):
            """One argument."""


def test_terms_share_the_centre_outside_of_a_law():
    with pytest.raises(LawError, match="inside a law"):
        split_at_center("E", "A")


def test_three_terms_have_equal_shares_in_the_middle_of_the_prior(registry):
    @law(takes=("N", "S", "B"))
    def three(N, S, B):
        """Three terms."""
        E, a, f, g = split_at_center("E", "A", "F", "G")
        return E + a / N + f / S + g / B

    medians = {k: float(np.asarray(d.icdf(0.5))) for k, d in three.priors().items()}
    first = medians["share_A"]
    second = (1 - first) * medians["share_F"]
    assert first == pytest.approx(1 / 3, rel=1e-6)
    assert second == pytest.approx(1 / 3, rel=1e-6)


def test_evaluate_says_what_is_missing():
    with pytest.raises(LawError, match="missing: B"):
        chinchilla.evaluate(dict(E=1.8, A=400, alpha=0.3, beta=0.3), N=1e9, D=1e10)
    with pytest.raises(LawError, match="has no gamma"):
        chinchilla.evaluate(dict(E=1.8, A=400, B=400, alpha=0.3, beta=0.3, gamma=1), N=1e9, D=1e10)
    with pytest.raises(LawError, match="takes N, D; got N"):
        chinchilla.evaluate(dict(E=1.8, A=400, B=400, alpha=0.3, beta=0.3), N=1e9)


def test_prior_predictive_is_as_wide_as_the_priors_say(ladder):
    forecast = bs.prior_predictive("chinchilla", ladder, discrepancy=False, draws=2000, kind="mean")
    assert forecast.draws.shape == (2000, len(ladder))
    geometric_mean = np.exp(np.log(ladder.column("loss")).mean())
    # Near the data's centre the prior is `level`: LogNormal(0, .1), whatever the rest.
    nearest = np.argmin(np.abs(np.log(ladder.column("N") / ladder.column("N").mean())))
    low, high = forecast.interval(0.95)
    assert low[nearest] < geometric_mean < high[nearest]
    assert 0.15 < np.log(high[nearest] / low[nearest]) < 0.9
    # Losses fall with N and D under every draw.
    order = np.lexsort((ladder.column("D"), ladder.column("N")))
    assert np.all(np.diff(forecast.draws[:, order[[0, -1]]], axis=1) < 0)


def test_prior_draws_of_a_built_in_law_are_those_of_its_priors():
    noise = bs.noise.named("student-t")
    drawn = prior_draws(chinchilla, noise, draws=4000, seed=1)
    priors = {**chinchilla.priors(), **noise.priors()}
    assert drawn.keys() == priors.keys()
    for name, values in drawn.items():
        again = np.asarray(priors[name].sample(jax.random.PRNGKey(7), (4000,)))
        assert stats.ks_2samp(values, again).pvalue > 1e-4, name
    ranks = np.triu(stats.spearmanr(np.column_stack(list(drawn.values()))).statistic, 1)
    assert np.abs(ranks).max() < 0.07


def test_a_prior_may_depend_on_an_earlier_parameter_and_on_the_data_s_centre(registry, ladder):
    @law(takes="C")
    def chained(C):
        """L(C) = a + b C_0 / C"""
        a = sample("a", prior.positive(1.0, spread=0.5))
        b = sample("b", prior.positive(2.0 * a, spread=0.1))
        C_0 = sample("C_0", prior.positive(C.center, spread=0.2))
        return a + b * C_0 / C

    drawn = prior_draws(chained, bs.noise.named("normal"), centers=dict(C=1e20, loss=2.0), draws=4000)
    ratio = np.log(drawn["b"] / drawn["a"])
    assert np.std(np.log(drawn["a"])) == pytest.approx(0.5, rel=0.1)
    assert np.mean(ratio) == pytest.approx(np.log(2.0), abs=0.01)
    assert np.std(ratio) == pytest.approx(0.1, rel=0.1)
    assert np.median(drawn["C_0"]) == pytest.approx(1e20, rel=0.03)
    # At the centre the law is a + b = 3 a, nearly: as wide as a, and no wider.
    middle = ladder.select(np.argsort(np.abs(np.log(ladder.column("C") / 2e20)))[:1])
    made = bs.prior_predictive(chained, middle, discrepancy=False, kind="mean", draws=4000)
    assert made.median[0] == pytest.approx(3.0, rel=0.05)
    assert np.std(np.log(made.draws)) == pytest.approx(np.hypot(0.5, 2 / 3 * np.hypot(0.1, 0.2)), rel=0.1)


def test_a_covariate_computes_like_its_values(registry):
    """In the formula of a law, traced as the fit traces it."""

    def values(log_ratio, scalar):
        N, D = Covariate(log_ratio, 1e9), Covariate(2 * log_ratio, 2e10)
        n, d = N.values, D.values
        same = [
            (N + 1, n + 1), (1 + N, 1 + n), (N - D, n - d), (1 - N, 1 - n), (N * scalar, n * scalar),
            (scalar * N, scalar * n), (D / N, d / n), (1 / N, 1 / n), (scalar / N, scalar / n), (-N, -n), (abs(N), n),
            (N < D, n < d), (N >= 1e9, n >= 1e9), (N**0.5, n**0.5), (N**scalar, n**scalar),
            (np.minimum(N, 1e9), jnp.minimum(n, 1e9)), (np.log(N), jnp.log(n)), (N.log, jnp.log(n)),
        ]  # fmt: skip
        return [(jnp.asarray(a, float), jnp.asarray(b, float)) for a, b in same]

    with jax.enable_x64(True):
        for ours, plain in jax.jit(values)(jnp.linspace(-1, 1, 5), 0.3):
            np.testing.assert_allclose(ours, plain, rtol=1e-12)


def test_jax_numpy_on_a_covariate_is_explained(ladder):
    def logarithmic(N):
        """E - log N"""
        return sample("E", prior.positive(5.0, spread=0.5)) - 0.1 * jnp.log(N)

    with pytest.raises(LawError, match=r"law logarithmic.*N\.log"):
        bs.fit(Law(logarithmic, ("N",), "loss"), ladder, discrepancy=False)


def test_constants_that_leave_the_law_open_are_refused(registry):
    @law(takes=("N", "D"))
    def sketch(N, D):
        """E + a (N / N0)^-alpha, a not recorded"""
        E, a = split_at_center("E", "A")
        alpha = sample("alpha", prior.exponent(0.2, spread=0.5))
        return E + a / N**alpha + 0 * D

    with pytest.raises(LawError, match="leave law sketch open: give level, reducible"):
        sketch.evaluate(dict(E=1.8, alpha=0.3), N=1e9, D=1e10)


def test_a_changed_constant_makes_another_law():
    scope = {"TAU": 1.0}
    exec("def flat(N):\n    '''TAU'''\n    return TAU + 0 * N.log", scope)
    made = Law(scope["flat"], ("N",), "loss")
    before = hash(made)
    scope["TAU"] = 0.2
    assert hash(made) != before


def level_only(N):
    """The level."""
    return value_at_center() + 0 * N.log


def test_laws_survive_pickling():
    plain = Law(level_only, ("N",), "loss")
    for made in (chinchilla, power("C"), chinchilla.with_priors(alpha=dist.Normal(0.35, 0.1)), plain):
        again = pickle.loads(pickle.dumps(made))
        assert again == made
        assert copy.deepcopy(made) == made
