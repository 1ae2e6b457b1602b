"""Laws of a data mixture on real runs: how well they fit, whether their intervals hold, and which law foretells best.

    python tests/benchmarks/mixtures.py [--parts fit size held-out loo curves exponents] [--checkpoints 4] [--draws 500]

fit       the additive and the joint law of Shukor et al. (arXiv:2507.09404) on runs of 310M to 1.235B parameters: the
          relative error of each domain beside their Table 2, all rows as if independent (Student-t), as they fit them,
          and with curve noise; what is left of each run and mixture.
size      the same fits asked for the runs of 2.7B: error, and how often 90% intervals hold, with and without the
          discrepancy.
held-out  at 310M a quarter of the mixtures is held out: error, log score and coverage under three laws.
loo       whether leaving out mixtures (`bs.compare`) ranks these laws as the held-out mixtures do.
curves    BiMix on its own runs (Ge et al., arXiv:2405.14908): Baseline and DoReMi from four entropy mixtures, and the
          end of each curve from its first half.
exponents BiMix at 310M and at 937M.

The data: mix/dmsl and bimix_curves in the folder `$BAYESSCALE_DATA`, or in `shared/data` beside the repository. Rows
before 4e9 tokens are left out, as by the authors, and so is the last checkpoint where the table has it twice. Laws are
fitted to a few checkpoints of each run, even in log D, and asked for all of them, unless said otherwise.
"""

import argparse
import os
import warnings
from collections import namedtuple
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logsumexp

import bayesscale as bs
from bayesscale.errors import BayesscaleWarning

FOLDER = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[3] / "shared" / "data")
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
FITTED, LARGE = (3e8, 1.3e9), (2e9, 3e9)
RIVALS = ("mixture_additive", "mixture_exponential_tokens", "bimix(r, D)")
ENTROPY = ("SE", "JE", "CE", "VNE")
Given = namedtuple("Given", "parts domains laws checkpoints chains warmup draws")


def dmsl(target, sizes):
    """The rows of one target at these sizes, a row per checkpoint."""
    path = FOLDER / "mix" / "dmsl" / "dmsl_llm_slimpajama.csv"
    if not path.exists():
        raise SystemExit(f"{path} is not there: set BAYESSCALE_DATA to the folder that holds mix and bimix_curves")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesscaleWarning)
        table = bs.mixture_runs(path, columns={"N": "model_size"}).table
    table = table[(table["domain"] == target) & table["N"].between(*sizes) & (table["D"] > 3.9e9)]
    table = table.sort_values(["run", "D"])
    again = (table["run"] == table["run"].shift()) & (table["D"] < 1.002 * table["D"].shift())
    columns = ["run", "mixture", "N", "D", "loss", "r", *(c for c in table if c.startswith("r_"))]
    return table.loc[~again, columns].reset_index(drop=True)


def even(table, checkpoints):
    """So many checkpoints of each run, about evenly spaced in log D (or log S), the last one among them."""
    if not checkpoints:
        return table
    parts, along = [], "D" if "D" in table else "S"
    for _, curve in table.groupby("run", sort=False):
        logs = np.log(curve[along].to_numpy())
        wanted = np.linspace(logs[0], logs[-1], checkpoints)
        parts.append(curve.iloc[np.unique(np.abs(logs - wanted[:, None]).argmin(axis=1))])
    return pd.concat(parts, ignore_index=True)


def fitted(law, tables, given, **options):
    """Fit a law to the table of each domain; what is wrong with the draws is printed, not raised."""
    options = dict(noise="curve") | options
    options |= dict(chains=given.chains, warmup=given.warmup, draws=given.draws, second_try=False, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesscaleWarning)
        return bs.fit_many(law, [even(t, given.checkpoints) for t in tables], **options)


def sampling(post):
    """How the sampling went."""
    said = dict(leapfrogs=post.stats["n_steps"].mean(), divergences=int(post.stats["diverging"].sum()))
    return said | dict(rhat=post.summary()["rhat"].max())


def error(post, table):
    """Relative error of the median of the expected loss, in %, and the logarithm of loss / law."""
    median = post.predict(table.drop(columns="run"), kind="mean").median
    return 100 * np.mean(np.abs(median / table["loss"] - 1)), np.log(table["loss"].to_numpy() / median)


def between_sizes(table, left):
    """What two neighbouring sizes have in common of a mixture: the mean correlation of what is left of their runs."""
    of_runs = table.assign(left=left).pivot_table(index="mixture", columns="N", values="left", observed=True)
    of_runs = of_runs.corr(min_periods=8).to_numpy()
    return np.diagonal(of_runs, 1).mean(), of_runs[0, -1]


@cache
def all_domains(law, given, bend):
    """The runs of 310M to 1.235B by domain, and the law's fits to them."""
    tables = {d: dmsl(d, FITTED) for d in given.domains}
    return tables, fitted(law, tables.values(), given, discrepancy=bend)


def fits(given):
    """How well the law fits the runs that it was fitted to: `fit`."""
    tables = {d: dmsl(d, FITTED) for d in given.domains}
    alone = [table.drop(columns="run") for table in tables.values()]
    for law in given.laws:
        rows = {}
        as_theirs = fitted(law, alone, given._replace(checkpoints=0), noise="student-t", discrepancy=False)
        _, posts = all_domains(law, given, False)
        for (domain, table), theirs, post in zip(tables.items(), as_theirs, posts, strict=True):
            mre, left = error(theirs, table)
            near, far = between_sizes(table, left)
            published = TABLE_2.loc[domain, f"train {law.removeprefix('mixture_')}"]
            rows[domain] = dict(mre=mre, paper=published, miss=mre - published, curve=error(post, table)[0])
            rows[domain] |= {k: np.median(post.draws[k]) for k in ("alpha", "beta", "sigma", "sigma_run", "length")}
            rows[domain] |= {"same mixture, next size": near, "first and last": far, **sampling(post)}
        said(f"{law}: train relative error in % beside Table 2; what runs of one mixture have in common", rows)


def sizes(given):
    """Runs of 2.7B forecast from those up to 1.235B: `size`."""
    for law in given.laws:
        for bend in (False, True):
            rows, held = {}, []
            tables, posts = all_domains(law, given, bend)
            for domain, post in zip(tables, posts, strict=True):
                large = dmsl(domain, LARGE)
                mre, left = error(post, large)
                low, high = np.quantile(post.predict(large).draws, [0.05, 0.95], axis=0)
                inside = (low <= large["loss"]) & (large["loss"] <= high)
                held.append(inside)
                published = TABLE_2.loc[domain, f"val {law.removeprefix('mixture_')}"]
                rows[domain] = dict(rows=len(large), mre=mre, paper=published, bias=100 * left.mean())
                rows[domain] |= {"width, %": 100 * np.median(high / low - 1), "coverage of 90%": inside.mean()}
                rows[domain] |= {"tau": np.median(post.draws["tau"]) if bend else np.nan, **sampling(post)}
            said(f"{law}, discrepancy={bend}: the rows of 2.7B; coverage {np.concatenate(held).mean():.3f}", rows)


def split(table, seed=0):
    """Hold out a quarter of the mixtures."""
    names = np.sort(table["mixture"].unique())
    out = np.random.default_rng(seed).permutation(names)[: len(names) // 4]
    held = table["mixture"].isin(out)
    return table[~held].reset_index(drop=True), table[held].reset_index(drop=True)


def log_score(post, table):
    """Sum over mixtures of the log density of all their rows together."""
    expected = post.predict(table.drop(columns="run"), kind="mean").draws
    density = post.noise.log_density_of_runs(
        np.log(table["loss"].to_numpy()) - np.log(expected),
        post.flat_draws,
        table["run"].factorize()[0],
        place=np.log(table["D"].to_numpy()),
    )
    return (logsumexp(density, axis=0) - np.log(len(density))).sum()


def held_out(given):
    """New mixtures at 310M: `held-out`. Returns the log scores and the fits, by domain and law."""
    tables = {d: split(dmsl(d, (3e8, 3.2e8))) for d in given.domains}
    rows, scores, posts = {}, {}, {}
    for law in RIVALS:
        for domain, post in zip(
            tables, fitted(law, [seen for seen, _ in tables.values()], given, discrepancy=False), strict=True
        ):
            _, new = tables[domain]
            low, high = np.quantile(post.predict(new).draws, [0.05, 0.95], axis=0)
            inside = (low <= new["loss"]) & (new["loss"] <= high)
            scores[domain, law] = log_score(post, even(new, given.checkpoints))
            posts[domain, law] = post
            rows[f"{domain}, {law}"] = dict(
                mre=error(post, new)[0], elpd=scores[domain, law], coverage=inside.mean(), **sampling(post)
            )
    rows = {f"{domain}, {law}": rows[f"{domain}, {law}"] for domain in tables for law in RIVALS}
    of_laws = pd.DataFrame(rows).T.groupby(lambda name: name.split(", ", 1)[1], sort=False)[["mre", "coverage"]].mean()
    said("Mixtures held out at 310M", rows)
    said("mean over domains; the reference's own point fits: .45, .68, 1.5 %", of_laws.T.to_dict())
    return scores, posts


def ranks(given):
    """The same ranking without held-out mixtures: `loo`."""
    scores, posts = held_out(given)
    for domain in given.domains:
        found = bs.compare([posts[domain, law] for law in RIVALS], leave_out="mixture")
        table = found.table[["elpd_out", "diff_out", "diff_out_se", "elpd_loo"]]
        again = {law: len(of.refitted) for law, of in found.left_out.items()}
        table = table.assign(held_out=[scores[domain, law] for law in table.index], refitted=pd.Series(again))
        said(f"{domain}: mixtures left out one by one, and the held-out ones", table.T.to_dict())


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
        options = given._replace(checkpoints=10)
        rows = {}
        for mixture in ("Baseline", "DoReMi"):
            rows[mixture] = dict(within=[], held=[], predicted=[], truth=[], r2=[])
        alphas = {}
        for domain, post in zip(seen, fitted("bimix", seen.values(), options, discrepancy=False), strict=True):
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
        missed, held = [], []
        for domain, post in zip(early, fitted("bimix", early.values(), options, discrepancy=False), strict=True):
            last = parts[domain][parts[domain]["S"] == 2e5]
            forecast = np.quantile(post.predict(last).draws, [0.05, 0.5, 0.95], axis=0)
            missed.append(100 * (forecast[1] / last["loss"].to_numpy() - 1))
            held.append((forecast[0] <= last["loss"].to_numpy()) & (last["loss"].to_numpy() <= forecast[2]))
        missed = np.abs(np.stack(missed))
        print(
            f"steps to 1e5 foretell 2e5: error {missed.mean():.2f} % on average, {missed.mean(axis=1).max():.2f} % in "
            f"the worst domain, {missed.max():.2f} % at most; coverage of 90% intervals {np.mean(held):.3f}"
        )


def exponents(given):
    """BiMix at two sizes: `exponents`."""
    rows = {d: {} for d in given.domains}
    for size, between in {"310M": (3e8, 3.2e8), "937M": (9e8, 9.5e8)}.items():
        tables = [dmsl(d, between) for d in given.domains]
        for domain, post in zip(given.domains, fitted("bimix(r, D)", tables, given, discrepancy=False), strict=True):
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
    asked.add_argument("--laws", nargs="+", default=["mixture_additive", "mixture_joint"])
    asked.add_argument("--checkpoints", type=int, default=4, help="of each run; 0: all")
    asked.add_argument("--chains", type=int, default=2)
    asked.add_argument("--warmup", type=int, default=800)
    asked.add_argument("--draws", type=int, default=500)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in vars(asked.parse_args()).items()}
    given = Given(**given)
    for part in given.parts:
        PARTS[part](given)


if __name__ == "__main__":
    main()
