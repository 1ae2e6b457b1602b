"""The ways of bayesscale: two steps, one, and their average; and rivals within it. Each fit is made once."""

import warnings
from functools import partial
from time import perf_counter

import numpy as np
import pandas as pd
import scores

import bayesscale as bs
from bayesscale.errors import SamplingWarning

COLUMNS = ["task", "N", "D", "loss", "accuracy", "chance"]
MADE = {}  # (fingerprint of the runs, law and how) -> fit: two questions may have the same runs
SAID = []  # how each went


def fitted(question, law, pool=None, discrepancy=False):
    """Fit a law to the question's runs, pooled over tasks; once."""
    runs = bs.read_runs(question.finals[COLUMNS])
    key = runs.fingerprint, law, pool, discrepancy
    if key not in MADE:
        MADE[key] = _fitted(question.name, runs, *key[1:])
    return MADE[key]


def _fitted(question, runs, law, pool, discrepancy):
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)  # it is printed
        made = bs.fit_pooled(law, runs, over="task", pool=pool, discrepancy=discrepancy, second_try=False)
    one = next(iter(made.values()))
    said = [one.settings["trouble"], "second try" if "first_try" in one.settings else ""]
    leapfrogs = one.stats["n_steps"].mean()
    name = law + ", unpooled" * (pool == ()) + ", discrepancy" * discrepancy
    SAID.append((question, name, perf_counter() - begin, leapfrogs, "; ".join(filter(None, said))))
    return made


def two_steps(question, loss="chinchilla", link="accuracy_link", link_pool=None, *, pool=(), discrepancy=False):
    """Return the two steps of each task, and the first alone; `pool` and `discrepancy` are of the first."""
    losses = fitted(question, loss, pool=pool, discrepancy=discrepancy)
    return bs.chain(losses, fitted(question, link, pool=link_pool)), losses


def direct(question, law="accuracy_direct", **how):
    """Return one step of each task; there is no loss."""
    return fitted(question, law, **how), None


def averaged(question, ways, weights=None):
    """Return the average of several ways, of equal weights or as given."""
    found, losses = zip(*(way(question) for way in ways), strict=True)
    names = [f"way {i + 1}" for i in range(len(ways))]
    weights = dict(zip(names, weights or [1] * len(ways), strict=True))
    by_task = {task: dict(zip(names, (each[task] for each in found), strict=True)) for task in found[0]}
    tasks = {task: bs.average(each, weights=weights) for task, each in by_task.items()}
    return tasks, next(filter(None, losses), None)


def foretell(question, way):
    """Forecast the question's targets in one of the ways above."""
    posteriors, losses = way(question)
    return scores.Forecast(_draws(question, posteriors), losses and _draws(question, losses))


def _draws(question, posteriors):
    found = {}
    for task, rows in question.targets.groupby("task"):
        draws = posteriors[task].predict(N=rows["N"].to_numpy(), D=rows["D"].to_numpy()).draws
        found |= dict(zip(rows.index, draws.T, strict=True))
    return np.stack([found[i] for i in question.targets.index], axis=1)


def verdicts(question) -> pd.DataFrame:
    """Return what bayesscale says of each target beforehand, beside what its forecast was then off by, in points."""
    averages, losses = averaged(question, (two_steps, direct))
    links, directs = fitted(question, "accuracy_link"), fitted(question, "accuracy_direct")
    found = []
    for task, rows in question.targets.groupby("task", sort=False):
        of_task = ({task: each[task]} for each in (losses, links, directs, averages))
        one = bs.Ladder(losses[task].runs, "task", *of_task)
        table = bs.verdicts(one, N=rows["N"].to_numpy(), D=rows["D"].to_numpy()).table
        of = (rows["size"] + "-" + rows["xC"]).to_numpy()
        found.append(table.assign(target=of, error=100 * (table["median"].to_numpy() - rows["accuracy"].to_numpy())))
    shown = ["task", "target", "learned", "learned_low", "signal", "apart", "width", "error", "verdict", "why"]
    return pd.concat(found, ignore_index=True)[shown]


def fits() -> pd.DataFrame:
    """Return what was fitted, how long it took, and what was wrong with it."""
    return pd.DataFrame(SAID, columns=["question", "law", "seconds", "leapfrogs", "trouble"])


logistic, hill, weibull = (partial(two_steps, link=f"accuracy_{link}") for link in ("logistic", "hill", "weibull"))
METHODS = {
    "bayesscale: ladder (default)": partial(averaged, ways=(two_steps, direct)),
    "bayesscale: two steps": two_steps,
    "bayesscale: direct": direct,
    "two steps, logistic": logistic,
    "two steps, Hill": hill,
    "two steps, Weibull": weibull,
    "two steps, skaling_drift": partial(two_steps, loss="skaling_drift"),
    "two steps, unpooled": partial(two_steps, link_pool=()),
    "direct, unpooled": partial(direct, pool=()),
    "one step of the paper": partial(direct, law="accuracy_one_step"),
    "average, Hill and direct": partial(averaged, ways=(hill, direct)),
    "average, unpooled": partial(averaged, ways=(partial(two_steps, link_pool=()), partial(direct, pool=()))),
    "average, loss pooled": partial(averaged, ways=(partial(two_steps, pool=None), direct)),
    "average, loss bent": partial(averaged, ways=(partial(two_steps, discrepancy=True), direct)),
    "average, loss pooled and bent": partial(averaged, ways=(partial(two_steps, pool=None, discrepancy=True), direct)),
    "average, skaling_drift and direct": partial(averaged, ways=(partial(two_steps, loss="skaling_drift"), direct)),
    "average, two steps count twice": partial(averaged, ways=(two_steps, direct), weights=(2, 1)),
    "average, one step counts twice": partial(averaged, ways=(two_steps, direct), weights=(1, 2)),
    "average of three, one step too": partial(
        averaged, ways=(two_steps, direct, partial(direct, law="accuracy_one_step"))
    ),
}
METHODS = {name: partial(foretell, way=way) for name, way in METHODS.items()}
