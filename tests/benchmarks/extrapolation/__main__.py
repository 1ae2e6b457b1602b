"""Do intervals hold beyond the data? Recipes on the development tables, each study on its own.

    python tests/benchmarks/extrapolation [--few] [--recipes NAME ...]

A recipe is fitted to the runs up to some compute of each table and forecasts the larger ones. Widths and CRPS are
ratios to those of Chinchilla with weak priors and normal noise on the same splits. With --few, the training runs are
8, 12 and 20 drawn at random. The data: the folders of $BAYESSCALE_DATA. Some minutes for each recipe on two cores.
"""

import argparse
import warnings
from time import perf_counter

import numpy as np
import pandas as pd
import rivals
import scores
import studies
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale import law as laws
from bayesscale import priors
from bayesscale.noise import Normal

WEAK = bs.models.chinchilla.with_priors(
    alpha=dist.LogNormal(np.log(0.35), 0.8),
    beta=dist.LogNormal(np.log(0.35), 0.8),
    reducible=priors.share(-1.0, spread=1.5),
    share_A=priors.share(0.0, spread=1.5),
)
SAMPLING = dict(second_try=False, draws=500)


def _law(law, **how):
    return lambda tables: bs.fit_many(laws.named(law), tables, **SAMPLING, **how)


RECIPES = {
    "chinchilla, weak priors, normal": _law(
        WEAK, discrepancy=False, noise=Normal(sigma=dist.LogNormal(np.log(0.01), 1.5))
    ),
    "skaling_drift, discrepancy (default)": _law("skaling_drift"),
    "chinchilla, discrepancy": _law("chinchilla"),
    "skaling, discrepancy": _law("skaling"),
    "chinchilla": _law("chinchilla", discrepancy=False),
    "skaling": _law("skaling", discrepancy=False),
    "skaling_drift": _law("skaling_drift", discrepancy=False),
    "prototype: weights and a slope": lambda tables: rivals.prototype(tables, **SAMPLING),
    "equal weights, laws alone": lambda tables: rivals.averages(tables, "equal", False, **SAMPLING),
    "LOO weights, laws alone": lambda tables: rivals.averages(tables, "loo", False, **SAMPLING),
    "rollout weights, laws alone": lambda tables: rivals.stacked(tables, **SAMPLING),
    "equal weights, discrepancy": lambda tables: rivals.averages(tables, "equal", True, **SAMPLING),
}
BASELINE = "chinchilla, weak priors, normal"
SHOWN = ["c95", "c80", "c50", "least", "width_ratio", "crps_ratio", "log_score", "bias"]


def run(recipe, splits):
    """Fit one recipe to all splits in one call; return the scores of all forecasts, and print how the fits went."""
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trains = [bs.read_runs(split.train[["N", "D", "loss"]]) for split in splits]
        tests = [bs.read_runs(split.test[["N", "D", "loss"]]) for split in splits]
        models = RECIPES[recipe](trains)
    rows = pd.concat([scores.rows_of(*each) for each in zip(splits, models, tests, strict=True)])
    spent = perf_counter() - begin
    print(f"{recipe}: {len(models)} tables, {rivals.troubled(models)} in trouble, {spent:.0f} s", flush=True)
    return rows


def main():
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--few", action="store_true", help="8, 12 and 20 training runs drawn at random")
    asked.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    given = asked.parse_args()
    splits = studies.few_runs(draws=1) if given.few else studies.splits()
    if not splits:
        raise SystemExit(f"no tables under {studies.DATA}: set BAYESSCALE_DATA to the folder that holds them")
    rows = {recipe: run(recipe, splits) for recipe in dict.fromkeys([BASELINE, *given.recipes])}
    per_split = {recipe: scores.per_split(each) for recipe, each in rows.items()}
    per_study = {
        recipe: scores.per_study(scores.against(each, per_split[BASELINE])) for recipe, each in per_split.items()
    }
    print("\nMean over studies; `least` is the worst split's coverage at 95 %")
    print(
        pd.DataFrame({recipe: scores.overall(each)[SHOWN] for recipe, each in per_study.items()}).T.round(3).to_string()
    )
    for recipe in given.recipes:
        print(f"\n{recipe}\n{per_study[recipe][[*SHOWN, 'rows']].round(3).to_string()}")
        print(scores.by_factor(rows[recipe]).round(3).to_string())
        print("PIT by tenths:", scores.pit_counts(rows[recipe]).round(2).tolist())


if __name__ == "__main__":
    main()
