"""The verbs that decide what to train, each with the words of the Python function that it stands for."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import ExistingFile

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import INTERVALS, Flag, Levels, Number, number
from bayesscale.errors import LawError, RunsError

__all__ = ["allocate", "batch_size", "learning_rate"]


def allocate(
    posterior: ExistingFile,
    /,
    *,
    c: Annotated[str, Parameter(name="--C", metavar="NUMBER")],
    inference_tokens: Number = None,
    n: Annotated[Number, Parameter(name="--N")] = None,
    d_max: Annotated[Number, Parameter(name="--D-max")] = None,
    n_max: Annotated[Number, Parameter(name="--N-max")] = None,
    tolerance: float = 0.001,
    level: Levels = INTERVALS,
    json: Flag = False,
):
    """Share out a compute budget: how many parameters, how many tokens.

    The optimum is flat, so the range of sizes that cost next to nothing says more than the optimum.

    Parameters
    ----------
    posterior
        What "bayesscale fit --out posterior.nc" has saved, of a law in N and D.
    c
        The budget in FLOP: 6 N D, and 2 N for each inference token.
    inference_tokens
        Tokens that the trained model will process, paid from the same budget.
    n
        Parameters, where they are given: what is this size worth, and what does it cost against the best one?
    d_max
        No more training tokens than these.
    n_max
        No more parameters than these.
    tolerance
        Relative excess loss that counts as near-optimal.
    level
        Mass of the equal-tailed intervals.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale allocate posterior.nc --C 1e24
    bayesscale allocate posterior.nc --C 1e24 --inference-tokens 5T --D-max 10T
    """
    limits = dict(N=n, inference_tokens=inference_tokens, D_max=d_max, N_max=n_max)
    limits = {k: number(v, option=k) for k, v in limits.items() if v is not None}
    with doing(f"starting JAX and reading {posterior}"):
        post = bs.load(posterior)
        found = bs.allocate(post, C=number(c, option="C"), tolerance=tolerance, **limits)
    _show(found, post, level=level, json=json)


def batch_size(
    posterior: ExistingFile,
    /,
    *,
    n: Annotated[Number, Parameter(name="--N")] = None,
    d: Annotated[Number, Parameter(name="--D")] = None,
    lr: Number = None,
    critical: Literal["E_min/S_min", "step-overhead", "near-best"] | None = None,
    loss: Number = None,
    b_ref: Annotated[Number, Parameter(name="--B-ref")] = None,
    overhead: float | None = None,
    excess: float | None = None,
    tolerance: float = 0.001,
    level: Levels = INTERVALS,
    json: Flag = False,
):
    """Find the best batch size for a model and its tokens, or how large a batch may grow.

    The optimum is flat, so the range of batches that cost next to nothing says more than the optimum.

    Parameters
    ----------
    posterior
        What "bayesscale fit --out posterior.nc" has saved, of a law with a batch size in it: three_term, batch_power or
        batch_lr_power fitted to a sweep, or steps_examples fitted to the steps that a target loss took.
    n
        Parameters.
    d
        Training tokens.
    lr
        Peak learning rate; tuned together with the batch size if the law has one and it is not given.
    critical
        A critical batch size instead of the best one; each
        definition gives another size.
        E_min/S_min: the fewest tokens over the fewest steps that
        reach --loss.
        step-overhead: the batch at which the steps to --loss
        exceed, by --overhead, what they would be if they halved
        whenever the batch doubles, from --B-ref on.
        near-best: the largest batch whose loss, with --D tokens,
        is within --excess of the best.
    loss
        Target loss, for E_min/S_min and step-overhead; not for steps_examples, which is fitted to one target.
    b_ref
        Tokens per batch to count from, for step-overhead.
    overhead
        Share of additional steps, for step-overhead: 0.2 is 20%. [default: 0.2]
    excess
        Share of additional loss, for near-best: 0.01 is 1%. [default: 0.01]
    tolerance
        Relative excess loss that counts as near-optimal.
    level
        Mass of the equal-tailed intervals.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale batch-size posterior.nc --N 1B --D 100B
    bayesscale batch-size posterior.nc --N 1B --D 100B --critical near-best
    bayesscale batch-size posterior.nc --N 1B --loss 2.1 --critical E_min/S_min
    """
    given = {k: number(v, option=k) for k, v in (("N", n), ("D", d), ("lr", lr)) if v is not None}
    asked = (("loss", loss, "loss"), ("B_ref", b_ref, "B-ref"))
    target = {k: number(v, option=option) for k, v, option in asked if v is not None}
    target |= {k: v for k, v in (("overhead", overhead), ("excess", excess)) if v is not None}
    _refuse_unused(critical, target, given)
    with doing(f"starting JAX and reading {posterior}"):
        post = bs.load(posterior)
        if critical is None:
            found = bs.optimal_batch(post, tolerance=tolerance, **given)
        else:
            _refuse_missing(critical, target, post)
            found = bs.critical_batch(post, definition=critical, **target, **given)
    _show(found, post, level=level, json=json)


def learning_rate(
    posterior: ExistingFile,
    /,
    *,
    n: Annotated[Number, Parameter(name="--N")] = None,
    d: Annotated[Number, Parameter(name="--D")] = None,
    b: Annotated[Number, Parameter(name="--B")] = None,
    tolerance: float = 0.001,
    level: Levels = INTERVALS,
    json: Flag = False,
):
    """Find the best peak learning rate for a model and its tokens.

    The optimum is flat, so the range of learning rates that cost next to nothing says more than the optimum.

    Parameters
    ----------
    posterior
        What "bayesscale fit --out posterior.nc" has saved, of a law with a learning rate in it: lr_power or
        batch_lr_power fitted to a sweep.
    n
        Parameters.
    d
        Training tokens.
    b
        Tokens per batch; tuned together with the learning rate if the law has one and it is not given.
    tolerance
        Relative excess loss that counts as near-optimal.
    level
        Mass of the equal-tailed intervals.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale learning-rate posterior.nc --N 1B --D 100B
    bayesscale learning-rate posterior.nc --N 1B --D 100B --B 1M
    """
    given = {k: number(v, option=k) for k, v in (("N", n), ("D", d), ("B", b)) if v is not None}
    with doing(f"starting JAX and reading {posterior}"):
        post = bs.load(posterior)
        found = bs.optimal_lr(post, tolerance=tolerance, **given)
    _show(found, post, level=level, json=json)


# What each definition of a critical batch size must be told, and what it may be. An option that changes nothing would
# pass for one that did.
ASKED_BY = {None: (), "E_min/S_min": ("loss",), "step-overhead": ("loss", "B_ref"), "near-best": ()}
MAY_BE_TOLD = {"step-overhead": ("overhead",), "near-best": ("excess",)}


def _refuse_unused(critical, target, given):
    unused = [k for k in target if k not in (*ASKED_BY[critical], *MAY_BE_TOLD.get(critical, ()))]
    if "D" in given and "loss" in ASKED_BY[critical]:
        unused.append("D")
    if unused:
        options = ", ".join(f"--{k.replace('_', '-')}" for k in unused)
        what = f"--critical {critical}" if critical else "the best batch size"
        raise LawError(f"{what} does not go by {options}; see --critical in bayesscale batch-size --help")


def _refuse_missing(critical, target, post):
    of_steps = post.law.gives == "S"
    if missing := [k for k in ASKED_BY[critical] if k not in target and not (of_steps and k == "loss")]:
        options = " and ".join(f"--{k.replace('_', '-')} ..." for k in missing)
        raise RunsError(f"--critical {critical} needs {options}")


def _show(found, post, *, level, json):
    """Print an answer: its table, its notes, and for an optimum the choice to take."""
    table = found.table(level=level)
    if json:
        document = {"law": post.law.name, "given": found.given, "answer": table.to_dict("index"), "notes": found.notes}
        if isinstance(found, bs.Optimum):
            near = {found.over: list(found.near_optimal), "tolerance": found.tolerance}
            document |= {"near_optimal": near, "best": found.best.to_dict(), "at_edge": found.at_edge}
        show.print_json(document)
        return
    show.text(f"{_headline(found)}, from {post.law.name} fitted to {len(post.runs)} rows", style="bold")
    show.text()
    show.answer(table, level=level)
    show.text()
    for note in found.notes:
        show.text(note)


def _headline(found):
    """Say what was asked for; of a critical batch size, in which definition."""
    if (definition := found.given.get("definition")) is None:
        return found.headline
    given = {k: v for k, v in found.given.items() if k != "definition"}
    where = bs.Answer(found.draws[["B"]], given).headline.removeprefix("B")
    return f"critical batch size B ({definition}){where}"
