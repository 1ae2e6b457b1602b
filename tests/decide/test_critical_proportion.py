"""The proportion at which a loss is reached, against closed forms and the four runs of Ye et al."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale.errors import LawError
from bayesscale.law import law, sample
from bayesscale.models import bimix


def test_crossing_of_an_own_proportion_is_the_closed_form(posteriors):
    """L = g r^-alpha <= x from r = (g / x)^(1 / alpha) on."""
    fits = posteriors("bimix")
    found = bs.critical_proportion(fits, "code", loss=2.6, weights=dict(code=1), at=dict(S=1e4))
    draws = fits["code"].flat_draws
    g = np.array(
        [bimix.evaluate({k: v[i] for k, v in _constants(fits["code"]).items()}, r=1.0, S=1e4) for i in range(24)]
    )
    closed = (g / 2.6) ** (1 / draws["alpha"])
    closed = np.where(closed > 1, np.nan, closed)
    np.testing.assert_allclose(found.draws["code"], closed, atol=1e-6)
    assert found.side == "least"
    assert found.never == np.isnan(closed).mean()


def _constants(post):
    """Return the paper's constants of the draws of BiMix: they are computed, not sampled."""
    d = post.flat_draws
    value = d["level"] * post.centers["loss"]
    at = post.centers["r"] ** d["alpha"]
    return dict(
        A=np.ones_like(value),
        alpha=d["alpha"],
        beta=d["beta"],
        B=value * d["reducible"] * post.centers["S"] ** d["beta"] * at,
        C=value * (1 - d["reducible"]) * at,
    )


@law(takes="*r", gives="loss")
def cup(*r):
    """L(r) = 2 + d (r_web - 1/2)^2"""
    d = sample("d", dist.LogNormal(0.0, 0.3))
    return 2 + d * (r[0].values - 0.5) ** 2


def test_of_a_loss_that_turns_the_side_says_which_crossing(posteriors):
    post = posteriors(cup)["web"]
    d = post.flat_draws["d"]
    reach = np.sqrt(0.05 / d)
    most = bs.critical_proportion(post, "web", loss=2.05, side="most")
    least = bs.critical_proportion(post, "web", loss=2.05, side="least")
    np.testing.assert_allclose(most.draws["web"], np.minimum(0.5 + reach, 1), atol=1e-6)
    np.testing.assert_allclose(least.draws["web"], np.maximum(0.5 - reach, 0), atol=1e-6)
    always = bs.critical_proportion(post, "web", loss=2 + 0.26 * d.max(), side="most")
    assert always.at_end == 1
    assert "reached with nothing else" in repr(always)
    never = bs.critical_proportion(post, "web", loss=2 - 1e-3)
    assert never.never == 1
    assert "in 100% of the draws no proportion reaches the loss" in repr(never)


def test_old_and_new_data_are_two_sides_of_one_answer(posteriors):
    post = posteriors("mixture_linear")["web"]
    w = np.array([bs.critical_proportion(post, "web", loss=2.5, others=dict(code=1)).draws["web"]])[0]
    other = bs.critical_proportion(post, "code", loss=2.5, others=dict(web=1))
    both = ~np.isnan(w) & ~other.draws["code"].isna().to_numpy() & (w > 0) & (w < 1)
    by_hand = post.predict(pd.DataFrame(dict(r_web=w[both], r_code=1 - w[both], r_wiki=0.0)), kind="mean").draws[
        np.flatnonzero(both), range(both.sum())
    ]
    np.testing.assert_allclose(by_hand, 2.5, rtol=1e-9)


def test_refusals(posteriors):
    post = posteriors("mixture_linear")["web"]
    with pytest.raises(LawError, match="no domain maths; the mixtures are of web, code, wiki"):
        bs.critical_proportion(post, "maths", loss=2.5)
    with pytest.raises(LawError, match='side is "least" or "most"'):
        bs.critical_proportion(post, "web", loss=2.5, side="left")
    with pytest.raises(LawError, match="leave web out"):
        bs.critical_proportion(post, "web", loss=2.5, others=dict(web=1, code=1))


def test_critical_proportion_of_the_pile(real_data):
    """Ye et al. 2024: four runs say .286; three parameters of four runs leave it wide."""
    table = pd.read_csv(real_data("mix/mixinglaws/ct.csv"))
    weight = json.loads(real_data("mix/mixinglaws/valid_weight.json").read_text())
    table["loss"] = sum(w * table[f"loss_{k}"] for k, w in weight.items())
    before = table.loc[table["run"].str.startswith("base"), "loss"].item()
    assert before == pytest.approx(2.8734, abs=1e-4)
    four = table[(table["step"].astype(str) == "10000") & table["r_Pile"].isin([0.125, 0.25, 0.375, 0.5])]
    assert len(four) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.errors.BayesscaleWarning)
        post = bs.fit("mixture_exponential", four[["r_Pile", "r_Python", "loss"]].reset_index(drop=True), draws=500)
    found = bs.critical_proportion(post, "Pile", loss=before)
    row = found.table(level=0.95).loc["Pile"]
    assert row["low95"] < 0.2862 < row["high95"]
    assert 0.05 < row["high95"] - row["low95"] < 0.5
    python = bs.critical_proportion(post, "Python", loss=before)
    assert python.side == "most"
    np.testing.assert_allclose(python.draws["Python"].median(), 1 - row["median"], atol=1e-3)


def test_what_lies_beyond_the_mixtures_seen_is_said(posteriors):
    post = posteriors("mixture_linear")["web"]
    narrow = replace(post, runs=bs.read_runs(post.runs.table.iloc[[0, 1]]))
    found = bs.critical_proportion(narrow, "web", loss=2.45)
    assert "outside of what was seen" in repr(found)
