"""What the batch size does: steps against examples, and the loss after S steps of B tokens.

In these laws B is the tokens per batch, so D = B S; the constant that other laws call B is F here.
"""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, split_at_center, value_at_center


@law(takes="B", gives="S", source="McCandlish et al. 2018, arXiv:1812.06162; Kaplan et al. 2020, eq. 5.1", scatter=0.05)
def steps_examples(B):
    """S(B) = S_min + E_min / B

    B tokens per batch -> optimizer steps that reach one target loss. S_min is the fewest steps, with batches without
    end; E_min the fewest tokens, with the smallest batches: (S / S_min - 1) (E / E_min - 1) = 1, where E = B S. At the
    critical batch size E_min / S_min training takes twice the steps and twice the tokens.
    """
    steps = value_at_center(spread=1.0)
    s = sample("share_S_min", prior.share(0.0, spread=2.0))  # of the steps at the centre
    S_min = deterministic("S_min", steps * s)
    E_min = deterministic("E_min", steps * (1 - s) * B.center)
    return S_min + E_min / B


@law(takes=("N", "S", "B"), gives="loss", source="Schaipp et al. 2026, arXiv:2607.01487")
def three_term(N, S, B):
    """L(N, S, B) = E + A / N^alpha + F / S^b + G / B^c

    N parameters, S optimizer steps, B tokens per batch, at the best learning rate -> loss in nats per token. Of D = B S
    tokens the best batch is B_opt = [c G / (b F)]^(1 / (b + c)) D^(b / (b + c)), whatever N is; there the law is
    `chinchilla` with beta = b c / (b + c). With exponents as small as b and c tables do not identify E: it is not the
    loss that no training can remove.
    """
    E, a, f, g = split_at_center("E", "A", "F", "G")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    b = sample("b", prior.exponent(0.30, spread=0.50), of=f)
    c = sample("c", prior.exponent(0.25, spread=0.60), of=g)
    A = deterministic("A", a * N.center**alpha)
    F = deterministic("F", f * S.center**b)
    G = deterministic("G", g * B.center**c)
    return E + A / N**alpha + F / S**b + G / B**c


@law(
    takes=("N", "D", "B"), gives="loss", source="Hoffmann et al. 2022, eq. 2, in the tokens of Kaplan et al. 2020, 5.5"
)
def chinchilla_batch(N, D, B):
    """L(N, D, B) = E + A / N^alpha + F / D_min^beta, D_min = D / (1 + B / B_crit)

    N parameters, D training tokens, B tokens per batch -> loss in nats per token. D_min is the tokens that the smallest
    batches would have needed: large batches waste tokens, small ones never do, so this law has no best batch. B_crit is
    one number for all runs; that it grows as the loss falls (`critical_batch`) fits sweeps better, but must be solved
    for, and a law with a best batch (`three_term`) fits them better still.
    """
    E, a, f = split_at_center("E", "A", "F")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=f)
    small = sample("share_D_min", prior.share(0.0, spread=2.0))  # D_min / D at the centre
    B_crit = deterministic("B_crit", B.center * small / (1 - small))
    A = deterministic("A", a * N.center**alpha)
    F = deterministic("F", f * (D.center * small) ** beta)
    waste = jnp.exp(beta * jnp.log1p(B / B_crit))  # (D / D_min)^beta; written as a power it is slower
    return E + A / N**alpha + F / D**beta * waste
