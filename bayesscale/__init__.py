"""Bayesian scaling laws: given these small runs, what will the big one do, and how sure can we be?

>>> import bayesscale as bs
>>> runs = bs.read_runs("runs.csv", units={"N": "millions"})
>>> post = bs.fit("chinchilla", runs)
>>> post.predict(N="70B", D="1.4T")
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

__version__ = _version("bayesscale")

# Where each public name lives. Imported when first used, so that `import bayesscale` and the command line's help do not
# wait for JAX, pandas or ArviZ.
_homes = {
    "Answer": "decide",
    "Average": "averaging",
    "Backtest": "evaluate",
    "Calibration": "evaluate",
    "Comparison": "evaluate",
    "Forecast": "forecast",
    "Frontier": "decide",
    "Law": "law",
    "Optimum": "decide",
    "Posterior": "posterior",
    "PredictiveCheck": "evaluate",
    "Runs": "runs",
    "Sensitivity": "evaluate",
    "allocate": "decide",
    "average": "averaging",
    "backtest": "evaluate",
    "cache_compilation": "inference",
    "calibrate": "evaluate",
    "compare": "evaluate",
    "critical_batch": "decide",
    "fit": "fitting",
    "fit_many": "fitting",
    "frontier": "decide",
    "load": "storage",
    "optimal_batch": "decide",
    "optimal_lr": "decide",
    "predictive_check": "evaluate",
    "prior_predictive": "forecast",
    "read_runs": "runs",
    "recalibrate": "evaluate",
    "sensitivity": "evaluate",
}
_rooms = ("datasets", "errors", "models", "noise", "plots")

__all__ = ["__version__", *_homes, *_rooms]


def __getattr__(name):
    if name in _homes:
        value = getattr(import_module(f"bayesscale.{_homes[name]}"), name)
    elif name in _rooms:
        value = import_module(f"bayesscale.{name}")
    else:
        raise AttributeError(f"module 'bayesscale' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)


if TYPE_CHECKING:
    from bayesscale import datasets, errors, models, noise, plots
    from bayesscale.averaging import Average, average
    from bayesscale.decide import (
        Answer,
        Frontier,
        Optimum,
        allocate,
        critical_batch,
        frontier,
        optimal_batch,
        optimal_lr,
    )
    from bayesscale.evaluate import (
        Backtest,
        Calibration,
        Comparison,
        PredictiveCheck,
        Sensitivity,
        backtest,
        calibrate,
        compare,
        predictive_check,
        recalibrate,
        sensitivity,
    )
    from bayesscale.fitting import fit, fit_many
    from bayesscale.forecast import Forecast, prior_predictive
    from bayesscale.inference import cache_compilation
    from bayesscale.law import Law
    from bayesscale.posterior import Posterior
    from bayesscale.runs import Runs, read_runs
    from bayesscale.storage import load
