"""What follows from a law's constants: for one set of them, or for each posterior draw.

A function of constants takes them by the paper's names: a mapping to numbers or to arrays of draws, or a posterior.
What it returns has the shape of the constants followed by the shape of the targets: draws (draws,) against targets
(targets,) give (draws, targets), and numbers give (targets,).
"""

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.intervals import LEVELS
from bayesscale.intervals import intervals as summarized
from bayesscale.units import parse_numbers

__all__ = ["against", "intervals", "paired"]


def against(constants, names, **targets):
    """Bring constants and targets to shapes that broadcast.

    Parameters
    ----------
    constants : mapping of str to number or array, or Posterior
    names : sequence of str
        The constants that are needed.
    **targets : number, str or array
        "70B" is understood; they broadcast against each other first.

    Returns
    -------
    list of ndarray
        The constants in the order of `names`, with an axis of length one for each axis of the targets; the targets.

    Raises
    ------
    LawError
        A constant is missing.
    NumberError
        A target is not a finite positive number.
    """
    constants = getattr(constants, "flat_draws", constants)
    missing = [name for name in names if name not in constants]
    if missing:
        raise LawError(
            f"{', '.join(missing)} missing: this follows from {', '.join(names)}; where they come from two fits, give "
            "paired(one, other)"
        )
    targets = {k: parse_numbers(x, name=k) for k, x in targets.items()}
    for name, x in targets.items():
        if not np.all(x > 0):
            raise LawError(f"{name} must be positive, got {x[x <= 0].flat[0]:g}")
    found = np.broadcast_arrays(*targets.values()) if targets else []
    axes = (1,) * found[0].ndim if found else ()
    values = (np.asarray(constants[name], float) for name in names)
    return [*(x.reshape((*x.shape, *axes)) for x in values), *found]


def paired(*posteriors, seed=0):
    """Join the constants of fits to different measurements: one mapping of draws.

    Given their data such fits know nothing of each other, so any draw of one goes with any draw of the other. They are
    shuffled, since fits with one seed start from the same random numbers.

    Parameters
    ----------
    *posteriors : Posterior
        A constant that several have, such as ``N_c``, is taken from the first.
    seed : int
        Of the shuffling.

    Returns
    -------
    dict of str to ndarray, shape (draws,)
        As many draws as the fit with the fewest.
    """
    rng = np.random.default_rng(seed)
    draws = [post.flat_draws for post in posteriors]
    sizes = [len(next(iter(of_one.values()))) for of_one in draws]
    joined = {}
    for post, of_one, size in zip(posteriors, draws, sizes, strict=True):
        order = rng.permutation(size)[: min(sizes)]
        joined |= {k: of_one[k][order] for k in post.law.constants if k not in joined}
    return joined


def intervals(quantities, *, level=LEVELS, **targets):
    """Summarise draws of derived quantities.

    Parameters
    ----------
    quantities : mapping of str to ndarray, shape (draws,) or (draws, targets)
    level : float or tuple of float
        Mass of the equal-tailed intervals.
    **targets : array, shape (targets,)
        Shown beside them, such as ``C=``.

    Returns
    -------
    DataFrame
        One row per quantity and target: the targets, ``median``, ``low50``, ``high50``, ...

    Raises
    ------
    LawError
        A quantity has no draws: it was computed from numbers; or a level is no probability.
    """
    targets = {k: parse_numbers(x, name=k) for k, x in targets.items()}
    tables = []
    for name, draws in quantities.items():
        if np.ndim(draws) == 0:
            raise LawError(f"{name} is a number; an interval needs the draws of a posterior")
        columns = {k: np.atleast_1d(x) for k, x in {**targets, **summarized(draws, level)}.items()}
        tables.append(pd.DataFrame(columns, index=[name] * len(columns["median"])))
    return pd.concat(tables).rename_axis("quantity")
