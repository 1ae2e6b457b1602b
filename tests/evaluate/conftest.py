"""A posterior of rows that share runs, made by hand."""

import dataclasses

import numpy as np
import pytest

import bayesscale as bs


@pytest.fixture(scope="session")
def with_runs(pair, ladder):
    """Return power(C) on four runs of four rows each, which stray by 5 % from the law and hardly from themselves."""
    post = pair["power(C)"]
    shape, rng = post.draws["sigma"].shape, np.random.default_rng(0)
    runs = bs.read_runs(ladder.table.assign(run=np.repeat(list("abcd"), 4)))
    own = dict(sigma=np.full(shape, 1e-4), sigma_run=np.full(shape, 0.05))
    own["run_effect"] = 0.05 * rng.standard_normal((*shape, 4))
    return dataclasses.replace(post, runs=runs, draws={**post.draws, **own})
