"""Intervals widened by what a table's own backtest shows, and by no more than it can show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayesscale.errors import LawError, RunsError
from bayesscale.evaluate.backtest import Backtest, bands
from bayesscale.evaluate.finding import Finding
from bayesscale.evaluate.members import same_fit
from bayesscale.forecast import Forecast

__all__ = ["Recalibrated", "recalibrate"]

# The prior is worth so many factors of two in compute at which the intervals were just right.
PRIOR_BANDS = 2.0
# A run further out than this, in standard deviations of its forecast, counts as if it were there.
FARTHEST = 6.0
NORMAL95 = 1.959964


@dataclass(frozen=True, eq=False, repr=False)
class Recalibrated(Finding):
    """A posterior whose forecasts beyond the data are spread as its backtest asks. Made by `recalibrate`.

    Parameters
    ----------
    post : Posterior or Average
    factor : float
        By which intervals beyond the largest run are widened, on the log scale; 1 where the backtest asks for nothing.
    table : DataFrame
        What the factor comes from: per factor of two in compute the held-out ``rows``, their ``coverage95``, and
        ``spread``, the root mean square of their errors in standard deviations of the forecasts (1 if calibrated).
    """

    post: object
    factor: float
    table: pd.DataFrame

    @property
    def note(self) -> str:
        """What was done, in words: part of every forecast."""
        asked = f"the backtest over {len(self.table)} factor(s) of two in compute"
        if self.factor == 1:
            return f"intervals left as they are: {asked} asks for no wider ones"
        return f"intervals beyond the largest run widened {self.factor:.2f}-fold, as {asked} asks"

    def predict(self, targets=None, *, kind: str = "new-run", seed: int = 0, **covariates) -> Forecast:
        """Forecast as the posterior does, the draws spread about their median where the target is beyond the data.

        Parameters
        ----------
        targets, kind, seed, **covariates
            As for `Posterior.predict`.

        Returns
        -------
        Forecast
            Its `caveat` says what was done. The median, and targets no larger than the largest run, are as they were.
        """
        made = self.post.predict(targets, kind=kind, seed=seed, **covariates)
        beyond = np.ones(made.draws.shape[1], bool) if made.outside is None else made.outside
        beyond = beyond if made.reach is None else np.asarray(made.reach) > 1.0
        on_scale = self.post.law.scale.to(made.draws)
        further = np.where(beyond, self.factor - 1.0, 0.0)
        draws = self.post.law.scale.back(on_scale + further * (on_scale - np.median(on_scale, axis=0)))
        return replace(made, draws=draws, notes=(*made.notes, self.note))

    @property
    def notes(self) -> list[str]:
        """What was done, in words."""
        return [self.note]

    def _headline(self):
        return f"{self.post.law.name}, recalibrated"


def recalibrate(post, backtest: Backtest) -> Recalibrated:
    r"""Widen the intervals of forecasts beyond the data as the backtest of the same law on the same table asks.

    Parameters
    ----------
    post : Posterior or Average
    backtest : Backtest
        Of the same law, noise and discrepancy, on the same table.

    Returns
    -------
    Recalibrated

    Raises
    ------
    RunsError
        The backtest is of another table.
    LawError
        The backtest does not have this law, fitted in this way.

    Notes
    -----
    The error of a held-out run in standard deviations of its forecast is r = 1.96 log(y / median) / log(end / median),
    with the end of the 95% interval on the side of y; |r| counts as 6 at most. Its mean square in each factor of two
    in compute, m_j, is 1 where intervals are calibrated. Runs of one band err alike, so a band counts once, and the
    factor s by which the log of a forecast is spread about its median,

    .. math:: s^2 = \frac{\nu + \sum_j m_j}{\nu + J}, \qquad \nu = 2,

    is shrunk toward 1 by \nu bands at which all was well: with few bands little is changed. Intervals are never
    narrowed (s is at least 1): large errors in a few bands do not come of luck, small ones do, since bands err alike.

    A backtest knows errors only as far as it reaches, and its few bands move s little: the discrepancy does far more.
    """
    if backtest.runs.fingerprint != post.runs.fingerprint:
        raise RunsError("the backtest is of another table than the posterior: backtest the runs that were fitted")
    name = _found(post, backtest)
    rows = backtest.table[backtest.table["law"] == name]
    log = {k: np.log(rows[k].to_numpy(float)) for k in ("truth", "median", "low95", "high95")}
    error = log["truth"] - log["median"]
    reach = np.where(error >= 0, log["high95"], log["low95"]) - log["median"]
    r = np.clip(NORMAL95 * error / reach, 0.0, FARTHEST)
    size = (rows["factor"] * rows["cutoff"]).to_numpy()
    band = bands(size)
    grouped = pd.DataFrame(dict(size=size, square=r**2, held=rows["in95"].to_numpy(float))).groupby(band)
    m = grouped["square"].mean()
    square = max((PRIOR_BANDS + m.sum()) / (PRIOR_BANDS + len(m)), 1.0)
    index = pd.Index(grouped["size"].min(), name=f"{backtest.by} from")
    table = pd.DataFrame(dict(rows=grouped.size(), coverage95=grouped["held"].mean(), spread=np.sqrt(m)))
    return Recalibrated(post, float(np.sqrt(square)), table.set_axis(index))


def _found(post, backtest) -> str:
    """Return the name under which the backtest has a posterior's law, fitted in its way."""
    for (name, _), fitted in backtest.posteriors.items():
        if same_fit(fitted, post):
            return name
    weighting = getattr(post, "weighting", None)
    raise LawError(
        f"the backtest has {', '.join(backtest.laws)}, but not {post.law.name} with the same noise and discrepancy"
        f"{' and with weights of the same kind: ' + weighting if weighting else ''}; backtest the runs as they were "
        f"fitted, as in backtest(runs, law, noise=..., discrepancy=...{', average=...' if weighting else ''})"
    )
