"""The main path on real runs: Epoch's 240 Chinchilla points, against the published fits."""

import numpy as np
import pytest

import bayesscale as bs


@pytest.fixture(scope="module")
def post(epoch):
    return bs.fit("chinchilla", epoch, discrepancy=False)


def test_student_t_posterior(post):
    medians = post.summary()["median"]
    assert medians["alpha"] == pytest.approx(0.345, abs=0.01)
    assert medians["beta"] == pytest.approx(0.361, abs=0.01)
    assert medians["E"] == pytest.approx(1.807, abs=0.02)


def test_laplace_mode_is_the_published_fit(epoch):
    """Besiroglu et al. 2024: the Huber loss with delta = 1e-3 is a Laplace likelihood in all but name."""
    mode = bs.fit("chinchilla", epoch, noise="laplace", discrepancy=False).mode
    published = dict(A=482, B=2076, E=1.817, alpha=0.3478, beta=0.3656)
    for name, value in published.items():
        assert float(mode[name]) == pytest.approx(value, rel=0.01), name


def test_sampling_is_good(post):
    assert post.settings["trouble"] == ""
    assert "first_try" not in post.settings
    assert post.stats["n_steps"].mean() <= 10
    assert post.stats["diverging"].sum() == 0
    summary = post.summary()
    assert summary["ess_bulk"].min() > 2000
    assert summary["rhat"].max() <= 1.01
    assert post.check().status == "PASS"


def test_chinchilla_beats_compute_alone_by_ten_standard_errors(epoch):
    comparison = bs.compare(epoch, ["power(C)", "chinchilla"], discrepancy=False)
    worse = comparison.table.loc["power(C)"]
    assert comparison.table.index[0] == "chinchilla"
    assert -worse["diff"] > 10 * worse["diff_se"]


def test_interpolation_is_covered(post, epoch):
    """Rows that were fitted lie in their 80 % interval about as often as they should."""
    low, high = post.predict(epoch).interval(0.8)
    assert 0.72 < np.mean((low < epoch.column("loss")) & (epoch.column("loss") < high)) < 0.9
