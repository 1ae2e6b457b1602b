"""The line through the space of covariates along which a fan is drawn against one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.table_columns import derive
from bayesscale.units import format_number, parse_number

__all__ = ["own_covariate", "path"]

RAY = ("N", "D", "C")


def own_covariate(law) -> str:
    """Say what to draw a law against if the user does not: its only covariate, or compute."""
    return law.columns[0] if len(law.columns) == 1 else "C"


def path(post, x, values, *, tokens_per_parameter=None) -> tuple[pd.DataFrame, str]:
    """Lay a line through the covariates of a law: `x` runs through `values`, the others follow or stay.

    N, D and C go together, at constant tokens per parameter: N = sqrt(C / (6 r)), D = r N. What does not follow from
    these is held at the centre of the data.

    Parameters
    ----------
    post : Posterior
    x : str
        The covariate that varies.
    values : array
    tokens_per_parameter : number or str, optional
        r; the geometric mean over the runs unless given.

    Returns
    -------
    frame : DataFrame
        All covariates of the law, and `x`.
    said : str
        What is held fixed, in words.

    Raises
    ------
    LawError
        The law does not depend on `x`, or tokens per parameter are neither given nor in the table.
    """
    takes = post.law.columns
    frame, said = pd.DataFrame({x: np.asarray(values, dtype=float)}), []
    on_ray = x in RAY and any(c in RAY and c != x for c in takes)
    if x not in takes and not on_ray:
        raise LawError(f"law {post.law.name} does not depend on {x}: draw it against {' or '.join(takes)}")
    if on_ray:
        r = _tokens_per_parameter(post.runs, tokens_per_parameter)
        frame = _on_ray(x, frame[x], r)
        said.append(f"{format_number(r)} tokens per parameter")
    for name in takes:
        if name not in frame:
            frame, _ = derive(frame)
        if name not in frame:
            frame[name] = post.centers[name]
            said.append(f"{name} = {format_number(post.centers[name])}")
    return frame, ", ".join(said)


def _on_ray(x, values, r):
    N = {"N": values, "D": values / r, "C": np.sqrt(values / (6.0 * r))}[x]
    on_ray = pd.DataFrame({"N": N, "D": r * N, "C": 6.0 * r * N**2})
    return on_ray.assign(**{x: values})  # exactly, without the rounding of the way there and back


def _tokens_per_parameter(runs, given):
    if given is not None:
        r = parse_number(given, name="tokens_per_parameter")
        if r <= 0:
            raise LawError(f"tokens_per_parameter is a positive number such as 20, not {given!r}")
        return r
    if not {"N", "D"} <= set(runs.columns):
        raise LawError("the runs do not have both N and D: say tokens_per_parameter=, such as 20")
    return float(np.exp(np.mean(np.log(runs.column("D") / runs.column("N")))))
