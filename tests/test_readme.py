"""What README says works as it says it."""

import re
import subprocess
import sys
import tomllib
from functools import partial
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
def table(tmp_path, monkeypatch, task_table):
    """Write the tables that README reads, and work beside them."""
    task_table.to_csv(tmp_path / "tasks.csv", index=False)
    corpora = task_table["task"].map({"easy": "A", "hard": "B"})
    task_table.drop(columns="task").assign(corpus=corpora).to_csv(tmp_path / "mixes.csv", index=False)
    for name in ("fit", "fit_pooled", "ladder", "compare", "backtest"):  # as README calls them, but with few draws
        monkeypatch.setattr(bs, name, partial(getattr(bs, name), chains=2, draws=200, second_try=False))
    runs = bs.datasets.load("simulated-ladder").table
    frame = pd.DataFrame(dict(params=runs["N"] / 1e6, tokens=runs["D"], loss=runs["loss"]))
    frame.to_csv(tmp_path / "runs.csv", index=False)
    rng = np.random.default_rng(0)
    N, D, B, lr = (10 ** rng.uniform(*decades, 48) for decades in ((8, 9), (9.5, 10.5), (5, 6.5), (-3.5, -2.5)))
    best = dict(E=1.8, A=400.0, F=2000.0, alpha=0.35, beta=0.37, B_0=0.6, B_N=0.0, B_D=0.57, b=0.3, c=0.2)
    best |= dict(lr_0=1.8, lr_N=-0.7, lr_D=0.3, p=0.6, q=0.15, k=0.5)
    loss = bs.models.batch_lr_power.evaluate(best, N=N, D=D, B=B, lr=lr) * np.exp(0.002 * rng.standard_normal(48))
    pd.DataFrame(dict(N=N, D=D, B=B, lr=lr, loss=loss)).to_csv(tmp_path / "sweep.csv")
    B = 2.0 ** np.arange(15, 23)
    S = bs.models.steps_examples.evaluate(dict(S_min=1500.0, E_min=2e9), B=B) * np.exp(0.05 * rng.standard_normal(8))
    pd.DataFrame(dict(B=B, S=S)).to_csv(tmp_path / "steps.csv")
    N, S = (x.ravel() for x in np.meshgrid([5e7, 4e8], np.geomspace(3e3, 2e4, 12), indexing="ij"))
    loss = bs.models.kaplan_ns.evaluate(dict(N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76), N=N, S=S)
    loss = loss * np.exp(0.001 * rng.standard_normal(24))
    run = np.repeat(["small", "my-run"], 12)
    pd.DataFrame(dict(run=run, N=N, S=S, loss=loss)).to_csv(tmp_path / "checkpoints.csv")
    monkeypatch.chdir(tmp_path)
    p = rng.dirichlet([1.5, 1.5, 1.5], 8)
    swarm = pd.DataFrame(p, columns=["r_web", "r_code", "r_wiki"])
    for j, name in enumerate(("web", "code", "wiki")):
        swarm[f"loss_{name}"] = (2.0 + 0.5 * np.exp(-2.0 * p[:, j])) * np.exp(0.003 * rng.standard_normal(8))
    swarm.to_csv("swarm.csv", index=False)
    N = np.repeat(np.geomspace(1e8, 1e9, 4), 6)
    p = rng.dirichlet([1.5, 1.5, 1.5], 24)
    loss = (1.5 + 8 * N**-0.1 + 40 * (20 * N) ** -0.2 - 0.4 * p[:, 0] ** 0.4) * np.exp(0.002 * rng.standard_normal(24))
    pd.DataFrame(dict(N=N, D=20 * N, r_web=p[:, 0], r_code=p[:, 1], r_wiki=p[:, 2], loss=loss)).to_csv("sizes.csv")
    C, grown = np.tile(np.geomspace(1e20, 1e21, 200), 2), np.repeat([0.0, 1.0], 200)
    loss = 1.7 + 0.4 * (1.5**grown * C / 3e20) ** -0.3 + 0.002 * np.sin(2 * np.log(C) + grown)
    curves = dict(run=np.where(grown, "stacked", "scratch"), C=C, grown=grown, loss=loss)
    pd.DataFrame(curves).to_csv("curves.csv", index=False)


@pytest.mark.filterwarnings("ignore::bayesscale.errors.BayesscaleWarning")  # of short fits to small tables
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
