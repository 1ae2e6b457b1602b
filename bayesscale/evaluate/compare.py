"""Which law predicts best: new rows like these (WAIC, PSIS-LOO), and larger ones from smaller ones (rollout)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.elpd import KHAT, loo, waic
from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.backtest import CUTOFFS, Backtest
from bayesscale.evaluate.backtest import rollout as roll_out
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.leave_out import LeftOut, leave_groups_out
from bayesscale.evaluate.members import check_same_table, fitted_how, labelled, stacking
from bayesscale.evaluate.rollouts import difference_error, log_scores
from bayesscale.fitting import fit
from bayesscale.posterior import Posterior
from bayesscale.reach import column_of_size
from bayesscale.runs import read_runs

__all__ = ["Comparison", "compare"]

P_WAIC = 0.4


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Finding):
    """Laws compared on one table, the best by LOO first.

    Parameters
    ----------
    table : DataFrame
        One row per law: ``elpd_loo``, ``se_loo``, ``p_loo``, ``elpd_waic``, ``se_waic``, ``p_waic``; ``diff`` and
        ``diff_se``, elpd_loo minus the best law's and its standard error (0 for the best, negative below it);
        ``weight``, the stacking weights of a mixture; ``warning`` in words. With a rollout also ``elpd_rollout``, and
        ``diff_rollout`` and ``diff_rollout_se``, the same minus that of the law that is best by it.
    posteriors : dict of str to Posterior
        The fits, by the names of the table.
    pointwise : DataFrame
        elpd_loo of each row of the runs (rows) under each law (columns).
    rollout : Backtest, optional
        The laws fitted to the smaller runs and scored on the larger ones.
    no_rollout : str
        Why there is none.
    left_out : dict of str to LeftOut, optional
        What leaving out whole groups gives, by law. The table then has ``elpd_out``, ``diff_out`` and ``diff_out_se``
        too, and the best law by it comes first.
    """

    table: pd.DataFrame
    posteriors: Mapping[str, Posterior]
    pointwise: pd.DataFrame
    rollout: Backtest | None = None
    no_rollout: str = ""
    left_out: Mapping[str, LeftOut] | None = None

    @property
    def best(self) -> Posterior:
        """The law with the highest elpd_loo; elpd_out where groups were left out."""
        return self.posteriors[self.table.index[0]]

    def _of_rollout(self):
        """Say whether the larger runs, foretold from the smaller ones, prefer the same law."""
        if self.rollout is None:
            return [f"WAIC and LOO score interpolation, not how a law extrapolates; no rollout: {self.no_rollout}"]
        said = [
            "WAIC and LOO score interpolation; elpd_rollout how laws fitted to the smaller runs foretell larger ones"
        ]
        if len(self.table) > 1:
            by_loo, by_rollout = self.table["elpd_loo"].idxmax(), self.table["elpd_rollout"].idxmax()
            if by_loo == by_rollout:
                said.append(f"the rollout agrees with LOO: {by_loo} foretells the larger runs best too")
            else:
                behind, error = self.table.loc[by_loo, ["diff_rollout", "diff_rollout_se"]]
                size = f"{-behind:.1f}" + (f" +- {error:.1f}" if np.isfinite(error) else "")
                sure = "" if -behind > 2 * error else ", no more than chance may make of so few levels"
                said.append(
                    f"LOO and the rollout disagree: LOO prefers {by_loo}, but fitted to the smaller runs {by_rollout} "
                    f"foretells the larger ones better, by {size}{sure}; beyond the data go by the rollout, or average"
                )
        return [*said, *(f"rollout, {where}" for where in self.rollout.troubles)]

    def _verdict(self):
        if len(self.table) < 2:
            return ""
        first, second = self.table.index[:2]
        what, score = "rows like these", "diff"
        if self.left_out:
            what, score = f"a new {self._group}", "diff_out"
        ahead, error = -self.table.loc[second, score], self.table.loc[second, f"{score}_se"]
        if ahead < 2 * error or ahead < 4:
            return f"{first} and {second} predict {what} equally well (difference {ahead:.1f} +- {error:.1f})"
        lead = f"{ahead:.1f} +- {error:.1f} ({ahead / error:.1f} standard errors)"
        return f"{first} predicts {what} best: ahead of {second} by {lead}"

    @property
    def _group(self):
        return next(iter(self.left_out.values())).pointwise.index.name

    def _of_groups(self):
        """Say that LOO of rows flatters, and which groups took a fit of their own."""
        if not self.left_out:
            return []
        n = len(next(iter(self.left_out.values())).pointwise)
        again = ", ".join(f"{len(found.refitted)} for {law}" for law, found in self.left_out.items() if found.refitted)
        fits = (
            f"; where importance sampling failed the law was fitted again without the group: {again}" if again else ""
        )
        return [
            f"elpd_out leaves out each {self._group} whole, {n} in all{fits}. elpd_loo and elpd_waic leave out one row "
            f"and keep the rest of its {self._group}: they are optimistic for a new one"
        ]

    @property
    def notes(self) -> list[str]:
        """What the table says in words, its warnings, and what it cannot say."""
        warnings = {}
        for law, said in self.table["warning"].items():
            for warning in filter(None, said.split("; ")):
                warnings.setdefault(warning, []).append(law)
        verdict = self._verdict()
        mixing = "a weight is a share in a mixture, not a probability: of laws that predict alike, one may take all"
        return [
            *filter(None, [verdict, mixing if "equally" in verdict else ""]),
            *(f"{', '.join(laws)}: {warning}" for warning, laws in warnings.items()),
            *self._of_groups(),
            *self._of_rollout(),
        ]

    _numbers = ".2f"

    def _headline(self):
        return "comparison; higher elpd is better"

    def _shown(self):
        return self.table.drop(columns="warning")


def compare(
    runs_or_posteriors, laws: Sequence | None = None, *, rollout=None, leave_out: str | None = None, **fitting
) -> Comparison:
    """Compare laws on one table by WAIC, PSIS-LOO and rollout.

    Parameters
    ----------
    runs_or_posteriors : Runs, DataFrame, path; or sequence or mapping of Posterior
        A table to fit the laws to, or fits of the same table.
    laws : sequence of str or Law, optional
        The laws, if a table is given.
    rollout : bool or sequence, optional
        Also fit each law to the smaller runs and score its forecasts of the larger ones: one short fit per law and
        cutoff. By default where a table is given, has runs enough and one row for each; fits that are given are not
        fitted again unless asked for. True, or the cutoffs as for `backtest`; False: not.
    leave_out : str, optional
        A column of groups, such as ``mixture``, to leave out whole, one after the other: for tables where rows of a
        group stray from a law together, of which LOO of rows knows nothing (`evaluate.leave_out`). It may take a fit
        per group.
    **fitting
        As for `bayesscale.fit`: ``noise``, ``seed``, ``draws``, ...

    Returns
    -------
    Comparison

    Raises
    ------
    RunsError
        The posteriors are of different tables, or no law is given; or a rollout is asked for and no cutoff leaves
        enough rows.
    LawError
        Posteriors and laws are given at once.

    Notes
    -----
    Differences are sums over rows of paired differences; their standard error is sqrt(n var(difference_i)). Below 2
    standard errors, or below 4 in elpd, laws are equal for practical purposes. Weights: stacking (Yao et al. 2018).

    elpd_rollout is the sum over held-out rows of the log predictive density, averaged over the cutoffs at which a row
    is held out. Runs of similar size are forecast well or badly together, so the standard error of its differences
    takes factors of two in compute for what is independent: sqrt(J var(difference_j)).
    """
    posteriors = _posteriors(runs_or_posteriors, laws, fitting)
    if not posteriors:
        raise RunsError('nothing to compare: give laws, as in compare(runs, ["chinchilla", "power(C)"])')
    check_same_table(posteriors)
    rows, pointwise = {}, {}
    for name, post in posteriors.items():
        by_waic, by_loo = waic(post.log_likelihood), loo(post)
        pointwise[name] = by_loo.pointwise
        rows[name] = dict(
            elpd_loo=by_loo.elpd,
            se_loo=by_loo.se,
            p_loo=by_loo.p,
            elpd_waic=by_waic.elpd,
            se_waic=by_waic.se,
            p_waic=by_waic.p,
            warning=_warning(by_waic, by_loo, post),
        )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("law").sort_values("elpd_loo", ascending=False)
    pointwise = pd.DataFrame(pointwise)
    differences = pointwise[table.index].sub(pointwise[table.index[0]], axis=0)
    table.insert(3, "diff", differences.sum())
    table.insert(4, "diff_se", np.sqrt(len(differences) * differences.var(ddof=1)))
    table.insert(len(table.columns) - 1, "weight", pd.Series(stacking(pointwise), index=pointwise.columns))
    tested, why_not = _rolled_out(posteriors, rollout, fitted_here=not _are_fits(runs_or_posteriors))
    if tested is not None:
        scores = log_scores(tested)
        table.insert(8, "elpd_rollout", scores.sum())
        differences = scores.sub(scores[table["elpd_rollout"].idxmax()], axis=0)
        table.insert(9, "diff_rollout", differences.sum())
        table.insert(10, "diff_rollout_se", difference_error(differences))
    left_out = None
    if leave_out is not None:
        left_out = {name: leave_groups_out(post, leave_out) for name, post in posteriors.items()}
        table = _with_groups(table, pd.DataFrame({name: found.pointwise for name, found in left_out.items()}))
    return Comparison(table, posteriors, pointwise, tested, why_not, left_out)


def _with_groups(table, pointwise):
    """Put what leaving out groups gives in front, the best law by it first."""
    table = table.loc[pointwise.sum().sort_values(ascending=False).index].copy()
    differences = pointwise.sub(pointwise[table.index[0]], axis=0)
    table.insert(0, "elpd_out", pointwise.sum())
    table.insert(1, "diff_out", differences.sum())
    table.insert(2, "diff_out_se", np.sqrt(len(differences) * differences.var(ddof=1)))
    return table.rename_axis("law")


def _are_fits(given):
    found = list(given.values()) if isinstance(given, Mapping) else given
    return isinstance(found, Posterior) or (
        isinstance(found, list | tuple) and any(isinstance(p, Posterior) for p in found)
    )


def _rolled_out(posteriors, asked, *, fitted_here):
    """Return the backtest of the laws; or None, and why not."""
    if asked is False or (asked is None and not fitted_here):
        return None, "not asked for"
    runs = next(iter(posteriors.values())).runs
    if asked is None and "run" in runs.columns and runs.table["run"].duplicated().any():
        return None, "rows that share runs take long to fit: ask for it"
    by = column_of_size(runs, [post.law for post in posteriors.values()])
    try:
        if by is None:
            raise RunsError("the table has no column C that says how large a run is")
        members = {name: fitted_how(post) for name, post in posteriors.items()}
        return roll_out(members, runs, by=by, cutoffs=CUTOFFS if asked in (None, True) else asked), ""
    except RunsError as error:
        if asked is not None:
            raise
        return None, str(error)


def _posteriors(given, laws, fitting):
    if not _are_fits(given):
        runs = read_runs(given)
        return labelled([fit(law, runs, **fitting) for law in laws or ()])
    found = labelled([given] if isinstance(given, Posterior) else given)
    if laws is not None or fitting:
        raise LawError("compare(posteriors) compares the fits as they are: to fit laws, give a table of runs instead")
    return found


def _warning(by_waic, by_loo, post):
    said = []
    if np.any(by_loo.diagnostic > KHAT):
        row = post.runs.table.index[int(np.argmax(by_loo.diagnostic))]
        said.append(f"LOO is unreliable (k-hat above {KHAT}, most at row {row})")
    if np.any(by_waic.diagnostic > P_WAIC):
        row = post.runs.table.index[int(np.argmax(by_waic.diagnostic))]
        said.append(f"WAIC is unreliable (p_waic above {P_WAIC}, most at row {row}), go by LOO")
    if "run_effect" in post.draws:
        said.append("its LOO and WAIC know the other rows of a row's own run, which flatters a law that fits badly")
    if "length" in post.noise.priors():
        said.append("its LOO and WAIC ask how well a run's next row is predicted, not a new run")
    if post.settings.get("trouble"):
        said.append(f"the fit itself: {post.settings['trouble']}")
    return "; ".join(said)
