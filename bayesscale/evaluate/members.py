"""Fits that stand side by side: their names, whether they may, how to fit them again, and weights of a mixture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesscale.errors import LawError, RunsError
from bayesscale.posterior import Posterior
from bayesscale.priors import describe

__all__ = ["check_same_table", "fitted_how", "labelled", "labels", "same_fit", "stacking"]


def labels(laws, noises=None, bends=None) -> list[str]:
    """Name laws apart: by name; where that repeats, by replaced priors, noise and discrepancy too, at last by place.

    Parameters
    ----------
    laws : sequence of Law
    noises : sequence of Noise, optional
    bends : sequence of Discrepancy or None, optional
    """
    n = len(laws)
    changed = [", ".join(f"{k} ~ {describe(d)}" for k, d in law.replaced.items()) for law in laws]
    names = [law.name for law in laws]
    told = [names]
    told.append([f"{name}, {priors}" if priors else name for name, priors in zip(told[-1], changed, strict=True)])
    told.append([f"{name}, {noise}" for name, noise in zip(told[-1], noises or (), strict=False)] or told[-1])
    bent = ["without discrepancy" if bend is None else "with discrepancy" for bend in bends or ()]
    told.append([f"{name}, {how}" for name, how in zip(told[1], bent, strict=False)] or told[-1])
    told.append([f"{name}, {how}" for name, how in zip(told[2], bent, strict=False)] or told[-1])
    told.append([f"{i + 1}: {name}" for i, name in enumerate(told[-1])])
    return next(found for found in told if len(set(found)) == n)


def labelled(posteriors) -> dict[str, Posterior]:
    """Name fits apart; a mapping keeps its names, which are texts."""
    if isinstance(posteriors, Mapping):
        if other := [name for name in posteriors if not isinstance(name, str)]:
            raise LawError(f"fits have names of text, not {other[0]!r}")
        return dict(posteriors)
    if not posteriors:
        return {}
    if all(isinstance(p, Posterior) for p in posteriors):
        found = labels(*zip(*((p.law, p.noise, p.discrepancy) for p in posteriors), strict=True))
    else:
        found = [p.law.name for p in posteriors]
        found = found if len(set(found)) == len(found) else [f"{i + 1}: {name}" for i, name in enumerate(found)]
    return dict(zip(found, posteriors, strict=True))


def check_same_table(posteriors: Mapping[str, Posterior]) -> None:
    """Raise a RunsError where fits are of different tables or predict different things."""
    if len({p.runs.fingerprint for p in posteriors.values()}) > 1:
        raise RunsError("the posteriors are of different tables: fit the laws to the same runs")
    if len(gives := {p.law.gives: name for name, p in posteriors.items()}) > 1:
        said = ", ".join(f"{name} gives {what}" for what, name in gives.items())
        raise RunsError(f"the posteriors predict different columns ({said}): they cannot stand side by side")


def fitted_how(post: Posterior) -> dict:
    """Return the arguments of `fit_many` with which a posterior was fitted, but for the table.

    Of the sampling what the user asked for: the warm-up and the acceptance of a second try are no one's wish, nor is a
    warm-up that went by the number of rows.
    """
    recorded = {k: post.settings[k] for k in ("chains", "draws", "precision") if k in post.settings}
    how = {"seed": post.settings.get("seed", 0), **post.settings.get("asked", recorded)}
    return dict(law=post.law, noise=post.noise, discrepancy=post.discrepancy or False, **how)


def same_fit(one, other) -> bool:
    """Say whether two fits are of one law, noise and discrepancy; averages, of such fits and weighted in one way."""
    several = hasattr(one, "posteriors")
    if several != hasattr(other, "posteriors"):
        return False
    if not several:
        return all(getattr(one, k) == getattr(other, k) for k in ("law", "noise", "discrepancy"))
    members, others = one.posteriors, other.posteriors
    if one.weighting != other.weighting or members.keys() != others.keys():
        return False
    # Learned weights are another part's own; those that are given are the same for any part.
    weights = one.weighting != "given" or np.allclose(one.weights[list(members)], other.weights[list(members)])
    return bool(weights) and all(same_fit(post, others[name]) for name, post in members.items())


def stacking(log_density) -> np.ndarray:
    r"""Find the weights of the mixture that predicts best: max over w of sum_i log sum_k w_k p_k(y_i).

    Parameters
    ----------
    log_density : array, shape (rows, laws)
        log p_k(y_i), predictive.

    Returns
    -------
    ndarray, shape (laws,)
        Not negative, of sum one.

    Notes
    -----
    Yao et al. 2018. The objective is concave; each step of expectation maximisation,
    w_k <- mean_i w_k p_k(y_i) / sum_j w_j p_j(y_i), raises it.
    """
    log_density = np.asarray(log_density, float)
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weights = np.full(density.shape[1], 1 / density.shape[1])
    for _ in range(20_000):
        before = weights
        weights = weights * (density / (density @ weights)[:, None]).mean(axis=0)
        if np.abs(weights - before).max() < 1e-9:
            break
    return weights / weights.sum()
