"""Loss when the same tokens are seen more than once."""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, split_at_center


def log_effective(log_x, log_unique, worth):
    """Return log(U + U R* (1 - exp(-R / R*))), R = x / U - 1: what exceeds U is worth less and less."""
    excess = jnp.expm1(jnp.maximum(log_x - log_unique, 0.0))
    return log_unique + jnp.log1p(-worth * jnp.expm1(-excess / worth))


def repeated_loss(log_N, log_D, log_U, *, E, A, B, alpha, beta, R_D_star, R_N_star):
    """Return E + A / N'^alpha + B / D'^beta at given constants, in logarithms: a power of an array costs most here."""
    log_U = jnp.minimum(log_U, log_D)
    log_N_opt = (jnp.log(alpha * A / (beta * B)) + beta * log_U) / alpha
    log_N = log_effective(log_N, jnp.minimum(log_N, log_N_opt), R_N_star)
    log_D = log_effective(log_D, log_U, R_D_star)
    return E + A * jnp.exp(-alpha * log_N) + B * jnp.exp(-beta * log_D)


def from_center(N, D, U, E, reducible, alpha, beta):
    """Sample what repeats are worth and how the reducible loss at the centre splits; return the loss of each run."""
    R_D_star = sample("R_D_star", prior.positive(10.0, spread=0.8))
    R_N_star = sample("R_N_star", prior.positive(5.0, spread=1.0))
    # A and B share the reducible loss as the best size decides: above it the runs see N_opt, hardly A itself.
    best = sample("share_N_opt", prior.share(0.0, spread=1.5))  # N_opt / (N_opt + N) at the centre
    N_c, D_c, U_c = jnp.log(N.center), jnp.log(D.center), jnp.log(jnp.minimum(U.center, D.center))
    N_best = N_c + jnp.log(best / (1 - best))
    N_0 = log_effective(N_c, jnp.minimum(N_c, N_best), R_N_star)
    D_0 = log_effective(D_c, U_c, R_D_star)
    a_to_b = beta / alpha * jnp.exp(alpha * (N_best - N_0) + beta * (D_0 - U_c))
    A = deterministic("A", reducible * a_to_b / (1 + a_to_b) * jnp.exp(alpha * N_0))
    B = deterministic("B", reducible / (1 + a_to_b) * jnp.exp(beta * D_0))
    stars = dict(R_D_star=R_D_star, R_N_star=R_N_star)
    return repeated_loss(N.log, D.log, U.log, E=E, A=A, B=B, alpha=alpha, beta=beta, **stars)


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
