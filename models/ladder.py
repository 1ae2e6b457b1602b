"""Accuracy on a task, from the task's loss or directly from the size of a run.

All of them lie between guessing and a ceiling near one: accuracy = floor + (1 - floor) (1 - missed) Q with 0 < Q < 1.
The floor is ``chance`` (one over the number of options, a column of the table), its logit moved by ``guess``: measured
floors differ from chance by up to ten points. The task's loss is that of the correct answer, in any unit, such as bits
per byte.
"""

import jax.numpy as jnp
from jax.nn import sigmoid
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample

SOURCE = "Bhagia et al. 2024, arXiv:2412.04403"
TYPICAL = 0.03  # scatter of the logit: half of the binomial error of some thousand questions


def floor_of(chance, guess):
    """Return the accuracy of guessing: chance, its logit moved by `guess`."""
    return 1 / (1 + (1 / chance - 1) * jnp.exp(-guess))


def between_guessing_and_ceiling(Q, chance):
    """Return the accuracy where a share Q of what can be learned is learned."""
    guess = sample("guess", dist.Normal(0.0, 0.2))
    deterministic("floor", floor_of(chance.center, guess))
    floor = floor_of(chance.values, guess)
    missed = sample("missed", prior.share(-4.6, spread=0.7))
    return floor + (1 - floor) * (1 - missed) * Q


def box_cox(log_r, shape):
    """Return (r^shape - 1) / shape, which for shape 0 is log r."""
    x = shape * log_r
    near = jnp.abs(x) < 1e-4
    return log_r * jnp.where(near, 1 + x / 2, jnp.expm1(x) / jnp.where(near, 1.0, x))


def from_loss(loss, chance, shape, tail):
    """Return floor + ... (1 + tail e^v)^(-1/tail), where v rises with the loss as its Box-Cox transform does."""
    Q_0 = sample("Q_0", prior.share(0.0, spread=1.5))  # at the centre of the losses
    log_Q_0 = jnp.log(Q_0)
    falls = -log_Q_0 if tail is None else -jnp.expm1(tail * log_Q_0) / tail  # -d log Q / dv there
    slope = sample("slope", prior.positive(4.0, spread=0.7), of=Q_0 * falls)  # of v, per e-fold of the loss
    rise = slope * box_cox(loss.log_ratio, shape)
    if tail is None:  # tail 0, where (1 + tail w)^(-1/tail) becomes exp(-w)
        return between_guessing_and_ceiling(jnp.exp(log_Q_0 * jnp.exp(rise)), chance)
    # With w = (Q_0^-tail - 1) / tail at the centre, log(1 + tail w e^rise).
    excess = jnp.log(jnp.expm1(-tail * log_Q_0)) + rise
    return between_guessing_and_ceiling(jnp.exp(-jnp.logaddexp(0.0, excess) / tail), chance)


@law(takes=("loss", "chance"), gives="accuracy", scale="logit", scatter=TYPICAL, source=f"{SOURCE}, eq. 2")
def accuracy_logistic(loss, chance):
    """Acc(L) = floor + (1 - floor) (1 - missed) / (1 + exp(k (L - L_0)))

    L task loss, chance the accuracy of guessing -> accuracy.
    """
    return from_loss(loss, chance, shape=1.0, tail=1.0)


@law(takes=("loss", "chance"), gives="accuracy", scale="logit", scatter=TYPICAL, source="logistic in log L")
def accuracy_hill(loss, chance):
    """Acc(L) = floor + (1 - floor) (1 - missed) / (1 + (L / L_0)^k)

    L task loss, chance the accuracy of guessing -> accuracy. As `accuracy_logistic`, in the logarithm of the loss.
    """
    return from_loss(loss, chance, shape=0.0, tail=1.0)


@law(takes=("loss", "chance"), gives="accuracy", scale="logit", scatter=TYPICAL, source="the survival function")
def accuracy_weibull(loss, chance):
    """Acc(L) = floor + (1 - floor) (1 - missed) exp(-(L / L_0)^k)

    L task loss, chance the accuracy of guessing -> accuracy.
    """
    return from_loss(loss, chance, shape=0.0, tail=None)


@law(takes=("loss", "chance"), gives="accuracy", scale="logit", scatter=TYPICAL, source="holds the other three links")
def accuracy_link(loss, chance):
    """Acc(L) = floor + (1 - floor) (1 - missed) (1 + tail e^v)^(-1/tail), v = v_0 + slope ((L / L_c)^shape - 1) / shape

    L task loss, chance the accuracy of guessing -> accuracy. With shape and tail 1 it is `accuracy_logistic`, with
    shape 0 and tail 1 `accuracy_hill`, with both 0 `accuracy_weibull`. Runs far from the target cannot tell these
    apart, and they differ there by up to ten points: so their priors hold all three, and the forecast carries it.
    """
    shape = sample("shape", dist.Normal(0.5, 0.5), alike=True)
    tail = sample("tail", prior.positive(0.7, spread=0.5), alike=True)
    return from_loss(loss, chance, shape, tail)


@law(
    takes=("N", "D", "chance"),
    gives="accuracy",
    scale="logit",
    scatter=TYPICAL,
    source="Krajewski et al. 2025, arXiv:2512.08894",
)
def accuracy_direct(N, D, chance):
    """-log Q(N, D) = A / N^alpha + B / D^beta, Acc = floor + (1 - floor) (1 - missed) Q

    N parameters, D training tokens, chance the accuracy of guessing -> accuracy. No loss between.
    """
    Q_0 = sample("Q_0", prior.share(0.0, spread=1.5))
    share = sample("share_A", prior.share(0.0, spread=1.0))
    a, b = -jnp.log(Q_0) * share, -jnp.log(Q_0) * (1 - share)
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * D.center**beta)
    return between_guessing_and_ceiling(jnp.exp(-(A / N**alpha + B / D**beta)), chance)


@law(
    takes=("C", "chance"),
    gives="accuracy",
    scale="logit",
    scatter=TYPICAL,
    source="Krajewski et al. 2025, arXiv:2512.08894",
)
def accuracy_direct_flops(C, chance):
    """-log Q(C) = A / C^alpha, Acc = floor + (1 - floor) (1 - missed) Q

    C training FLOP, at tokens in proportion to parameters, chance the accuracy of guessing -> accuracy.
    """
    Q_0 = sample("Q_0", prior.share(0.0, spread=1.5))
    alpha = sample("alpha", prior.exponent(0.16, spread=0.45), of=-jnp.log(Q_0))
    A = deterministic("A", -jnp.log(Q_0) * C.center**alpha)
    return between_guessing_and_ceiling(jnp.exp(-A / C**alpha), chance)


@law(takes=("N", "D", "chance"), gives="accuracy", scale="logit", scatter=TYPICAL, source=f"{SOURCE}, eq. 8")
def accuracy_one_step(N, D, chance):
    """Acc(N, D) = floor + (1 - floor) (1 - missed) / (1 + exp(A / N^alpha + B / D^beta + E))

    N parameters, D training tokens, chance the accuracy of guessing -> accuracy. The two steps of the ladder in one,
    the loss between them unseen; E has any sign here.
    """
    Q_0 = sample("Q_0", prior.share(0.0, spread=1.5))
    a = sample("a", prior.positive(1.0, spread=1.0))
    b = sample("b", prior.positive(1.0, spread=1.0))
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * N.center**alpha)
    B = deterministic("B", b * D.center**beta)
    E = deterministic("E", jnp.log1p(-Q_0) - jnp.log(Q_0) - a - b)
    return between_guessing_and_ceiling(sigmoid(-(A / N**alpha + B / D**beta + E)), chance)


@law(takes="loss", gives="error", scale="logit", scatter=TYPICAL, source="Gadre et al. 2024, arXiv:2403.08540, eq. 5")
def error_exponential(loss):
    """Err(L) = eps - k exp(-gamma L)

    L validation loss -> error rate, between 0 (at L = 0, at best) and eps, that of guessing. gamma is limited by that:
    fitted without, an error rate can be forecast above one or below zero.
    """
    Err_0 = sample("Err_0", prior.share(0.0, spread=1.2))  # at the centre of the losses, which the runs know best
    left = (1 - Err_0) * sample("share_eps", prior.share(0.5, spread=1.2))  # from there to guessing
    eps = deterministic("eps", Err_0 + left)
    part = sample("part", prior.share(0.5, spread=1.5))  # of the steepest gamma that leaves the error at L = 0 positive
    gamma = deterministic("gamma", part * jnp.log(eps / left) / loss.center)
    k = deterministic("k", left * jnp.exp(gamma * loss.center))
    return eps - k * jnp.exp(-gamma * loss.values)
