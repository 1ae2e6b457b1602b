"""Which of two wins at a target: the difference of what two fits foretell, draw by draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.evaluate.finding import Finding
from bayesscale.intervals import LEVELS, intervals
from bayesscale.targets import read_targets
from bayesscale.units import format_number

__all__ = ["Difference", "difference"]

MEAN = "mean of all"


@dataclass(frozen=True, eq=False, repr=False)
class Difference(Finding):
    """Draws of one minus other, at targets. Made by `bayesscale.difference`.

    Parameters
    ----------
    rows : DataFrame
        What was asked: the target of each column of the draws and, of groups such as tasks, its ``group``; the last are
        the mean over all groups.
    draws : ndarray, shape (draws, rows)
        One minus other, in the unit of what is forecast.
    gives : str
        What is forecast.
    kind : {"mean", "new-run"}
        Whether it is the expected value that differs, or what one more run of each would measure.
    paired : bool
        Whether draw i of one and of the other are of one joint draw; else they are put together at random.
    """

    rows: pd.DataFrame
    draws: np.ndarray
    gives: str
    kind: str
    paired: bool

    @property
    def probability(self) -> pd.Series:
        """P(one > other) of each row."""
        wins = (self.draws > 0).mean(axis=0) + 0.5 * (self.draws == 0).mean(axis=0)
        return pd.Series(wins, index=self.rows.index, name="P(one > other)")

    @property
    def table(self) -> pd.DataFrame:
        """One row per target, and group: ``P(one > other)``, ``median`` of the difference and its intervals."""
        return self.rows.assign(**{self.probability.name: self.probability, **intervals(self.draws, LEVELS)})

    def _shown(self):
        shown = self.table
        for name in [c for c in shown.select_dtypes("number") if c in self.rows]:
            shown[name] = [format_number(x) for x in shown[name]]
        return shown.set_index(shown.columns[0])

    def _headline(self):
        of = f"{self.gives} of a new run of each" if self.kind == "new-run" else f"expected {self.gives}"
        return f"one minus other: {of}; 50/80/95% equal-tailed intervals"

    @property
    def notes(self) -> list[str]:
        """How the draws were put together."""
        if self.paired:
            return ["draw i with draw i, both of one joint fit: what is not known of both alike cancels"]
        return ["the two are of separate fits: their draws are independent of each other"]


def difference(one, other, targets=None, *, kind: str = "mean", seed: int = 0, **covariates) -> Difference:
    """Say which of two wins at targets, such as two data recipes, and how sure that is.

    Parameters
    ----------
    one, other : Posterior, Chain or Average; or two mappings of these by name, such as Ladder or PooledFit
        Of the same quantity. Two groups of one pooled fit are drawn jointly; so are two entries of
        ``bs.ladder(runs, over="corpus")``. Of two ladders the tasks that both have are compared, and their mean.
    targets, **covariates
        As for `Posterior.predict`: ``N="7B", D="4T"``. The same for both.
    kind : {"mean", "new-run"}
        The expected values, or what one more run of each would measure, with noise of its own on every task.
    seed : int
        Of that noise, and of how draws of separate fits are put together.

    Returns
    -------
    Difference

    Raises
    ------
    LawError
        They are not of the same quantity, or have no group in common.

    Notes
    -----
    Draw i of groups of one pooled fit belongs to one joint draw, so one is subtracted from the other there. Draws of
    separate fits are independent, but chains that were started from the same seed may move alike: they are put together
    in a random order, the same for all tasks, since these are drawn jointly in each fit. In averages a law is compared
    with itself: what if the truth follows this law for both?
    """
    if isinstance(one, Mapping) != isinstance(other, Mapping):
        raise LawError("difference takes two fits or two mappings of fits, such as two ladders: not one of each")
    many = isinstance(one, Mapping)
    pairs = {k: (one[k], other[k]) for k in one if k in other} if many else {"": (one, other)}
    if not pairs:
        raise LawError(
            f"nothing to compare: one has {', '.join(map(str, one))}, the other {', '.join(map(str, other))}"
        )
    paired = all(_joint(a, b) for a, b in pairs.values())
    seeds = np.random.SeedSequence(seed).spawn(len(pairs))
    found, frames = [], []
    for (name, (a, b)), own in zip(pairs.items(), seeds, strict=True):
        if a.law.gives != b.law.gives:
            raise LawError(f"one gives {a.law.gives}, the other {b.law.gives}: there is no difference of these")
        frame = read_targets(targets, takes=_sizes(a, b), **covariates)
        of_noise = own.generate_state(2)
        x, y = (post.predict(frame, kind=kind, seed=int(s)).draws for post, s in zip((a, b), of_noise, strict=True))
        order = _order(a, b, paired, seed)
        found.append(x[order[0]] - y[order[1]])
        frames.append(frame if not many else frame.assign(group=str(name)))
    if many and len(pairs) > 1:
        found.append(np.mean(found, axis=0))
        frames.append(frames[0].assign(group=MEAN))
    rows = pd.concat(frames, ignore_index=True)
    first = [c for c in ("group",) if c in rows]
    gives = next(iter(pairs.values()))[0].law.gives
    return Difference(rows[[*first, *rows.columns.drop(first)]], np.concatenate(found, axis=1), gives, kind, paired)


def _sizes(a, b) -> tuple[str, ...]:
    """Return what the laws of both take, but for what is the same in all runs of either and needs no saying."""
    columns = dict.fromkeys((*a.law.columns, *b.law.columns))
    return tuple(c for c in columns if not all(c in post.fixed for post in (a, b) if c in post.law.columns))


def _leaves(post) -> list:
    """Return the fits that a chain or an average is made of, in order."""
    if hasattr(post, "posteriors"):
        return [leaf for each in post.posteriors.values() for leaf in _leaves(each)]
    if hasattr(post, "first"):
        return [*_leaves(post.first), *_leaves(post.second)]
    return [post]


def _joint(a, b) -> bool:
    """Whether both are groups of the same pooled fits: then the sampler says the same of every draw."""
    ones, others = _leaves(a), _leaves(b)
    if len(ones) != len(others) or not all("pooled" in fit.settings for fit in ones):
        return False
    return all(np.array_equal(x.stats["energy"], y.stats["energy"]) for x, y in zip(ones, others, strict=True))


def _order(a, b, paired, seed):
    """Return which draws of one and of the other stand together."""
    laws = [list(post.members) if hasattr(post, "members") else [""] * post.size for post in (a, b)]
    n = min(map(len, laws))
    if paired:
        return np.arange(n), np.arange(n)
    rng = np.random.default_rng(seed)
    if laws[0] == laws[1]:  # law by law
        groups = [np.flatnonzero(np.array(laws[0]) == law) for law in dict.fromkeys(laws[0])]
        return np.arange(n), np.concatenate([rng.permutation(rows) for rows in groups])
    return tuple(rng.permutation(len(law))[:n] for law in laws)
