"""How a fit went: each check with PASS, WARN or FAIL and one sentence of advice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesscale.elpd import loo
from bayesscale.prior_forecast import prior_draws

__all__ = ["Checks", "check", "convergence"]

ORDER = ("PASS", "WARN", "FAIL")


@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """The result of `Posterior.check`.

    Parameters
    ----------
    table : DataFrame
        One row per check: ``check``, ``status`` (PASS, WARN, FAIL), ``value``, ``advice``.
    """

    table: pd.DataFrame

    @property
    def status(self) -> str:
        """The worst of all."""
        return max(self.table["status"], key=ORDER.index)

    def _headline(self):
        open_ = self.table.loc[self.table["status"] != "PASS", "check"]
        return f"fit check: {self.status}" + (f" ({', '.join(open_)})" if len(open_) else "")

    def __repr__(self):
        width = self.table["check"].str.len().max()
        lines = [self._headline()]
        for row in self.table.itertuples():
            lines.append(f"  {row.status}  {row.check:<{width}}  {row.value:<12}  {row.advice}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self):
        return f"<p><b>{self._headline()}</b></p>{self.table.to_html(index=False, border=0)}"


def convergence(draws: np.ndarray) -> dict[str, float]:
    """Return bulk and tail effective sample size and rank-normalised R-hat of one parameter (chain, draw)."""
    from arviz_stats.base import array_stats

    if not np.isfinite(draws).all() or np.ptp(draws) == 0:
        return dict(ess_bulk=np.nan, ess_tail=np.nan, rhat=np.nan)
    axes = dict(chain_axis=0, draw_axis=1)
    return dict(
        ess_bulk=float(array_stats.ess(draws, method="bulk", **axes)),
        ess_tail=float(array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes)),
        rhat=float(array_stats.rhat(draws, **axes)) if draws.shape[0] > 1 else np.nan,
    )


def _grade(value, warn, fail, *, high_is_bad=True):
    worse = (lambda a, b: a > b) if high_is_bad else (lambda a, b: a < b)
    return "FAIL" if worse(value, fail) else "WARN" if worse(value, warn) else "PASS"


def _row(name, status, value, advice):
    return dict(check=name, status=status, value=value, advice="" if status == "PASS" else advice)


def _sampler_checks(post):
    summary = post.summary()
    draws, chains = next(iter(post.stats.values())).size, next(iter(post.stats.values())).shape[0]
    worst = summary["rhat"].idxmax() if summary["rhat"].notna().any() else None
    if worst is not None:
        rhat = summary.loc[worst, "rhat"]
        advice = (
            f"the chains disagree about {worst}: sample longer (warmup=, draws=), or use a law with fewer parameters."
        )
        yield _row("R-hat", _grade(rhat, 1.01, 1.05), f"{rhat:.3f}", advice)
    for kind in ("bulk", "tail"):
        least = summary[f"ess_{kind}"].idxmin()
        ess = summary.loc[least, f"ess_{kind}"]
        advice = f"few independent draws of {least}: intervals are ragged; give draws= more."
        yield _row(
            f"ESS {kind}", _grade(ess, 100 * chains, 25 * chains, high_is_bad=False), f"{ess:.0f} of {draws}", advice
        )
    divergent = int(post.stats["diverging"].sum())
    advice = "the sampler missed part of the posterior: fit with target_accept=0.99, or tighten the priors."
    yield _row("divergences", _grade(divergent, 0, 0.01 * draws), f"{divergent}", advice)
    if first := post.settings.get("first_try"):
        yield _row(
            "first try", "WARN", first, "it was sampled again with more warm-up and smaller steps; this is the result."
        )


def _influence_check(post):
    khat = loo(post).diagnostic
    row = post.runs.table.index[int(np.argmax(khat))]
    bad = int(np.sum(khat > 0.7))
    advice = (
        f"row {row} sways the fit (Pareto k-hat > 0.7 in {bad} row(s)): LOO is unreliable there; does it "
        "belong to the table?"
    )
    return _row("Pareto k-hat", _grade(khat.max(), 0.7, 1.0), f"{khat.max():.2f}", advice)


def contraction(post) -> pd.DataFrame:
    """Compare each sampled parameter's spread before and after the data.

    Returns
    -------
    DataFrame
        Per parameter: ``prior_sd``, ``posterior_sd`` and ``contraction`` = 1 - (posterior sd / prior sd)^2: 1 where the
        data decide, 0 where the prior does.
    """
    prior = prior_draws(post.law, post.noise, centers=post.centers)
    rows = {}
    for name in (k for k in prior if k in post.draws):
        # Robust spreads: half the central 68 % survives the heavy tail of a log-normal prior.
        before, after = (np.diff(np.quantile(x, [0.16, 0.84]))[0] / 2 for x in (prior[name], post.draws[name]))
        rows[name] = dict(prior_sd=before, posterior_sd=after, contraction=1 - (after / before) ** 2)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _contraction_checks(post):
    of_the_law = "what depends on it is the prior's answer; say so, or vary it."
    of_the_noise = "usual with few runs; it shapes the tails of a new run's interval and hardly the expected value."
    for name, row in contraction(post).iterrows():
        advice = f"the data say little about {name}: {of_the_law if name in post.law.priors() else of_the_noise}"
        status = _grade(row["contraction"], 0.36, -np.inf, high_is_bad=False)
        yield _row(f"data on {name}", status, f"{row['contraction']:.2f}", advice)


def check(post) -> Checks:
    """Check a posterior; see `Posterior.check`.

    Notes
    -----
    WARN and FAIL: R-hat above 1.01 and 1.05; effective sample size under 100 and 25 per chain; any divergence and more
    than 1 % of them; k-hat above .7 and 1; contraction under .36 (posterior sd above .8 of the prior's) warns.
    """
    rows = [*_sampler_checks(post), _influence_check(post), *_contraction_checks(post)]
    return Checks(pd.DataFrame(rows))
