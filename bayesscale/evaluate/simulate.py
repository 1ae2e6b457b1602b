"""Tables simulated from the prior: parameters, what the runs of a design would then measure, and what targets would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.errors import LawError
from bayesscale.forecast import expectation
from bayesscale.inference import rows_of, trained_along
from bayesscale.prior_forecast import prior_draws
from bayesscale.runs import Runs
from bayesscale.sample_paths import carry_on
from bayesscale.targets import names_of, read_targets

__all__ = ["Simulated", "simulate"]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Tables with a known truth.

    Parameters
    ----------
    tables : list of Runs
        The design, each time with other measured values.
    parameters : dict of str to ndarray, shape (simulations, ...)
        What each table was simulated from: all that a fit of the same law samples.
    targets : DataFrame
        Covariates of the targets.
    values : ndarray, shape (simulations, targets)
        What is true of the targets.
    """

    tables: list[Runs]
    parameters: dict[str, np.ndarray]
    targets: pd.DataFrame
    values: np.ndarray


def simulate(law, noise, discrepancy, design, *, targets, kind, typical, simulations, seed) -> Simulated:
    """Simulate tables from the prior.

    Parameters
    ----------
    law : Law
    noise : Noise
    discrepancy : Discrepancy or None
    design : Runs
        Its covariates, runs and relative measurement errors are those of each table; weights are left out.
    targets : DataFrame, dict or None
        As `Posterior.predict` takes them.
    kind : {"new-run", "mean"}
        What is true of a target: what would be measured, or the expected value.
    typical : float
        What a typical run measures: stands for the geometric mean of the measured values.
    simulations, seed : int

    Returns
    -------
    Simulated

    Raises
    ------
    LawError
        The prior simulates values that are not positive and finite.
    """
    rng = np.random.default_rng(seed)
    table = design.table.drop(columns="weight", errors="ignore")
    if law.gives not in table:
        table[law.gives] = float(typical)
    design = Runs(table, design.about)
    rows = rows_of(law, design, y_center=typical, by=noise.by)
    noise.check(rows)
    at = design.table.iloc[:0]
    if targets is not None:
        at = read_targets(targets, takes=law.columns, shares=law.shares)
    n, everywhere = len(design), pd.concat([design.table, at], ignore_index=True)

    centers = {**rows.x_center, law.gives: rows.y_center}
    frame = discrepancy and discrepancy.frame(law, design)
    drawn = prior_draws(law, noise, frame and frame.discrepancy, centers=centers, draws=simulations, seed=seed)
    if rows.run is None:
        del drawn["sigma_run"]  # as in the fit: only rows that share runs have effects of them
    elif "length" not in drawn:  # curve noise keeps no number per run
        drawn["run_effect"] = drawn["sigma_run"][:, None] * rng.standard_normal((simulations, rows.n_run))
    expected = expectation(law, drawn, {c: everywhere[c].to_numpy(float) for c in law.columns}, centers)
    if frame:
        expected = law.scale.back(law.scale.to(expected) + carry_on(frame, drawn, seed=seed).at(everywhere))

    error = _errors(law, rows, everywhere, expected[:, n:])
    together = dict(log_error=error, **_sharing(law, noise, rows, design, at))
    measured = law.scale.back(law.scale.to(expected) + noise.simulate(rng, drawn, expected.shape, **together))
    if bad := int(np.sum(~(np.isfinite(measured) & law.scale.holds(measured)).all(axis=1))):
        raise LawError(
            f"{bad} of {simulations} tables simulated from the prior of law {law.name} have values that are not "
            "positive and finite: narrow its priors with law.with_priors(...); see bs.prior_predictive(law, runs)"
        )
    tables = [_measured(design, law, y, rows.log_error) for y in measured[:, :n]]
    return Simulated(tables, drawn, at, (measured if kind == "new-run" else expected)[:, n:])


def _errors(law, rows, everywhere, expected):
    """Known measurement errors on the law's scale: of the rows as in the design, of the targets around the truth."""
    n = len(everywhere) - expected.shape[1]
    name = f"{law.gives}_error"
    if name not in everywhere:
        return None
    of_rows = np.zeros(n) if rows.log_error is None else rows.log_error[:n]
    of_targets = everywhere[name].fillna(0.0).to_numpy(float)[n:] * law.scale.slope(np.median(expected, axis=0))
    return np.concatenate([of_rows, of_targets])


def _sharing(law, noise, rows, design, at):
    """Say which rows and targets share runs, as `Noise.simulate` asks."""
    if rows.run is None:
        return {}
    ours, theirs = names_of(design.table, noise.by), names_of(at, noise.by)
    if theirs is None:
        theirs = pd.Series([f"target {i}" for i in range(len(at))], dtype=str)
    run, _ = pd.factorize(pd.concat([ours, theirs], ignore_index=True))
    along = trained_along(law, design)
    if along is None:
        return dict(run=run)
    alone = np.ones(len(at))  # of a run with one row it does not matter how far it was trained
    place = np.concatenate([design.column(along), at[along].to_numpy(float) if along in at else alone])
    return dict(run=run, place=np.log(place))


def _measured(design, law, values, log_error) -> Runs:
    """Put simulated values into the design, with errors that are as large relatively as the design's."""
    errors = {}
    if log_error is not None:
        errors = {f"{law.gives}_error": log_error[: len(values)] / law.scale.slope(values)}
    return Runs(design.table.assign(**{law.gives: values}, **errors), design.about)
