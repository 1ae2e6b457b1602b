"""What the data moved: the posterior of each parameter before its prior."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.checks import contraction
from bayesscale.errors import LawError
from bayesscale.plots.style import BLUE, GRAY, explain, panels, quiet, tint
from bayesscale.prior_forecast import prior_draws

__all__ = ["prior_posterior", "prior_posterior_data"]


def prior_posterior_data(post, *, parameters=None, seed=0) -> pd.DataFrame:
    """Compute the numbers of `prior_posterior`.

    Parameters
    ----------
    post, parameters, seed
        As for `prior_posterior`.

    Returns
    -------
    DataFrame
        ``parameter``, ``of`` ("prior" or "posterior"), ``value`` and the ``density`` there: the prior's own, and a
        kernel estimate from the draws.
    """
    priors = {**post.law.priors(), **post.noise.priors()}
    drawn = prior_draws(post.law, post.noise, centers=post.centers, seed=seed)
    tables = []
    for name in _chosen(post, parameters):
        for of, (value, density) in (
            ("prior", _prior_density(priors[name], drawn[name])),
            ("posterior", _posterior_density(post.draws[name])),
        ):
            tables.append(pd.DataFrame({"parameter": name, "of": of, "value": value, "density": density}))
    return pd.concat(tables, ignore_index=True)


def _chosen(post, parameters):
    sampled = [k for k in (*post.law.priors(), *post.noise.priors()) if k in post.draws]
    chosen = [parameters] if isinstance(parameters, str) else list(parameters or sampled)
    if unknown := [k for k in chosen if k not in sampled]:
        raise LawError(
            f"no prior of {', '.join(unknown)}: law {post.law.name} and its noise sample {', '.join(sampled)}"
        )
    return chosen


def _prior_density(prior, draws):
    # Without the far tail of a log-normal, which would squeeze all else into a corner.
    value = np.linspace(*np.quantile(draws, [0.002, 0.985]), 300)
    return value, np.exp(np.asarray(prior.log_prob(value), dtype=float))


def _posterior_density(draws):
    from arviz_stats.base import array_stats

    value, density, _ = array_stats.kde(draws.ravel())
    shown = slice(*np.searchsorted(value, np.quantile(draws, [0.0005, 0.9995])))
    return value[shown], density[shown]


def prior_posterior(post, *, parameters=None, axes=None, seed=0):
    """Draw the prior and the posterior of each sampled parameter.

    Each density is drawn to the same height: a posterior a hundred times narrower than its prior would hide it.

    Parameters
    ----------
    post : Posterior
    parameters : sequence of str, optional
        All that law and noise sample, unless given.
    axes : Axes or sequence of Axes, optional
        One per parameter.
    seed : int
        Of the draws that say how far the prior reaches.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    LawError
        A name is not that of a sampled parameter, or there are more or fewer axes than parameters.

    Notes
    -----
    The title says the contraction, 1 - (posterior sd / prior sd)^2: 1 where the data decide, 0 where the prior does.
    """
    chosen = _chosen(post, parameters)
    table = prior_posterior_data(post, parameters=chosen, seed=seed)
    shrunk = contraction(post)["contraction"]
    n = len(chosen)
    axes = panels(axes, n, columns=4, width=2.8, height=2.2)
    for ax, name in zip(axes, chosen, strict=True):
        quiet(ax)
        for of, color, shade in (("prior", GRAY, 0.25), ("posterior", BLUE, 0.55)):
            one = table[(table["parameter"] == name) & (table["of"] == of)]
            height = one["density"] / one["density"].max()
            ax.fill_between(one["value"], height, color=tint(color, shade), linewidth=0, label=of)
            ax.plot(one["value"], height, color=color, linewidth=1.2, zorder=3)  # seen where the other one covers it
        ax.set_title(f"{name}   contraction {shrunk[name]:.2f}", fontsize=9, loc="left")
        ax.set_ylim(0, 1.08)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.grid(False)
    explain(axes[0])
    return axes
