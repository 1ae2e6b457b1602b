"""Loss of a model that was grown from a smaller, trained one, beside that of models trained from scratch.

C is all of a run's compute, the small model's included. Whether a row is of a grown model is a share of 0 or 1: a
column `grown`, or one column `grown_<operator>` for each way of growing; scratch is zero in all of them. The floor E is
shared by all: the arms' own floors cannot be learned from curves that were cut off, and drift apart when left free.
"""

from types import MappingProxyType

import jax.numpy as jnp
import numpy as np
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample, split_at_center

TEN = float(np.log(10.0))
# Du et al. 2024, section 4.1: log10 d = a log10 N + b / log10 C + c, from models of 410M, 1.1B and 3B.
GSTACK = MappingProxyType(dict(a=0.88, b=163.27, c=-5.74))
# Their appendix F, of the growth factor g; preliminary in their own words.
GSTACK_FACTOR = MappingProxyType(dict(a=1.01, b=-29.88, c=-7.36))


def of(name, x):
    """Name a constant of one way of growing: `kappa`, or `kappa_<operator>` where there are several."""
    return name if x.name == "grown" else f"{name}_{x.name}"


def guideline(N, C, *, a, b, c):
    """Compute log10 d = a log10 N + b / log10 C + c, or the same of the growth factor: returns d.

    Parameters
    ----------
    N, C : number or array
        Parameters of the grown model (without embeddings), and all of its compute in FLOP.
    a, b, c : float
        Such as ``**GSTACK``: b is in decades of FLOP, so C must be in FLOP.
    """
    return 10 ** (a * np.log10(N) + b / np.log10(C) + c)


@law(takes=("C", "*grown"), gives="loss", source="Du et al. 2024 (Gstack), arXiv:2405.15319, eq. 48, as a law")
def growth_effective_compute(C, *grown):
    """L(C) = E + A / (kappa C)^alpha, kappa = 1 from scratch, of a grown model exp(k0 + k1 log(C / C_center))

    C all of the compute, grown 0 or 1 -> loss. Growing makes C worth kappa C: kappa - 1 is the published speed-up, the
    compute that scratch needs for the same loss over the compute of the grown model, less one. `kappa` is that at the
    centre of the data; k1 < 0 where the gain fades with training. Below one, growing costs.
    """
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.50), of=a)
    k0 = [sample(of("raw_kappa", x), dist.Normal(jnp.log(1.4), 0.4), alike=True) for x in grown]
    k1 = sample("k1", dist.Normal(0.0, 0.15), alike=True)
    kappa = [deterministic(of("kappa", x), jnp.exp(k)) for x, k in zip(grown, k0, strict=True)]
    A = deterministic("A", a * C.center**alpha)
    log_kappa = sum(x.values * (jnp.log(k) + k1 * C.log_ratio) for x, k in zip(grown, kappa, strict=True))
    return E + A / C**alpha * jnp.exp(-alpha * log_kappa)


@law(takes=("C", "*grown"), gives="loss", source="rival of growth_effective_compute: a head start")
def growth_head_start(C, *grown):
    """L(C) = E + A / (C + C_h)^alpha, C_h = 0 from scratch

    C all of the compute, grown 0 or 1 -> loss. Growing saves C_h once, in FLOP, so that its speed-up falls to nothing
    as C grows. It never costs.
    """
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.50), of=a)
    ahead = [sample(of("raw_C_h", x), prior.positive(0.4, spread=1.0), alike=True) for x in grown]
    C_h = [deterministic(of("C_h", x), h * C.center) for x, h in zip(grown, ahead, strict=True)]
    A = deterministic("A", a * C.center**alpha)
    return E + A / (C.values + sum(x.values * h for x, h in zip(grown, C_h, strict=True))) ** alpha


@law(takes=("C", "*grown"), gives="loss", source="rival of growth_effective_compute: another floor")
def growth_shifted_floor(C, *grown):
    """L(C) = E + delta + A / C^alpha, delta = 0 from scratch

    C all of the compute, grown 0 or 1 -> loss. Growing lowers the loss by the same amount wherever training stands, the
    floor included, so that its speed-up grows without end.
    """
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.50), of=a)
    lower = [sample(of("raw_delta", x), dist.Normal(-0.01, 0.03), alike=True) for x in grown]
    delta = [deterministic(of("delta", x), share * (E + a)) for x, share in zip(grown, lower, strict=True)]
    A = deterministic("A", a * C.center**alpha)
    return E + sum(x.values * d for x, d in zip(grown, delta, strict=True)) + A / C**alpha


@law(takes=("C", "*grown"), gives="loss", source="rival of growth_effective_compute: growing changes nothing")
def growth_none(C, *grown):
    """L(C) = E + A / C^alpha, grown or not

    C all of the compute -> loss. `power` of compute, with the columns of grown models for company.
    """
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.50), of=a)
    A = deterministic("A", a * C.center**alpha)
    return E + A / C**alpha


@law(takes=("d", "D"), gives="loss", source="Liew & Kato 2025, arXiv:2510.06548, their joint law")
def growth_two_stage(d, D):
    """L(d, D) = E + A d^-a1 D^(-a2 + a3 log d)

    d tokens of the small model, D tokens after growing -> loss (the paper's D1 and D2, natural logarithm). The longer
    the small model was trained, the less each further token gives: a3. For one size, one way of growing. A model from
    scratch, d = 0, has no place in the formula: fit its runs apart.
    """
    E, a = split_at_center("E", "A")
    # At the centre of the data: the elasticities there, which unlike a1 and a2 hardly depend on a3.
    first = sample("raw_a1", prior.exponent(0.10, spread=0.70), of=a, alike=True)
    second = sample("raw_a2", prior.exponent(0.30, spread=0.50), of=a, alike=True)
    a3 = sample("a3", dist.HalfNormal(0.02))
    log_d, log_D = jnp.log(d.center), jnp.log(D.center)
    a1 = deterministic("a1", first + a3 * log_D)
    a2 = deterministic("a2", second + a3 * log_d)
    A = deterministic("A", a * jnp.exp(a1 * log_d + a2 * log_D - a3 * log_d * log_D))
    return E + A * jnp.exp(-a1 * d.log - (a2 - a3 * d.log) * D.log)


def without_choice(N, C):
    """Sample the loss at the best choice, E + A / N^alpha + B / (C / 6N)^beta; return it and its scale."""
    E, a, b = split_at_center("E", "A", "B")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * (C.center / (6 * N.center)) ** beta)
    return E + A / N**alpha + B / (C / (6 * N)) ** beta, E + a + b


def vertex(N, C, center, *, spread, usual):
    """Sample a, b and c of log10 best = a log10 N + b / log10 C + c at the centre of the data; return it."""
    log_N, log_C = jnp.log10(N.center), jnp.log10(C.center)
    middle = sample("raw_middle", dist.Normal(0.0, spread))  # best at the centre, in decades from the centre of its own
    a = sample("a", dist.Normal(usual, 0.4), alike=True)
    per_decade = sample("raw_b", dist.Normal(0.0, 0.4), alike=True)  # how the best moves with a decade of C, there
    b = deterministic("b", -per_decade * log_C**2)
    c = deterministic("c", middle + jnp.log10(center) - a * log_N - b / log_C)
    return a * N.log / TEN + b * TEN / C.log + c


@law(takes=("N", "C", "d"), gives="loss", source="Du et al. 2024 (Gstack), arXiv:2405.15319, section 4.1")
def growth_timing(N, C, d):
    """L(N, C, d) = E + A / N^alpha + B / (C / 6N)^beta + h (log10 d - mu)^2, mu = a log10 N + b / log10 C + c

    N parameters of the grown model, C all of the compute in FLOP, d tokens of the small model, above zero -> loss.
    10^mu is the best d; h is what a decade off costs.
    """
    least, scale = without_choice(N, C)
    h = deterministic("h", scale * sample("raw_h", prior.positive(0.02, spread=1.0)))
    mu = vertex(N, C, d.center, spread=0.5, usual=0.7)
    return least + h * (d.log / TEN - mu) ** 2


@law(takes=("N", "C", "g"), gives="loss", source="Du et al. 2024 (Gstack), arXiv:2405.15319, appendix F (preliminary)")
def growth_factor(N, C, g):
    """L(N, C, g) = E + A / N^alpha + B / (C / 6N)^beta + h (log10 g - mu)^2, mu = a log10 N + b / log10 C + c

    N parameters of the grown model, C all of the compute in FLOP, g how many times larger it is than the small one ->
    loss. 10^mu is the best g; h is what a decade off costs.
    """
    least, scale = without_choice(N, C)
    h = deterministic("h", scale * sample("raw_h", prior.positive(0.02, spread=1.0)))
    mu = vertex(N, C, g.center, spread=0.3, usual=0.5)
    return least + h * (g.log / TEN - mu) ** 2
