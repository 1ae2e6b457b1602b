"""The batch size and the learning rate that give the least loss, and how far a batch may grow at what cost."""

from __future__ import annotations

import numpy as np

from bayesscale.decide.answers import Optimum
from bayesscale.decide.draws import need
from bayesscale.decide.line_search import least_along
from bayesscale.errors import LawError, RunsError
from bayesscale.table_columns import COVARIATES
from bayesscale.targets import read_targets

__all__ = ["optimal_batch", "optimal_lr"]

# Sought from 1/1000 to 1000 times the centre of the runs; the other one of B and lr, where it is tuned too, on a
# coarser grid.
DECADES, GRID, INNER_GRID = 3.0, 241, 49


def optimal_batch(post, *, tolerance: float = 0.001, **given) -> Optimum:
    """Find the batch size of least expected loss for a model and its tokens, with its uncertainty.

    Minimises L(N, D, B, ...) over B, with S = D / B, for each posterior draw on its own.

    Parameters
    ----------
    post : Posterior or Average
        Of a law with a batch size in it, such as `three_term`, `batch_power` or `batch_lr_power`.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    **given : number or str
        What else the law takes: ``N="1B", D="100B"``. A learning rate that is not given is tuned: at its own best for
        every batch size.

    Returns
    -------
    Optimum
        ``B`` in tokens; ``draws`` and ``candidates`` have ``S`` as well.

    Raises
    ------
    LawError
        The law takes no batch size.
    RunsError
        Something that the law takes is missing, not positive or unknown.

    Notes
    -----
    The optimum is flat: on real sweeps a batch twice too large or too small costs about .3 % of the loss. The
    near-optimal range says more than the optimum's interval.
    """
    return _tuned(post, "B", "lr", tolerance, given)


def optimal_lr(post, *, tolerance: float = 0.001, **given) -> Optimum:
    """Find the peak learning rate of least expected loss for a model and its tokens, with its uncertainty.

    Parameters
    ----------
    post : Posterior or Average
        Of a law with a learning rate in it, such as `lr_power` or `batch_lr_power`.
    tolerance : float
        Relative excess loss that counts as near-optimal.
    **given : number or str
        What else the law takes: ``N="1B", D="100B"``. A batch size that is not given is tuned: at its own best for
        every learning rate.

    Returns
    -------
    Optimum

    Raises
    ------
    LawError
        The law takes no learning rate.
    RunsError
        Something that the law takes is missing, not positive or unknown.
    """
    return _tuned(post, "lr", "B", tolerance, given)


def _tuned(post, over, other, tolerance, given) -> Optimum:
    takes = post.law.columns
    needed = f"the best {over} needs a law with {over} in it, such as batch_lr_power fitted to a sweep"
    need(post, lambda law: over in law.columns, needed)
    if post.law.gives in COVARIATES:
        raise LawError(
            f"law {post.law.name} gives {post.law.gives}, which has no best {over}; critical_batch says how far a "
            "batch may grow"
        )
    if over in given:
        raise RunsError(f"{over} is what is sought: leave it out")
    inner = (other, _around(post, other, INNER_GRID)) if other in takes and other not in given else None
    # A batch is sought for given tokens: the steps follow.
    needed = ["D" if k == "S" and "B" in takes else k for k in takes if k != over and not (inner and k == other)]
    target = read_targets(takes=needed, **given)
    if len(target) != 1:
        raise RunsError(f"{len(target)} targets: ask for one at a time")
    fixed = {k: float(target[k].iloc[0]) for k in (*needed, *(k for k in given if k in COVARIATES))}

    def follows(choice):
        return {"S": fixed["D"] / choice} if over == "B" and "D" in fixed else {}

    logs = {k: np.log(v) for k, v in fixed.items()}
    grid = _around(post, over, GRID)
    said = {k: fixed[k] for k in given if k in fixed}
    how = dict(follows=follows, said=said, tolerance=tolerance, inner=inner)
    return least_along(post, over, _training, grid, logs, **how)


def _around(post, covariate, points):
    center = np.log(post.centers[covariate])
    return np.linspace(center - DECADES * np.log(10), center + DECADES * np.log(10), points)


def _training(choices, given):
    logs = {**given, **choices}
    return {**logs, "S": logs["D"] - logs["B"]} if "D" in logs and "B" in logs else logs
