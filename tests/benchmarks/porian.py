"""Porian et al. 2024: five set-ups that turn Kaplan's exponent into Chinchilla's, from our posteriors of their runs.

    python tests/benchmarks/porian.py

1. Theirs: the exponent of N_opt as a weighted regression through the best size of each budget, again from their optima.
2. Ours, by one procedure for all: `skaling`, the runs within .05 nats of the least loss of their budget, one effect per
   budget, and the slope of each draw's own frontier over their budgets with their weights. It was settled on RefinedWeb
   (with the published exponents in sight), then left alone for OpenWebText2.
3. One choice changed at a time: what the answer hangs on, and how well each fits.
4. Budget by budget: log of our optimum over theirs.

Why so. Theirs compares runs of one budget only, next to the best: it needs no law of how the loss falls with compute,
nor of runs that are hardly trained. A law of N and D has to explain the loss of all rows by the same exponents. In the
three set-ups between the first and the last it misses the level of a budget by about 1 %, ten times what it misses
within one, and rows counted as independent make it bend the exponents to mend that. An effect per budget says what is
the case: rows of one budget are off together. Rows far above the best do the same harm (`sigma` grows with them).
Which law, and its form of the frontier, matter little: both laws' N_opt is a power of C, and their optima do not bend.

The data: porian2024 in the folder `$BAYESSCALE_DATA`, or in `shared/data` beside the repository. Some five minutes on
two cores.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bayesscale as bs

KEY = ["hparams", "warmup", "decay", "param_count", "loss_split"]
SETUPS = {
    "Kaplan's": ("base", "long", "kaplan", "kaplan", "train"),
    "+ last layer counted": ("base", "long", "kaplan", "standard", "val"),
    "+ short warm-up": ("base", "short", "kaplan", "standard", "val"),
    "+ decay to the budget": ("base", "short", "chinchilla", "standard", "val"),
    "tuned, no decay": ("tuned", "short", "const", "standard", "val"),
}
CORPORA = {"rw": "RefinedWeb", "owt2": "OpenWebText2"}
WITHIN = 0.05  # nats above the least loss of the budget: about three runs of each, as near as a minimum needs
LEVEL = 0.90
TAILS = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]


def folder():
    """Return the folder of the tables."""
    data = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "porian2024"
    if not data.is_dir():
        raise SystemExit(f"{data} is not there: set BAYESSCALE_DATA to the folder that holds porian2024")
    return data


def of_setup(frame, corpus, setup):
    """Rows of one of the five."""
    chosen = (frame["dataset"] == corpus) & (frame[KEY] == list(SETUPS[setup])).all(axis=1)
    return frame[chosen].reset_index(drop=True)


def rows(runs, *, within=WITHIN, effect="budget"):
    """The runs near the best of their budget, and which of them are off together."""
    above = runs["loss"] - runs.groupby("C")["loss"].transform("min")
    kept = runs.loc[above <= within, ["N", "D", "C", "loss"]].reset_index(drop=True)
    column = {"budget": "C", "run": "N", None: None}[effect]  # one N is one run, unless the decay is the budget's
    return kept if column is None else kept.assign(run=kept[column].map("{:.4g}".format))


def slope(log_N, optima):
    """Exponent of N_opt: their regression, with their weights; `log_N` has the budgets on its last axis."""
    x, w = np.log(optima["C"].to_numpy()), optima["N_opt_logstd"].to_numpy() ** -2.0
    x = x - np.average(x, weights=w)
    return np.asarray(log_N) @ (w * x) / (w * x**2).sum()


def theirs(optima, published):
    """Part 1: their exponent, whether their optima bend, and how far they scatter around a power law."""
    x, y = np.log(optima["C"]), np.log(optima["N_opt"])
    again, bend = slope(y, optima), np.polyfit(x - x.mean(), y, 2, w=1 / optima["N_opt_logstd"], cov="unscaled")
    return {
        "published": published["weighted.n_exponent"],
        "their low95": published["bootstrap_weighted.n_exponent.q2.5"],
        "their high95": published["bootstrap_weighted.n_exponent.q97.5"],
        "again": again,
        "d exponent / d ln C": 2 * bend[0][0],
        "se": 2 * np.sqrt(bend[1][0, 0]),
        "scatter of ln N_opt": np.std(y - np.polyval(np.polyfit(x, y, 1), x), ddof=2),
        "without the first budget": slope(y[1:], optima[1:]),
    }


def ours(post, optima):
    """Draws of log N_opt at their budgets."""
    return np.log(bs.frontier(post, C=optima["C"]).draws["N"])


def beside(post, optima, published):
    """One row: our exponent, whether the published one lies inside, how well the law fits."""
    low, median, high = np.quantile(slope(ours(post, optima), optima), TAILS)
    row = {"rows": len(post.runs), "median": median, "low90": low, "high90": high}
    row |= {"published": published, "inside": "yes" if low < published < high else "NO"}
    for name in ("k", "sigma", "sigma_run"):
        row[name] = np.median(post.draws[name]) if name in post.draws else np.nan
    return row | {"R-hat": post.summary()["rhat"].max(), "divergences": int(post.stats["diverging"].sum())}


def variants():
    """Name -> law, rows, noise: all but the first differ from it in one thing; the last is what one tries first."""
    return {
        "the procedure": ("skaling", {}, "student-t"),
        "  normal noise": ("skaling", {}, "normal"),
        "  no effects": ("skaling", dict(effect=None), "student-t"),
        "  effect per run": ("skaling", dict(effect="run"), "student-t"),
        "  within .1 nats": ("skaling", dict(within=0.1), "student-t"),
        "  within .3 nats": ("skaling", dict(within=0.3), "student-t"),
        "  chinchilla": ("chinchilla", {}, "student-t"),
        "chinchilla, all rows, no effects": ("chinchilla", dict(within=np.inf, effect=None), "student-t"),
    }


def fitted(runs, law, how, noise):
    """Fit one variant to the five set-ups; no run ties budgets together where each has runs of its own."""
    tables = {}
    for setup, table in runs.items():
        own = how.get("effect") == "run" and SETUPS[setup][2] == "chinchilla"
        tables[setup] = rows(table, **(how | dict(effect=None) if own else how))
    tied = [k for k, t in tables.items() if "run" in t]
    posts = {}
    for names in (tied, [k for k in tables if k not in tied]):
        if names:
            posts |= dict(
                zip(names, bs.fit_many(law, [tables[k] for k in names], noise=noise, discrepancy=False), strict=True)
            )
    return {k: posts[k] for k in tables}


def main():
    """Print it all."""
    warnings.simplefilter("ignore", bs.errors.SamplingWarning)  # R-hat is in the tables
    isoflop, optima, fits = (pd.read_csv(folder() / f"{k}.csv") for k in ("isoflop", "optima", "published_fits"))
    show = dict(float_format=lambda x: f"{x:.4f}", na_rep="")
    runs, best, published, said = {}, {}, {}, {}
    for corpus in CORPORA:
        for setup in SETUPS:
            at = corpus, setup
            runs[at] = of_setup(isoflop, *at)
            best[at] = of_setup(optima, *at).dropna(subset=["N_opt"], ignore_index=True)
            published[at] = of_setup(fits, *at).set_index("stat")["value"]
            said[CORPORA[corpus], setup] = theirs(best[at], published[at])
    print(f"1. Theirs\n{pd.DataFrame(said).T.to_string(**show)}")

    print(f"\n2. Ours, {LEVEL:.0%} intervals: skaling, rows within {WITHIN} nats, an effect per budget", flush=True)
    posts, table = {}, {}
    for corpus in CORPORA:
        of_corpus = {s: runs[corpus, s] for s in SETUPS}
        posts |= {(corpus, s): p for s, p in fitted(of_corpus, *variants()["the procedure"]).items()}
    for (corpus, setup), post in posts.items():
        at = corpus, setup
        table[CORPORA[corpus], setup] = beside(post, best[at], published[at]["weighted.n_exponent"])
    print(pd.DataFrame(table).T.infer_objects().to_string(**show))

    print("\n3. One choice changed at a time, RefinedWeb", flush=True)
    for name, how in variants().items():
        changed = fitted({s: runs["rw", s] for s in SETUPS}, *how)
        table = {s: beside(p, best["rw", s], published["rw", s]["weighted.n_exponent"]) for s, p in changed.items()}
        inside = sum(row["inside"] == "yes" for row in table.values())
        print(f"\n{name.strip()}: {inside} of {len(table)} inside")
        print(pd.DataFrame(table).T.infer_objects().drop(columns="published").to_string(**show), flush=True)

    print("\n4. ln(our optimum / theirs), by budget; last, the median standard error of their ln N_opt")
    off, error = {}, {}
    for (corpus, setup), post in posts.items():
        optima_there = best[corpus, setup]
        ratio = np.median(ours(post, optima_there), axis=0) - np.log(optima_there["N_opt"])
        off[CORPORA[corpus], setup] = ratio.set_axis(optima_there["C"].map("{:.3g}".format))
        error[CORPORA[corpus], setup] = optima_there["N_opt_logstd"].median()
    print(
        pd.DataFrame(off)
        .T.sort_index(axis=1, key=lambda c: c.astype(float))
        .assign(se=pd.Series(error))
        .to_string(float_format=lambda x: f"{x:.2f}", na_rep="")
    )


if __name__ == "__main__":
    main()
