"""Growing models: published constants, the speed-up from digitised curves, and how wide a timing rule is far away.

    python tests/benchmarks/growth_mix/growth.py

Data: growth (Gstack: Du et al. 2024, arXiv:2405.15319; curves read off its figures) in the folder that
$BAYESSCALE_DATA names. A few minutes on two cores.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale.models import growth

FOLDER = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[4] / "shared" / "data") / "growth"
SIZES = {"410M": 410e6, "1.1B": 1.1e9, "3B": 3e9, "7B": 7e9}
LEAST_SQUARES = {"410M": 1.67, "1.1B": 1.56, "3B": 1.50, "7B": 1.59}  # kappa, rows taken as independent
LAWS = ("growth_effective_compute", "growth_head_start", "growth_shifted_floor", "growth_none")
DECADE = 0.1  # of each model's compute: before, the rate is warming up and curves follow no law


def curves(bins=24):
    """Return the last decade of the curves of both arms, binned: one row per bin."""
    table = pd.read_csv(FOLDER / "gstack_loss_curves_digitized.csv")
    table = table.assign(run=table["model"] + " " + table["arm"], N=table["model"].map(SIZES))
    table = table.assign(C=1e20 * table["flops_1e20"], grown=(table["arm"] == "gstack").astype(float))
    table = table.rename(columns={"train_loss": "loss"})[["run", "model", "N", "C", "loss", "grown"]]
    late = table["C"] > DECADE * table.groupby("model")["C"].transform("max")
    return bs.bin_curves(table[late], bins=bins)


def of_size(runs, model):
    """Return the rows of one model."""
    return runs.select((runs.table["model"] == model).to_numpy())


def operators(runs):
    """Return the scratch curve of 1.1B with the final losses at 8e20 FLOP of scratch and of the eight operators."""
    finals = pd.read_csv(FOLDER / "gstack_operators_1.1B.csv")
    finals = finals.assign(name=finals["operator"] + "_" + finals["direction"])
    published = dict(zip(finals["name"], finals["speedup_pct"], strict=True))
    scratch = next(name for name in published if name.startswith("scratch"))
    del published[scratch]
    table = of_size(runs, "1.1B").table.query("grown == 0")[["run", "N", "C", "loss"]]
    ends = pd.DataFrame(dict(run=finals["name"], N=1.1e9, C=8e20, loss=finals["train_loss"]))
    table = pd.concat([table, ends], ignore_index=True)
    return bs.read_runs(table.assign(**{f"grown_{k}": (table["run"] == k).astype(float) for k in published})), published


def isoflop_slices(seed=0, sigma=0.002, h=0.02):
    """Simulate IsoFLOP slices in the paper's range from its timing rule: three sizes, d from 1 to 50 B.

    The paper does not print how deep its parabolas are. Growing gained .045 nat at 1.1B, and without any training of
    the small model nothing; a d ten times too small then costs about half of that, h = .02.
    """
    rng, rows = np.random.default_rng(seed), []
    for N, budgets in ((410e6, (0.8, 1.5, 2.2)), (1.1e9, (2, 4.5, 7)), (3e9, (4, 8, 12))):
        for C in budgets:
            rows += [(N, 1e20 * C, 1e9 * d) for d in (1, 5, 10, 20, 50)]
    N, C, d = np.array(rows).T
    truth = dict(E=1.7, A=480.0, alpha=0.35, B=2085.0, beta=0.366, h=h, **growth.GSTACK)
    loss = growth.growth_timing.evaluate(truth, N=N, C=C, d=d) * np.exp(sigma * rng.standard_normal(len(N)))
    return bs.read_runs(pd.DataFrame(dict(N=N, C=C, d=d, loss=loss)))


def said(x, q=0.9, write="{:.2f}"):
    """Write the median and an interval."""
    low, middle, high = np.quantile(x, [(1 - q) / 2, 0.5, (1 + q) / 2])
    return f"{write.format(middle)} ({write.format(low)} to {write.format(high)})"


def sampler(fits):
    """Say how sampling went over some fits."""
    rhat = max(fit.summary()["rhat"].max() for fit in fits)
    divergent = sum(int(fit.stats["diverging"].sum()) for fit in fits)
    return f"worst R-hat {rhat:.3f}, {divergent} divergences"


def timing_rule():
    """Print the published rule beside the published table."""
    table = pd.read_csv(FOLDER / "gstack_timing_guideline.csv")
    d = growth.guideline(table["N"], 6 * table["N"] * table["D_tokens"], **growth.GSTACK) / 1e9
    print("\n1. Gstack's timing rule with its published constants [billions of tokens]")
    print(table[["model", "d_tokens_B_published"]].assign(computed=d.round(2)).to_string(index=False))


def speedups(runs):
    """Print the posterior of kappa of each model, and speed-ups beside the published ones."""
    pooled = bs.fit_pooled("growth_effective_compute", runs, over="model", noise="curve")
    print(
        f"\n2. kappa from both curves, median and 95 % interval, at the centre of the data ({sampler(pooled.values())})"
    )
    for model, fit in pooled.items():
        k, low, high = fit.flat_draws["kappa"], *np.quantile(fit.flat_draws["kappa"], [0.025, 0.975])
        held = "held" if low <= LEAST_SQUARES[model] <= high else "NOT HELD"
        print(f"  {model:>5} {said(k, 0.95)}; least squares {LEAST_SQUARES[model]} {held}", end="; ")
        print(f"k1 {said(fit.flat_draws['k1'], 0.95)}, P(kappa > 1) = {(k > 1).mean():.4f}")
    print("  speed-ups in percent, 90 % intervals")
    for model, loss, published in (
        ("1.1B", 2.22, 47.8), ("3B", 2.08, 48.6), ("7B", 2.0, 40.8), ("7B", 1.97, 55.3), ("7B", 1.935, 53.8)
    ):  # fmt: skip
        found = bs.speedup(pooled[model], loss=loss)
        print(f"  {model:>5} at loss {loss}: {said(found.draws['speedup_percent'], write='{:.0f}')}", end="; ")
        print(f"published {published}; P(> 0) = {found.beats_scratch.iloc[0]:.4f}")
    return pooled


def which_law(runs):
    """Print LOO of the four laws at each size, under curve noise and with rows taken as independent."""
    print("\n   elpd_loo less that of the best law, +- standard error")
    for noise in ("curve", "student-t"):
        for model in SIZES:
            part = of_size(runs, model)
            part = part if noise == "curve" else bs.read_runs(part.table.drop(columns="run"))
            found = bs.compare(part, LAWS, noise=noise, discrepancy=False, rollout=False)
            shown = [
                f"{k.removeprefix('growth_')} {r['diff']:.1f} +- {r['diff_se']:.1f}" for k, r in found.table.iterrows()
            ]
            print(f"  {noise:>9} {model:>5}: {', '.join(shown)}; {sampler(found.posteriors.values())}", flush=True)


def foretold(runs):
    """Print how well each law foretells the later part of both curves from the earlier: their joint log score."""
    print("\n   Rows beyond 45 % of the compute from those before, curve noise: joint log score (normal, of all rows)")
    for model in SIZES:
        part, scores = of_size(runs, model).table, {}
        early = part["C"] <= 0.45 * part["C"].max()
        later = part[~early].reset_index(drop=True)
        for law in LAWS[:3]:
            fit = bs.fit(law, bs.read_runs(part[early]), noise="curve", discrepancy=False)
            error = np.log(fit.predict(later[["run", "C", "grown"]]).draws / later["loss"].to_numpy())
            covariance = np.cov(error.T) + 1e-7 * np.eye(len(later))
            mean, size = error.mean(axis=0), np.linalg.slogdet(2 * np.pi * covariance)[1]
            scores[law] = -0.5 * (mean @ np.linalg.solve(covariance, mean) + size)
        said = ", ".join(f"{k.removeprefix('growth_')} {x - max(scores.values()):.1f}" for k, x in scores.items())
        print(f"  {model:>5}: less that of the best, {said}", flush=True)


def which_operator(runs):
    """Print the speed-up of each operator and the probability that it is best."""
    table, published = operators(runs)
    # Before its run an operator may as well harm as help: the law's own prior is that of stacking.
    even = {f"raw_kappa_{name}": dist.Normal(0.0, 0.4) for name in published}
    law = bs.law.named("growth_effective_compute").over(table.columns).with_priors(**even)
    fit = bs.fit(law, table, noise="curve", discrepancy=False)
    found = bs.speedup(fit, C="8e20")
    print(f"\n   Operators at 8e20 FLOP: speed-up in percent, 90 % interval; one run of each ({sampler([fit])})")
    for name, percent in published.items():
        print(f"  {name:>12} {said(found.draws[name], write='{:.0f}')}; published {percent}", end="; ")
        print(f"P(beats scratch) = {found.beats_scratch[name]:.3f}, P(best) = {found.best[name]:.3f}")


def timing_far_away(repeats=8):
    """Print what simulated slices say of the timing rule, in their range and far beyond."""
    truth = growth.GSTACK
    targets = {"1.1B at 5e20": (1.1e9, 5e20), "Llama2-7B": (7e9, 8.4e22), "Llama2-70B": (70e9, 8.4e23)}
    targets |= {"Llama3-8B": (8e9, 7.2e23)}
    for sigma, h in ((0.002, 0.02), (0.005, 0.02), (0.002, 0.05)):
        tables = [isoflop_slices(seed, sigma, h) for seed in range(repeats)]
        fits = bs.fit_many("growth_timing", tables, discrepancy=False)
        print(
            f"\n3. The timing rule from {repeats} x 45 simulated runs in the paper's range, scatter {100 * sigma:g} %,"
        )
        print(f"   h = {h} nat per squared decade ({sampler(fits)}); best d in billions, 95 % intervals")
        for name, (N, C) in targets.items():
            at, true = (np.log10(N), 1 / np.log10(C), 1.0), growth.guideline(N, C, **truth)
            d = [10 ** sum(fit.flat_draws[k] * x for k, x in zip("abc", at, strict=True)) for fit in fits]
            low, high = np.quantile(d, [0.025, 0.975], axis=1)
            held = int(((low <= true) & (true <= high)).sum())
            first, wide = said(d[0] / 1e9, 0.95, "{:.3g}"), np.median(high / low)
            print(f"  {name:>12}: the first {first}, truth {true / 1e9:.3g}; held {held} of {repeats}", end="; ")
            print(
                f"from end to end a factor of {wide:.3g} ({min(high / low):.3g} to {max(high / low):.3g})", flush=True
            )


def main():
    """Print all of it."""
    if not FOLDER.exists():
        raise SystemExit(f"{FOLDER} is not there: set BAYESSCALE_DATA to the folder that holds growth/")
    warnings.simplefilter("ignore", bs.errors.BayesscaleWarning)
    runs = curves()
    timing_rule()
    speedups(runs)
    which_operator(runs)
    timing_far_away()
    which_law(runs)
    foretold(runs)


if __name__ == "__main__":
    main()
