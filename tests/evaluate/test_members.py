"""Fits that stand side by side: how they are fitted again, and when two are the same."""

from dataclasses import replace

import pytest

import bayesscale as bs
from bayesscale.evaluate.backtest import rollout
from bayesscale.evaluate.members import fitted_how, same_fit

pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short


def test_what_the_user_asked_for_holds_when_fitted_again(ladder, tmp_path):
    asked = dict(chains=1, draws=60, warmup=40, target_accept=0.8, second_try=False)
    post = bs.fit("power(C)", ladder, seed=5, noise="normal", discrepancy=False, **asked)
    model = dict(law=post.law, noise=post.noise, discrepancy=False)
    assert fitted_how(post) == dict(model, seed=5, **asked)
    post.save(tmp_path / "post.nc")
    assert fitted_how(bs.load(tmp_path / "post.nc")) == fitted_how(post)
    (fold,) = rollout({"power": fitted_how(post)}, ladder, cutoffs=(0.6,)).posteriors.values()
    assert {k: fold.settings[k] for k in ("chains", "draws", "warmup", "target_accept")} == {
        k: asked[k] for k in ("chains", "draws", "warmup", "target_accept")
    }
    assert "first_try" not in fold.settings


def test_what_a_second_try_made_of_it_is_no_wish(pair):
    post = pair["power(C)"]
    careful = {**post.settings, "warmup": 5000, "target_accept": 0.98, "first_try": "R-hat 1.2"}
    assert fitted_how(replace(post, settings=careful)) == fitted_how(post)
    assert not {"warmup", "target_accept"} & fitted_how(post).keys()
    # A posterior that does not say what was asked for is fitted again with as many draws.
    silent = {k: v for k, v in careful.items() if k != "asked"}
    known = {k: fitted_how(replace(post, settings=silent))[k] for k in ("seed", "chains", "draws", "precision")}
    assert known == dict(seed=0, chains=2, draws=250, precision="float64")


def test_averages_are_the_same_where_members_and_weighting_are(pair):
    equal, loo = bs.average(pair, "equal"), bs.average(pair, "loo")
    assert same_fit(equal, bs.average({name: pair[name] for name in reversed(pair)}, "equal"))
    assert not same_fit(equal, loo)
    assert not same_fit(equal, pair["chinchilla"])
    assert not same_fit(equal, bs.average({"chinchilla": pair["chinchilla"]}, "equal"))
    given = [bs.average(pair, dict(zip(pair, weights, strict=True))) for weights in ((3, 1), (6, 2), (1, 1))]
    assert same_fit(given[0], given[1])
    assert not same_fit(given[0], given[2])
    other = {**pair, "power(C)": replace(pair["power(C)"], noise=bs.noise.named("normal"))}
    assert not same_fit(equal, bs.average(other, "equal"))
