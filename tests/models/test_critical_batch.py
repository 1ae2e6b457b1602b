"""The critical batch along the loss: Kaplan et al. 2020's numbers, and batches measured by Zhang et al. 2024."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import NumberError
from bayesscale.models import critical_batch
from bayesscale.models.critical_batch import minimum_compute, minimum_steps

KAPLAN = dict(B_star=2.1e8, alpha_B=0.21)
SIZES = np.array([85e6, 151e6, 302e6, 604e6, 1.2e9])
# E_min / S_min, each to 6-7 %, from the steps that Zhang et al. 2024 (arXiv:2410.21676) needed at nine batch sizes.
ZHANG = dict(N=SIZES, loss=[3.42, 3.24, 3.07, 2.92, 2.736], B_crit=[1.12e6, 1.66e6, 2.78e6, 4.05e6, 5.70e6])


def test_published_constants():
    B_crit = critical_batch.evaluate(KAPLAN, loss=3.0)
    assert B_crit == pytest.approx(1.1226e6, abs=50)
    assert minimum_steps(2.5e5, B=2**19, B_crit=B_crit) == pytest.approx(79589, abs=0.5)


def test_doubles_when_the_loss_falls_by_13_percent():
    by = 1 - 2 ** -KAPLAN["alpha_B"]
    assert by == pytest.approx(0.13, abs=0.006)
    at = critical_batch.evaluate(KAPLAN, loss=[3.0, 3.0 * (1 - by)])
    assert at[1] / at[0] == pytest.approx(2, rel=1e-12)


def test_twice_the_least_steps_and_tokens_at_the_critical_batch():
    """Eqs 5.1, 5.4 and 5.5: (S / S_min - 1) (E / E_min - 1) = 1, E = B S, and C goes as E."""
    B_crit, S, N = 1e6, 1e5, 1e8
    assert minimum_steps(S, B=B_crit, B_crit=B_crit) == S / 2
    assert minimum_compute(6 * N * B_crit * S, B=B_crit, B_crit=B_crit) == 6 * N * B_crit * S / 2
    B = np.array([1e4, 3e5, 2e7])
    over_steps = S / minimum_steps(S, B=B, B_crit=B_crit)
    over_tokens = 1 / minimum_compute(1.0, B=B, B_crit=B_crit)
    np.testing.assert_allclose((over_steps - 1) * (over_tokens - 1), 1, rtol=1e-9)
    # Both say the same of the least compute: 6 N S_min B_crit.
    least = 6 * N * minimum_steps(S, B=B, B_crit=B_crit) * B_crit
    np.testing.assert_allclose(minimum_compute(6 * N * B * S, B=B, B_crit=B_crit), least, rtol=1e-12)


def test_draws_of_the_critical_batch_against_runs():
    assert minimum_steps([1e4, 1e5, 1e6], B="512K", B_crit=np.full((7, 3), 1e6)).shape == (7, 3)
    with pytest.raises(NumberError, match="B_crit"):
        minimum_compute(1e20, B=1e6, B_crit=np.nan)


@pytest.mark.parametrize("rows", [6, 40])
def test_recovery_from_scattered_batches(rows):
    """Batches measured to 30 %: the published constants, and the scatter itself."""
    loss = np.linspace(2.4, 5.0, rows)
    scatter = 0.3 * np.random.default_rng(1).standard_normal(rows)
    measured = critical_batch.evaluate(KAPLAN, loss=loss) * np.exp(scatter)
    post = bs.fit(critical_batch, dict(N=np.geomspace(1e6, 1e9, rows), loss=loss, B_crit=measured), discrepancy=False)
    assert not post.settings["trouble"] and "first_try" not in post.settings
    for constant, true in dict(KAPLAN, sigma=0.3).items():
        low, high = np.quantile(post.draws[constant], [0.005, 0.995])
        assert low < true < high, constant


def test_the_prior_of_the_level_does_not_decide():
    """Three batches measured to 50 %: the value at the centre is as uncertain as they leave it."""
    measured = 1e6 * np.exp(0.5 * np.array([-1.0, 0.9, 0.1]))
    table = dict(N=[1e8, 1e9, 1e10], loss=[3.6, 3.0, 2.5], B_crit=measured, B_crit_error=0.5 * measured)
    with pytest.warns(bs.errors.RunsWarning, match="3 rows for 4 parameters"):
        post = bs.fit(critical_batch, table, discrepancy=False)
    assert np.log(post.draws["level"]).std() > 0.95 * 0.5 / np.sqrt(3)


def test_batches_measured_by_zhang():
    """Steeper than Kaplan's: about 1.17e10 L^-7.5, alpha_B = .133, by least squares."""
    post = bs.fit(critical_batch, ZHANG, discrepancy=False)
    assert not post.settings["trouble"]
    assert np.median(post.draws["alpha_B"]) == pytest.approx(0.133, abs=0.01)
    low, high = np.quantile(post.draws["alpha_B"], [0.025, 0.975])
    assert low < 0.133 < high < KAPLAN["alpha_B"]
    assert np.quantile(post.draws["B_star"], 0.05) < 1.17e10 < np.quantile(post.draws["B_star"], 0.95)
    # Batches two or three times larger than Kaplan's at the same loss: other data, tokenizer and optimizer.
    at = post.predict(loss=3.0, kind="mean")
    assert 2 < at.median[0] / critical_batch.evaluate(KAPLAN, loss=3.0) < 3
