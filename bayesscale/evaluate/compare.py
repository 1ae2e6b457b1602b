"""Which law predicts new rows like these best: WAIC and PSIS-LOO side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.elpd import arviz_loo, loo, waic
from bayesscale.errors import LawError, RunsError
from bayesscale.fitting import fit
from bayesscale.posterior import Posterior
from bayesscale.priors import describe
from bayesscale.runs import read_runs

__all__ = ["Comparison", "compare"]

KHAT, P_WAIC = 0.7, 0.4


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Laws compared on one table, the best by LOO first.

    Parameters
    ----------
    table : DataFrame
        One row per law: ``elpd_loo``, ``se_loo``, ``p_loo``, ``elpd_waic``, ``se_waic``, ``p_waic``; ``diff`` and
        ``diff_se``, elpd_loo minus the best law's and its standard error (0 for the best, negative below it);
        ``weight``, the stacking weights of a mixture; ``warning`` in words.
    posteriors : dict of str to Posterior
        The fits, by the names of the table.
    pointwise : DataFrame
        elpd_loo of each row of the runs (rows) under each law (columns).
    """

    table: pd.DataFrame
    posteriors: Mapping[str, Posterior]
    pointwise: pd.DataFrame

    @property
    def best(self) -> Posterior:
        """The law with the highest elpd_loo."""
        return self.posteriors[self.table.index[0]]

    def _verdict(self):
        if len(self.table) < 2:
            return ""
        first, second = self.table.index[:2]
        ahead, error = -self.table.loc[second, "diff"], self.table.loc[second, "diff_se"]
        if ahead < 2 * error or ahead < 4:
            return f"{first} and {second} predict rows like these equally well (difference {ahead:.1f} +- {error:.1f})"
        lead = f"{ahead:.1f} +- {error:.1f} ({ahead / error:.1f} standard errors)"
        return f"{first} predicts rows like these best: ahead of {second} by {lead}"

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
            "both criteria score interpolation, not how a law extrapolates",
        ]

    def __repr__(self):
        shown = self.table.drop(columns="warning").to_string(float_format=lambda x: f"{x:.2f}")
        return "\n".join(["comparison on rows like those fitted; higher elpd is better", shown, *self.notes])

    def _repr_html_(self):
        table = self.table.drop(columns="warning").to_html(float_format=lambda x: f"{x:.2f}", border=0)
        return table + "".join(f"<p>{note}</p>" for note in self.notes)


def compare(runs_or_posteriors, laws: Sequence | None = None, **fitting) -> Comparison:
    """Compare laws on one table by WAIC and PSIS-LOO.

    Parameters
    ----------
    runs_or_posteriors : Runs, DataFrame, path; or sequence or mapping of Posterior
        A table to fit the laws to, or fits of the same table.
    laws : sequence of str or Law, optional
        The laws, if a table is given.
    **fitting
        As for `bayesscale.fit`: ``noise``, ``seed``, ``draws``, ...

    Returns
    -------
    Comparison

    Raises
    ------
    RunsError
        The posteriors are of different tables, or no law is given.
    LawError
        Posteriors and laws are given at once.

    Notes
    -----
    Differences are sums over rows of paired differences; their standard error is sqrt(n var(difference_i)). Below 2
    standard errors, or below 4 in elpd, laws are equal for practical purposes. Weights: stacking (Yao et al. 2018).
    """
    posteriors = _posteriors(runs_or_posteriors, laws, fitting)
    if not posteriors:
        raise RunsError('nothing to compare: give laws, as in compare(runs, ["chinchilla", "power(C)"])')
    if len({(p.runs.fingerprint, p.law.gives) for p in posteriors.values()}) > 1:
        raise RunsError(
            "the posteriors are of different tables or predict different columns: fit the laws to the same runs"
        )
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
    table.insert(len(table.columns) - 1, "weight", _stacking(posteriors)[table.index])
    return Comparison(table, posteriors, pointwise)


def _posteriors(given, laws, fitting):
    if isinstance(given, Mapping) and given and all(isinstance(p, Posterior) for p in given.values()):
        found = dict(given)
    elif isinstance(given, Posterior):
        found = _labelled([given])
    elif isinstance(given, list | tuple) and given and all(isinstance(p, Posterior) for p in given):
        found = _labelled(given)
    else:
        runs = read_runs(given)
        return _labelled([fit(law, runs, **fitting) for law in laws or ()])
    if laws is not None or fitting:
        raise LawError("compare(posteriors) compares the fits as they are: to fit laws, give a table of runs instead")
    return found


def _labelled(posteriors) -> dict[str, Posterior]:
    """Name fits by their law; where laws repeat, by replaced priors and noise too, and at last by position."""
    priors = [", ".join(f"{k} ~ {describe(d)}" for k, d in p.law.replaced.items()) for p in posteriors]
    by_law = [p.law.name for p in posteriors]
    by_prior = [f"{name}, {changed}" if changed else name for name, changed in zip(by_law, priors, strict=True)]
    by_noise = [f"{name}, {p.noise.name}" for name, p in zip(by_prior, posteriors, strict=True)]
    by_place = [f"{i + 1}: {name}" for i, name in enumerate(by_noise)]
    labels = next(names for names in (by_law, by_prior, by_noise, by_place) if len(set(names)) == len(names))
    return dict(zip(labels, posteriors, strict=True))


def _stacking(posteriors) -> pd.Series:
    import arviz_stats

    if len(posteriors) == 1:
        return pd.Series(1.0, index=list(posteriors))
    return arviz_stats.compare({k: arviz_loo(p) for k, p in posteriors.items()}, method="stacking", round_to="none")[
        "weight"
    ]


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
