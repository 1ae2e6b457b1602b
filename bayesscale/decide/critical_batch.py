"""How far a batch may grow: the critical batch size, in each of its definitions."""

from __future__ import annotations

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayesscale.decide.answers import Answer
from bayesscale.decide.draws import need, of_each_draw
from bayesscale.decide.line_search import golden, root
from bayesscale.decide.truth import truth
from bayesscale.errors import LawError, RunsError
from bayesscale.targets import read_targets
from bayesscale.units import parse_number

__all__ = ["critical_batch"]

# What each definition needs to know beside the posterior of a law of the loss, and what it is unless given.
DEFINITIONS = {
    "E_min/S_min": {"loss": None},
    "step-overhead": {"loss": None, "B_ref": None, "overhead": 0.2},
    "near-best": {"excess": 0.01},
}
FAR = 60 * np.log(10)  # a batch of 1e60 times the runs' is without end, even where its term falls as B^-.1
GRID = 121


def critical_batch(post, *, definition: str, loss=None, B_ref=None, overhead=None, excess=None, **given) -> Answer:
    """Compute the critical batch size from a posterior, in the definition asked for.

    The same runs give critical batch sizes that differ in level and in exponent, depending on the definition; there is
    no default for that reason.

    Parameters
    ----------
    post : Posterior or Average
        Of a law that gives the loss at N, B and S (or D), such as `three_term`; or of the steps that a target loss
        takes at B, such as `steps_examples`.
    definition : {"E_min/S_min", "step-overhead", "near-best"}
        ``"E_min/S_min"`` (McCandlish et al. 2018; Kaplan et al. 2020, eq. 5.2): the fewest tokens over the fewest steps
        that reach the target loss with any batch; where S = S_min + E_min / B it costs twice as many of both.
        ``"step-overhead"`` (Zhang et al. 2024): the batch at which the steps to the target loss exceed linear scaling
        from `B_ref` by the share `overhead`: B S(B) = (1 + overhead) B_ref S(B_ref).
        ``"near-best"``: the largest batch whose loss, for the same N and D, is within the share `excess` of the best.
    loss : number
        The target loss of ``"E_min/S_min"`` and ``"step-overhead"``, for a law of the loss.
    B_ref : number or str
        Tokens per batch from which linear scaling counts, for ``"step-overhead"``.
    overhead : float
        Share of additional steps for ``"step-overhead"``: .2, which is 20 %, unless given.
    excess : float
        Share of additional loss for ``"near-best"``: .01 unless given.
    **given : number or str
        What else the law takes, such as ``N="1B"``, and D for ``"near-best"``.

    Returns
    -------
    Answer
        ``draws``: column ``B``, in tokens, and for ``"E_min/S_min"`` also ``E_min`` and ``S_min``.

    Notes
    -----
    A discrepancy is left out: it has no say in the best batch for given N and D, and a contour of equal loss runs over
    all scales, where a bend so far from the runs would be all there is.

    Raises
    ------
    LawError
        The definition is unknown, has no meaning for this law, or does not go by something that was given.
    RunsError
        What the definition needs is missing or not a positive number.
    """
    law = post.law
    if definition not in DEFINITIONS:
        raise LawError(f"definition is one of {', '.join(map(repr, DEFINITIONS))}, not {definition!r}")
    suits = "a critical batch size needs a law with B and with S or D in it, such as three_term or steps_examples"
    need(post, lambda law: "B" in law.columns and (law.gives == "S" or {"S", "D"} & set(law.columns)), suits)
    of_steps = law.gives == "S"
    if of_steps and definition == "near-best":
        raise LawError(
            f'"near-best" compares losses at fixed tokens, which law {law.name} does not give: take three_term'
        )
    said = {"loss": loss, "B_ref": B_ref, "overhead": overhead, "excess": excess}
    said = {k: v for k, v in said.items() if v is not None}
    asked = {k: said.get(k, v) for k, v in DEFINITIONS[definition].items() if not (of_steps and k == "loss")}
    needed = [k for k in law.columns if k not in ("B", "S", "D")] + ["D"] * (definition == "near-best")
    # What a covariate that is missing may follow from is no mistake.
    more = [k for k in given if k not in needed] if set(needed) <= set(given) else []
    if unused := [*(k for k in said if k not in asked), *more]:
        raise LawError(
            f'the definition "{definition}" does not go by {" or ".join(unused)}, for law {law.name} by '
            f"{', '.join([*needed, *asked]) or 'nothing'}: leave it out"
        )
    if missing := [k for k, v in asked.items() if v is None]:
        raise RunsError(f'the definition "{definition}" needs {" and ".join(missing)}=')
    asked = {k: parse_number(v, name=k) for k, v in asked.items()}
    if bad := [k for k, v in asked.items() if not v > 0]:
        raise RunsError(f"{', '.join(bad)} must be positive")
    target = read_targets(takes=needed, **given) if needed else pd.DataFrame(index=[0])
    if len(target) != 1:
        raise RunsError(f"{len(target)} targets: ask for one at a time")
    fixed = {k: float(target[k].iloc[0]) for k in needed}

    logs = {k: np.log(v) for k, v in {**fixed, **asked}.items()}
    # A contour of equal loss runs over all scales: so far from the runs a bend would be all there is.
    found = of_each_draw(post, partial(_compiled, definition=definition), logs, bent=definition == "near-best")
    draws = pd.DataFrame({k: np.exp(v) for k, v in found.items()})
    if lost := int((~np.isfinite(draws).all(axis=1)).sum()):
        raise LawError(
            f'in {lost} of {len(draws)} draws law {law.name} has no critical batch size "{definition}" for what was '
            "asked: the target may be out of reach at every batch size, or the law sets no limit to the batch"
        )
    return Answer(draws, {"definition": definition, **fixed, **asked})


@lru_cache(maxsize=64)
def _compiled(law, definition):
    def one(draw, given, centers):
        expected = truth(law, draw, centers)
        center_B = jnp.log(centers["B"])
        grid = center_B + jnp.linspace(-FAR, FAR, GRID)

        def value(**logs):
            return jnp.atleast_1d(expected(logs))[0]

        def loss(log_B):
            return jnp.log(value(**{**given, "B": log_B, "S": given["D"] - log_B}))

        if definition == "near-best":
            best_at, best, _ = golden(jax.vmap(loss), grid)
            allowed = best + jnp.log1p(jnp.exp(given["excess"]))
            return {"B": root(lambda log_B: loss(log_B) - allowed, best_at, best_at + FAR)}

        def steps(log_B):
            """Log of the steps that reach the target loss."""
            if law.gives == "S":
                return jnp.log(value(B=log_B, **{k: given[k] for k in law.columns if k != "B"}))

            def short_by(log_S):
                return given["loss"] - jnp.log(value(**{**given, "B": log_B, "S": log_S, "D": log_S + log_B}))

            return root(short_by, jnp.zeros(()), jnp.asarray(FAR))

        def tokens(log_B):
            return log_B + steps(log_B)

        fewest_tokens_at, fewest_tokens, _ = golden(jax.vmap(tokens), grid)
        if definition == "E_min/S_min":
            fewest_steps = golden(jax.vmap(steps), grid)[1]
            return {"B": fewest_tokens - fewest_steps, "E_min": fewest_tokens, "S_min": fewest_steps}
        allowed = tokens(given["B_ref"]) + jnp.log1p(jnp.exp(given["overhead"]))
        start = jnp.maximum(fewest_tokens_at, given["B_ref"])
        return {"B": root(lambda log_B: tokens(log_B) - allowed, start, start + FAR)}

    return jax.jit(jax.vmap(one, in_axes=(0, None, None)))
