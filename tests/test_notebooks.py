"""The notebooks: their scripts run to the end, and the notebooks beside them are these scripts, executed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))
REMEDY = "make it again: python notebooks/render.py"
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|var|opt|usr|private|mnt)/|[A-Z]:\\\\?\w|site-packages")

every_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def execute(script, folder, **environment):
    """Run a script from top to bottom in an empty folder, with warnings as errors; return what it printed."""
    env = {**os.environ, "MPLBACKEND": "Agg", **environment}
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(folder.iterdir()) == []
    return done.stdout


@pytest.fixture
def empty(tmp_path):
    """Return an empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def read(script):
    return json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(output):
    """All that an output says in text: what is printed, and every representation that is not an image."""
    data = {kind: said for kind, said in output.get("data", {}).items() if not kind.startswith("image/")}
    said = [output.get("text", ""), *data.values()]
    return "\n".join("".join(lines) if isinstance(lines, list) else str(lines) for lines in said)


def test_there_are_notebooks():
    assert [script.stem for script in SCRIPTS][:1] == ["01_first_forecast"]


@pytest.mark.slow  # dozens of real tables, minutes each; without the data they run below
@every_script
def test_runs_with_the_published_data(script, empty, real_data):
    folder = real_data("epoch_chinchilla/runs.csv").parents[1]
    assert "not at hand" not in execute(script, empty, BAYESSCALE_DATA=str(folder))


@pytest.mark.parametrize(
    "script",
    # Rollouts and backtests of several laws are the subject of the fourth: they take minutes on any table.
    [pytest.param(each, id=each.stem, marks=[pytest.mark.slow] * each.stem.startswith("04")) for each in SCRIPTS],
)
def test_runs_without_the_published_data_and_says_so(script, empty, tmp_path):
    # Nothing is downloaded, and nothing that was downloaded before is found; compiled programs are.
    compiled = Path(os.environ["BAYESSCALE_CACHE_DIR"]) / "compiled"
    compiled.mkdir(parents=True, exist_ok=True)
    cache, data = tmp_path / "cache", tmp_path / "data"
    cache.mkdir()
    data.mkdir()
    (cache / "compiled").symlink_to(compiled)
    nowhere = dict(BAYESSCALE_DATA=str(data), BAYESSCALE_DATA_URL="http://127.0.0.1:9", NO_PROXY="*", no_proxy="*")
    printed = execute(script, empty, BAYESSCALE_CACHE_DIR=str(cache), **nowhere)
    if "epoch-chinchilla" in script.read_text(encoding="utf-8"):
        assert "not at hand" in printed


@every_script
def test_the_notebook_is_the_script(script):
    jupytext = pytest.importorskip("jupytext", reason="jupytext is needed to read the script as a notebook")
    ours, theirs = jupytext.read(script), jupytext.read(script.with_suffix(".ipynb"))
    cells = [[(cell.cell_type, cell.source) for cell in notebook.cells] for notebook in (ours, theirs)]
    assert cells[0] == cells[1], REMEDY


@every_script
def test_the_notebook_is_executed(script):
    cells = code_cells(read(script))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), REMEDY
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs), REMEDY
    unwanted = [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert unwanted == [], REMEDY
    assert "not at hand" not in "".join(map(texts, outputs)), f"{REMEDY}, with the published runs"


@every_script
def test_the_notebook_names_nothing_of_the_machine_that_made_it(script):
    notebook = read(script)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "jupytext"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    shown = [texts(output) for cell in code_cells(notebook) for output in cell["outputs"]]
    shown += ["".join(cell["source"]) for cell in notebook["cells"]]
    found = [text for text in shown if MACHINE_PATH.search(text) or str(ROOT) in text]
    assert found == []


@pytest.mark.parametrize("path", ["/home/me/runs.csv", "in /tmp/ipykernel_1/2.py", r"C:\Users\me", "x/site-packages/y"])
def test_machine_paths_are_recognised(path):
    assert MACHINE_PATH.search(path)


def test_addresses_are_not_machine_paths():
    assert not MACHINE_PATH.search("<td>github.com/usr/home</td> arXiv:2404.10102 https://example.org/tmp/x A / N")
