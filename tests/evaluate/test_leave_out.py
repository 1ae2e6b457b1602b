"""Leave-one-group-out: densities of runs in closed form, agreement with LOO and refits, and what it says of laws."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.curve_noise import Curve
from bayesscale.elpd import loo
from bayesscale.errors import RunsError
from bayesscale.evaluate.leave_out import leave_groups_out
from bayesscale.law import named
from bayesscale.noise import Normal, StudentT

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # of few draws

RUN = np.array([0, 0, 0, 1, 1, 2])


@pytest.fixture(scope="module")
def residual():
    return 0.01 * np.random.default_rng(0).standard_normal((3, RUN.size))


def densities(residual, covariance):
    """Log density of each run's rows under a normal distribution, draw by draw."""
    return np.array(
        [
            [stats.multivariate_normal.logpdf(x[i == RUN], cov=covariance(i == RUN, d)) for i in range(3)]
            for d, x in enumerate(residual)
        ]
    )


def test_the_effect_of_a_run_is_integrated_out(residual):
    draws = dict(sigma=np.array([0.004, 0.01, 0.02]), sigma_run=np.array([0.01, 0.003, 0.02]))
    error = np.full(RUN.size, 0.002)

    def covariance(rows, d):
        n = rows.sum()
        return (draws["sigma"][d] ** 2 + error[0] ** 2) * np.eye(n) + draws["sigma_run"][d] ** 2 * np.ones((n, n))

    found = Normal().log_density_of_runs(residual, draws, RUN, log_error=error)
    np.testing.assert_allclose(found, densities(residual, covariance), atol=2e-4)


def test_with_heavy_tails_it_is_the_integral(residual):
    draws = dict(sigma=np.full(3, 0.004), sigma_run=np.full(3, 0.01), nu=np.full(3, 3.0))
    found = StudentT().log_density_of_runs(residual, draws, RUN)
    e = np.linspace(-0.1, 0.1, 40_001)
    rows = stats.t(3.0).logpdf((residual[0, RUN == 0] - e[:, None]) / 0.004) - np.log(0.004)
    integral = np.trapezoid(np.exp(rows.sum(axis=1)) * stats.norm.pdf(e, 0, 0.01), e)
    assert found[0, 0] == pytest.approx(np.log(integral), rel=1e-3)


def test_the_course_of_a_run_is_integrated_out(residual):
    draws = dict(sigma=np.full(3, 0.003), sigma_run=np.array([0.005, 0.01, 0.02]), length=np.array([0.5, 1.0, 3.0]))
    place = np.array([0.3, 0.0, 1.1, 0.0, 0.7, 0.0])  # not in the order of training

    def covariance(rows, d):
        z = np.sqrt(3) * np.abs(place[rows][:, None] - place[rows]) / draws["length"][d]
        return draws["sigma_run"][d] ** 2 * (1 + z) * np.exp(-z) + draws["sigma"][d] ** 2 * np.eye(rows.sum())

    found = Curve().log_density_of_runs(residual, draws, RUN, place=place)
    np.testing.assert_allclose(found, densities(residual, covariance), rtol=1e-6)


def test_groups_of_one_row_are_rows(fitted):
    table = fitted.runs.table.assign(group=np.arange(len(fitted.runs)))
    post = bs.fit(fitted.law, table, discrepancy=False, chains=2, draws=400, seed=0)
    by_group, by_row = leave_groups_out(post, "group", refit=False), loo(post)
    np.testing.assert_allclose(by_group.pointwise, by_row.pointwise, atol=1e-6)
    np.testing.assert_allclose(by_group.khat, by_row.diagnostic, atol=1e-6)


SHORT = dict(discrepancy=False, chains=2, draws=200, second_try=False)


@pytest.fixture(scope="module")
def mixtures():
    """Eight mixtures of three domains, each with a way of its own and three checkpoints."""
    rng = np.random.default_rng(4)
    r = rng.dirichlet([1.5, 1.5, 1.5], 8)
    table = pd.DataFrame([(i, D, *r[i]) for i in range(8) for D in (4e9, 7e9, 13e9)])
    table.columns = ["run", "D", "r_a", "r_b", "r_c"]
    truth = dict(A_a=0.6, A_b=1.1, A_c=1.2)
    loss = named("mixture_log_linear").evaluate(truth, **{c: table[c] for c in ("r_a", "r_b", "r_c")})
    own = 0.004 * rng.standard_normal(8)[table["run"]] + 0.001 * rng.standard_normal(len(table))
    return table.assign(loss=loss * np.exp(own), r=table["r_a"], mixture=[f"m{i}" for i in table["run"]])


@pytest.fixture(scope="module")
def fits(mixtures):
    """By their own proportion alone, and by all three."""
    return {law: bs.fit(law, mixtures, noise="normal", **SHORT) for law in ("bimix(r, D)", "mixture_log_linear")}


def test_what_importance_sampling_cannot_do_is_fitted_again(mixtures, fits):
    post = fits["mixture_log_linear"]
    found = leave_groups_out(post, "mixture")
    assert set(found.refitted) == set(found.khat.index[found.khat > 0.7])
    again = bs.fit(post.law, mixtures[mixtures["mixture"] != "m3"], noise="normal", **SHORT, seed=9)
    held_out = mixtures[mixtures["mixture"] == "m3"]
    expected = again.predict(held_out.drop(columns="run"), kind="mean").draws
    residual = np.log(held_out["loss"].to_numpy()) - np.log(expected)
    density = again.noise.log_density_of_runs(residual, again.flat_draws, np.zeros(3, int))
    assert found.pointwise["m3"] == pytest.approx(np.log(np.exp(density).mean()), abs=0.7)


def test_laws_are_ranked_by_the_mixtures_they_have_not_seen(fits):
    found = bs.compare(fits, leave_out="mixture")
    assert found.table.index[0] == "mixture_log_linear"
    assert found.table["diff_out"].iloc[1] < -4
    assert "leaves out each mixture whole, 8 in all" in repr(found) and "optimistic" in repr(found)


def test_groups_must_be_groups(fits):
    post = fits["bimix(r, D)"]
    with pytest.raises(RunsError, match="no column 'blend' to leave out by"):
        leave_groups_out(post, "blend")
    with pytest.raises(RunsError, match="has rows in several groups of 'D'"):
        leave_groups_out(post, "D")
