"""Two laws, one behind the other: loss, then accuracy, drawn together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.forecast import expectation
from bayesscale.law import Law, prior, sample
from bayesscale.models import accuracy_hill
from bayesscale.scale import LOGIT

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
SHORT = dict(chains=2, draws=300, second_try=False)
BIG = dict(N=["3B", "7B"], D=["100B", "1T"])


def a_task(seed=0, chance=0.25):
    """Return 16 runs with their loss on a task and their accuracy, which follows from it."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, 4), 4)
    D = 20 * N * np.tile([1.0, 2.0, 5.0, 10.0], 4)
    loss = 0.5 + 0.5 * (N / 5e8) ** -0.3 + 0.3 * (D / 5e10) ** -0.3
    loss = loss * np.exp(0.01 * rng.standard_normal(16))
    true = accuracy_hill.evaluate(dict(Q_0=0.3, slope=5.0, guess=0.0, missed=0.01), loss=loss, chance=chance)
    accuracy = LOGIT.back(LOGIT.to(true) + 0.03 * rng.standard_normal(16))
    return pd.DataFrame(dict(N=N, D=D, loss=loss, accuracy=accuracy, chance=chance))


@pytest.fixture(scope="module")
def runs():
    return bs.read_runs(a_task())


@pytest.fixture(scope="module")
def first(runs):
    return bs.fit("chinchilla", runs, discrepancy=False, **SHORT)


@pytest.fixture(scope="module")
def second(runs):
    return bs.fit("accuracy_hill", runs, **SHORT)


@pytest.fixture(scope="module")
def chained(first, second):
    return bs.chain(first, second)


@pytest.fixture(scope="module")
def direct(runs):
    return bs.fit("accuracy_direct", runs, discrepancy=False, **SHORT)


@pytest.fixture(scope="module")
def bent(runs):
    """Return a first step that may bend away from its law."""
    return bs.fit("chinchilla", runs, **SHORT)


def near(forecast, draws, *, quantiles=(0.05, 0.25, 0.5, 0.75, 0.95), within=0.2):
    """Say whether a forecast has the quantiles of draws that were made in another way, within so many of their sd."""
    ours, theirs = (np.quantile(LOGIT.to(x), quantiles, axis=0) for x in (forecast.draws, draws))
    return np.all(np.abs(ours - theirs) < within * LOGIT.to(draws).std(axis=0))


# -- forecasts ---------------------------------------------------------------------------------------------------------


def test_a_forecast_is_a_loss_drawn_and_then_an_accuracy(chained, first, second):
    """By hand: for each draw of a loss a draw of the link, and what a run scatters around both."""
    rng = np.random.default_rng(5)
    link = second.flat_draws

    def accuracy(loss):
        return expectation(second.law, link, dict(loss=loss, chance=np.full(2, 0.25)), second.centers)

    scatter = link["sigma"][:, None] * rng.standard_t(link["nu"][:, None], (600, 2))
    by_hand = LOGIT.back(LOGIT.to(accuracy(first.predict(**BIG, seed=11).draws)) + scatter)
    made = chained.predict(**BIG)
    assert made.draws.shape == (600, 2)
    # The same draws of both laws; only what runs scatter is drawn anew.
    assert near(made, by_hand, quantiles=(0.1, 0.25, 0.5, 0.75, 0.9), within=0.25)
    expected = accuracy(first.predict(**BIG, kind="mean").draws)
    np.testing.assert_allclose(chained.predict(**BIG, kind="mean").draws, expected, rtol=1e-9)


def test_not_knowing_the_loss_widens_the_interval(chained, first, second):
    both = chained.predict(**BIG)
    given = second.predict(loss=first.predict(**BIG).median)
    wider = LOGIT.to(both.draws).std(axis=0) / LOGIT.to(given.draws).std(axis=0)
    assert (wider > 1.05).all()
    np.testing.assert_allclose(both.median, given.median, atol=0.01)


def test_the_parts_of_an_interval(chained, bent, second):
    made = chained.predict(**BIG)
    assert list(made.logs) == ["parameters", "loss", "noise"]
    np.testing.assert_allclose(LOGIT.to(made.draws), sum(made.logs.values()), rtol=1e-9, atol=1e-12)
    parts = made.parts()
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert (parts["loss"] > 0.05).all()
    assert list(chained.predict(**BIG, kind="mean").logs) == ["parameters", "loss"]
    # How the loss may bend away from its law is a part of its own, the larger the further.
    parts = bs.chain(bent, second).predict(N=["1B", "70B"], D=["40B", "14T"]).parts()
    assert list(parts) == ["parameters", "loss", "discrepancy", "noise"]
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert parts["discrepancy"].iloc[1] > max(0.05, parts["discrepancy"].iloc[0])


def test_same_seed_same_draws(chained):
    one = chained.predict(**BIG, seed=3).draws
    np.testing.assert_array_equal(one, chained.predict(**BIG, seed=3).draws)
    assert (one != chained.predict(**BIG, seed=4).draws).all()


def test_chance_goes_without_saying_where_it_is_one(chained):
    assert chained.fixed == dict(chance=0.25)
    unsaid, said = chained.predict(**BIG), chained.predict(**BIG, chance=0.25)
    np.testing.assert_array_equal(unsaid.draws, said.draws)
    assert (unsaid.targets["chance"] == 0.25).all()
    # The same questions with two options: guessing alone does better.
    easier = chained.predict(**BIG, chance=0.5)
    assert (easier.median > unsaid.median + 0.03).all()
    assert (easier.draws > 0.35).all()


def test_chance_must_be_said_where_it_differs(runs, first, second):
    table = runs.table.assign(chance=np.resize([0.25, 0.2], 16))
    link = replace(second, runs=bs.read_runs(table))
    assert link.fixed == {}
    with pytest.raises(RunsError, match="the forecast needs chance"):
        bs.chain(first, link).predict(**BIG)


@pytest.mark.parametrize("which", ["first", "bent"])
def test_how_far_the_targets_lie_is_said_as_of_the_loss(which, second, request):
    loss = request.getfixturevalue(which)
    made, of_loss = bs.chain(loss, second).predict(**BIG), loss.predict(**BIG)
    np.testing.assert_array_equal(made.reach, of_loss.reach)
    np.testing.assert_array_equal(made.outside, of_loss.outside)
    assert made.outside.all() and made.reach.max() > 10
    assert made.caveat == of_loss.caveat
    assert ("is part of the interval" in made.caveat) == (which == "bent")
    assert made.gives == "accuracy" and made.unit == ""
    assert "forecast of the accuracy of a new run" in repr(made)


def with_tokens(loss, D):
    """Acc = 1 / (1 + (L / L_0)^slope), over the tokens too, which do nothing."""
    at = sample("L_0", prior.positive(1.0, spread=0.5))
    slope = sample("slope", prior.positive(4.0, spread=0.7))
    return 1 / (1 + (loss / at) ** slope) + 0 * D.log


def test_a_bend_of_the_second_law_is_not_lost(runs, first):
    law = Law(with_tokens, ("loss", "D"), "accuracy", scatter=0.03, scale=LOGIT)
    link = bs.fit(law, runs, **{**SHORT, "draws": 100, "warmup": 300})
    assert link.bends is not None
    made = bs.chain(first, link).predict(**BIG, kind="mean")
    assert list(made.logs) == ["parameters", "loss", "discrepancy"]
    alone = link.predict(loss=1.0, D=BIG["D"], kind="mean").logs["discrepancy"]
    np.testing.assert_allclose(made.logs["discrepancy"], alone, rtol=1e-9, atol=1e-12)


def test_draws_are_as_many_as_the_shorter_fit_has(first, second):
    made = bs.chain(first.thinned(450), second)
    assert made.size == 450
    assert made.predict(**BIG).draws.shape == (450, 2)
    assert made.thinned(100).predict(**BIG).draws.shape == (100, 2)
    both = bs.chain(first, second).predict(**BIG)
    assert near(made.predict(**BIG), both.draws, quantiles=(0.25, 0.5, 0.75), within=0.3)


def test_in_words(chained):
    assert chained.law.name == "chinchilla, then accuracy_hill"
    assert chained.law.columns == ("N", "D", "chance")
    assert (chained.law.gives, chained.law.scale) == ("accuracy", LOGIT)
    for formula in (chained.first.law.formula, chained.second.law.formula):
        assert formula in repr(chained)


def test_trouble_of_either_fit_is_said(chained):
    said = dict(first="R-hat 1.2", second="3 divergent transitions")
    poor = {k: replace(getattr(chained, k), settings=dict(trouble=wrong)) for k, wrong in said.items()}
    made = bs.chain(**poor)
    assert made.settings["trouble"] == "chinchilla: R-hat 1.2; accuracy_hill: 3 divergent transitions"
    assert "not to be trusted as it stands: chinchilla" in repr(made)
    assert "3 divergent" in bs.average([made], weights="equal").settings["trouble"]


# -- what cannot be chained --------------------------------------------------------------------------------------------


def test_what_cannot_be_chained_is_refused(first, second, direct, pooled):
    with pytest.raises(LawError, match="accuracy_direct takes N, D, chance, not loss, which chinchilla gives"):
        bs.chain(first, direct)
    with pytest.raises(LawError, match="takes N, D, not accuracy, which accuracy_hill gives"):
        bs.chain(second, first)
    for pair in (("chinchilla", second), (first, {"a": second}), (pooled[0], second)):
        with pytest.raises(LawError, match="chain takes two fits, or two pooled fits"):
            bs.chain(*pair)


# -- several tasks -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pooled():
    """Return two steps of two tasks, fitted together."""
    tables = [a_task(seed, chance).assign(task=name) for seed, (name, chance) in enumerate((("a", 0.25), ("b", 0.5)))]
    table, how = (
        bs.read_runs(pd.concat(tables, ignore_index=True)),
        dict(over="task", discrepancy=False, **{**SHORT, "draws": 100, "warmup": 300}),
    )
    return bs.fit_pooled("chinchilla", table, **how), bs.fit_pooled("accuracy_hill", table, **how)


def test_pooled_fits_are_chained_group_by_group(pooled):
    made = bs.chain(*pooled)
    assert list(made) == ["a", "b"]
    for name, each in made.items():
        assert each.first is pooled[0][name] and each.second is pooled[1][name]
        assert each.fixed == dict(chance={"a": 0.25, "b": 0.5}[name])
        forecast = each.predict(**BIG)
        assert ((forecast.draws > 0) & (forecast.draws < 1)).all()
    assert (made["b"].predict(**BIG).median > made["a"].predict(**BIG).median).all()


def test_groups_must_be_the_same(pooled):
    with pytest.raises(LawError, match="different groups: b in one of them only"):
        bs.chain(pooled[0], {"a": pooled[1]["a"]})


# -- averages ----------------------------------------------------------------------------------------------------------


def test_an_average_of_two_steps_and_one(chained, direct):
    mixed = bs.average([chained, direct], weights="equal")
    assert list(mixed.weights.index) == ["chinchilla, then accuracy_hill", "accuracy_direct"]
    assert mixed.shares == {"chinchilla, then accuracy_hill": 300, "accuracy_direct": 300}
    assert mixed.fixed == dict(chance=0.25)
    made = mixed.predict(**BIG)
    assert made.draws.shape == (600, 2)
    assert ((made.draws > 0) & (made.draws < 1)).all()
    level = made.median[1]
    of_each = [p.predict(**BIG).probability(above=level).iloc[1] for p in (chained, direct)]
    assert made.probability(above=level).iloc[1] == pytest.approx(np.mean(of_each), abs=0.08)
    parts = made.parts()
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert "law choice" in parts
    assert "equal weights" in made.caveat
    own = bs.average({"two": chained, "one": direct}, weights={"two": 3, "one": 1})
    assert own.shares == {"two": 450, "one": 150}
    alone = bs.average([chained], weights="equal").predict(**BIG)
    assert near(alone, chained.predict(**BIG).draws, quantiles=(0.25, 0.5, 0.75), within=0.3)


def test_an_average_of_what_bends_says_so(bent, second):
    made = bs.average([bs.chain(bent, second)] * 2, weights="equal").predict(**BIG)
    assert "how far the truth may bend away from the law is part of the interval" in made.caveat
    assert "discrepancy" in made.parts()


@pytest.mark.parametrize("weights", ["loo", "rollout"])
def test_weights_that_a_chain_cannot_have(chained, direct, weights):
    with pytest.raises(LawError, match=r'is two fits, without one likelihood: average it with weights="equal" or your'):
        bs.average([chained, direct], weights=weights)


def test_fits_of_other_tables_cannot_stand_beside_a_chain(chained, runs, first, direct):
    other = replace(direct, runs=runs.select(slice(0, 14)))
    with pytest.raises(RunsError, match="different tables"):
        bs.average([chained, other], weights="equal")
    with pytest.raises(RunsError, match="predict different columns"):
        bs.average([chained, first], weights="equal")
