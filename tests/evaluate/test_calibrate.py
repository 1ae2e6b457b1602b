"""Simulation-based calibration: what is simulated, how the truth is ranked, and that wrong models are found."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.discrepancy import Discrepancy
from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.calibrate import shape_of, uniformity
from bayesscale.evaluate.simulate import simulate
from bayesscale.law import prior
from bayesscale.noise import Normal

PLAN = dict(C=np.geomspace(1e18, 1e21, 12))
# Twelve rows fill the same program as sixteen: the one of tests/test_calibration.py.
POWER = dict(simulations=30, typical="2.5", seed=3)


@pytest.fixture(scope="module")
def honest():
    return bs.calibrate("power(C)", PLAN, targets=dict(C=["1e21", "1e23"]), **POWER)


def test_an_honest_model_holds(honest):
    assert honest.holds
    found = honest.summary()
    assert set(found.index) == {
        *("alpha", "level", "reducible", "nu", "sigma", "log likelihood"),
        *("loss at C = 1e21", "loss at C = 1e23"),
    }
    by_hand = honest.table.groupby("quantity")["in80"].mean()
    np.testing.assert_allclose(found["coverage80"], by_hand[found.index])
    assert (found["verdict"] == "as it should be").all()
    assert "ranked evenly" in repr(honest)
    assert "bs.backtest" in repr(honest)


def test_a_rank_is_where_the_truth_lies(honest):
    table = honest.table
    assert honest.simulations == 30
    assert table["rank"].between(0, honest.kept).all()
    assert (np.floor(table["pit"] * (honest.kept + 1)) == table["rank"]).all()
    # Draws and thinned draws agree: a truth above the median of all has at least nearly half of the kept below it.
    above = table["truth"] > table["median"]
    assert (table.loc[above, "rank"] > 35).all()
    assert (table.loc[~above, "rank"] < 64).all()


def test_a_wrong_law_is_found():
    """The truth bends away from the law, and the fit does not know: its intervals are too narrow."""
    found = bs.calibrate("power(C)", PLAN, truth_discrepancy=True, targets=dict(C="1e23"), **POWER)
    assert not found.holds
    assert found.summary().loc["level", "verdict"] == "intervals too narrow"
    assert found.summary().loc["level", "coverage95"] < 0.7
    assert "log likelihood" not in set(found.table["quantity"])  # the truth is none of what was fitted
    assert "another model" in repr(found)


def test_a_wrong_noise_is_found():
    """The truth scatters 25 times as much as the fit's prior has it: .006."""
    noise = bs.noise.StudentT(sigma=prior.positive(0.15, spread=0.1))
    found = bs.calibrate("power(C)", PLAN, truth_noise=noise, **POWER)
    assert not found.holds
    assert found.summary().loc["sigma", "verdict"] == "too low"
    assert "sigma: too low (p = " in repr(found)


def test_fits_in_trouble_are_kept_and_said(honest):
    troubled = dataclasses.replace(honest, trouble={7: "R-hat 1.200"})
    assert "1 of 30 fits were in trouble (simulation 7: R-hat 1.200); they are kept" in repr(troubled)
    assert set(honest.table["simulation"]) == set(range(30))


def test_uniformity_and_its_words():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(200)
    pit = {
        "too low": stats.norm.cdf(z + 0.6),
        "too high": stats.norm.cdf(z - 0.6),
        "intervals too narrow": stats.norm.cdf(z / 0.6),
        "intervals too wide": stats.norm.cdf(0.6 * z),
    }
    for words, values in pit.items():
        assert shape_of(values) == words
        assert uniformity(values) < 1e-3
    alarms = [uniformity(rng.uniform(size=50)) < 0.05 for _ in range(400)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.04)


def simulated(design, *, noise, discrepancy=None, law="power(C)", targets=None, n=400, kind="new-run"):
    return simulate(
        bs.law.named(law),
        noise,
        discrepancy,
        bs.read_runs(design),
        targets=targets,
        kind=kind,
        typical=2.5,
        simulations=n,
        seed=0,
    )


def test_tables_come_from_the_prior_by_the_law():
    """With next to no noise a table is the law at its constants, and its typical value the one that was asked for."""
    quiet = Normal(sigma=prior.positive(1e-9, spread=0.1))
    made = simulated(PLAN, noise=quiet, targets=dict(C=["1e22"]))
    law, truth = bs.models.power("C"), made.parameters
    for i in (0, 399):
        constants = {k: truth[k][i] for k in law.priors()}
        center = stats.gmean(PLAN["C"])
        level = truth["level"][i] * 2.5
        E, a = level * (1 - constants["reducible"]), level * constants["reducible"]
        alpha = constants[next(k for k in constants if k not in ("level", "reducible"))]
        by_hand = E + a * (PLAN["C"] / center) ** -alpha
        np.testing.assert_allclose(made.tables[i].column("loss"), by_hand, rtol=1e-6)
        assert made.values[i, 0] == pytest.approx(E + a * (1e22 / center) ** -alpha, rel=1e-6)
    assert np.median(truth["level"]) == pytest.approx(1.0, abs=0.03)


def test_runs_share_what_they_have_of_their_own_and_errors_scatter():
    noise = Normal(sigma=prior.positive(1e-9, spread=0.1), sigma_run=prior.positive(0.05, spread=0.01))
    design = pd.DataFrame(dict(run=list("aabbcc"), C=np.geomspace(1e18, 1e20, 6), weight=3.0))
    targets = dict(run=["a", "new"], C=[1e21, 1e21])
    made = simulated(design, noise=noise, targets=targets)
    rest = np.log([t.column("loss") for t in made.tables]) - np.log(
        np.array([t.column("loss") for t in simulated(design, noise=noise, targets=targets, kind="mean").tables])
    )
    assert np.allclose(rest, 0)  # the same seed, the same tables: only what is true of the targets differs
    effects = np.log(made.values) - np.log(simulated(design, noise=noise, targets=targets, kind="mean").values)
    np.testing.assert_allclose(effects[:, 0], made.parameters["run_effect"][:, 0], atol=1e-6)
    assert np.std(effects[:, 1]) == pytest.approx(0.05, rel=0.2)
    assert np.corrcoef(effects.T)[0, 1] == pytest.approx(0.0, abs=0.15)
    assert "weight" not in made.tables[0].columns

    design = pd.DataFrame(dict(C=np.geomspace(1e18, 1e20, 6), loss=2.0, loss_error=0.1))
    made = simulated(design, noise=Normal(sigma=prior.positive(1e-9, spread=0.1)))
    relative = [t.column("loss_error") / t.column("loss") for t in made.tables]
    np.testing.assert_allclose(relative, 0.05)


def test_the_truth_bends_as_the_discrepancy_has_it():
    quiet, bend = Normal(sigma=prior.positive(1e-9, spread=0.1)), Discrepancy(tau=prior.positive(0.02, spread=0.01))
    targets = dict(C=["1e21", "1e22", "1e24"])
    bent, plain = (simulated(PLAN, noise=quiet, discrepancy=d, targets=targets, kind="mean") for d in (bend, None))
    away = np.log(bent.values / plain.values)
    assert np.allclose(away[:, 0], 0, atol=1e-9)  # pinned at the largest run
    np.testing.assert_allclose(away[:, 1:].std(axis=0), 0.02 * np.log([10, 1000]), rtol=0.15)


def test_a_prior_that_depends_on_another_parameter_is_simulated_as_the_law_has_it(monkeypatch):
    monkeypatch.setattr(laws, "_registry", dict(laws._registry))

    @laws.law(takes="C")
    def chained(C):
        """L(C) = a + b (C / 1e19)^-.1"""
        a = laws.sample("a", prior.positive(1.0, spread=0.5))
        return a + laws.sample("b", prior.positive(2.0 * a, spread=0.1)) * (C / 1e19) ** -0.1

    quiet = Normal(sigma=prior.positive(1e-9, spread=0.1))
    truth = simulated(PLAN, noise=quiet, law=chained).parameters
    assert np.std(np.log(truth["b"] / truth["a"])) == pytest.approx(0.1, rel=0.15)


def test_refusals():
    with pytest.raises(LawError, match="at least 10"):
        bs.calibrate("power(C)", PLAN, simulations=3, typical=2.5)
    with pytest.raises(RunsError, match="say what a typical run measures"):
        bs.calibrate("power(C)", PLAN)
    with pytest.raises(LawError, match='"new-run" or "mean"'):
        bs.calibrate("power(C)", PLAN, typical=2.5, kind="median")
    with pytest.raises(LawError, match="no option drws"):
        bs.calibrate("power(C)", PLAN, typical=2.5, drws=3)
    wild = bs.models.power("C").with_priors(alpha=prior.exponent(500.0, spread=0.1))
    with pytest.raises(LawError, match="not positive and finite"):
        bs.calibrate(wild, PLAN, typical=2.5)
