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
# # Which data mixture?
#
# *We trained small models on some mixtures of our domains. In which proportions should the big one be trained, how sure
# is that, and is it worth leaving the mixture that we have?*
#
# A law of a mixture gives the loss on each target as a function of the proportions. Fitted to a table of runs, every
# posterior draw has a best mixture of its own, and these draws show how well the best proportions are known. But a
# proportion may be uncertain and not matter: so we also ask which mixtures are about as good, what is gained against
# the natural one, and whether the answer lies among the mixtures that were trained at all.
#
# Words: a **domain** is what is mixed, a **target** what the loss is measured on. The **natural** mixture is the corpus
# as it is. **Regret** is how much more loss a mixture is expected to have than the best one would, if we knew it.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayesscale as bs

# Where a fit is not to be trusted as it stands, post.check() says so too.
warnings.simplefilter("ignore", bs.errors.BayesscaleWarning)
DATA = Path(os.environ.get("BAYESSCALE_DATA") or "data") / "mix"

# %% [markdown]
# ## 1. The table
#
# One row per run, or checkpoint, with a column per domain for its proportion and a column per target for its loss;
# `bs.mixture_runs` finds both by their names, checks that proportions sum to one, and makes a row per target.
# `bs.read_mixtures("ratios.csv", "metrics.csv")` reads two tables that are joined by run.
#
# The runs are those of Shukor et al. 2025 (arXiv:2507.09404): seven domains of SlimPajama. They are looked for in the
# folder that `BAYESSCALE_DATA` names, as `mix/dmsl/dmsl_llm_slimpajama.csv`. The last checkpoints of the 20 runs with
# 1.235B parameters are enough here.

# %%
NATURAL = dict(
    arxiv=0.0458, book=0.0420, c4=0.2660, github=0.0522, commoncrawl=0.5203, stackexchange=0.0337, wikipedia=0.0399
)


def simulated(seed=0):
    """Return runs on mixtures of three domains, whose law is known: a wide table."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1.5] * 3, 16)
    table = pd.DataFrame(p, columns=["weight_web", "weight_code", "weight_wiki"])
    for i, (target, k) in enumerate(dict(web=2.5, code=5.0, wiki=4.0).items()):
        loss = 1.6 + 0.4 * i + 0.5 * np.exp(-k * p[:, i])
        table[f"{target}_loss"] = loss * np.exp(0.003 * rng.standard_normal(16))
    return table.assign(model_size=1.235e9, n_tokens=2.5e10)


def simulated_sizes():
    """Return the same at five sizes, the last larger than the others; the runs of a size stray together, by .2 %."""
    sizes, strayed = np.geomspace(1e8, 2.7e9, 5), 1 + 0.002 * np.random.default_rng(0).standard_normal(5)
    tables = [simulated(i).assign(model_size=N, n_tokens=20 * N) for i, N in enumerate(sizes)]
    for N, by, table in zip(sizes, strayed, tables, strict=True):
        table[[c for c in table if c.endswith("_loss")]] *= by * (0.7 + 0.3 * (N / 1e9) ** -0.3)
    return pd.concat([*tables[:-1], tables[-1].head(4)], ignore_index=True)


try:
    wide = pd.read_csv(DATA / "dmsl" / "dmsl_llm_slimpajama.csv").drop(columns="openhermes_loss")
    sizes, wide = wide, wide[wide["model_size"] == 1.235e9]
    natural, tokens, how = NATURAL, {k: 627e9 * share for k, share in NATURAL.items()}, dict(chains=4, draws=400)
except FileNotFoundError:
    sizes, wide, natural = simulated_sizes(), simulated(), dict(web=0.8, code=0.15, wiki=0.05)
    tokens, how = dict(code="30B", wiki="20B"), dict(chains=2, draws=100, warmup=200, second_try=False)
    print("The published runs are not at hand: the cells below go on with simulated ones, and with short fits.")
    print("Set BAYESSCALE_DATA to a folder that holds mix/dmsl/dmsl_llm_slimpajama.csv.")


def last_checkpoints(wide):
    """Return a row per run and target."""
    every = bs.mixture_runs(wide, columns={"N": "model_size", "D": "n_tokens"}).table
    return every[every["D"] == every.groupby(["run", "domain"])["D"].transform("max")].reset_index(drop=True)


runs = last_checkpoints(wide)
domains = list(natural)
mixtures = runs.drop_duplicates("mixture").set_index("mixture")[[f"r_{d}" for d in domains]]
print(f"{len(runs)} rows: {len(mixtures)} mixtures, {runs['domain'].nunique()} targets")
mixtures.head(4).round(3)

# %% [markdown]
# ## 2. The fit
#
# One posterior per target. Three laws are fitted: BiMix sees only a target's own proportion, `mixture_log_linear` and
# `mixture_exponential` what every domain does for every target. (All runs have one number of tokens here, so what BiMix
# says of tokens is its prior; with several checkpoints per run take laws with D, and `noise="curve"`.) The figure shows
# what the last has learned: the expected loss over the own proportion, the others in the ratio of the mean mixture.
# Points are runs; that they lie off the line is the other proportions' doing, and noise.


# %%
def fitted(law, runs):
    """Return a posterior per target."""
    tables = [runs[runs["domain"] == d].reset_index(drop=True) for d in domains]
    posts = bs.fit_many(law, tables, discrepancy=False, **how)
    return dict(zip(domains, posts, strict=True))


BIMIX, LINEAR, EXPONENTIAL = LAWS = ["bimix(r, D)", "mixture_log_linear", "mixture_exponential"]
fits = {law: fitted(law, runs) for law in LAWS}
model = dict(N=1.235e9, D="25B")
axes = bs.plots.proportion(fits[EXPONENTIAL], at=model)

# %% [markdown]
# ## 3. Which law?
#
# Which of them foretells a *new mixture* better? Rows of one mixture stray from a law together, so whole mixtures
# are left out, not rows: `leave_out="mixture"`. Here for one target: a difference of several standard errors decides.


# %%
compared = bs.compare({law: fits[law][domains[0]] for law in LAWS}, leave_out="mixture")
compared

# %% [markdown]
# ## 4. The best mixture
#
# All targets count alike here; with `weights={"github": 3, "wikipedia": 1}` they do not. Left in the figure: the best
# mixture (dot), the natural one (ring), where the optimum of a posterior draw lies (blue), and behind it how far
# mixtures reach that are within 0.1% of the best one's loss. Right: what is gained, target by target. The law is
# `mixture_exponential`.

# %%
best = bs.optimal_mixture(fits[EXPONENTIAL], at=model, natural=natural)
best

# %%
axes = bs.plots.mixture(best)

# %% [markdown]
# The blue bars are how well the optimum is *known*, the coloured ones how much it *matters*: the loss is flat around
# its least value, so a proportion may be moved within the coloured range for reasons that no loss sees (licences,
# quality, what is at hand). What is gained on average is lost on some targets: the natural mixture is mostly web, and
# whoever cares for web alone should stay with it. Read the notes below the table: where the best mixture or the natural
# one lies outside all averages of the mixtures seen, the law is extrapolated, and no interval says whether it holds
# there.
#
# Another law, the same question:

# %%
other = bs.optimal_mixture(fits[BIMIX], at=model, natural=natural)
both = {BIMIX: other, EXPONENTIAL: best}
table = pd.DataFrame({"natural": best.natural, **{law: found.best for law, found in both.items()}})
print({law: f"regret of natural {found.regret(natural):.4f}" for law, found in both.items()})
print(f"under {EXPONENTIAL} the mixture of {BIMIX} has a regret of {best.regret(other.best):.4f}")
print(f"under {BIMIX} the mixture of {EXPONENTIAL} has a regret of {other.regret(best.best):.4f}")
table.round(3)

# %% [markdown]
# Two laws, two optima: no interval within one law covers that. But the last lines say what it costs to follow the
# wrong one, against what staying with the natural mixture costs. A mixture that is good under both is safe.
#
# ## 5. There is only so much of it
#
# A trillion tokens of the best mixture would take more of the small domains than there is. With `tokens=` (how many
# there are) and `repeats=4` a domain's proportion is at most four times its tokens over all that is trained on.

# %%
large = dict(model, D="1T")
held = bs.optimal_mixture(fits[EXPONENTIAL], at=large, natural=natural, tokens=tokens, repeats=4)
held

# %%
free = bs.optimal_mixture(fits[EXPONENTIAL], at=large, natural=natural)
rows = {}
for name, found in {"no cap": free, "at most four times": held}.items():
    gain = found.against(level=0.95).loc["weighted mean"]
    rows[name] = {
        "loss lower than natural": f"{gain['median']:.3f} ({gain['low95']:.3f} to {gain['high95']:.3f})",
        "P(better)": f"{gain['P(better)']:.2f}",
        "regret of the best": f"{found.regret():.4f}",
        **{d: f"{x:.3f}" for d, x in found.best.items()},
    }
pd.DataFrame(rows)

# %% [markdown]
# ## 6. Mixtures that need no runs
#
# Ge et al. 2024 (arXiv:2405.14908) propose mixtures from token statistics alone: the proportion of a domain grows with
# the entropy of its tokens, `bs.entropy_mixture`. They publish those of SlimPajama by four entropies: unigram (SE),
# conditional (CE), joint (JE) and von Neumann (VNE). What would they cost under our fits?

# %%
try:
    published = pd.read_csv(DATA / "mixtures" / "bimix_table_slimpajama.csv").set_index("domain")
    published.index = [{"books": "book"}.get(d.lower(), d.lower()) for d in published.index]
    published = published.loc[domains]
    # Entropies that differ as the published proportions do: r = exp(H) / sum exp(H) gives these back.
    again = bs.entropy_mixture(dict(np.log(published["CE"])))
    print(f"largest difference: {max(abs(again[d] - published.loc[d, 'CE']) for d in domains):.4f}")
except (FileNotFoundError, KeyError):
    entropies = dict(zip(domains, (6.2, 5.1, 5.9), strict=False))
    published = pd.DataFrame({"natural": natural, "entropy": dict(bs.entropy_mixture(entropies))})
published = published / published.sum()
pd.DataFrame(
    {
        f"regret under {law}": {name: found.regret(published[name]) for name in published} | {"best": found.regret()}
        for law, found in both.items()
    }
).round(4)

# %% [markdown]
# ## 7. How many mixtures does it take?
#
# The same fit with half of the mixtures, chosen at random. `regret` is what each fit says of its own best mixture, and
# `by all runs` what the fit to all of them says of it.

# %%
rows, rng = [], np.random.default_rng(0)
names = rng.permutation(runs["mixture"].unique())
for n in (len(names) // 2, len(names)):
    fit = fits[EXPONENTIAL] if n == len(names) else fitted(EXPONENTIAL, runs[runs["mixture"].isin(names[:n])])
    found = bs.optimal_mixture(fit, at=model, natural=natural)
    width = (found.draws.quantile(0.975) - found.draws.quantile(0.025)).mean()
    cost = best.regret(found.best)
    rows.append({"mixtures": n, "mean width of 95% intervals": width, "regret": found.regret(), "by all runs": cost})
pd.DataFrame(rows).set_index("mixtures").round(4)

# %% [markdown]
# ## 8. A larger model
#
# Which mixture is best is one question, what the large model will reach on it another. For that one takes the runs of
# all sizes, and it is easily answered too surely: the runs of one size share hyper-parameters and evaluation, and stray
# from any law *together*. Two hundred runs of five sizes tell as much of N as five runs do. With
# `noise="student-t by N"` the runs of one size share an effect, and a new size has one of its own.
#
# The law is `mixture_drift`: the additive law of Shukor et al., whose terms of N and D are those that forecast larger
# runs best on tables without mixtures. Below it is fitted to all runs up to 1.235B, and asked for the four of 2.7B.


# %%
def off_forecast(noise):
    """Return measured losses of the largest size and 90% intervals, both in % of the forecast."""
    forecasts = []
    tables = [of.drop(columns="run") for of in smaller.values()]
    posts = bs.fit_many("mixture_drift", tables, noise=noise, **short)
    for domain, post in zip(domains, posts, strict=True):
        forecast = post.predict(larger[domain])
        low, high = forecast.interval(0.9)
        table = pd.DataFrame(dict(low=low, measured=larger[domain]["loss"].to_numpy(), high=high))
        forecasts.append((100 * (table.div(forecast.median, axis=0) - 1)).assign(target=domain))
    return pd.concat(forecasts, ignore_index=True)


by_size = last_checkpoints(sizes)
is_large = by_size["N"] == by_size["N"].max()
smaller = {d: by_size[~is_large & (by_size["domain"] == d)].reset_index(drop=True) for d in domains}
larger = {d: by_size[is_large & (by_size["domain"] == d)].reset_index(drop=True) for d in domains}
noises = ["student-t", "student-t by N"]
short = how | dict(chains=2, warmup=min(500, how.get("warmup", 500)), second_try=False)  # enough for a figure
off = {noise: off_forecast(noise) for noise in noises}
held = {noise: ((of["low"] <= of["measured"]) & (of["measured"] <= of["high"])).mean() for noise, of in off.items()}
pd.Series(held, name="share of losses inside 90% intervals").to_frame().round(2)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (noise, of) in zip(axes, off.items(), strict=True):
    place = np.arange(len(of))
    ax.vlines(place, of["low"], of["high"], color="#0072B2", lw=4, alpha=0.4)
    ax.plot(place, of["measured"], ".", color="black")
    ax.axhline(0, color="0.6", lw=0.8)
    ax.set_xticks([place[of["target"] == d].mean() for d in domains], domains, rotation=30, ha="right")
    ax.set_title(f'noise="{noise}"')
axes[0].set_ylabel("off the forecast, %")
plt.show()

# %% [markdown]
# ## 9. With your own runs
#
# 1. **Spread the mixtures.** A domain that has the same proportion in all runs tells nothing of itself, and a best
#    mixture outside of those trained is a guess: train one like it, and fit again.
# 2. **Say what counts** with `weights=` before you look at the optimum, not after.
# 3. **Compare laws by mixtures left out**, and prefer a mixture that has little regret under each that is in the race.
# 4. **Forecast a larger size** from several sizes, with `noise="student-t by N"`.
# 5. **Look at the near-optimal range first.** If the natural mixture lies in it, there is nothing to gain.
#
# On the command line: `bayesscale mixture runs.csv --natural web=0.7 code=0.2 wiki=0.1`.
#
# And what no interval here covers: targets that are not in the table, another model size where the law says nothing of
# it, and tokens that are repeated so often that they teach nothing more.
