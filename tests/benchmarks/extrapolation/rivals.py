"""What the default is printed beside: averages of laws, and a recipe that widens a weighted fit beyond the edge."""

import numpy as np
from numpyro import distributions as dist
from scipy.special import logsumexp
from scipy.stats import norm

import bayesscale as bs
from bayesscale import law as laws
from bayesscale.forecast import log_density
from bayesscale.noise import Normal

LAWS = ("chinchilla", "skaling", "skaling_drift")


class Sloped:
    """A fit with its small runs weighted down, and beyond the largest one a random slope: y + s h, h = log(C / C_max).

    s ~ Normal(0, tau), tau ~ LogNormal(log .008, .4), one for each draw; the fit knows nothing of it.
    """

    def __init__(self, post):
        self.post = post
        rng = np.random.default_rng(0)
        n = len(post.flat_draws["sigma"])
        self.slope = np.exp(np.log(0.008) + 0.4 * rng.standard_normal(n)) * rng.standard_normal(n)

    def _logs(self, test):
        mean = self.post.predict(test, kind="mean")
        h = np.maximum(np.log(mean.targets["N"] * mean.targets["D"]) - self._edge(), 0.0)
        return np.log(mean.draws) + self.slope[:, None] * h.to_numpy()

    def _edge(self):
        return np.log(self.post.runs.column("N") * self.post.runs.column("D")).max()

    def draws(self, test):
        """Return predictive draws of new runs."""
        logs = self._logs(test)
        return np.exp(
            logs + self.post.flat_draws["sigma"][:, None] * np.random.default_rng(1).standard_normal(logs.shape)
        )

    def log_density(self, test):
        """Return the log predictive density of the logarithm of each measured loss."""
        density = norm.logpdf(np.log(test.column("loss")), self._logs(test), self.post.flat_draws["sigma"][:, None])
        return logsumexp(density, axis=0) - np.log(len(density))


def prototype(tables, **sampling):
    """Fit Skaling with a drifting floor, rows weighted by (C / C_max)^.35, and widen it by a slope."""
    law = laws.named("skaling_drift").with_priors(eps=dist.Normal(0.0, 0.02))

    def weighted(runs):
        size = runs.column("N") * runs.column("D")
        return bs.read_runs(runs.table.assign(weight=(size / size.max()) ** 0.35))

    noise = Normal(sigma=dist.LogNormal(np.log(0.01), 1.5))
    posts = bs.fit_many(law, [weighted(runs) for runs in tables], noise=noise, discrepancy=False, **sampling)
    return [Sloped(post) for post in posts]


def averages(tables, weights, discrepancy, **sampling):
    """Average three laws on each table."""
    fits = [bs.fit_many(law, tables, discrepancy=discrepancy, **sampling) for law in LAWS]
    return [bs.average(list(posts), weights=weights) for posts in zip(*fits, strict=True)]


def stacked(tables, **sampling):
    """Average three laws alone, with weights by rollout where a table has runs enough for one, else equal ones."""
    found = []
    for posts in zip(*(bs.fit_many(law, tables, discrepancy=False, **sampling) for law in LAWS), strict=True):
        try:
            found.append(bs.average(list(posts), weights="rollout", cutoffs=(0.5, 0.65, 0.8)))
        except bs.errors.RunsError:
            found.append(bs.average(list(posts), weights="equal"))
    return found


def draws_and_density(model, test) -> tuple[np.ndarray, np.ndarray]:
    """Return predictive draws and log densities of a fit, an average or a rival."""
    if isinstance(model, Sloped):
        return model.draws(test), model.log_density(test)
    if isinstance(model, bs.Average):
        return model.predict(test).draws, model.log_density(test)
    return model.predict(test).draws, log_density(model, test)


def troubled(models) -> int:
    """Count fits that are not to be trusted as they stand."""
    posts = [getattr(model, "post", model) for model in models]
    return sum(bool(post.settings.get("trouble")) for post in posts)
