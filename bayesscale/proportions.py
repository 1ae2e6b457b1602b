"""The training proportions of mixtures, brought to one form: columns `r_<domain>` that sum to 1, and a label."""

from __future__ import annotations

import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from bayesscale.errors import RunsError, RunsWarning
from bayesscale.table_checks import EXAMPLES, Problems, read_numbers
from bayesscale.table_columns import shown

__all__ = ["label_mixtures", "own_beside_all", "some", "trained_on", "with_proportions"]

EXACT = 1e-6  # what is left by rounding to double precision, or to six decimals


def with_proportions(frame, lines, shares, tolerance, called) -> pd.DataFrame:
    """Check the proportions and put them in columns `r_<domain>`.

    Parameters
    ----------
    frame : DataFrame
    lines : array of int or None
        The line of each row in the file it came from.
    shares : dict
        Domain -> column.
    tolerance : float
        How far from 1 the sum of a row may be, to be renormalised with a warning; up to 1e-6 it stays as it is.
    called : str
        The table's name in messages.

    Raises
    ------
    RunsError
        A proportion is missing, negative or no number, or a sum is too far from 1.
    """
    if not 0 <= tolerance < 1:
        raise RunsError(f"tolerance={tolerance!r}: give how far from 1 a sum may be, such as 0.01.")
    problems = Problems(frame.index, lines)
    for column in shares.values():
        missing = frame[column].isna().to_numpy()
        problems.add_rows(missing, f"column {column!r}: no proportion", "Write 0 where a domain is not in the mixture")
    r = np.column_stack([read_numbers(frame[c], problems, zero_too=True, gaps=True) for c in shares.values()])
    total = r.sum(axis=1)
    off = np.abs(total - 1)
    what = f"the proportions ({shown(shares.values())}) do not sum to 1 within {tolerance:g}: their sum"
    percent = " (they look like percent: divide by 100)" if 90 < np.median(total) < 110 else ""
    remedy = f"Correct them{percent}, drop the row, name the columns with proportions=, or give a larger tolerance="
    problems.add_rows((off > tolerance) & ~problems.suspect, what, remedy, cells=[float(f"{x:.6g}") for x in total])
    if problems.said:
        raise RunsError([f"{called}: {said}" for said in problems.said])
    if (change := off > EXACT).any():
        worst = int(np.argmax(off))
        warnings.warn(
            f"{called}: the proportions of {change.sum()} of {len(r)} rows did not sum to 1 and were renormalised; the "
            f"furthest off is {problems.row(worst)} with a sum of {total[worst]:.6g}.",
            RunsWarning,
            stacklevel=3,
        )
        r[change] /= total[change, None]
    rest = frame.drop(columns=[*shares.values(), "r"], errors="ignore")
    return rest.assign(**{f"r_{domain}": x for domain, x in zip(shares, r.T, strict=True)})


def own_beside_all(frame, own, called) -> tuple[pd.DataFrame, dict]:
    """Where each row of a long table has its own domain's proportion only, put those of the whole mixture beside it.

    Parameters
    ----------
    frame : DataFrame
        With `domain`, and `mixture` or `run`, which tells the rows of one mixture.
    own : str
        The column of own proportions, empty for targets that are not trained on.
    called : str
        The table's name in messages.

    Returns
    -------
    DataFrame, dict
        The table, and domain -> column.
    """
    by = next((name for name in ("mixture", "run", "run_id") if name in frame.columns), None)
    if by is None:
        raise RunsError(
            f"{called}: column {own!r} holds one proportion per row, and nothing says which rows make up a mixture. "
            'Name the column that does: columns={"mixture": "..."}.'
        )
    known = frame.loc[frame[own].notna(), [by, "domain", own]].drop_duplicates()
    twice = known.duplicated([by, "domain"])
    if twice.any():
        which, domain = known.loc[twice, [by, "domain"]].iloc[0]
        values = known.loc[(known[by] == which) & (known["domain"] == domain), own]
        raise RunsError(
            f"{called}: {by} {which!r} has several proportions of domain {domain!r}: {shown(values)}. Read one corpus "
            f"at a time, or tell the mixtures apart in column {by!r}."
        )
    wide = known.pivot(index=by, columns="domain", values=own)  # noqa: PD010 (cells may be texts)
    columns = {domain: f"r_{domain}" for domain in wide.columns}
    return frame.drop(columns=own).join(wide.rename(columns=columns), on=by), columns


def label_mixtures(frame, shares, called) -> pd.Series:
    """Say which mixture each row has: the table's own label, or m1, m2, ...; one for all that agree to 1e-6.

    Parameters
    ----------
    frame : DataFrame
    shares : list of str
        The columns of proportions.
    called : str
        The table's name in messages.

    Raises
    ------
    RunsError
        A label of the table stands for several mixtures, or is missing.
    """
    points, row_of = np.unique(np.round(frame[shares].to_numpy(), 9), axis=0, return_inverse=True)
    near = KDTree(points).query_pairs(EXACT, p=np.inf, output_type="ndarray")
    links = coo_array((np.ones(len(near)), near.T), shape=(len(points),) * 2)
    _, mixture_of = connected_components(links, directed=False)
    number = pd.Series(pd.factorize(mixture_of[row_of.ravel()])[0], index=frame.index)  # in the order of the table
    if "mixture" not in frame.columns:
        width = len(str(number.max() + 1))
        return number.map(lambda i: f"m{i + 1:0{width}d}")
    kinds = number.groupby(frame["mixture"]).nunique()
    several = kinds.index[kinds > 1]
    if len(several) or frame["mixture"].isna().any():
        which = f"{some(several)} has rows of different proportions" if len(several) else "is missing in some rows"
        raise RunsError(f"{called}: mixture {which}. Give each its own label, or leave the column out.")
    first = frame["mixture"].groupby(number).transform("first")
    if (renamed := frame["mixture"] != first).any():
        said = some(frame["mixture"][renamed].unique())
        text = f"{called}: mixture {said} has the proportions of an earlier one, and is now called as that."
        warnings.warn(text, RunsWarning, stacklevel=4)
    return first


def trained_on(targets, domains) -> dict:
    """Target -> the domain of the same name, for those that are trained on.

    Names that differ in case and punctuation only ("Github", "GitHub") are the same, if there are no two of them.
    """
    alike = Counter(_plain(name) for names in (targets, domains) for name in names)
    by_plain = {_plain(domain): domain for domain in domains}
    found = {}
    for target in targets:
        if target in domains:
            found[target] = target
        elif alike[_plain(target)] == 2 and _plain(target) in by_plain:
            found[target] = by_plain[_plain(target)]
    return found


def _plain(name) -> str:
    return re.sub(r"[\W_]+", "", str(name)).casefold()


def some(values) -> str:
    """List labels in a message, the first few of them."""
    values = list(values)
    more = f" and {len(values) - EXAMPLES} more" if len(values) > EXAMPLES else ""
    return ", ".join(repr(str(value)) for value in values[:EXAMPLES]) + more
