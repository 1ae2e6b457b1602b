"""What a smaller ladder would have said: the largest rungs are dropped one after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.scores import crps
from bayesscale.intervals import intervals
from bayesscale.ladders.recipe import Ladder, ladder
from bayesscale.runs import Runs, read_runs
from bayesscale.targets import read_targets
from bayesscale.units import format_number

__all__ = ["Rungs", "drop_rungs"]

SAME_RUNG = 1.01  # runs whose size differs by less stand on one rung


@dataclass(frozen=True, eq=False, repr=False)
class Rungs(Finding):
    """Forecasts of the same targets from ladders whose largest rungs were dropped. Made by `bayesscale.drop_rungs`.

    Parameters
    ----------
    table : DataFrame
        One row per ladder, task and target: ``largest`` (rung kept), ``runs`` (fitted, of the task), ``compute`` (share
        of the whole ladder's), the task, the targets' columns, ``median``, the ends of the 80 % and 95 % intervals and
        ``width`` of the 80 % interval in points; where the truth is known also ``truth``, ``error`` (median - truth)
        and ``crps`` in points, and ``in80``, ``in95``.
    by : str
        What the rungs are of.
    over : str
        The column that names the task.
    ladders : mapping of float to Ladder
        By the largest rung kept.
    """

    table: pd.DataFrame
    by: str
    over: str
    ladders: Mapping[float, Ladder]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per ladder: runs, share of compute, mean width; mean absolute error, CRPS and coverage if known."""
        grouped = self.table.groupby("largest", sort=False)
        found = grouped[["runs", "compute", "width"]].mean()
        if "truth" in self.table:
            found["error"] = grouped["error"].agg(lambda each: each.abs().mean())
            found[["crps", "in80", "in95"]] = grouped[["crps", "in80", "in95"]].mean()
        return found

    def _shown(self):
        shown = self.summary
        return shown.set_axis(pd.Index([format_number(x) for x in shown.index], name=f"{self.by} up to"))

    def _headline(self):
        cells = int(self.table.groupby("largest").size().iloc[0])
        points = "; width of 80% intervals, error and CRPS in points, means" if cells > 1 else "; in points"
        return (
            f"{len(self.ladders)} ladders, the largest {self.by} dropped one after another, {cells} forecasts{points}"
        )

    @property
    def notes(self) -> list[str]:
        """What is wrong with a fit, if anything."""
        return [f"up to {format_number(k)}: {note}" for k, made in self.ladders.items() for note in made.notes]


def drop_rungs(runs, targets, *, by: str = "N", least: int = 2, over: str = "task", **how) -> Rungs:
    """Fit the ladder again without its largest rungs, and see what that does to the forecast of the same targets.

    Parameters
    ----------
    runs : Runs, DataFrame or path
        As for `ladder`.
    targets : DataFrame or mapping
        One row per target: N and D and, where the truth is known, ``accuracy``. With the column that names the task
        each row is of that task, else all targets are asked of every task.
    by : str
        The column of the rungs: ``"N"``, ``"D"`` or ``"C"``.
    least : int
        The rungs that the smallest ladder keeps.
    over : str
        The column that names the task.
    **how
        As for `ladder`.

    Returns
    -------
    Rungs
        The whole ladder first.

    Raises
    ------
    RunsError
        There is no such column, or there are not more rungs than `least`.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    targets = read_targets(targets, takes=("N", "D"))
    size = runs.column(by)
    tops = _rungs(size)
    if len(tops) <= least:
        raise RunsError(
            f"the runs have {len(tops)} rung(s) of {by}, {', '.join(map(format_number, tops))}: to drop one and keep "
            f"{least} there must be more"
        )
    compute = runs.column("C")
    made, tables = {}, []
    for top in tops[least - 1 :][::-1]:
        kept = size <= top * SAME_RUNG
        made[float(top)] = ladder(runs.select(kept), over=over, **how)
        share = compute[kept].sum() / compute.sum()
        tables += [_foretold(*each, targets, over, share) for each in made[float(top)].items()]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "largest", np.repeat(list(made), len(table) // len(made)))
    return Rungs(table, by, over, made)


def _rungs(size) -> np.ndarray:
    """Return the largest size of each rung, in rising order."""
    sizes = np.unique(size)
    return sizes[np.append(sizes[1:] > SAME_RUNG * sizes[:-1], True)]


def _foretold(task, post, targets, over, share) -> pd.DataFrame:
    asked = targets[targets[over].astype(str) == str(task)] if over in targets else targets
    if asked.empty:
        return pd.DataFrame()
    truth = asked["accuracy"].to_numpy(float) if "accuracy" in asked else None
    asked = asked[[c for c in asked if c not in ("loss", "accuracy", over)]]
    draws = post.predict(asked.reset_index(drop=True)).draws
    ends = intervals(draws, (0.8, 0.95))
    ends |= dict(width=100 * (ends["high80"] - ends["low80"]))
    if truth is not None:
        ends |= dict(truth=truth, error=100 * (ends["median"] - truth), crps=100 * crps(draws, truth))
        held = {q: (ends[f"low{q}"] <= truth) & (truth <= ends[f"high{q}"]) for q in (80, 95)}
        ends |= {f"in{q}": np.where(np.isnan(truth), np.nan, each) for q, each in held.items()}
    about = {"runs": len(post.runs), "compute": share, over: task}
    return pd.DataFrame({**about, **{c: asked[c].to_numpy() for c in asked}, **ends})
