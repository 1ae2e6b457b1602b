"""Accuracies of so many questions: what is known of their errors, and where the noise's priors lie."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import RunsError
from bayesscale.item_noise import typical_scatter

SHORT = dict(chains=2, draws=300, second_try=False, discrepancy=False)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")


def table(n_items):
    """Twelve runs of a task whose accuracy follows the direct law, measured on questions of their own."""
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, 4), 3)
    D = 20 * N * np.tile([1.0, 3.0, 9.0], 4)
    accuracy = 0.25 + 0.75 * np.exp(-(250 / N**0.3 + 500 / D**0.3))
    measured = np.random.default_rng(3).binomial(n_items, accuracy) / n_items
    return pd.DataFrame(dict(N=N, D=D, accuracy=measured, chance=0.25, n_items=float(n_items)))


def test_the_binomial_error_of_the_items_is_a_known_error():
    post = bs.fit("accuracy_direct", table(500), noise="binomial", **SHORT)
    p = post.runs.column("accuracy")
    np.testing.assert_allclose(post.runs.column("accuracy_error"), np.sqrt(p * (1 - p) / 500))
    assert np.median(post.draws["sigma"]) < 0.1, "the items explain the scatter, little is left for the runs"


def test_a_target_on_few_new_questions_is_less_certain():
    post = bs.fit("accuracy_direct", table(500), noise="binomial", **SHORT)
    few, usual, many = (
        post.predict(dict(N=[7e9], D=[4e12], **more)).logs["noise"].std()
        for more in ({"n_items": [50.0]}, {}, {"n_items": [50_000.0]})
    )
    assert few > 2 * usual > 2 * many
    value = post.predict(N=7e9, D=4e12, kind="mean").median[0]
    assert few == pytest.approx(1 / np.sqrt(50 * value * (1 - value)), rel=0.3)


def test_the_default_noise_has_its_prior_at_half_of_the_binomial_error():
    runs = bs.read_runs(table(500))
    law = bs.models.accuracy_direct
    p = runs.column("accuracy")
    half = 0.5 * np.exp(np.log(1 / np.sqrt(500 * p * (1 - p))).mean())
    assert typical_scatter(law, [runs]) == pytest.approx(half)
    assert bs.fit(law, runs, **SHORT).noise.sigma.loc == pytest.approx(np.log(half))
    unknown = bs.read_runs(table(500).drop(columns="n_items"))
    assert typical_scatter(law, [unknown]) == law.scatter
    assert typical_scatter(bs.models.chinchilla, [runs]) == bs.models.chinchilla.scatter


def test_what_binomial_noise_needs_is_said():
    with pytest.raises(RunsError, match="needs a column n_items"):
        bs.fit("accuracy_direct", table(500).drop(columns="n_items"), noise="binomial", **SHORT)
    with pytest.raises(RunsError, match="of a law that gives a share"):
        bs.fit("chinchilla", table(500).assign(loss=3.0), noise="binomial", **SHORT)


def test_it_is_saved_and_fitted_again_alike(tmp_path):
    post = bs.fit("accuracy_direct", table(500), noise="binomial", **SHORT)
    post.save(tmp_path / "fit.nc")
    again = bs.load(tmp_path / "fit.nc")
    assert again.noise == post.noise
    np.testing.assert_array_equal(again.predict(N=7e9, D=4e12).draws, post.predict(N=7e9, D=4e12).draws)
    refitted = bs.fit("accuracy_direct", post.runs, noise=post.noise, **SHORT)
    np.testing.assert_allclose(refitted.runs.column("accuracy_error"), post.runs.column("accuracy_error"))
