"""Loss of a model with N parameters trained on D tokens."""

from bayesscale.law import deterministic, law, prior, sample, split_at_center


@law(takes=("N", "D"), gives="loss", source="Hoffmann et al. 2022, arXiv:2203.15556, eq. 2")
def chinchilla(N, D):
    """L(N, D) = E + A / N^alpha + B / D^beta

    N parameters, D training tokens -> loss in nats per token. E is the loss that no model and no data can remove.
    """
    E, a, b = split_at_center("E", "A", "B")
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * D.center**beta)
    return E + A / N**alpha + B / D**beta


@law(takes=("N", "D"), gives="loss", source="Gadre et al. 2024, arXiv:2403.08540, eq. 4 (their eta is alpha / 2)")
def chinchilla_tied(N, D):
    """L(N, D) = E + A / N^alpha + B / D^alpha

    One exponent for parameters and tokens: loss falls with compute at the same rate whatever the tokens per parameter.
    What remains identifiable when all runs lie near one tokens-per-parameter ray.
    """
    E, a, b = split_at_center("E", "A", "B")
    alpha = sample("alpha", prior.exponent(0.27, spread=0.35), of=a + b)
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * D.center**alpha)
    return E + A / N**alpha + B / D**alpha
