"""Which score of the training runs picks the law that forecasts the larger ones best: LOO, WAIC or an inner rollout?

    python tests/benchmarks/extrapolation/agreement.py [--discrepancy]

On each split the laws are compared by their training runs, and scored on the runs held out: mean log density. Printed
is how often each criterion's first law is the one that held-out runs prefer, how much log density per run its choice
loses against the best law, and the mean rank correlation with the held-out order.
"""

import argparse
import warnings

import pandas as pd
import studies
from scipy.stats import kendalltau

import bayesscale as bs
from bayesscale.forecast import log_density

LAWS = ("chinchilla", "chinchilla_tied", "skaling", "skaling_drift")
CRITERIA = ("elpd_loo", "elpd_waic", "elpd_rollout")


def agreement(split, **how):
    """Return one row per criterion: whether it picks the best law, what its choice loses, its rank correlation."""
    train, test = (bs.read_runs(part[["N", "D", "loss"]]) for part in (split.train, split.test))
    compared = bs.compare(train, LAWS, rollout=True, chains=2, draws=500, second_try=False, **how)
    truth = pd.Series({name: log_density(post, test).mean() for name, post in compared.posteriors.items()})
    rows = []
    for criterion in CRITERIA:
        said = compared.table[criterion][truth.index]
        if said.isna().any():
            continue
        chosen = said.idxmax()
        rows.append(
            dict(
                study=split.study,
                split=split.name,
                criterion=criterion,
                right=chosen == truth.idxmax(),
                loses=truth.max() - truth[chosen],
                tau=kendalltau(said, truth).statistic,
            )
        )
    return rows


def main():
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--discrepancy", action="store_true")
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for split in studies.splits():
        try:
            rows += agreement(split, discrepancy=given.discrepancy)
        except bs.errors.RunsError as why:
            print(f"{split.name}: {why}")
    table = pd.DataFrame(rows)
    whole = table.groupby("split").filter(lambda one: len(one) == len(CRITERIA))
    per_study = whole.groupby(["criterion", "study"])[["right", "loses", "tau"]].mean()
    print(f"{whole['split'].nunique()} splits of {whole['study'].nunique()} studies; chance is {1 / len(LAWS):.2f}")
    print(per_study.groupby("criterion").mean().round(3).to_string())
    print(per_study.round(3).to_string())


if __name__ == "__main__":
    main()
