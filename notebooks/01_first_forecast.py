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
# # A first forecast
#
# *Given these small runs, what will the big one do, and how sure can we be?*
#
# This notebook goes from a table of small runs to a forecast of a large one, with intervals, and then counts how often
# such intervals hold. It assumes that you train language models; it does not assume that you have used Bayesian
# tools. It takes a minute or two on a laptop.
#
# Words: a **run** is one trained model, one row of the table. A **law** maps a run's parameters N and tokens D to the
# expected loss. The **noise** is how measured losses scatter around the law, the **discrepancy** how the truth may bend
# away from it, the more freely the further one goes beyond the largest run. A **posterior** is a fitted law: not one
# best set of constants but a few thousand draws of them, all compatible with the runs. A **forecast** is what these
# draws say about a run that you have not made.

# %%
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayesscale as bs

BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#767676"

# %% [markdown]
# ## 1. The runs
#
# Your own table is read like this, from a file or a DataFrame. Say which of your columns is which and in what unit;
# numbers written as "60M" or "1.2B" are understood. C = 6ND is derived where it is missing. What cannot be right is
# refused with a message that names the column and the row.

# %%
yours = pd.DataFrame(
    {
        "size in M": [60, 130, 130],
        "seen": ["1.2B", "2.6B", "13B"],
        "final loss": [3.77, 3.26, 2.87],
    }
)
bs.read_runs(
    yours,
    columns={"N": "size in M", "D": "seen", "loss": "final loss"},
    units={"N": "millions"},
    about={"count_N": "total"},
)

# %% [markdown]
# The rest of this notebook uses a table that comes with bayesscale: five model sizes, each on four budgets. It is
# simulated from a published law with known constants, so at the end of each step we can look up the truth. You cannot
# do that with your own runs; it is what makes this table good for a first look.

# %%
runs = bs.datasets.load("simulated-ladder")
runs

# %%
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for _, size in runs.table.groupby("N"):
    name = size["run"].iloc[0].split("-")[0]
    ax.plot(size["C"], size["loss"], "o-", markersize=4, linewidth=0.8, label=f"N = {name}")
ax.set(xscale="log", xlabel="training compute C [FLOP]", ylabel="loss [nats/token]")
ax.legend(frameon=False, fontsize=9)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Along each line one model size sees more and more tokens. The lines flatten: at a given size, tokens alone stop
# helping.

# %% [markdown]
# ## 2. The law, and what it says before it has seen a loss
#
# A law comes with priors: what exponents and shares are plausible before you look at your own runs. They are printed
# with the law, and each can be replaced.

# %%
chinchilla = bs.models.chinchilla
chinchilla

# %% [markdown]
# The parameters that are sampled are not E, A and B themselves. They are what the runs pin down directly: the loss in
# the middle of the data (`level`), the share of it that more scale could still remove (`reducible`), how that share
# is split between parameters and tokens (`share_A`), and the two exponents. E, A and B are computed from these.
#
# A prior that is too narrow would decide the answer in advance. So look at what it allows: the prior predictive, the
# losses that the law expects at your runs before it learns from them. The one thing it takes from the data is their
# typical loss, which sets the height.

# %%
before = bs.prior_predictive(chinchilla, runs)
compute = runs.column("C")

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for level, width, color in ((0.95, 2, "#CCCCCC"), (0.5, 5, "#AAAAAA")):
    ax.vlines(compute, *before.interval(level), color=color, linewidth=width, label=f"prior, {level:.0%} interval")
ax.plot(compute, runs.column("loss"), "o", color=BLUE, markersize=4, label="runs")
ax.set(xscale="log", xlabel="training compute C [FLOP]", ylabel="loss [nats/token]")
ax.legend(frameon=False, fontsize=9)
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# All runs lie inside, with much room to spare: the prior excludes the absurd and leaves the rest to the data. If your
# runs lay outside the bars, the prior and not the data would need a second look (a wrong unit is the usual reason).

# %% [markdown]
# ## 3. The fit

# %%
post = bs.fit("chinchilla", runs)
post

# %% [markdown]
# Read a row like this: given the law, the priors and the runs, `alpha` lies between `low95` and `high95` with
# probability 95%, and `median` is the middle. The last three columns say how well the draws represent the posterior:
# `ess_bulk` and `ess_tail` are the numbers of independent draws that they are worth (a few hundred is enough), `rhat`
# compares the chains (it should be 1.01 or less). `sigma` and `nu` belong to the noise: sigma is its scale as a
# fraction of the loss, nu says how heavy its tails are. `tau` belongs to the discrepancy: how strongly the truth bends
# away from the law as runs get larger.
#
# You do not have to read these columns: `check` does, with a sentence of advice where something is wrong.

# %%
post.check()

# %% [markdown]
# A warning *data on nu* is common and harmless: it takes many runs to tell how often outliers occur, so here the prior
# answers. The same warning on `alpha` or `beta` would matter: the forecast would then rest on the prior. *Pareto k-hat*
# names runs without which the fit would be another: among so few, those at the corners of the table often are.
#
# The next figure shows the same thing for each parameter: gray before the data, blue after.

# %%
axes = bs.plots.prior_posterior(post)
# %% [markdown]
# And do the runs agree with the law? If the residuals bend with N, D or C, the law is wrong in that direction, and
# what lies beyond the data in that direction cannot be trusted.

# %%
axes = bs.plots.residuals(post)
# %% [markdown]
# ## 4. The forecast
#
# Two targets: a step beyond the runs, and a run much larger than any of them.

# %%
targets = {"N": ["7B", "70B"], "D": ["140B", "1.4T"]}
forecast = post.predict(**targets)
forecast

# %% [markdown]
# The 95% interval is to hold the loss of the run with probability 95%, and so on. They are nested: the 50% interval is
# where to expect the loss half of the time.
#
# How far from the data is this, in compute?

# %%
for name, times in zip(targets["N"], forecast.reach, strict=True):
    print(f"{name}: {times:.0f} times the compute of the largest run")

# %%
ax = bs.plots.forecast(post, targets=forecast.targets)
# %% [markdown]
# The fan follows the runs' average tokens per parameter, and the targets have fewer, so they need not lie on it.
#
# Often the question is a yes or no: will the run get below a certain loss?

# %%
thresholds = (1.9, 1.95, 2.0, 2.05, 2.1, 2.15, 2.2)
chances = pd.DataFrame({f"loss < {x:g}": forecast.probability(below=x).to_numpy() for x in thresholds})
chances.set_index(pd.Index(targets["N"])).map("{:.0%}".format)

# %% [markdown]
# **The mean or one new run?** `kind="new-run"`, the default, is what one more training run would measure, with the
# scatter that runs have. `kind="mean"` is the expected loss, without that scatter. Ask for the new run when you will
# compare the interval with a measurement; ask for the mean when you compare two designs.

# %%
mean = post.predict(**targets, kind="mean")
widths = {kind: np.diff(made.interval(0.95), axis=0)[0] for kind, made in (("mean", mean), ("new-run", forecast))}
pd.DataFrame(widths, index=targets["N"]).rename_axis("width of the 95% interval").round(4)

# %% [markdown]
# Close to the data the scatter of a run is a visible part of the width. Far away almost all of it is uncertainty about
# the law's constants, and about how far the truth bends away from the law. What the variance is made of:

# %%
forecast.parts().set_index(pd.Index(targets["N"])).map("{:.0%}".format)

# %% [markdown]
# More runs tell you more about the constants; only larger ones tell you about the bend.
#
# This table is simulated, so we can look up the expected loss:

# %%
truth = {k: runs.about["truth"][k] for k in post.law.constants}
true_loss = chinchilla.evaluate(truth, **targets)
low, high = mean.interval(0.95)
looked_up = pd.DataFrame({"median": mean.median, "low95": low, "high95": high, "truth": true_loss}, index=targets["N"])
looked_up["inside"] = looked_up["truth"].between(looked_up["low95"], looked_up["high95"])
looked_up.round(4)

# %% [markdown]
# **Do the priors matter?** Replace them and see. Here both exponents get priors twice as wide.

# %%
wide = chinchilla.with_priors(alpha=dist.LogNormal(np.log(0.30), 0.8), beta=dist.LogNormal(np.log(0.33), 1.0))
post_wide = bs.fit(wide, runs)


def side_by_side(posteriors):
    """Median and 95% interval of the expected loss at the targets, one row per posterior."""
    said = {}
    for name, each in posteriors.items():
        made = each.predict(**targets, kind="mean")
        rows = zip(targets["N"], made.median, *made.interval(0.95), strict=True)
        said[name] = {n: f"{middle:.3f}  ({low:.3f} to {high:.3f})" for n, middle, low, high in rows}
    return pd.DataFrame(said).T


side_by_side({"default priors": post, "exponents twice as wide": post_wide})

# %% [markdown]
# If the two had differed by much, the forecast would have been the prior's and not the data's.

# %% [markdown]
# ## 5. The constants are badly known, the forecast is not
#
# People like to quote E, A, B, alpha and beta. Compare how well they are known with how well the loss is known: the
# last column is the upper end of the 95% interval divided by the lower end. This is about the law alone, as papers fit
# it, without a discrepancy: its forecast is the formula and nothing else.

# %%
law_alone = bs.fit("chinchilla", runs, discrepancy=False)
mean = law_alone.predict(**targets, kind="mean")
draws = law_alone.flat_draws
quantities = {name: draws[name] for name in post.law.constants}
quantities |= {f"expected loss at {n}": values for n, values in zip(targets["N"], mean.draws.T, strict=True)}
ends = {name: np.quantile(x, [0.025, 0.975]) for name, x in quantities.items()}
table = pd.DataFrame.from_dict(ends, orient="index", columns=["low95", "high95"])
table["high / low"] = table["high95"] / table["low95"]
table.map("{:.4g}".format)

# %% [markdown]
# A and B are uncertain by a large factor, the loss by a few percent. There is no contradiction. The draws of the
# constants move together: a larger A comes with a larger alpha, so that the law still passes through the runs.
#
# A forecast is the formula, computed once per draw. To see that it needs the draws *together*, shuffle each constant
# on its own, which keeps every row of the table above as it is, and compute it again.

# %%
N, D = 7e9, 140e9


def loss_of(E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


constants = {name: draws[name] for name in post.law.constants}
rng = np.random.default_rng(0)
shuffled = {name: rng.permutation(values) for name, values in constants.items()}
together, apart = loss_of(**constants), loss_of(**shuffled)

fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
left.plot(constants["A"], constants["alpha"], ".", markersize=2, color=BLUE, alpha=0.4)
left.plot(truth["A"], truth["alpha"], "D", color=ORANGE, label="truth")
left.set(xscale="log", xlabel="A", ylabel="alpha", title="one dot per draw")
left.legend(frameon=False)
for place, (losses, color) in enumerate(((together, BLUE), (apart, GRAY))):
    for level, line in ((0.95, 2), (0.5, 7)):
        right.hlines(place, *np.quantile(losses, [0.5 - level / 2, 0.5 + level / 2]), color=color, linewidth=line)
right.set_yticks([0, 1], ["draws\nas they are", "constants\nshuffled"])
right.set(ylim=(1.6, -0.6), xlabel="expected loss at 7B [nats/token]", title="the forecast: 50% and 95% intervals")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

# %%
width, loose = (np.diff(np.quantile(x, [0.025, 0.975]))[0] for x in (together, apart))
correlation = np.corrcoef(np.log(constants["A"]), constants["alpha"])[0, 1]
print(f"the same as law_alone.predict: {np.allclose(together, mean.draws[:, 0])}")
print(f"correlation of log A and alpha: {correlation:.3f}")
print(f"width of the 95% interval: {width:.3f}; with the constants shuffled: {loose:.3f}")

# %% [markdown]
# So do not compare two laboratories by their A, and do not build a forecast from a table of constants with error bars:
# keep the draws.

# %% [markdown]
# ## 6. Other laws
#
# Nothing so far asked whether another law describes the runs as well. `compare` fits several and scores how well each
# predicts a run that it has not seen (`elpd`, the expected log predictive density; higher is better): one that is left
# out, estimated in two ways, WAIC and leave-one-out (LOO); and larger runs from smaller ones, the rollout.

# %%
compared = bs.compare(runs, ["chinchilla", "chinchilla_tied", "power(C)"])
compared

# %%
ax = bs.plots.comparison(compared)
# %% [markdown]
# `diff` is the distance to the best law, `diff_se` its standard error. A difference below two standard errors, or
# below 4, is no reason to prefer one law. WAIC and LOO estimate the same thing and usually agree; with few runs WAIC is
# the less reliable one, and says so. `weight` is each law's share in the mixture that would score best. It is not the
# probability that the law is right: of two laws that score alike, one may get all of it. With as few runs as here a
# single one may sway a fit so much that LOO is unreliable, too: the notes name it, and the rollout does not mind.
#
# **What WAIC and LOO can say:** which law describes runs *like these*. A law of compute alone cannot know how the
# compute is split between parameters and tokens, and falls behind. Every run that is left out lies among the others, so
# this is about interpolation.
#
# **What the rollout can say:** which law, fitted to the smaller runs, foretold the larger ones (`elpd_rollout`). That
# is nearer to the question, as far as the runs go. How the laws do far beyond all of them nobody has tested. So look at
# what each says about the targets, too:

# %%
side_by_side(compared.posteriors)

# %% [markdown]
# ## 7. A law of your own
#
# A law is a function that samples its parameters and returns the expected loss. Written in a cell it is used exactly
# like a built-in one. As an example, a law in which parameters and tokens multiply instead of adding up:

# %%
from bayesscale.law import deterministic, law, prior, sample, split_at_center


@law(takes=("N", "D"), gives="loss", source="this notebook")
def product(N, D):
    """L(N, D) = E + A / (N^alpha D^beta)"""
    E, a = split_at_center("E", "A")  # the loss at the data's centre, split into the floor and the rest
    alpha = sample("alpha", prior.exponent(0.15, spread=0.6))
    beta = sample("beta", prior.exponent(0.15, spread=0.6))
    A = deterministic("A", a * N.center**alpha * D.center**beta)
    return E + A / (N**alpha * D**beta)


own = bs.fit(product, runs)
own.predict(**targets)

# %%
bs.compare([post, own])

# %% [markdown]
# These runs hardly tell the two laws apart. Yet they are different laws, and far from the runs it shows. Ask both for
# a small model that is trained on very many tokens:

# %%
small_and_long = {"N": "300M", "D": "15T"}
answers = {each.law.name: each.predict(**small_and_long, kind="mean").table(level=0.95) for each in (post, own)}
print(f"truth: {chinchilla.evaluate(truth, **small_and_long).item():.3f}")
pd.concat(answers).droplevel(1)[["median", "low95", "high95"]].round(3)

# %% [markdown]
# Each interval sets out from its own law. Where laws that score alike disagree, the honest answer is wider than any of
# their intervals: `bs.average([post, own])` forecasts from both. The remedy is a run that tells them apart.

# %% [markdown]
# `split_at_center` is worth using: it samples the terms where the runs are, in the middle of the data, instead of at
# N = 1, many decades away. That is what makes the fit quick and the priors readable.

# %% [markdown]
# ## 8. Save and load
#
# The file holds the draws, the law, its priors, the runs and the versions. It is NetCDF: ArviZ and xarray open it too,
# and opening one never runs code from it.

# %%
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "posterior.nc"
    post.save(file)
    again = bs.load(file)

print(f"the same forecast: {np.array_equal(again.predict(**targets).draws, forecast.draws)}")

# %% [markdown]
# The draws are also an ArviZ object, for everything that ArviZ can do with them:

# %%
list(post.data.children)

# %% [markdown]
# ## 9. Does the interval hold?
#
# Every interval above says: with this probability the loss lies inside. Is it so? Count it. First where the law is
# right: simulate a number of such tables, fit the smaller part of each, and see how many of its larger runs fall
# inside. Once with the law alone, once with the discrepancy, which nothing calls for here.


# %%
def coverage(forecasts_and_losses, levels=(0.5, 0.8, 0.95)):
    """Share of the measured losses that lie inside the intervals, by level."""
    held = {}
    for level in levels:
        inside = []
        for made, losses in forecasts_and_losses:
            low, high = made.interval(level)
            inside.append((low < losses) & (losses < high))
        held[f"{level:.0%} interval"] = np.concatenate(inside).mean()
    return held


# Short fits, to be quick: rough now and then, but what counts here is how often an interval holds.
short = dict(chains=2, warmup=500, draws=500, second_try=False)
warnings.simplefilter("ignore", bs.errors.SamplingWarning)

tables = [bs.datasets.simulate_ladder(seed=seed) for seed in range(1, 21)]
small = compute <= np.quantile(compute, 0.6)
held = {}
for how, bends in {"the law alone": False, "with the discrepancy": True}.items():
    posts = bs.fit_many("chinchilla", [table.select(small) for table in tables], discrepancy=bends, **short)
    forecasts = [(p.predict(t.select(~small)), t.column("loss")[~small]) for p, t in zip(posts, tables, strict=True)]
    held[f"simulated runs, {how}"] = coverage(forecasts)

print(f"{len(tables)} simulated tables: {small.sum()} runs fitted, {(~small).sum()} larger runs forecast in each,")
print(f"up to {compute.max() / compute[small].max():.0f} times the compute of the largest run that was fitted")
pd.DataFrame(held).T.map("{:.0%}".format)

# %% [markdown]
# Where the law is right the intervals keep their promise either way; with the discrepancy they are somewhat wider than
# they need to be. That is its price. Now real runs, of which nobody knows the law: the 240 runs of the Chinchilla
# paper, as Epoch AI read them off its figure. They are looked for in the folder that `BAYESSCALE_DATA` names, and
# downloaded otherwise.

# %%
try:
    real = bs.datasets.load("epoch-chinchilla")
    print(f"{len(real)} runs. {real.about['source']}")
    print(real.about["caution"])
except bs.errors.DatasetError as problem:
    real = None
    print(f"The published runs are not at hand; the cells below say so and go on.\n{problem}")

# %% [markdown]
# `backtest` does the same count on a table: fit the half with the least compute, forecast the other half.

# %%
if real is None:
    print("Left out: no published runs.")
else:
    alone = bs.backtest(real, "chinchilla", cutoffs=0.5, discrepancy=False, **short)
    bent = bs.backtest(real, "chinchilla", cutoffs=0.5, **short)
    for how, tested in {"the law alone": alone, "with the discrepancy": bent}.items():
        counted = tested.summary().loc["chinchilla", ["coverage50", "coverage80", "coverage95"]]
        held[f"real runs, {how}"] = dict(zip(held["simulated runs, the law alone"], counted, strict=True))
    print("share of the larger runs inside:")
    print(pd.DataFrame(held).T.map("{:.0%}".format).to_string())

# %%
if real is None:
    print("Left out: no published runs.")
else:
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for ax, tested, how in zip(axes, (alone, bent), ("the law alone", "with the discrepancy"), strict=True):
        bs.plots.rollout(tested, axes=ax)
        ax.set_title(f"{how}: fitted up to the dashed line", loc="left", fontsize=10)
    axes[1].get_legend().remove()

# %% [markdown]
# With the law alone the intervals fall short, and the more so the further one goes. Nothing went wrong in that fit: it
# allows for the uncertainty of five constants, of which many runs leave little, and for scatter such as the small runs
# show, but not for a truth that bends away from the law. The discrepancy allows for that, and mends most of it: the
# intervals open with the distance, as they should. It does not pull the dots back to zero. Where they drift, another
# law is better: `skaling_drift`, whose floor may go on falling, forecast larger runs best on seven public studies, and
# is the one to start with for forecasts; `chinchilla` gives you the paper's constants.
#
# What is left for you to do:
#
# - Repeat the count on your own table, with the law that you will use: `bs.backtest(runs, "skaling_drift")`. The fourth
#   notebook, `04_does_the_interval_hold`, reads one in plain words.
# - Trust a short step beyond the data more than a long one. If you can afford one more run, make it a large one.
# - Say how far beyond the largest run a forecast is when you quote it (`forecast.reach`).
