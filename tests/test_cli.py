"""The command line: the same numbers as Python, errors in one line, help that does not wait for JAX."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.cli import main, show
from bayesscale.cli.messages import in_cli_words
from bayesscale.cli.options import numbers, pairs
from bayesscale.errors import NumberError

HEAVY = ("jax", "numpyro", "arviz", "arviz_base", "pandas", "matplotlib", "xarray")
DRAWS = ["--chains", "2", "--draws", "500", "--no-discrepancy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ladder):
    """Return a folder with the ladder as a user's table, in their words: params in millions."""
    folder = tmp_path_factory.mktemp("cli")
    theirs = ladder.table[["N", "D", "loss"]].rename(columns={"N": "size", "D": "seen", "loss": "final"})
    theirs.assign(size=theirs["size"] / 1e6).to_csv(folder / "theirs.csv", index=False)
    ladder.table.to_csv(folder / "runs.csv", index=False)
    (folder / "no-posterior.nc").write_text("hello")
    pd.DataFrame({"name": ["a", "b[/]"], "N": ["7B", "70B"], "D": ["1.4T", "1.4T"]}).to_csv(
        folder / "big.csv", index=False
    )
    return folder


@pytest.fixture(scope="module")
def saved(folder, fitted):
    """Return the path of a saved posterior."""
    fitted.save(folder / "posterior.nc")
    return str(folder / "posterior.nc")


@pytest.fixture
def said(capsys, monkeypatch, folder):
    """Run a command in the folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def document(answer):
    """Parse what --json printed; a command that went wrong fails here."""
    status, out, err = answer
    assert status == 0, err
    return json.loads(out)


# -- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]])
def test_help_is_light(arguments):
    code = f"import sys; from bayesscale.cli import main; main({arguments}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    assert not set(HEAVY) & set(done.stderr.split())


@pytest.mark.parametrize(
    "verb",
    [
        "demo",
        "fit",
        "predict",
        "allocate",
        "batch-size",
        "learning-rate",
        "compare",
        "backtest",
        "ladder",
        "mixture",
        "growth",
        "laws",
        "datasets",
    ],
)
def test_every_verb_has_help_with_examples_that_fit_a_terminal(said, verb):
    status, out, _ = said(verb, "--help")
    _, _, examples = out.partition("Examples\n")
    assert status == 0
    assert f"bayesscale {verb}" in examples
    assert max(map(len, examples.splitlines())) <= 80


def test_version(said):
    assert said("--version")[1].strip() == bs.__version__


# -- the verbs --------------------------------------------------------------------------------------------------------


def test_fit_reads_their_columns_and_says_what_python_says(said, folder):
    reading = ["--columns", "N=size", "D=seen", "loss=final", "--units", "N=millions", "--about", "count_N=total"]
    answer = said("fit", "theirs.csv", *reading, *DRAWS, "--seed", 3, "--out", "fit.nc", "--json")
    found = document(answer)
    columns = {"N": "size", "D": "seen", "loss": "final"}
    runs = bs.read_runs(folder / "theirs.csv", columns=columns, units={"N": "millions"}, about={"count_N": "total"})
    post = bs.fit("chinchilla", runs, chains=2, draws=500, seed=3, discrepancy=False)
    summary = post.summary()
    assert found["rows"] == 16
    assert found["about"]["count_N"] == "total"
    assert found["fingerprint"] == runs.fingerprint
    assert list(found["parameters"]) == list(summary.index)
    for name, said_of in found["parameters"].items():
        assert said_of == pytest.approx(summary.loc[name].to_dict())
    assert found["check"]["status"] == post.check().status
    assert bs.load(folder / "fit.nc").runs.fingerprint == runs.fingerprint


def test_fit_prints_parameters_and_the_check(said):
    status, out, _ = said("fit", "simulated-ladder", "--law", "power(C)", *DRAWS, "--level", "0.8")
    assert status == 0
    assert "power(C): L(x) = E + A / x^alpha" in out
    assert "80% interval" in out
    assert "fit check: " in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_predict_says_what_python_says(said, saved):
    answer = said("predict", saved, "--N", "7B,70B", "--D", "1.4T", "--below", "2.0", "--seed", 5, "--json")
    found = document(answer)
    made = bs.load(saved).predict(N=["7B", "70B"], D="1.4T", seed=5)
    expected = made.table().assign(probability_below=made.probability(below=2.0)).to_dict("records")
    assert found["below"] == 2.0
    assert found["forecast"] == expected


def test_predict_from_a_table_of_targets(said, saved):
    found = document(said("predict", saved, "--targets", "big.csv", "--kind", "mean", "--level", "0.9", "--json"))
    table = bs.load(saved).predict(N=["7B", "70B"], D="1.4T", kind="mean").table(level=0.9)
    assert [row["name"] for row in found["forecast"]] == ["a", "b[/]"]
    assert [row["low90"] for row in found["forecast"]] == list(table["low90"])


def test_predict_derives_and_prints_a_table(said, saved):
    status, out, err = said("predict", saved, "--C", "6e23", "--D", "1.4T", "--above", "1.9")
    assert (status, err) == (0, "")
    for words in ("loss of a new run", "71.4B", "50% interval", "95% interval", "P(> 1.9)", "holds if the law does"):
        assert words in out


def test_compare_says_what_python_says(said, ladder):
    options = [*DRAWS, "--noise", "normal", "--no-rollout", "--json"]
    answer = said("compare", "runs.csv", "--laws", "chinchilla", "power(C)", *options)
    found = document(answer)
    compared = bs.compare(
        ladder, ["chinchilla", "power(C)"], chains=2, draws=500, noise="normal", rollout=False, discrepancy=False
    )
    assert [row["law"] for row in found["laws"]] == list(compared.table.index)
    assert [row["elpd_loo"] for row in found["laws"]] == pytest.approx(compared.table["elpd_loo"])
    assert [row["elpd_waic"] for row in found["laws"]] == pytest.approx(compared.table["elpd_waic"])
    assert found["notes"]


@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
def test_backtest_says_what_python_says(said, ladder, folder):
    options = ["--laws", "power(C)", "chinchilla", "--cutoffs", "0.5", "0.75", "--average", "equal"]
    how = ["--chains", 2, "--draws", 250]
    found = document(said("backtest", "runs.csv", *options, *how, "--out", "tests.csv", "--json"))
    asked = dict(cutoffs=(0.5, 0.75), average="equal")
    tested = bs.backtest(ladder, ["power(C)", "chinchilla"], **asked, chains=2, draws=250)
    assert [row["law"] for row in found["laws"]] == ["power(C)", "chinchilla", "average (equal)"]
    for name in ("coverage95", "crps", "log_score", "pit"):
        assert [row[name] for row in found["laws"]] == pytest.approx(list(tested.summary()[name]))
    assert len(found["factors"]) == len(tested.summary(by=["law", "factor"]))
    assert found["notes"] == tested.notes
    written = pd.read_csv(folder / "tests.csv")
    assert list(written.columns) == list(tested.table.columns)
    np.testing.assert_allclose(written["median"], tested.table["median"])
    status, out, _ = said("backtest", "runs.csv", *options, *how)
    assert status == 0
    for words in ("16 rows of runs.csv", "average (equal)", "2-4x", "the 95% intervals held", "not independent"):
        assert words in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_laws(said):
    assert "chinchilla" in said("laws")[1]
    assert "power(x)" in said("laws")[1]
    assert " ".join(repr(bs.models.chinchilla).split()) == " ".join(said("laws", "chinchilla")[1].split())
    found = document(said("laws", "power(C)", "--json"))
    assert found["columns"] == ["C"]
    assert list(found["priors"]) == list(bs.models.power.priors())
    assert document(said("laws", "--json"))[0]["name"] == "chinchilla"


def test_datasets(said, folder):
    assert [entry["name"] for entry in document(said("datasets", "--json"))] == list(bs.datasets.names())
    assert "simulated-ladder" in said("datasets")[1]
    assert said("datasets", "simulated-ladder", "--out", "ladder.csv")[0] == 0
    runs = bs.datasets.load("simulated-ladder")
    np.testing.assert_array_equal(bs.read_runs(folder / "ladder.csv").column("loss"), runs.column("loss"))
    assert document(said("datasets", "simulated-ladder", "--json"))["about"]["truth"] == runs.about["truth"]


def test_demo_writes_what_it_says(said, folder):
    status, out, err = said("demo", "--out", "shown")
    assert (status, err) == (0, "")
    written = {path.name for path in (folder / "shown").iterdir()}
    figures = {"forecast.png", "residuals.png", "prior_posterior.png", "comparison.png"}
    assert written == {"runs.csv", "posterior.nc", *figures}
    assert all((folder / "shown" / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    for words in (*written, "truth", "95% interval", "elpd_waic", "fit check", "law is right here by construction"):
        assert words in out
    assert bs.load(folder / "shown" / "posterior.nc").law == bs.models.chinchilla


# -- what goes wrong --------------------------------------------------------------------------------------------------

BAD = {
    "missing file": (["fit", "nowhere.csv"], "nowhere.csv"),
    "unknown dataset": (["fit", "nowhere"], "there is no file nowhere, and no dataset"),
    "unknown dataset to list": (["datasets", "nowhere"], "simulated-ladder"),
    "bad column": (["fit", "theirs.csv", "--columns", "N=width", "D=seen"], "no column 'width'"),
    "column not there": (
        ["fit", "theirs.csv", "--columns", "N=size", "loss=final", "--units", "N=millions"],
        "--columns D=tokens",
    ),
    "no pair": (["fit", "theirs.csv", "--columns", "size"], "'size' is not NAME=VALUE"),
    "unknown law": (["fit", "runs.csv", "--law", "chinchila"], "there are chinchilla"),
    "unknown law to show": (["laws", "chinchila"], "there are chinchilla"),
    "unknown law to compare": (["compare", "runs.csv", "--laws", "chinchila"], "there are chinchilla"),
    "unknown law to test": (["backtest", "runs.csv", "--laws", "chinchila"], "there are chinchilla"),
    "no such cutoff": (["backtest", "runs.csv", "--cutoffs", "0.01"], "give other --cutoffs, or a smaller --least"),
    "bad cutoff": (["backtest", "runs.csv", "--cutoffs", "5q"], "--cutoffs: '5q' is not a number"),
    "cut by what is not there": (["backtest", "runs.csv", "--by", "B"], "no column 'B'"),
    "forecasts over a table": (["backtest", "runs.csv", "--out", "runs.nc"], ".csv"),
    "unknown noise": (["fit", "runs.csv", "--noise", "cauchy"], "student-t"),
    "unknown verb": (["predct"], "predict"),
    "no table": (["fit"], "needs a TABLE"),
    "table after a list": (["fit", "--columns", "N=size", "theirs.csv"], "before any options"),
    "too much": (["fit", "runs.csv", "more.csv"], "'more.csv'"),
    "level in percent": (["fit", "runs.csv", "--level", "95"], "--level"),
    "overwriting a table": (["fit", "runs.csv", "--out", "runs.csv"], ".nc"),
    "no folder to write to": (["fit", "runs.csv", "--out", "there/fit.nc"], "there is no folder there"),
    "writing no dataset": (["datasets", "--out", "runs.csv"], "say which dataset"),
    "demo over a file": (["demo", "--out", "runs.csv"], "runs.csv"),
    "no posterior": (["predict", "nowhere.nc", "--N", "7B"], "does not exist"),
    "not a posterior": (["predict", "no-posterior.nc", "--N", "7B"], "not a NetCDF file"),
    "bad number": (["predict", "posterior.nc", "--N", "7q", "--D", "1.4T"], "--N: '7q' is not a number"),
    "bad threshold": (["predict", "posterior.nc", "--N", "7B", "--D", "1.4T", "--below", "2,3"], "--below: '2,3'"),
    "covariate missing": (["predict", "posterior.nc", "--N", "7B"], "--D"),
    "misspelt option": (["predict", "posterior.nc", "--N", "7B", "--D", "1T", "--blow", "2"], "no option --blow"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_exit_status_2(said, saved, arguments, words):
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_bad_input_leaves_the_table_alone(said, folder):
    before = (folder / "runs.csv").read_bytes()
    said("fit", "runs.csv", "--out", "runs.csv")
    assert (folder / "runs.csv").read_bytes() == before


def test_warnings_are_one_line_each(said, folder):
    N = np.array([1e8, 2e8, 4e8, 8e8])
    pd.DataFrame({"N": N, "D": 20 * N, "loss": [3.4, 3.1, 2.9, 2.7]}).to_csv(folder / "ray.csv", index=False)
    status, out, err = said("fit", "ray.csv", *DRAWS, "--json")
    assert status == 0
    assert json.loads(out)["rows"] == 4
    assert all(line.startswith("warning: ") for line in err.splitlines())
    assert "same tokens per parameter" in err
    assert "4 rows for" in err
    assert ".py:" not in err


# -- words ------------------------------------------------------------------------------------------------------------


def test_pairs():
    assert pairs(["N=params", "D=my tokens,loss=final"], option="columns") == {
        "N": "params",
        "D": "my tokens",
        "loss": "final",
    }
    assert pairs(["N=1,000,000,D=2"], option="units") == {"N": "1,000,000", "D": "2"}
    for bad in ("N", "=params", "N="):
        with pytest.raises(NumberError, match="NAME=VALUE"):
            pairs([bad], option="columns")


def test_numbers_are_written_as_they_are_read():
    assert [show.number(x) for x in (1.028e11, 83_912.4, 482.01, 1.8172, 2e-5, float("inf"))] == [
        "102.8B",
        "83.91K",
        "482.0",
        "1.817",
        "2.000e-05",
        "inf",
    ]


def test_lists_keep_thousands_together():
    assert numbers(["7B,70B", "1,000,000", "13B"], option="N") == [7e9, 70e9, 1e6, 13e9]
    with pytest.raises(NumberError, match="--N: '7q' is not a number"):
        numbers(["7B,7q"], option="N")


def test_remedies_are_said_as_options():
    assert in_cli_words('name yours with columns={"D": "tokens"}, or') == "name yours with --columns D=tokens, or"
    assert in_cli_words("fit with target_accept=0.99, or") == "fit with --target-accept 0.99, or"
    assert in_cli_words('choose one, as in by="N"; there') == "choose one, as in --by N; there"
    assert in_cli_words("sample longer (warmup=, draws=)") == "sample longer (--warmup, --draws)"


def test_allocate_says_what_python_says(saved, capsys):
    post = bs.load(saved)
    assert main(["allocate", str(saved), "--C", "1e22", "--inference-tokens", "1T", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = bs.allocate(post, C="1e22", inference_tokens="1T")
    assert said["answer"]["N"]["median"] == pytest.approx(found.draws["N"].median())
    assert said["near_optimal"]["N"] == pytest.approx(list(found.near_optimal))
    assert main(["allocate", str(saved), "--C", "1e22"]) == 0
    assert "costs less than 0.1% loss" in " ".join(capsys.readouterr().out.split())
    assert main(["allocate", str(saved), "--C", "1e22x"]) == 2
    assert "1e22x" in capsys.readouterr().err


@pytest.fixture(scope="module")
def of_batches(folder):
    """Return the paths of two saved posteriors: of the loss by batch size, and of the steps to one loss."""
    N, D, B = (x.ravel() for x in np.meshgrid([2e8, 5e8], [4e9, 1e10, 2e10], 2.0 ** np.arange(15, 25)))
    terms = dict(E=1.8, A=400.0, alpha=0.35, F=9.0, b=0.3, G=20.0, c=0.25)
    loss = bs.models.three_term.evaluate(terms, N=N, S=D / B, B=B)
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(N)))
    bs.fit("three_term", dict(N=N, D=D, B=B, loss=loss), discrepancy=False).save(folder / "sweep.nc")
    B = 2.0 ** np.arange(15, 24)
    S = (1500.0 + 2e9 / B) * np.exp(0.05 * np.random.default_rng(1).standard_normal(len(B)))
    bs.fit("steps_examples", dict(B=B, S=S), discrepancy=False).save(folder / "steps.nc")
    return str(folder / "sweep.nc"), str(folder / "steps.nc")


def test_batch_size_says_what_python_says(said, of_batches):
    sweep, _ = of_batches
    found = document(said("batch-size", sweep, "--N", "1B", "--D", "100B", "--tolerance", "0.002", "--json"))
    best = bs.optimal_batch(bs.load(sweep), N="1B", D="100B", tolerance=0.002)
    assert found["answer"]["B"] == pytest.approx(best.table().loc["B"].to_dict())
    assert found["near_optimal"]["B"] == pytest.approx(list(best.near_optimal))
    status, out, err = said("batch-size", sweep, "--N", "1B", "--D", "100B")
    assert (status, err) == (0, "")
    assert "best B for N = 1B, D = 100B" in out
    assert "costs less than 0.1% loss" in " ".join(out.split())


def test_critical_batch_size_says_what_python_says(said, of_batches):
    sweep, steps = of_batches
    for path, options, how in (
        (sweep, ["near-best", "--D", "100B", "--excess", "0.02"], dict(D="100B", excess=0.02)),
        (sweep, ["E_min/S_min", "--loss", "2.7"], dict(loss=2.7)),
        (
            sweep,
            ["step-overhead", "--loss", "3.4", "--B-ref", "128K", "--overhead", "0.3"],
            dict(loss=3.4, B_ref="128K", overhead=0.3),
        ),
        (sweep, ["step-overhead", "--loss", "3.4", "--B-ref", "128K"], dict(loss=3.4, B_ref="128K")),
        (steps, ["step-overhead", "--B-ref", "128K"], dict(B_ref="128K")),
    ):
        at = dict(N="1B") if path == sweep else {}
        size = ["--N", "1B"] if at else []
        found = document(said("batch-size", path, *size, "--critical", *options, "--json"))
        python = bs.critical_batch(bs.load(path), definition=options[0], **how, **at)
        assert found["answer"]["B"] == pytest.approx(python.table().loc["B"].to_dict())
        status, out, _ = said("batch-size", path, *size, "--critical", *options)
        assert status == 0
        assert out.startswith(f"critical batch size B ({options[0]})")
        assert not re.search(r"\de\+\d", out), "tokens and steps are written as everywhere: 102.8B"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--N", "1B"], "needs D"),
        (["--N", "1B", "--D", "100B", "--loss", "2.7"], "the best batch size does not go by --loss"),
        (["--N", "1B", "--D", "1T", "--critical", "E_min/S_min", "--loss", "2.7"], "does not go by --D"),
        (["--N", "1B", "--D", "1T", "--critical", "near-best", "--B-ref", "1M"], "does not go by --B-ref"),
        (["--N", "1B", "--D", "1T", "--excess", "0.1"], "the best batch size does not go by --excess"),
        (["--N", "1B", "--loss", "2.7", "--critical", "E_min/S_min", "--overhead", "0.1"], "does not go by --overhead"),
        (["--N", "1B", "--critical", "step-overhead"], "needs --loss ... and --B-ref ..."),
        (["--N", "1B", "--critical", "step-overhead", "--loss", "2.7", "--B-ref", "0"], "B_ref must be positive"),
        (["--N", "1B", "--D", "1T", "--critical", "largest"], "near-best"),
    ],
)
def test_batch_size_refuses_in_the_words_of_its_options(said, of_batches, options, words):
    status, out, err = said("batch-size", of_batches[0], *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_learning_rate_says_what_python_says(said, folder):
    N, D, lr = (x.ravel() for x in np.meshgrid([2e8, 5e8], [4e9, 1e10], np.geomspace(1e-4, 1e-2, 8)))
    best = 2e-3 * (N / 2e8) ** -0.3
    loss = (1.8 + 400 / N**0.35 + 2000 / D**0.37) * (1 + 0.01 * np.log(lr / best) ** 2)
    loss = loss * np.exp(0.002 * np.random.default_rng(0).standard_normal(len(N)))
    post = bs.fit("lr_power", dict(N=N, D=D, lr=lr, loss=loss), discrepancy=False)
    post.save(folder / "rates.nc")
    asked = ["learning-rate", "rates.nc", "--N", "1B", "--D", "20B"]
    found = document(said(*asked, "--json"))
    python = bs.optimal_lr(post, N="1B", D="20B")
    assert found["answer"]["lr"] == pytest.approx(python.table().loc["lr"].to_dict())
    assert found["near_optimal"]["lr"] == pytest.approx(list(python.near_optimal))
    status, out, err = said(*asked)
    assert (status, err) == (0, "")
    assert "best lr for N = 1B, D = 20B" in out
    status, _, err = said(*asked, "--B", "1q")
    assert status == 2
    assert "--B: '1q' is not a number" in err


def test_learning_rate_needs_a_law_with_one(said, saved):
    status, _, err = said("learning-rate", saved, "--N", "1B", "--D", "100B")
    assert status == 2
    assert "the best lr needs a law with lr in it" in err


def test_batch_size_needs_a_law_with_one(said, saved):
    status, _, err = said("batch-size", saved, "--N", "1B", "--D", "100B")
    assert status == 2
    assert "the best B needs a law with B in it" in err
