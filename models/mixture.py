"""Loss of a model trained on a mixture of domains, by the domains' proportions.

Each law gives the loss on one target: a validation set of a domain, or any other. Targets are fitted one by one, or
pooled, ``bs.fit_pooled(law, runs, over="domain")``. The proportions, columns ``r_<domain>``, sum to one, so a formula
may write more constants than can be learned; each law says its convention.
"""

import jax.numpy as jnp
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample, split_at_center, value_at_center
from bayesscale.models.skaling import coupled, drift


def differences(name, r, spread):
    """Sample an effect of each domain, less the mean of all: as proportions sum to one, only differences show."""
    effects = [sample(f"raw_{name}_{x.name}", dist.Normal(0.0, spread)) for x in r]
    return [effect - sum(effects) / len(effects) for effect in effects]


def named(name, values, r):
    """Record a constant of each domain."""
    return [deterministic(f"{name}_{x.name}", value) for value, x in zip(values, r, strict=True)]


def effect_of(t, r):
    """Return sum_j t_j r_j."""
    return sum(t_j * x.values for t_j, x in zip(t, r, strict=True))


def effect_at_center(t, r):
    """Return the same at the mean mixture."""
    return sum(t_j * x.center for t_j, x in zip(t, r, strict=True))


def weights(name, r, usual=None):
    """Sample how much each domain counts at the mean mixture, in all one: about equally, or about as is `usual`."""
    logits = jnp.stack([sample(f"raw_{name}_{x.name}", dist.Normal(0.0, 1.0)) for x in r])
    logits = logits if usual is None else logits + jnp.log(jnp.stack(usual))
    w = jnp.exp(logits - logits.max())
    return w / w.sum()


@law(takes=("r", "S"), gives="loss", source="Ge et al. 2024 (BiMix), arXiv:2405.14908, eq. 3")
def bimix(r, S):
    """L(r, S) = A / r^alpha (B / S^beta + C)

    r proportion of the target's own domain, above zero; S steps, or tokens as ``bimix(r, D)`` -> loss. The proportions
    of other domains have no effect. A multiplies B and C, so it cannot be learned beside them: here it is one.
    """
    value = value_at_center()
    reducible = sample("reducible", prior.share(-1.0, spread=0.7))
    b, c = value * reducible, value * (1 - reducible)
    alpha = sample("alpha", prior.exponent(0.045, spread=0.70), of=value)
    beta = sample("beta", prior.exponent(0.60, spread=0.35), of=b)
    A = deterministic("A", jnp.ones_like(value))
    B = deterministic("B", b * S.center**beta * r.center**alpha)
    C = deterministic("C", c * r.center**alpha)
    return A / r**alpha * (B / S**beta + C)


@law(takes="*r", gives="loss", source="Ye et al. 2024 (data mixing laws), arXiv:2403.16952, eq. 7")
def mixture_exponential(*r):
    """L(r) = c + k exp(sum_j t_j r_j)

    r proportions -> loss. A number added to all t_j is a factor of k, so their mean is zero here. With log k in the
    exponent this is Olmix's law of a task, c + exp(sum_j (t_j + log k) r_j).
    """
    c, gap = split_at_center("c", "k")
    t = named("t", differences("t", r, spread=4.0), r)
    k = deterministic("k", gap * jnp.exp(-effect_at_center(t, r)))
    return c + k * jnp.exp(effect_of(t, r))


@law(takes=("D", "*r"), gives="loss", source="Ye et al. 2024, arXiv:2403.16952, eq. 7 and their step law")
def mixture_exponential_tokens(D, *r):
    """L(D, r) = c + k exp(sum_j t_j r_j) + B / D^beta

    D training tokens, r proportions -> loss. The t_j have mean zero.
    """
    c, gap, b = split_at_center("c", "k", "B")
    t = named("t", differences("t", r, spread=4.0), r)
    beta = sample("beta", prior.exponent(0.50, spread=0.45), of=of_loss(b, c, gap))
    k = deterministic("k", gap * jnp.exp(-effect_at_center(t, r)))
    B = deterministic("B", b * D.center**beta)
    return c + k * jnp.exp(effect_of(t, r)) + B / D**beta


@law(takes="*r", gives="loss", source="Chen et al. 2026 (Olmix), arXiv:2602.12237, with c = 0")
def mixture_log_linear(*r):
    """L(r) = exp(sum_j A_j r_j)

    r proportions -> loss: the geometric mean of what each domain alone would give, exp(A_j).
    """
    level = jnp.log(value_at_center())
    apart = differences("A", r, spread=0.5)
    A = named("A", [level - effect_at_center(apart, r) + difference for difference in apart], r)
    return jnp.exp(effect_of(A, r))


@law(takes="*r", gives="loss", source="Liu et al. 2024 (RegMix), arXiv:2407.01492, the linear regression")
def mixture_linear(*r):
    """L(r) = sum_j w_j r_j

    r proportions -> loss: the mean of what each domain alone would give, w_j. Positive, so that a loss is.
    """
    value = value_at_center()
    relative = [jnp.exp(difference) for difference in differences("w", r, spread=0.5)]
    w = named("w", [value * x / effect_at_center(relative, r) for x in relative], r)
    return effect_of(w, r)


def of_domains(h, r, *others):
    """Sample the constants of 1 / sum_i C_i r_i^g_i, whose value at the mean mixture is h; return it of each run."""
    w = weights("C", r)
    # Runs measure what a domain's share does to the loss, beside the `others` terms; in units of what is typical, as
    # the sampler starts near 1: a term of a sixth of the loss, a domain's part 1 / len(r) of it, and .3 for g.
    slopes = w * len(r) / 0.3 * 6 * h / (h + sum(others))
    g = [sample(f"g_{x.name}", prior.exponent(0.3, spread=0.7), of=slopes[i], alike=False) for i, x in enumerate(r)]
    C = named("C", [w[i] / (h * x.center ** g[i]) for i, x in enumerate(r)], r)
    return 1 / sum(C_i * x**g_i for C_i, x, g_i in zip(C, r, g, strict=True))


def amplitude(name, value, exponent, x, r):
    """Sample the constants of A_r = (sum_i A_i r_i)^gamma, where A_r / x^exponent is `value` at the centre."""
    gamma = sample(f"gamma_{name}", prior.positive(1.0, spread=0.7))
    w = weights(name, r, usual=[x_i.center for x_i in r])
    whole = (value * x.center**exponent) ** (1 / gamma)
    return effect_of(named(name, [w[i] * whole / x_i.center for i, x_i in enumerate(r)], r), r) ** gamma


def split_with_domains():
    """Share out the loss: beside a term of the mixture the floor is less of it than in laws of N and D alone."""
    return split_at_center("E", "C", "A", "B", reducible=prior.share(0.0, spread=1.0))  # 90 % in .16 to .84


def of_loss(term, *others):
    """Return a term as what its exponent is of, so that the sampler starts where 5 % of the loss go per e-fold.

    In the loss's own unit it would start at exponents of 50 wherever a term happens to start small.
    """
    return 20 * term / (term + sum(others))


@law(takes=("N", "D", "*r"), gives="loss", source="Shukor et al. 2025, arXiv:2507.09404, the additive law")
def mixture_additive(N, D, *r):
    """L(N, D, r) = E + 1 / sum_i C_i r_i^g_i + A / N^alpha + B / D^beta

    N parameters, D training tokens, r proportions -> loss. The best mixture is the same at every N and D.
    """
    E, h, a, b = split_with_domains()
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=of_loss(a, E, h, b))
    beta = sample("beta", prior.exponent(0.50, spread=0.45), of=of_loss(b, E, h, a))
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * D.center**beta)
    return E + of_domains(h, r, E, a, b) + A / N**alpha + B / D**beta


@law(takes=("N", "D", "*r"), gives="loss", source="Shukor et al. 2025, arXiv:2507.09404, the joint law")
def mixture_joint(N, D, *r):
    """L(N, D, r) = E + 1 / sum_i C_i r_i^g_i + A_r / N^alpha + B_r / D^beta, A_r = (sum_i A_i r_i)^gamma_A, B_r alike

    N parameters, D training tokens, r proportions -> loss. The best mixture changes with N and D.
    """
    E, h, a, b = split_with_domains()
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=of_loss(a, E, h, b))
    beta = sample("beta", prior.exponent(0.50, spread=0.45), of=of_loss(b, E, h, a))
    A_r = amplitude("A", a, alpha, N, r)
    B_r = amplitude("B", b, beta, D, r)
    return E + of_domains(h, r, E, a, b) + A_r / N**alpha + B_r / D**beta


@law(takes=("N", "D", "*r"), gives="loss", source="`mixture_additive` with the size terms of `skaling_drift`")
def mixture_drift(N, D, *r):
    """L(N, D, r) = [E + 1 / sum_i C_i r_i^g_i] / (C / C_0)^eps + [(A / N^alpha)^(1/k) + (B / D^beta)^(1/k)]^k

    N parameters, D training tokens, r proportions -> loss; C = 6 N D. With eps = 0 and k = 1 it is `mixture_additive`,
    which forecasts larger runs too high; what this one says of N and D held best on tables without mixtures. E and the
    C_i are those at the compute C_0 of the data's centre. The best mixture is the same at every N and D.
    """
    E, h, a, b = split_with_domains()
    return (E + of_domains(h, r, E, a, b)) * drift(N, D) + coupled(N, D, a, b)
