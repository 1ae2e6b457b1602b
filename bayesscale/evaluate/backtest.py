"""Rollout: fit the small runs of a table, forecast its larger ones, and see how often the intervals held."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from bayesscale import law as laws_
from bayesscale.errors import BayesscaleWarning, LawError, RunsError, SamplingWarning
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.members import labels
from bayesscale.evaluate.scores import score
from bayesscale.fitting import fit_many
from bayesscale.forecast import log_density
from bayesscale.posterior import Posterior
from bayesscale.reach import column_of_size
from bayesscale.runs import Runs, read_runs
from bayesscale.units import format_number, parse_number

__all__ = ["Backtest", "backtest", "bands", "rollout"]

# Runs whose compute differs by less are of one level: a level is fitted as a whole or held out as a whole.
SAME_LEVEL = 1.01
CUTOFFS = (0.5, 0.65, 0.8)
FACTORS = (0.0, 2.0, 4.0, 10.0, 30.0, np.inf)
FACTOR_NAMES = (
    f"<{FACTORS[1]:g}x",
    *(f"{low:g}-{high:g}x" for low, high in pairwise(FACTORS[1:-1])),
    f">{FACTORS[-2]:g}x",
)


@dataclass(frozen=True, eq=False, repr=False)
class Backtest(Finding):
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
    posteriors : dict
        (law, cutoff) -> the fit.
    runs : Runs
        The whole table.
    """

    table: pd.DataFrame
    by: str
    trouble: Mapping[tuple[str, float], str]
    posteriors: Mapping[tuple[str, float], Posterior]
    runs: Runs

    @property
    def laws(self) -> tuple[str, ...]:
        """The laws, in the order in which they were given."""
        return tuple(dict.fromkeys(self.table["law"]))

    @property
    def gives(self) -> str:
        """What was forecast."""
        return next(iter(self.posteriors.values())).law.gives

    @property
    def factor_names(self) -> pd.Categorical:
        """How far each forecast went, in words: <2x, 2-4x, ..."""
        return pd.cut(self.table["factor"].to_numpy(), FACTORS, labels=FACTOR_NAMES)

    def _grouped(self, by):
        """Group the forecasts; laws in the order given, factors from near to far."""
        keys = [by] if isinstance(by, str) else list(by)
        if unknown := set(keys) - {"law", "cutoff", "factor"}:
            raise LawError(f"a backtest is summarised by law, cutoff, factor or several, not {', '.join(unknown)}")
        table = self.table.assign(
            law=pd.Categorical(self.table["law"], self.laws),
            factor=self.factor_names,
        )
        return table.groupby(keys if len(keys) > 1 else keys[0], sort=True, observed=True)

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
            relative error of the median; ``width95``, the median relative width; ``pit``, the mean of the probability
            integral transform: 0.5 if forecasts are neither too low (above .5) nor too high.
        """
        grouped = self._grouped(by)
        found = pd.DataFrame(
            {
                "n": grouped.size(),
                **{f"coverage{q}": grouped[f"in{q}"].mean() for q in (50, 80, 95)},
                "crps": grouped["crps"].mean(),
                "log_score": grouped["log_score"].mean(),
                "bias": grouped["error"].mean(),
                "width95": grouped["width95"].median(),
                "pit": grouped["pit"].mean(),
            }
        )
        return _plain(found)

    def pit_histogram(self, *, bins: int = 10, by: str | Sequence[str] = "law") -> pd.DataFrame:
        """Count where in its forecast the truth lay: the share of forecasts in each bin of the PIT.

        Parameters
        ----------
        bins : int
        by : str or sequence of str
            As for `summary`.

        Returns
        -------
        DataFrame
            One row per group, one column per bin, named by its lower end. Flat (1 / bins) where forecasts are
            calibrated; high at both ends where intervals are too narrow; high in the middle where they are too wide.
        """
        edges = np.linspace(0, 1, bins + 1)
        shares = {name: np.histogram(pit, edges)[0] / len(pit) for name, pit in self._grouped(by)["pit"]}
        found = pd.DataFrame.from_dict(shares, orient="index", columns=np.round(edges[:-1], 6))
        found.index.names = [by] if isinstance(by, str) else list(by)
        return found

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
        said += self.troubles
        apart = len(np.unique(bands(self.sizes)))
        cutoffs = len(self.table["cutoff"].unique())
        several = "a run held out at several cutoffs counts at each, and " * (cutoffs > 1)
        said.append(
            f"{several}neighbours err alike: these forecasts are not independent; the runs held out span {apart} "
            f"factor(s) of two in {self.by}"
        )
        return said

    @property
    def troubles(self) -> list[str]:
        """Which fits are not to be trusted as they stand, in words."""
        return [f"{law} up to {self.by} = {format_number(cut)}: {why}" for (law, cut), why in self.trouble.items()]

    @property
    def sizes(self) -> np.ndarray:
        """How large the run of each row of the table is."""
        return (self.table["factor"] * self.table["cutoff"]).to_numpy()

    def _headline(self):
        return f"backtest: fitted below a cutoff of {self.by}, scored above it"

    def _shown(self):
        return self.summary()


def backtest(
    runs,
    laws="chinchilla",
    *,
    by: str | None = None,
    cutoffs=CUTOFFS,
    horizon=None,
    least: int = 8,
    average=None,
    **fitting,
) -> Backtest:
    """Fit laws to the small runs of a table and score their forecasts of the larger ones.

    Parameters
    ----------
    runs : Runs, DataFrame or path
    laws : str or Law, or sequence of them
    by : str, optional
        The column that says how large a run is: compute ``C``, or in a table without it the only size that the laws
        take, unless given.
    cutoffs : sequence
        Shares of the runs below 1, or values of `by` such as ``"1e20"``: what is at or below is fitted.
    horizon : number, optional
        Forecast runs up to so many times the cutoff only.
    least : int
        Rows that a fit must have; cutoffs that leave fewer are passed over.
    average : {"rollout", "loo", "equal"}, optional
        Also test the average of the laws, each fold with the weights that its own fitted runs give (equal ones where
        they are too few for a rollout): see `bayesscale.average`.
    **fitting
        As for `bayesscale.fit`: ``noise``, ``discrepancy``, ``seed``, ...

    Returns
    -------
    Backtest

    Raises
    ------
    RunsError
        No cutoff leaves enough rows to fit and one to forecast, or it is not clear what says how large a run is.

    Notes
    -----
    Runs of one level of compute (within 1 %) stay together, and so do the rows of one ``run``, which counts once, where
    its largest row is: a checkpoint of a run that was fitted is no test. All folds of a law are fitted in one call, by
    the program that also fits the whole table.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    chosen = [laws_.named(law).over(runs.columns) for law in ([laws] if isinstance(laws, str | laws_.Law) else laws)]
    members = {label: dict(law=law, **fitting) for label, law in zip(labels(chosen), chosen, strict=True)}
    return rollout(members, runs, by=by, cutoffs=cutoffs, horizon=horizon, least=least, average=average)


def rollout(
    members: Mapping[str, dict],
    runs: Runs,
    *,
    by=None,
    cutoffs=CUTOFFS,
    horizon=None,
    least=8,
    average=None,
    parts_of=None,
) -> Backtest:
    """Do what `backtest` does, each law with its own way of being fitted.

    Parameters
    ----------
    members : mapping of str to dict
        Name -> arguments of `fit_many`.
    parts_of : Runs, optional
        The table of which `runs` are themselves a part.
    """
    if average not in (None, "rollout", "loo", "equal"):
        raise LawError(f'average is "rollout", "loo" or "equal", not {average!r}')
    by = by or _column_of_size(runs, [how["law"] for how in members.values()])
    size = _sizes(runs, by)
    folds = _folds(size, runs, cutoffs, horizon, least, by)
    tables = [runs.select(fitted) for _, fitted, _ in folds]
    posteriors = {}
    for name, how in members.items():
        with warnings.catch_warnings():
            # Said below with the cutoff; and few rows are what a rollout sets out from.
            warnings.simplefilter("ignore", BayesscaleWarning)
            fits = fit_many(tables=tables, parts_of=parts_of or runs, **how)
        posteriors |= {(name, cut): post for (cut, _, _), post in zip(folds, fits, strict=True)}
    trouble = {key: post.settings["trouble"] for key, post in posteriors.items() if post.settings.get("trouble")}
    if average is not None:
        for cut, _, _ in folds:
            fits = {name: posteriors[name, cut] for name in members}
            posteriors[f"average ({average})", cut] = _averaged(fits, average, by=by, least=least, parts_of=runs)
    at = {fold[0]: fold for fold in folds}
    scored = [_scored(name, post, size, runs, at[cut]) for (name, cut), post in posteriors.items()]
    found = Backtest(pd.concat(scored, ignore_index=True), by, trouble, posteriors, runs)
    for said in found.troubles:
        warnings.warn(f"{said}; the scores of this fold are not to be trusted", SamplingWarning, stacklevel=3)
    return found


def _averaged(fits, weights, **rolled):
    from bayesscale.averaging import average  # which stands on rollouts itself

    try:
        return average(fits, weights, **(rolled if weights == "rollout" else {}))
    except RunsError:  # a fold too small for a rollout of its own says nothing of the laws
        return replace(average(fits, "equal"), weighting=weights)


def _scored(name, post, size, runs, fold):
    """Forecast the runs that a fold holds out, and score the forecasts."""
    cut, fitted, held_out = fold
    targets = runs.select(held_out)
    rows = score(post.predict(targets).draws, targets.column(post.law.gives))
    density = log_density(post, targets) if isinstance(post, Posterior) else post.log_density(targets)
    where = dict(law=name, cutoff=cut, fitted=int(fitted.sum()), row=targets.table.index, factor=size[held_out] / cut)
    rows = rows.assign(**where, log_score=density)
    return rows[[*where, *(c for c in rows if c not in where)]]


def bands(size) -> np.ndarray:
    """Return which factor of two each size lies in, counted from the smallest.

    Forecasts of runs of similar size err alike: for how much a backtest can tell, a factor of two counts once.
    """
    return np.floor(np.round(np.log2(size / np.min(size)), 6)).astype(int)


def _plain(found):
    """Give a summary an index of texts and numbers; a categorical one cannot be looked up in or added to."""
    if isinstance(found.index, pd.MultiIndex):
        plain = [
            level.astype(object) if isinstance(level, pd.CategoricalIndex) else level for level in found.index.levels
        ]
        return found.set_axis(found.index.set_levels(plain))
    return found.set_axis(found.index.astype(object)) if isinstance(found.index, pd.CategoricalIndex) else found


def _column_of_size(runs, laws):
    if (found := column_of_size(runs, laws)) is not None:
        return found
    none = {"run", "loss", "loss_error", "weight", *(law.gives for law in laws)}
    there = [c for c in runs.table.select_dtypes("number") if c not in none] or ["C"]
    raise RunsError(
        f'no one column says how large a run is: choose one, as in by="{there[0]}"; there are {", ".join(there)}'
    )


def _sizes(runs, by):
    """Return how large the run of each row is."""
    size = pd.Series(runs.column(by))
    if "run" in runs.columns:
        return size.groupby(runs.table["run"].to_numpy()).transform("max").to_numpy()
    return size.to_numpy()


def _folds(size, runs, cutoffs, horizon, least, by):
    """Return (cutoff, rows fitted, rows held out), each cutoff once."""
    folds = {}
    of_runs = size[~runs.table["run"].duplicated().to_numpy()] if "run" in runs.columns else size
    for asked in np.atleast_1d(np.asarray(cutoffs, dtype=object)):
        value = parse_number(asked, name="cutoffs")
        limit = np.quantile(of_runs, value) if 0 < value < 1 else value
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
