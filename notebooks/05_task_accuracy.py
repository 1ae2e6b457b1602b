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
# # Which score will the big model have?
#
# *We have a ladder of small runs, and their scores on the tasks that people quote. What will the big model score, and
# how sure can we be?*
#
# Losses scale smoothly, scores do not: a small model guesses, then one task after another bends upwards, and each ends
# below a ceiling. Bhagia et al. 2024 (arXiv:2412.04403) go two steps: from N and D to the loss on the task's correct
# answers, and from that loss to the accuracy. Their ladder is published, with the two large models that they foretold.
# This notebook makes their figures again with intervals, and shows how to find out whether such an interval holds. Put
# your own table in its place and run it again. It takes some minutes.
#
# Words: the **task loss** is that of the correct answer, here in bits per byte. The **link** is the curve from task
# loss to accuracy. **Points** are percentage points of accuracy. A **rung** is a size of the ladder.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesscale as bs

# Where a fit is not to be trusted as it stands, the notes below each table say so too.
warnings.simplefilter("ignore", bs.errors.SamplingWarning)
BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#222222"
DATA = Path(os.environ.get("BAYESSCALE_DATA") or "data")

# %% [markdown]
# ## 1. The runs
#
# One row per run and task, with the columns
#
# - `task`, `N` (parameters) and `D` (training tokens),
# - `loss`, the task's loss, and `accuracy`, between 0 and 1, at the *end* of the run: halfway, before the learning rate
#   has come down, a run lies off both curves,
# - `chance`, the accuracy of guessing: one over the number of answers to choose from.
#
# The runs are looked for in the folder that `BAYESSCALE_DATA` names, as `ladder/olmo_ladder_final.csv`. Loss and
# accuracy are means of a run's last five checkpoints.


# %%
def simulated(shift=0.0, seed=0):
    """Return a ladder on two tasks whose laws are known, and the two large runs."""
    rng = np.random.default_rng(seed)
    N = np.append(np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 4), [6.9e9, 1.32e10])
    D = np.append(20 * N[:16] * np.tile([1, 2, 5, 10], 4), [3.9e12, 5e12])
    size = np.append(np.repeat(["190M", "370M", "760M", "1.3B"], 4), ["7B", "13B"])
    tables = []
    for task, E in {"easy": 0.5, "hard": 0.6}.items():
        loss = E - shift + 0.35 * (N / 5e8) ** -0.3 + 0.25 * (D / 3e10) ** -0.33
        z = 4 * (0.9 - loss) + 0.02 * rng.standard_normal(18)
        rows = dict(task=task, size=size, N=N, D=D, loss=loss * np.exp(0.005 * rng.standard_normal(18)), chance=0.25)
        tables.append(pd.DataFrame({**rows, "accuracy": 0.25 + 0.75 / (1 + np.exp(-z))}))
    return pd.concat(tables, ignore_index=True)


TASKS = ["mmlu_avg", "hellaswag", "arc_challenge", "arc_easy", "piqa", "csqa", "socialiqa", "openbookqa"]
try:
    table = pd.read_csv(DATA / "ladder" / "olmo_ladder_final.csv")
    table = table.rename(columns={"bpb_mean5": "loss", "acc_mean5": "accuracy"})
    table = table[table["role"].isin(["ladder16", "target"])]
    table = table.set_index("task").loc[TASKS].reset_index().astype({"N": float, "D": float})
    # What the paper says of the two large models, and what its method says of the largest rung from those below.
    said = pd.read_csv(DATA / "ladder" / "published_task_predictions.csv").query("source == 'Bhagia2024 Fig2'")
    published = said.assign(size=said["target"].str.split("-").str[0])[["size", "task", "predicted"]]
    reproduced = pd.read_csv(DATA / "ladder" / "baseline_two_step_reproduced.csv")
    how = {}
except FileNotFoundError:
    table, published, reproduced = simulated(), None, None
    how = dict(chains=2, draws=300, second_try=False)
    print(
        "The published runs are not at hand. The cells below go on with simulated ones, whose laws are right, and with"
    )
    print("short fits: much of what the text says of real runs does not show there.")
    print("Set BAYESSCALE_DATA to a folder that holds ladder/ with its three tables.")

COLUMNS = ["task", "N", "D", "loss", "accuracy", "chance"]
large = table[table["size"].isin(["7B", "13B"])].reset_index(drop=True)
runs = table[~table["size"].isin(["7B", "13B"])].reset_index(drop=True)
far = (large["N"] * large["D"]).max() / (runs["N"] * runs["D"]).max()
print(f"{len(runs) // runs['task'].nunique()} runs of {runs['N'].nunique()} sizes, {runs['task'].nunique()} tasks")
print(f"the larger of the two models has {far:.0f} times the compute of the largest run")
runs[COLUMNS].head(4)

# %% [markdown]
# ## 2. The fit
#
# `bs.ladder(runs)` fits three laws: the task loss over N and D, the accuracy over the task loss, and the accuracy over
# N and D without a loss between. In the laws of the accuracy a few runs say little about an exponent or about the shape
# of a link, so what the tasks have in common is learned from all of them (**pooling**), and what sets one apart from
# that one. Their losses are less alike, and each task's is fitted alone. The forecast is the average of the two ways.
# Why not one of them? Far beyond the runs two steps tend to fall short of what is then
# measured, and one step to go beyond. Nobody knows which will be right this time, and the average says so.
#
# Three fits are wanted below: of the whole ladder, to forecast the large models; of the ladder without its largest
# rung, to see whether such a forecast holds; and of a ladder without its two largest, to see what less compute would
# have said. `bs.drop_rungs` makes all of them; each is what `bs.ladder` gives for those runs.

# %%
asked = large[["task", "N", "D", "accuracy"]]
dropped = bs.drop_rungs(runs[COLUMNS], asked, **how)
whole, shorter = list(dropped.ladders.values())[:2]
whole

# %% [markdown]
# ## 3. Does it hold? Try it inside the ladder
#
# Before a forecast is worth anything: pretend that the largest rung is not trained yet, foretell it from the ones
# below, and compare. What is built into `bs.ladder` (laws, links, priors, which runs are fitted) was settled in this
# way, on the rungs of this ladder. So that the intervals hold here is what was aimed for; but it is also the test that
# you can make with your own runs before you spend the big budget.

# %%
rung = runs[runs["N"] == runs["N"].max()]
rest = runs[runs["N"] < runs["N"].max()]
at = rung[["N", "D"]].drop_duplicates()
tried = shorter.predict(at).merge(rung[["task", "N", "D", "accuracy"]])


def score(forecasts):
    """Print how good forecasts are whose truth is known, in points."""
    error = 100 * (forecasts["median"] - forecasts["accuracy"]).abs()
    print(f"{len(error)} forecasts: mean error {error.mean():.1f} points, median {error.median():.1f}", end=", ")
    print(f"largest {error.max():.1f}")
    for q in (50, 80, 95):
        low, high = forecasts[f"low{q}"], forecasts[f"high{q}"]
        held = (low <= forecasts["accuracy"]) & (forecasts["accuracy"] <= high)
        print(f"the {q}% intervals held {held.sum()} of {len(held)}; mean width {100 * (high - low).mean():.1f} points")


def score_published(fit_on):
    """Print the same for the published method, where it is at hand."""
    if reproduced is not None:
        theirs = reproduced[reproduced["fit_on"] == fit_on]
        error, held = theirs["err_pts"].abs(), theirs["inside_delta95"]
        print(
            f"the published method: mean error {error.mean():.1f} points, median {error.median():.1f}, largest", end=" "
        )
        print(f"{error.max():.1f}; the band that it shades (95%) held {held.sum()} of {len(held)}")


times = (rung["N"] * rung["D"]).max() / (rest["N"] * rest["D"]).max()
print(f"the largest rung from those below it, up to {times:.1f} times the compute that was fitted")
score(tried)
score_published("<=760M")

# %%
fig, ax = plt.subplots(figsize=(10, 3.8), layout="constrained")
ax.axhline(0, color=INK, linewidth=0.9)
for place, (task, of) in enumerate(tried.groupby("task", sort=False)):
    of = of.sort_values("D")
    x = place + np.linspace(-0.27, 0.27, len(of))
    for q, width in ((95, 1.2), (80, 3.0), (50, 5.0)):
        low, high = (100 * (of[f"{side}{q}"] - of["accuracy"]) for side in ("low", "high"))
        ax.vlines(
            x, low, high, color=BLUE, linewidth=width, label="50/80/95% intervals" if (place, q) == (0, 50) else None
        )
    ax.plot(x, 100 * (of["median"] - of["accuracy"]), "o", color="white", markersize=2.6)
    if reproduced is not None:
        theirs = reproduced[(reproduced["fit_on"] == "<=760M") & (reproduced["task"] == task)]
        tokens = theirs["target"].str.extract(r"-(\d+)xC")[0].astype(int)
        theirs = theirs["err_pts"][tokens.sort_values().index]
        ax.plot(x + 0.06, theirs, "D", color=ORANGE, markersize=3.5, label="published method" if place == 0 else None)
ax.set_xticks(range(len(shorter)), tried["task"].unique())
ax.set_ylabel("forecast minus measured [points]")
ax.set_title("the largest rung, foretold from those below; more tokens to the right", loc="left", fontsize=10)
ax.spines[["top", "right"]].set_visible(False)
ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
_ = ax.legend(fontsize=9, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)

# %% [markdown]
# Read it as one should read any such count: runs of one task err alike, so the rows of this figure are fewer tests than
# they look. An interval that held every time may be wider than it need be; one that misses half the time is no
# interval.
#
# ## 4. The large models
#
# Now the whole ladder, and the two models far beyond it. **A plain word on what this shows.** The scores of these
# models were public, and known to us, when the recipe was made. It was chosen on the rungs inside the ladder, as in
# section 3, and carried over without change; but nobody can unsee an answer, and the thought of averaging two steps
# with one came from trials in which these very scores had been looked at. So take what follows as an illustration, not
# as a blind test: for that there is your own ladder.
#
# First the two steps of the paper, for two tasks. Left: the task loss over compute, with a line for each size; the
# largest run is at the dashed line. Middle: the link. Its band opens to the left, where no run has been: curves that
# fit the runs equally well part there. A target stands where two steps put it, with the intervals of its loss and of
# its accuracy. Right: the accuracy, as the average of both ways foretells it.

# %%
tasks = list(whole)[:2] if published is None else ["hellaswag", "arc_challenge"]
axes = bs.plots.ladder(whole, large[["task", "N", "D", "loss", "accuracy"]], tasks=tasks)

# %% [markdown]
# Then all tasks: accuracy over compute, the forecasts of both models, and what was measured.

# %%
axes = bs.plots.ladder(whole, asked, show="accuracy")
if published is not None:
    for ax, task in zip(axes, whole, strict=True):
        said = large[large["task"] == task].merge(published)
        point = dict(color="none", markeredgecolor=INK, markersize=6, zorder=7)
        ax.plot(6 * said["N"] * said["D"], said["predicted"] / 100, "D", **point)
    axes[0].set_title(f"{axes[0].get_title(loc='left')}  (◇ published)", loc="left", fontsize=10)

# %%
foretold = whole.predict(large[["N", "D"]].drop_duplicates()).merge(large[["task", "size", "N", "D", "accuracy"]])
score(foretold)
score_published("<=1.3B")

# %%
shown = foretold[["size", "task"]].assign(median=(100 * foretold["median"]).map("{:.1f}".format))
for q in (80, 95):
    low, high = (100 * foretold[f"{side}{q}"] for side in ("low", "high"))
    shown[f"{q}% interval"] = [f"{a:.1f} to {b:.1f}" for a, b in zip(low, high, strict=True)]
    held = (low <= 100 * foretold["accuracy"]) & (100 * foretold["accuracy"] <= high)
    shown[f"{q}% held"] = held.map({True: "yes", False: "no"})
shown["measured"] = (100 * foretold["accuracy"]).map("{:.1f}".format)
if published is not None:
    shown = shown.merge(published.rename(columns={"predicted": "published"}))
shown.sort_values("size", ascending=False, kind="stable").set_index(["size", "task"])

# %% [markdown]
# ## 5. Which of these forecasts to believe
#
# Not every task can be foretold from every ladder. `bs.verdicts` asks of each: have the largest runs left guessing? Do
# the runs differ by more than a run's noise? Do the two ways agree at the target? How wide is the interval?

# %%
near = dict(N=large["N"].min(), D=large["D"].min())
judged = bs.verdicts(whole, **near)
judged

# %% [markdown]
# A verdict is about the *table*, and it is given before the answer is known. "With care" is no reproach: it says what
# to look at. Whether the doubtful ones did err more, for the smaller of the two models:

# %%
told = judged.table.merge(large[["task", "N", "D", "accuracy"]])
told["error"] = 100 * (told["median"] - told["accuracy"]).abs()
told["held80"] = (told["low80"] <= told["accuracy"]) & (told["accuracy"] <= told["high80"])
told.groupby("verdict")[["error", "width", "held80"]].mean().assign(tasks=told["verdict"].value_counts()).round(2)

# %% [markdown]
# Decide by probabilities of what matters, not by the median. Say the model must reach a score to be of use:

# %%
goals = [0.5, 0.6, 0.7, 0.8]
chances = {
    task: {f"P(> {100 * goal:.0f}%)": f"{post.predict(**near).probability(above=goal).iloc[0]:.0%}" for goal in goals}
    for task, post in whole.items()
}
pd.DataFrame(chances).T

# %% [markdown]
# ## 6. Which of two recipes wins?
#
# Often the question is not how high, but which: two data mixes, one ladder each, train the winner. Two wide intervals
# that overlap do not answer it, for most of what is unknown is unknown of both alike. `bs.difference` compares draw by
# draw. Put the recipes into one table and pool over the column that names them, the loss too (`pool_loss=True`): then
# they are drawn jointly.
#
# Gadre et al. 2024 (arXiv:2403.08540) trained the same sizes on C4, RedPajama and RefinedWeb, and give the mean
# accuracy over seventeen tasks. The runs of at most a fifth of the largest size are fitted, and the largest size is
# foretold. `loss` is that on C4's validation set, which flatters whoever trained on C4: the links differ, and that is
# what they are for. The mean of the chances over those tasks is not in the table; a fifth is what the smallest models
# score.

# %%
try:
    corpora = pd.read_csv(DATA / "gadre2024" / "models.csv")
    corpora["corpus"] = corpora["dataset"].map({"c4_original": "C4", "rpj": "RedPajama", "rw_original": "RefinedWeb"})
    corpora = corpora.assign(loss=corpora["loss_c4_val"], accuracy=1 - corpora["err_17"], chance=0.2)
except FileNotFoundError:
    print("The published runs of gadre2024/models.csv are not at hand: simulated ones instead, the first is better.")
    mixes = {"mix A": simulated(0.05, 1), "mix B": simulated(0.0, 2)}
    corpora = pd.concat([each[each["task"] == "easy"].assign(corpus=k) for k, each in mixes.items()], ignore_index=True)
corpora = corpora[["corpus", "N", "D", "loss", "accuracy", "chance"]].astype({"N": float, "D": float})
biggest = corpora.loc[corpora.groupby("corpus")["N"].idxmax()].set_index("corpus")["accuracy"]
small = corpora[corpora["N"] < corpora["N"].max() / 5].reset_index(drop=True)
recipes = bs.ladder(small, over="corpus", pool_loss=True, **how)
names = list(recipes)
print({name: len(post.runs) for name, post in recipes.items()})

# %%
top = corpora.loc[corpora["N"].idxmax()]
rows = []
for i, one in enumerate(names):
    for other in names[:i]:
        found = bs.difference(recipes[one], recipes[other], N=top["N"], D=top["D"])
        low, high = 100 * np.quantile(found.draws, [0.1, 0.9])
        width = [
            100 * np.ptp(recipes[k].predict(N=top["N"], D=top["D"], kind="mean").interval(0.8)) for k in (one, other)
        ]
        row = {"one": one, "other": other, "P(one > other)": f"{found.probability.iloc[0]:.0%}"}
        row["80% interval [points]"] = f"{low:+.1f} to {high:+.1f}"
        row["as wide as"] = f"{high - low:.1f}"
        row["each alone"] = " and ".join(f"{alone:.1f}" for alone in width)
        row["measured [points]"] = f"{100 * (biggest[one] - biggest[other]):+.1f}"
        rows.append(row)
pd.DataFrame(rows)

# %% [markdown]
# A probability near one half is an answer too: it does not matter, or this ladder cannot tell. Compare the width of the
# difference with the widths of each forecast alone: that is what the pairing is worth. What the noise of a run adds is
# not in it; with `kind="new-run"` it is.

# %% [markdown]
# ## 7. Would a smaller ladder have done?
#
# The ladders without their largest rungs, asked for the same two models:

# %%
dropped

# %%
axes = bs.plots.rungs(dropped)

# %% [markdown]
# The width is what you know before the big run is trained, the error what you learn afterwards. Where the width grows
# as rungs are dropped, the large rungs are what you pay for. Where the width stays and the error grows, a small ladder
# does not know what it does not know: do not go by it alone. On your own table the error inside the ladder (section 3)
# is the one that you can have beforehand.

# %% [markdown]
# ## 8. With your own ladder
#
# 1. **Final checkpoints only**, of runs whose learning rate has come down, and second runs of the same N and D as rows
#    of their own: they tell the noise.
# 2. **Foretell your largest rung first** (section 3). If that does not hold, nothing further out will.
# 3. **Read the verdicts** before the medians, and choose tasks by them where you may choose.
# 4. **Compare recipes by the difference**, from one joint fit.
#
# On the command line: `bayesscale ladder tasks.csv --at N=7B,D=4T`.
#
# And what remains uncertain, whatever the interval says:
#
# - The large model must be of the same kind: another data mix, tokenizer, prompt format or an anneal at the end moves
#   its scores, and no interval here covers that. (The published 7B model was annealed in another way than the ladder.)
# - A new *skill* that no small model shows any trace of is not in the runs, and so not in the forecast: such a task
#   should come out as not forecastable.
# - The floor: models that only guess do not score exactly `chance`. How far they may stray is part of the prior.
