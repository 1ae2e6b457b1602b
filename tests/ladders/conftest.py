"""Small simulated ladders: tasks whose constants are known, and fits short enough to try what is done with them."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import SamplingWarning

BETTER = 0.06  # what the better recipe takes off every loss
SHORT = dict(chains=2, draws=300, second_try=False)


def _simulated(tasks=("easy", "hard"), *, better=0.0, seed=0, noise=0.02):
    """Return 16 runs of a ladder on some tasks."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, 4), 4)
    D = 20 * N * np.tile([1.0, 2.0, 5.0, 10.0], 4)
    tables = []
    for task in tasks:
        loss = _loss(task, N, D) - better
        z = _logit(_accuracy(loss)) + noise * rng.standard_normal(16)
        rows = dict(task=task, N=N, D=D, loss=loss * np.exp(noise / 4 * rng.standard_normal(16)))
        tables.append(pd.DataFrame({**rows, "accuracy": 1 / (1 + np.exp(-z)), "chance": 0.25}))
    return pd.concat(tables, ignore_index=True)


def _loss(task, N, D):
    """Return a task's loss: Chinchilla's form."""
    return dict(easy=0.5, hard=0.6)[task] + 0.35 * (N / 5e8) ** -0.3 + 0.25 * (D / 3e10) ** -0.33


def _accuracy(loss):
    """Return the accuracy at a loss: logistic, from a quarter to one."""
    return 0.25 + 0.75 / (1 + np.exp(4 * (loss - 0.9)))


def _logit(p):
    """Return log(p / (1 - p))."""
    return np.log(p) - np.log1p(-p)


@pytest.fixture(scope="session")
def simulated():
    """Return the function that makes a table of runs: (tasks, better=0, seed=0, noise=.02) -> DataFrame."""
    return _simulated


@pytest.fixture(scope="session")
def truth():
    """Return the function (task, N, D) -> accuracy of the tasks that are simulated."""
    return lambda task, N, D: _accuracy(_loss(task, N, D))


@pytest.fixture(scope="session")
def quick():
    """Return the options of short fits."""
    return SHORT


@pytest.fixture(scope="session")
def short_ladder():
    """Return a function that fits a ladder in short: (runs, **options) -> Ladder."""

    def fit(runs, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SamplingWarning)  # the fits are short
            return bs.ladder(runs, **{**SHORT, **options})

    return fit


@pytest.fixture(scope="session")
def two_tasks(short_ladder):
    """Return the ladder of two tasks."""
    return short_ladder(_simulated())


@pytest.fixture(scope="session")
def better(short_ladder):
    """Return the same for a recipe that has a lower loss."""
    return short_ladder(_simulated(better=BETTER, seed=1))
