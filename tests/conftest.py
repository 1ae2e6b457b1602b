"""Where the real tables are, and the small tables that many tests share."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import SamplingWarning

DATA = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session", autouse=True)
def compiled_programs(tmp_path_factory):
    """Keep compiled programs between test runs where CI gives a folder, else only within this run."""
    if "BAYESSCALE_CACHE_DIR" not in os.environ:
        # Tests run in several processes, which have folders of their own below one of the whole run.
        parent = tmp_path_factory.getbasetemp()
        parent = parent.parent if "PYTEST_XDIST_WORKER" in os.environ else parent
        os.environ["BAYESSCALE_CACHE_DIR"] = str(parent / "cache")


@pytest.fixture(scope="session")
def real_data():
    """Return the path of a real table by its name under the data folder; skip where it is absent."""

    def find(name) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data not found: {path} (set BAYESSCALE_DATA to the folder that holds it)")
        return path

    return find


@pytest.fixture(scope="session")
def epoch(real_data):
    """Return the 240 Chinchilla runs that Epoch kept."""
    frame = pd.read_csv(real_data("epoch_chinchilla/runs.csv"))
    return bs.read_runs(frame[frame["used_by_epoch"] == 1].drop(columns="used_by_epoch"))


@pytest.fixture(scope="session")
def ladder():
    """Return 16 runs of a small ladder, simulated from Epoch's constants with a scatter of 1 %."""
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, 4), 4)
    D = 20 * N * np.tile([1.0, 2.0, 5.0, 10.0], 4)
    loss = 1.8172 + 482.01 / N**0.3478 + 2085.43 / D**0.3658
    return bs.read_runs(
        pd.DataFrame(dict(N=N, D=D, loss=loss * np.exp(0.01 * np.random.default_rng(0).normal(size=16))))
    )


@pytest.fixture(scope="session")
def fitted(ladder):
    """Return Chinchilla fitted to the ladder."""
    return bs.fit("chinchilla", ladder, discrepancy=False)


@pytest.fixture(scope="session")
def short():
    """Return the options of short fits: for tests of what is done with a posterior, not of how good it is."""
    return dict(chains=2, draws=250, discrepancy=False)


@pytest.fixture(scope="session")
def pair(ladder, short):
    """Return short fits of two laws to the ladder."""
    return {name: bs.fit(name, ladder, **short) for name in ("chinchilla", "power(C)")}


@pytest.fixture(scope="session")
def tested(ladder, short):
    """Return the backtest of these laws and of their average on the ladder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)  # the fits are short
        return bs.backtest(ladder, ["power(C)", "chinchilla"], cutoffs=(0.5, 0.75), average="equal", **short)


@pytest.fixture(scope="session")
def task_table():
    """Return a ladder of 16 runs on two tasks whose laws are known: DataFrame of task, N, D, loss, accuracy, chance."""
    rng = np.random.default_rng(0)
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, 4), 4)
    D = 20 * N * np.tile([1.0, 2.0, 5.0, 10.0], 4)
    tables = []
    for task, E in {"easy": 0.5, "hard": 0.6}.items():
        loss = E + 0.35 * (N / 5e8) ** -0.3 + 0.25 * (D / 3e10) ** -0.33
        z = 4 * (0.9 - loss) + 0.02 * rng.standard_normal(16)
        loss = loss * np.exp(0.005 * rng.standard_normal(16))
        accuracy = 0.25 + 0.75 / (1 + np.exp(-z))
        tables.append(pd.DataFrame(dict(task=task, N=N, D=D, loss=loss, accuracy=accuracy, chance=0.25)))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="session")
def task_ladder(task_table):
    """Return what `bs.ladder` makes of it, in short fits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        return bs.ladder(task_table, chains=2, draws=300, second_try=False)


@pytest.fixture(scope="session")
def posteriors():
    """Return a function from a law of a mixture to a posterior for each of three domains: some draws of its prior."""
    import jax
    from numpyro import handlers

    from bayesscale.law import named
    from bayesscale.noise import named as noise_named
    from bayesscale.posterior import Posterior

    domains, n = ("web", "code", "wiki"), 12
    p = np.random.default_rng(0).dirichlet([1.5] * 3, n)
    sizes = dict(N=np.tile([5e8, 1e9], n // 2), D=np.geomspace(1e10, 4e10, n), S=np.geomspace(5e3, 2e4, n))
    shares = {f"r_{d}": p[:, j] for j, d in enumerate(domains)}
    table = pd.DataFrame(dict(mixture=[f"m{k}" for k in range(n)], **shares, **sizes, loss=np.linspace(2.6, 2.4, n)))

    def drawn(law, i):
        runs = bs.read_runs(table.assign(r=p[:, i]))
        law = named(law).over(runs.columns)
        with handlers.seed(rng_seed=i):
            keys = jax.random.split(jax.random.key(i), len(law.priors()))
            values = (d.sample(key, (1, 24)) for d, key in zip(law.priors().values(), keys, strict=True))
            draws = {k: np.asarray(x, float) for k, x in zip(law.priors(), values, strict=True)}
        centers = {c: float(np.exp(np.log(runs.column(c)).mean())) for c in (*law.columns, "loss")}
        centers |= {c: float(runs.column(c).mean()) for c in law.shares}
        stats = {"energy": np.zeros((1, 24))}
        return Posterior(law, noise_named("student-t"), runs, draws, stats, {}, centers, {})

    return lambda law: {d: drawn(law, i) for i, d in enumerate(domains)}
