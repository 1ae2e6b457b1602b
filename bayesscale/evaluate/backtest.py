"""Rollout: fit the small runs of a table, forecast its larger ones, and see how often the intervals held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from bayesscale import law as laws_
from bayesscale.errors import RunsError
from bayesscale.evaluate.scores import score
from bayesscale.fitting import fit_many
from bayesscale.forecast import log_density
from bayesscale.runs import Runs, read_runs
from bayesscale.units import format_number, parse_number

__all__ = ["Backtest", "backtest"]

# Runs whose compute differs by less are of one level: a level is fitted as a whole or held out as a whole.
SAME_LEVEL = 1.01
FACTORS = (0.0, 2.0, 4.0, 10.0, 30.0, np.inf)


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Forecasts of a table's larger runs from its smaller ones, and how good they were.

    Parameters
    ----------
    table : DataFrame
        One row per law, cutoff and run held out: ``law``, ``cutoff`` (the largest compute that was fitted), ``fitted``
        (rows), ``row`` (of the user's table), ``factor`` (compute beyond the cutoff), ``truth``, ``median``, the ends
        of the 50/80/95% intervals and whether they held the truth (``in50``, ...), ``width95`` and ``error`` relative
        to the truth, ``crps``, ``pit``, ``log_score`` (log predictive density of the logarithm of the truth).
    by : str
        What the table was cut by.
    trouble : dict
        (law, cutoff) -> what is wrong with a fit, where something is.
    """

    table: pd.DataFrame
    by: str
    trouble: dict

    def summary(self, *, by: str | Sequence[str] = "law") -> pd.DataFrame:
        """Summarise the forecasts.

        Parameters
        ----------
        by : str or sequence of str
            ``"law"``, ``"factor"`` (how far beyond the cutoff: <2x, 2-4x, 4-10x, 10-30x, >30x), ``"cutoff"``, or
            several.

        Returns
        -------
        DataFrame
            ``n`` forecasts; coverage of the 50/80/95% intervals; mean ``crps`` and ``log_score``; ``bias``, the mean
            relative error of the median; ``width95``, the median relative width.
        """
        between = [f"{low:g}-{high:g}x" for low, high in pairwise(FACTORS[1:-1])]
        labels = [f"<{FACTORS[1]:g}x", *between, f">{FACTORS[-2]:g}x"]
        binned = pd.cut(self.table["factor"], FACTORS, labels=labels)
        grouped = self.table.assign(factor=binned).groupby(by, sort=False, observed=True)
        return pd.DataFrame(
            {
                "n": grouped.size(),
                **{f"coverage{q}": grouped[f"in{q}"].mean() for q in (50, 80, 95)},
                "crps": grouped["crps"].mean(),
                "log_score": grouped["log_score"].mean(),
                "bias": grouped["error"].mean(),
                "width95": grouped["width95"].median(),
            }
        ).sort_index(level="factor" if "factor" in np.atleast_1d(by) else None, sort_remaining=False)

    @property
    def notes(self) -> list[str]:
        """What the summary says in words."""
        said = []
        for law, row in self.summary().iterrows():
            cuts = self.table.loc[self.table["law"] == law, "cutoff"].nunique()
            said.append(
                f"{law}: the 95% intervals held {100 * row['coverage95']:.0f}% of {row['n']:.0f} forecasts at {cuts} "
                f"cutoff(s), the 50% intervals {100 * row['coverage50']:.0f}%; medians were off by "
                f"{100 * row['bias']:+.2f}% on average"
            )
        said += [f"{law} up to {self.by} = {format_number(cut)}: {why}" for (law, cut), why in self.trouble.items()]
        if len(self.table["cutoff"].unique()) > 1:
            said.append("a run held out at several cutoffs counts at each: these forecasts are not independent")
        return said

    def __repr__(self):
        shown = self.summary().to_string(float_format=lambda x: f"{x:.3g}")
        return "\n".join([f"backtest: fitted below a cutoff of {self.by}, scored above it", shown, *self.notes])

    def _repr_html_(self):
        shown = self.summary().to_html(float_format=lambda x: f"{x:.3g}", border=0)
        return shown + "".join(f"<p>{note}</p>" for note in self.notes)


def backtest(
    runs, laws="chinchilla", *, by: str = "C", cutoffs=(0.5, 0.65, 0.8), horizon=None, least: int = 8, **fitting
) -> Backtest:
    """Fit laws to the small runs of a table and score their forecasts of the larger ones.

    Parameters
    ----------
    runs : Runs, DataFrame or path
    laws : str or Law, or sequence of them
    by : str
        The column that says how large a run is.
    cutoffs : sequence
        Shares of the runs below 1, or values of `by` such as ``"1e20"``: what is at or below is fitted.
    horizon : number, optional
        Forecast runs up to so many times the cutoff only.
    least : int
        Rows that a fit must have; cutoffs that leave fewer are passed over.
    **fitting
        As for `bayesscale.fit`: ``noise``, ``discrepancy``, ``seed``, ...

    Returns
    -------
    Backtest

    Raises
    ------
    RunsError
        No cutoff leaves enough rows to fit and one to forecast.

    Notes
    -----
    Runs of one level of compute (within 1 %) stay together, and so do the rows of one ``run``, which counts where its
    largest row is: a checkpoint of a run that was fitted is no test. All folds of a law are fitted in one call.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    chosen = [laws_.named(law) for law in ([laws] if isinstance(laws, str | laws_.Law) else laws)]
    size = _sizes(runs, by)
    folds = _folds(size, cutoffs, horizon, least, by)
    scored, trouble = [], {}
    for law in chosen:
        fits = fit_many(law, [runs.select(fitted) for _, fitted, _ in folds], **fitting)
        for (cut, fitted, held_out), post in zip(folds, fits, strict=True):
            targets = runs.select(held_out)
            truth = targets.column(law.gives)
            rows = score(post.predict(targets, kind="new-run").draws, truth)
            where = dict(law=law.name, cutoff=cut, fitted=int(fitted.sum()), row=targets.table.index)
            rows = rows.assign(**where, factor=size[held_out] / cut, log_score=log_density(post, targets))
            scored.append(rows[[*where, "factor", *(c for c in rows if c not in where and c != "factor")]])
            if post.settings.get("trouble"):
                trouble[law.name, cut] = post.settings["trouble"]
    return Backtest(pd.concat(scored, ignore_index=True), by, trouble)


def _sizes(runs, by):
    """Return how large the run of each row is."""
    size = pd.Series(runs.column(by))
    if "run" in runs.columns:
        return size.groupby(runs.table["run"].to_numpy()).transform("max").to_numpy()
    return size.to_numpy()


def _folds(size, cutoffs, horizon, least, by):
    """Return (cutoff, rows fitted, rows held out), each cutoff once."""
    folds = {}
    for asked in np.atleast_1d(np.asarray(cutoffs, dtype=object)):
        value = parse_number(asked, name="cutoffs")
        limit = np.quantile(size, value) if 0 < value < 1 else value
        below = size[size <= SAME_LEVEL * limit]
        if not below.size:
            continue
        cut = float(below.max())
        fitted, held_out = size <= SAME_LEVEL * cut, size > SAME_LEVEL * cut
        if horizon is not None:
            held_out &= size <= parse_number(horizon, name="horizon") * cut
        if fitted.sum() >= least and held_out.any():
            folds.setdefault(cut, (cut, fitted, held_out))
    if not folds:
        raise RunsError(
            f"no cutoff of {by} leaves {least} rows to fit and one to forecast: there are {len(size)} rows of "
            f"{len(np.unique(size))} sizes from {format_number(size.min())} to {format_number(size.max())}; give other "
            "cutoffs=, or a smaller least="
        )
    return [folds[cut] for cut in sorted(folds)]
