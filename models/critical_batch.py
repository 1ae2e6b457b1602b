"""The critical batch size along the loss, and what runs at any batch would have needed far above or below it."""

from bayesscale.law import deterministic, law, prior, sample, value_at_center
from bayesscale.units import parse_numbers

__all__ = ["critical_batch", "minimum_compute", "minimum_steps"]


@law(takes="loss", gives="B_crit", source="Kaplan et al. 2020, arXiv:2001.08361, eqs 1.4 and 5.3", scatter=0.15)
def critical_batch(L):
    """B_crit(L) = B_star / L^(1 / alpha_B)

    L the loss reached, in nats per token -> critical batch in tokens. Theirs is the fewest tokens over the fewest steps
    that reach L (E_min / S_min): at B_crit a run takes twice of both. Other definitions of a critical batch have other
    constants. A standard error goes in the column ``B_crit_error``.
    """
    value = value_at_center(spread=1.0)  # measured batches scatter by tens of percent, a few rows' mean nearly as much
    alpha_B = sample("alpha_B", prior.exponent(1 / 5.5, spread=0.40), alike=True)
    B_star = deterministic("B_star", value * L.center ** (1 / alpha_B))
    return B_star / L ** (1 / alpha_B)


def minimum_steps(S, *, B, B_crit):
    """S_min = S / (1 + B_crit / B): the steps that a batch far above the critical one would have needed.

    Kaplan et al. 2020, eq. 5.4.

    Parameters
    ----------
    S, B, B_crit : number, str or array
        Optimizer steps taken, tokens per batch, and the critical batch at the loss reached; they broadcast, so
        ``B_crit`` may be forecast draws of shape (draws, runs).

    Returns
    -------
    ndarray

    Raises
    ------
    NumberError
        A value is not a finite number.
    """
    S, B, B_crit = (parse_numbers(x, name=k) for k, x in dict(S=S, B=B, B_crit=B_crit).items())
    return S / (1 + B_crit / B)


def minimum_compute(C, *, B, B_crit):
    """C_min = C / (1 + B / B_crit): the FLOP that a batch far below the critical one would have needed.

    Kaplan et al. 2020, eq. 5.5.

    Parameters
    ----------
    C, B, B_crit : number, str or array
        FLOP spent, tokens per batch, and the critical batch at the loss reached; they broadcast.

    Returns
    -------
    ndarray

    Raises
    ------
    NumberError
        A value is not a finite number.
    """
    C, B, B_crit = (parse_numbers(x, name=k) for k, x in dict(C=C, B=B, B_crit=B_crit).items())
    return C / (1 + B / B_crit)
