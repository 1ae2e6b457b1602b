"""The verb `mixture`: the same numbers as Python, and what a newcomer's table may lack is said with its remedy."""

import json

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.cli import main

NATURAL = ["--natural", "web=0.7", "code=0.2", "wiki=0.1"]
QUICK = ["--chains", "2", "--draws", "60", "--warmup", "200"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with one wide table, and the same runs in two tables."""
    folder = tmp_path_factory.mktemp("mixture")
    p, rng = np.random.default_rng(0).dirichlet([1.5] * 3, 16), np.random.default_rng(1)
    loss = (2 + 0.3 * np.arange(3)) * p ** -np.array([0.04, 0.08, 0.06]) * np.exp(0.003 * rng.standard_normal(p.shape))
    ratios = pd.DataFrame({"run": range(16), "web": p[:, 0], "code": p[:, 1], "wiki": p[:, 2]})
    metrics = pd.DataFrame({"run": range(16), "web": loss[:, 0], "code": loss[:, 1], "wiki": loss[:, 2]})
    ratios.to_csv(folder / "ratios.csv", index=False)
    metrics.to_csv(folder / "metrics.csv", index=False)
    wide = ratios.add_prefix("r_").drop(columns="r_run").join(metrics.add_prefix("loss_").drop(columns="loss_run"))
    wide.to_csv(folder / "wide.csv", index=False)
    wide.drop(columns=["loss_code", "loss_wiki"]).to_csv(folder / "one.csv", index=False)
    return folder


@pytest.fixture
def said(capsys, monkeypatch, folder):
    """Run the verb in the folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status = main(["mixture", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def asked(monkeypatch, posteriors):
    """Put posteriors that are there already in place of the fit; return what the fit was asked."""
    asked = {}

    def fit_pooled(law, runs, **how):
        asked.update(how, law=law, rows=len(runs))
        return posteriors("mixture_exponential")

    monkeypatch.setattr(bs, "fit_pooled", fit_pooled)
    return asked


def test_the_numbers_are_those_of_python(said, asked, posteriors, folder):
    status, out, err = said("ratios.csv", "metrics.csv", *NATURAL, "--floor", 0.01, "--out", "o.csv", "--json")
    assert status == 0, err
    document = json.loads(out)
    expected = bs.optimal_mixture(
        posteriors("mixture_exponential"), natural=dict(web=0.7, code=0.2, wiki=0.1), floor=0.01
    )
    assert document["mixture"]["code"]["best"] == pytest.approx(expected.best["code"])
    assert document["regret"] == pytest.approx(expected.regret())
    assert document["gain"]["weighted mean"]["P(better)"] == expected.against().loc["weighted mean", "P(better)"]
    assert asked | dict(law="mixture_exponential", rows=48, over="domain", noise="student-t") == asked
    written = pd.read_csv(folder / "o.csv", index_col="domain")
    np.testing.assert_allclose(written["best"], expected.best)


def test_what_a_person_reads(said, asked):
    status, out, err = said("wide.csv", *NATURAL, "--cap", "code=0.1", "--weights", "web=2", "code=1")
    assert status == 0, err
    assert "best mixture, from mixture_exponential fitted to 3 targets of 16 mixtures" in out
    assert "near-best" in out
    assert "the cap decides for code" in " ".join(out.split())
    assert "loss lower than with the natural mixture" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.csv"], "there is no file nowhere.csv"),
        (["one.csv"], "loss of one target only"),
        (["wide.csv", "--law", "chinchilla"], "says nothing of mixtures"),
        (["wide.csv", "--law", "mixture_additive"], "takes D (training tokens), and no column is called so"),
        (["wide.csv", "--law", "bimix", "--same", "S=1000"], "say it of the model, --at S=..."),
        (["wide.csv", "--cap", "maths=0.1"], "there is no maths; there are web, code, wiki"),
        (["wide.csv", "--tokens", "wiki=1B"], "how many tokens are trained on, --at D=100B"),
        (["wide.csv", "--kl", "0.1"], "say which that is, --natural"),
        (["wide.csv", "--natural", "web=much"], "much"),
    ],
)
def test_slips_are_found_before_the_fit(said, asked, arguments, expected):
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert expected in " ".join(err.split())
    assert asked == {}


@pytest.mark.slow
def test_from_the_table_to_the_answer(said):
    status, out, err = said("ratios.csv", "metrics.csv", *NATURAL, *QUICK, "--json")
    assert status == 0, err
    best = {k: row["best"] for k, row in json.loads(out)["mixture"].items()}
    alpha, at_one = np.array([0.04, 0.08, 0.06]), 2 + 0.3 * np.arange(3)
    known = alpha * at_one / (alpha * at_one).sum()
    np.testing.assert_allclose(list(best.values()), known, atol=0.06)
