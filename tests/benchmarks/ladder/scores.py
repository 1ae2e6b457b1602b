"""How good forecasts of accuracy are: points, coverage, width and CRPS per target, and averages over targets."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from bayesscale.evaluate.scores import crps
from bayesscale.intervals import intervals

LEVELS = (0.8, 0.9, 0.95)
HELD = [f"in{100 * level:g}" for level in LEVELS]


@dataclass(frozen=True)
class Forecast:
    """What a method says of a question's targets, in their order.

    Parameters
    ----------
    accuracy : array, shape (draws, targets)
        One draw is a point: it is scored, and has no interval.
    loss : array, shape (draws, targets), or None
    """

    accuracy: np.ndarray
    loss: np.ndarray | None = None


def as_draws(point, error, draws=2000):
    """Return evenly spaced quantiles of Normal(point, error), shape (draws, targets), or the points if no error is."""
    point, error = np.asarray(point, float), np.asarray(error, float)
    if np.isnan(error).any():
        return point[None]
    return point + error * norm.ppf((np.arange(draws) + 0.5) / draws)[:, None]


def rows_of(question, forecast):
    """Score a forecast: one row per target and task. Accuracy is in points, errors of loss in percent of it."""
    targets = question.targets
    table = pd.DataFrame(dict(target=targets["size"] + "-" + targets["xC"], task=targets["task"]))
    table = table.assign(actual=100 * targets["accuracy"], **_intervals(100 * forecast.accuracy))
    table["error"] = table["median"] - table["actual"]
    table["width90"] = table["high90"] - table["low90"]
    table["crps"] = crps(100 * forecast.accuracy, table["actual"].to_numpy())
    for level, held in zip(LEVELS, HELD, strict=True):
        table[held] = _held(table, level, table["actual"])
    if forecast.loss is not None:
        loss = pd.DataFrame(_intervals(forecast.loss))
        table["loss_error"] = 100 * (loss["median"] / targets["loss"] - 1)
        table["loss_crps"] = 100 * crps(np.log(forecast.loss), np.log(targets["loss"].to_numpy()))
        table["loss_in90"] = _held(loss, 0.9, targets["loss"])
    return table


def _intervals(draws):
    found = intervals(draws, LEVELS)
    return found if len(draws) > 1 else {name: ends if name == "median" else np.nan for name, ends in found.items()}


def _held(ends, level, truth):
    """Return 1 where the interval holds the truth, 0 where not, nan where there is none."""
    low, high = ends[f"low{100 * level:g}"], ends[f"high{100 * level:g}"]
    return ((low <= truth) & (truth <= high)).where(low.notna()).astype(float)


def summary(rows):
    """Average over targets: absolute errors in points, intervals that held, mean width, CRPS; of loss, in %."""
    said = rows["error"].abs().agg(["mean", "median", "max"]).rename({"mean": "MAE"}).to_dict()
    said |= {held: _count(rows[held]) for held in HELD}
    said |= {"width90": rows["width90"].mean(), "crps": rows["crps"].mean()}
    if "loss_error" in rows:
        said |= {"loss_error": rows["loss_error"].abs().mean(), "loss_crps": rows["loss_crps"].mean()}
        said |= {"loss_in90": _count(rows["loss_in90"])}
    return said


def _count(held):
    return "-" if held.isna().all() else f"{held.sum():.0f}/{len(held)}"
