"""Tables of runs on mixtures of domains, as people keep them, made a row per run, checkpoint and target."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bayesscale.errors import RunsError, RunsWarning
from bayesscale.proportions import label_mixtures, own_beside_all, some, trained_on, with_proportions
from bayesscale.runs import Runs, read_runs
from bayesscale.table_checks import Problems
from bayesscale.table_columns import SPELLINGS, STANDARD, shown
from bayesscale.table_sources import open_table

__all__ = ["mixture_runs", "read_mixtures"]

SHARES = ("r_*", "w_*", "weight_*", "ratio_*", "proportion_*", "train_*")
OWN_SHARE = ("r", "ratio", "proportion")  # in a long table: the proportion of the row's own domain
LOSSES = ("loss_*", "metric/*_val_loss", "*_val_loss", "*_loss", "*_bpb")
NO_DOMAINS = {*STANDARD, *(name for names in SPELLINGS.values() for name in names), "weight_decay", "train_loss"}
NO_DATA = {"domain", "mixture", "name", "index", "step", "checkpoint", "seed"}  # beside the id, in tables of two files


def mixture_runs(
    source, *, proportions=None, losses=None, tolerance=0.01, same=None, columns=None, units=None, about=None
) -> Runs:
    """Read a table of runs on mixtures of domains: ``bs.mixture_runs("runs.csv", columns={"N": "model_size"})``.

    Wide tables have a row per run and checkpoint, with a column per domain for its proportion and one per target for
    its loss. Long tables have columns `domain` and `loss`, and the proportions in columns per domain or, with a column
    `mixture` or `run`, the domain's own in one column (`r`, `ratio` or `proportion`).

    Parameters
    ----------
    source : path, DataFrame, dict of columns, list of dicts, or anything with ``to_pandas()``
    proportions : str, list, or mapping, optional
        The columns of the training proportions: a pattern (``"weight_*"``; ``"weight_"`` is the same), a list of
        columns, or domain -> column. By default columns named ``r_*``, ``w_*``, ``weight_*``, ``ratio_*``,
        ``proportion_*`` or ``train_*``, the first of these that two columns have. In a long table also the name of the
        column of own proportions.
    losses : str, list, or mapping, optional
        The columns of the losses, likewise: by default ``loss_*``, ``*_val_loss``, ``*_loss`` or ``*_bpb``. A target
        need not be a domain that is trained on. Names that differ in case and punctuation only are one domain.
    tolerance : float
        How far from 1 the proportions of a row may sum, to be renormalised with a warning; up to 1e-6 they stay.
    same : dict, optional
        What holds for all runs and no column says: ``{"N": "30M", "D": "3B"}``.
    columns, units, about : dict, optional
        As in `read_runs`. Besides its names, `domain`, `mixture` and `r` can be given.

    Returns
    -------
    Runs
        A row per run, checkpoint and target, with `domain` (the target), `loss`, the proportions `r_<domain>` (zeros
        allowed), `r` (the target's own, missing where it is not trained on), `mixture` (the same for rows whose
        proportions agree to 1e-6; made if the table has none) and `run`. Where the table has no `run`, all rows of a
        mixture and an N are taken for checkpoints of one run.

    Raises
    ------
    RunsError
        By table, row and value: proportions that are missing, negative, no numbers or sum to something else than 1;
        rows of one run that nothing but the losses tells apart; one mixture with two sets of proportions; and what
        `read_runs` refuses.

    Warns
    -----
    RunsWarning
        If proportions were renormalised, losses are missing (those rows are left out), two labels name one mixture, and
        what `read_runs` doubts.
    """
    frame, lines = open_table(source)
    called = _called(source, "table")
    frame, columns = _in_our_words(frame, columns)
    long = losses is None and {"domain", "loss"} <= set(frame.columns)
    if long and (own := _column_of_own(frame, proportions)):
        frame, proportions = own_beside_all(frame, own, called)
    shares = _chosen(frame, proportions, "proportions", SHARES, called=called)
    frame = with_proportions(frame, lines, shares, tolerance, called)
    targets = {} if long else _chosen(frame, losses, "losses", LOSSES, called=called)
    return _runs(frame, targets, list(shares), columns, units, about, same, called)


def read_mixtures(
    ratios,
    metrics,
    *,
    on="run",
    proportions=None,
    losses=None,
    tolerance=0.01,
    same=None,
    columns=None,
    units=None,
    about=None,
) -> Runs:
    """Read a swarm of runs from two tables joined by run: ``bs.read_mixtures("ratios.csv", "metrics.csv")``.

    This is how Olmix and RegMix keep them: `ratios` has a row per run and a column per domain, `metrics` a row per run
    (or checkpoint) and a column per target.

    Parameters
    ----------
    ratios, metrics : path, DataFrame, dict of columns, list of dicts, or anything with ``to_pandas()``
    on : str
        The column that both tables have; `run_id` is found by itself where there is no `run`.
    proportions, losses : str, list, or mapping, optional
        As in `mixture_runs`. By default, where no two columns of the table have a name as there, every column of
        `ratios`, and every numeric one of `metrics`, that is no covariate and not called `name`, `index`, `step`,
        `checkpoint` or `seed`.
    tolerance, same, columns, units, about
        As in `mixture_runs`. Such tables often hold neither sizes nor tokens; laws that take more than proportions need
        them: ``same={"N": "30M", "D": "3B"}``. Bits per byte stay so; say it with ``about={"loss_unit": "bpb"}``.

    Returns
    -------
    Runs
        As `mixture_runs` gives them.

    Raises
    ------
    RunsError
        As `mixture_runs`; also if a run has metrics and no ratios, or more than one row of ratios.

    Warns
    -----
    RunsWarning
        As `mixture_runs`; also if runs have ratios and no metrics: they are left out.
    """
    (left, lines), (right, _) = open_table(ratios), open_table(metrics)
    names = _called(ratios, "ratios"), _called(metrics, "metrics")
    left, right = (_by_run(frame, on, name) for frame, name in zip((left, right), names, strict=True))
    right, columns = _in_our_words(right, columns)
    taken = {"run", *NO_DATA, *NO_DOMAINS, *(columns or {}).values()}

    others = [name for name in left.columns if name not in taken]
    shares = _chosen(left, proportions, "proportions", SHARES, otherwise=others, called=names[0])
    left = with_proportions(left, lines, shares, tolerance, names[0])
    numeric = right.select_dtypes("number").columns
    others = [name for name in numeric if name not in taken]
    targets = _chosen(right, losses, "losses", LOSSES, otherwise=others, called=names[1])
    # Named for what they are: a column of one name in both tables is a domain's proportion here and its loss there.
    right = right.rename(columns={column: f"loss of {domain}" for domain, column in targets.items()})
    targets = {domain: f"loss of {domain}" for domain in targets}

    frame = _joined(left, right, names)
    return _runs(frame, targets, list(shares), columns, units, about, same, names[1])


# --- which columns are meant ---


def _called(source, otherwise) -> str:
    return Path(source).name if isinstance(source, (str, os.PathLike)) else otherwise


def _in_our_words(frame, columns):
    """Give `domain`, `loss`, `mixture` and `r` our names; the rest of `columns` is left for `read_runs`."""
    rest = dict(columns or {})
    ours = {rest.pop(name): name for name in ("domain", "loss", "mixture", "r") if name in rest}
    if absent := [theirs for theirs in ours if theirs not in frame.columns]:
        raise RunsError(f"columns: the table has no {shown(absent)}. The columns are {shown(frame.columns)}.")
    return frame.rename(columns=ours), rest


def _matching(names, pattern) -> dict:
    """Domain -> column, for the names of a pattern such as "weight_*"."""
    before, _, after = pattern.partition("*")
    found = [name for name in names if isinstance(name, str) and name.startswith(before) and name.endswith(after)]
    return {name[len(before) : len(name) - len(after)]: name for name in found if len(name) > len(before + after)}


def _column_of_own(frame, proportions):
    """Find the column of a long table that holds the own proportions, where the mixture's are not there."""
    if proportions is not None:
        return proportions if isinstance(proportions, str) and proportions in frame.columns else None
    if any(len(_matching(frame.columns, pattern)) >= 2 for pattern in SHARES):
        return None
    return next((name for name in OWN_SHARE if name in frame.columns), None)


def _chosen(frame, given, what, patterns, *, otherwise=(), called="table") -> dict:
    """Domain -> column, as `given` or by a pattern that the columns have."""
    least = 2 if what == "proportions" else 1
    present = f"The columns of {called} are {shown(frame.columns)}"
    if isinstance(given, Mapping):
        chosen = dict(given)
    elif isinstance(given, str):
        chosen = _matching(frame.columns, given)
    elif given is not None:
        found = (_matching(given, pattern) for pattern in patterns)
        chosen = next((x for x in found if len(x) == len(given)), dict(zip(given, given, strict=True)))
    else:
        names = [name for name in frame.columns if name not in NO_DOMAINS]
        found = (_matching(names, pattern) for pattern in patterns)
        chosen = next((x for x in found if len(x) >= least), dict(zip(otherwise, otherwise, strict=True)))
        if not chosen and what == "losses" and any(name in frame.columns for name in ("loss", *SPELLINGS["loss"])):
            return {}  # one loss for all
    if absent := [column for column in chosen.values() if column not in frame.columns]:
        raise RunsError(f"{what}: no column {shown(absent)}. {present}.")
    if len(chosen) < least:
        raise RunsError(
            f"{what}={given!r}: {len(chosen)} such columns. {present}; name yours by a pattern ({what}="
            f'"{patterns[2]}"), a list, or a dict of domain -> column.'
        )
    return chosen


# --- two tables ---


def _by_run(frame, on, called) -> pd.DataFrame:
    """Call the column that joins the tables `run`."""
    found = next((name for name in (on, *(("run_id",) if on == "run" else ())) if name in frame.columns), None)
    if found is None:
        raise RunsError(f"{called}: no column {on!r} to join by. Name it with on=; there are {shown(frame.columns)}.")
    if frame[found].isna().any():
        raise RunsError(f"{called}: column {found!r} is empty in {frame[found].isna().sum()} rows. Fill in the run.")
    if found != "run":
        frame = frame.drop(columns="run", errors="ignore").rename(columns={found: "run"})
    return frame


def _joined(left, right, names) -> pd.DataFrame:
    if left["run"].dtype.kind != right["run"].dtype.kind:  # 7 in one file and "7" in the other
        left, right = (frame.assign(run=frame["run"].astype(str)) for frame in (left, right))
    said = []
    if (twice := left["run"].duplicated()).any():
        said.append(f"{names[0]}: more than one row for run {some(left['run'][twice])}. Keep one row per run.")
    if len(strange := right["run"][~right["run"].isin(left["run"])].unique()):
        said.append(f"{names[1]}: no row in {names[0]} for run {some(strange)}. Add it there, or drop it here.")
    if said:
        raise RunsError(said)
    unused = left["run"][~left["run"].isin(right["run"])]
    if len(unused):
        warnings.warn(f"{names[1]}: no row for run {some(unused)} of {names[0]}; left out.", RunsWarning, stacklevel=3)
    both = [name for name in left.columns if name in right.columns and name != "run"]
    return right.join(left.drop(columns=both).set_index("run"), on="run")


# --- the runs ---


def _runs(frame, targets, domains, columns, units, about, same, called) -> Runs:
    """Make runs of a table with checked `r_<domain>`, wide (`targets`: domain -> column of losses) or long already."""
    if overlap := [name for name in same or {} if name in frame.columns]:
        raise RunsError(f"same: {called} has a column {shown(overlap)}. Leave it out of same=, or drop the column.")
    shares = [f"r_{domain}" for domain in domains]
    losses = {column: f"loss of {domain}" for domain, column in targets.items()}
    frame = frame.rename(columns=losses)
    if targets:  # an overall loss is no target
        frame = frame.rename(columns={c: f"{c}_original" for c in frame if str(c).lower() in SPELLINGS["loss"]})
    frame = frame.assign(mixture=label_mixtures(frame, shares, called), **(same or {}))

    units = dict(units or {})
    of_loss = {name: units.pop(name) for name in ("loss", "loss_error") if name in units}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # they come with the runs made below
        read = read_runs(frame, columns=columns, units=units, about=about)
    table = _by_run_and_mixture(read.table, [*losses.values(), "loss"], called)
    table = _long(table, {domain: f"loss of {domain}" for domain in targets}) if targets else table
    if "loss" not in table.columns:
        raise RunsError(f"{called}: no losses. Name their columns with losses=; there are {shown(frame.columns)}.")
    if (missing := table["loss"].isna()).any():
        text = f"{called}: {missing.sum()} of {len(table)} losses are missing; left out."
        warnings.warn(text, RunsWarning, stacklevel=3)
        table = table[~missing]
    if "domain" in table.columns:
        trained = trained_on(table["domain"].unique(), domains)
        table["r"] = np.nan
        for target, domain in trained.items():
            rows = table["domain"] == target
            table.loc[rows, "r"] = table.loc[rows, f"r_{domain}"]
        table["domain"] = table["domain"].replace(trained)
    ordered = [name for name in (*STANDARD, "mixture", "domain", "r", *shares) if name in table.columns]
    table = table[ordered + [name for name in table.columns if name not in ordered]]
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        runs = read_runs(Runs(table, read.about), units=of_loss)
    for doubt in doubts:
        warnings.warn(doubt.message, stacklevel=3)
    return Runs(runs.table.reset_index(drop=True), runs.about)


def _by_run_and_mixture(table, losses, called) -> pd.DataFrame:
    """See that nothing is measured twice; where the table does not say which rows are one run, say it."""
    if "run" not in table.columns:
        several = "N" in table.columns and len(table["N"].unique()) > 1
        size = table["N"].map(lambda n: f" at N = {n:.12g}") if several else ""
        return table.assign(run=table["mixture"].astype(str) + size)
    problems = Problems(table.index)
    again = table.duplicated([name for name in table.columns if name not in losses]).to_numpy()
    what = f"{called}: a run with all but its losses as in an earlier row,"
    remedy = "Drop one, or tell them apart by tokens, steps or another column"
    problems.add_rows(again, what, remedy, cells=table["run"].astype(str).array)
    if problems.said:
        raise RunsError(problems.said)
    return table


def _long(table, columns) -> pd.DataFrame:
    """Give every loss a row of its own, those of one row together. Labels are kept, so that errors can name the row."""
    rest = table.drop(columns=list(columns.values()))
    parts = [rest.assign(domain=domain, loss=table[column]) for domain, column in columns.items()]
    order = np.argsort(np.tile(np.arange(len(table)), len(parts)), kind="stable")
    return pd.concat(parts).iloc[order]
