# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which batch size and learning rate for the big run?
#
# *I have swept batch size and learning rate on small runs. What should the big run take, and how sure can I be?*
#
# This notebook goes from a published sweep to a batch size and a learning rate for a run that nobody swept, with
# intervals; then it tests such intervals on the larger part of the sweep, and says by how much to widen them. The last
# sections are about the *critical* batch size, of which there is more than one. It takes one to two minutes.
#
# Words: **B** is the tokens per batch, **S** the optimizer steps, so that D = B S; **lr** is the peak learning rate.
# The **best** batch gives the least loss for a model and its tokens. The **near-optimal** range holds every batch that
# costs next to nothing against it. A **cell** is one pair of N and D, at which a sweep tries many B and lr.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayesscale as bs
from bayesscale.law import prior
from bayesscale.models import batch_lr_power
from bayesscale.units import format_number as short

BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#767676"
BIG = {"N": "1B", "D": "100B"}  # the run to decide about

# %% [markdown]
# ## 1. A sweep over the batch size
#
# The runs are Step Law's (Li et al. 2025, arXiv:2503.04715, github.com/step-law/steplaw). They are looked for in the
# folder that `BAYESSCALE_DATA` names, as `steplaw/dense.csv`. N is counted without embeddings, the loss is the authors'
# smoothed final training loss.

# %%
DATA = Path(os.environ.get("BAYESSCALE_DATA") or "data")
LEFT_OUT = "Left out: no published runs."
CELL = ["N", "D"]


def published(name):
    try:
        return pd.read_csv(DATA / name)
    except FileNotFoundError:
        print(f"The published runs are not at hand; the cells that need {name} say so and go on.")
        print(f"Set BAYESSCALE_DATA to a folder that holds {name}.")


dense = published("steplaw/dense.csv")
if dense is not None:
    columns = {"N": "N", "D": "D", "B": "batch_tokens", "lr": "lr", "loss": "loss_smooth"}
    sweep = pd.DataFrame({ours: dense[theirs].astype(float) for ours, theirs in columns.items()})
    sweep = sweep[sweep["D"] <= 3e10].reset_index(drop=True)
    cells = sweep.groupby(CELL)
    sweep = sweep.assign(
        run="cell " + cells.ngroup().astype(str), excess=sweep["loss"] / cells["loss"].transform("min") - 1
    )
    told = cells.agg(runs=("loss", "size"), batches=("B", "nunique"), rates=("lr", "nunique"), least=("loss", "min"))
    sizes = " to ".join(map(short, sweep["B"].agg(["min", "max"])))
    print(f"{len(sweep)} runs in {len(told)} cells, batches of {sizes} tokens")
    print(
        told.reset_index().assign(N=lambda t: t["N"].map(short), D=lambda t: t["D"].map(short)).to_string(index=False)
    )

# %% [markdown]
# The simplest question first: of each batch size take the run with the best learning rate. What does the batch do?
#
# `three_term` is the law for that: L = E + A / N^alpha + F / S^b + G / B^c. Tokens are spent on steps (the third term)
# or on larger batches (the fourth), and the best batch balances the two.
#
# All fits of this notebook are of the law alone, `discrepancy=False`, as published exponents and critical batch sizes
# are. How the truth may bend away from a law as runs get larger (notebook 04) says nothing of the batch size.

# %%
if dense is None:
    print(LEFT_OUT)
else:
    at_best_rate = sweep.loc[sweep.groupby([*CELL, "B"])["loss"].idxmin(), [*CELL, "B", "loss"]]
    tuned = bs.read_runs(at_best_rate.reset_index(drop=True), about={"count_N": "non-embedding"})
    post = bs.fit("three_term", tuned, discrepancy=False)
    print(post)
    checks = post.check().table
    print(checks[checks["status"] != "PASS"].to_string(index=False, max_colwidth=120))

# %%
if dense is None:
    print(LEFT_OUT)
else:
    batch = bs.optimal_batch(post, **BIG)
    print(batch)

# %% [markdown]
# Two ranges, and they mean different things. The **interval** is about knowledge: if the law is right, the best batch
# lies inside with that probability. The **near-optimal range** is about consequences: any batch inside costs less than
# 0.1 % of the loss. The optimum is flat, so the second is the wider one; and it stays where it is however many runs
# are added, while the interval shrinks.


# %%
def times(low, high):
    return f"{low / 1e3:,.0f}K to {high / 1e3:,.0f}K tokens (a factor of {high / low:.2f})"


if dense is None:
    print(LEFT_OUT)
else:
    print(f"95% interval of the best batch: {times(*batch.draws['B'].quantile([0.025, 0.975]))}")
    print(f"near-optimal, 0.1% of the loss: {times(*batch.near_optimal)}")
    largest = sweep.loc[sweep["D"].idxmax(), CELL].to_dict()
    ax = bs.plots.batch(post, **largest)

# %% [markdown]
# The figure is one cell of the sweep, the one with the most tokens. Is the curve's lowest point where the runs have
# theirs? According to this law the best batch depends on the tokens alone, whatever the size of the model. So look at
# all cells: where is the run of least loss, in times the law's best batch?

# %%
if dense is None:
    print(LEFT_OUT)
else:
    lowest = tuned.table.loc[tuned.table.groupby(CELL)["loss"].idxmin(), [*CELL, "B"]]
    law_says = np.array([bs.optimal_batch(post, N=N, D=D).draws["B"].median() for N, D in lowest[CELL].to_numpy()])
    ratio = lowest.assign(ratio=lowest["B"] / law_says).sort_values(CELL)
    print(
        ratio.assign(N=ratio["N"].map(short), D=ratio["D"].map(short), B=ratio["B"].map(short))
        .round(2)
        .to_string(index=False)
    )
    trend = np.corrcoef(np.log(ratio["N"]), np.log(ratio["ratio"]))[0, 1]
    print(f"\ncorrelation of log N and the log of the ratio: {trend:.2f}")

# %% [markdown]
# A correlation far from 0 says that the best batch does depend on N. One run per cell is a rough measure, though: the
# grid is coarse, and near the bottom the runs differ by chance. Section 3 does better.

# %% [markdown]
# ## 2. Does the batch size belong into the law at all?
#
# Three laws for the same runs: `chinchilla` ignores the batch; in `chinchilla_batch` large batches waste tokens but
# small ones never do (the critical batch size of McCandlish et al. 2018 and Kaplan et al. 2020), so there is no best
# batch; `three_term` has one.

# %%
if dense is None:
    print(LEFT_OUT)
else:
    others = (bs.fit(name, tuned, discrepancy=False) for name in ("chinchilla_batch", "chinchilla"))
    compared = bs.compare([post, *others])
    print(compared)
    expected = {name: each.predict(tuned, kind="mean").median for name, each in compared.posteriors.items()}
    left = {name: np.log(tuned.column("loss") / mean).std() for name, mean in expected.items()}
    print("\nscatter around the law:", ", ".join(f"{name} {100 * sd:.2f}%" for name, sd in left.items()))
    first, second = compared.table.index[:2]
    gap, error = -compared.table.loc[second, "diff"], compared.table.loc[second, "diff_se"]
    print(f"{first} is ahead of {second} by {gap / error:.1f} standard errors of the difference.")

# %% [markdown]
# The score is explained in the first notebook. A warning that it is unreliable at a row names a run which the law finds
# surprising; it matters where the lead is small.

# %% [markdown]
# ## 3. The surface: batch size and learning rate together
#
# Taking the best learning rate of each batch throws most of the sweep away, and the best of a few noisy runs is a
# little too good. Better: fit all runs near the bottom of each cell. `batch_lr_power` is a bowl in (log B, log lr)
# whose lowest point moves as powers of N and D:
#
# B_opt = B_0 N^B_N D^B_D and lr_opt = lr_0 N^lr_N D^lr_D.
#
# Two decisions, as in the other notebooks: **only runs within 2 % of the best of their cell**, near enough for a bowl
# of few parameters; and **runs of one cell share an effect** (the column `run`): what Chinchilla's law misses about a
# cell must not tilt its bowl.

# %%
SURFACE = [*CELL, "B", "lr", "loss", "run"]
KNOWN = {"count_N": "non-embedding"}


def near(runs, columns=SURFACE):
    return bs.read_runs(runs.loc[runs["excess"] <= 0.02, columns].reset_index(drop=True), about=KNOWN)


if dense is None:
    print(LEFT_OUT)
else:
    surface = bs.fit("batch_lr_power", near(sweep), discrepancy=False)
    check = surface.check()
    print(f"{len(surface.runs)} runs; fit check: {check.status}; largest R-hat {surface.summary()['rhat'].max():.3f}")

# %% [markdown]
# The exponents, beside the ones that Step Law's authors published: their 1000 bootstrap fits, in the file
# `published_bootstrap_fits.csv` of the same folder. They regress the best runs of the cells, and leave N out of the
# batch size.


# %%
def with_interval(x, level=0.95):
    low, high = np.quantile(x, [(1 - level) / 2, (1 + level) / 2])
    return f"{np.median(x):.3f} ({low:.3f} to {high:.3f})"


theirs = published("steplaw/published_bootstrap_fits.csv") if dense is not None else None
if dense is None:
    print(LEFT_OUT)
else:
    b, c = post.flat_draws["b"], post.flat_draws["c"]
    names = {"B_D": "bs_coefD", "B_N": None, "lr_N": "lr_coefN", "lr_D": "lr_coefD"}
    powers = pd.DataFrame({"the surface": {k: with_interval(surface.flat_draws[k]) for k in names}})
    powers["three_term"] = {"B_D": with_interval(b / (b + c)), "B_N": "0"}
    if theirs is not None:
        powers["Step Law"] = {k: with_interval(theirs[v]) if v else "0" for k, v in names.items()}
    print("exponents, median and 95% interval:")
    print(powers.fillna("").to_string())
    if theirs is not None:
        apart = []
        for k, v in names.items():
            ours = np.quantile(surface.flat_draws[k], [0.025, 0.975])
            other = theirs[v].quantile([0.025, 0.975]).to_numpy() if v else np.zeros(2)
            if ours[0] > other[1] or other[0] > ours[1]:
                apart.append(k)
        print(f"\n95% intervals of the surface and of Step Law that do not meet: {', '.join(apart) or 'none'}")

# %% [markdown]
# Where intervals from the same runs do not meet, the difference is the method's, and neither interval covers that.
# Exponents are not what you need, however. You need the lowest point:

# %%
if dense is None:
    print(LEFT_OUT)
else:
    surface_batch, surface_rate = bs.optimal_batch(surface, **BIG), bs.optimal_lr(surface, **BIG)
    print(surface_batch, "\n")
    print(surface_rate)

# %% [markdown]
# Both are one and the same lowest point: with `optimal_batch` the learning rate is tuned for every batch, and the other
# way round. If your batch is given (by memory, say), give it: `bs.optimal_lr(surface, N="1B", D="100B", B="1M")`.
#
# The two laws on one figure:

# %%
if dense is None:
    print(LEFT_OUT)
else:
    ax = bs.plots.batch({"three_term": post, "batch_lr_power": surface}, **BIG)

# %%
if dense is None:
    print(LEFT_OUT)
else:
    ours = {"three_term": batch, "batch_lr_power": surface_batch}
    ends = {name: found.draws["B"].quantile([0.025, 0.975]).to_numpy() for name, found in ours.items()}
    meet = max(e[0] for e in ends.values()) <= min(e[1] for e in ends.values())
    low, high = (f(found.near_optimal[i] for found in ours.values()) for i, f in ((0, max), (1, min)))
    words = "overlap" if meet else "do not overlap: at least one of the laws is wrong there"
    print(f"The 95% intervals of the best batch {words}.")
    if low <= high:
        print(f"By both laws a batch of {times(low, high)} costs less than 0.1% of the loss.")
    if theirs is not None:
        formula = np.exp(theirs["bs_intercept"]) * 1e11 ** theirs["bs_coefD"]
        print(f"Step Law's formula: {times(*formula.quantile([0.025, 0.975]))}")

# %% [markdown]
# ## 4. How far to trust these intervals
#
# Each interval assumes that its law holds from the swept cells to the big run. That can be tested on the sweep itself:
# fit the cells of few tokens, forecast the best batch and rate of the cells of many, and compare with what those cells
# say themselves.
#
# What does a cell say itself? The law of section 3 is fitted to that cell alone, with the shape of the bowl as all
# cells gave it; what is left to find is where the bowl stands.

# %%
FEW, MANY = 1.2e10, 2e10


def optimum(draws, name, N, D):
    """B_opt or lr_opt of each draw: what bs.optimal_batch and bs.optimal_lr find, by the formula."""
    return draws[f"{name}_0"] * N ** draws[f"{name}_N"] * D ** draws[f"{name}_D"]


def of_one_cell(post):
    """The surface with the shape of a fitted bowl as priors."""
    d = post.flat_draws
    shape = {k: dist.LogNormal(np.log(d[k]).mean(), np.log(d[k]).std()) for k in ("b", "c", "p", "q", "k")}
    height = (1 - d["share_A"]) * d["reducible"]  # of the tokens' term, on which the bowls stand
    share = prior.share(np.log(height / (1 - height)).mean(), spread=0.2)
    return batch_lr_power.with_priors(**shape, reducible=share, share_A=prior.share(-6.0, spread=0.1))


if dense is None:
    print(LEFT_OUT)
else:
    few, many = sweep[sweep["D"] <= FEW], sweep[sweep["D"] >= MANY]
    small_surface = bs.fit("batch_lr_power", near(few), discrepancy=False)
    small_post = bs.fit("three_term", tuned.select(tuned.column("D") <= FEW), discrepancy=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a table has one N and one D: as meant
        large_cells = [near(cell, columns=SURFACE[:-1]) for _, cell in many.groupby(CELL)]
        alone = bs.fit_many(of_one_cell(surface), large_cells, discrepancy=False, chains=2, draws=500)
    status = ", ".join(fit.check().status for fit in (small_surface, small_post))
    print(f"fitted to {few['run'].nunique()} cells of up to {short(few['D'].max())} tokens; fit checks: {status}")
    print(f"to forecast: {len(alone)} cells of {short(many['D'].min())} to {short(many['D'].max())} tokens")

# %%
FORECASTS = {
    "B, three_term": ("B", bs.optimal_batch),
    "B, batch_lr_power": ("B", bs.optimal_batch),
    "lr, batch_lr_power": ("lr", bs.optimal_lr),
}

if dense is None:
    print(LEFT_OUT)
else:
    fits = dict(zip(FORECASTS, (small_post, small_surface, small_surface), strict=True))
    rows = []
    for one in alone:
        N, D = (one.runs.column(k)[0] for k in CELL)
        measured = tuned.table[(tuned.table["N"] == N) & (tuned.table["D"] == D)].sort_values("B")
        for of, (what, decide) in FORECASTS.items():
            answer = decide(fits[of], N=N, D=D)
            x, own = np.log(answer.draws[what]), np.log(optimum(one.flat_draws, what, N, D))
            row = dict(of=of, N=N, D=D, forecast=x.mean(), sd=x.std(), found=own.mean(), error=own.std())
            low, high = np.log(answer.near_optimal)
            there = np.interp(x.mean(), np.log(measured["B"]), measured["loss"]) if what == "B" else np.nan
            rows.append(row | dict(near_low=low, near_high=high, cost=there / measured["loss"].min() - 1))
    test = pd.DataFrame(rows).sort_values(["of", "D", "N"], ignore_index=True)
    test["miss"] = test["found"] - test["forecast"]
    test["over sd"] = test["miss"] / np.hypot(test["sd"], test["error"])
    test["near-optimal"] = test["found"].between(test["near_low"], test["near_high"])
    shown = test[["of", "N", "D"]].assign(
        N=test["N"].map(short),
        D=test["D"].map(short),
        forecast=np.exp(test["forecast"]).map(short),
        found=np.exp(test["found"]).map(short),
        ratio=np.exp(test["miss"]).map("{:.2f}".format),
        over_sd=test["over sd"].map("{:+.1f}".format),
        near=test["near-optimal"].map({True: "inside", False: "outside"}),
        cost=test["cost"].map(lambda x: "" if np.isnan(x) else f"{100 * x:.2f}%"),
    )
    words = {"ratio": "found / forecast", "over_sd": "miss in sd", "near": "near-optimal range"}
    print(shown.rename(columns=words).to_string(index=False))

# %% [markdown]
# `miss in sd` is the miss in standard deviations, of the forecast and of what the cell says together: a 95 % interval
# that keeps its promise has it between -2 and 2 in 95 of 100 cells. `near-optimal range` says whether what the cell
# says lies in the range that the forecast called near-optimal. `cost` is what the forecast batch would have cost: the
# measured loss there (between the two nearest batches of the grid, each at its best rate) against the best run of the
# cell, which is part chance.


# %%
def summary(part):
    unexplained = (part["miss"] ** 2 - part["sd"] ** 2 - part["error"] ** 2).mean()
    return pd.Series(
        {
            "cells": len(part),
            "in the 95% interval": (part["over sd"].abs() < 1.96).sum(),
            "in the near-optimal range": part["near-optimal"].sum(),
            "found above forecast": (part["miss"] > 0).sum(),
            "miss in sd, rms": np.sqrt((part["over sd"] ** 2).mean()),
            "miss as a factor, rms": np.exp(np.sqrt((part["miss"] ** 2).mean())),
            "beyond sd": np.sqrt(max(unexplained, 0.0)),
        }
    )


if dense is None:
    print(LEFT_OUT)
else:
    verdict = test.drop(columns="of").groupby(test["of"]).apply(summary)
    print(verdict.T.map("{:.3g}".format).rename_axis(None, axis=1).to_string())
    total = verdict.sum()
    held, near_held, cells = (int(total[k]) for k in ("in the 95% interval", "in the near-optimal range", "cells"))
    print(f"\n{held} of {cells} lie in their 95% interval, {near_held} of {cells} in their near-optimal range.")
    usual, most = 100 * test["cost"].median(), 100 * test["cost"].max()
    print(f"The forecast batch cost {usual:.2f}% of the loss in the median cell, {most:.2f}% at most.")

# %%
if dense is None:
    print(LEFT_OUT)
else:
    fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", sharey=True)
    for ax, (of, part) in zip(axes, test.groupby("of", sort=False), strict=True):
        place, middle = np.arange(len(part)), part["forecast"]
        ends = np.exp([part["near_low"] - middle, part["near_high"] - middle])
        ax.hlines(place, *ends, color="#DDDDDD", linewidth=9, label="near-optimal, 0.1%")
        ends = np.exp([-1.96 * part["sd"], 1.96 * part["sd"]])
        ax.hlines(place, *ends, color=BLUE, linewidth=3, label="95% interval")
        ends = np.exp([part["miss"] - 1.96 * part["error"], part["miss"] + 1.96 * part["error"]])
        ax.hlines(place, *ends, color=ORANGE, linewidth=1)
        ax.plot(np.exp(part["miss"]), place, "o", color=ORANGE, markersize=5, label="the cell itself")
        ax.axvline(1, color=GRAY, linewidth=0.8)
        ax.set(title=of, xlabel="in times the forecast", xlim=(0.4, 1.9), ylim=(-0.5, len(part) - 0.5))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(place, [f"N {short(N)}, D {short(D)}" for N, D in part[CELL].to_numpy()])
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)

# %% [markdown]
# If the first of the two counts is far below 95 in 100, the intervals are too narrow. And if the cells of a law miss on
# one side (`found above forecast` is near 0 or near all), it is the exponents that are off: the fit takes every cell to
# lie exactly on one power of N and D, which is a good summary but no law of nature, and where there are few cells each
# one that strays bends the power. Another law's powers are bent in another way, so two laws can disagree by more than
# either of them knows.
#
# The near-optimal range does not have this problem, because it does not shrink as runs are added. Nobody promised that
# it holds the best batch with any probability; the second count says how it did, and the figure how close to its edge
# the cells come. So:
#
# - **Quote the near-optimal range, not the interval of the optimum,** and choose inside the ranges of all laws that
#   fit.
# - If you need an interval, add the scatter that was just measured (`beyond sd`) to the standard deviation of the
#   logarithm, in quadrature. Few cells have measured it, and the big run is further from the sweep than the large cells
#   are from the small ones, so the widened interval is the least to allow for:

# %%
if dense is None:
    print(LEFT_OUT)
else:
    answers = dict(zip(FORECASTS, (batch, surface_batch, surface_rate), strict=True))
    rows = {}
    for of, answer in answers.items():
        x = np.log(answer.draws[FORECASTS[of][0]])
        spreads = x.std(), np.hypot(x.std(), verdict.loc[of, "beyond sd"])
        ends = [" to ".join(short(np.exp(x.mean() + z * sd)) for z in (-1.96, 1.96)) for sd in spreads]
        rows[of] = [short(np.exp(x.mean())), *ends, " to ".join(map(short, answer.near_optimal))]
    columns = ["forecast", "95%, by the law", "95%, widened", "near-optimal, 0.1%"]
    print(f"the big run, {BIG['N']} parameters on {BIG['D']} tokens:")
    print(pd.DataFrame.from_dict(rows, orient="index", columns=columns).to_string())
    reach = [many["D"].max() / few["D"].max(), 1e11 / sweep["D"].max()]
    print(f"\ntokens, in times the most that were fitted: {reach[0]:.1f} in the test, {reach[1]:.1f} for the big run")

# %% [markdown]
# What narrows it is not more runs in the small cells but **one more sweep at the largest scale that you can afford**,
# of few runs: three batches around the forecast, three rates at each. It shows which way the optimum strays, and the
# big run is then a shorter step away.

# %% [markdown]
# ## 5. "The critical batch size"
#
# The best batch for given tokens is one question. Another: how large may the batch grow, to finish sooner, before it
# wastes tokens? The answer is called the critical batch size, and there are several of it:
#
# - **E_min/S_min** (McCandlish et al. 2018; Kaplan et al. 2020): the steps that reach a target loss are
#   S = S_min + E_min / B. At B = E_min/S_min a run takes twice the fewest steps and twice the fewest tokens.
# - **step-overhead** (Zhang et al. 2024): the batch at which the steps exceed by 20 % what they would be if doubling
#   the batch went on halving them, starting from a reference batch.
# - **near-best**: the largest batch whose loss, for the same tokens, is within 1 % of the best.
#
# They differ in size, and they do not grow alike; so `bs.critical_batch` has no default. First the runs of Zhang et al.
# (arXiv:2410.21676; `zhang_cbs/steps_to_target.csv`, MIT licence): the steps to a target loss for five model sizes,
# each on 20 tokens per parameter.

# %%
zhang = published("zhang_cbs/steps_to_target.csv")
if zhang is None:
    print(LEFT_OUT)
else:
    sizes = dict(iter(zhang.groupby("model", sort=False)))
    tables = [{"B": t["batch_tokens"], "S": t["steps_used_in_fit"]} for t in sizes.values()]
    steps = dict(zip(sizes, bs.fit_many("steps_examples", tables, discrepancy=False), strict=True))
    ax = bs.plots.batch(steps)

# %% [markdown]
# Both definitions from the same posteriors. Zhang et al.'s reference is 256 sequences of 512 tokens.

# %%
if zhang is None:
    print(LEFT_OUT)
else:
    reference = 256 * 512
    double = {k: bs.critical_batch(p, definition="E_min/S_min").draws["B"] for k, p in steps.items()}
    over = {k: bs.critical_batch(p, definition="step-overhead", B_ref=reference).draws["B"] for k, p in steps.items()}
    rows = {}
    for k in steps:
        ranges = (x[k].quantile([0.5, 0.025, 0.975]).map(short).tolist() for x in (double, over))
        rows[k] = [f"{middle} ({low} to {high})" for middle, low, high in ranges]
    print(pd.DataFrame.from_dict(rows, orient="index", columns=["E_min/S_min", "step-overhead 20%"]).to_string())

    x = np.log([20 * t["N"].iloc[0] for t in sizes.values()])
    x = x - x.mean()
    grows = {
        name: x @ np.log(np.stack([*each.values()])) / (x @ x)
        for name, each in (("E_min/S_min", double), ("step-overhead", over))
    }
    print("\ngrows as tokens to the power of:")
    for name, slope in grows.items():
        print(f"  {name:<14} {with_interval(slope, 0.9)}, 90% interval")
    inside = np.mean(grows["step-overhead"] < 0.47)
    print(
        f"Zhang et al. say 0.47, in their definition: {'inside' if 0.05 < inside < 0.95 else 'outside'} the interval."
    )
    ratio = np.median(double[[*steps][-1]] / over[[*steps][-1]])
    print(f"For the largest model the first is {ratio:.1f} times the second.")

# %% [markdown]
# One set of runs, two exponents. There is no contradiction: for the hyperbola the second definition is
# 1.2 B_ref + 0.2 E_min/S_min, and the constant that is added flattens the growth. A critical batch size without its
# definition is not a number that one can use.
#
# And for the big run, from the sweep's `three_term`, all three. The target loss is what the law expects of the big run
# at its best batch.

# %%
if dense is None:
    print(LEFT_OUT)
else:
    target = float(batch.draws["loss"].median())
    ask = {
        "E_min/S_min": dict(definition="E_min/S_min", N=BIG["N"], loss=target),
        "step-overhead 20%, from 256K": dict(definition="step-overhead", N=BIG["N"], loss=target, B_ref="256K"),
        "near-best, 1%": dict(definition="near-best", excess=0.01, **BIG),
        "near-best, 0.1%": dict(definition="near-best", excess=0.001, **BIG),
    }
    answers = {
        name: bs.critical_batch(post, **how).draws["B"].quantile([0.5, 0.025, 0.975]) for name, how in ask.items()
    }
    rows = {name: [short(middle), f"{short(low)} to {short(high)}"] for name, (middle, low, high) in answers.items()}
    rows["the best batch"] = [
        short(batch.draws["B"].median()),
        " to ".join(batch.draws["B"].quantile([0.025, 0.975]).map(short)),
    ]
    print(f"{BIG['N']} parameters; target loss {target:.3f}, or {BIG['D']} tokens")
    print(pd.DataFrame.from_dict(rows, orient="index", columns=["tokens per batch", "95% interval"]).to_string())
    beyond = [name for name, (middle, *_) in answers.items() if middle > sweep["B"].max()]
    largest = short(sweep["B"].max())
    print(f"\nbeyond the largest batch of the sweep, {largest}, so the law's word alone: {'; '.join(beyond) or 'none'}")

# %% [markdown]
# ## 6. What to do with your own sweep
#
# 1. Put all runs in one table: N, D, B (tokens per batch, not sequences), lr, loss, and in `run` the cell. Leave out
#    runs that diverged and runs far above the best of their cell.
# 2. Fit `batch_lr_power` if learning rates were swept, `three_term` if every batch is at its best rate. Fit both where
#    you can: how far they disagree is a better measure of what you do not know than either interval.
# 3. Choose a batch inside the near-optimal ranges of all laws that fit, towards the upper end if you want to finish
#    sooner, and the learning rate for that batch.
# 4. Repeat section 4 on your own sweep, before you trust an interval of the optimum.
# 5. If the big run is worth it, sweep once more at the largest scale that you can afford.
#
# The command line says the same:
#
# ```sh
# bayesscale fit sweep.csv --law batch_lr_power --columns B=batch_tokens --out sweep.nc
# bayesscale batch-size sweep.nc --N 1B --D 100B
# bayesscale batch-size sweep.nc --N 1B --D 100B --critical near-best
# ```

# %%
if dense is None:
    print(LEFT_OUT)
else:
    ranges = [found.near_optimal for found in (batch, surface_batch)]
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    if low > high:
        print("The near-optimal ranges do not meet: sweep once more, at a larger scale, before you decide.")
    else:
        chosen = np.sqrt(low * high)
        rate = bs.optimal_lr(surface, B=chosen, **BIG)
        low_rate, middle_rate, high_rate = (f"{x:.2g}" for x in sorted([*rate.near_optimal, rate.draws["lr"].median()]))
        print(f"{BIG['N']} parameters on {BIG['D']} tokens: a batch of about {short(chosen, digits=2)} tokens")
        print(f"({short(low)} to {short(high)} is near-optimal by both laws), and at that batch")
        print(f"a learning rate of {middle_rate} ({low_rate} to {high_rate} is near-optimal).")
