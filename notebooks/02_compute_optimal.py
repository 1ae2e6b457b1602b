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
# # Kaplan against Chinchilla on real runs: why they disagree
#
# *I have a budget. How large a model, on how many tokens?*
#
# In 2020 Kaplan et al. answered: spend nearly all of it on a larger model; the best N grows as C^0.73, and as C^0.88
# fitted to runs of one batch size. In 2022 Hoffmann et al. (Chinchilla) answered: share it evenly, N grows as C^0.5.
# At a thousand times the compute of your experiments the two differ by an order of magnitude in N. Both fitted their
# runs well.
#
# In 2024 Porian et al. trained the same models under five set-ups, each with one more thing put right, and the
# exponent walked from one answer to the other. This notebook fits their runs, with intervals, and ends with what to do
# with a budget of your own. It takes two to three minutes.
#
# Words: a **budget** is a training compute C in FLOP. The **compute-optimal** N is the number of parameters that gives
# the least loss for it; the tokens follow, D = C / 6N. The **frontier** is that N (or D) against C, and its
# **exponent** is the slope on logarithmic axes: how fast N should grow with C.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesscale as bs
from bayesscale.models import critical_batch, kaplan_ns
from bayesscale.models.derived import intervals, paired
from bayesscale.models.kaplan_frontier import exponents

# %% [markdown]
# ## 1. The runs
#
# 16 sizes of one architecture on RefinedWeb, and the loss of each when it had spent each of 12 budgets (github.com/
# formll/resolving-scaling-law-discrepancies, MIT licence). The table is looked for in the folder that
# `BAYESSCALE_DATA` names, as `porian2024/isoflop.csv` with the columns N, D, C, loss and those of the set-up.
#
# The five set-ups, each with one thing changed against the one before:
#
# 1. **Kaplan's**: parameters and compute without the last layer, which turns the final vector into the vocabulary's
#    probabilities. In a small model that layer is most of the work.
# 2. **+ last layer counted**, in N and in C.
# 3. **+ short warm-up**: the learning rate was warmed up over a fixed number of tokens, which for small models is more
#    than all that they should see. Now over a number that fits the model.
# 4. **+ decay to the budget**: every budget has runs of its own, whose learning rate comes down at their end, instead
#    of being a point along one long run.
# 5. **tuned, no decay**: learning rate, batch size and momentum tuned for every size, at a constant learning rate.

# %%
SETUPS = {
    "1 Kaplan's": ("base", "long", "kaplan", "kaplan", "train"),
    "2 + last layer counted": ("base", "long", "kaplan", "standard", "val"),
    "3 + short warm-up": ("base", "short", "kaplan", "standard", "val"),
    "4 + decay to the budget": ("base", "short", "chinchilla", "standard", "val"),
    "5 tuned, no decay": ("tuned", "short", "const", "standard", "val"),
}
FIRST, *_, LAST = SETUPS
KEY = ["hparams", "warmup", "decay", "param_count", "loss_split"]
LEFT_OUT = "Left out: no published runs."
LONG = dict(draws=2000)  # where rows share effects, a thousand draws per chain are few


def of_setups(name):
    """Read a table of the folder; return its rows of each set-up on RefinedWeb."""
    frame = pd.read_csv(Path(os.environ.get("BAYESSCALE_DATA") or "data") / "porian2024" / f"{name}.csv")
    frame = frame[frame["dataset"] == "rw"]
    return {k: frame[(frame[KEY] == list(v)).all(axis=1)].reset_index(drop=True) for k, v in SETUPS.items()}


try:
    measured, published = of_setups("isoflop"), of_setups("published_fits")
    print(pd.DataFrame({k: {"rows": len(v), "sizes": v["N"].nunique()} for k, v in measured.items()}).T.to_string())
except FileNotFoundError:
    measured = None
    print("The published runs are not at hand; the cells below say so and go on, down to section 8, which needs none.")
    print("Set BAYESSCALE_DATA to a folder that holds porian2024/isoflop.csv and porian2024/published_fits.csv.")

# %%
if measured is None:
    print(LEFT_OUT)
else:
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for ax, name in zip(axes, (FIRST, LAST), strict=True):
        budgets = measured[name].groupby("C")
        for i, (_, runs) in enumerate(budgets):
            color = plt.colormaps["viridis"](0.85 * i / len(budgets))
            ax.plot(runs["N"], runs["loss"], "o-", color=color, markersize=3, linewidth=0.8)
            best = runs.loc[runs["loss"].idxmin()]
            ax.plot(best["N"], best["loss"], "o", color=color, markersize=8, markerfacecolor="none")
        ax.set(xscale="log", yscale="log", xlabel="parameters N, as the set-up counts them", title=name, ylim=(2.9, 8))
        ax.set_yticks([3, 4, 5, 6, 8], labels=["3", "4", "5", "6", "8"])
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("loss [nats/token]")

# %% [markdown]
# One line is one budget, dark for small, bright for large; the circle is its best run. To the left of the circle the
# model is too small; to the right it is too large, and too little is left for tokens. From budget to budget the circles
# move to the right, and the question is only how far. In the first set-up they move faster.

# %% [markdown]
# ## 2. The fit
#
# The law is `skaling`: Chinchilla's law with one more constant k, which says how strongly parameters and tokens depend
# on each other (k = 1 is Chinchilla). Two decisions matter more than the law:
#
# - **Only runs near the best of their budget** (here within 0.05 nats of it) say where the best is. Far from it runs
#   are hardly trained or still in warm-up, and no law of N and D holds there.
# - **Runs of one budget are off together.** A law must explain the loss of all budgets with the same few constants, and
#   it cannot do so exactly. If the rows count as independent, the fit bends the exponents to mend what is wrong between
#   budgets. The column `run` says which rows share an error; here it holds the budget.
#
# All fits of this notebook are of the law alone, `discrepancy=False`: the exponents that they are compared with were
# fitted so, and what a law misses is to be seen, not taken up by a bend of the truth away from it (notebook 04).


# %%
def near_the_best(runs, within=0.05):
    """Keep the runs near the best of their budget; those of one budget share an effect."""
    above = runs["loss"] - runs.groupby("C")["loss"].transform("min")
    kept = runs.loc[above <= within, ["N", "D", "C", "loss"]].reset_index(drop=True)
    return bs.read_runs(kept.assign(run=kept["C"].map("{:.4g} FLOP".format)))


if measured is None:
    print(LEFT_OUT)
else:
    tables = {name: near_the_best(runs) for name, runs in measured.items()}
    posts = dict(zip(tables, bs.fit_many("skaling", tables.values(), discrepancy=False, **LONG), strict=True))
    shown = {
        name: post.summary().loc[["alpha", "beta", "k", "sigma", "sigma_run"], "median"] for name, post in posts.items()
    }
    print(pd.DataFrame(shown).T.map("{:.4f}".format).to_string())
    print("largest R-hat:", f"{max(post.summary()['rhat'].max() for post in posts.values()):.3f}")

# %% [markdown]
# `sigma` is how far a run lies from the law within its budget, `sigma_run` how far a whole budget does, both as a
# fraction of the loss. Where the second is much the larger, the law describes the curve of one budget far better than
# how the loss falls from budget to budget.

# %% [markdown]
# ## 3. Each correction moves the exponent

# %%
if measured is None:
    print(LEFT_OUT)
else:
    budgets = np.geomspace(2e16, 2e19, 7)
    frontiers = {name: bs.frontier(post, C=budgets) for name, post in posts.items()}
    rows = {}
    for name, found in frontiers.items():
        median, low, high = found.exponent("N", at=1e18, level=0.90)
        theirs = published[name].set_index("stat")["value"]["weighted.n_exponent"]
        said = {"N grows as C^": f"{median:.3f}", "90% interval": f"{low:.3f} to {high:.3f}"}
        rows[name] = said | {"published": f"{theirs:.3f}", "inside": "yes" if low < theirs < high else "no"}
    print(pd.DataFrame(rows).T.to_string())

# %%
if measured is None:
    print(LEFT_OUT)
else:
    ax = bs.plots.frontier(posts, C=("1e16", "1e22"), level=0.90)

# %% [markdown]
# The lines meet near the largest runs: there all five set-ups recommend similar sizes. They part on the left, where the
# runs are small, and again on the right, where there are none. Beyond the runs the lines go on as they came: the
# *small* runs set the slope, and the slope sets the answer for the next model.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    for C in ("1e19", "1e22"):
        at = {name: bs.allocate(post, C=C).table(level=0.90) for name, post in posts.items()}
        said = {
            name: {
                "best N": bs.units.format_number(table.loc["N", "median"]),
                "90% interval": " to ".join(map(bs.units.format_number, table.loc["N", ["low90", "high90"]])),
                "tokens per parameter": f"{table.loc['tokens_per_parameter', 'median']:.2g}",
            }
            for name, table in at.items()
        }
        print(f"{C} FLOP\n{pd.DataFrame(said).T.to_string()}\n")

# %% [markdown]
# None of the corrections is about the law. They are about how the small models were counted and trained. A last layer
# that is left out makes small models look cheaper than they are, and more so the smaller they are, so the best small
# model comes out too small. A warm-up that takes up most of a small budget hurts most the models that are given the
# fewest tokens, with the same result, and so do settings that suit large models only. Each time the frontier starts too
# low and rises too steeply.
#
# (The first line counts N and C without the last layer: at a given C it is not quite the same question as the others.)

# %% [markdown]
# ## 4. How much hangs on how one fits?
#
# The same runs in three more ways. "Tried first" is what one does without a second thought: Chinchilla's law, all runs,
# every row independent. Then only the runs near the best, still independent; then with budgets that share an effect,
# which leaves k = 1 as the one difference from above.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    near = {name: table.table for name, table in tables.items()}
    ways = {
        "tried first": {name: runs[["N", "D", "C", "loss"]] for name, runs in measured.items()},
        "near the best": {name: runs.drop(columns="run") for name, runs in near.items()},
        "and effects of budgets": near,
    }
    fits = {
        way: dict(zip(chosen, bs.fit_many("chinchilla", chosen.values(), discrepancy=False, **LONG), strict=True))
        for way, chosen in ways.items()
    }
    fits["and k: section 3"] = posts

    compared, misses = {}, {}
    for way, by_setup in fits.items():
        compared[way], misses[way] = {}, {}
        for name, post in by_setup.items():
            median, low, high = bs.frontier(post, C=budgets).exponent("N", at=1e18, level=0.90)
            compared[way][name] = f"{median:.3f} ({low:.3f} to {high:.3f})"
            law = np.median(post.predict(near[name][["N", "D"]], kind="mean").draws, axis=0)
            miss = np.log(near[name]["loss"] / law)
            within = miss - miss.groupby(near[name]["C"]).transform("mean")
            misses[way][name] = f"{100 * within.abs().median():.2f}%"
    compared["published"] = {name: row["published"] for name, row in rows.items()}
    print("N grows as C^ (90% interval)")
    print(pd.DataFrame(compared).to_string())
    print("\nhow far runs near the best lie from the law, apart from what their budget has in common (median)")
    print(pd.DataFrame(misses).to_string())

# %% [markdown]
# Where intervals of the same runs do not overlap, not all of them can be right: each holds *if its law and its noise
# do*. The second table says which to doubt. The best size of a budget is read off differences between its best runs, a
# percent of the loss or less; the more of these a fit misses, the less it can know of the best size, however narrow its
# interval.

# %% [markdown]
# ## 5. The parabolas, and what they miss
#
# A common short cut fits a parabola in log N to the runs of each budget and takes its lowest point ("approach 2" of
# Hoffmann et al.). It is a good way to *see* the runs. As an estimate it is biased: the true curve is steeper on one
# side, and more so the further the sizes reach and the less they are centred on the best one. `bs.plots.isoflop` draws
# both and says in its title by how much a parabola through the law's own losses, at these very sizes, would miss the
# law's own optimum.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    some = measured[LAST][measured[LAST]["C"].isin(sorted(measured[LAST]["C"].unique())[1::3])]
    ax = bs.plots.isoflop(bs.read_runs(some[["N", "D", "C", "loss"]]), post=posts[LAST], within=0.3)

# %% [markdown]
# (The law was fitted to the runs near the best; further up it need not follow them.)
#
# And as exponents: a line through the vertices of each set-up, at two choices of which runs the parabola goes through,
# beside the law. "Bias" is that of the title, over the budgets: how far a parabola through the law's own losses at
# these sizes ends up from the law's own best N.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    beside = {}
    for within in (0.2, 1.0):
        for name, runs in measured.items():
            runs = bs.read_runs(runs[["N", "D", "C", "loss"]])
            found = bs.plots.isoflop_data(runs, post=posts[name], within=within, least=4)
            found = found[found["inside"]]
            slope = np.polyfit(np.log(found["C"]), np.log(found["vertex"]), 1)[0]
            low, high = 100 * found["parabola_bias"].agg(["min", "max"])
            said = {"C^": f"{slope:.3f}", "bias": f"{round(low):+d} to {round(high):+d}%"}
            beside.setdefault(name, {}).update({(f"runs within {within:g} nats", k): v for k, v in said.items()})
    beside = {name: row | {("law", "C^"): compared["and k: section 3"][name]} for name, row in beside.items()}
    print(pd.DataFrame(beside).T.to_string())

# %% [markdown]
# ## 6. The whole surface
#
# Loss over parameters and tokens for the last set-up. Where contours cross a line of equal compute twice, the two
# models cost the same and end at the same loss; the optimum lies between them, where a contour just touches the line.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    ax = bs.plots.isoloss(posts[LAST])

# %% [markdown]
# ## 7. Spending a budget
#
# Say the budget is 1e21 FLOP. `allocate` finds the best N and D for every draw of the posterior. Remember how far that
# is from the runs: what follows holds if the law does.

# %%
C = 1e21
if measured is None:
    print(LEFT_OUT)
else:
    print(f"{C:g} FLOP is {C / measured[LAST]['C'].max():.0f} times the largest budget of the runs\n")
    best = bs.allocate(posts[LAST], C=C)
    print(best)

# %% [markdown]
# The last line matters most: the *near-optimal range*. Within it choose by other things, such as what the model costs
# to serve or what fits a device. And outside: how bad is it to be wrong by a factor?

# %%
if measured is None:
    print(LEFT_OUT)
else:
    N_best, needed = best.best["N"], {}
    # How much compute the loss is worth: the same loss from the best model of a smaller budget.
    smaller = bs.frontier(posts[LAST], C=C / np.geomspace(1, 100, 24))
    for times in (1 / 10, 1 / 3, 1 / 2, 1, 2, 3, 10):
        at = bs.allocate(posts[LAST], C=C, N=N_best * times).draws
        equal = [np.interp(-y, -x, smaller.C) for y, x in zip(at["loss"], smaller.draws["loss"], strict=True)]
        excess, wasted = 100 * at["excess"], 100 * (1 - np.array(equal) / C)
        needed[f"{times:.2g} x best N"] = {
            "N": bs.units.format_number(N_best * times),
            "loss": f"{at['loss'].median():.3f}",
            "excess": "{:.2f}% ({:.2f} to {:.2f})".format(*excess.quantile([0.5, 0.05, 0.95])),
            "compute wasted": "{:.0f}% ({:.0f} to {:.0f})".format(*np.quantile(wasted, [0.5, 0.05, 0.95])),
        }
    print(pd.DataFrame(needed).T.to_string())

# %% [markdown]
# A few percent of the loss look like little; as compute they are not. The last column says what share of the budget
# could have been saved: a budget smaller by so much reaches the same loss with its own best model. (90% intervals.)
#
# How wrong would one have been by trusting another set-up? Take the size that each recommends and judge it by the last.

# %%
if measured is None:
    print(LEFT_OUT)
else:
    for name in list(SETUPS)[1:]:
        N = bs.allocate(posts[name], C=C).best["N"]
        excess = bs.allocate(posts[LAST], C=C, N=N).draws["excess"].median()
        said = f"{bs.units.format_number(N)} parameters, {N / N_best:.1f} times the best, {100 * excess:.1f}% more loss"
        print(f"{name:<24} {said}")

    for tokens in ("0", "1e11", "1e12"):
        served = bs.allocate(posts[LAST], C=C, inference_tokens=tokens).best
        N, D = (bs.units.format_number(served[k]) for k in "ND")
        print(f"to serve {bs.units.format_number(float(tokens)):>4} tokens from the same budget: N = {N}, D = {D}")

# %% [markdown]
# (The first set-up is left out of the list: its N and C are counted in another way.) Tokens that the model will be
# asked for once it is trained, where they are paid from the same budget, make the best model smaller.

# %% [markdown]
# ## 8. Kaplan's own road: exponents from training curves
#
# Kaplan et al. had a second way to the frontier. From two fits, the loss along training (`kaplan_ns`) and the critical
# batch size (`critical_batch`), they derived how N, the batch and the steps should grow: N as C^p_N, B as C^p_B, S as
# C^p_S. In the paper these differ from the exponents fitted directly to the best runs: for N .71 and .73, where the
# paper's own constants give what the table below says. Their runs are not public. So simulate runs at their
# constants, with their noise of 0.02 nats, and go both ways: here the laws are true, and what differs is the method.

# %%
CURVES = dict(N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76)
BATCH = dict(B_star=2.1e8, alpha_B=0.21)
TABLES = 8
truth = {k: float(v) for k, v in exponents(CURVES | BATCH).items()}


def simulated(seed):
    """Losses of twelve sizes along training, and critical batches measured to 10%."""
    rng = np.random.default_rng(seed)
    N, S_min = (x.ravel() for x in np.meshgrid(np.geomspace(1e6, 1.5e9, 12), np.geomspace(1e3, 2e5, 14)))
    loss = kaplan_ns.evaluate(CURVES, N=N, S=S_min) + 0.02 * rng.normal(size=N.size)
    at = np.linspace(2.4, 5.0, 15)
    B_crit = critical_batch.evaluate(BATCH, loss=at) * np.exp(0.1 * rng.normal(size=at.size))
    return pd.DataFrame(dict(N=N, S_min=S_min, loss=loss)), pd.DataFrame(dict(loss=at, B_crit=B_crit))


curves, batches = zip(*map(simulated, range(TABLES)), strict=True)
fits = [
    bs.fit_many(name, tables, discrepancy=False)
    for name, tables in {"kaplan_ns(N, S_min)": curves, "critical_batch": batches}.items()
]
derived = [exponents(paired(*both)) for both in zip(*fits, strict=True)]
each = [intervals({k: x[k] for k in ("p_N", "p_B", "p_S")}, level=0.95) for x in derived]
said = each[0].map("{:.3f}".format)
said["at the paper's constants"] = [f"{truth[k]:.3f}" for k in said.index]
held = [[table.loc[k, "low95"] < truth[k] < table.loc[k, "high95"] for table in each] for k in said.index]
said["inside"] = [f"in {sum(h)} of {TABLES} tables" for h in held]
print(f"derived, from the first of {TABLES} tables:\n{said.to_string()}")

# %% [markdown]
# Directly: read the loss of every size off its curve at a number of computes, take the lowest point of a parabola at
# each, and put a line through these points.


# %%
def directly(table, batches):
    """Fit p_N to the best sizes."""
    B = np.median(batches.predict(loss=table["loss"], kind="mean").draws, axis=0)
    table = table.assign(C=6 * table["N"] * B * table["S_min"])  # the least compute that reaches each loss
    along, points = np.geomspace(3e18, 1e21, 12), []
    for size, curve in table.groupby("N"):
        loss = np.interp(np.log(along), np.log(curve["C"]), curve["loss"], np.nan, np.nan)
        points.append(pd.DataFrame(dict(N=size, C=along, loss=loss)).dropna())
    found = bs.plots.isoflop_data(pd.concat(points, ignore_index=True), least=4, within=0.3)
    found = found[found["inside"]]
    return np.polyfit(np.log(found["C"]), np.log(found["vertex"]), 1)[0]


direct = [directly(*each) for each in zip(curves, fits[1], strict=True)]
medians = [table.loc["p_N", "median"] for table in each]
for way, values in {"derived": medians, "directly": direct}.items():
    spread = f"mean {np.mean(values):.3f}, standard deviation {np.std(values, ddof=1):.3f}"
    print(f"p_N {way:<8} over {TABLES} tables: {spread}")
print(f"at the paper's constants {truth['p_N']:.3f}; the paper derives .71 and fits .73")

# %% [markdown]
# The derived exponents are sharper: they use every point of every curve, and they are right as long as both laws are.
# The direct one assumes less, knows less, and inherits what is wrong with parabolas. On real runs give both. Where they
# disagree by more than chance, one of the laws is wrong somewhere along the way, and neither interval says so.

# %% [markdown]
# ## 9. What to do
#
# 1. **Count what costs compute.** N with the last layer, C with it too, and say how you counted:
#    `about={"count_N": ...}` stays with the table and the fit. Never mix two ways of counting.
# 2. **Train the small runs as well as the large one.** A warm-up that is a share of the run, learning rate and batch
#    size that suit the size. Small runs that were trained badly do more harm than runs that were not made: they are
#    what sets the slope.
# 3. **Put runs near the optimum of several budgets**, a few sizes each within a factor of three either way. Leave runs
#    far from it out of the fit.
# 4. **Say which rows are off together**, in the column `run`: checkpoints of one run, or, when the question is where
#    the best of each budget lies, the runs of one budget.
# 5. **Fit it more than one way** (section 4). If the exponents differ by more than their intervals, believe the fit
#    with the smaller misses near the best, and the width of the disagreement more than any one interval.
# 6. **Decide by the near-optimal range**, not by the optimum. Within it take the smaller model if it will be used much.
# 7. **Do not go far in one step.** An exponent off by a little is a model off by a lot at a thousand times the compute.
#    Train one run on the way and see whether it lands where the fit said.
