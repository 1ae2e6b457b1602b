import ast
import pickle
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesscale import inference
from bayesscale.cli import options
from bayesscale.cli.options import pairs
from bayesscale.errors import RunsError, RunsWarning
from bayesscale.runs import Runs, read_runs


def good_table(**columns) -> pd.DataFrame:
    """Six runs with nothing to complain of, but for the `columns` put in."""
    table = {
        "N": [1e8, 1e8, 1e8, 1e9, 1e9, 1e9],
        "D": [2e9, 8e9, 3e10, 2e9, 8e9, 3e10],
        "loss": [3.4, 3.2, 3.1, 3.0, 2.8, 2.6],
    }
    return pd.DataFrame({**table, **columns})


# --- what is derived, and what it is called ---


@pytest.mark.parametrize("missing", ["N", "D", "C"])
def test_any_of_n_d_c_follows_from_the_other_two(missing):
    full = good_table().assign(C=lambda t: 6 * t["N"] * t["D"])
    runs = read_runs(full.drop(columns=missing))
    np.testing.assert_allclose(runs.column(missing), full[missing], rtol=1e-14)
    assert set(runs.about["derived"]) == {missing}


def test_batch_and_steps_follow_and_make_tokens():
    runs = read_runs({"N": [1e8, 1e9], "B": ["512K", "1M"], "S": [10_000, 20_000], "loss": [3.2, 3.0]})
    np.testing.assert_array_equal(runs.column("D"), [5.12e9, 2e10])
    np.testing.assert_array_equal(runs.column("C"), [6 * 1e8 * 5.12e9, 6 * 1e9 * 2e10])
    assert runs.about["derived"] == {"D": "B * S", "C": "6 * N * D"}
    assert read_runs(good_table(B=5e5)).column("S")[0] == 4000
    assert read_runs(good_table(S=4000)).column("B")[0] == 5e5


def test_compute_of_large_integers_does_not_overflow():
    runs = read_runs(pd.DataFrame({"N": [70 * 10**9, 10**9], "D": [14 * 10**11, 10**11], "loss": [1.9, 2.5]}))
    assert runs.column("C")[0] == pytest.approx(5.88e23, rel=1e-15)


def test_given_columns_are_never_overwritten():
    given = 1.1 * 6 * good_table()["N"] * good_table()["D"]
    runs = read_runs(good_table(C=given))
    np.testing.assert_array_equal(runs.column("C"), given)
    assert runs.about["derived"] == {}


def test_cells_as_people_write_them():
    runs = read_runs({"N": ["350M", "1B", 7e9], "D": ["7B", "1.4T", "1,000,000,000"], "loss": ["3.1", "2.1", "2.9"]})
    np.testing.assert_array_equal(runs.column("N"), [3.5e8, 1e9, 7e9])
    np.testing.assert_array_equal(runs.column("D"), [7e9, 1.4e12, 1e9])
    assert runs.table["loss"].dtype == np.float64


def test_columns_are_mapped_and_common_spellings_recognised():
    theirs = good_table().rename(columns={"N": "Params", "D": "n tokens", "loss": "my_loss"})
    runs = read_runs(theirs, columns={"loss": "my_loss"})
    assert runs.columns == ("N", "D", "C", "loss")
    assert runs.about["columns"] == {"loss": "my_loss", "N": "Params", "D": "n tokens"}


def test_two_candidates_are_not_guessed_between():
    runs = read_runs(good_table(loss=None).drop(columns="loss").assign(val_loss=3.0, test_loss=3.1))
    with pytest.raises(RunsError, match=r"no column 'loss'.*val_loss, test_loss.*columns="):
        runs.column("loss")


def test_the_column_that_is_meant_wins_over_the_one_of_our_name():
    runs = read_runs(good_table(N_noembed=good_table()["N"] / 2), columns={"N": "N_noembed"})
    assert runs.column("N")[0] == 5e7
    assert runs.column("N_original")[0] == 1e8
    assert runs.column("C")[0] == 6 * 5e7 * 2e9


def test_units_are_converted():
    table = good_table(loss_error=0.01).assign(
        N=lambda t: t["N"] / 1e6, C=lambda t: 6 * t["N"] * 1e6 * t["D"] / 8.64e19
    )
    runs = read_runs(table, units={"N": "millions", "C": "PF-days", "loss": "bits"})
    np.testing.assert_allclose(runs.column("C"), 6 * runs.column("N") * runs.column("D"), rtol=1e-14)
    np.testing.assert_allclose(runs.column("loss"), good_table()["loss"] * np.log(2), rtol=1e-15)
    np.testing.assert_allclose(runs.column("loss_error"), 0.01 * np.log(2), rtol=1e-15)
    assert runs.about["units"] == {"N": "millions", "C": "PF-days", "loss": "bits"}


def test_other_columns_stay_as_they_are():
    table = good_table(task=list("aabbcc"), run=[1, 1, 2, 2, 3, 3], note=[None, {"x": 1}, "", [1], 2, 3.0])
    runs = read_runs(table)
    for name in ("task", "run", "note"):
        pd.testing.assert_series_equal(runs.table[name], table[name])


def test_columns_need_not_be_named_by_texts():
    table = good_table().assign(tag=[[1]] * 6).set_axis([0, 1, 2, 3], axis=1)
    runs = read_runs(table, columns={"N": 0, "D": 1}, units={2: 1.0})
    assert runs.columns == ("N", "D", "C", 2, 3)
    np.testing.assert_array_equal(runs.column(2), good_table()["loss"])


# --- what a table may come in ---


class Polarish:
    def to_pandas(self):
        return good_table()


def test_every_kind_of_source_gives_the_same_runs(tmp_path):
    good_table().to_csv(tmp_path / "runs.csv", index=False)
    good_table().to_csv(tmp_path / "runs.TSV", index=False, sep="\t")
    good_table().to_parquet(tmp_path / "runs.parquet")
    records = good_table().to_dict("records")
    files = [tmp_path / "runs.csv", str(tmp_path / "runs.TSV"), tmp_path / "runs.parquet"]
    sources = [*files, good_table(), good_table().to_dict("list"), records, Polarish()]
    assert {read_runs(source).fingerprint for source in sources} == {read_runs(good_table()).fingerprint}


def test_runs_are_returned_as_they_are():
    runs = read_runs(good_table(), about={"tokenizer": "gpt2"})
    assert read_runs(runs) is runs
    more = read_runs(runs, about={"count_N": "total"})
    assert (more.about["tokenizer"], more.about["count_N"]) == ("gpt2", "total")
    assert more.about["derived"] == {"C": "6 * N * D"}
    assert more.fingerprint == runs.fingerprint


def test_fingerprint_follows_the_content_only():
    runs = read_runs(good_table(task=list("aabbcc")))
    assert read_runs(runs.table[list(reversed(runs.columns))]).fingerprint == runs.fingerprint
    assert read_runs(runs.table.set_axis(list("uvwxyz"))).fingerprint == runs.fingerprint
    assert read_runs(good_table(task=list("aabbcd"))).fingerprint != runs.fingerprint
    assert runs.select(slice(None, None, -1)).fingerprint != runs.fingerprint
    code = f"from bayesscale.runs import read_runs; print(read_runs({runs.table.to_dict('list')!r}).fingerprint)"
    other_process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other_process.stdout.strip() == runs.fingerprint
    assert len(runs.fingerprint) == 16


# --- the record ---


def test_runs_cannot_be_changed_by_accident():
    table = good_table()
    runs = read_runs(table)
    before = runs.fingerprint
    table.loc[0, "N"] = 1.0
    copy = runs.table
    copy.loc[0, "N"] = 1.0
    runs.about["count_N"] = "total"
    with pytest.raises(ValueError, match="read-only"):
        runs.column("N")[0] = 1.0
    with pytest.raises(AttributeError):
        runs._table = table
    assert runs.fingerprint == before
    assert runs.about["count_N"] == "unknown"


def test_selection_keeps_what_is_said_of_the_table():
    runs = read_runs(good_table(), about={"eval": "C4"})
    by_mask = runs.select(runs.column("N") > 5e8)
    assert by_mask.fingerprint == runs.select([3, 4, 5]).fingerprint == runs.select(slice(3, None)).fingerprint
    assert by_mask.about == runs.about
    assert list(by_mask.table.index) == [3, 4, 5]
    assert len(runs.select(pd.array([True] + 5 * [False], dtype="boolean"))) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([True, False], "one value per row"),
        ([0, 6], "positions 0 to 6, but there are 6 rows"),
        ([0.5], "neither a mask nor positions"),
        ([], "no runs are left"),
        ([False] * 6, "no runs are left"),
    ],
)
def test_selections_that_make_no_sense(rows, said):
    with pytest.raises(RunsError, match=said):
        read_runs(good_table()).select(rows)


def test_repr_says_what_is_in_it():
    runs = read_runs(good_table(task="<b>"), about={"tokenizer": "<gpt2>"})
    said = repr(runs)
    for part in ("6 rows", "100M to 1B", "2B to 30B", "2.6 to 3.4 nats/token", "= 6 * N * D", "task", "<gpt2>"):
        assert part in said
    assert "&lt;gpt2&gt;" in runs._repr_html_()
    assert "6 rows of 2 runs" in repr(read_runs(good_table(run=list("aaabbb"))))


def test_runs_travel_to_other_processes():
    runs = read_runs(good_table())
    copy = pickle.loads(pickle.dumps(runs))
    assert isinstance(copy, Runs)
    assert copy.fingerprint == runs.fingerprint


def test_a_missing_column_is_asked_for_by_name():
    runs = read_runs({"N": [1e8, 1e9], "loss": [3.0, 2.5]})
    with pytest.raises(RunsError, match=r"no column 'D'.*N, loss.*columns=\{\"D\": \"tokens\"\}.*C and N"):
        runs.column("D")


def test_a_column_of_the_users_is_checked_when_it_is_used():
    runs = read_runs(good_table(accuracy=["0.5", "0.6", "x", None, 0.7, 0.8]))
    with pytest.raises(RunsError, match=r"'accuracy': no value in row 3") as caught:
        runs.column("accuracy")
    assert any("row 2: 'x'" in problem for problem in caught.value.problems)


# --- tables that are refused ---

REFUSED = {
    "missing": (good_table(N=[1e8, None, 1e8, 1e9, 1e9, 1e9]), {}, ["'N'", "no value", "row 1", "drop the row"]),
    "NaN": (good_table(loss=[3.4, 3.2, np.nan, 3, 2.8, 2.6]), {}, ["'loss'", "no value in row 2"]),
    "pandas NA": (good_table(D=pd.array([1, 2, 3, 4, 5, None], dtype="Int64")), {}, ["'D'", "no value in row 5"]),
    "text": (good_table(N=["100M", "1e8", "big", "1B", "1B", "1B"]), {}, ["'N'", "row 2: 'big'", "Write 7B"]),
    "ambiguous b": (good_table(N=["1b", "2b", "3B", "4B", "5B", "6B"]), {}, ["row 0: '1b'; row 1: '2b'", "write B"]),
    "ambiguous m": (good_table(D=["100m", *["2B"] * 5]), {}, ["'D'", "row 0: '100m'", "write M"]),
    "infinite": (good_table(D=[np.inf, 8e9, 3e10, 2e9, 8e9, 3e10]), {}, ["'D'", "not finite", "row 0: inf"]),
    "zero tokens": (good_table(D=[2e9, 8e9, 3e10, 0, 8e9, 3e10]), {}, ["'D'", "not positive", "row 3: 0"]),
    "negative N": (good_table(N=[1e8, -1e8, 1e8, 1e9, 1e9, 1e9]), {}, ["'N'", "not positive", "row 1: -1"]),
    "loss of zero": (good_table(loss=[3.4, 3.2, 3.1, 3.0, 2.8, 0.0]), {}, ["'loss'", "row 5: 0.0"]),
    "negative lr": (good_table(lr=-1e-3), {}, ["'lr'", "row 4", "and 1 more row."]),
    "D missing": (good_table(D=[1e9, None, 2e9, 3e9, 4e9, 5e9]), {}, ["'D'", "row 1", "drop the row"]),
    "negative error": (good_table(loss_error=[0.1, 0, -0.1, 0, 0, 0]), {}, ["'loss_error'", "negative in row 2: -0.1"]),
    "weight of zero": (good_table(weight=[1, 2, 1, 1, 0, 1]), {}, ["'weight'", "not positive", "row 4: 0"]),
    "no run id": (good_table(run=["a", "a", None, "b", "b", "b"]), {}, ["'run'", "no run id", "row 2"]),
    "booleans": (good_table(N=[True, False] * 3), {}, ["'N'", "not a number", "row 0: True"]),
    "complex": (good_table(N=[1j] * 6), {}, ["'N'", "not a number", "row 0: 1j"]),
    "dates": (good_table(D=pd.Timestamp("2024-01-01")), {}, ["'D'", "not a number", "2024-01-01"]),
    "duplicated rows": (
        good_table().iloc[[0, 1, 2, 1]],
        {},
        ["duplicated rows", "row 1", "`weight`", "`run` or `seed`"],
    ),
    "duplicated when read": (
        pd.DataFrame({"N": ["1B", 1e9, 2e9], "D": [2e9, "2B", 3e9], "loss": [3, 3.0, 2.9]}, index=["a", "b", "c"]),
        {},
        ["duplicated rows", "row b"],
    ),
    "duplicated lists": (good_table(shape=[[1, 2]] * 6).iloc[[0, 1, 1]], {}, ["duplicated rows"]),
    "two columns of one name": (
        pd.DataFrame([[1e8, 2e9, 3e8], [2e8, 4e9, 3e8]], columns=["N", "D", "N"]),
        {},
        ["'N'", "2 of this name", "Rename or drop"],
    ),
    "no rows": (good_table().iloc[:0], {}, ["empty", "one row per run"]),
    "no columns": (pd.DataFrame(), {}, ["empty"]),
    "two header rows": (
        good_table().set_axis([list("xyz"), list("abc")], axis=1),
        {},
        ["several rows of column names"],
    ),
    "no covariate": (pd.DataFrame({"a": [1, 2], "loss": [3, 2.9]}), {}, ["no covariate", "a, loss", "columns="]),
    "unit slip": (good_table(C=6 * 0.1 * 2), {}, ["'C'", "row 0: 1e-18", "6 * N * D", "wrong unit", "Check the units"]),
    "batch in sequences": (good_table(B=256.0, S=4000.0), {}, ["'D'", "B * S", "wrong unit"]),
    "overflow": (
        good_table(N=1e200, D=[1e200, 2e200, 3e200, 4e200, 5e200, 6e200]),
        {},
        ["'C' = 6 * N * D: not finite"],
    ),
    "column not there": (good_table(), {"columns": {"N": "params"}}, ["no column 'params'", "N, D, loss"]),
    "mapping turned round": (good_table(), {"columns": {"N": "x", "D": "x"}}, ["no column 'x'"]),
    "their name first": (
        good_table().rename(columns={"N": "size"}),
        {"columns": {"size": "N"}},
        ["no column 'N'", "columns={'N': 'size'}"],
    ),
    "wrong name of ours": (good_table(p=1.0), {"columns": {"n": "p"}}, ["'n' is called 'N' here"]),
    "name that is none": (good_table(p=1.0), {"columns": {"N params": "p"}}, ["cannot be a name", "loss_error"]),
    "named twice": (good_table(p=1e8), {"columns": {"N": "p", "B": "p"}}, ["'p' is named twice"]),
    "mapping to a list": (good_table(), {"columns": {"N": ["params"]}}, ["no column ['params']"]),
    "about is a text": (read_runs(good_table()), {"about": "C4"}, ["about='C4' is not a dict"]),
    "columns is a list": (good_table(), {"columns": ["N"]}, ["is not a dict"]),
    "unknown unit": (good_table(), {"units": {"N": "dozens"}}, ["units['N']", "'dozens'", '"millions"']),
    "suffix and unit": (
        good_table(N=["100M", *[1e9] * 5]),
        {"units": {"N": "millions"}},
        ["row 0: '100M'", "Leave one"],
    ),
    "unit of no column": (good_table(), {"units": {"B": "millions"}}, ["'B'", "no such column", "N, D, loss"]),
    "unknown count of N": (good_table(), {"about": {"count_N": "all"}}, ["count_N is 'all'", "non-embedding"]),
    "about not JSON": (good_table(), {"about": {"eval": object()}}, ["about", "saved with a fit"]),
    "about of ours": (good_table(), {"about": {"units": "tokens"}}, ["'units'", "another name"]),
    "unequal columns": ({"N": [1, 2], "D": [1]}, {}, ["do not make a table"]),
    "scalars": ({"N": 1, "D": 1}, {}, ["do not make a table"]),
    "no table at all": (7, {}, ["int", "Give a path"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_tables_are_refused_in_words(case):
    source, options, said = REFUSED[case]
    with pytest.raises(RunsError) as caught:
        read_runs(source, **options)
    for part in said:
        assert part in str(caught.value)


def test_all_problems_come_in_one_error():
    table = good_table(N=["100M", "x", "-1", "1B", "1B", None], loss=[0.0, 3.2, 3.1, np.inf, 2.8, 2.6])
    with pytest.raises(RunsError, match="problems:") as caught:
        read_runs(table, columns={"S": "steps"}, units={"loss": "smiles"})
    assert len(caught.value.problems) == 7


def test_a_few_examples_stand_for_many_rows():
    with pytest.raises(RunsError, match=r"row 4: -1; and 37 more rows\. Correct") as caught:
        read_runs({"N": [-1] * 42, "D": np.arange(1, 43)})
    assert "row 5" not in str(caught.value)


REFUSED_FILES = {
    "line of the file": ("N,D,loss\n1e8,2e9,3.1\n\n1e9,oops,2.9\n", ["column 'D'", "row 1 (line 4): 'oops'"]),
    "their column's name": ("params,D,loss\n-1,2e9,3.1\n", ["column 'N' (yours: 'params')", "row 0 (line 2): -1"]),
    "two headers of one name": ("N,D,N\n1e8,2e9,1e8\n", ["column 'N'", "2 of this name"]),
    "thousands without quotes": ("N,D,loss\n1,000,2000,3.1\n1,500,3000,3.0\n", ["more cells", "Quote"]),
    "a longer line": ("N,D,loss\n1e8,2e9,3.1\n1,000,2000,3.1\n", ["cannot be read as csv", "line 3"]),
    "nothing in it": ("", ["cannot be read as csv", "No columns"]),
    "header only": ("N,D,loss\n", ["empty"]),
    "another separator": ("N;D;loss\n1e8;2e9;3.1\n", ["no covariate", "N;D;loss"]),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_malformed_files_are_refused_in_words(case, tmp_path):
    text, said = REFUSED_FILES[case]
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(RunsError) as caught:
        read_runs(path)
    for part in said:
        assert part in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RunsError, match=r"nowhere\.csv: there is no such file"):
        read_runs(tmp_path / "nowhere.csv")
    with pytest.raises(RunsError, match=r"\.xlsx are not read.*pandas"):
        read_runs("runs.xlsx")
    (tmp_path / "runs.parquet").write_text("no parquet")
    with pytest.raises(RunsError, match="cannot be read as parquet"):
        read_runs(tmp_path / "runs.parquet")
    (tmp_path / "binary.csv").write_bytes(b"N,D\n\xff\xfe\x00,1\n")
    with pytest.raises(RunsError, match="cannot be read as csv"):
        read_runs(tmp_path / "binary.csv")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    good_table().to_parquet(tmp_path / "runs.parquet")

    def no_pyarrow(path):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", no_pyarrow)
    with pytest.raises(RunsError, match="pip install pyarrow"):
        read_runs(tmp_path / "runs.parquet")


def test_spreadsheet_files(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('\ufeffN, D, loss\n"1,000,000", 20M, 4.1\n2M, 20M, 4.0\n\n', encoding="utf-8")
    np.testing.assert_array_equal(read_runs_with_doubt(path, "one D").column("N"), [1e6, 2e6])


# --- tables that can be used but deserve a second look ---


def read_runs_with_doubt(source, said, **options):
    with pytest.warns(RunsWarning, match=said):
        return read_runs(source, **options)


DOUBTED = {
    "tiny loss": (good_table(loss=[0.05, 3.2, 3.1, 3.0, 2.8, 2.6]), r"'loss'.*first in row 0: 0\.05\..*nats"),
    "perplexity": (good_table(loss=[30.0, 25, 22, 20.5, 17, 14]), r"4 of 6 values.*perplexity.*bits"),
    "one N": (good_table(N=1e9, loss=[3.4, 3.2, 3.1, 3.0, 2.8, 2.6]), r"one N \(1B\).*prior decides.*another N"),
    "one D": (good_table(D=2e10, loss=[3.4, 3.2, 3.1, 3.0, 2.8, 2.6]), r"one D \(20B\).*another D"),
    "one run": (good_table().iloc[:1], r"one N \(100M\) and one D \(2B\)"),
    "one ray": (
        good_table(N=[1e8, 2e8, 3e8, 4e8, 5e8, 6e8], D=[2e9, 4e9, 6e9, 8e9, 1e10, 1.2e10]),
        r"D / N = 20.*alpha and beta, cannot be told apart.*more or fewer tokens.*chinchilla_tied",
    ),
    "near one ray": (
        good_table(N=[1e8, 2e8, 3e8, 4e8, 5e8, 6e8], D=[1.7e9, 4.6e9, 5.2e9, 9e9, 9e9, 1.35e10]),
        "alpha and beta, cannot be told apart",
    ),
    "N in millions": (
        good_table(N=[190.0, 190, 190, 1300, 1300, 1300]),
        r"'N': N up to 1300: are these parameters\? "
        r'Write units=\{"N": "millions"\}',
    ),
    "N in billions": (good_table(N=[0.19, 0.19, 0.19, 1.3, 1.3, 1.3]), r'N up to 1\.3: .*units=\{"N": "billions"\}'),
    "D in billions": (good_table(D=[2.0, 8, 30, 2, 8, 30]), r'D up to 30: are these tokens\? .*\{"D": "billions"\}'),
    "D in millions": (good_table(D=[2e3, 8e3, 3e4] * 2), r'D up to 30000: are these tokens\? .*\{"D": "millions"\}'),
    "C in PF-days, unsaid": (
        good_table(C=[0.1, 0.2, 0.3, 1.0, 2.0, 3.0]).drop(columns="N"),
        "N up to .*the columns that N follows from",
    ),
    "D far from N": (
        good_table(N=[1e11, 1e11, 1e11, 1e12, 1e12, 1e12], D=[2e6, 3e6, 4e6] * 2),
        r"Check the units of N",
    ),
    "one checkpoint twice": (
        good_table(run=list("aaabbb"), D=[2e9, 3.9998e9, 4e9] * 2, loss=[3.4, 3.2, 3.2, 3.1, 2.8, 2.8]),
        r"2 rows have exactly the loss .* row 2: D = 4e\+09 after 3\.9998e\+09\. Is it one checkpoint",
    ),
    "other FLOP": (
        good_table().assign(C=lambda t: 9 * t["N"] * t["D"]),
        r"1\.5 to 1\.5 times 6 \* N \* D.*6 of 6 rows.*as given",
    ),
}


@pytest.mark.parametrize("case", DOUBTED)
def test_doubtful_tables_are_read_with_a_warning(case):
    table, said = DOUBTED[case]
    assert len(read_runs_with_doubt(table, said)) == len(table)


NOT_DOUBTED = {
    "small models among others": good_table(N=[768.0, 3e6, 1e7, 1e8, 1e9, 1e9]),
    "a factor of two in D / N": good_table(N=[1e8, 1e8, 3e8, 3e8, 1e9, 1e9], D=[2e9, 4e9, 6e9, 1.2e10, 2e10, 4e10]),
    "sizes that hardly differ": good_table(N=[1e8, 1.1e8, 1.2e8] * 2, D=[2e9, 2.1e9, 2.2e9, 2.3e9, 2.4e9, 2.5e9]),
    "one compute": good_table(N=[1e8, 2e8, 3e8, 4e8, 5e8, 6e8], C=1e19).drop(columns="D"),
}


@pytest.mark.parametrize("case", NOT_DOUBTED)
def test_tables_in_order_are_read_without_a_word(case):
    read_runs(NOT_DOUBTED[case])


def test_the_unit_that_a_warning_asks_for_ends_it():
    assert read_runs(good_table(N=[190.0, 190, 190, 1300, 1300, 1300]), units={"N": "millions"}).column("N")[5] == 1.3e9


def test_the_warning_points_at_the_caller():
    with pytest.warns(RunsWarning) as caught:
        read_runs(good_table(N=1e9))
    assert caught[0].filename == __file__


# --- real tables ---

REAL = {
    "epoch_chinchilla/runs.csv": (245, {}),
    "chinchilla_mlscalefit/runs.csv": (124, {}),
    "gadre2024/models.csv": (104, {"columns": {"loss": "loss_c4_val"}}),
    "datablations/c4_runs.csv": (296, {}),
    "porian2024/isoflop.csv": (1745, {}),
    "routing_clark2022/final.csv": (223, {}),
    "steplaw/dense.csv": (1292, {}),
    "ladder/olmo_ladder_final.csv": (364, {"columns": {"C": "flops_6ND", "accuracy": "acc_last"}}),
    "m4_benchmark/curves.csv": (9528, {"columns": {"D": "x", "loss": "y"}}),
    "growth/gstack_loss_curves_digitized.csv": (
        3813,
        {"columns": {"C": "flops_1e20", "loss": "train_loss"}, "units": {"C": 1e20}},
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_tables_are_read(name, real_data):
    rows, options = REAL[name]
    runs = read_runs(real_data(name), **options)
    assert len(runs) == rows
    assert read_runs(runs.table).fingerprint == runs.fingerprint


def test_gaps_in_how_runs_were_trained_are_refused_when_asked_for(real_data):
    """Marin knows the learning rate of some runs only; a law of N and D does not ask."""
    runs = read_runs(real_data("marin_isoflop/runs.csv"))
    np.testing.assert_allclose(runs.column("B"), runs.column("D") / runs.column("S"))
    with pytest.raises(RunsError, match=r"column 'lr': no value in row 177"):
        runs.column("lr")


# --- the same in the command line's words ---


def test_readme_reads_the_table_alike_in_python_and_on_the_command_line(tmp_path):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    python = re.search(r'read_runs\("runs.csv", columns=(\{.*?\}), units=(\{.*?\})\)', readme)
    columns, units = map(ast.literal_eval, python.groups())
    lines = re.findall(r"^bayesscale (?:fit|compare) runs\.csv .*", readme, flags=re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        given_there = {word: given.split() for word, given in re.findall(r"--(columns|units) ((?:\w+=\S+ ?)+)", line)}
        assert {word: pairs(given, option=word) for word, given in given_there.items()} == dict(
            columns=columns, units=units
        )


def test_the_sampler_has_the_same_defaults_on_the_command_line():
    there = {f.name: f.default for f in fields(inference.Sampling)}
    ours = {f.name: f.default for f in fields(options.Sampling) if f.name not in {"noise", "discrepancy"}}
    assert ours == {name: there[name] for name in ours}
    said = " ".join(options.Sampling.__doc__.split())
    usual, curved, few = inference.run.WARMUP, inference.run.WARMUP_CURVED, inference.run.FEW_ROWS
    assert f"[default: {curved}, or {usual} without a discrepancy for more than {few} rows that share no runs]" in said
    assert f"at {inference.run.TARGET_ACCEPT_SECOND} with five times the warm-up" in said
