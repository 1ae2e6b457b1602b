"""The best use of compute: what Kaplan et al. 2020 derive from `kaplan_ns` and `critical_batch` (their appendix B).

To reach a loss L a model of N takes C_min = 6 N B_crit(L) S_min FLOP at least, at a batch far below B_crit; the best N
makes that least. Constants N_c, S_c, alpha_N, alpha_S (`kaplan_ns`, fitted on S_min) and B_star, alpha_B
(`critical_batch`) are numbers or draws, ``paired(curves, batches)``: see `bayesscale.models.derived`. Compute is in
FLOP; the paper's PF-days are 8.64e19 of them.

The exponents follow from three others here. Fitted directly to the best runs they come out differently in the paper
(N as C^.73, not C^.68): what separates the two is an uncertainty that neither's interval holds.
"""

import numpy as np

from bayesscale.models.derived import against

__all__ = ["above_converged", "compute_constant", "exponents", "frontier", "relative_compute", "relative_steps"]

OF_CURVES = ("N_c", "S_c", "alpha_N", "alpha_S")
OF_BATCH = ("B_star", "alpha_B")


def exponents(constants):
    """Exponents of the frontier (eqs 1.7, 1.8 and 6.4): L as 1 / C_min^alpha_C_min, N as C_min^p_N, and so on.

    alpha_C_min = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N); p_N, p_B, p_S are its ratios to alpha_N, alpha_B,
    alpha_S and add up to 1; p_D = p_B + p_S.

    Parameters
    ----------
    constants : mapping
        alpha_N, alpha_S, alpha_B: numbers or draws.

    Returns
    -------
    dict of str to ndarray
        alpha_C_min, p_N, p_B, p_S, p_D, in the shape of the constants.
    """
    alpha_N, alpha_S, alpha_B = against(constants, ("alpha_N", "alpha_S", "alpha_B"))
    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    p_N, p_B, p_S = alpha_C / alpha_N, alpha_C / alpha_B, alpha_C / alpha_S
    return dict(alpha_C_min=alpha_C, p_N=p_N, p_B=p_B, p_S=p_S, p_D=p_B + p_S)


def compute_constant(constants):
    """C_c in L = (C_c / C_min)^alpha_C_min, in FLOP (eq. B.8).

    6 N_c B_star S_c (1 + alpha_N / alpha_S)^(1 / alpha_S + 1 / alpha_N) (alpha_S / alpha_N)^(1 / alpha_S).

    Parameters
    ----------
    constants : mapping
        N_c, S_c, alpha_N, alpha_S, B_star: numbers or draws.

    Returns
    -------
    ndarray
        In the shape of the constants.
    """
    N_c, S_c, alpha_N, alpha_S, B_star = against(constants, (*OF_CURVES, "B_star"))
    r = alpha_N / alpha_S
    return 6 * N_c * B_star * S_c * (1 + r) ** (1 / alpha_S + 1 / alpha_N) / r ** (1 / alpha_S)


def frontier(constants, C):
    """Best model, batch, steps, tokens and loss for a compute (eqs B.5 to B.10).

    Parameters
    ----------
    constants : mapping
        N_c, S_c, alpha_N, alpha_S, B_star, alpha_B: numbers or draws.
    C : number, str or array
        C_min, the least compute, in FLOP. At the critical batch a run spends twice as much.

    Returns
    -------
    dict of str to ndarray
        ``N`` parameters; ``B`` the critical batch at the final loss, in tokens; ``S_min``, the least steps;
        ``S`` = 2 S_min and ``D`` = B S = 2 C_min / (6 N), the steps and tokens of a run at batch B (eq. 6.7); ``loss``.
        Shape of the constants, then of `C`.
    """
    names = (*OF_CURVES, *OF_BATCH)
    *values, C = against(constants, names, C=C)
    c = dict(zip(names, values, strict=True))
    loss = (compute_constant(c) / C) ** exponents(c)["alpha_C_min"]
    converged = loss / (1 + c["alpha_N"] / c["alpha_S"])  # what N would end at; the rest is the S term's
    N = c["N_c"] / converged ** (1 / c["alpha_N"])
    B = c["B_star"] / loss ** (1 / c["alpha_B"])
    S_min = c["S_c"] / (loss - converged) ** (1 / c["alpha_S"])
    return dict(N=N, B=B, S_min=S_min, S=2 * S_min, D=2 * B * S_min, loss=loss)


def above_converged(constants):
    """How far above its converged loss a compute-efficient run stops: alpha_N / alpha_S of it (eq. B.5).

    Parameters
    ----------
    constants : mapping or Posterior
        alpha_N, alpha_S.

    Returns
    -------
    ndarray
        Relative, about .10; in the shape of the constants.
    """
    alpha_N, alpha_S = against(constants, ("alpha_N", "alpha_S"))
    return alpha_N / alpha_S


def relative_compute(constants, size):
    """Compute to reach a loss with a model of another size than the best (eq. B.16).

    size (1 + alpha_S / alpha_N (1 - size^-alpha_N))^(-1 / alpha_S), at the same loss.

    Parameters
    ----------
    constants : mapping or Posterior
        alpha_N, alpha_S.
    size : number or array
        N as a multiple of the best N.

    Returns
    -------
    ndarray
        Multiple of the best N's compute: 1.2 is 20 % more; infinite where so small a model never reaches the loss.
        Shape of the constants, then of `size`.
    """
    return np.asarray(size, float) * relative_steps(constants, size)


def relative_steps(constants, size):
    """Return the steps to reach a loss with a model of another size than the best (eq. B.17).

    (1 + alpha_S / alpha_N (1 - size^-alpha_N))^(-1 / alpha_S), at the same loss; see `relative_compute`.
    """
    alpha_N, alpha_S, size = against(constants, ("alpha_N", "alpha_S"), size=size)
    # What a model of this size leaves to the S term, over what the best one does.
    room = 1 - alpha_S / alpha_N * np.expm1(-alpha_N * np.log(size))
    with np.errstate(divide="ignore"):
        return np.maximum(room, 0.0) ** (-1 / alpha_S)
