"""The best mixture on real runs: ``python tests/benchmarks/growth_mix/optimal_mixture.py``.

First the critical proportion of Ye et al. 2024 (arXiv:2403.16952): how much of the Pile must stay in continued
pretraining on Python, so that the loss on the Pile is what it was before? Their answer from four runs is .286. Then the
best mixture of seven domains at 1.235B parameters, from the runs of Shukor et al. 2025 (arXiv:2507.09404), with and
without a repetition cap, under three laws; and the optimum of each draw against brute force.

The tables are looked for in the folder that BAYESSCALE_DATA names, as mix/.
"""

import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpyro import distributions as dist
from numpyro.distributions.transforms import SigmoidTransform

import bayesscale as bs
from bayesscale.law import named

FOLDER = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[4] / "shared" / "data") / "mix"
SHORT = dict(discrepancy=False, chains=4, draws=500)
# SlimPajama as it is: the natural mixture.
SLIMPAJAMA = dict(
    arxiv=0.0458, book=0.0420, c4=0.2660, github=0.0522, commoncrawl=0.5203, stackexchange=0.0337, wikipedia=0.0399
)
# Tokens that there are of each, of 627B; trained for a trillion with four repeats, books and others run out.
TOKENS = {k: 627e9 * share for k, share in SLIMPAJAMA.items()}


def critical_proportion():
    table = pd.read_csv(FOLDER / "mixinglaws" / "ct.csv")
    weight = json.loads((FOLDER / "mixinglaws" / "valid_weight.json").read_text())
    table["loss"] = sum(w * table[f"loss_{k}"] for k, w in weight.items())
    before = table.loc[table["run"].str.startswith("base"), "loss"].item()
    end = table[(table["step"].astype(str) == "10000") & table["r_Pile"].notna()]
    four = end[~end["run"].str.contains("_ct_9-")]
    print(f"critical proportion of the Pile, loss before {before:.4f}; published, from four runs: .2862")
    wide = dist.TransformedDistribution(dist.Normal(-3.0, 1.5), SigmoidTransform())
    law = named("mixture_exponential").over(("r_Pile", "r_Python"))
    for said, rows, of in (
        ("four runs", four, law),
        ("four runs, wide prior of c", four, law.with_priors(reducible=wide)),
        ("and the run at .285", end, law),
        ("and the run at .285, wide prior of c", end, law.with_priors(reducible=wide)),
    ):
        post = bs.fit(of, rows[["r_Pile", "r_Python", "loss"]].reset_index(drop=True), discrepancy=False)
        found = bs.critical_proportion(post, "Pile", loss=before)
        row = found.table(level=(0.5, 0.8, 0.95)).iloc[0]
        held = "holds .2862" if row["low95"] <= 0.2862 <= row["high95"] else "MISSES .2862"
        print(
            f"  {said}: median {row['median']:.3f}, 50% {row['low50']:.3f}-{row['high50']:.3f}, 80% {row['low80']:.3f}-"
            f"{row['high80']:.3f}, 95% {row['low95']:.3f}-{row['high95']:.3f}, {held}; never {found.never:.1%}"
        )


def runs_of_shukor(sizes, checkpoints):
    runs = bs.mixture_runs(FOLDER / "dmsl" / "dmsl_llm_slimpajama.csv", columns={"N": "model_size", "D": "n_tokens"})
    table = runs.table[runs.table["domain"] != "openhermes"]
    back = table.groupby(["run", "domain"])["D"].rank(method="first", ascending=False)
    return table[back.isin(checkpoints) & table["N"].isin(sizes)].reset_index(drop=True)


def best_mixtures():
    shown = []
    for law, sizes in (
        ("bimix(r, D)", [1.235e9]),
        ("mixture_exponential", [1.235e9]),
        ("mixture_additive", [3.1e8, 1.235e9]),
    ):
        last = law == "mixture_exponential"  # says nothing of tokens
        table, start = runs_of_shukor(sizes, (1,) if last else (1, 6)), time.time()
        domains = list(SLIMPAJAMA)
        posts = bs.fit_many(
            law,
            [table[table["domain"] == d].reset_index(drop=True) for d in domains],
            noise="student-t" if last else "curve",
            **SHORT,
        )
        fits, fitted = dict(zip(domains, posts, strict=True)), time.time()
        at = dict(N=1.235e9, D=1e12)
        free = bs.optimal_mixture(fits, at=at, natural=SLIMPAJAMA)
        held = bs.optimal_mixture(fits, at=at, natural=SLIMPAJAMA, tokens=TOKENS, repeats=4)
        print(
            f"\n{law}: {len(table)} rows, fitted in {fitted - start:.0f} s, two optima in {time.time() - fitted:.0f} s"
        )
        for said, found in (("no cap", free), ("each token at most four times", held)):
            row = found.against(level=0.95).loc["weighted mean"]
            shown.append({"law": law, "cap": said, **found.best.round(3), "P(better)": row["P(better)"]})
            print(f"-- {said}\n{found}")
    print(f"\n{pd.DataFrame(shown).to_string(index=False)}")


def against_brute_force():
    """Three domains of the Pile with 1.235B-like fits: each draw's optimum on ever finer grids."""
    table = runs_of_shukor([1.235e9], (1,))
    three = ["arxiv", "github", "wikipedia"]
    posts = bs.fit_many("bimix(r, D)", [table[table["domain"] == d].reset_index(drop=True) for d in three], **SHORT)
    found = bs.optimal_mixture(dict(zip(three, posts, strict=True)), at=dict(D=2.5e10), cap=dict(wikipedia=0.45))
    losses, best, width = found.losses, np.full((len(found.draws), 2), 0.3), 0.3
    for _ in range(9):  # the grid of all draws alike is around each draw's own best
        offsets = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9) * width] * 2, indexing="ij"), -1).reshape(-1, 2)
        tried = [np.column_stack([p, 1 - p.sum(axis=1)]) for p in (best + o for o in offsets)]
        inside = np.stack([((p > 0) & (p <= [1, 1, 0.45])).all(axis=1) for p in tried])
        cost = np.stack([losses.mean_at_own(np.clip(p, 1e-9, 1)) for p in tried])
        best = best + offsets[np.argmin(np.where(inside, cost, np.inf), axis=0)]
        width /= 2.5
    error = np.abs(found.draws.to_numpy()[:, :2] - best).max()
    print(f"\nlargest difference from brute force, three domains, {len(best)} draws: {error:.1e}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", bs.errors.BayesscaleWarning)
    critical_proportion()
    against_brute_force()
    best_mixtures()
