"""The verb `ladder`: the same numbers as Python, and what a newcomer's table may lack is said with its remedy."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.cli import main

AT = ["--at", "N=7B,D=4T"]
BOTH = ["--at", "N=7B,D=4T", "N=13B,D=5T"]
TARGETS = {"N": [7e9, 13e9], "D": [4e12, 5e12]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, task_table):
    """Return a folder with tables of runs: one as it should be, and some of which something is missing."""
    folder = tmp_path_factory.mktemp("ladder")
    task_table.to_csv(folder / "tasks.csv", index=False)
    task_table.query("task == 'easy'").drop(columns="task").to_csv(folder / "one.csv", index=False)
    task_table.drop(columns="chance").to_csv(folder / "no-chance.csv", index=False)
    task_table.rename(columns=dict(task="benchmark", loss="bpb", accuracy="acc")).to_csv(
        folder / "theirs.csv", index=False
    )
    task_table.assign(accuracy=100 * task_table["accuracy"]).to_csv(folder / "percent.csv", index=False)
    return folder


@pytest.fixture
def said(capsys, monkeypatch, folder):
    """Run the verb in the folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status = main(["ladder", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def asked(monkeypatch, task_ladder):
    """Put a ladder that was fitted before in place of the fit; return what the fit was asked."""
    asked = {}

    def ladder(runs, **how):
        asked.update(how, rows=len(runs), columns=runs.columns)
        return task_ladder

    monkeypatch.setattr(bs, "ladder", ladder)
    return asked


def document(answer):
    """Parse what --json printed; a command that went wrong fails here."""
    status, out, err = answer
    assert status == 0, err
    return json.loads(out)


def test_it_says_what_python_says(said, asked, task_ladder):
    found = document(said("tasks.csv", *BOTH, "--above", "70%", "--seed", 3, "--draws", 300, "--json"))
    table = pd.DataFrame(found["forecast"])
    expected = task_ladder.predict(**TARGETS, seed=3)
    assert list(table["task"]) == ["easy", "easy", "hard", "hard"]
    for name in ("median", "low50", "high80", "low95"):
        np.testing.assert_allclose(table[name], expected[name])
    chances = [each.probability(above=0.7) for each in task_ladder.forecasts(**TARGETS, seed=3).values()]
    np.testing.assert_allclose(table["probability_above"], np.concatenate(chances))
    judged = bs.verdicts(task_ladder, **TARGETS, seed=3).table
    assert list(table["verdict"]) == list(judged["verdict"])
    assert list(table["why"]) == list(judged["why"])
    assert (found["rows"], found["tasks"], found["above"]) == (32, ["easy", "hard"], 0.7)
    assert (asked["seed"], asked["draws"], asked["over"], asked["discrepancy"]) == (3, 300, "task", False)


def test_it_prints_percent_and_verdicts(said, asked, task_ladder):
    status, out, _ = said("tasks.csv", *BOTH, "--above", "0.7")
    assert status == 0
    words = " ".join(out.split())
    first = task_ladder.predict(**TARGETS).iloc[0]
    for expected in (
        "accuracy of a new run in %, from 32 rows of tasks.csv, 2 tasks",
        "At N = 7B, D = 4T",
        "At N = 13B, D = 5T",
        "95% interval",
        "P(> 70%)",
        f"easy {100 * first['median']:.1f}",
    ):
        assert expected in words
    assert any(verdict in words for verdict in bs.verdicts(task_ladder, **TARGETS).table["verdict"])
    assert max(map(len, out.splitlines())) <= 80
    assert "expected accuracy in %" in said("tasks.csv", *AT, "--kind", "mean")[1]


def test_it_writes_a_table(said, asked, folder, task_ladder):
    status, out, _ = said("tasks.csv", *BOTH, "--level", "0.9", "--out", "found.csv")
    assert status == 0 and "saved 4 forecasts to found.csv" in out
    written = pd.read_csv(folder / "found.csv")
    low = np.concatenate([each.interval(0.9)[0] for each in task_ladder.forecasts(**TARGETS).values()])
    np.testing.assert_allclose(written["low90"], low)
    assert {"task", "N", "D", "verdict", "apart"} <= set(written)
    assert said("tasks.csv", *AT, "--out", "found.txt")[0] == 2


@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
def test_one_task_from_a_table_to_a_forecast(said, task_table, monkeypatch):
    once = partial(bs.ladder, second_try=False)
    monkeypatch.setattr(bs, "ladder", once)
    found = document(said("one.csv", *AT, "--draws", 100, "--chains", 2, "--json"))
    made = once(task_table.query("task == 'easy'").drop(columns="task"), draws=100, chains=2)
    assert found["tasks"] == ["accuracy"]
    assert found["forecast"][0]["median"] == pytest.approx(made.predict(N=7e9, D=4e12)["median"][0])


def test_losses_and_accuracies_each_have_a_noise(said, asked):
    assert said("tasks.csv", *AT, "--noise", "laplace", "--accuracy-noise", "binomial")[0] == 0
    assert (asked["noise"], asked["accuracy_noise"]) == ("laplace", "binomial")


def test_their_columns(said, asked):
    columns = ["--columns", "loss=bpb", "accuracy=acc", "--over", "benchmark"]
    assert said("theirs.csv", *AT, *columns)[0] == 0
    assert asked["over"] == "benchmark" and {"loss", "accuracy", "benchmark"} <= set(asked["columns"])
    assert said("percent.csv", *AT, "--units", "accuracy=percent")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-chance.csv", *AT], "no column chance: the accuracy of guessing, one over"),
        (["no-chance.csv", *AT], "write 0.25 in every row of a task with four answers"),
        (["theirs.csv", *AT], "--columns accuracy=acc"),
        (["theirs.csv", *AT, "--columns", "loss=bpb", "accuracy=acc"], "name the column of the task, --over"),
        (["tasks.csv", *AT, "--over", "corpus"], "--over corpus: the table has no such column; it has N, D"),
        (["percent.csv", *AT], "if it is in %, say --units accuracy=percent"),
        (["tasks.csv", "--at", "N=7B"], "say N and D of each model, with a comma between: --at N=7B,D=4T"),
        (["tasks.csv", "--at", "N=7B,D=4q"], "--at D: '4q' is not a number"),
        (["tasks.csv", "--at", "7B"], "'7B' is not NAME=VALUE"),
        (["tasks.csv", *AT, "--above", "60"], "an accuracy lies between 0 and 1; write 0.6 or 60%"),
        (["tasks.csv"], "--at needs a value"),
    ],
)
def test_slips_are_named_with_a_remedy(said, asked, arguments, words):
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert words.lower() in err.lower()
    assert asked == {}, "nothing is fitted before"


def test_a_space_between_n_and_d_is_understood(said, asked):
    found = document(said("tasks.csv", "--at", "N=7B", "D=4T", "--json"))
    assert [(row["N"], row["D"]) for row in found["forecast"]] == [(7e9, 4e12)] * 2
