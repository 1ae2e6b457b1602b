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
# # Does the interval hold?
#
# *The forecast says 2.0, and 1.9 to 2.1 with 95%. How do I know that these 95% are worth anything beyond my runs?*
#
# By trying it on the runs that you have: pretend that the larger ones are not made yet, forecast them from the smaller
# ones, and count. This notebook does so on a published table and reads the result in plain words. Put your own table in
# its place and run it again: that is what it is for. It takes a few minutes.
#
# Words: a **backtest** fits the runs up to some compute, the **cutoff**, and forecasts those beyond it. **Coverage** is
# how often an interval held what was measured: of 95% intervals, 95 in 100 should. The **discrepancy** is how the truth
# may bend away from the law, the more freely the further one goes beyond the largest run; it is part of every fit
# unless you say `discrepancy=False`, which is **the law alone**.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesscale as bs

# Where a fit is not to be trusted as it stands, the notes below each table say so too.
warnings.simplefilter("ignore", bs.errors.SamplingWarning)
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#767676"

# %% [markdown]
# ## 1. The runs
#
# The runs of the Chinchilla paper as Epoch AI read them off its figure. They are looked for in the folder that
# `BAYESSCALE_DATA` names, and downloaded otherwise. To take minutes and not half an hour, most of this notebook takes
# every third of them, in the order of their compute.

# %%
try:
    everything = bs.datasets.load("epoch-chinchilla")
    print(everything.about["source"])
except bs.errors.DatasetError as problem:
    everything = bs.datasets.simulate_ladder(np.geomspace(3e7, 3e9, 9), np.geomspace(1, 30, 14), seed=1)
    print("The published runs are not at hand. The cells below go on with simulated ones, whose law is right: much of")
    print(f"what the text says of real runs does not show there.\n{problem}")

runs = everything.select(everything.table["C"].rank(method="first").to_numpy() % 3 == 1)
compute = runs.column("C")
print(f"{len(runs)} of {len(everything)} runs, of {compute.min():.1e} to {compute.max():.1e} FLOP")

# %% [markdown]
# ## 2. The law alone
#
# First as papers do it: Chinchilla's law and nothing else. `backtest` cuts the table at three places (half, 65% and 80%
# of the runs below), fits what is below and forecasts the rest.

# %%
alone = bs.backtest(runs, "chinchilla", discrepancy=False)
alone

# %% [markdown]
# One row says it all: `coverage95` is the share of the larger runs that lay inside their 95% interval, `coverage50` of
# the 50% intervals, and so on. `bias` is how far the medians were off on average (positive: forecast too high a loss),
# `width95` how wide the 95% interval is, both as a fraction of the loss. `crps` and `log_score` grade the whole
# forecast, for comparing two: lower `crps` and higher `log_score` are better.
#
# By how far the forecasts went, in times the compute that was fitted:

# %%
alone.summary(by="factor").drop(columns=["log_score", "pit"]).map("{:.3g}".format)

# %% [markdown]
# Look down the columns of coverage. On real runs they start nearer to what they should be and fall the further one
# goes: `crps` says that the errors grow, and `width95` does not keep up. The reason: the law has five constants, the
# runs leave little doubt about them, and so the interval says that there is little doubt about anything. But the law is
# only nearly true, and what it lacks shows more with every doubling.
#
# More runs of the same kind make this worse, not better: they narrow the interval and leave the law as wrong as it was.
# All runs instead of every third:

# %%
of_all = bs.backtest(everything, "chinchilla", discrepancy=False)
side_by_side = {f"{len(of.runs)} runs": of.summary().loc["chinchilla"] for of in (alone, of_all)}
pd.DataFrame(side_by_side).T[["coverage50", "coverage80", "coverage95", "width95"]].map("{:.3g}".format)

# %% [markdown]
# ## 3. With the discrepancy
#
# The same again with the discrepancy, as `bs.fit` has it by default, for two laws: `chinchilla`, and `skaling_drift`,
# whose floor may go on falling slowly. `bs.backtest(runs, ["chinchilla", "skaling_drift"])` would do. `bs.compare` does
# the same and more (section 5): it fits the whole table too, and keeps the backtest as `rollout`.

# %%
compared = bs.compare(runs, ["chinchilla", "skaling_drift"], rollout=True)
tested = compared.rollout
both = pd.concat([alone.summary().rename(index=lambda law: f"{law}, the law alone"), tested.summary()])
both.map("{:.3g}".format)

# %%
far = tested.summary(by=["law", "factor"])
columns = {"chinchilla, the law alone": alone.summary(by="factor"), **{law: far.loc[law] for law in tested.laws}}
print("share of the larger runs inside their 95% interval:")
print(pd.DataFrame({name: one["coverage95"] for name, one in columns.items()}).map("{:.0%}".format).to_string())

# %% [markdown]
# The intervals are wider (`width95` in the table before), and the more so the further out. So they hold more often.
# That by itself would be no feat, since an interval from nought to infinity always holds. What makes it an improvement
# is the score: if the log score is better too, the wider intervals tell more about the larger runs, not less.
#
# An interval can hold too often as well. Coverage of 100% where 80% is promised means that it could have been narrower.
# Too wide costs less than too narrow, but it is a miss.
#
# The figure has the same counts for three intervals. The gray bars are where calibrated forecasts would be.

# %%
axes = bs.plots.coverage(tested)

# %% [markdown]
# The bars are tall for a reason: *neighbours err alike*. Twenty runs of about the same compute are all forecast too
# high or all too low, so they tell you hardly more than one run would. The bars count each factor of two in compute
# once. Do not make much of a point that is off by less than a bar.

# %% [markdown]
# **Where in its forecast did the truth lie?** Call it 0 if the measured loss is below everything that the forecast
# thought possible, 1 if above, .5 if it is the median. For calibrated forecasts all values come equally often, and the
# histogram is flat. High at both ends: intervals too narrow. A hill in the middle: too wide. Leaning to the left: the
# forecasts are too high; to the right: too low.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10.8, 3.4), layout="constrained", sharey=True)
bs.plots.pit(alone, axes=axes[:1])
axes[0].set_title("chinchilla, the law alone", loc="left", fontsize=10)
axes = bs.plots.pit(tested, axes=axes[1:])
axes[0].get_legend().remove()
axes[0].set(ylabel="", ylim=(0, axes[0].get_ylim()[1] / 1.4))

# %% [markdown]
# **Forecast by forecast.** One panel for each law and cutoff (the dashed line); each dot is a larger run, with its 95%
# interval, in percent of what was then measured. Zero is a perfect forecast.

# %%
axes = bs.plots.rollout(alone)
axes[0].get_legend().set_loc("lower left")

# %%
axes = bs.plots.rollout(tested)
axes[0].get_legend().set_loc("upper left")

# %% [markdown]
# Three things to look for. Dots that scatter evenly about zero: the runs are noisy, all is well. Dots that *drift* away
# from zero to the right: the law is wrong out there, in that direction. Intervals that open to the right: the fit knows
# that it knows less there. Those of the law alone hardly open, and the larger the runs, the more of them it misses.

# %% [markdown]
# ## 4. What an interval is made of, and how far is far
#
# Now forecast from all runs: at a tenth of the largest run's compute, at its own, and ten and a hundred times beyond,
# with 20 tokens per parameter.

# %%
post = compared.posteriors["skaling_drift"]  # the same as bs.fit("skaling_drift", runs)
law_alone = bs.fit("chinchilla", runs, discrepancy=False)


def at_times(times):
    """Return targets of so many times the largest run's compute."""
    N = np.sqrt(np.atleast_1d(times) * compute.max() / (6 * 20))
    return pd.DataFrame({"N": N, "D": 20 * N})


targets = at_times([0.1, 1, 10, 100])
forecast = post.predict(targets)
forecast

# %%
parts = forecast.parts().map("{:.0%}".format)
parts.insert(0, "times the largest run", forecast.reach.round(1))
parts.insert(1, "outside", forecast.outside)
parts

# %% [markdown]
# `parts()` says what the uncertainty is made of, as shares of the variance:
#
# - `noise`: a new run scatters. More runs do not help, and none is needed: you will see one draw of it.
# - `parameters`: the constants of the law are not known well enough. More runs help, larger ones most.
# - `discrepancy`: the truth may bend away from the law. Only *larger* runs help. (At the largest run it is zero by
#   construction: what is said there is what the runs there say.)
#
# (A share may be a little below zero near the runs, where the law and the bend make up for each other.)
#
# `reach` is the compute of a target in times that of the largest run; `outside` says whether it lies outside all that
# was seen of N and D together. The second matters even where the first is small: a model of ordinary compute with five
# times the usual tokens per parameter asks the law for something that no run has shown.
#
# How the width grows:

# %%
times = np.geomspace(1, 1000, 13)
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for made, color, said in (
    (law_alone.predict(at_times(times), kind="mean"), ORANGE, "chinchilla, the law alone"),
    (post.predict(at_times(times), kind="mean"), BLUE, "skaling_drift with the discrepancy"),
):
    low, high = made.interval(0.95)
    ax.plot(times, 100 * (high - low) / made.median, "o-", color=color, markersize=3.5, label=said)
tried = tested.table["factor"].max()
ax.axvspan(1, tried, color=GRAY, alpha=0.12, linewidth=0, label="how far the backtest went")
ax.set(xscale="log", ylim=(0, None), xlabel="compute, in times that of the largest run")
ax.set_ylabel("width of the 95% interval\nof the expected loss [%]")
ax.legend(frameon=False, fontsize=9, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# **How far is far?** Where the noise is most of the interval, you are near: the forecast is as good as a measurement.
# Where it is next to nothing, all depends on a law that is carried on, and on how it may fail. And where the target is
# further beyond your largest run than your backtest went beyond its cutoffs (the gray ground), nobody has tested the
# interval, not even you.

# %% [markdown]
# ## 5. Which law?
#
# Two questions with two answers:
#
# - Which law predicts *rows like these*? Leave one run out, and see how well the others predict it: `elpd_loo`. Every
#   run that is left out has neighbours, so this is about what lies between the runs.
# - Which law *foretells larger runs*? Fit the smaller ones, score the larger ones: `elpd_rollout`, a backtest.
#
# Higher is better for both. Section 3 has asked both already:

# %%
compared

# %% [markdown]
# Read the sentences below the table. If the two agree, there is nothing to decide. If they do not, it depends on what
# you want: to fill in a missing run go by LOO, to forecast a larger one go by the rollout. With the discrepancy in the
# model laws differ less than they would alone, since the bend mends what a law lacks near the runs.
#
# Mind `diff_rollout_se`: a table offers only so many factors of two beyond its cutoffs, and a lead of less than two
# standard errors may be luck.

# %% [markdown]
# ## 6. Two mends: average and recalibrate
#
# **Average** the laws instead of choosing one. The weights come from the rollout, pulled towards equal ones where there
# is little to learn them from.

# %%
averaged = bs.average(compared)
averaged

# %%
answers = {**compared.posteriors, "average": averaged}
made = {name: each.predict(at_times(10)) for name, each in answers.items()}
pd.concat({name: each.table(level=0.95) for name, each in made.items()}).droplevel(1)[["median", "low95", "high95"]]

# %%
made["average"].parts().map("{:.0%}".format)

# %% [markdown]
# The new part, `law choice`, is how far the laws disagree with each other. Where it is large, averaging is the honest
# thing to do. Do not average where one law is plainly wrong (its residuals bend, its backtest drifts): that law brings
# its error along. And an average knows no more than its members: if all of them miss the same thing, so does it.

# %% [markdown]
# **Recalibrate**: widen the intervals by as much as a backtest says that they were too narrow. To see whether that
# works it must be tried on runs that the backtest did not see. So: take the smaller 65% of all runs, backtest the law
# alone within them, widen as that backtest asks, and forecast the rest.

# %%
small = everything.column("C") <= np.quantile(everything.column("C"), 0.65)
smaller, larger = everything.select(small), everything.select(~small)
inner = bs.backtest(smaller, "chinchilla", discrepancy=False)
narrow = bs.fit("chinchilla", smaller, discrepancy=False)
widened = bs.recalibrate(narrow, inner)
widened

# %%
beside = {
    "the law alone": narrow,
    "the law alone, recalibrated": widened,
    "with the discrepancy": bs.fit("chinchilla", smaller),
}
held = {}
for name, each in beside.items():
    guess = each.predict(larger)
    ends = {level: guess.interval(level) for level in (0.5, 0.8, 0.95)}
    held[name] = {
        f"{level:.0%} interval": f"{np.mean((low < larger.column('loss')) & (larger.column('loss') < high)):.0%}"
        for level, (low, high) in ends.items()
    }
print(f"share of the {len(larger)} larger runs inside:")
print(pd.DataFrame(held).T.to_string())

# %% [markdown]
# Recalibrating goes in the right direction, no further than its backtest has seen. It widens; it does not move the
# median, so it does not mend a drift. It spreads a target two times beyond the data by the same factor as one a
# thousand times beyond. And with few factors of two in compute it hardly dares to do anything, which is right.
#
# The discrepancy knows that intervals must open with the distance, so it comes first. It is no cure for all either:
# where 95% intervals hold and 50% intervals do not, the medians are off, and the remedy is a better law, not a wider
# interval. Recalibrate where a backtest *with* the discrepancy still holds too seldom, and do not report the coverage
# of that same backtest afterwards as if it had been a test. For the fit of section 4:

# %%
bs.recalibrate(post, tested)

# %% [markdown]
# ## 7. Is it the sampler? The prior? The noise?
#
# Three checks for when intervals do not hold and you want to know why.
#
# **The sampler and the code.** Simulate tables from the prior, fit them, and see whether the truth is where the
# posteriors say. Here the law is right by construction, so intervals must hold; if not, the computation is at fault.
# A small design and few simulations, to be quick:

# %%
design = bs.datasets.load("simulated-ladder")
calibrated = bs.calibrate("chinchilla", design, simulations=40, targets={"N": "7B", "D": "140B"})
calibrated

# %%
axes = bs.plots.ranks(calibrated)

# %% [markdown]
# A curve inside its gray band is as it should be. This says that law, priors, noise and sampler agree with each other.
# It does *not* say that the law is true of your runs. For that there is only the backtest.

# %% [markdown]
# **The prior.** Would the forecast have been another, had the prior been a little weaker or stronger?

# %%
leaning = bs.sensitivity(post, targets)
leaning

# %%
axes = bs.plots.sensitivity(leaning)

# %% [markdown]
# Look at the forecasts first: a constant may answer to its prior, or be pulled two ways, and the forecast not mind. And
# a forecast far beyond the data that answers to the prior is no mistake: what happens where nobody has looked *is*
# prior knowledge, learned from other tables (`tau`, the size of the bend; `eps`, how fast the floor drifts). But you
# should know that it is.

# %% [markdown]
# **The noise and the shape.** Let the fitted law make the table again, many times. Does the measured table look like
# those?

# %%
checked = bs.predictive_check(post)
checked

# %%
axes = bs.plots.predictive_check(checked)

# %% [markdown]
# Whatever is marked has its meaning in the sentences below the table. A trend or a bend that is left over says that the
# law has the wrong slope or shape; a wrong share outside the intervals or a residual that is too large, that the noise
# is of another kind. With the discrepancy trends and bends are taken up by it, so the same check on the law alone sees
# more:

# %%
bs.predictive_check(law_alone)

# %% [markdown]
# This check is about the runs that were fitted. A law may be too careful among them and too sure beyond: passing it is
# no substitute for the backtest.

# %% [markdown]
# ## 8. Deciding with it
#
# What all this is for. Say that the next run has ten times the compute of the largest one, and that it is worth its
# price if it gets below a certain loss.

# %%
next_run = at_times(10)
goals = law_alone.predict(next_run).median[0] * np.array([1.02, 1.0, 0.98, 0.96])
chances = {"chinchilla, the law alone": law_alone, "skaling_drift with the discrepancy": post, "average": averaged}
said = {}
for name, each in chances.items():
    guess = each.predict(next_run)
    low, high = guess.interval(0.95)
    said[name] = {
        "median": f"{guess.median[0]:.3f}",
        "95% interval": f"{low[0]:.3f} to {high[0]:.3f}",
        **{f"P(loss < {goal:.3f})": f"{guess.probability(below=goal).iloc[0]:.0%}" for goal in goals},
    }
pd.DataFrame(said).T

# %% [markdown]
# The law alone is certain of nearly everything but its own median. Whoever decides by it will be surprised more often
# than it says.
#
# Decisions use the discrepancy as well: the best size for that compute, and how much worse others are.

# %%
bs.allocate(post, C=10 * compute.max())

# %% [markdown]
# What to do with your own runs:
#
# 1. **Backtest first**, with the law and the options with which you will forecast. Read coverage by how far.
# 2. **Keep the discrepancy** for anything beyond the runs. The law alone is for comparing constants with papers and for
#    what lies between the runs.
# 3. **Go by the rollout**, or average, where laws disagree about larger runs.
# 4. **Look at the parts.** Much `parameters` and `discrepancy`: make a larger run; it need not be as large as the
#    target. Much `noise`: there is nothing more to learn.
# 5. **Stay within reach.** Quote intervals as far beyond your largest run as your backtest went beyond its cutoffs.
#    Further out quote them too, but say that they are untested.
# 6. **Decide by probabilities of what matters** (below the goal, better than the alternative), not by the median.
#
# And what remains uncertain, whatever the interval says:
#
# - A backtest of one table is a small sample. Neighbours err alike; the number of factors of two is what counts.
# - The size of the bend, and which law to recommend for forecasts, were learned from public tables, and the one used
#   here is among them. That intervals hold on it is no independent test. Your own table is one.
# - Larger runs must be runs of the same kind. Another data mix, tokenizer, learning-rate schedule or architecture at
#   the large scale, or one that is tuned less well there, is no bend: no interval of this notebook covers it.
# - The runs you have are those that finished. A run that diverges has no loss at all.
