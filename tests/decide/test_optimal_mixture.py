"""The best mixture against brute force, the closed form and what must hold of any optimum."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale.decide.mixture_losses import losses_of
from bayesscale.decide.near_mixtures import beyond, walk
from bayesscale.decide.simplex import inner_points, least_on_simplex
from bayesscale.errors import LawError, RunsError
from bayesscale.law import law, sample

DOMAINS = ["web", "code", "wiki"]
AT = dict(N="1B", D="20B", S=1e4)
LIMITS = {"free": {}, "floor and cap": dict(floor=0.1, cap={"code": 0.35, "wiki": 0.4})}


def brute_force(losses, low, high, kl=0.0, natural=None):
    """Return the best of a grid over all three proportions for each draw, and of finer and finer ones around it."""
    best, step = np.tile((low + high) / 2, (losses.size, 1)), 0.02
    offsets = np.stack(np.meshgrid(np.arange(51), np.arange(51), indexing="ij"), -1).reshape(-1, 2) * step
    for draw in range(losses.size):
        one = replace(losses, draws=tuple({k: v[[draw]] for k, v in part.items()} for part in losses.draws))
        p, width = offsets, step
        for _ in range(7):
            p = np.column_stack([p, 1 - p.sum(axis=1)])
            p = p[((p >= low - 1e-12) & (p <= high + 1e-12)).all(axis=1)]
            padded = np.concatenate([p, np.tile(p[:1], (3000 - len(p), 1))])
            cost = one.mean(padded)[0]
            if kl:
                cost = cost + kl * (padded * np.log(np.maximum(padded, 1e-300) / natural)).sum(axis=1)
            best[draw] = padded[np.nanargmin(cost)]
            grid = np.linspace(-1.5, 1.5, 31) * width
            p = best[draw, :2] + np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
            p, width = np.concatenate([np.clip(p, low[:2], high[:2]), best[draw, None, :2]]), width / 7
    return best


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("name", ["mixture_exponential", "mixture_additive", "bimix", "mixture_linear"])
def test_optimum_of_each_draw_is_that_of_brute_force(posteriors, name, limits):
    fits = posteriors(name)
    found = bs.optimal_mixture(fits, at=AT, **limits)
    low, high = found.limits.to_numpy().T
    np.testing.assert_allclose(found.draws.sum(axis=1), 1, atol=1e-12)
    expected = brute_force(found.losses, low, high)
    if name == "mixture_linear":  # a corner of what is allowed
        free = (found.draws > low + 1e-9) & (found.draws < high - 1e-9)
        assert (free.sum(axis=1) <= 1).all()
    np.testing.assert_allclose(found.draws, expected, atol=1e-4)
    assert ((found.draws >= low) & (found.draws <= high)).to_numpy().all()


def test_the_penalty_holds_it_near_the_natural_mixture(posteriors):
    fits, natural = posteriors("mixture_exponential"), dict(web=0.7, code=0.3)
    free, held, fast = (bs.optimal_mixture(fits, natural=natural, kl=kl) for kl in (0.0, 0.2, 1e6))
    assert (held.draws["wiki"] == 0).all()  # the natural mixture has none
    expected = brute_force(held.losses, np.zeros(3), np.array([1.0, 1.0, 0.0]), 0.2, np.array([0.7, 0.3, 1.0]))
    np.testing.assert_allclose(held.draws, expected, atol=1e-4)
    np.testing.assert_allclose(fast.draws, np.tile([0.7, 0.3, 0], (len(fast.draws), 1)), atol=1e-4)
    assert free.draws["wiki"].mean() > 0.05


def test_closed_form_is_what_newton_finds(posteriors):
    losses = losses_of(posteriors("bimix"), weights=dict(web=2, code=1, wiki=1), at=AT)
    for low, high in ((np.zeros(3), np.ones(3)), (np.full(3, 0.1), np.array([0.4, 0.35, 1.0]))):
        closed = losses.best_of_each_draw(low, high)
        tiny = dict(kl=1e-12, natural=np.full(3, 1 / 3))  # a penalty of nothing leaves no closed form
        np.testing.assert_allclose(losses.best_of_each_draw(low, high, **tiny), closed, atol=1e-6)
    np.testing.assert_allclose(losses.weights, [0.5, 0.25, 0.25])


def test_closed_form_of_bimix(posteriors):
    """r_i is proportional to (alpha_i g_i)^(1 / (1 + alpha_i)) up to one factor in lambda (arXiv:2405.14908)."""
    fits = posteriors("bimix")
    r = bs.optimal_mixture(fits, at=AT).draws.to_numpy()
    prices = []
    for i, (_, post) in enumerate(fits.items()):
        alpha = post.flat_draws["alpha"]
        at_one = post.predict(r=1.0, S=1e4, kind="mean").draws[:, 0]
        prices.append(alpha * at_one * r[:, i] ** (-1 - alpha))
    np.testing.assert_allclose(prices[1:], [prices[0]] * 2, rtol=1e-9)


def test_many_domains_keep_the_conditions_of_an_optimum():
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        k = 17
        t, low, high = rng.normal(0, 2, (k, k)) - 5 * np.eye(k), np.zeros(k), np.full(k, 0.15)
        value = lambda p: jnp.exp(jnp.asarray(t) @ p).sum()  # noqa: E731
        start = inner_points(jnp.asarray(low), jnp.asarray(high))
        np.testing.assert_allclose(start.sum(axis=1), 1)
        p = np.asarray(least_on_simplex(value, jnp.asarray(low), jnp.asarray(high), start[0]))
        slope = np.asarray(jax.grad(value)(jnp.asarray(p)))
    inside = (p > 0) & (p < 0.15)
    price = slope[inside].mean()
    np.testing.assert_allclose(slope[inside], price, rtol=1e-7)
    assert (slope[p == 0] >= price).all()
    assert (slope[p == 0.15] <= price).all()
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_of_two_valleys_it_finds_the_deeper(posteriors):
    """A law of the user's own that is not convex: one valley towards web, a deeper one towards code."""

    @law(takes="*r", gives="loss")
    def two_valleys(*r):
        """L(r) = 3 - d (1.1 r_code^4 + r_web^4)"""
        d = sample("d", dist.LogNormal(0.0, 0.1))
        web, code, _ = (x.values for x in r)
        return 3 - d * (1.1 * code**4 + web**4)

    found = bs.optimal_mixture(posteriors(two_valleys)["web"])
    np.testing.assert_allclose(found.draws, np.tile([0, 1, 0], (len(found.draws), 1)), atol=1e-6)
    assert found.losses.targets == ("loss",)


def test_weights_choose_what_is_wanted(posteriors):
    fits = posteriors("bimix")
    only = bs.optimal_mixture(fits, dict(code=1), at=AT)
    assert only.best["code"] == pytest.approx(1, abs=1e-6)
    more = bs.optimal_mixture(fits, dict(web=1, code=3, wiki=1), at=AT)
    same = bs.optimal_mixture(fits, dict(web=2, code=6, wiki=2), at=AT)
    assert more.best["code"] > bs.optimal_mixture(fits, at=AT).best["code"]
    np.testing.assert_allclose(more.best, same.best, atol=1e-9)


def test_best_regret_and_what_natural_costs(posteriors):
    natural = dict(web=0.6, code=0.2, wiki=0.2)
    found = bs.optimal_mixture(posteriors("mixture_exponential"), natural=natural)
    at_best = found.regret()
    assert at_best >= 0
    for mixture in (natural, "m3", found.draws.mean(), dict(web=1 / 3, code=1 / 3, wiki=1 / 3)):
        assert found.regret(mixture) >= at_best - 1e-9
    own = found.losses.each(found.draws.to_numpy())[range(24), range(24)] @ found.losses.weights
    natural_loss = found.losses.mean(np.array([[0.6, 0.2, 0.2]]))[:, 0]
    assert found.regret(natural) == pytest.approx((natural_loss - own).mean(), rel=1e-9)
    assert (natural_loss - own >= -1e-10).all()

    versus = found.against()
    each = {d: found.losses.each(np.array([[0.6, 0.2, 0.2], found.best]))[:, :, i] for i, d in enumerate(DOMAINS)}
    for d, of in each.items():
        assert versus.loc[d, "P(better)"] == pytest.approx((of[:, 1] < of[:, 0]).mean())
        assert versus.loc[d, "median"] == pytest.approx(np.median(of[:, 0] - of[:, 1]))
    assert list(versus.index) == [*DOMAINS, "weighted mean"]
    assert found.against(found.best)["median"].abs().max() == 0
    assert found.against(found.best).loc["weighted mean", "P(better)"] == 0.5


def test_near_optimal_mixtures_are_near_optimal(posteriors):
    natural = dict(web=0.6, code=0.2, wiki=0.2)
    wide, narrow = (
        bs.optimal_mixture(posteriors("mixture_exponential"), natural=natural, floor=0.1, tolerance=t)
        for t in (0.01, 0.001)
    )
    for found, most in ((wide, 0.01), (narrow, 0.001)):
        p = found.near[DOMAINS].to_numpy()
        assert len(p) > 500
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
        assert (p >= 0.1 - 1e-9).all()
        expected = found.losses.expected(p)
        assert (expected <= expected[0] * (1 + most)).all()
        assert (expected >= expected[0] * (1 - 1e-9)).all()  # the best is the best
        assert expected.max() > expected[0] * (1 + 0.8 * most)  # to the edge of them
        low, high = found.near_optimal["low"], found.near_optimal["high"]
        assert ((low <= found.best) & (found.best <= high)).all()
    assert (wide.near_optimal["high"] - wide.near_optimal["low"]).sum() > 1.5 * (
        narrow.near_optimal["high"] - narrow.near_optimal["low"]
    ).sum()


def test_walkers_fill_a_ball():
    centre, radius = np.full(4, 0.25), 0.1
    p = walk(lambda x: ((x - centre) ** 2).sum(axis=1), centre, radius**2, np.zeros(4), np.ones(4), seed=0)
    far = np.sqrt(((p - centre) ** 2).sum(axis=1))
    assert far.max() <= radius * (1 + 1e-9)
    np.testing.assert_allclose(p.mean(axis=0), centre, atol=0.01)
    assert np.mean(far < radius / 2) == pytest.approx(1 / 8, abs=0.03)  # uniform in three dimensions


def test_the_hull_of_what_was_seen(posteriors):
    corners = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    far = beyond(np.array([[1 / 3] * 3, [0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.0, 0.5, 0.5]]), corners)
    np.testing.assert_allclose(far[:2], 0, atol=1e-9)
    assert (far[2:] > 0.02).all()

    fits = posteriors("bimix")
    found = bs.optimal_mixture(fits, at=AT)
    assert len(found.seen) == 12
    assert found.outside["best"] == 0
    only_code = bs.optimal_mixture(fits, dict(code=1), at=AT)
    assert only_code.outside["best"] > 0
    assert only_code.outside["draws"] == 1
    assert "outside the mixtures seen" in repr(only_code)
    far_off = bs.optimal_mixture(fits, at=AT, natural=dict(web=0.98, code=0.01, wiki=0.01))
    assert far_off.outside["natural"] > 0
    assert "natural lies outside the mixtures seen" in repr(far_off)
    assert bs.optimal_mixture(fits, at=AT, natural="m3").outside["natural"] == 0
    unknown = {d: _without_mixtures(post) for d, post in fits.items()}
    assert "whether this one lies beyond them is open" in repr(bs.optimal_mixture(unknown, at=AT))


def _without_mixtures(post):
    return replace(post, runs=bs.read_runs(post.runs.table[["r", "S", "loss"]]))


def test_repetition_caps_and_what_is_said(posteriors):
    fits = posteriors("bimix")
    free = bs.optimal_mixture(fits, at=AT)
    held = bs.optimal_mixture(fits, at=AT, tokens=dict(code="500M"), repeats=2)
    assert free.best["code"] > 0.05
    assert held.limits.loc["code", "high"] == pytest.approx(2 * 5e8 / 2e10)
    assert held.best["code"] == pytest.approx(0.05, abs=1e-9)
    assert "the cap decides for code" in repr(held)
    assert "the floor decides for wiki" in repr(bs.optimal_mixture(fits, at=AT, floor=dict(wiki=0.9)))
    same = bs.optimal_mixture(fits, at=AT, natural=free.best)
    assert "natural is itself near-optimal: nothing to gain" in repr(same)
    shown = held.table(level=0.8)
    assert list(shown.columns) == ["best", "near_low", "near_high", "median", "low80", "high80"]
    fixed = bs.optimal_mixture(fits, at=AT, floor=dict(web=0.5, code=0.3, wiki=0.2))
    np.testing.assert_allclose(fixed.best, [0.5, 0.3, 0.2])
    np.testing.assert_allclose(fixed.draws, np.tile([0.5, 0.3, 0.2], (24, 1)))


def test_refusals(posteriors, fitted):
    own, shares = posteriors("bimix"), posteriors("mixture_exponential")
    with pytest.raises(LawError, match="says nothing of mixtures"):
        bs.optimal_mixture(fitted)
    with pytest.raises(LawError, match="a fit of one law is needed, not DataFrame"):
        bs.optimal_mixture({"web": own["web"].runs.table}, at=AT)
    with pytest.raises(LawError, match="one domain only"):
        bs.optimal_mixture(own["web"], at=AT)
    with pytest.raises(RunsError, match="needs S"):
        bs.optimal_mixture(own, at={})
    with pytest.raises(LawError, match="no target maths"):
        bs.optimal_mixture(shares, dict(maths=1))
    with pytest.raises(LawError, match=r"caps sum to 0\.6"):
        bs.optimal_mixture(shares, cap=0.2)
    with pytest.raises(LawError, match=r"floors sum to 1\.5"):
        bs.optimal_mixture(shares, floor=0.5)
    with pytest.raises(LawError, match="no domain maths"):
        bs.optimal_mixture(shares, cap=dict(maths=0.2))
    with pytest.raises(LawError, match=r"sum to 1; these sum to 0\.5"):
        bs.optimal_mixture(shares, natural=dict(web=0.5))
    with pytest.raises(LawError, match="no mixture 'm99' among those seen"):
        bs.optimal_mixture(shares, natural="m99")
    with pytest.raises(RunsError, match="say how many tokens"):
        bs.optimal_mixture(shares, tokens=dict(web=1e9))
    with pytest.raises(LawError, match="say which that is"):
        bs.optimal_mixture(shares, kl=0.1)
    with pytest.raises(LawError, match="against which mixture"):
        bs.optimal_mixture(shares).against()
