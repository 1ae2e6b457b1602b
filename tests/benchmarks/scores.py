"""What is said of a contender's draws, and of two contenders' agreement: one set of functions for all."""

import numpy as np
from arviz_stats.base import array_stats
from same_model import PARAMETERS

TAILS = (0.05, 0.95)  # the quantiles whose smaller ESS is the tail ESS: ArviZ's default, and Stan's


def load(path):
    with np.load(path) as file:
        return dict(file)


def score(draws):
    """Efficiency, health, and each parameter's mean and sd with their Monte Carlo standard errors.

    The moments of A and B are those of ln A and ln B: with few runs they span decades, and an sd of such a tail has no
    trustworthy standard error. ESS and R-hat are on ranks, so the same either way.
    """
    marginals = {name: np.asarray(draws[name], dtype=float) for name in PARAMETERS}
    moments = {}
    for name, values in marginals.items():
        label, values = (f"ln {name}", np.log(values)) if name in ("A", "B") else (name, values)
        moments[label] = {
            "mean": float(values.mean()),
            "mean_error": float(array_stats.mcse(values, method="mean")),
            "sd": float(values.std(ddof=1)),
            "sd_error": float(array_stats.mcse(values, method="sd")),
        }
    return {
        "draws": int(marginals["E"].size),
        "bulk_ess": float(min(array_stats.ess(values, method="bulk") for values in marginals.values())),
        "tail_ess": float(min(array_stats.ess(values, method="tail", prob=TAILS) for values in marginals.values())),
        "rhat": float(max(array_stats.rhat(values) for values in marginals.values())),
        "leapfrogs": float(np.mean(draws["n_steps"])),
        "divergences": int(np.sum(draws["diverging"])),
        "moments": moments,
    }


def disagreement(score, other):
    """Differences of means and of sds in standard errors: {"E": {"mean": z, "sd": z}, ...}."""
    return {
        name: {
            moment: (ours[moment] - theirs[moment]) / np.hypot(ours[f"{moment}_error"], theirs[f"{moment}_error"])
            for moment in ("mean", "sd")
        }
        for name, ours, theirs in ((name, score["moments"][name], other["moments"][name]) for name in score["moments"])
    }


def worst(disagreement):
    """The largest of them and whose it is."""
    name, moment = max(
        ((name, moment) for name in disagreement for moment in ("mean", "sd")),
        key=lambda where: abs(disagreement[where[0]][where[1]]),
    )
    return float(disagreement[name][moment]), f"{moment} of {name}"
