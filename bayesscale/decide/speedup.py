"""What growing a model from a smaller one is worth: the compute that scratch would need for the same loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayesscale.decide.answers import Answer
from bayesscale.decide.draws import need, of_each_draw
from bayesscale.decide.line_search import root
from bayesscale.decide.truth import truth
from bayesscale.errors import LawError, RunsError
from bayesscale.targets import read_targets
from bayesscale.units import format_number, parse_number

__all__ = ["Speedup", "operators_of", "speedup", "speedups"]

STAR = "grown"
FAR = 20 * np.log(10)  # compute is sought up to 1e20 times the runs': what is not reached there is out of reach


@dataclass(frozen=True, eq=False, repr=False)
class Speedup(Answer):
    """How much compute growing saves. Made by `bayesscale.speedup`.

    Parameters
    ----------
    draws : DataFrame
        One row per posterior draw. Of one way of growing ``speedup_percent`` (compute of scratch over compute of the
        grown model at equal loss, less one, in percent), ``kappa`` (that ratio), ``C_scratch``, ``C_grown``,
        ``C_saved``, where N is known ``D_saved`` (the tokens that this trains on), and ``loss``; of several the
        speed-up of each, in percent, by the operator's name.
    given : dict
        What was asked.
    beats_scratch : Series
        P(growing needs less compute than scratch), by operator.
    best : Series
        P(none needs less), by operator and for scratch.
    lost : float
        Share of posterior draws in which the loss lies below the floor, so that neither arm ever reaches it. They are
        left out.
    remarks : tuple of str
        What else is to be known: where the answer goes beyond the runs.
    """

    beats_scratch: pd.Series
    best: pd.Series
    lost: float
    remarks: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What was asked for."""
        return "speed-up of growing"

    @property
    def notes(self) -> list[str]:
        """The probabilities, and what is beyond the runs."""
        notes = ["P(less compute than scratch): " + _chances(self.beats_scratch)]
        if len(self.best) > 2:
            notes.append("P(least of all): " + _chances(self.best))
        if self.lost:
            notes.append(
                f"in {100 * self.lost:.1f}% of the draws neither arm ever comes to this loss: they are left out, so "
                "that the rest looks surer than it is"
            )
        return [*notes, *self.remarks]


def speedup(post, *, loss=None, C=None, operator: str | None = None, **given) -> Speedup:
    """Compute the speed-up of growing over training from scratch, at a loss or at a budget.

    sp = C_scratch / C_grown - 1 where both arms have the same expected loss (Du et al. 2024, eq. 48), for each draw on
    its own. C is all compute: that of a grown model includes the small one's.

    Parameters
    ----------
    post : Posterior or Average
        Of a law with a star argument ``*grown``, such as `growth_effective_compute`; of a pooled fit one of its groups.
    loss : number
        The loss that both arms shall reach; or
    C : number or str
        the compute of the grown model: what would scratch need for the loss that it has then?
    operator : str, optional
        Of several ways of growing, the one to tell more of: ``"direct"`` of the column ``grown_direct``.
    **given : number or str
        What else the law takes. ``N`` is not needed by a law of C alone, but with it the tokens saved are said,
        C_saved / (6 N); unless given it is taken from the runs, if all are of one size.

    Returns
    -------
    Speedup

    Raises
    ------
    LawError
        The law does not tell grown models from scratch, or has no such operator; or most draws never come to the loss.
    RunsError
        Not just one of loss and C is given, or what else the law takes is missing.

    Notes
    -----
    The discrepancy is left out: it bends both arms alike and has next to no say in their ratio, and a loss that is
    sought over all scales would be decided by the bend where no run has been. ``C_scratch`` and ``C_grown`` far beyond
    the runs are the law's alone.
    """
    names = operators_of(post)
    if operator is not None and operator not in names:
        raise LawError(f"no operator {operator!r}: the runs have {', '.join(names)}")
    if (loss is None) == (C is None):
        raise RunsError("say at which loss, loss=2.0, or at which compute of the grown model, C='1e21': one of them")
    what, at = ("loss", loss) if C is None else ("C", C)
    at = parse_number(at, name=what)
    if not at > 0:
        raise RunsError(f"{what} = {format_number(at)}: it must be positive")
    found = {k: v[:, :, 0] for k, v in speedups(post, **{what: [at]}, **given).items()}
    with np.errstate(invalid="ignore"):
        kept = ~(np.isinf(found["C_scratch"]) & np.isinf(found["C_grown"])).any(axis=1)
    if kept.mean() < 0.5:
        raise LawError(
            f"{what} = {format_number(at)} is out of reach in {100 * (1 - kept.mean()):.0f}% of the draws: it lies "
            "below the floor that training can come to; ask for a higher loss"
        )
    found = {k: v[kept] for k, v in found.items()}
    kappa = pd.DataFrame(found["C_scratch"] / found["C_grown"], columns=names)
    kappa = kappa.clip(upper=np.exp(FAR), lower=np.exp(-FAR))  # one arm alone never comes there
    with_scratch = kappa.assign(scratch=1.0)
    best = with_scratch.idxmax(axis=1).value_counts(normalize=True).reindex(with_scratch.columns, fill_value=0.0)
    beats = (kappa > 1).mean()
    asked = {what: at, **{k: v for k, v in given.items() if v is not None}}
    remarks = _beyond(post, names, found)
    if operator is None and len(names) > 1:
        return Speedup(100 * (kappa - 1), asked, beats, best, 1 - kept.mean(), remarks)
    j = names.index(operator) if operator else 0
    scratch, grown = found["C_scratch"][:, j], found["C_grown"][:, j]
    scratch, grown = (np.where(np.isinf(x), np.exp(FAR) * y, x) for x, y in ((scratch, grown), (grown, scratch)))
    of = kappa.iloc[:, j]
    draws = pd.DataFrame(dict(speedup_percent=100 * (of - 1), kappa=of, C_scratch=scratch, C_grown=grown))
    draws["C_saved"] = draws["C_scratch"] - draws["C_grown"]
    if (N := _size(post, given)) is not None:
        draws["D_saved"] = draws["C_saved"] / (6 * N)
    draws[post.law.gives] = found["loss"][:, j]
    asked |= {"operator": operator} if operator else {}
    return Speedup(draws, asked, beats[[names[j]]], best, 1 - kept.mean(), remarks)


def speedups(post, *, loss=None, C=None, **given) -> dict[str, np.ndarray]:
    """Compute what both arms need for the same loss, at several losses or budgets at once.

    Parameters
    ----------
    post : Posterior or Average
    loss, C : sequence of float
        One of them, as for `speedup`.
    **given : number or str
        What else the law takes.

    Returns
    -------
    dict of str to ndarray, shape (draws, operators, values)
        ``C_scratch``, ``C_grown`` (infinite where the loss is out of reach) and ``loss``.
    """
    names = operators_of(post)
    own = [c for c in post.law.columns if c not in post.law.shares]
    # Tokens follow from the compute; what is held fixed is the rest.
    needed = [c for c in own if c not in ("C", "D")] + ["N"] * ("D" in own and "N" not in own)
    said = {k: v for k, v in given.items() if k in needed or k == "N"}
    if unused := [k for k in given if k not in said]:
        raise RunsError(f"law {post.law.name} does not go by {', '.join(unused)} here; it takes {', '.join(own)}")
    target = read_targets(takes=needed, **{k: said[k] for k in needed if k in said}) if needed else {}
    logs = {k: float(np.log(target[k].iloc[0])) for k in needed}
    at = np.log(np.asarray(loss if C is None else C, dtype=float))
    found = of_each_draw(post, _compiled_at_loss if C is None else _compiled_at_compute, at, logs, bent=False)
    shape = (len(found[0]), len(names), len(at))
    return {k: np.broadcast_to(np.exp(v), shape) for k, v in zip(("C_scratch", "C_grown", "loss"), found, strict=True)}


def operators_of(post) -> list[str]:
    """Return the ways of growing that a posterior tells apart: one, "grown", or the names of columns grown_<name>.

    Raises
    ------
    LawError
        The law does not tell grown models from scratch.
    """
    need(post, lambda law: law.star == STAR, "a speed-up needs a law with *grown, such as growth_effective_compute")
    return [c.removeprefix(f"{STAR}_") for c in post.law.shares]


def _size(post, given):
    if "N" in given:
        return parse_number(given["N"], name="N")
    known = post.runs.column("N") if "N" in post.runs.columns else np.zeros(2)
    return known[0] if known[0] > 0 and np.ptp(known) == 0 else None


def _beyond(post, names, found):
    """Say which arms would have to be trained for longer than the runs were."""
    C = post.runs.column("C") if "C" in post.runs.columns else None
    if C is None:
        return ()
    grown = {k: post.runs.column(c) > 0 for k, c in zip(names, post.law.shares, strict=True)}
    arms = {"scratch": (~np.any(list(grown.values()), axis=0), found["C_scratch"][:, 0])}
    arms |= {k: (rows, found["C_grown"][:, j]) for j, (k, rows) in enumerate(grown.items())}
    said = []
    for arm, (rows, needs) in arms.items():
        if not rows.any():
            said.append(f"no run is {'from scratch' if arm == 'scratch' else arm}: the prior speaks")
            continue
        low, high, middle = C[rows].min(), C[rows].max(), np.median(needs)
        if not low / 1.05 <= middle <= 1.05 * high:
            seen = format_number(high) if low == high else f"{format_number(low)} to {format_number(high)}"
            said.append(
                f"{'a grown model' if arm == STAR else arm} needs C = {format_number(middle)} for it, its runs have "
                f"{seen} FLOP: the law beyond them"
            )
    return tuple(said)


def _chances(probabilities):
    def one(p):
        return "> .999" if p > 0.999 else "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")

    return ", ".join(f"{k} {one(p)}" for k, p in probabilities.items())


def _arms(law, draw, logs, centers):
    """Return the function from log C and an arm (-1 is scratch) to the logarithm of the expected loss."""
    expected = truth(law, draw, centers)

    def log_loss(log_C, arm):
        at = {**logs, "C": log_C}
        if "D" in law.columns:
            at["D"] = log_C - jnp.log(6.0) - at["N"]
        shares = {c: jnp.where(arm == j, 0.0, -jnp.inf) for j, c in enumerate(law.shares)}
        return jnp.log(jnp.atleast_1d(expected({**at, **shares}))[0])

    return log_loss


def _reached(log_loss, arm, target, log_C):
    """Return the log C at which an arm comes to a loss."""
    return root(lambda x: target - log_loss(x, arm), log_C - FAR, log_C + FAR)


def _middle(law, logs, centers):
    return jnp.log(centers["C"]) if "C" in centers else jnp.log(6.0 * centers["D"]) + logs["N"]


@lru_cache(maxsize=32)
def _compiled_at_loss(law):
    def one(draw, at, logs, centers):
        log_loss, middle = _arms(law, draw, logs, centers), _middle(law, logs, centers)
        arms = jnp.arange(-1, len(law.shares))
        needs = jax.vmap(lambda arm: jax.vmap(lambda x: _reached(log_loss, arm, x, middle))(at))(arms)
        return needs[:1], needs[1:], at[None]

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))


@lru_cache(maxsize=32)
def _compiled_at_compute(law):
    def one(draw, at, logs, centers):
        log_loss, middle = _arms(law, draw, logs, centers), _middle(law, logs, centers)
        arms = jnp.arange(len(law.shares))
        levels = jax.vmap(lambda arm: jax.vmap(lambda x: log_loss(x, arm))(at))(arms)
        needs = jax.vmap(jax.vmap(lambda level: _reached(log_loss, -1, level, middle)))(levels)
        return needs, at[None], levels

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))
