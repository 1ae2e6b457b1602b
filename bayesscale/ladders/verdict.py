"""Is a task forecastable from this ladder at this target? A verdict per task, in words, from the posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.chaining import chain
from bayesscale.errors import LawError
from bayesscale.evaluate.finding import Finding
from bayesscale.intervals import intervals
from bayesscale.ladders.recipe import Ladder, fit_tasks
from bayesscale.targets import read_targets
from bayesscale.units import format_number

__all__ = ["Verdicts", "verdicts"]

LINKS = ("accuracy_logistic", "accuracy_hill", "accuracy_weibull")
# Past the first of two limits a target is forecastable with care, past the second it is not. Chosen on forecasts of the
# larger sizes of the OLMo ladder from its smaller ones: 14 tasks and 168 forecasts, none of them of its targets. Only
# the signal told good forecasts from bad ones there, up to 3.4 times the largest N; the other limits say from where
# on a forecast is of little use.
LEARNED = (0.05, 0.03)  # of its lower end: below, a curve has not left the floor; mean error 1.3 points against 1.0
SIGNAL = (3.0, 2.0)  # below 2 the mean error was 2.6 points and 80 % intervals held 62 %, above it 0.7 points and 95 %
APART = (4.0, 8.0)  # points; hardly ever that far apart inside the ladder, at its targets often
WIDTH = (8.0, 16.0)  # points; so wide inside the ladder where the signal is weak, mean error 2.5 points


@dataclass(frozen=True, eq=False, repr=False)
class Verdicts(Finding):
    """Whether each task is forecastable, and what speaks for it and against. Made by `bayesscale.verdicts`.

    Parameters
    ----------
    table : DataFrame
        One row per task and target: the task, the targets' columns, ``verdict`` ("forecastable", "with care" or "not
        forecastable"), ``why``, and the evidence:

        ``learned``, ``learned_low``, ``learned_high``
            Share of what can be learned, from guessing to the ceiling, that the largest run has reached, with its 80 %
            interval.
        ``signal``
            Spread of the expected accuracy over the runs, as a multiple of the noise of a run.
        ``apart``
            Points of accuracy by which two steps and one differ at the target, two steps minus one.
        ``links``
            Points that the target's accuracy spans from one link to the other, where they were asked for.
        ``median``, ``low80``, ``high80``, ``width``
            The forecast of a new run, and the width of its 80 % interval in points.
    over : str
        The column that names the task.
    """

    table: pd.DataFrame
    over: str = "task"

    _numbers = ".3g"

    def _shown(self):
        shown = self.table.drop(columns=["low80", "high80", "learned_low", "learned_high"], errors="ignore")
        for name in [c for c in ("N", "D", "C") if c in shown]:
            shown[name] = [format_number(x) for x in shown[name]]
        return shown.set_index(self.over)

    def _headline(self):
        counts = self.table["verdict"].value_counts()
        said = ", ".join(f"{counts.get(k, 0)} {k}" for k in ("forecastable", "with care", "not forecastable"))
        return f"verdicts of {len(self.table)} forecasts: {said}; signal in noises of a run, apart and width in points"

    @property
    def notes(self) -> list[str]:
        """The reasons, task by task."""
        doubtful = self.table[self.table["why"] != ""]
        return [f"{row[self.over]}: {row['verdict']}: {row['why']}" for _, row in doubtful.iterrows()]


def verdicts(ladder: Ladder, targets=None, *, links: bool | Sequence = False, seed: int = 0, **covariates) -> Verdicts:
    """Judge task by task whether the ladder can foretell the accuracy at targets.

    Four questions are asked of the posterior: have the largest runs left guessing? Is the spread of the expected
    accuracies over the runs larger than the noise of a run? Do two steps and one agree at the target? And how wide is
    the interval?

    Parameters
    ----------
    ladder : Ladder
    targets, seed, **covariates
        As for `Posterior.predict`: ``N="7B", D="4T"``.
    links : bool or sequence of str
        Fit the second step with other links too (True: logistic, Hill and Weibull), and ask how far apart they put the
        target. It takes a fit for each.

    Returns
    -------
    Verdicts

    Raises
    ------
    LawError
        What was given is no ladder.
    """
    if not isinstance(ladder, Ladder):
        raise LawError("verdicts takes what bs.ladder(...) gives")
    takes = next(iter(ladder.values())).law.columns
    forecasts = ladder.forecasts(targets, seed=seed, **covariates)
    both, others = ladder.two_steps, _other_links(ladder, LINKS if links is True else links or ())
    rows = []
    for task, post in ladder.items():
        frame = read_targets(targets, takes=takes, fixed=post.fixed, **covariates)
        middle = {
            name: 100 * np.median(each.predict(frame, kind="mean", seed=seed).draws, axis=0)
            for name, each in {"two": both[task], "one": ladder.directs[task], **others.get(task, {})}.items()
        }
        apart = middle.pop("two"), middle.pop("one")
        seen = dict(zip(("learned", "learned_low", "learned_high"), learned(ladder, task), strict=True))
        seen |= dict(signal=signal(ladder.directs[task]), apart=apart[0] - apart[1])
        if middle:
            seen["links"] = np.ptp([apart[0], *middle.values()], axis=0)
        ends = intervals(forecasts[task].draws, 0.8)
        seen |= {**ends, "width": 100 * (ends["high80"] - ends["low80"])}
        of_task = pd.DataFrame({(ladder.over or "task"): task, **frame.drop(columns=post.fixed), **seen})
        rows.append(of_task)
    found = pd.concat(rows, ignore_index=True)
    words = [_in_words(row) for _, row in found.iterrows()]
    place = list(found.columns).index("learned")
    found.insert(place, "verdict", [verdict for verdict, _ in words])
    return Verdicts(found.assign(why=[why for _, why in words]), ladder.over or "task")


def learned(ladder: Ladder, task) -> tuple[float, float, float]:
    """Share of what can be learned that the run of highest expected accuracy has reached: median and 80 % interval.

    Of both ways alike: each draw has a floor and a ceiling of its own. A law without them is measured from ``chance``
    to one.
    """
    shares = []
    for post in (ladder.links[task], ladder.directs[task]):
        draws = post.flat_draws
        reached = post.predict(post.runs.table.drop(columns="run", errors="ignore"), kind="mean").draws
        best = reached[:, np.median(reached, axis=0).argmax()]
        floor = draws.get("floor", post.runs.column("chance")[0])
        top = floor + (1 - floor) * (1 - draws.get("missed", 0.0))
        shares.append((best - floor) / (top - floor))
    return tuple(np.quantile(np.concatenate(shares), [0.5, 0.1, 0.9]))


def signal(post) -> float:
    """Spread of the expected values over the runs, as a multiple of the scatter of a run, on the law's scale.

    Both are half the width of what holds 68 %: a few runs far off do not count.
    """
    there = post.predict(post.runs.table.drop(columns="run", errors="ignore"))
    expected = np.median(there.logs["parameters"], axis=0)
    return float(_spread(expected) / _spread(there.logs["noise"]))


def _spread(x) -> float:
    low, high = np.quantile(x, [0.16, 0.84])
    return (high - low) / 2


def _other_links(ladder, names) -> dict:
    """Fit the second step with other links: task -> name -> two steps."""
    if not names:
        return {}
    one = next(iter(ladder.links.values()))
    how = dict(noise=one.noise, discrepancy=one.discrepancy or False, seed=one.settings.get("seed", 0))
    how |= one.settings.get("asked", {})
    found = {task: {} for task in ladder}
    for name in names:
        links = fit_tasks(name, ladder.runs, ladder.over, next(iter(ladder)), **how)
        for task, two in chain(ladder.losses, links).items():
            found[task][str(name)] = two
    return found


def _in_words(seen) -> tuple[str, str]:
    """Return the verdict and the reasons."""
    said = [
        (_grade(-seen["learned_low"], [-x for x in LEARNED]), "still close to guessing"),
        (_grade(-seen["signal"], [-x for x in SIGNAL]), _of_noise(seen["signal"])),
        (_grade(abs(seen["apart"]), APART), f"two steps and one differ by {abs(seen['apart']):.0f} points"),
        (_grade(seen["width"], WIDTH), f"the 80 % interval is {seen['width']:.0f} points wide"),
    ]
    if "links" in seen:
        said.append((_grade(seen["links"], APART), f"the links differ by {seen['links']:.0f} points"))
    worst = max(grade for grade, _ in said)
    verdict = ("forecastable", "with care", "not forecastable")[worst]
    return verdict, "; ".join(words for grade, words in said if grade == worst and grade)


def _grade(x, limits) -> int:
    return sum(x > limit for limit in limits)


def _of_noise(signal):
    if signal < 1:
        return "the noise of a run is larger than what the runs differ by"
    return f"what the runs differ by is {signal:.1f} times the noise of a run"
