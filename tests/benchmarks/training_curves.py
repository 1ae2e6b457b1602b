"""The end of a training curve forecast from its first part, under four noises; Kaplan's exponents from curves.

    python tests/benchmarks/training_curves.py [--cosine]

Data: multipower_curves (Luo et al. 2025, arXiv:2503.12811) and porian2024 (Porian et al. 2024, arXiv:2406.19146) in the
folder that $BAYESSCALE_DATA names. Curves are thinned to 32 rows even in log S. A law without the learning rate cannot
know that its decay lowers the end of a cosine curve: those curves show how a forecast fails then.
"""

import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro.infer.util import initialize_model, potential_energy

import bayesscale as bs
from bayesscale.curve_noise import Curve
from bayesscale.forecast import expectation
from bayesscale.inference import compiling, precise, rows_of
from bayesscale.inference.program import model

FOLDER = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SIZES = {"25M": 25e6, "100M": 100e6, "400M": 400e6}
# The rate climbs to its peak over 2160 steps, which bring as much as half as many at the peak: counted from there,
# curves follow a power law more closely.
WARMED_UP, HALF_WARMUP = 2160, 1080
ROWS, TARGETS = 32, 8
LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class Drifting(Curve):
    """The rival without a slope: what a run has of its own is an Ornstein-Uhlenbeck process."""

    name: ClassVar[str] = "Ornstein-Uhlenbeck"

    @staticmethod
    def transition(gap, length, exp=np.exp):
        """Carry the course over; there is no slope."""
        e = exp(-gap / length)
        return (e, 0.0 * e, 0.0 * e, 0.0 * e), (1 - e**2, 0.0 * e, 1.0 + 0.0 * e)


NOISES = {"independent rows": "student-t", "run effects": "student-t", "OU": Drifting(), "curve": "curve"}
LAWS = {"power(S)": False, "kaplan_ns": True, "chinchilla(N, S)": True}  # whether it takes all sizes at once


def even(frame, rows):
    """Rows of a curve about evenly spaced in log S."""
    logs = np.log(frame["S"].to_numpy())
    wanted = np.linspace(logs[0], logs[-1], rows)
    return frame.iloc[np.unique(np.abs(logs - wanted[:, None]).argmin(axis=1))]


def curve(schedule, size, offset):
    """One curve after the warm-up."""
    frame = pd.read_csv(FOLDER / "multipower_curves" / "curves.csv")
    frame = frame[(frame["schedule"] == schedule) & (frame["model"] == size) & (frame["step"] > WARMED_UP)]
    made = pd.DataFrame(dict(run=size, N=SIZES[size], S=frame["step"] - float(offset), loss=frame["loss"]))
    return made.sort_values("S", ignore_index=True)


def problems(schedules, together):
    """Yield (schedule, steps, fraction, seen, to forecast)."""
    for schedule in schedules:
        for offset in (0, HALF_WARMUP):
            for fraction in (1 / 4, 1 / 2):
                seen, later = [], []
                for size in SIZES:
                    whole = curve(schedule, size, offset)
                    cut = fraction * (whole["S"].iloc[-1] + offset) - offset
                    seen.append(even(whole[whole["S"] <= cut], ROWS))
                    later.append(even(whole[whole["S"] > cut], TARGETS))
                where = schedule, "at peak" if offset else "counted", fraction
                if together:
                    yield *where, pd.concat(seen, ignore_index=True), pd.concat(later, ignore_index=True)
                else:
                    yield from ((*where, *each) for each in zip(seen, later, strict=True))


def autocorrelation(post):
    """Lag-1 autocorrelation of the residuals around the posterior's median law, averaged over runs."""
    runs = post.runs.table
    residual = np.log(runs["loss"] / np.median(fitted(post), axis=0))
    each = [np.corrcoef(r[1:], r[:-1])[0, 1] for _, r in residual.groupby(runs.get("run", pd.Series(runs["N"])))]
    return float(np.mean(each))


def fitted(post):
    """Return the law at its own rows: draws by rows."""
    x = {c: post.runs.column(c) for c in post.law.columns}
    return expectation(post.law, post.flat_draws, x, post.centers)


def forecasts(schedules):
    """Score every law and noise on every problem: one row per target."""
    scored = []
    for law, together in LAWS.items():
        asked = list(problems(schedules, together))
        for name, noise in NOISES.items():
            alone = name == "independent rows"
            tables = [bs.read_runs(seen.drop(columns="run") if alone else seen) for *_, seen, _ in asked]
            for (*where, _, later), post in zip(
                asked, bs.fit_many(law, tables, noise=noise, discrepancy=False), strict=True
            ):
                forecast = post.predict(later[["run", "N", "S"]])
                found = later.assign(law=law, noise=name, schedule=where[0], steps=where[1], fraction=where[2])
                found["end"] = ~found.duplicated("run", keep="last")
                found["error"] = 100 * np.log(forecast.median / later["loss"])
                low, high = forecast.interval(0.95)
                found["width"] = 100 * np.log(high / low)
                for level in LEVELS:
                    low, high = forecast.interval(level)
                    found[f"in{100 * level:g}"] = (low <= later["loss"]) & (later["loss"] <= high)
                found["trouble"] = bool(post.settings["trouble"])
                found["rhat"], found["divergent"] = post.summary()["rhat"].max(), post.stats["diverging"].sum()
                found["leapfrogs"], found["lag 1"] = post.stats["n_steps"].mean(), autocorrelation(post)
                found["length"] = np.median(post.draws.get("length", np.nan))
                scored.append(found)
    return pd.concat(scored, ignore_index=True)


def coverage(found, by):
    """Shares of targets inside their intervals, median absolute error and width (%), and how the sampler fared."""
    groups = found.groupby(by, sort=False)
    table = groups[["in50", "in80", "in95"]].mean()
    table["|error| %"] = groups["error"].apply(lambda x: x.abs().median())
    return table.assign(**{"width95 %": groups["width"].median(), "targets": groups.size()})


def sampler(found):
    """How the sampler fared, by law and noise: over fits."""
    groups = found[found["end"]].groupby(["law", "noise"], sort=False)
    worst = groups[["rhat", "divergent", "leapfrogs"]].max()
    return worst.assign(**{"median leapfrogs": groups["leapfrogs"].median(), "lag 1": groups["lag 1"].median()}).assign(
        length=groups["length"].median(), trouble=groups["trouble"].sum()
    )


def gradient_time(law, noise, runs, repeats=2000):
    """Microseconds per gradient of the potential that is sampled."""
    law, noise = bs.law.named(law), bs.noise.named(noise)
    with precise("float64"), compiling():
        rows = jax.tree.map(jnp.asarray, rows_of(law, runs))
        start = initialize_model(jax.random.PRNGKey(0), model, model_args=(law, noise, rows)).param_info.z

        @jax.jit
        def many(z):
            gradient = jax.grad(lambda z: potential_energy(model, (law, noise, rows), {}, z))
            step = lambda _, z: jax.tree.map(lambda x, g: x - 1e-12 * g, z, gradient(z))  # noqa: E731
            return jax.lax.fori_loop(0, repeats, step, z)

        jax.block_until_ready(many(start))
        took = []
        for _ in range(5):
            began = time.process_time()
            jax.block_until_ready(many(start))
            took.append(time.process_time() - began)
    return 1e6 * min(took) / repeats


def cost():
    """What a gradient costs beside chinchilla's on the same rows."""
    table = next(problems(["constant_72000"], together=True))[3]
    runs, alone = bs.read_runs(table), bs.read_runs(table.drop(columns="run"))
    base = gradient_time("chinchilla(N, S)", "student-t", alone)
    rows = {}
    for law in ("chinchilla(N, S)", "kaplan_ns"):
        for name, noise in NOISES.items():
            spent = gradient_time(law, noise, alone if name == "independent rows" else runs)
            rows[law, name] = {"us per gradient": spent, "times chinchilla's": spent / base}
    return pd.DataFrame.from_dict(rows, orient="index")


SETUPS = {  # Porian et al. 2024, figure 1, RefinedWeb: (hparams, warmup, decay, param_count, loss_split) -> exponent
    "reproducing Kaplan": (("base", "long", "kaplan", "kaplan", "train"), 0.835),
    "+ last layer's FLOP": (("base", "long", "kaplan", "standard", "val"), 0.706),
    "+ short warm-up": (("base", "short", "kaplan", "standard", "val"), 0.602),
    "constant rate, tuned": (("tuned", "short", "const", "standard", "val"), 0.497),
}


def porian():
    """Kaplan's exponents from Porian's runs: at a fixed batch S is D / B, so that the exponent of D is alpha_S.

    The tuned runs have a batch of their own for each N, which is not in the table.
    """
    table = pd.read_csv(FOLDER / "porian2024" / "isoflop.csv")
    columns = ["hparams", "warmup", "decay", "param_count", "loss_split"]
    rows = {}
    for setup, (which, published) in SETUPS.items():
        chosen = table[(table["dataset"] == "rw") & (table[columns] == list(which)).all(axis=1)]
        chosen = chosen[["N", "D", "loss"]].groupby(["N", "D"], as_index=False).mean()
        chosen["run"] = "N=" + chosen["N"].map("{:.0f}".format)
        for name, noise in NOISES.items():
            seen = chosen.drop(columns="run") if name == "independent rows" else chosen
            post = bs.fit("kaplan_ns(N, D)", seen, noise=noise, discrepancy=False)
            d = post.flat_draws
            d["N_opt"] = d["alpha_S"] / (d["alpha_N"] + d["alpha_S"])
            tails = {k: np.quantile(d[k], [0.05, 0.5, 0.95]) for k in ("alpha_N", "alpha_S", "N_opt")}
            said = {k: f"{middle:.3f} ({low:.3f}, {high:.3f})" for k, (low, middle, high) in tails.items()}
            more = {k: np.median(d[k]) for k in ("sigma", "sigma_run", "length") if k in d}
            said |= {"published": published, "rows": len(chosen), "runs": chosen["run"].nunique(), **more}
            said |= {"rhat": post.summary()["rhat"].max(), "leapfrogs": post.stats["n_steps"].mean()}
            rows[setup, name] = said | {"trouble": post.settings["trouble"]}
    return pd.DataFrame.from_dict(rows, orient="index")


def main():
    """Print the tables."""
    warnings.simplefilter("ignore", bs.errors.BayesscaleWarning)
    pd.set_option("display.width", 200, "display.max_columns", 30)
    schedules = ["cosine_24000", "cosine_72000"] if "--cosine" in sys.argv else ["constant_24000", "constant_72000"]
    found = forecasts(schedules)
    show = lambda title, table: print(f"\n{title}\n{table.to_string(float_format='{:.3g}'.format)}", flush=True)  # noqa: E731
    show("The end of the curve", coverage(found[found["end"]], ["noise"]))
    show("Along the rest of the curve", coverage(found, ["noise"]))
    show("The end, by law and steps", coverage(found[found["end"]], ["law", "steps", "noise"]))
    show("The end, by part seen", coverage(found[found["end"]], ["fraction", "noise"]))
    show("Sampling: the worst fit, medians", sampler(found))
    if "--cosine" not in sys.argv:
        show("Cost", cost())
        show("Kaplan's exponents from Porian's runs: median and 90% interval", porian())


if __name__ == "__main__":
    main()
