"""Loss when the same tokens are seen more than once."""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, split_at_center


def effective(x, unique, worth):
    """Return U + U R* (1 - exp(-R / R*)), R = x / U - 1: what exceeds U is worth less and less."""
    excess = jnp.maximum(x / unique - 1, 0.0)
    return unique * (1 - worth * jnp.expm1(-excess / worth))


def repeated_loss(N, D, U, *, E, A, B, alpha, beta, R_D_star, R_N_star):
    """Return E + A / N'^alpha + B / D'^beta at given constants; N, D, U are arrays."""
    U = jnp.minimum(U, D)
    N_opt = (alpha * A / (beta * B) * U**beta) ** (1 / alpha)
    return E + A / effective(N, jnp.minimum(N, N_opt), R_N_star) ** alpha + B / effective(D, U, R_D_star) ** beta


def from_center(N, D, U, E, reducible, alpha, beta):
    """Sample what repeats are worth and how the reducible loss at the centre splits; return the loss of each run."""
    R_D_star = sample("R_D_star", prior.positive(10.0, spread=0.8))
    R_N_star = sample("R_N_star", prior.positive(5.0, spread=1.0))
    # A and B share the reducible loss as the best size decides: above it the runs see N_opt, hardly A itself.
    best = sample("share_N_opt", prior.share(0.0, spread=1.5))  # N_opt / (N_opt + N) at the centre
    N_best, U_0 = N.center * best / (1 - best), jnp.minimum(U.center, D.center)
    N_0 = effective(N.center, jnp.minimum(N.center, N_best), R_N_star)
    D_0 = effective(D.center, U_0, R_D_star)
    a_to_b = beta / alpha * (N_best / N_0) ** alpha * (D_0 / U_0) ** beta
    A = deterministic("A", reducible * a_to_b / (1 + a_to_b) * N_0**alpha)
    B = deterministic("B", reducible / (1 + a_to_b) * D_0**beta)
    stars = dict(R_D_star=R_D_star, R_N_star=R_N_star)
    return repeated_loss(N.values, D.values, U.values, E=E, A=A, B=B, alpha=alpha, beta=beta, **stars)


@law(takes=("N", "D", "U"), gives="loss", source="Muennighoff et al. 2023, arXiv:2305.16264, eqs 5, 6 and 17")
def repeated(N, D, U):
    """L(N, D, U) = E + A / N'^alpha + B / D'^beta

    N parameters, D training tokens, U unique tokens among them -> loss in nats per token. Repeated tokens are worth
    less than fresh ones: D' = U + U R_D* (1 - exp(-R_D / R_D*)), where R_D = D / U - 1 counts the repeats, so that the
    data never count for more than U (1 + R_D*). N' has the same form around N_opt(U), the best size for U tokens seen
    once, with R_N*: a model much larger gains little. At one epoch and up to N_opt it is `chinchilla`. Repeats never
    hurt here; in truth, too many do. A base law taken from other runs is made up for by R_D*, R_N*: fit all together.
    """
    E, reducible = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=reducible)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=reducible)
    return from_center(N, D, U, E, reducible, alpha, beta)


@law(takes=("N", "D", "U"), gives="loss", source="Muennighoff et al. 2023, arXiv:2305.16264, their repository's fit")
def repeated_tied(N, D, U):
    """L(N, D, U) = E + A / N'^alpha + B / D'^alpha

    `repeated` with one exponent, as its authors fit it: the best size grows in proportion to the unique tokens.
    """
    E, reducible = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.27, spread=0.35), of=reducible)
    return from_center(N, D, U, E, reducible, alpha, alpha)
