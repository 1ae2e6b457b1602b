"""Laws of a data mixture on real runs: how well they fit, whether their intervals hold, and which law foretells best.

    python tests/benchmarks/growth_mix/mixtures.py [--parts fit size loo curves exponents] [--draws 500]

fit       the additive and the joint law of Shukor et al. (arXiv:2507.09404) on all checkpoints of 310M to 1.235B
          parameters, as if independent, as they fit them: the relative error of each domain beside their Table 2, and
          what of it all runs have in common at one checkpoint of one size, what each run has of its own, and the rest.
size      larger runs forecast from the last checkpoints of smaller ones: how often 90% intervals hold, with runs taken
          as independent and with an effect that those of one size share ("student-t by N"). The runs of 2.7B are asked
          for last: which law and noise is taken for them is decided by the forecasts of 937M and 1.235B.
held-out  at 310M a quarter of the mixtures is held out: error, log score and coverage under three laws.
loo       whether leaving out mixtures (`bs.compare`) ranks these laws as the held-out mixtures do.
curves    BiMix on its own runs (Ge et al., arXiv:2405.14908): Baseline and DoReMi from four entropy mixtures, and the
          end of each curve from its first half.
exponents BiMix at 310M and at 937M.

The data: mix/dmsl and bimix_curves in the folder `$BAYESSCALE_DATA`, or in `shared/data` beside the repository. Rows
before 4e9 tokens are left out, as by the authors, and so is the last checkpoint where the table has it twice. BiMix is
fitted to a few checkpoints of each run, even in log D, with curve noise, and asked for all of them; what has a place
for N, and what new mixtures are forecast with, to the last checkpoint of each run.
"""

import argparse
import os
import warnings
from collections import namedtuple
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import bayesscale as bs
from bayesscale.errors import BayesscaleWarning
from bayesscale.forecast import log_density

FOLDER = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[4] / "shared" / "data")
# Mean relative error in %, additive and joint, on the runs of the fit and on 3B and 7B: their Table 2.
TABLE_2 = pd.DataFrame(
    dict(
        arxiv=[0.50, 0.39, 2.09, 1.62],
        book=[0.29, 0.24, 0.80, 1.19],
        c4=[0.29, 0.24, 0.31, 0.34],
        github=[0.65, 0.54, 1.17, 2.51],
        commoncrawl=[0.29, 0.24, 0.58, 0.90],
        stackexchange=[0.51, 0.38, 0.36, 0.47],
        wikipedia=[0.92, 0.57, 4.45, 2.09],
    ),
    index=["train additive", "train joint", "val additive", "val joint"],
).T
DOMAINS = tuple(TABLE_2.index)
FITTED = (3e8, 1.3e9)
# The sizes fitted, and those forecast.
CUTS = {
    "937M and 1.235B from 122M to 680M": ((1e8, 7e8), (9e8, 1.3e9)),
    "1.235B from 122M to 937M": ((1e8, 9.5e8), (1.2e9, 1.3e9)),
    "2.7B from 122M to 1.235B": ((1e8, 1.3e9), (2e9, 3e9)),
}
RIVALS = ("mixture_additive", "mixture_exponential_tokens", "bimix(r, D)")
ENTROPY = ("SE", "JE", "CE", "VNE")
Given = namedtuple("Given", "parts domains laws checkpoints chains warmup draws")


@cache
def all_runs():
    """All runs of Shukor et al., a row per checkpoint and target: read once, asked for by target and size."""
    path = FOLDER / "mix" / "dmsl" / "dmsl_llm_slimpajama.csv"
    if not path.exists():
        raise SystemExit(f"{path} is not there: set BAYESSCALE_DATA to the folder that holds mix and bimix_curves")
    return bs.mixture_runs(path, columns={"N": "model_size"}).table


def dmsl(target, sizes):
    """The rows of one target at these sizes, a row per checkpoint."""
    table = all_runs()
    table = table[(table["domain"] == target) & table["N"].between(*sizes) & (table["D"] > 3.9e9)]
    table = table.sort_values(["run", "D"])
    again = (table["run"] == table["run"].shift()) & (table["D"] < 1.002 * table["D"].shift())
    columns = ["run", "mixture", "N", "D", "loss", "r", *(c for c in table if c.startswith("r_"))]
    return table.loc[~again, columns].reset_index(drop=True)


def even(table, checkpoints):
    """So many checkpoints of each run, about evenly spaced in log D (or log S), the last one among them."""
    parts, along = [], "D" if "D" in table else "S"
    for _, curve in table.groupby("run", sort=False):
        logs = np.log(curve[along].to_numpy())
        wanted = np.linspace(logs[0], logs[-1], checkpoints)
        parts.append(curve.iloc[np.unique(np.abs(logs - wanted[:, None]).argmin(axis=1))])
    return pd.concat(parts, ignore_index=True)


def fitted(law, tables, given, **options):
    """Fit a law to the table of each domain; what is wrong with the draws is printed, not raised."""
    options = dict(noise="student-t", discrepancy=False) | options
    options |= dict(chains=given.chains, warmup=given.warmup, draws=given.draws, second_try=False, seed=1)
    return bs.fit_many(law, list(tables), **options)


def along(law, tables, given, checkpoints, **options):
    """The same along the runs, from so many checkpoints of each."""
    return fitted(law, [even(table, checkpoints) for table in tables], given, noise="curve", **options)


def sampling(post):
    """How the sampling went."""
    said = dict(leapfrogs=post.stats["n_steps"].mean(), divergences=int(post.stats["diverging"].sum()))
    return said | dict(rhat=post.summary()["rhat"].max())


def error(post, table):
    """Relative error of the median of the expected loss, in %, and the logarithm of loss / law."""
    median = post.predict(table.drop(columns="run"), kind="mean").median
    return 100 * np.mean(np.abs(median / table["loss"] - 1)), np.log(table["loss"].to_numpy() / median)


def shares_of(table, left):
    """Standard deviations of what is left: common to a checkpoint of a size, each run's own, and the rest, in %."""
    left = pd.Series(100 * left, table.index)
    common = left.groupby([table["N"], table["D"]]).transform("mean")
    own = (left - common).groupby(table["run"]).transform("mean")
    return {"of a size": common.std(), "of a run": own.std(), "rest": (left - common - own).std()}


def fits(given):
    """How well the law fits the runs that it was fitted to: `fit`."""
    tables = {d: dmsl(d, FITTED) for d in given.domains}
    alone = [table.drop(columns="run") for table in tables.values()]
    for law in given.laws:
        rows = {}
        posts = fitted(law, alone, given)
        for (domain, table), post in zip(tables.items(), posts, strict=True):
            mre, left = error(post, table)
            published = f"train {'joint' if law == 'mixture_joint' else 'additive'}"
            rows[domain] = dict(mre=mre, paper=TABLE_2.loc[domain, published])
            rows[domain] |= {**shares_of(table, left), **sampling(post)}
        said(f"{law}: train relative error in % beside Table 2; what is left, standard deviations in %", rows)


def last(table):
    """The last checkpoint of each run."""
    return table.loc[table.groupby("run")["D"].idxmax()].reset_index(drop=True)


def sizes(given):
    """Larger runs forecast from smaller ones: `size`."""
    for cut, (small, large) in CUTS.items():
        tables = [last(dmsl(d, small)) for d in given.domains]
        for law in given.laws:
            for noise in ("student-t", "student-t by N"):
                rows, held, held_at_last = {}, [], []
                posts = fitted(law, tables, given, noise=noise, discrepancy=True)
                for domain, post in zip(given.domains, posts, strict=True):
                    new = dmsl(domain, large)
                    low, median, high = np.quantile(post.predict(new).draws, [0.05, 0.5, 0.95], axis=0)
                    inside = pd.Series((low <= new["loss"]) & (new["loss"] <= high), new.index)
                    at = last(new.reset_index(names="at"))["at"]
                    held.append(inside), held_at_last.append(inside[at])
                    off = 100 * np.log(new["loss"] / median)
                    rows[domain] = {"coverage, all rows": inside.mean(), "last": inside[at].mean(), "rows": len(new)}
                    rows[domain] |= {"law off by, %": off.mean(), "off, last": off[at].mean()}
                    rows[domain] |= {"width, last": 100 * np.log(high / low)[at].mean(), **sampling(post)}
                coverage = [np.concatenate(of).mean() for of in (held, held_at_last)]
                title = f"{cut}, {law}, {noise}: 90% intervals hold {coverage[0]:.3f} of all rows"
                said(f"{title}, {coverage[1]:.3f} of last checkpoints", rows)


def split(table, seed=0):
    """Hold out a quarter of the mixtures."""
    names = np.sort(table["mixture"].unique())
    out = np.random.default_rng(seed).permutation(names)[: len(names) // 4]
    held = table["mixture"].isin(out)
    return table[~held].reset_index(drop=True), table[held].reset_index(drop=True)


def held_out(given):
    """New mixtures at 310M: `held-out`. Returns the log scores, by domain and law."""
    tables = {d: split(last(dmsl(d, (3e8, 3.2e8)))) for d in given.domains}
    rows, scores = {}, {}
    for law in RIVALS:
        seen = [table for table, _ in tables.values()]
        posts = fitted(law, seen, given)
        for (domain, (_, new)), post in zip(tables.items(), posts, strict=True):
            low, high = np.quantile(post.predict(new).draws, [0.05, 0.95], axis=0)
            scores[domain, law] = log_density(post, bs.read_runs(new)).sum()
            rows[domain, law] = dict(mre=error(post, new)[0], elpd=scores[domain, law])
            rows[domain, law] |= dict(coverage=((low <= new["loss"]) & (new["loss"] <= high)).mean(), **sampling(post))
    said("Mixtures held out at 310M", {f"{d}, {law}": rows[d, law] for d in tables for law in RIVALS})
    means = {law: pd.DataFrame([rows[d, law] for d in tables])[["mre", "coverage"]].mean() for law in RIVALS}
    said("mean over domains; the reference's own point fits to all checkpoints: .45, .68, 1.5 %", means)
    return scores


def ranks(given):
    """The same ranking without held-out mixtures: `loo`."""
    scores = held_out(given)
    for domain in given.domains:
        table = last(dmsl(domain, (3e8, 3.2e8)))
        posts = [fitted(law, [table], given)[0] for law in RIVALS]
        found = bs.compare(posts, leave_out="mixture")
        shown = found.table[["elpd_out", "diff_out", "diff_out_se"]]
        again = {law: len(of.refitted) for law, of in found.left_out.items()}
        shown = shown.assign(held_out=[scores[domain, law] for law in shown.index], refitted=pd.Series(again))
        said(f"{domain}: 60 mixtures left out one by one, and the 15 held out", shown.T.to_dict())


def curves(corpus):
    """BiMix's own runs, S in steps."""
    frame = pd.read_csv(FOLDER / "bimix_curves" / "domain_losses.csv")
    frame = frame[(frame["corpus"] == corpus) & (frame["domain"] != "avg")]
    columns = dict(run=frame["mixture"], mixture=frame["mixture"], r=frame["ratio"], S=frame["step"].astype(float))
    return pd.DataFrame(dict(columns, domain=frame["domain"], loss=frame["loss"])).reset_index(drop=True)


def r_squared(x, y):
    """Of log losses, as the paper has it."""
    x, y = np.log(x), np.log(y)
    return 1 - np.mean((y - x) ** 2) / np.var(y)


def bimix_curves(given):
    """BiMix on its own runs: `curves`."""
    for corpus, published in {"Pile": ".9748, .9744", "SlimPajama": ".9940, .9945"}.items():
        table = curves(corpus)
        parts = {d: part.drop(columns="domain").reset_index(drop=True) for d, part in table.groupby("domain")}
        seen = {d: part[part["mixture"].isin(ENTROPY)] for d, part in parts.items()}
        rows = {}
        for mixture in ("Baseline", "DoReMi"):
            rows[mixture] = dict(within=[], held=[], predicted=[], truth=[], r2=[])
        alphas = {}
        for domain, post in zip(seen, along("bimix", seen.values(), given, 10), strict=True):
            alphas[domain] = sampling(post) | {k: np.median(post.draws[k]) for k in ("alpha", "beta", "C", "sigma_run")}
            for mixture, row in rows.items():
                new = parts[domain][parts[domain]["mixture"] == mixture]
                low, median, high = np.quantile(post.predict(new).draws, [0.05, 0.5, 0.95], axis=0)
                row["held"].append(((low <= new["loss"]) & (new["loss"] <= high)).mean())
                row["predicted"].append(median)
                row["truth"].append(new["loss"].to_numpy())
                row["within"].append(np.mean(np.abs(median / new["loss"] - 1)))
        shown = {}
        for mixture, row in rows.items():
            predicted, truth = np.concatenate(row["predicted"]), np.concatenate(row["truth"])
            at_step = np.stack(row["predicted"]), np.stack(row["truth"])
            r2 = [r_squared(x, y) for x, y in zip(at_step[0].T, at_step[1].T, strict=True)]
            shown[mixture] = {"R2, all rows": r_squared(predicted, truth), "mean over steps": np.mean(r2)}
            shown[mixture] |= {"error, %": 100 * np.mean(row["within"]), "worst domain": 100 * max(row["within"])}
            shown[mixture] |= {"coverage of 90%": np.mean(row["held"])}
        said(f"BiMix, {corpus}: new mixtures from {', '.join(ENTROPY)} (published R2: {published})", shown)
        said(f"BiMix, {corpus}: constants", alphas)

        early = {d: part[part["S"] <= 1e5] for d, part in parts.items()}
        for bend in (False, True):
            missed, held = [], []
            for domain, post in zip(early, along("bimix", early.values(), given, 10, discrepancy=bend), strict=True):
                end = parts[domain][parts[domain]["S"] == 2e5]
                forecast = np.quantile(post.predict(end).draws, [0.05, 0.5, 0.95], axis=0)
                missed.append(100 * (forecast[1] / end["loss"].to_numpy() - 1))
                held.append((forecast[0] <= end["loss"].to_numpy()) & (end["loss"].to_numpy() <= forecast[2]))
            missed = np.abs(np.stack(missed))
            print(
                f"steps to 1e5 foretell 2e5, discrepancy={bend}: error {missed.mean():.2f} % on average, "
                f"{missed.mean(axis=1).max():.2f} % in the worst domain, {missed.max():.2f} % at most; coverage of 90% "
                f"intervals {np.mean(held):.3f}",
                flush=True,
            )


def exponents(given):
    """BiMix at two sizes: `exponents`."""
    rows = {d: {} for d in given.domains}
    for size, between in {"310M": (3e8, 3.2e8), "937M": (9e8, 9.5e8)}.items():
        tables = [dmsl(d, between) for d in given.domains]
        for domain, post in zip(given.domains, along("bimix(r, D)", tables, given, given.checkpoints), strict=True):
            for name in ("alpha", "beta"):
                low, middle, high = np.quantile(post.draws[name], [0.05, 0.5, 0.95])
                rows[domain][f"{name}, {size}"] = f"{middle:.3f} [{low:.3f}, {high:.3f}]"
    said("BiMix on other runs: exponents [90%]", rows)


def said(title, rows):
    """Print a table."""
    print(f"\n{title}\n{pd.DataFrame(rows).T.to_string(float_format=lambda x: f'{x:.3f}')}", flush=True)


PARTS = {"fit": fits, "size": sizes, "held-out": held_out, "loo": ranks, "curves": bimix_curves, "exponents": exponents}


def main():
    """Print what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--parts", nargs="+", choices=PARTS, default=[p for p in PARTS if p != "held-out"])
    asked.add_argument("--domains", nargs="+", choices=DOMAINS, default=list(DOMAINS))
    asked.add_argument("--laws", nargs="+", default=["mixture_additive", "mixture_drift"])
    asked.add_argument("--checkpoints", type=int, default=4, help="of each run")
    asked.add_argument("--chains", type=int, default=2)
    asked.add_argument("--warmup", type=int, default=800)
    asked.add_argument("--draws", type=int, default=500)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in vars(asked.parse_args()).items()}
    given = Given(**given)
    warnings.simplefilter("ignore", BayesscaleWarning)  # what is wrong with draws is in the tables
    for part in given.parts:
        PARTS[part](given)


if __name__ == "__main__":
    main()
