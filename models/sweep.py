"""The surface of a sweep over batch size and learning rate: where its lowest point lies as models and tokens grow.

Away from the lowest point tokens are worth less: the term of the tokens in `chinchilla` grows by a bowl, which is 1 at
the bottom. All runs near the bottom count, not only the best: a grid's best run depends on chance and on the grid.
A sweep's rows of one (N, D) are best given as one ``run``: their losses share what Chinchilla misses there, which then
does not bend the optimum.
"""

import jax.numpy as jnp
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample, split_at_center


def bowl(u, right, left):
    """Return (left exp(right u) + right exp(-left u)) / (left + right): convex, least at u = 0, where it is 1.

    Around 0 it is 1 + right left u^2 / 2, far out an exponential with a rate of its own on each side.
    """
    return (left * jnp.exp(right * u) + right * jnp.exp(-left * u)) / (left + right)


def log_over_optimum(name, N, D, x, in_N, in_D):
    """Return log(x / x_opt), x_opt = x_0 N^x_N D^x_D; x_opt is sampled at the centre, beside the sweep's own x."""
    share = sample(f"share_{name}_opt", prior.share(0.0, spread=1.5))  # x_opt / (x_opt + x)
    x_N, x_D = sample(f"{name}_N", in_N), sample(f"{name}_D", in_D)
    x_0 = deterministic(f"{name}_0", x.center * share / (1 - share) / (N.center**x_N * D.center**x_D))
    return x.log - jnp.log(x_0) - x_N * N.log - x_D * D.log


def batch_over_optimum(N, D, B):
    """Return log(B / B_opt)."""
    return log_over_optimum("B", N, D, B, dist.Normal(0.0, 0.2), dist.Normal(0.5, 0.15))


def rate_over_optimum(N, D, lr):
    """Return log(lr / lr_opt)."""
    return log_over_optimum("lr", N, D, lr, dist.Normal(-0.45, 0.25), dist.Normal(0.0, 0.3))


def batch_bowl(u):
    """Sample how steep the surface is above and below the best batch."""
    b = sample("b", prior.exponent(0.30, spread=0.50))
    c = sample("c", prior.exponent(0.25, spread=0.60))
    return bowl(u, b, c)


def rate_bowl(v):
    """Sample how steep the surface is above and below the best learning rate."""
    p = sample("p", prior.positive(0.6, spread=0.8))
    q = sample("q", prior.positive(0.2, spread=0.8))
    return bowl(v, p, q)


def chinchilla_raised(N, D, rise):
    """Return E + A / N^alpha + F / D^beta rise, where rise is 1 at best."""
    E, a, f = split_at_center("E", "A", "F")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=f)
    A = deterministic("A", a * N.center**alpha)
    F = deterministic("F", f * D.center**beta)
    return E + A / N**alpha + F / D**beta * rise


@law(takes=("N", "D", "B"), gives="loss", source="the form of Schaipp et al. 2026, arXiv:2607.01487, exponents freed")
def batch_power(N, D, B):
    """L(N, D, B) = E + A / N^alpha + F / D^beta bowl(B / B_opt), B_opt = B_0 N^B_N D^B_D

    N parameters, D training tokens, B tokens per batch, each at its best learning rate -> loss in nats per token.
    bowl(x) = (c x^b + b x^-c) / (b + c) is 1 at the best batch. In `three_term` B_D = b / (b + c), beta = c B_D
    and B_N = 0; here they are free.
    """
    return chinchilla_raised(N, D, batch_bowl(batch_over_optimum(N, D, B)))


@law(takes=("N", "D", "lr"), gives="loss", source="the form of Step Law, Li et al. 2025, arXiv:2503.04715")
def lr_power(N, D, lr):
    """L(N, D, lr) = E + A / N^alpha + F / D^beta bowl(lr / lr_opt), lr_opt = lr_0 N^lr_N D^lr_D

    N parameters, D training tokens, lr peak learning rate, all at one batch size or each at its best -> loss in nats
    per token. bowl(x) = (q x^p + p x^-q) / (p + q): a rate too large costs more than one too small, up to where
    training fails. Runs that did fail say nothing of the bowl: leave them out.
    """
    return chinchilla_raised(N, D, rate_bowl(rate_over_optimum(N, D, lr)))


@law(
    takes=("N", "D", "B", "lr"),
    gives="loss",
    source="optima as in Step Law, Li et al. 2025, arXiv:2503.04715; rate and batch as in McCandlish et al. 2018",
)
def batch_lr_power(N, D, B, lr):
    """L(N, D, B, lr) = E + A / N^alpha + F / D^beta bowl(B / B_opt) bowl(lr / lr_best)

    N parameters, D training tokens, B tokens per batch, lr peak learning rate -> loss in nats per token. The bowls are
    those of `batch_power` and `lr_power`; the lowest point is B_opt = B_0 N^B_N D^B_D and lr_opt = lr_0 N^lr_N D^lr_D.
    At another batch the best rate is another: lr_best = lr_opt (1 + k) / (1 + k B_opt / B), proportional to B below the
    noise scale k B_opt and the same for all batches far above it.
    """
    u, v = batch_over_optimum(N, D, B), rate_over_optimum(N, D, lr)
    k = sample("k", prior.positive(0.5, spread=1.0))
    ridge = jnp.log1p(k) - jnp.log1p(k * jnp.exp(-u))
    return chinchilla_raised(N, D, batch_bowl(u) * rate_bowl(v - ridge))
