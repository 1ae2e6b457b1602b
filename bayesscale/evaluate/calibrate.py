"""Simulation-based calibration: whether a law's intervals hold where its own prior is the truth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale import discrepancy as discrepancies
from bayesscale import law as laws
from bayesscale import noise as noises
from bayesscale.errors import LawError, RunsError, RunsWarning, SamplingWarning
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.simulate import simulate
from bayesscale.fitting import fit_many
from bayesscale.inference import log_densities, rows_of
from bayesscale.intervals import LEVELS
from bayesscale.runs import Runs, read_runs
from bayesscale.targets import target_names
from bayesscale.units import parse_number

__all__ = ["Calibration", "calibrate", "shape_of", "uniformity"]

KEPT = 99  # draws among which the truth is ranked: thinned until nearly independent, for a hundred possible ranks
SHORT = dict(chains=2, draws=500, second_try=False)  # a hundred short fits say more than ten long ones
# Chance of a false alarm over all quantities together.
DOUBT, OFF = 0.1, 0.01
FINE = "as it should be"


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Finding):
    """Where the truth lay in the posteriors of simulated tables.

    Parameters
    ----------
    table : DataFrame
        One row per simulation and quantity: ``simulation``, ``quantity``, ``of`` ("parameter", "fit" or "forecast"),
        ``truth``, ``median``, ``rank`` among the draws kept (0 to `kept`), the same as a number between 0 and 1 with
        ties broken at random (``pit``), and whether the intervals held the truth (``in50``, ``in80``, ``in95``).
    title : str
        What was simulated and fitted.
    kept : int
        Draws of each posterior among which the truth was ranked.
    trouble : dict of int to str
        Simulation -> what is wrong with its fit, where something is.
    remarks : tuple of str
        What else is to be known.
    """

    table: pd.DataFrame
    title: str
    kept: int
    trouble: dict[int, str]
    remarks: tuple[str, ...] = ()

    def summary(self) -> pd.DataFrame:
        """Summarise each quantity.

        Returns
        -------
        DataFrame
            Coverage of the 50/80/95% intervals over the simulations, the p-value of uniform ranks, and the verdict over
            all quantities together in words.
        """
        grouped = self.table.groupby("quantity", sort=False)
        found = grouped[[f"in{100 * level:g}" for level in LEVELS]].mean()
        found.columns = [f"coverage{100 * level:g}" for level in LEVELS]
        found["pvalue"] = grouped["pit"].apply(lambda pit: uniformity(pit.to_numpy()))
        together = np.minimum(found["pvalue"] * len(found), 1.0)  # Bonferroni
        shapes = grouped["pit"].apply(lambda pit: shape_of(pit.to_numpy()))
        sure = np.select([together < OFF, together < DOUBT], ["", "perhaps "], FINE)
        found["verdict"] = [s if s == FINE else s + shape for s, shape in zip(sure, shapes, strict=True)]
        return found

    @property
    def simulations(self) -> int:
        """How many tables were simulated."""
        return self.table["simulation"].nunique()

    @property
    def holds(self) -> bool:
        """Whether no quantity is off, at one false alarm in a hundred over all of them together."""
        p = self.summary()["pvalue"]
        return bool(p.min() * len(p) >= OFF)

    @property
    def notes(self) -> list[str]:
        """What the summary says in words, and what it cannot say."""
        found, n = self.summary(), self.simulations
        wrong = found["verdict"][found["verdict"] != FINE]
        said = [f"{name}: {verdict} (p = {found.loc[name, 'pvalue']:.1g})" for name, verdict in wrong.items()]
        if not said:
            said = ["the truth is ranked evenly among the draws: the intervals hold where law and priors are true"]
        error = 200 * np.sqrt(0.95 * 0.05 / n)
        said.append(f"of {n} simulations, coverage of a 95% interval is known to within {error:.0f} points")
        if self.trouble:
            first, why = next(iter(self.trouble.items()))
            said.append(
                f"{len(self.trouble)} of {n} fits were in trouble (simulation {first}: {why}); they are kept, for "
                "without them the rest would look better than it is"
            )
        truth = "this shows that law, priors and sampler agree, not that the law is true: for that, bs.backtest"
        return [*said, *self.remarks, truth]

    def _headline(self):
        return self.title

    def _shown(self):
        return self.summary()


def calibrate(
    law,
    design,
    *,
    simulations: int = 100,
    noise="student-t",
    discrepancy=False,
    targets=None,
    kind: str = "new-run",
    typical=None,
    truth_law=None,
    truth_noise=None,
    truth_discrepancy=None,
    seed: int = 0,
    **sampling,
) -> Calibration:
    """Simulate tables from the prior, fit them all, and see where the truth lies among the posterior draws.

    If law, priors, noise and sampler are one consistent model, the rank of the truth among independent draws is
    uniform, and a 95% interval holds it 95 times in 100.

    Parameters
    ----------
    law : str or Law
    design : Runs, DataFrame or path
        Its covariates, runs and measurement errors are those of every simulated table. It may be a plan, without
        measured values.
    simulations : int
        Tables; 100 find an interval that is a third too narrow.
    noise : str or Noise
    discrepancy : bool or Discrepancy
        As for `bayesscale.fit`, but off unless asked for: it makes every fit take several times as long.
    targets : DataFrame, Runs or dict, optional
        Where forecasts are checked too, as `Posterior.predict` takes them: ``dict(N="7B", D=["140B", "1.4T"])``.
    kind : {"new-run", "mean"}
        Of these forecasts.
    typical : number, optional
        What a typical run measures, to which the priors refer: the geometric mean of the design's measured values. A
        real fit reads it off its table; here it must not depend on the simulated values.
    truth_law, truth_noise, truth_discrepancy : optional
        Simulate from these instead, to see how far the fit bears that its assumptions do not hold; by default from what
        is fitted. Parameters that both have are ranked.
    seed : int
    **sampling
        As for `bayesscale.fit`; 2 chains of 500 draws and no second try, unless given.

    Returns
    -------
    Calibration

    Raises
    ------
    LawError
        The prior simulates values that no table can hold, or `simulations` is no whole number from 10 on.
    RunsError
        The design lacks a covariate, or has no measured values and `typical` is not given.

    Notes
    -----
    Talts et al. 2018 (ranks); Modrak et al. 2025 (the log likelihood at the truth is ranked as well: it sees a
    posterior that leaves out part of the data). Uniformity by ArviZ's test of ordered values ("pot_c").
    """
    design = design if isinstance(design, Runs) else read_runs(design)
    law = laws.named(law).over(design.columns)
    noise = noises.named(noise, scatter=law.scatter)
    discrepancy = discrepancies.named(discrepancy, scatter=law.scatter)
    if not isinstance(simulations, int | np.integer) or simulations < 10:
        raise LawError(f"simulations is a whole number of at least 10, not {simulations!r}")
    if kind not in ("new-run", "mean"):
        raise LawError(f'kind is "new-run" or "mean", not {kind!r}')
    typical = _typical(law, design, typical)
    truth = dict(
        law=law if truth_law is None else laws.named(truth_law).over(design.columns),
        noise=noise if truth_noise is None else noises.named(truth_noise, scatter=law.scatter),
        discrepancy=discrepancy
        if truth_discrepancy is None
        else discrepancies.named(truth_discrepancy, scatter=law.scatter),
    )
    simulated = simulate(
        **truth, design=design, targets=targets, kind=kind, typical=typical, simulations=simulations, seed=seed
    )
    with warnings.catch_warnings():
        # Said once, in the notes, instead of once per table.
        warnings.simplefilter("ignore", SamplingWarning)
        warnings.simplefilter("ignore", RunsWarning)
        how = {**SHORT, **sampling}
        fits = fit_many(law, simulated.tables, noise=noise, discrepancy=discrepancy, seed=seed, typical=typical, **how)
    same = truth == dict(law=law, noise=noise, discrepancy=discrepancy)
    rng = np.random.default_rng(seed)
    rows = [row for i, post in enumerate(fits) for row in _ranks(i, post, simulated, kind, rng, typical, same)]
    trouble = {i: post.settings["trouble"] for i, post in enumerate(fits) if post.settings["trouble"]}
    title = f"calibration of law {law.name}, {noise} noise{', discrepancy' * (discrepancy is not None)}"
    title = f"{title}: {simulations} tables of {len(design)} rows simulated from the prior"
    remarks = () if same else ("the tables were simulated from another model than was fitted",)
    remarks += ("the design's weights were left out",) * ("weight" in design.columns)
    return Calibration(pd.DataFrame(rows), title, _kept(fits[0]), trouble, remarks)


def uniformity(pit) -> float:
    """P-value of uniform values: ArviZ's pointwise test of the ordered values, joined by Cauchy's rule.

    With 50 values it finds intervals that are too narrow by 30 % more often (.76 at a level of 5 %) than the band
    around the empirical distribution (.70) or chi-square over ten bins (.45) do.
    """
    from arviz_stats.base import array_stats

    return float(array_stats.uniformity_test(np.asarray(pit, float))[0])


def shape_of(pit) -> str:
    """Say in words how values that should be uniform are not: by their mean, or by their spread."""
    pit, n = np.asarray(pit, float), len(pit)
    mean = (pit.mean() - 0.5) * np.sqrt(12 * n)
    spread = (np.mean((pit - 0.5) ** 2) - 1 / 12) * np.sqrt(180 * n)
    if abs(mean) > abs(spread):
        return "too low" if mean > 0 else "too high"
    return "intervals too narrow" if spread > 0 else "intervals too wide"


def _typical(law, design, typical) -> float:
    if typical is not None:
        return parse_number(typical, name="typical")
    if law.gives not in design.columns:
        raise RunsError(
            f"the design has no column {law.gives}: say what a typical run measures, as in typical=2.5, which the "
            f"priors of law {law.name} refer to"
        )
    return float(np.exp(np.log(design.column(law.gives)).mean()))


def _kept(post) -> int:
    return min(KEPT, len(next(iter(post.flat_draws.values()))))


def _ranks(i, post, simulated, kind, rng, typical, same):
    """Yield where the truth of one simulation lies in its posterior, quantity by quantity."""
    truth, draws = {k: v[i] for k, v in simulated.parameters.items()}, post.flat_draws
    thinned = np.linspace(0, len(next(iter(draws.values()))) - 1, _kept(post)).astype(int)

    def row(quantity, of, value, values, kept):
        rank, below = int(np.sum(kept < value)), np.mean(values < value)
        held = {f"in{100 * level:g}": bool(abs(below - 0.5) <= level / 2) for level in LEVELS}
        pit = (rank + rng.uniform()) / (len(kept) + 1)
        where = dict(truth=float(value), median=float(np.median(values)), rank=rank, pit=pit)
        return dict(simulation=i, quantity=quantity, of=of, **where, **held)

    for name in (k for k in truth if k in draws and np.ndim(truth[k]) == 0):
        yield row(name, "parameter", truth[name], draws[name], draws[name][thinned])
    if same:
        rows = rows_of(post.law, post.runs, discrepancy=post.discrepancy, y_center=typical, by=post.noise.by)
        joined = {k: np.concatenate([v[None], draws[k][thinned]]) for k, v in truth.items()}
        density = log_densities(post.law, post.noise, rows, joined)[0].sum(axis=1)
        yield row("log likelihood", "fit", density[0], density[1:], density[1:])
    if len(simulated.targets):
        forecast = post.predict(simulated.targets, kind=kind, seed=i)
        names = target_names(simulated.targets, takes=post.law.columns, gives=post.law.gives)
        for j, label in enumerate(names):
            yield row(label, "forecast", simulated.values[i, j], forecast.draws[:, j], forecast.draws[thinned, j])
