"""The recipe: (N, D) -> task loss -> accuracy, beside (N, D) -> accuracy, pooled over tasks and averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale import law as laws
from bayesscale.averaging import Average, average
from bayesscale.chaining import Chain, chain
from bayesscale.errors import RunsError
from bayesscale.evaluate.finding import Finding
from bayesscale.fitting import fit, fit_pooled
from bayesscale.forecast import Forecast
from bayesscale.item_noise import noise_for
from bayesscale.law import Law
from bayesscale.noise import Noise
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs, read_runs

__all__ = ["Ladder", "ladder"]

NEEDS = {
    "loss": "the task's loss, such as bits per byte of the correct answer",
    "accuracy": "the task's accuracy, between 0 and 1",
    "chance": "the accuracy of guessing, one over the number of options",
}


@dataclass(frozen=True, eq=False, repr=False)
class Ladder(Finding, Mapping):
    """Forecasts of the accuracy on each task, from the runs of a ladder. Made by `bayesscale.ladder`.

    A mapping from the task's name to what forecasts its accuracy: an `Average` of two steps and one. Draw i of all
    tasks is of one joint draw: of what was pooled they share what they have in common.

    Parameters
    ----------
    runs : Runs
        The table of all tasks.
    over : str or None
        The column that names the task.
    losses : mapping of str to Posterior
        The first step: task loss over N and D.
    links : mapping of str to Posterior
        The second step: accuracy over task loss.
    directs : mapping of str to Posterior
        Accuracy over N and D.
    averages : mapping of str to Average
    """

    runs: Runs
    over: str | None
    losses: Mapping[str, Posterior]
    links: Mapping[str, Posterior]
    directs: Mapping[str, Posterior]
    averages: Mapping[str, Average]

    def __getitem__(self, task) -> Average:
        return self.averages[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self.averages)

    def __len__(self) -> int:
        return len(self.averages)

    @property
    def two_steps(self) -> dict[str, Chain]:
        """The two steps alone, by task."""
        return chain(self.losses, self.links)

    def forecasts(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> dict[str, Forecast]:
        """Forecast the accuracy at targets, task by task; the arguments are those of `Posterior.predict`.

        What a new run scatters by chance it scatters on each task anew: see `seeds`.
        """
        own = self.seeds(seed)
        return {
            task: post.predict(targets, kind=kind, seed=own[task], **covariates) for task, post in self.averages.items()
        }

    def seeds(self, seed: int = 0) -> dict[str, int]:
        """Return the seed of each task that a forecast with `seed` has."""
        return dict(zip(self, np.random.SeedSequence(seed).generate_state(len(self)).tolist(), strict=True))

    def predict(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> pd.DataFrame:
        """Forecast the accuracy at targets, all tasks in one table.

        Parameters
        ----------
        targets, kind, seed, **covariates
            As for `Posterior.predict`: ``N="7B", D="4T"``.

        Returns
        -------
        DataFrame
            One row per task and target: ``task``, the targets' columns, ``median`` and the intervals.
        """
        made = self.forecasts(targets, kind=kind, seed=seed, **covariates)
        tables = [each.table().assign(**{self.over or "task": task}) for task, each in made.items()]
        found = pd.concat(tables, ignore_index=True)
        return found[[self.over or "task", *found.columns.drop(self.over or "task")]]

    @property
    def table(self) -> pd.DataFrame:
        """One row per task: its runs, and the ranges of loss and accuracy that they cover."""
        rows = {}
        for task, post in self.losses.items():
            loss, accuracy = post.runs.column("loss"), post.runs.column("accuracy")
            ends = dict(
                loss_from=loss.max(), loss_to=loss.min(), accuracy_from=accuracy.min(), accuracy_to=accuracy.max()
            )
            rows[task] = dict(runs=len(post.runs), **ends)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(self.over or "task")

    def _headline(self):
        first = next(iter(self.values()))
        return f"ladder of {len(self)} task(s): {first.law.name}"

    @property
    def notes(self) -> list[str]:
        """What is wrong with a fit, if anything; once for the tasks that were fitted together."""
        found = {}
        for task, post in self.items():
            if wrong := post.settings["trouble"]:
                found.setdefault(wrong, []).append(str(task))
        where = {wrong: "" if len(tasks) == len(self) else f"{', '.join(tasks)}: " for wrong, tasks in found.items()}
        return [f"!! not to be trusted as it stands: {tasks}{wrong}" for wrong, tasks in where.items()]


def ladder(
    runs,
    *,
    over: str = "task",
    loss: str | Law = "chinchilla",
    link: str | Law = "accuracy_link",
    direct: str | Law = "accuracy_direct",
    weights="equal",
    pool_loss: bool = False,
    noise: str | Noise = "student-t",
    accuracy_noise: str | Noise = "student-t",
    discrepancy=False,
    seed: int = 0,
    **sampling,
) -> Ladder:
    """Forecast task accuracies of large models from a ladder of small ones.

    Three laws are fitted to the last values of each run: the task's loss over N and D, the accuracy over that loss, and
    the accuracy over N and D directly. The first two make two steps; a forecast is the average of two steps and one.

    Parameters
    ----------
    runs : Runs, DataFrame or path
        One row per run and task: N, D, ``loss`` (the task's), ``accuracy`` (0 to 1), ``chance``, and the task's name
        where there are several. Second runs of the same N and D are rows too: they tell the noise. What is measured on
        the way, before the learning rate has come down, does not belong here.
    over : str
        The column that names the task; with several tasks the links and the exponents of the accuracy are pooled over
        it.
    loss, link, direct : str or Law
    weights : "equal" or mapping of str to number
        Of two steps and one, as for `average`.
    pool_loss : bool
        Whether the exponents of the loss are pooled too. The tasks tried were not alike enough for that; recipes of
        data on one task may be, and then what is not known of all of them cancels in a `difference`.
    noise : str or Noise
        Of the loss, as for `fit`.
    accuracy_noise : str or Noise
        Of the accuracy, over the loss and directly. ``"binomial"``, with a column ``n_items``, is for forecasts on new
        questions.
    discrepancy : bool or Discrepancy
        Whether the truth may bend away from each law beyond what the two ways differ by.
    seed : int
    **sampling
        As for `fit`.

    Returns
    -------
    Ladder

    Raises
    ------
    RunsError
        A column is missing.
    LawError
        There is no such law, noise or option.

    Notes
    -----
    Bhagia et al. 2024 (arXiv:2412.04403) take the two steps as point fits, of which the second sees every checkpoint.
    On rolling origins inside their ladder the links differ little and fits to every checkpoint forecast too low an
    accuracy; two steps err to the low side far from the runs, the direct law (Krajewski et al. 2025, arXiv:2512.08894)
    to the high one, and neither alone has intervals that hold. With the exponents of the loss pooled over tasks, 90 %
    intervals of the loss held 77 of 96 runs of the larger rungs, without 86, and the mean CRPS of the accuracy was .60
    points against .58; with a discrepancy of the loss as well 90 and .58, for eighteen times the time of that fit.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    if missing := [f"{name} ({what})" for name, what in NEEDS.items() if name not in runs.columns]:
        raise RunsError(f"a ladder needs {', '.join(missing)}; the runs have {', '.join(runs.columns)}")
    # What a noise knows of beforehand becomes a column, and what is averaged must be of one table.
    _, (runs,) = noise_for(accuracy_noise, laws.named(direct), [runs])
    how = dict(discrepancy=discrepancy, seed=seed, **sampling)
    several = over in runs.columns and len(runs.table[over].unique()) > 1
    name = str(runs.table[over].iloc[0]) if over in runs.columns else "accuracy"
    over = over if several else None
    losses = fit_tasks(loss, runs, over, name, pool=None if pool_loss else (), noise=noise, **how)
    links, directs = (fit_tasks(law, runs, over, name, noise=accuracy_noise, **how) for law in (link, direct))
    two = chain(losses, links)
    averages = {task: average([two[task], directs[task]], weights=weights) for task in two}
    return Ladder(runs, over, losses, links, directs, averages)


def fit_tasks(law, runs, over, alone, *, pool=None, **how) -> Mapping[str, Posterior]:
    """Fit a law to every task: pooled over the column `over`, or without one to a single task, called `alone`."""
    return fit_pooled(law, runs, over=over, pool=pool, **how) if over else {alone: fit(law, runs, **how)}
