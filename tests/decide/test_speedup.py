"""The speed-up of growing against closed forms, several ways of growing, and when to grow."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.law import law, named, prior, sample, split_at_center

SHORT = dict(discrepancy=False, chains=2, draws=250, second_try=False)
TRUE = dict(E=1.7, A=0.5 * 2e21**0.35, alpha=0.35, k1=0.0)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")


def table(**kappas):
    """Return a scratch curve and one of each operator, simulated."""
    rng, C = np.random.default_rng(5), np.geomspace(5e20, 1e22, 10)
    arms = [None, *kappas]
    rows = pd.DataFrame(dict(C=np.tile(C, len(arms)), arm=np.repeat(np.arange(len(arms)), 10)))
    for j, k in enumerate(kappas, start=1):
        rows[k] = (rows["arm"] == j).astype(float)
    truth = TRUE | {k.replace("grown", "kappa"): v for k, v in kappas.items()}
    loss = named("growth_effective_compute").evaluate(truth, **{c: rows[c] for c in ("C", *kappas)})
    return rows.drop(columns="arm").assign(loss=loss * np.exp(0.001 * rng.standard_normal(len(rows))))


@pytest.fixture(scope="module")
def grown():
    return bs.fit("growth_effective_compute", table(grown=1.5), **SHORT)


@pytest.fixture(scope="module")
def operators():
    return bs.fit("growth_effective_compute", table(grown_direct=1.5, grown_random=0.8), **SHORT)


def test_speed_up_of_each_draw_is_the_closed_form(grown):
    d = grown.flat_draws
    found = bs.speedup(grown, loss=2.1, N="7B")
    effective = (d["A"] / (2.1 - d["E"])) ** (1 / d["alpha"])
    # kappa C = kappa_0 C^(1 + k1) / center^k1
    C_grown = (effective / d["kappa"] * grown.centers["C"] ** d["k1"]) ** (1 / (1 + d["k1"]))
    np.testing.assert_allclose(found.draws["C_scratch"], effective, rtol=1e-6)
    np.testing.assert_allclose(found.draws["C_grown"], C_grown, rtol=1e-6)
    np.testing.assert_allclose(found.draws["speedup_percent"], 100 * (effective / C_grown - 1), rtol=1e-5)
    np.testing.assert_allclose(found.draws["D_saved"], (effective - C_grown) / (6 * 7e9), rtol=1e-5)
    assert found.beats_scratch["grown"] == np.mean(effective > C_grown)
    low, high = np.quantile(found.draws["speedup_percent"], [0.005, 0.995])
    assert low < 50 < high
    assert "speed-up of growing for loss = 2.1, N = 7B" in repr(found) and "beyond" not in repr(found)


def test_at_a_budget_it_is_the_same_as_at_the_loss_that_it_comes_to(grown):
    by_compute = bs.speedup(grown, C="2e21")
    d = grown.flat_draws
    kappa = d["kappa"] * (2e21 / grown.centers["C"]) ** d["k1"]
    np.testing.assert_allclose(by_compute.draws["kappa"], kappa, rtol=1e-6)
    np.testing.assert_allclose(by_compute.draws["C_grown"], 2e21, rtol=1e-12)
    one = bs.speedup(grown.thinned(1), loss=float(by_compute.draws["loss"][250]))
    expected = bs.speedup(grown.thinned(1), C=2e21).draws["loss"][0]
    assert bs.speedup(grown.thinned(1), loss=expected).draws["C_grown"][0] == pytest.approx(2e21, rel=1e-6)
    assert len(one.draws) == 1


def test_several_operators_and_which_is_best(operators):
    found = bs.speedup(operators, C=2e21)
    assert list(found.draws) == ["direct", "random"]
    assert found.best.sum() == pytest.approx(1) and list(found.best.index) == ["direct", "random", "scratch"]
    assert found.best["direct"] > 0.95 and found.beats_scratch["random"] < 0.05
    assert "P(least of all): direct" in repr(found)
    alone = bs.speedup(operators, C=2e21, operator="random")
    np.testing.assert_allclose(alone.draws["speedup_percent"], found.draws["random"])
    assert (alone.draws["C_saved"] < 0).mean() > 0.95


def test_beyond_the_runs_is_said_and_below_the_floor_refused(grown):
    far = float(np.quantile(grown.flat_draws["E"], 0.999)) + 0.15
    assert "beyond" in repr(bs.speedup(grown, loss=far))
    floor = float(np.median(grown.flat_draws["E"]))
    some = bs.speedup(grown, loss=floor + 1e-4)
    assert (
        some.lost > 0 and "neither arm ever comes to this loss" in repr(some) and np.isfinite(some.draws).all(axis=None)
    )
    with pytest.raises(LawError, match="out of reach in 100% of the draws"):
        bs.speedup(grown, loss=0.1)


def test_refusals(grown, operators, fitted):
    with pytest.raises(RunsError, match="one of them"):
        bs.speedup(grown)
    with pytest.raises(RunsError, match="one of them"):
        bs.speedup(grown, loss=2.1, C=1e21)
    with pytest.raises(LawError, match=r"needs a law with \*grown.*; chinchilla takes N, D"):
        bs.speedup(fitted, loss=2.1)
    with pytest.raises(LawError, match="no operator 'learn': the runs have direct, random"):
        bs.speedup(operators, loss=2.1, operator="learn")
    with pytest.raises(RunsError, match="does not go by B"):
        bs.speedup(grown, loss=2.1, B=1e6)


def test_a_law_of_ones_own_over_tokens():
    """Found by its star argument, not by its name; compute follows from tokens at a size."""

    @law(takes=("D", "*grown"))
    def grown_tokens(D, *grown):
        """L = E + B / (kappa D)^beta"""
        E, b = split_at_center("E", "B")
        beta = sample("beta", prior.exponent(0.35, spread=0.4), of=b)
        kappa = sample("kappa", prior.positive(1.4, spread=0.4))
        return E + b * (D / D.center) ** -beta * kappa ** (-beta * sum(x.values for x in grown))

    rows = table(grown=1.5)
    post = bs.fit(grown_tokens, rows.drop(columns="C").assign(D=rows["C"] / (6 * 7e9)), **SHORT)
    found = bs.speedup(post, loss=2.1, N=7e9)
    np.testing.assert_allclose(found.draws["kappa"], post.flat_draws["kappa"], rtol=1e-6)
    with pytest.raises(RunsError, match="needs N"):
        bs.speedup(post, loss=2.1)


# -- when to grow -------------------------------------------------------------------------------------

STAGES = dict(E=1.5, A=60.0, a1=0.32, a2=0.40, a3=0.012)


@pytest.fixture(scope="module")
def stages():
    rng = np.random.default_rng(2)
    d, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e9, 5e10, 6), np.geomspace(5e9, 2e11, 6)))
    loss = named("growth_two_stage").evaluate(STAGES, d=d, D=D) * np.exp(0.002 * rng.standard_normal(36))
    return bs.fit("growth_two_stage", dict(d=d, D=D, loss=loss), **SHORT)


def test_the_best_time_to_grow_is_that_of_a_fine_grid(stages):
    found = bs.optimal_growth(stages, N="1.1B", C="6e20", g=4)
    draw = {k: stages.flat_draws[k][7] for k in stages.law.constants}
    tokens = 6e20 / (6 * 1.1e9)
    d = np.geomspace(1e8, 3.9 * tokens, 200_001)
    loss = stages.law.evaluate(draw, d=d, D=tokens - d / 4)
    assert found.draws["d"][7] == pytest.approx(d[loss.argmin()], rel=1e-3)
    np.testing.assert_allclose(found.draws["D"] + found.draws["d"] / 4, tokens, rtol=1e-9)
    given = bs.optimal_growth(stages, N="1.1B", C="6e20", g=4, d="1B")
    assert (given.draws["excess"] >= -1e-9).all() and given.draws["excess"][7] == pytest.approx(
        stages.law.evaluate(draw, d=1e9, D=tokens - 2.5e8) / loss.min() - 1, rel=1e-3
    )


def test_growing_against_scratch(stages, fitted):
    found = bs.optimal_growth(stages, N="1.1B", C="6e20", scratch=fitted)
    at = fitted.predict(N=1.1e9, C=6e20, kind="mean").median[0]
    assert found.gain.median() == pytest.approx(at - found.candidates["loss"].min(), abs=0.02)
    assert f"P(growing beats scratch) = {found.beats_scratch:.3f}" in repr(found)


def test_when_to_grow_needs_a_law_that_knows(fitted):
    with pytest.raises(LawError, match=r"best time to grow needs a law with d or g in it.*; chinchilla takes N, D"):
        bs.optimal_growth(fitted, N="1B", C="1e21")
