"""What README says works as it says it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale import law as laws

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a table as README's first lines read it, and work beside it."""
    runs = bs.datasets.load("simulated-ladder").table
    frame = pd.DataFrame(dict(params=runs["N"] / 1e6, tokens=runs["D"], loss=runs["loss"]))
    frame.to_csv(tmp_path / "runs.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_the_python_blocks_run(table):
    before = dict(laws._registry)
    scope = {}
    try:
        for block in BLOCKS:
            exec(compile(block, "README.md", "exec"), scope)
    finally:
        laws._registry.clear()
        laws._registry.update(before)
    at = dict(E=1.8, A=400.0, B=2000.0, alpha=0.3, beta=0.4)
    x = dict(N="7B", D="1.4T")
    np.testing.assert_array_equal(scope["chinchilla_mine"].evaluate(at, **x), bs.models.chinchilla.evaluate(at, **x))
    assert scope["post"].law.name == "chinchilla"
    assert Path("chinchilla.nc").is_file()


def test_the_picture_and_the_notebook_are_there():
    for path in re.findall(r"\]\((notebooks/[^)]+)\)|`(notebooks/[^`]+)`", README):
        assert (ROOT / "".join(path)).is_file()
    assert "(notebooks/forecast.png)" in README


def test_every_package_is_packaged():
    """A folder of code that pyproject.toml does not list is missing once installed."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "bayesscale").rglob("__init__.py")}
    assert listed == there | {"bayesscale.models"}


def test_import_is_light():
    """Neither JAX nor ArviZ nor pandas before they are needed."""
    heavy = ("jax", "numpyro", "arviz", "arviz_stats", "xarray", "pandas", "matplotlib")
    code = f"import bayesscale, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there():
    assert set(bs.__all__) <= set(dir(bs))
    for name in bs.__all__:
        assert getattr(bs, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        bs.fitt  # noqa: B018
