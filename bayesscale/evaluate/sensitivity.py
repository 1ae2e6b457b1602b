"""Which answers are the prior's: prior and likelihood made a little stronger and weaker, by power scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.evaluate.finding import Finding
from bayesscale.intervals import masses
from bayesscale.targets import read_targets, target_names

__all__ = ["Sensitivity", "sensitivity"]

WEAKER, STRONGER = 0.8, 1.25
FELT = 0.05  # the distance of two normals whose means are a quarter of a standard deviation apart
APART = 0.25
WIDE = 10.0
KHAT = 0.7
WHY = {
    "the prior decides": "the data say little of it",
    "the prior has a say": "and so have the data",
    "prior-data conflict": "the data pull one way and the prior another",
}


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Finding):
    """How parameters, forecasts and decisions answer to prior and likelihood.

    Parameters
    ----------
    table : DataFrame
        One row per quantity: ``of`` ("parameter", "forecast", "decision"), the sensitivity to the ``prior`` and to the
        ``likelihood``, ``pull`` and ``data_pull`` (where to, in posterior standard deviations, its mean goes per
        doubling of the prior's or the likelihood's power), ``mostly`` (the parameter whose prior it is most sensitive
        to) and the ``diagnosis``.
    by_prior : DataFrame
        Sensitivity of each quantity (rows) to the prior of each parameter alone (columns).
    intervals : DataFrame
        One row per quantity and strength of the prior (``power``: .8 is weaker, 1 as fitted, 1.25 stronger):
        ``median`` and the ends of the interval of mass `level`.
    level : float
        Mass of these intervals.
    khat : float
        Pareto k-hat of the importance weights, the largest: reliable up to .7.
    law : str
    """

    table: pd.DataFrame
    by_prior: pd.DataFrame
    intervals: pd.DataFrame
    level: float
    khat: float
    law: str

    def shifts(self) -> pd.DataFrame:
        """Say how far the ends of the intervals move where the prior is weaker or stronger, in widths of the interval.

        Returns
        -------
        DataFrame
            One row per quantity: ``low_weaker``, ``high_weaker``, ``low_stronger``, ``high_stronger``. Intervals that
            range over a factor of ten are measured on the log scale.
        """
        names = [f"{side}{100 * self.level:g}" for side in ("low", "high")]
        ends = self.intervals.pivot_table(index="quantity", columns="power", values=names).reindex(self.table.index)
        low, high = (ends[name] for name in names)
        wide = (low[1.0] > 0) & (high[1.0] > WIDE * low[1.0])
        low, high = (end.where(~wide, np.log(end.where(wide, 1.0)), axis=0) for end in (low, high))
        width = high[1.0] - low[1.0]
        moved = {
            f"{side}_{how}": (end[power] - end[1.0]) / width
            for how, power in (("weaker", WEAKER), ("stronger", STRONGER))
            for side, end in (("low", low), ("high", high))
        }
        return pd.DataFrame(moved)

    @property
    def notes(self) -> list[str]:
        """What the table says in words."""
        said = []
        moved = self.shifts().abs().max(axis=1)
        for name, row in self.table[self.table["diagnosis"] != "-"].iterrows():
            share = f"its {100 * self.level:g}% interval moves by up to {100 * moved[name]:.0f}% of its width"
            why = WHY[row["diagnosis"]]
            whose = "its own prior" if row["mostly"] == name else f"the prior of {row['mostly']}"
            said.append(f"{name}: {row['diagnosis']} ({why}); most of it is {whose}; {share}")
        if not said:
            said = ["a prior a quarter stronger or weaker changes none of these answers by much"]
        if self.khat > KHAT:
            said.append(
                f"k-hat is {self.khat:.2f} (reliable up to {KHAT}): the numbers are rough; fit with other priors to be "
                "sure, law.with_priors(...)"
            )
        return said

    _numbers = ".2f"

    def _headline(self):
        return f"sensitivity of law {self.law} to prior and likelihood; {FELT} and more is felt"


def sensitivity(
    post, targets=None, *, decisions=None, kind: str = "new-run", level: float = 0.95, seed: int = 0
) -> Sensitivity:
    """Find out which answers are the prior's.

    The posterior is taken to p(data | parameters) p(parameters)^power with power .8 and 1.25, by importance weights
    over the draws: no new fit. Sensitivity is the cumulative Jensen-Shannon distance between the distributions of a
    quantity, per doubling of the power; the same with the likelihood in place of the prior.

    Parameters
    ----------
    post : Posterior
    targets : DataFrame, Runs or dict, optional
        Where forecasts are looked at too, as `Posterior.predict` takes them.
    decisions : callable or dict of str to callable, optional
        From the posterior to draws of a decision, one per draw in their order, such as
        ``{"N": lambda post: bs.allocate(post, C="1e24").draws["N"]}``.
    kind : {"new-run", "mean"}
        Of the forecasts.
    level : float
        Mass of the intervals.
    seed : int
        Of the scatter of new runs.

    Returns
    -------
    Sensitivity

    Raises
    ------
    LawError
        A decision does not give one number per draw, or the level is no probability.

    Notes
    -----
    Kallioinen, Paananen, Bürkner and Vehtari 2023. The priors of the law's, the noise's and the discrepancy's own
    parameters are scaled; not what runs and the discrepancy have of their own given those, which is part of the model.
    A quantity that answers to the prior and not to the likelihood is decided by the prior. Where it answers to both the
    prior has a say; they are in conflict where each moves it by a quarter of its standard deviation and more per
    doubling, in opposite directions.
    """
    (level,) = masses(level)
    by_site = {k: post.log_priors[k].ravel() for k in _priors(post)}
    likelihood = post.log_likelihood.sum(axis=-1).ravel()
    prior = sum(by_site.values())
    quantities = {name: ("parameter", post.draws[name].ravel()) for name in post.parameters}
    if targets is not None:
        quantities |= _forecasts(post, targets, kind, seed)
    quantities |= _decisions(post, decisions, len(prior))
    # A constant far from the data may leave the range of a float: what it is computed from does not.
    quantities = {k: (of, x) for k, (of, x) in quantities.items() if np.isfinite(x).all() and np.ptp(x) > 0}

    scales = {"prior": prior, "likelihood": likelihood, **{f"prior of {k}": v for k, v in by_site.items()}}
    weights = {
        name: {power: _weights(density, power) for power in (WEAKER, STRONGER)} for name, density in scales.items()
    }
    straight = {k: _straight(x) for k, (_, x) in quantities.items()}
    found = {k: {name: _distance(x, w) for name, w in weights.items()} for k, x in straight.items()}
    found = pd.DataFrame.from_dict(found, orient="index").rename_axis("quantity")
    by_prior = found.drop(columns=["prior", "likelihood"]).rename(columns=lambda name: name.removeprefix("prior of "))
    pulls = {
        name: [_pull(x, density) for x in straight.values()]
        for name, density in (("pull", prior), ("data_pull", likelihood))
    }
    table = found[["prior", "likelihood"]].assign(**pulls, mostly=by_prior.idxmax(axis=1))
    table["diagnosis"] = [_diagnosis(row.prior, row.likelihood, row.pull, row.data_pull) for row in table.itertuples()]
    table.insert(0, "of", [of for of, _ in quantities.values()])

    powers = {WEAKER: weights["prior"][WEAKER], 1.0: np.ones_like(prior), STRONGER: weights["prior"][STRONGER]}
    rows = [
        dict(quantity=name, power=power, **_interval(x, weight, level))
        for name, (_, x) in quantities.items()
        for power, weight in powers.items()
    ]
    khat = max(_khat(density, power) for density in (prior, likelihood) for power in (WEAKER, STRONGER))
    return Sensitivity(table, by_prior, pd.DataFrame(rows), level, khat, post.law.name)


def _priors(post):
    """Name the sites that have a prior of their own, not one given by another parameter's value."""
    own = {**post.law.priors(), **post.noise.priors(), **(post.discrepancy.priors() if post.discrepancy else {})}
    return [k for k in own if k in post.log_priors]


def _forecasts(post, targets, kind, seed):
    frame = read_targets(targets, takes=post.law.columns, shares=post.law.shares)
    draws = post.predict(frame, kind=kind, seed=seed).draws
    names = target_names(frame, takes=post.law.columns, gives=post.law.gives)
    return {name: ("forecast", x) for name, x in zip(names, draws.T, strict=True)}


def _decisions(post, decisions, n):
    decisions = {} if decisions is None else {"decision": decisions} if callable(decisions) else decisions
    if not isinstance(decisions, Mapping) or not all(isinstance(f, Callable) for f in decisions.values()):
        raise LawError('decisions is a function of the posterior, or a dict of them such as {"N": lambda post: ...}')
    found = {}
    for name, decide in decisions.items():
        draws = np.asarray(decide(post), float)
        if draws.shape != (n,) or not np.isfinite(draws).all():
            raise LawError(
                f"decision {name!r} gives an array of shape {draws.shape}: it must give one finite number for each of "
                f"the {n} posterior draws, in their order"
            )
        found[name] = "decision", draws
    return found


def _weights(density, power):
    from arviz_stats.base import array_stats

    log_weights = np.asarray(array_stats.power_scale_lw(density, alpha=power))
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def _khat(density, power):
    from arviz_stats.base import array_stats

    # On the log scale the weights are read as they are; a constant changes nothing.
    scaled = (power - 1) * (density - density.mean())
    return float(np.max(array_stats.pareto_khat(scaled[None], log_weights=True, tail="right")))


def _straight(x):
    """Look at what ranges over powers of ten, such as an amplitude, on the log scale: else its tail is all there is."""
    return np.log(x) if x.min() > 0 and x.max() > WIDE * x.min() else x


def _pull(x, density):
    """Slope of a mean in the logarithm (to base 2) of the power, in standard deviations: by exponential families."""
    return float(np.log(2) * np.mean((x - x.mean()) * (density - density.mean())) / x.std())


def _distance(x, weights):
    from arviz_stats.base import array_stats

    low, high = (weights[power][None] for power in (WEAKER, STRONGER))
    return float(array_stats.power_scale_sense(x[None], low, high, lower_alpha=WEAKER, upper_alpha=STRONGER))


def _interval(x, weights, level):
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
    low, median, high = np.quantile(x, tails, weights=weights / weights.sum(), method="inverted_cdf")
    return {"median": median, f"low{100 * level:g}": low, f"high{100 * level:g}": high}


def _diagnosis(prior, likelihood, pull, data_pull):
    if prior < FELT:
        return "-"
    if likelihood < FELT:
        return "the prior decides"
    opposed = pull * data_pull < 0 and min(abs(pull), abs(data_pull)) >= APART
    return "prior-data conflict" if opposed else "the prior has a say"
