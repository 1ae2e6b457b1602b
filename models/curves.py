"""Laws of one quantity for any falling curve: a learning curve, an error rate or a loss against data or compute.

Say which column is x, ``m4("D")``, and, when the table is read, which is the loss: ``columns={"loss": "error_rate"}``.
The priors know no unit and are wide: an error rate of images falls with an exponent of .3 to 1, a loss with .05.

The exponents are positive here: the c of Alabdulmohsin et al. is minus ours.
"""

import jax.numpy as jnp
from jax.nn import sigmoid, softplus
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample, split_at_center, value_at_center
from bayesscale.models.implicit import logit_left

SOURCE = "Alabdulmohsin, Neyshabur and Zhai 2022, arXiv:2209.06640"
EXPONENT = prior.exponent(0.3, spread=0.9)
# Of the value at the centre what is not floor: 95 % in .13 to .98.
REDUCIBLE = prior.share(1.0, spread=1.5)


@law(takes="x", gives="loss", source=f"{SOURCE}, M1")
def m1(x):
    """L(x) = beta x^-c

    x is any quantity -> loss or error rate. A straight line in log-log, as `pure_power`, with priors for any curve.
    """
    value = value_at_center(spread=0.2)
    c = sample("c", EXPONENT, alike=True)
    beta = deterministic("beta", value * x.center**c)
    return beta / x**c


@law(takes="x", gives="loss", source=f"{SOURCE}, M2")
def m2(x):
    """L(x) = e_inf + beta x^-c

    x is any quantity -> loss or error rate, with a floor e_inf. As `power`, with priors for any curve.
    """
    e_inf, excess = split_at_center("e_inf", "beta", reducible=REDUCIBLE)
    c = sample("c", EXPONENT, of=excess)
    beta = deterministic("beta", excess * x.center**c)
    return e_inf + beta / x**c


@law(takes="x", gives="loss", source=f"{SOURCE}, M3, of Bansal et al. 2022, arXiv:2202.01994")
def m3(x):
    """L(x) = beta (1 / x + gamma)^c

    x is any quantity -> loss or error rate. Data are worth less and less beyond x = 1 / gamma: the curve ends level at
    beta gamma^c, so that it needs no floor of its own. With gamma = 0 it is `m1`.
    """
    value = value_at_center(spread=0.2)
    flat = sample("share_gamma", prior.share(-1.5, spread=1.5))  # of 1 / x + gamma at the centre
    c = sample("c", EXPONENT, of=value * (1 - flat))
    gamma = deterministic("gamma", flat / ((1 - flat) * x.center))
    beta = deterministic("beta", value * ((1 - flat) * x.center) ** c)
    # Written out, since the derivative of a power of an array costs three times as much.
    return beta * jnp.exp(c * jnp.log(1 / x + gamma))


@law(takes="x", gives="loss", source=f"{SOURCE}, M4")
def m4(x):
    """(L(x) - e_inf) / (e_0 - L(x))^alpha = beta x^-c

    x is any quantity -> loss or error rate, which falls from e_0, that of guessing, to the floor e_inf: an S in log x,
    sharper where it leaves e_0 the smaller alpha. With alpha = 1 it is logistic; far below e_0 it is `m2`. L(x) is
    found by solving the equation, see `models.implicit`.
    """
    e_inf, excess = split_at_center("e_inf", "beta", reducible=REDUCIBLE)
    left = sample("share_left", prior.share(-0.5, spread=1.2))  # of e_0 - e_inf at the centre
    alpha = sample("alpha", prior.positive(1.0, spread=0.7), alike=True)
    # At the centre the curve falls by c times this per e-fold.
    c = sample("c", prior.exponent(0.5, spread=0.8), of=excess / (1 + alpha * left / (1 - left)))
    e_0 = deterministic("e_0", e_inf + excess / left)
    beta = deterministic("beta", excess * (e_0 - e_inf - excess) ** -alpha * x.center**c)
    log_f = jnp.log(beta) + (alpha - 1) * jnp.log(e_0 - e_inf) - c * x.log
    return e_inf + (e_0 - e_inf) * sigmoid(logit_left(log_f, alpha))


@law(takes="x", gives="loss", source="Caballero et al. 2022, arXiv:2210.14891, eq. 1 with one break")
def bnsl(x):
    """L(x) = a + b x^-c0 (1 + (x / d)^(1/f))^(-c1 f)

    x is any quantity -> loss or error rate: a power c0 of x that around x = d becomes a power c0 + c1; f says over how
    many e-folds. c1 may be negative: a curve that levels off, or (below -c0) turns up. With c1 = 0 it is `m2`.
    A break outside the data is the prior's.
    """
    a, value = split_at_center("a", "b", reducible=REDUCIBLE)
    c0 = sample("c0", prior.exponent(0.2, spread=1.0), of=value)
    c1 = sample("c1", dist.Normal(0.0, 0.5), alike=True)
    share = sample("share_d", prior.share(0.0, spread=1.5))  # d / (d + centre)
    f = sample("f", prior.positive(0.3, spread=0.8), alike=True)
    d = deterministic("d", x.center * share / (1 - share))
    b = deterministic("b", value * jnp.exp(c1 * f * softplus(jnp.log(x.center / d) / f)) * x.center**c0)
    return a + b / x**c0 * jnp.exp(-c1 * f * softplus((x.log - jnp.log(d)) / f))
