"""The one model that every contender samples, in the coordinates each of them uses.

In *shares*, as bayesscale samples it, with the loss at the centre (N_c, D_c) of the runs

    L0 = level * (geometric mean of the losses)        level          ~ LogNormal(0, .1)
    E  = L0 (1 - reducible)                            logit reducible ~ Normal(-1, .7)
    a  = L0 reducible share_A                          logit share_A   ~ Normal(0, 1)
    b  = L0 reducible (1 - share_A)                    alpha ~ LogNormal(ln .30, .40), beta ~ LogNormal(ln .33, .50)
    A  = a N_c^alpha,  B = b D_c^beta                  sigma ~ LogNormal(ln .006, .8), nu - 1 ~ Gamma(2, .1)
    ln loss ~ StudentT(nu, ln(E + A N^-alpha + B D^-beta), sigma)

In *raw* parameters, as the paper writes the law and its users sample it, the same prior needs no Jacobian. With
e = ln E, x = ln a, y = ln b and p = (E, a, b) / L0 the coordinates that carry the priors are

    u = ln level = ln(E + a + b) - const     du = (p_E,  p_a,     p_b)
    r = logit reducible = ln(a + b) - ln E   dr = (-1,   share,   1 - share)
    s = logit share_A = ln a - ln b          ds = ( 0,   1,       -1)

whose determinant is -(p_E + p_a + p_b) = -1; and at fixed alpha, beta, ln A and ln B are x and y shifted. So the
density over (ln E, ln A, ln B) is the product of the three normal densities at (u, r, s), and nothing else.
"""

LEVEL = (0.0, 0.1)  # (location, scale) of the normal on the unconstrained scale, here and below
REDUCIBLE = (-1.0, 0.7)
SHARE_A = (0.0, 1.0)
LOG_ALPHA = (-1.2039728043259361, 0.40)  # ln .30
LOG_BETA = (-1.1086626245216111, 0.50)  # ln .33
LOG_SIGMA = (-5.115995809754082, 0.8)  # ln .006
NU_MINUS_ONE = (2.0, 0.1)  # concentration, rate
PRIORS = (LEVEL, REDUCIBLE, SHARE_A, LOG_ALPHA, LOG_BETA, LOG_SIGMA, NU_MINUS_ONE)

PARAMETERS = ("E", "A", "B", "alpha", "beta", "sigma", "nu")


def read(path):
    """What a model is given of a CSV table: sizes and tokens, their logs, and the log of the loss."""
    import numpy as np
    import pandas as pd

    frame = pd.read_csv(path)
    N, D, loss = (frame[name].to_numpy(float) for name in ("N", "D", "loss"))
    return {"N": N, "D": D, "log_N": np.log(N), "log_D": np.log(D), "log_loss": np.log(loss)}


def read_logs(path):
    """The logs alone: all that the model takes when powers are written as exponentials."""
    return {name: values for name, values in read(path).items() if name.startswith("log")}


def as_published(exp, runs, E, log_A, log_B, alpha, beta):
    return E + exp(log_A) / runs["N"] ** alpha + exp(log_B) / runs["D"] ** beta


def by_exponentials(exp, runs, E, log_A, log_B, alpha, beta):
    """The same numbers without `**`, whose derivative costs several times more."""
    return E + exp(log_A - alpha * runs["log_N"]) + exp(log_B - beta * runs["log_D"])


FORMULAS = {"as published": (read, as_published), "by exponentials": (read_logs, by_exponentials)}


def raw_in_numpyro(formula, **runs):
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro import deterministic, sample

    flat = dist.ImproperUniform(dist.constraints.real, (), ())
    log_E, log_A, log_B = sample("log_E", flat), sample("log_A", flat), sample("log_B", flat)
    alpha = sample("alpha", dist.LogNormal(*LOG_ALPHA))
    beta = sample("beta", dist.LogNormal(*LOG_BETA))
    sigma = sample("sigma", dist.LogNormal(*LOG_SIGMA))
    nu = deterministic("nu", 1 + sample("nu_minus_one", dist.Gamma(*NU_MINUS_ONE)))
    E = deterministic("E", jnp.exp(log_E))
    deterministic("A", jnp.exp(log_A))
    deterministic("B", jnp.exp(log_B))

    log_a, log_b = log_A - alpha * runs["log_N"].mean(), log_B - beta * runs["log_D"].mean()
    log_terms = jnp.logaddexp(log_a, log_b)
    log_level = jnp.logaddexp(log_E, log_terms) - runs["log_loss"].mean()
    numpyro.factor("level", dist.Normal(*LEVEL).log_prob(log_level))
    numpyro.factor("reducible", dist.Normal(*REDUCIBLE).log_prob(log_terms - log_E))
    numpyro.factor("share_A", dist.Normal(*SHARE_A).log_prob(log_a - log_b))

    loss = formula(jnp.exp, runs, E, log_A, log_B, alpha, beta)
    with numpyro.plate("run", len(runs["log_loss"])):
        sample("log_loss", dist.StudentT(nu, jnp.log(loss), sigma), obs=runs["log_loss"])


def raw_in_pymc(formula, **runs):
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model() as model:
        runs = {name: pm.Data(name, values) for name, values in runs.items()}
        log_E, log_A, log_B = pm.Flat("log_E"), pm.Flat("log_A"), pm.Flat("log_B")
        alpha = pm.LogNormal("alpha", *LOG_ALPHA)
        beta = pm.LogNormal("beta", *LOG_BETA)
        sigma = pm.LogNormal("sigma", *LOG_SIGMA)
        nu = pm.Deterministic("nu", 1 + pm.Gamma("nu_minus_one", *NU_MINUS_ONE))
        E = pm.Deterministic("E", pt.exp(log_E))
        pm.Deterministic("A", pt.exp(log_A))
        pm.Deterministic("B", pt.exp(log_B))

        log_a, log_b = log_A - alpha * runs["log_N"].mean(), log_B - beta * runs["log_D"].mean()
        log_terms = pt.logaddexp(log_a, log_b)
        log_level = pt.logaddexp(log_E, log_terms) - runs["log_loss"].mean()
        pm.Potential("level", pm.logp(pm.Normal.dist(*LEVEL), log_level))
        pm.Potential("reducible", pm.logp(pm.Normal.dist(*REDUCIBLE), log_terms - log_E))
        pm.Potential("share_A", pm.logp(pm.Normal.dist(*SHARE_A), log_a - log_b))

        loss = formula(pt.exp, runs, E, log_A, log_B, alpha, beta)
        pm.StudentT("observed", nu=nu, mu=pt.log(loss), sigma=sigma, observed=runs["log_loss"])
    return model


def shares_in_numpyro(**runs):
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from jax.nn import sigmoid
    from numpyro import deterministic, sample

    log_level = sample("log_level", dist.Normal(*LEVEL))
    reducible = sigmoid(sample("logit_reducible", dist.Normal(*REDUCIBLE)))
    share_A = sigmoid(sample("logit_share_A", dist.Normal(*SHARE_A)))
    alpha = sample("alpha", dist.LogNormal(*LOG_ALPHA))
    beta = sample("beta", dist.LogNormal(*LOG_BETA))
    sigma = sample("sigma", dist.LogNormal(*LOG_SIGMA))
    nu = deterministic("nu", 1 + sample("nu_minus_one", dist.Gamma(*NU_MINUS_ONE)))

    log_N_c, log_D_c = runs["log_N"].mean(), runs["log_D"].mean()
    L0 = jnp.exp(log_level + runs["log_loss"].mean())
    E = deterministic("E", L0 * (1 - reducible))
    a, b = L0 * reducible * share_A, L0 * reducible * (1 - share_A)
    deterministic("A", a * jnp.exp(alpha * log_N_c))
    deterministic("B", b * jnp.exp(beta * log_D_c))
    loss = E + a * jnp.exp(-alpha * (runs["log_N"] - log_N_c)) + b * jnp.exp(-beta * (runs["log_D"] - log_D_c))
    with numpyro.plate("run", len(runs["log_loss"])):
        sample("log_loss", dist.StudentT(nu, jnp.log(loss), sigma), obs=runs["log_loss"])
