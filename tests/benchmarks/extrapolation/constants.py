"""The discrepancy's constants, chosen for each study by what the other studies say: leave-one-study-out.

    python tests/benchmarks/extrapolation/constants.py [--law skaling_drift] [--lengths 2 3 4.5]

For each length all splits are fitted once; other priors of tau are had by weighting the draws. A study is then scored
with the constants whose mean log score over the other studies is best.
"""

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import scores
import studies

import bayesscale as bs
from bayesscale import law as laws
from bayesscale import priors
from bayesscale.discrepancy import Discrepancy

FITTED, TAUS, SPREAD = 0.007, (0.004, 0.006, 0.008, 0.012), 0.4
SHOWN = ["c95", "c80", "c50", "width", "crps", "log_score", "bias"]


def with_tau(post, median, seed):
    """Return the posterior under the prior tau ~ LogNormal(log median, SPREAD), by resampling its draws."""
    log_tau = np.log(post.flat_draws["tau"])
    weight = np.exp(((log_tau - np.log(FITTED)) ** 2 - (log_tau - np.log(median)) ** 2) / (2 * SPREAD**2))
    chosen = np.random.default_rng(seed).choice(len(weight), len(weight), p=weight / weight.sum())
    return replace(post, draws={k: v[chosen][None] for k, v in post.flat_draws.items()})


def candidates(law, splits, lengths):
    """Yield (length, tau) and the scores per study, for each candidate."""
    trains = [bs.read_runs(split.train[["N", "D", "loss"]]) for split in splits]
    tests = [bs.read_runs(split.test[["N", "D", "loss"]]) for split in splits]
    for length in lengths:
        how = Discrepancy(tau=priors.positive(FITTED, spread=SPREAD), length=length)
        posts = bs.fit_many(laws.named(law), trains, discrepancy=how, second_try=False, draws=500)
        for tau in TAUS:
            weighted = [with_tau(post, tau, i) for i, post in enumerate(posts)]
            rows = pd.concat([scores.rows_of(*each) for each in zip(splits, weighted, tests, strict=True)])
            per_split = scores.per_split(rows)
            yield (length, tau), scores.per_study(scores.against(per_split, per_split))


def main():
    """Print every candidate, each study's choice, and what the choices give."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--law", default="skaling_drift")
    asked.add_argument("--lengths", nargs="+", type=float, default=[2.0, 3.0, 4.5])
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    for constants, per_study in candidates(given.law, studies.splits(), given.lengths):
        found[constants] = per_study
        said = " ".join(f"{k} {v:.4f}" for k, v in scores.overall(per_study)[SHOWN].items())
        print("length {}, tau {}:".format(*constants), said, flush=True)
    log_scores = pd.DataFrame({constants: each["log_score"] for constants, each in found.items()})
    chosen = {study: log_scores.drop(index=study).mean().idxmax() for study in log_scores.index}
    for study, constants in chosen.items():
        print(f"without {study}: length, tau = {constants}")
    held_out = pd.concat([found[constants].loc[[study]] for study, constants in chosen.items()])
    print(held_out[SHOWN].round(4).to_string())
    print("mean over studies:", scores.overall(held_out)[SHOWN].round(4).to_dict())


if __name__ == "__main__":
    main()
