"""The verbs that decide what to train, each with the words of the Python function that it stands for."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingFile

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import Flag, Level, Number, number

__all__ = ["allocate"]

INTERVALS = (0.5, 0.8, 0.95)


def allocate(
    posterior: ExistingFile,
    /,
    *,
    c: Annotated[str, Parameter(name="--C", metavar="NUMBER")],
    inference_tokens: Number = None,
    d_max: Annotated[Number, Parameter(name="--D-max")] = None,
    n_max: Annotated[Number, Parameter(name="--N-max")] = None,
    tolerance: float = 0.001,
    level: Annotated[tuple[Level, ...], Parameter(consume_multiple=True, show_default="0.5 0.8 0.95")] = INTERVALS,
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
    limits = dict(inference_tokens=inference_tokens, D_max=d_max, N_max=n_max)
    limits = {k: number(v, option=k) for k, v in limits.items() if v is not None}
    with doing(f"starting JAX and reading {posterior}"):
        post = bs.load(posterior)
        found = bs.allocate(post, C=number(c, option="C"), tolerance=tolerance, **limits)
    table = found.table(level=level)
    if json:
        low, high = found.near_optimal
        near = {"N": [low, high], "tolerance": tolerance}
        best = found.best.to_dict()
        document = {"law": post.law.name, "budget": found.budget, "optimum": table.to_dict("index")}
        show.print_json(document | {"near_optimal": near, "best": best, "at_edge": found.at_edge})
        return
    show.text(f"{found.headline}, from {post.law.name} fitted to {len(post.runs)} rows", style="bold")
    show.text()
    show.allocation(table, level=level)
    show.text()
    for note in found.notes:
        show.text(note)
