"""How much data a model needs: what Kaplan et al. 2020 derive from `kaplan_nd`, as functions of its constants.

Constants N_c, D_c, alpha_N, alpha_D are numbers, draws or a posterior: see `bayesscale.models.derived`.
"""

import numpy as np

from bayesscale.models.derived import against

__all__ = ["data_growth", "early_stopping_step", "overfitting", "tokens_to_avoid_overfitting"]

OF_ND = ("N_c", "D_c", "alpha_N", "alpha_D")


def overfitting(constants, N, D):
    """Relative penalty of finite data: L(N, D) / L(N, infinity) - 1 (eqs 4.2 and 4.3).

    (1 + (N / N_c)^(alpha_N / alpha_D) D_c / D)^alpha_D - 1.

    Parameters
    ----------
    constants : mapping or Posterior
        Of `kaplan_nd`.
    N, D : number, str or array
        Parameters, training tokens; they broadcast.

    Returns
    -------
    ndarray
        Shape of the constants, then of the targets.
    """
    N_c, D_c, alpha_N, alpha_D, N, D = against(constants, OF_ND, N=N, D=D)
    ratio = alpha_N / alpha_D * np.log(N / N_c) + np.log(D_c / D)
    return np.expm1(alpha_D * np.logaddexp(0, ratio))


def tokens_to_avoid_overfitting(constants, N, penalty=0.02):
    """Tokens from which on the penalty of finite data stays below `penalty` (eq. 4.3 solved for D).

    D_c (N / N_c)^(alpha_N / alpha_D) / ((1 + penalty)^(1 / alpha_D) - 1); eq. 4.4 is a rounding of it: 5e3 N^.74.

    Parameters
    ----------
    constants : mapping or Posterior
        Of `kaplan_nd`.
    N : number, str or array
        Parameters.
    penalty : number or array
        Relative: .02 is 2 % of the loss. What .02 nats take is ``penalty=0.02 / L``, which is more.

    Returns
    -------
    ndarray
        Shape of the constants, then of the targets.
    """
    N_c, D_c, alpha_N, alpha_D, N, penalty = against(constants, OF_ND, N=N, penalty=penalty)
    return D_c * np.exp(alpha_N / alpha_D * np.log(N / N_c)) / np.expm1(np.log1p(penalty) / alpha_D)


def data_growth(constants, x):
    """How many times more data a model `x` times larger needs for the same penalty: x^(alpha_N / alpha_D).

    Parameters
    ----------
    constants : mapping or Posterior
        Of `kaplan_nd`.
    x : number or array
        8 gives the paper's statement: about 5 times the data.

    Returns
    -------
    ndarray
        Shape of the constants, then of `x`.
    """
    alpha_N, alpha_D, x = against(constants, ("alpha_N", "alpha_D"), x=x)
    return x ** (alpha_N / alpha_D)


def early_stopping_step(constants, N, D):
    """Bound the steps from below at which over-fitting sets in (eq. 5.7).

    S_c / (L(N, D) - L(N, infinity))^(1 / alpha_S).

    In steps at a batch far above the critical one: with finite data the test loss falls at most as fast as the curve of
    `kaplan_ns`, and it ends at L(N, D).

    Parameters
    ----------
    constants : mapping
        N_c, D_c, alpha_N, alpha_D of `kaplan_nd` with S_c, alpha_S of `kaplan_ns`: ``paired(nd, ns)``, in this order.
    N, D : number, str or array
        Parameters, training tokens; they broadcast.

    Returns
    -------
    ndarray
        Shape of the constants, then of the targets.
    """
    N_c, alpha_N, S_c, alpha_S, sizes, _ = against(constants, ("N_c", "alpha_N", "S_c", "alpha_S"), N=N, D=D)
    excess = overfitting(constants, N, D) * (N_c / sizes) ** alpha_N
    return S_c / excess ** (1 / alpha_S)
