"""The verb that foretells task accuracies from a ladder of small runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import (
    INTERVALS,
    Acceptance,
    Count,
    Draws,
    Flag,
    Levels,
    Number,
    Pairs,
    Reading,
    Seed,
    Warmup,
    number,
    output_file,
    pairs,
)
from bayesscale.errors import NumberError, RunsError

__all__ = ["ladder"]

# What a newcomer's table may lack, and what to do about it.
REMEDIES = {
    "loss": "the task's loss, such as bits per byte of the correct answer. If it is there under another name: "
    "--columns loss=bpb",
    "accuracy": "between 0 and 1. If it is there under another name: --columns accuracy=acc",
    "chance": "the accuracy of guessing, one over the number of answers to choose from: write 0.25 in every row of a "
    "task with four answers, 0.5 where there are two",
}


@Parameter(name="*", group="The sampler")
@dataclass(frozen=True)
class Sampling:
    """How the posteriors are sampled.

    Parameters
    ----------
    noise
        How measured losses scatter around their law.
    accuracy_noise
        The same for accuracies. binomial, with a column n_items, is for forecasts on new questions.
    discrepancy
        The truth may bend away from each law, beyond what two steps and one differ by. The recipe does without.
    seed
        Same seed, same machine: same numbers.
    chains
        Independent chains; R-hat compares them.
    draws
        Draws per chain.
    warmup
        Warm-up steps per chain. [default: 1000, or 300 for more than 64 rows]
    target_accept
        Higher: smaller steps, for a posterior that the sampler finds hard.
    """

    noise: Literal["student-t", "normal", "laplace"] = "student-t"
    accuracy_noise: Literal["student-t", "normal", "laplace", "binomial"] = "student-t"
    discrepancy: Flag = False
    seed: Seed = 0
    chains: Count = 4
    draws: Draws = 1000
    warmup: Warmup = None
    target_accept: Acceptance = 0.9


READING, SAMPLING = Reading(), Sampling()


def ladder(
    table: str,
    /,
    *,
    at: Annotated[Pairs, Parameter(metavar="N=...,D=...")],
    over: Annotated[str | None, Parameter(show_default=False)] = None,
    kind: Literal["new-run", "mean"] = "new-run",
    above: Number = None,
    links: Flag = False,
    level: Levels = INTERVALS,
    out: Path | None = None,
    json: Flag = False,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
):
    """Foretell task accuracies of a big model from a ladder of small runs.

    Prints the accuracy per task with its intervals, in percent, and a verdict: can the ladder foretell this task?
    Behind it are two steps (N and D, task loss, accuracy), averaged with one law straight from N and D to accuracy.

    Parameters
    ----------
    table
        One row per training run and task: a .csv, .tsv or .parquet file with the columns task, N, D, loss (of the
        task), accuracy (0 to 1) and chance (the accuracy of guessing: 0.25 with four answers).
    at
        The model to foretell: N=7B,D=4T. Several, one after another: --at N=7B,D=4T N=13B,D=5T
    over
        The column that names the task. [default: task]
    kind
        new-run: what one more run would measure. mean: its expected value, without the scatter of a run.
    above
        Also print the probability of an accuracy above this one: 0.6, or 60%.
    links
        Ask for the verdicts also how far other shapes of the second step differ: three more fits.
    level
        Mass of the equal-tailed intervals.
    out
        Write forecasts and verdicts, one row per task and model, to this .csv file.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale ladder tasks.csv --at N=7B,D=4T
    bayesscale ladder tasks.csv --at N=7B,D=4T N=13B,D=5T --above 60% --links
    bayesscale ladder tasks.csv --at N=7B,D=4T --columns loss=bpb accuracy=acc
    """
    out = out and output_file(out, ".csv")
    targets = _targets(at)
    limit = None if above is None else _share(above)
    with doing(f"reading {table}"):
        runs = reading.read(table)
        _refuse(runs, over)
    with doing(f"fitting three laws to {len(runs)} rows: compiling and sampling"):
        made = bs.ladder(runs, over=over or "task", **asdict(sampling))
        judged = bs.verdicts(made, targets, links=links, seed=sampling.seed)
        forecasts = made.forecasts(targets, kind=kind, seed=sampling.seed)
    found = _table(made, forecasts, judged, level=level, above=limit)
    if out:
        found.to_csv(out, index=False)
    notes = made.notes
    if json:
        document = {"rows": len(runs), "tasks": list(made), "kind": kind, "levels": level, "above": limit}
        records = found.to_dict("records")
        show.print_json(document | {"forecast": records, "notes": notes, "saved": out and str(out)})
        return
    what = "accuracy of a new run" if kind == "new-run" else "expected accuracy"
    of = f"{len(made)} tasks" if made.over else "one task"
    show.text(f"{what} in %, from {len(runs)} rows of {table}, {of}; equal-tailed intervals", style="bold")
    for (N, D), part in found.groupby(["N", "D"], sort=False):
        show.ladder(part, N=N, D=D, over=judged.over, level=level, above=limit)
    if notes:
        show.text()
    for note in notes:
        show.text(note, indent=2)
    if out:
        show.text()
        show.text(f"saved {len(found)} forecasts to {out}")


def _targets(words) -> dict[str, list[float]]:
    """Read --at N=7B,D=4T N=13B,D=5T."""
    read = [pairs([word], option="at") for word in words]
    if len(read) > 1 and all(len(each) == 1 for each in read):  # --at N=7B D=4T
        read = [{k: v for each in read for k, v in each.items()}]
    for given in read:
        if set(given) != {"N", "D"}:
            said = ",".join(f"{k}={v}" for k, v in given.items())
            raise NumberError(f"--at {said}: say N and D of each model, with a comma between: --at N=7B,D=4T")
    return {name: [number(given[name], option=f"at {name}") for given in read] for name in ("N", "D")}


def _share(word) -> float:
    """Read an accuracy: 0.6 or 60%."""
    percent = word.strip().endswith("%")
    found = number(word.strip().removesuffix("%"), option="above") / (100 if percent else 1)
    if not 0 < found < 1:
        raise NumberError(f"--above {word}: an accuracy lies between 0 and 1; write 0.6 or 60%")
    return found


def _refuse(runs, over) -> None:
    """Say what the table lacks, before JAX is started."""
    wrong = [f"the table has no column {name}: {what}" for name, what in REMEDIES.items() if name not in runs.columns]
    if over is not None and over not in runs.columns:
        wrong.append(f"--over {over}: the table has no such column; it has {', '.join(runs.columns)}")
    elif (over or "task") not in runs.columns and _sizes(runs).duplicated().mean() >= 0.5:
        wrong.append("rows share N and D, as those of several tasks do: name the column of the task, --over ...")
    for name in [name for name in ("accuracy", "chance") if name in runs.columns]:
        if (most := runs.column(name).max()) > 1:
            wrong.append(
                f"column {name} goes up to {most:g}; it is a share of 1. If it is in %, say --units {name}=percent"
            )
    if wrong:
        raise RunsError(wrong)


def _sizes(runs):
    return runs.table[[name for name in ("N", "D") if name in runs.columns]]


def _table(made, forecasts, judged, *, level, above):
    """Put forecasts and verdicts side by side: both have their rows task by task, target by target."""
    import pandas as pd

    tables = []
    for task, each in forecasts.items():
        told = each.table(level=level)[[c for c in ("N", "D", "C") if c in each.targets]]
        told = told.assign(**{c: x for c, x in each.table(level=level).items() if c not in each.targets})
        if above is not None:
            told["probability_above"] = each.probability(above=above)
        tables.append(told.assign(**{judged.over: task}))
    found = pd.concat(tables, ignore_index=True)
    evidence = [c for c in ("verdict", "why", "learned", "signal", "apart", "links") if c in judged.table]
    found = found.assign(**{c: judged.table[c].to_numpy() for c in evidence})
    return found[[judged.over, *found.columns.drop(judged.over)]]
