"""The verb `growth`: the same numbers as Python, and what a newcomer's table may lack is said with its remedy."""

import json

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.cli import main
from bayesscale.models import growth

SHORT = dict(chains=1, draws=100, second_try=False, discrepancy=False)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.BayesscaleWarning")


def curves(rng, model="a", kappa=1.5):
    """Return a scratch curve and a grown one, of thirty points each."""
    C, grown = np.tile(np.geomspace(5e20, 1e22, 30), 2), np.repeat([0.0, 1.0], 30)
    truth = dict(E=1.7, A=0.5 * 2e21**0.35, alpha=0.35, kappa=kappa, k1=0.0)
    loss = growth.growth_effective_compute.evaluate(truth, C=C, grown=grown) * np.exp(0.001 * rng.standard_normal(60))
    run = np.where(grown > 0, f"{model} grown", f"{model} scratch")
    return pd.DataFrame(dict(run=run, model=model, C=C, loss=loss, grown=grown))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a table of two models' curves, and one that does not say which were grown."""
    folder, rng = tmp_path_factory.mktemp("growth"), np.random.default_rng(4)
    both = pd.concat([curves(rng, "a"), curves(rng, "b", 1.8)], ignore_index=True)
    both.to_csv(folder / "curves.csv", index=False)
    both.drop(columns=["grown", "C"]).assign(D=1e10).to_csv(folder / "unknown.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def one():
    """Return a fit of one model without its runs' names."""
    return bs.fit("growth_effective_compute", curves(np.random.default_rng(4)).drop(columns="run"), **SHORT)


@pytest.fixture
def said(capsys, monkeypatch, folder):
    """Run the verb in the folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status = main(["growth", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def asked(monkeypatch, one):
    """Put a fit that was made before in place of the fits; return what they were asked."""
    asked = {}

    def fit(law, runs, **how):
        asked.update(how, law=law, rows=len(runs))
        return {"a": one, "b": one} if "over" in how else one

    monkeypatch.setattr(bs, "fit", fit)
    monkeypatch.setattr(bs, "fit_pooled", fit)
    return asked


def test_it_says_what_python_says(said, asked, one, folder):
    answer = said(
        "curves.csv",
        "--over",
        "model",
        "--loss",
        "2.1",
        "2.05",
        "--N",
        "7B",
        "--bins",
        12,
        "--out",
        "out.csv",
        "--json",
    )
    assert answer[0] == 0, answer[2]
    found = json.loads(answer[1])
    assert [(a["group"], a["given"]["loss"]) for a in found["answers"]] == [
        ("a", 2.1),
        ("a", 2.05),
        ("b", 2.1),
        ("b", 2.05),
    ]
    expected = bs.speedup(one, loss=2.1, N=7e9)
    assert found["answers"][0]["answer"]["kappa"]["median"] == pytest.approx(expected.draws["kappa"].median())
    assert found["answers"][0]["beats_scratch"]["grown"] == expected.beats_scratch["grown"]
    assert (asked["noise"], asked["over"], asked["rows"], found["rows"]) == ("curve", "model", 48, 120)
    saved = pd.read_csv(folder / "out.csv")
    row = saved[(saved["model"] == "b") & (saved["at"] == 2.1) & (saved["quantity"] == "D_saved")].iloc[0]
    assert row["low95"] == pytest.approx(expected.table().loc["D_saved", "low95"])
    assert row["P_beats_scratch"] == expected.beats_scratch["grown"]


def test_for_a_person_it_tells_the_speed_up_and_asks_at_the_end_of_the_runs(said, asked):
    status, out, err = said("curves.csv", "--noise", "normal", "--level", 0.9, "--bins", 12)
    assert status == 0, err
    assert "growth_effective_compute fitted to 120 rows of curves.csv, binned to 48" in " ".join(out.split())
    assert "speed-up of growing for C = " in out and "speedup percent" in out and "90% interval" in out
    assert "P(less compute than scratch): grown" in out
    assert asked["noise"] == "normal"


def test_a_fit_from_the_command_line(said):
    status, out, err = said("curves.csv", "--loss", 2.1, "--chains", 1, "--draws", 100, "--warmup", 200, "--json")
    assert status == 0, err
    low, high = (json.loads(out)["answers"][0]["answer"]["kappa"][k] for k in ("low95", "high95"))
    assert low < 1.8 and high > 1.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["unknown.csv"], "does not say which models were grown: write 1 in a column grown"),
        (["unknown.csv"], "no column C: all of the compute in FLOP"),
        (["curves.csv", "--over", "size"], "--over size: the table has no such column"),
        (["curves.csv", "--bins", "1"], "--bins 1: 2 or more"),
        (["curves.csv", "--out", "out.nc"], "ends in .csv"),
    ],
)
def test_refusals_before_a_fit(said, arguments, words):
    status, _, err = said(*arguments)
    assert status == 2 and words in " ".join(err.split())


def test_refusals_after_it(said, asked):
    for arguments, words in ((["--operator", "learn"], "no operator 'learn'"), (["--loss", "0.2"], "out of reach")):
        status, _, err = said("curves.csv", *arguments)
        assert status == 2 and words in err
