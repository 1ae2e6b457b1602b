"""What is asked of a mixture, read: its proportions, the limits it must keep, and the mixtures that were seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayesscale.errors import LawError, RunsError
from bayesscale.units import parse_number

__all__ = ["limits", "proportions", "seen_by"]


def seen_by(fits, domains) -> pd.DataFrame:
    """Return the mixtures that the laws were fitted to, by their label or a number."""
    posts = list(fits.values()) if isinstance(fits, Mapping) else [fits]
    columns = [f"r_{d}" for d in domains]
    columns = next((list(p.law.shares) for p in posts if len(p.law.shares) == len(domains)), columns)
    tables = [p.runs.table for p in posts if set(columns) <= set(p.runs.table.columns)]
    if not tables:
        return pd.DataFrame(columns=list(domains))
    whole = pd.concat([t[[*(["mixture"] if "mixture" in t else []), *columns]] for t in tables]).drop_duplicates(
        columns
    )
    named = whole["mixture"].astype(str) if "mixture" in whole else [str(i + 1) for i in range(len(whole))]
    return pd.DataFrame(whole[columns].to_numpy(float), columns=list(domains), index=pd.Index(named, name="mixture"))


def proportions(given, domains, seen, called) -> pd.Series:
    """Read a mixture: proportions by domain, or the label of one that was seen."""
    if isinstance(given, str):
        if given not in seen.index:
            labels = ", ".join(map(str, seen.index[:8])) or "none"
            raise LawError(f"{called}: no mixture {given!r} among those seen ({labels}, ...); or give its proportions")
        return pd.Series(seen.loc[[given]].iloc[0].to_numpy(), domains)
    given = {str(k): parse_number(v, name=f"{called} {k}") for k, v in dict(given).items()}
    _known(given, domains, called)
    p = np.array([given.get(d, 0.0) for d in domains])
    if (p < 0).any() or abs(p.sum() - 1) > 0.01:
        raise LawError(f"{called}: proportions must not be negative and sum to 1; these sum to {p.sum():.4g}")
    return pd.Series(p / p.sum(), domains)


def _known(given, domains, called):
    if unknown := [str(k) for k in given if str(k) not in domains]:
        raise LawError(f"{called}: no domain {', '.join(unknown)}; the mixtures are of {', '.join(domains)}")


def limits(domains, floor, cap, tokens, repeats, at):
    """Return the least and the largest proportion of each domain."""
    ends = []
    for given, called, otherwise in ((floor, "floor", 0.0), (cap, "cap", 1.0)):
        one = not isinstance(given, Mapping)
        given = dict.fromkeys(domains, otherwise if given is None else given) if one else given
        _known(given, domains, called)
        read = {str(k): parse_number(v, name=f"{called} of {k}") for k, v in given.items()}
        ends.append(np.array([read.get(d, otherwise) for d in domains]))
        if (ends[-1] < 0).any() or (ends[-1] > 1).any():
            raise LawError(f"{called}: a proportion lies between 0 and 1")
    low, high = ends
    if tokens is not None:
        if "D" not in at:
            raise RunsError('tokens= caps what is repeated: say how many tokens are trained on, at=dict(D="100B", ...)')
        if not repeats > 0:
            raise LawError(f"repeats: how often the tokens may be seen, such as 4, not {repeats!r}")
        _known(tokens, domains, "tokens")
        have = {str(k): parse_number(v, name=f"tokens of {k}") for k, v in tokens.items()}
        high = np.minimum(high, [repeats * have.get(d, np.inf) / at["D"] for d in domains])
    if low.sum() > 1 + 1e-9:
        raise LawError(f"the floors sum to {low.sum():.4g}, more than 1: lower them")
    if high.sum() < 1 - 1e-9:
        remedy = " allow more repeats, or train on fewer tokens" if tokens is not None else " raise them"
        raise LawError(f"the caps sum to {high.sum():.4g}, less than 1:{remedy}")
    if crossed := [d for d, a, b in zip(domains, low, high, strict=True) if a > b]:
        raise LawError(f"the floor of {', '.join(crossed)} lies above its cap")
    return low, high
