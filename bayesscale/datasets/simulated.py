"""Runs drawn from a law whose constants are known, as a lab makes them: a few sizes, each on several budgets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayesscale.runs import Runs

__all__ = ["CHINCHILLA", "simulate_ladder"]

# Besiroglu et al. 2024, arXiv:2404.10102: Epoch AI's fit to the runs of Hoffmann et al. 2022.
CHINCHILLA = MappingProxyType({"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658})

TOKENS_PER_PARAMETER = 20.0  # "1x" of a ladder: about Chinchilla-optimal


def simulate_ladder(
    sizes=("60M", "130M", "280M", "600M", "1.3B"),
    multiples=(1, 2, 5, 10),
    *,
    constants=CHINCHILLA,
    sigma=0.004,
    nu=5.0,
    seed=0,
) -> Runs:
    """Draw a ladder of runs from L(N, D) = E + A / N^alpha + B / D^beta.

    log(loss) = log L(N, D) + sigma * t, with t from Student's distribution with `nu` degrees of freedom: the default
    noise of `bayesscale.fit`. Every size is trained on every multiple of 20 tokens per parameter.

    Parameters
    ----------
    sizes : sequence of number or str
        Parameters, such as "60M".
    multiples : sequence of number
        Of 20 tokens per parameter.
    constants : mapping of str to float
        E, A, B, alpha and beta.
    sigma, nu : float
        Scale and degrees of freedom of the noise.
    seed : int

    Returns
    -------
    Runs
        One run per size and multiple, named "60M-1x". ``about["truth"]`` holds the law, its constants, the noise with
        its `sigma` and `nu`, and the seed.

    Raises
    ------
    LawError
        A constant is missing or unknown.
    NumberError
        A size or a multiple is not a number.
    """
    import numpy as np

    from bayesscale.models import chinchilla
    from bayesscale.runs import read_runs
    from bayesscale.units import format_number, parse_numbers

    sizes, multiples = parse_numbers(sizes, name="sizes"), parse_numbers(multiples, name="multiples")
    N, multiple = (grid.ravel() for grid in np.meshgrid(sizes, multiples, indexing="ij"))
    D = TOKENS_PER_PARAMETER * multiple * N
    scatter = sigma * np.random.default_rng(seed).standard_t(nu, size=N.shape)
    loss = chinchilla.evaluate(constants, N=N, D=D) * np.exp(scatter)

    table = {
        "run": [f"{format_number(n)}-{format_number(m)}x" for n, m in zip(N, multiple, strict=True)],
        "N": N,
        "D": D,
        "loss": loss.round(6),  # what computes the law differs in the last bit between devices; the table must not
    }
    truth = {"law": "chinchilla", **constants, "noise": "student-t", "sigma": sigma, "nu": nu, "seed": seed}
    return read_runs(table, about={"count_N": "total", "eval": "simulated", "truth": truth})
