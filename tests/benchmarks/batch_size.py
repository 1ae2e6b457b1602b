"""What is the best batch size, and the best learning rate? The laws of both on two real sweeps.

    python tests/benchmarks/batch_size.py

1. Step Law's dense sweep, the best learning rate of each (N, D, B): which law of the batch size predicts best.
2. The whole sweep: the optimum as powers of N and D, from runs near the bottom of each (N, D), and what that hangs on:
   which runs count as near, whether a cell's runs share an effect, and one fit for each cell alone.
3. The best batch and rate at 1e11 tokens; and the larger half of the cells forecast from the smaller half.
4. What it costs: R-hat, divergences, leapfrogs, time per gradient beside chinchilla's on the same rows.
5. Zhang et al.'s steps to a target: the critical batch size in two definitions from one posterior.

Rows used: D up to 3e10 tokens, the authors' smoothed final loss; for the surface, runs within 2 % of the lowest loss of
their (N, D): far enough to see the bowl above a scatter of .2 %, near enough for a bowl of few parameters.

The data: steplaw/dense.csv and zhang_cbs/steps_to_target.csv in the folder `$BAYESSCALE_DATA`, or in `shared/data`
beside the repository. About ten minutes on two cores.
"""

import os
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro import distributions as dist
from scipy.optimize import minimize_scalar

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.law import law, prior, sample, split_at_center

NEAR, LARGEST_D, TARGET_D = 0.02, 3e10, 1e11
SURFACE = ["N", "D", "B", "lr", "loss", "run"]
STEP_LAW = dict(B_D=0.571, lr_N=-0.713, lr_D=0.307)  # B = .58 D^.571, lr = 1.79 N^-.713 D^.307
CRITICAL = {
    "85M": 1.12e6,
    "151M": 1.66e6,
    "302M": 2.78e6,
    "604M": 4.05e6,
    "1.2B": 5.70e6,
}  # E_min / S_min, least squares
B_REF, OVERHEAD = 256 * 512, 0.2  # Zhang et al.: 20 % above linear scaling from 256 sequences of 512 tokens


def data(name):
    folder = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    return pd.read_csv(folder / name)


def sweep(frame):
    """Return the runs in our names; ``run`` is the (N, D) cell, ``excess`` how far above the cell's best loss."""
    columns = dict(N=frame["N"], D=frame["D"], B=frame["batch_tokens"], lr=frame["lr"], loss=frame["loss_smooth"])
    runs = pd.DataFrame(columns).astype(float)
    runs = runs[runs["D"] <= LARGEST_D].reset_index(drop=True)
    cell = runs.groupby(["N", "D"])
    return runs.assign(run="cell " + cell.ngroup().astype(str), excess=runs["loss"] / cell["loss"].transform("min") - 1)


def best_rates(runs):
    """Return the best run of each (N, D, B), with its steps."""
    best = runs.loc[runs.groupby(["N", "D", "B"])["loss"].idxmin(), ["N", "D", "B", "loss"]]
    return best.assign(S=best["D"] / best["B"]).reset_index(drop=True)


def near(runs, excess=NEAR):
    return runs.loc[runs["excess"] <= excess, SURFACE]


def quantiles(x, level=0.9):
    low, median, high = np.quantile(x, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return f"{median:.4g} [{low:.4g}, {high:.4g}]"


def quality(post):
    rhat = post.summary()["rhat"].max()
    said = f"R-hat {rhat:.3f}, {post.stats['diverging'].sum()} divergent, {post.stats['n_steps'].mean():.0f} leapfrogs"
    return said + (f" (first try: {post.settings['first_try']})" if post.settings.get("first_try") else "")


@law(takes=("N", "D", "B"))
def chinchilla_batch_of_loss(N, D, B):
    """L = E + A / N^alpha + F / D_min^beta, D_min = D / (1 + B / B_crit), B_crit = B_star / L^(1 / alpha_B)

    Kaplan et al.'s critical batch, eq. 5.3, in `chinchilla_batch`: L stands on both sides.
    """
    E, a, f = split_at_center("E", "A", "F")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=f)
    small = sample("share_D_min", prior.share(0.0, spread=2.0))  # D_min / D at the centre
    alpha_B = sample("alpha_B", prior.exponent(0.18, spread=0.40))
    rest = E + a * jnp.exp(-alpha * N.log_ratio)
    tokens = f * small**beta * jnp.exp(-beta * D.log_ratio)
    waste_there = (1 - small) / small * jnp.exp(B.log_ratio)
    log_L = jnp.log(rest + tokens) - jnp.log(E + a + f)  # with the smallest batches, relative to the centre
    for _ in range(4):  # Newton's steps climb to the solution from below
        waste = waste_there * jnp.exp(log_L / alpha_B)
        term = tokens * (1 + waste) ** beta
        slope = term / (rest + term) * beta / alpha_B * waste / (1 + waste)
        log_L = log_L + (jnp.log((rest + term) / (E + a + f)) - log_L) / jnp.maximum(1 - slope, 0.2)
    return (E + a + f) * jnp.exp(log_L)


# -- the optimum of each draw -----------------------------------------------------------------------


def three_term_batch(draws, D):
    b, c = draws["b"], draws["c"]
    return (c * draws["G"] / (b * draws["F"])) ** (1 / (b + c)) * D ** (b / (b + c))


def surface_optimum(draws, name, N, D):
    """B_opt (name "B") or lr_opt (name "lr") of each draw."""
    return draws[f"{name}_0"] * N ** draws[f"{name}_N"] * D ** draws[f"{name}_D"]


# -- one fit for each cell: how far do the optima scatter around a power? ---------------------------


def shaped_like(post):
    """The surface with the bowls of a fit as priors: what is left open is the level and where the optimum is."""
    d = post.flat_draws
    bowls = {k: dist.LogNormal(np.log(d[k]).mean(), np.log(d[k]).std()) for k in ("b", "c", "p", "q", "k")}
    height = (1 - d["share_A"]) * d["reducible"]  # of the tokens' term, which sets the height of the bowls
    share = prior.share(np.log(height / (1 - height)).mean(), spread=0.2)
    return laws.named("batch_lr_power").with_priors(**bowls, reducible=share, share_A=prior.share(-6.0, spread=0.1))


def cell_optima(runs, post):
    """Fit each (N, D) alone, with the bowls of a fit to all; return each optimum and its error, on the log scale."""
    cells = [cell.drop(columns="run") for _, cell in near(runs).groupby("run", sort=False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one N and one D in each table: as meant
        posts = bs.fit_many(shaped_like(post), cells, chains=2, draws=500, discrepancy=False)
    rows = []
    for cell, post in zip(cells, posts, strict=True):
        N, D = cell[["N", "D"]].iloc[0]
        logs = {k: np.log(surface_optimum(post.flat_draws, k, N, D)) for k in ("B", "lr")}
        rows.append(
            dict(N=N, D=D, **{k: x.mean() for k, x in logs.items()}, B_se=logs["B"].std(), lr_se=logs["lr"].std())
        )
    return pd.DataFrame(rows)


def powers(cells, name):
    """Regress log optima on log N, log D with scatter tau of the cells' own (REML); also a function that forecasts."""
    center = np.log(cells[["N", "D"]]).mean()
    X = np.c_[np.ones(len(cells)), np.log(cells[["N", "D"]]) - center]
    y, error = cells[name].to_numpy(), cells[f"{name}_se"].to_numpy()

    def solve(tau):
        w = 1 / (error**2 + tau**2)
        covariance = np.linalg.inv(X.T @ (w[:, None] * X))
        at = covariance @ X.T @ (w * y)
        misfit = np.sum(w * (y - X @ at) ** 2) - np.log(w).sum() - np.linalg.slogdet(covariance)[1]
        return misfit, at, covariance

    tau = minimize_scalar(lambda t: solve(t)[0], bounds=(0.0, 0.5), method="bounded").x
    _, at, covariance = solve(tau)

    def forecast(N, D):
        x = np.r_[1.0, np.log([N, D]) - center]
        return x @ at, np.sqrt(x @ covariance @ x + tau**2)

    return at[1:], np.sqrt(np.diag(covariance))[1:], tau, forecast


# -- the whole surface, cells drawn again: intervals that do not trust a cell to lie on the power ---


def bagged(runs, repeats=24, seed=0):
    """Fit the surface to Bayesian bootstraps over cells; return the draws of all fits together."""
    rng = np.random.default_rng(seed)
    names, tables = runs["run"].unique(), []
    for _ in range(repeats):
        weights = pd.Series(len(names) * rng.dirichlet(np.ones(len(names))), index=names)
        tables.append(near(runs).assign(weight=lambda t, w=weights: t["run"].map(w)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few draws of each: only all together count
        posts = bs.fit_many("batch_lr_power", tables, chains=2, draws=250, second_try=False, discrepancy=False)
    rough = sum(bool(p.settings["trouble"]) for p in posts)
    print(f"  ({rough} of {repeats} bootstrap fits, of 500 draws each, would be refused on their own)")
    return {k: np.concatenate([p.flat_draws[k] for p in posts]) for k in posts[0].law.constants}


# -- the five parts ---------------------------------------------------------------------------------


def compare_laws(best):
    print(f"\n1. {len(best)} best rates: which law predicts best?")
    comparison = bs.compare(
        best,
        ["three_term", "batch_power", chinchilla_batch_of_loss, "chinchilla_batch", "chinchilla"],
        discrepancy=False,
    )
    print(comparison)
    for name, post in comparison.posteriors.items():
        mean = np.median(post.predict(best, kind="mean").draws, axis=0)
        print(f"  {name:<25} residual sd {np.std(np.log(best['loss'] / mean)):.4f}; {quality(post)}")
    return comparison.posteriors


def exponents(runs, fits):
    print("\n2. Exponents of the optimum, 90 % intervals")
    d = fits["three_term"].flat_draws
    print(
        f"  three_term        b {quantiles(d['b'])}, c {quantiles(d['c'])}: B_D {quantiles(d['b'] / (d['b'] + d['c']))}"
    )
    d = fits["batch_power"].flat_draws
    print(f"  batch_power       B_D {quantiles(d['B_D'])}, B_N {quantiles(d['B_N'])}")
    print(f"  Step Law          {STEP_LAW}")
    print("  argmin of quadratics fitted to each cell (laws.md): B_D .606, B_N -.115, lr_N -.614, lr_D .201")
    surfaces = {}
    for excess in (0.015, NEAR, 0.03, 0.05):
        for shared in (True, False):
            if not shared and excess != NEAR:
                continue
            table = near(runs, excess) if shared else near(runs, excess).drop(columns="run")
            post = surfaces[excess, shared] = bs.fit("batch_lr_power", table, discrepancy=False)
            print(
                f"  surface within {100 * excess:g} %, {len(table)} runs, effects of cells: {shared}; {quality(post)}"
            )
            print(
                "    " + ", ".join(f"{k} {quantiles(post.flat_draws[k])}" for k in ("B_D", "B_N", "lr_N", "lr_D", "k"))
            )
    local = bs.fit("batch_power", best_rates(near(runs)), discrepancy=False)
    print(
        "  batch_power, best rates within 2 %: "
        + ", ".join(f"{k} {quantiles(local.flat_draws[k])}" for k in ("B_D", "B_N"))
    )
    print(f"    B_opt at N = 1e9, D = {TARGET_D:g}: {intervals(surface_optimum(local.flat_draws, 'B', 1e9, TARGET_D))}")
    cells = cell_optima(runs, surfaces[NEAR, True])
    print("  each cell alone with the bowls of all, then a power of N and D with scatter tau of the cells' own:")
    for name in ("B", "lr"):
        at, error, tau, _ = powers(cells, name)
        print(f"    {name}: N {at[0]:.3f} +- {error[0]:.3f}, D {at[1]:.3f} +- {error[1]:.3f}, tau {tau:.3f}")
    bag = bagged(runs)
    print(
        "  surface, cells bootstrapped: "
        + ", ".join(f"{k} {quantiles(bag[k])}" for k in ("B_D", "B_N", "lr_N", "lr_D"))
    )
    return surfaces[NEAR, True], cells, bag


def intervals(x):
    low95, low80, low50, median, high50, high80, high95 = np.quantile(x, [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    pairs = (f"[{low:.3g}, {high:.3g}]" for low, high in ((low50, high50), (low80, high80), (low95, high95)))
    return f"{median:.3g} " + " ".join(pairs)


def optima_by_way(fits, surface, bag, cells, name, N, D):
    """Draws of the optimum at N and D, by each way to know it."""
    ways = {"surface": surface.flat_draws, "surface, bagged": bag}
    if "batch_power" in fits and name == "B":
        ways = {"batch_power": fits["batch_power"].flat_draws, **ways}
    draws = {way: surface_optimum(d, name, N, D) for way, d in ways.items()}
    if name == "B":
        draws = {"three_term": three_term_batch(fits["three_term"].flat_draws, D), **draws}
    at, error = powers(cells, name)[-1](N, D)
    return draws | {"cell by cell": np.exp(np.random.default_rng(0).normal(at, error, 4000))}


def forecasts(runs, fits, surface, cells, bag):
    print(f"\n3. Forecast at D = {TARGET_D:g}: median, 50, 80, 95 % intervals")
    for N in sorted({*runs["N"], 1e9}):
        print(f"  N = {N:.3g}")
        for name in ("B", "lr"):
            for way, x in optima_by_way(fits, surface, bag, cells, name, N, TARGET_D).items():
                print(f"    {name:<2} {way:<16} {intervals(x)}")
    backtest(runs, cells)


def backtest(runs, cells):
    """Forecast the optima of the cells of many tokens from those of few: ours, by the data of each cell alone."""
    small, large = runs[runs["D"] <= 1.2e10], cells[cells["D"] >= 2e10]
    few = cells[cells["D"] <= 1.2e10]
    print(f"  cells of D >= 2e10 from the {len(few)} of D <= 1.2e10: log(found / forecast), (over its sd)")
    fits = {law: bs.fit(law, best_rates(small), discrepancy=False) for law in ("three_term", "batch_power")}
    surface, bag = bs.fit("batch_lr_power", near(small), discrepancy=False), bagged(small)
    for name in ("B", "lr"):
        for cell in large.itertuples():
            found, error = getattr(cell, name), getattr(cell, f"{name}_se")
            said = []
            for way, x in optima_by_way(fits, surface, bag, few, name, cell.N, cell.D).items():
                miss = found - np.log(x).mean()
                said.append(f"{way} {miss:+.2f} ({miss / np.hypot(np.log(x).std(), error):+.1f})")
            print(f"    {name:<2} N {cell.N:.3g} D {cell.D:.3g}: " + "; ".join(said))


def cost(runs, best):
    from gradient import gradient_time  # of this folder, which is on the path of a script only

    print("\n4. Microseconds per gradient, and beside chinchilla's on the same rows")
    alone = near(runs).drop(columns="run")
    for what, table, chosen in (
        ("best rates", best, ("three_term", "chinchilla_batch", chinchilla_batch_of_loss, "batch_power")),
        ("surface", alone, ("lr_power", "batch_lr_power")),
    ):
        base = min(gradient_time("chinchilla", table) for _ in range(3))
        print(f"  {what}, {len(table)} rows: chinchilla {base:.1f}")
        for name in chosen:
            spent = min(gradient_time(name, table) for _ in range(3))
            print(f"    {laws.named(name).name:<25} {spent:.1f}, {spent / base:.2f} times")


def hyperbolas(frame, steps="steps_used_in_fit"):
    """Fit S = S_min + E_min / B to each size; return the posteriors by model."""
    tables = dict(iter(frame.groupby("model", sort=False)))
    found = bs.fit_many(
        "steps_examples", [{"B": t["batch_tokens"], "S": t[steps]} for t in tables.values()], discrepancy=False
    )
    return dict(zip(tables, found, strict=True))


def critical(posts, N):
    """Per size: B_crit = E_min / S_min and Zhang et al.'s; and the exponents of both over D = 20 N, by draw."""
    ratio = np.array([p.flat_draws["E_min"] / p.flat_draws["S_min"] for p in posts.values()])
    both = {"E_min/S_min": ratio, "step-overhead": (1 + OVERHEAD) * B_REF + OVERHEAD * ratio}
    x = np.log(20 * np.asarray(N)) - np.log(20 * np.asarray(N)).mean()
    return both, {k: x @ np.log(v) / (x @ x) for k, v in both.items()}


def zhang(frame):
    print("\n5. Zhang et al.'s steps to a target, by size: 90 % intervals")
    for steps in ("steps_used_in_fit", "steps_to_target"):
        posts = hyperbolas(frame, steps)
        both, slopes = critical(posts, frame.groupby("model", sort=False)["N"].first())
        print(f"  {steps}")
        for (name, post), ratio, over in zip(posts.items(), *both.values(), strict=True):
            low, high = np.quantile(ratio, [0.05, 0.95])
            inside = "inside" if low < CRITICAL[name] < high else "OUTSIDE"
            print(
                f"    {name:<5} E_min/S_min {quantiles(ratio)}, least squares {CRITICAL[name]:.3g} {inside}; "
                f"step-overhead {quantiles(over / 512)} sequences; {quality(post)}"
            )
        print("    exponents over D: " + ", ".join(f"{k} {quantiles(v)}" for k, v in slopes.items()))


def main():
    runs = sweep(data("steplaw/dense.csv"))
    best = best_rates(runs)
    print(f"{len(runs)} runs in {runs['run'].nunique()} cells; {len(near(runs))} within {100 * NEAR:g} % of the best")
    zhang(data("zhang_cbs/steps_to_target.csv"))
    cost(runs, best)
    fits = compare_laws(best)
    forecasts(runs, fits, *exponents(runs, fits))


if __name__ == "__main__":
    main()
