"""The verb that says what growing a model from a smaller one is worth."""

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
    Reading,
    Seed,
    Warmup,
    Words,
    number,
    numbers,
    output_file,
)
from bayesscale.errors import LawError, NumberError, RunsError

__all__ = ["growth"]


@Parameter(name="*", group="The sampler")
@dataclass(frozen=True)
class Sampling:
    """How the posteriors are sampled.

    Parameters
    ----------
    noise
        How measured values scatter around the law. [default: curve where rows share a run, else student-t]
    discrepancy
        The truth may bend away from the law; without, the law is taken for the truth.
    seed
        Same seed, same machine: same numbers.
    chains
        Independent chains; R-hat compares them.
    draws
        Draws per chain.
    warmup
        Warm-up steps per chain. [default: 1000]
    target_accept
        Higher: smaller steps, for a posterior that the sampler finds hard.
    """

    noise: Literal["student-t", "normal", "laplace", "curve"] | None = None
    discrepancy: Annotated[bool, Parameter(negative="--no-discrepancy", show_default=False)] = True
    seed: Seed = 0
    chains: Count = 4
    draws: Draws = 1000
    warmup: Warmup = None
    target_accept: Acceptance = 0.9


READING, SAMPLING = Reading(), Sampling()


def growth(
    table: str,
    /,
    *,
    loss: Annotated[Words, Parameter(metavar="NUMBER...")] = (),
    c: Annotated[Words, Parameter(name="--C", metavar="NUMBER...")] = (),
    n: Annotated[Number, Parameter(name="--N")] = None,
    over: Annotated[str | None, Parameter(show_default=False)] = None,
    operator: Annotated[str | None, Parameter(show_default=False)] = None,
    law: str = "growth_effective_compute",
    bins: Annotated[int, Parameter(show_default=False)] = 40,
    level: Levels = INTERVALS,
    out: Path | None = None,
    json: Flag = False,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
):
    """Say what growing a model from a smaller one is worth, beside training it from scratch.

    Prints the speed-up with its intervals, the compute that scratch needs for the same loss over that of the grown
    model less one, and the probability that growing beats scratch.

    Parameters
    ----------
    table
        One row per checkpoint or run: a .csv, .tsv or .parquet file with the columns C (all compute, of a grown model
        the small one's included), loss, grown (1 for a grown model, 0 from scratch) and run (the name of each curve).
        Of several ways of growing, a column grown_NAME for each in place of grown.
    loss
        Losses that both shall reach: --loss 2.0 1.97
    c
        Compute of the grown model in FLOP: --C 8e20. Unless a loss or compute is given, all compute of the grown runs.
    n
        Parameters, to say the tokens saved.
    over
        The column that names the model size: what sizes have in common is learned from all.
    operator
        Of several ways of growing, the one to tell more of.
    law
        Another law of C and grown: growth_head_start, growth_shifted_floor.
    bins
        Rows that each training curve is brought down to, even in log C; 0 leaves them. [default: 40]
    level
        Mass of the equal-tailed intervals.
    out
        Write the answers to this .csv file.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale growth curves.csv --loss 2.0 1.97
    bayesscale growth curves.csv --over model --C 1e21 --out speedups.csv
    bayesscale growth operators.csv --C 8e20
    """
    out = out and output_file(out, ".csv")
    asked = [{"loss": x} for x in numbers(loss, option="loss")] + [{"C": x} for x in numbers(c, option="C")]
    size = {} if n is None else {"N": number(n, option="N")}
    with doing(f"reading {table}"):
        runs = reading.read(table)
        _refuse(runs, over, bins)
    shared = "run" in runs.columns and runs.table["run"].duplicated().any()
    how = asdict(sampling) | {"noise": sampling.noise or ("curve" if shared else "student-t")}
    rows = len(runs)
    runs = bs.bin_curves(runs, bins=bins) if shared and bins else runs
    with doing(f"fitting {law} to {len(runs)} rows: compiling and sampling"):
        fits = bs.fit_pooled(law, runs, over=over, **how) if over else {"": bs.fit(law, runs, **how)}
        found = {}
        for group, post in fits.items():
            for at in asked or [_end(post)]:
                found[group, next(iter(at.items()))] = _answer(post, group, at, operator, size)
    answers = _table(found, level, over)
    if out:
        answers.to_csv(out, index=False)
    if json:
        document = {"law": law, "rows": rows, "fitted_rows": len(runs), "noise": how["noise"], "levels": level}
        records = [_document(group, answer, level) for (group, _), answer in found.items()]
        show.print_json(document | {"over": over, "answers": records, "saved": out and str(out)})
        return
    binned = f", binned to {len(runs)}" if len(runs) < rows else ""
    show.text(f"{law} fitted to {rows} rows of {table}{binned}, {how['noise']} noise", style="bold")
    for (group, _), answer in found.items():
        show.heading(f"{group}: {answer.headline}" if group else answer.headline)
        show.answer(answer.table(level=level), level=level)
        show.text()
        for note in answer.notes:
            show.text(note, indent=2)
    for troubled in dict.fromkeys(post.settings["trouble"] for post in fits.values() if post.settings.get("trouble")):
        show.text(f"not to be trusted as it stands: {troubled}", indent=2)
    if out:
        show.text()
        show.text(f"saved {len(answers)} rows to {out}")


def _refuse(runs, over, bins):
    """Say what the table lacks, before JAX is started."""
    wrong = []
    if not [c for c in runs.columns if c == "grown" or c.startswith("grown_")]:
        wrong.append(
            "the table does not say which models were grown: write 1 in a column grown for those, 0 for models from "
            "scratch (of several ways of growing, a column grown_NAME each)"
        )
    for name, what in {"C": "all of the compute in FLOP", "loss": "what is measured"}.items():
        if name not in runs.columns:
            wrong.append(f"the table has no column {name}: {what}. If it is under another name: --columns {name}=...")
    if over is not None and over not in runs.columns:
        wrong.append(f"--over {over}: the table has no such column; it has {', '.join(runs.columns)}")
    if bins < 0 or bins == 1:
        wrong.append(f"--bins {bins}: 2 or more, or 0 to leave the curves as they are")
    if wrong:
        raise RunsError(wrong)


def _end(post):
    """Ask for the most compute that a grown run has, where nothing is asked."""
    import numpy as np

    grown = np.any([post.runs.column(c) > 0 for c in post.law.shares], axis=0)
    if not grown.any():
        raise RunsError("no row is of a grown model: write 1 in the column grown for those")
    return {"C": float(post.runs.column("C")[grown].max())}


def _answer(post, group, at, operator, size):
    try:
        return bs.speedup(post, operator=operator, **at, **size)
    except (LawError, NumberError) as error:
        raise type(error)(f"{group}: {error}" if group else str(error)) from error


def _table(found, level, over):
    """Put all answers one below the other: one row per group, target and quantity."""
    import pandas as pd

    tables = []
    for (group, (what, at)), answer in found.items():
        each = answer.table(level=level).rename_axis("quantity").reset_index()
        each.insert(0, "at", at)
        each.insert(0, "given", what)
        if over:
            each.insert(0, over, group)
        names = list(answer.beats_scratch.index)
        of = each["quantity"] if len(names) > 1 else pd.Series(names * len(each))
        each["P_beats_scratch"] = of.map(answer.beats_scratch).to_numpy()
        each["P_best"] = of.map(answer.best).to_numpy()
        tables.append(each)
    return pd.concat(tables, ignore_index=True)


def _document(group, answer, level):
    said = {"group": group or None, "given": answer.given, "answer": answer.table(level=level).to_dict("index")}
    chances = {"beats_scratch": answer.beats_scratch.to_dict(), "best": answer.best.to_dict()}
    return said | chances | {"left_out": answer.lost, "notes": answer.notes}
