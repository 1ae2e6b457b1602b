"""Simulation-based calibration of every law: truth from the prior, data from the law, truth ranked in the posterior.

If prior, law, noise and sampler are one consistent model, ranks are uniform (Talts et al. 2018).
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.forecast import expectation, prior_draws
from bayesscale.inference import Sampling, rows_of, sample_many
from bayesscale.law import prior
from bayesscale.noise import StudentT

LAWS = [
    pytest.param("batch_lr_power", marks=pytest.mark.slow),  # minutes
    "batch_power",
    "chinchilla",
    "chinchilla_batch",
    "chinchilla_tied",
    "critical_batch",
    "kaplan_nd",
    "kaplan_ns",
    "kaplan_x(N)",
    pytest.param("lr_power", marks=pytest.mark.slow),  # the twin of batch_power
    "power(C)",
    "power(N)",
    "pure_power(C)",
    "pure_power(D)",
    "repeated",
    "repeated_tied",
    "shifted",
    "skaling",
    "skaling_drift",
    "steps_examples",
    "three_term",
]
# The prior is told the typical value of what is measured, which a real fit reads off its table: here it must not depend
# on the data.
TYPICAL = 2.5
KEPT = 99  # draws of a posterior among which the truth is ranked: thinned until nearly independent


def sixteen_runs():
    """Return four sizes by four tokens per parameter, with epochs, batch sizes and learning rates crossed evenly."""
    size, multiple = np.divmod(np.arange(16), 4)
    # Three mutually orthogonal Latin squares: any two factors meet at each pair of their levels once.
    epochs, batch, rate = (np.array(times)[size] ^ multiple for times in ([0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]))
    N = np.geomspace(1.9e8, 1.3e9, 4)[size]
    D = 20 * N * np.array([1.0, 2.0, 5.0, 10.0])[multiple]
    columns = dict(B=2.0**17 * 4.0**batch, lr=2e-4 * 3.0**rate, U=D / 4.0**epochs)
    return bs.read_runs(dict(N=N, D=D, loss=np.linspace(2.2, 3.5, 16), **columns))


def ranks(law, noise, simulations, seed=0, truth_from=None):
    """Return the rank of the truth among `KEPT` posterior draws: one column per parameter, one row per simulation."""
    law = laws.named(law)
    design = sixteen_runs()
    x = {c: design.column(c) for c in law.columns}
    centers = {**{c: stats.gmean(v) for c, v in x.items()}, law.gives: TYPICAL}
    truth = prior_draws(truth_from or law, noise, draws=simulations, seed=seed)
    del truth["sigma_run"]
    mean = expectation(law, truth, x, centers)
    measured = mean * np.exp(noise.simulate(np.random.default_rng(seed), truth, mean.shape))
    tables = [bs.Runs(design.table.assign(**{law.gives: values}), design.about) for values in measured]
    tables = [rows_of(law, table, y_center=TYPICAL) for table in tables]
    found = []
    for i, (sampled, _) in enumerate(sample_many(law, noise, tables, Sampling(seed=seed))):
        thinned = {k: sampled.values[k].reshape(-1) for k in truth}
        thinned = {k: v[np.linspace(0, len(v) - 1, KEPT).astype(int)] for k, v in thinned.items()}
        found.append({k: int(np.sum(v < truth[k][i])) for k, v in thinned.items()})
    return pd.DataFrame(found)


def uniformity(column, bins=10):
    counts = np.bincount(column * bins // (KEPT + 1), minlength=bins)
    return stats.chisquare(counts).pvalue


def check(found):
    pvalues = found.apply(uniformity)
    # Bonferroni over the parameters, at one false alarm in a thousand.
    assert pvalues.min() > 1e-3 / len(pvalues), f"ranks are not uniform:\n{pvalues}"


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("simulations", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_ranks_are_uniform(law, simulations):
    check(ranks(law, bs.noise.named("student-t", scatter=laws.named(law).scatter), simulations))


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["normal", "laplace"])
def test_ranks_are_uniform_under_other_noises(noise):
    check(ranks("chinchilla", bs.noise.named(noise), 200))


def test_a_wrong_prior_is_found():
    """The check can fail: the truth comes from another prior than the fit's."""
    law = bs.models.pure_power("C")
    fitted_with = law.with_priors(alpha=prior.exponent(0.075, spread=0.05))
    with pytest.raises(AssertionError, match="not uniform"):
        check(ranks(fitted_with, StudentT(), 50, truth_from=law.with_priors(alpha=prior.exponent(0.15, spread=0.1))))
