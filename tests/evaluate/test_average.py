"""Mixtures of laws: what weights are made of, and that forecasts are those of the members, draw by draw."""

from dataclasses import replace

import arviz_stats
import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.elpd import arviz_loo, loo
from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.backtest import bands
from bayesscale.evaluate.members import stacking
from bayesscale.forecast import log_density

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
BIG = dict(N=["7B", "70B"], D="1.4T")


@pytest.fixture(scope="module")
def mixed(pair):
    return bs.average(pair, {"chinchilla": 3, "power(C)": 1})


# -- weights -----------------------------------------------------------------------------------------------------------


def test_stacking_finds_the_best_mixture():
    """Two laws, each right on its rows: half and half; one that is better everywhere takes all."""
    p = np.log([[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_allclose(stacking(p), [0.5, 0.5])
    np.testing.assert_allclose(stacking(np.log([[0.9, 0.1], [0.8, 0.7]])), [1, 0], atol=1e-6)
    density = np.random.default_rng(0).uniform(0.1, 1, (50, 3))
    best = np.log(density @ stacking(np.log(density))).sum()
    for other in np.random.default_rng(1).dirichlet(np.ones(3), 200):
        assert np.log(density @ other).sum() <= best + 1e-6


def test_stacking_is_arviz(pair):
    theirs = arviz_stats.compare({k: arviz_loo(p.data) for k, p in pair.items()}, method="stacking", round_to="none")
    ours = stacking(np.column_stack([loo(post).pointwise for post in pair.values()]))
    np.testing.assert_allclose(ours, theirs["weight"][list(pair)], atol=2e-3)


def test_weights_are_shrunk_toward_equal(pair, ladder):
    """lambda = J / (J + K) of the way to stacking, J the factors of two in compute."""
    found = bs.average(pair, "loo").weights
    J = len(np.unique(bands(ladder.column("C"))))
    stacked = stacking(np.column_stack([loo(post).pointwise for post in pair.values()]))
    np.testing.assert_allclose(found, J / (J + 2) * stacked + 2 / (J + 2) / 2)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(bs.average(list(pair.values()), "equal").weights, 0.5)


def test_bands_are_factors_of_two():
    assert list(bands(np.array([1e20, 1.5e20, 2e20, 3.9e20, 8e20]))) == [0, 0, 1, 1, 3]


def test_weights_of_a_rollout_are_those_of_the_backtest(pair, ladder, short):
    how = dict(cutoffs=(0.5, 0.75))
    found = bs.average(pair, "rollout", **how)
    table = bs.backtest(ladder, list(pair), **how, **short).table
    scores = table.pivot_table(index="row", columns="law", values="log_score")[list(pair)]  # the mean over cutoffs
    held_out = ladder.column("C")[scores.index]
    J = len(np.unique(bands(held_out)))
    np.testing.assert_allclose(found.weights, J / (J + 2) * stacking(scores) + 1 / (J + 2), rtol=1e-6)
    assert found.rollout.laws == tuple(pair)


def test_a_comparison_is_not_rolled_out_again(pair):
    compared = bs.compare(pair, rollout=(0.5,))
    found = bs.average(compared)
    assert found.rollout is compared.rollout
    assert list(found.weights.index) == list(pair)


# -- forecasts ---------------------------------------------------------------------------------------------------------


def test_draws_are_shared_out_by_weight(mixed):
    assert mixed.shares == {"chinchilla": 375, "power(C)": 125}
    assert list(mixed.members) == ["chinchilla"] * 375 + ["power(C)"] * 125
    thirds = bs.average({str(i): mixed.posteriors["chinchilla"] for i in range(3)}, "equal")
    assert sorted(thirds.shares.values()) == [166, 167, 167]


def test_a_forecast_is_that_of_the_members_one_behind_the_other(mixed):
    made = mixed.predict(**BIG, kind="mean")
    assert made.draws.shape == (500, 2)
    for name, post in mixed.resampled().items():
        own = post.predict(**BIG, kind="mean").draws
        np.testing.assert_array_equal(made.draws[mixed.members == name], own)
    every = mixed.posteriors["power(C)"].predict(**BIG, kind="mean").draws
    assert set(made.draws[-125:, 0]) <= set(every[:, 0]), "draws are kept or left out, never changed"
    assert "average of chinchilla, power(C)" in repr(made)
    assert "weights as given" in made.caveat


def test_a_forecast_is_the_mixture(mixed):
    made = mixed.predict(**BIG)
    limit = np.median(made.draws, axis=0)[0]
    parts = [post.predict(**BIG).probability(below=limit).iloc[0] for post in mixed.posteriors.values()]
    assert made.probability(below=limit).iloc[0] == pytest.approx(np.dot(mixed.weights, parts), abs=0.05)
    np.testing.assert_array_equal(made.draws, mixed.predict(**BIG).draws)
    assert (made.draws != mixed.predict(**BIG, seed=1).draws).any()


def test_density_of_the_mixture(mixed, ladder):
    by_hand = sum(
        w * np.exp(log_density(p, ladder)) for w, p in zip((0.75, 0.25), mixed.posteriors.values(), strict=True)
    )
    np.testing.assert_allclose(mixed.log_density(ladder), np.log(by_hand))


def test_a_law_without_weight_has_no_draws(pair):
    alone = bs.average(pair, {"chinchilla": 1, "power(C)": 0})
    assert list(alone.resampled()) == ["chinchilla"]
    np.testing.assert_array_equal(
        alone.predict(**BIG, kind="mean").draws, pair["chinchilla"].predict(**BIG, kind="mean").draws
    )


def test_a_short_member_has_its_draws_more_than_once(pair, ladder, short):
    longer = bs.fit("power(C)", ladder, **{**short, "draws": 500})
    mixed = bs.average([pair["chinchilla"], longer], {"chinchilla": 0.9, "power(C)": 0.1})
    assert mixed.shares == {"chinchilla": 900, "power(C)": 100}
    thinned = mixed.resampled()["chinchilla"].draws["alpha"]
    assert thinned.shape == (1, 900)
    assert thinned.mean() == pytest.approx(pair["chinchilla"].draws["alpha"].mean(), rel=0.02)


def test_figures_and_words(mixed):
    ax = bs.plots.forecast(mixed, targets="1e23", n=4)
    assert ax.get_xlabel().startswith("training compute C")
    assert "0.750" in repr(mixed)
    assert "<table" in mixed._repr_html_()


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_refusals(pair, ladder, short):
    other = bs.fit("power(C)", ladder.select(slice(0, 14)), **short)
    with pytest.raises(RunsError, match="different tables"):
        bs.average([pair["chinchilla"], other])
    of_steps = replace(pair["power(C)"], law=replace(pair["power(C)"].law, gives="S"))
    with pytest.raises(RunsError, match=r"chinchilla gives loss, .* gives S"):
        bs.average({"chinchilla": pair["chinchilla"], "steps": of_steps})
    with pytest.raises(LawError, match='"rollout", "loo", "equal"'):
        bs.average(pair, "waic")
    with pytest.raises(LawError, match="the laws are chinchilla, power"):
        bs.average(pair, {"chinchilla": 1})
    with pytest.raises(LawError, match="not negative"):
        bs.average(pair, pd.Series({"chinchilla": 1, "power(C)": -1}))
    with pytest.raises(LawError, match="average takes fits"):
        bs.average(["chinchilla"])
    with pytest.raises(LawError, match="names of text, not 1"):
        bs.average({1: pair["chinchilla"], 2: pair["power(C)"]}, "equal")
    with pytest.raises(LawError, match="only weights from a rollout"):
        bs.average(pair, "loo", cutoffs=(0.5,))
    with pytest.raises(RunsError, match="no cutoff of C"):
        bs.average(pair, "rollout", cutoffs=(0.1,))
    with pytest.raises(RunsError, match="needs D"):
        bs.average(pair, "equal").predict(N="70B")


def test_a_member_in_the_way_of_a_decision_is_named(pair):
    mixed = bs.average(pair, "equal")
    with pytest.raises(
        LawError, match=r"in the average power\(C\) takes C: leave it out of the average, or fit another"
    ):
        bs.allocate(mixed, C="1e22")
    with pytest.raises(LawError, match=r"with B in it.*; in the average chinchilla takes N and D, power\(C\) takes C"):
        bs.optimal_batch(mixed, N="1B", D="20B")
    # Without a weight it is in nobody's way.
    alone = bs.average(pair, {"chinchilla": 1, "power(C)": 0})
    np.testing.assert_allclose(bs.allocate(alone, C="1e22").draws, bs.allocate(pair["chinchilla"], C="1e22").draws)


def test_decisions_and_parts_take_an_average_as_one_posterior(fitted):
    """The mixture of a fit with itself decides as the fit does, and no part of its interval is the choice of law."""
    twice = bs.average({"one": fitted, "other": fitted}, weights={"one": 0.5, "other": 0.5})
    alone, both = bs.allocate(fitted, C="1e23"), bs.allocate(twice, C="1e23")
    assert len(both.draws) == len(alone.draws)
    np.testing.assert_allclose(np.log(both.table()), np.log(alone.table()), atol=0.25)
    parts = twice.predict(N="70B", D="1.4T").parts()
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert parts["law choice"].abs().max() < 0.01
