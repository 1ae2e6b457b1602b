"""Power scaling: against ArviZ and closed forms, and what it says of what the data decide and what they do not."""

import dataclasses

import arviz_stats
import numpy as np
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.errors import LawError
from bayesscale.evaluate.sensitivity import _interval, _priors, _pull, _weights


@pytest.fixture(scope="module")
def found(fitted):
    return bs.sensitivity(
        fitted,
        dict(N=["1.3B", "70B"], D=["26B", "1.4T"]),
        decisions={"sum": lambda p: p.flat_draws["E"] + 1},
    )


def test_it_knows_what_the_data_say_nothing_of(found):
    """Sixteen runs do not tell the tails of the noise; they tell the loss in their middle."""
    table = found.table
    assert table.loc["nu", "diagnosis"] == "the prior decides"
    assert table.loc["nu", "mostly"] == "nu"
    assert table.loc["level", "diagnosis"] == "-"
    assert table.loc["nu", "prior"] > 3 * table.loc["level", "prior"]
    inside, outside = (name for name in table.index if name.startswith("loss at"))
    assert table.loc[inside, "diagnosis"] == "-"
    assert table.loc[outside, "prior"] > table.loc[inside, "prior"]
    assert "nu: the prior decides (the data say little of it); most of it is its own prior" in repr(found)


def test_it_is_arvizs(fitted, found):
    """ArviZ finds the priors in the posterior's data by itself."""
    for group in ("prior", "likelihood"):
        theirs = arviz_stats.psense(fitted.data, var_names=["alpha", "E"], group=group, alphas=(0.8, 1.25))
        for name in ("alpha", "E"):
            assert found.table.loc[name, group] == pytest.approx(float(theirs[name]), rel=1e-9)


def test_what_is_shifted_is_as_sensitive(found):
    assert found.table.loc["sum", "prior"] == pytest.approx(found.table.loc["E", "prior"], rel=1e-9)
    assert found.table.loc["sum", "of"] == "decision"


def test_a_normal_in_closed_form():
    """Posterior N(0, 1), prior N(1, 2): with power p the prior's precision is p / 4, the likelihood's stays."""
    x = np.random.default_rng(0).standard_normal(200_000)
    density = stats.norm.logpdf(x, 1, 2)
    for power in (0.8, 1.25):
        precision = 1 + (power - 1) / 4
        mean = (power - 1) / 4 / precision
        said = _interval(x, _weights(density, power), 0.95)
        assert said["median"] == pytest.approx(mean, abs=0.01)
        assert said["low95"] == pytest.approx(mean - 1.96 / np.sqrt(precision), abs=0.02)
        assert said["high95"] == pytest.approx(mean + 1.96 / np.sqrt(precision), abs=0.02)
    assert _pull(x, density) == pytest.approx(np.log(2) / 4, abs=0.01)


def test_a_weaker_prior_lets_go(found):
    shifts = found.shifts()
    assert shifts.loc["nu", "high_weaker"] > 0.02 > 0 > shifts.loc["nu", "high_stronger"]
    one = found.intervals[found.intervals["quantity"] == "E"].set_index("power")
    by_hand = (one.loc[0.8, "low95"] - one.loc[1.0, "low95"]) / (one.loc[1.0, "high95"] - one.loc[1.0, "low95"])
    assert shifts.loc["E", "low_weaker"] == pytest.approx(by_hand)


def test_prior_and_data_in_conflict(fitted):
    """Against a prior that expects another noise by far, more data and more prior pull apart."""
    noise = dataclasses.replace(fitted.noise, sigma=bs.law.prior.positive(0.5, spread=0.5))
    found = bs.sensitivity(dataclasses.replace(fitted, noise=noise))
    assert found.table.loc["sigma", "diagnosis"] == "prior-data conflict"
    assert found.table.loc["sigma", "pull"] > 0 > found.table.loc["sigma", "data_pull"]


def test_what_runs_have_of_their_own_is_no_prior(with_runs):
    names = _priors(with_runs)
    assert "sigma_run" in names
    assert "run_effect" not in names
    effects = with_runs.log_priors["run_effect"]
    np.testing.assert_allclose(effects, stats.norm.logpdf(with_runs.draws["run_effect"], 0, 0.05).sum(axis=-1))
    np.testing.assert_allclose(sum(with_runs.log_priors.values()), with_runs.log_prior)
    assert "run_effect" not in with_runs.data["log_prior"]


def test_refusals(pair):
    with pytest.raises(LawError, match="one finite number for each of the 500"):
        bs.sensitivity(pair["power(C)"], decisions=lambda p: np.zeros(3))
    with pytest.raises(LawError, match="a function of the posterior"):
        bs.sensitivity(pair["power(C)"], decisions="allocate")
    with pytest.raises(LawError, match=r"a probability such as 0\.95, not 95"):
        bs.sensitivity(pair["power(C)"], level=95)
