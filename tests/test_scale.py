"""The scale of a law: what a map to the real line must do, and a law of shares from its table to its file."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist
from scipy import stats

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.errors import LawError, RunsError
from bayesscale.inference import rows_of
from bayesscale.law import Law, prior, sample
from bayesscale.models import accuracy_direct, accuracy_hill, chinchilla, error_exponential
from bayesscale.noise import StudentT
from bayesscale.scale import LOG, LOGIT, named

VALUES = {LOG: [1e-3, 0.2, 1.0, 2.5, 300.0], LOGIT: [1e-3, 0.2, 0.5, 0.9, 0.999]}


def table(accuracy, loss=None, **more):
    """Return runs of a task whose accuracy is given."""
    loss = np.geomspace(1.2, 0.6, len(accuracy)) if loss is None else loss
    return bs.read_runs(dict(N=np.geomspace(1e8, 1e9, len(loss)), loss=loss, chance=0.25, accuracy=accuracy, **more))


@pytest.fixture(scope="module")
def learned():
    """Return accuracies along a link, scattered by .05 of their logit."""
    loss = np.geomspace(1.2, 0.6, 12)
    true = accuracy_hill.evaluate(dict(Q_0=0.3, slope=5.0, guess=0.1, missed=0.01), loss=loss, chance=0.25)
    return table(LOGIT.back(LOGIT.to(true) + 0.05 * np.random.default_rng(0).standard_normal(12)), loss)


@pytest.fixture(scope="module")
def post(learned):
    return bs.fit("accuracy_hill", learned, chains=2, draws=500, second_try=False)


# -- the map -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [LOG, LOGIT], ids=lambda scale: scale.name)
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_back_is_the_inverse_and_slope_the_derivative(scale, array):
    with jax.enable_x64(True):
        y = array(np.array(VALUES[scale]))
        z = scale.to(y)
        assert isinstance(z, type(y)) and isinstance(scale.back(z), type(y))
        np.testing.assert_allclose(scale.back(z), y, rtol=1e-12)
        np.testing.assert_allclose(scale.to(scale.back(z)), z, rtol=1e-9, atol=1e-9)
        step = 1e-6 * y * (1 - y) if scale is LOGIT else 1e-6 * y
        np.testing.assert_allclose(scale.slope(y), (scale.to(y + step) - scale.to(y - step)) / (2 * step), rtol=1e-6)
        assert np.all(np.diff(z) > 0) and np.all(scale.holds(y))


def test_slopes_are_those_that_jax_takes():
    with jax.enable_x64(True):
        for scale, values in VALUES.items():
            slopes = jax.jit(jax.vmap(jax.grad(scale.to)))(jnp.asarray(values))
            np.testing.assert_allclose(slopes, scale.slope(np.array(values)), rtol=1e-9)


def test_what_has_no_place_on_a_scale():
    values = np.array([-0.1, 0.0, 0.5, 1.0, 1.2])
    assert LOG.holds(values).tolist() == [False, False, True, True, True]
    assert LOGIT.holds(values).tolist() == [False, False, True, False, False]
    # A share that is far out on its scale has not left it.
    assert LOGIT.back(np.array([-800.0, 0.0, 800.0])).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_names():
    assert named("log") is LOG
    assert named("logit") is LOGIT
    assert chinchilla.scale is LOG
    assert accuracy_hill.scale is error_exponential.scale is LOGIT
    with pytest.raises(LawError, match="scale is 'log' or 'logit', not 'probit'"):
        laws.law(takes="loss", gives="accuracy", scale="probit")(lambda loss: loss)


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "said"), [(0.0, "0"), (1.0, "1"), (1.2, "1.2"), (48.5, "48.5")])
def test_an_accuracy_that_is_no_share_is_refused_by_row_and_value(value, said):
    accuracy = np.linspace(0.3, 0.5, 12)
    accuracy[7] = value
    runs = table(accuracy).select(np.arange(3, 12))  # rows keep the names that they have in the user's table
    with pytest.raises(RunsError, match=rf"column accuracy: .* logit scale.* between 0 and 1; row 7 has {said}$"):
        bs.fit("accuracy_hill", runs)


def test_an_error_of_the_accuracy_is_one_on_the_scale():
    accuracy = np.linspace(0.3, 0.9, 12)
    runs = table(accuracy, accuracy_error=np.full(12, 0.01))
    rows = rows_of(accuracy_hill, runs)
    np.testing.assert_allclose(rows.log_error[:12], 0.01 / (accuracy * (1 - accuracy)))
    np.testing.assert_allclose(rows.measured[:12], np.log(accuracy / (1 - accuracy)))
    of_losses = rows_of(chinchilla, bs.read_runs(dict(N=[1e8, 1e9], D=[4e9, 1e10], loss=[3.0, 2.0], loss_error=0.02)))
    np.testing.assert_allclose(of_losses.log_error[:2], [0.02 / 3, 0.01])


def test_an_error_of_the_accuracy_widens_forecasts_by_as_much(post):
    """A tenth of the logit's slope, many times what runs scatter by."""
    at = dict(loss=0.6)
    middle = post.predict(**at, kind="mean").median[0]
    known = post.predict(dict(loss=[0.6], accuracy_error=[0.4 * middle * (1 - middle)]))
    assert np.std(known.logs["noise"]) == pytest.approx(0.4, rel=0.15)
    assert np.std(post.predict(**at).logs["noise"]) < 0.15


# -- fits and forecasts ------------------------------------------------------------------------------------------------


def test_a_forecast_is_never_outside_of_what_can_be(post):
    for kind in ("mean", "new-run"):
        draws = post.predict(loss=[1e-3, 0.5, 2.0, 50.0], kind=kind).draws
        assert ((draws > 0) & (draws < 1)).all()
    # Scattered by as much as a whole unit of the logit, as well: the prior alone.
    wild = bs.prior_predictive(accuracy_direct, spread_out(), noise=StudentT(sigma=prior.positive(1.0, spread=0.5)))
    assert ((wild.draws > 0) & (wild.draws < 1)).all()
    assert np.std(wild.logs["noise"]) > 0.5


def spread_out():
    return bs.read_runs(dict(N=np.geomspace(1e6, 1e12, 8), D=np.geomspace(1e12, 1e8, 8), chance=0.25, accuracy=0.5))


def test_the_forecast_adds_up_on_the_scale(post):
    made = post.predict(loss=[0.7, 0.5])
    np.testing.assert_allclose(LOGIT.to(made.draws), sum(made.logs.values()), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(made.parts().sum(axis=1), 1.0)


def test_the_density_is_that_of_the_logit(post, learned):
    """Log likelihood of the logits, Student-t around the logit of the law."""
    z = LOGIT.to(learned.column("accuracy"))
    draws = {k: v[:5] for k, v in post.flat_draws.items()}
    law = [
        accuracy_hill.evaluate(
            {k: draws[k][i] for k in accuracy_hill.priors()} | centred(draws, i, post), **covariates(post)
        )
        for i in range(5)
    ]
    by_hand = stats.t.logpdf(z, draws["nu"][:, None], LOGIT.to(np.array(law)), draws["sigma"][:, None])
    np.testing.assert_allclose(post.log_likelihood.reshape(-1, 12)[:5], by_hand, rtol=1e-6)


def centred(draws, i, post):
    """Say in terms of loss 1, where `evaluate` has its centre, what was sampled at the centre of the table."""
    odds = (1 / draws["Q_0"][i] - 1) * post.centers["loss"] ** -draws["slope"][i]
    return dict(Q_0=1 / (1 + odds))


def covariates(post):
    return {c: post.runs.column(c) for c in post.law.columns}


def test_saved_and_loaded_it_forecasts_the_same(post, tmp_path):
    post.save(tmp_path / "link.nc")
    again = bs.load(tmp_path / "link.nc")
    assert again.law.scale is LOGIT
    for kind in ("mean", "new-run"):
        one, other = (p.predict(loss=[0.6, 0.4], kind=kind).draws for p in (post, again))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.log_likelihood, post.log_likelihood)


def flat(loss):
    """A law of one's own: a constant error rate."""
    return sample("rate", prior.share(0.0, spread=1.0)) + 0 * loss.log


def test_a_law_keeps_its_scale():
    own = Law(flat, ("loss",), "error", scale=LOGIT)
    for made in (accuracy_hill, accuracy_hill.with_priors(slope=dist.LogNormal(1.0, 0.1)), own):
        for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            assert again == made
            assert again.scale is LOGIT
            assert again.scatter == made.scatter
    # On another scale it is another law: it has another compiled program.
    assert Law(flat, ("loss",), "error") != own
    assert accuracy_hill("bpb", "chance").scale is LOGIT
