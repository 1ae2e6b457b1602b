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
    "Chain": "chaining",
    "Comparison": "evaluate",
    "CriticalProportion": "decide",
    "Difference": "decide",
    "Forecast": "forecast",
    "Frontier": "decide",
    "GrowthOptimum": "decide",
    "Ladder": "ladders",
    "Law": "law",
    "OptimalMixture": "decide",
    "Optimum": "decide",
    "PooledFit": "pooled_fit",
    "Posterior": "posterior",
    "PredictiveCheck": "evaluate",
    "Rungs": "ladders",
    "Runs": "runs",
    "Sensitivity": "evaluate",
    "Speedup": "decide",
    "TokenCounts": "token_entropy",
    "Verdicts": "ladders",
    "allocate": "decide",
    "average": "averaging",
    "backtest": "evaluate",
    "bin_curves": "curve_bins",
    "cache_compilation": "inference",
    "calibrate": "evaluate",
    "chain": "chaining",
    "compare": "evaluate",
    "conditional_entropy": "token_entropy",
    "critical_batch": "decide",
    "critical_proportion": "decide",
    "difference": "decide",
    "drop_rungs": "ladders",
    "entropy_mixture": "token_entropy",
    "fit": "fitting",
    "fit_many": "fitting",
    "fit_pooled": "fitting",
    "frontier": "decide",
    "joint_entropy": "token_entropy",
    "ladder": "ladders",
    "load": "storage",
    "mixture_runs": "mixture_tables",
    "optimal_batch": "decide",
    "optimal_growth": "decide",
    "optimal_lr": "decide",
    "optimal_mixture": "decide",
    "predictive_check": "evaluate",
    "prior_predictive": "prior_forecast",
    "read_mixtures": "mixture_tables",
    "read_runs": "runs",
    "recalibrate": "evaluate",
    "sensitivity": "evaluate",
    "speedup": "decide",
    "shannon_entropy": "token_entropy",
    "verdicts": "ladders",
    "von_neumann_entropy": "token_entropy",
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
    from bayesscale.chaining import Chain, chain
    from bayesscale.curve_bins import bin_curves
    from bayesscale.decide import (
        Answer,
        CriticalProportion,
        Difference,
        Frontier,
        GrowthOptimum,
        OptimalMixture,
        Optimum,
        Speedup,
        allocate,
        critical_batch,
        critical_proportion,
        difference,
        frontier,
        optimal_batch,
        optimal_growth,
        optimal_lr,
        optimal_mixture,
        speedup,
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
    from bayesscale.fitting import fit, fit_many, fit_pooled
    from bayesscale.forecast import Forecast
    from bayesscale.inference import cache_compilation
    from bayesscale.ladders import Ladder, Rungs, Verdicts, drop_rungs, ladder, verdicts
    from bayesscale.law import Law
    from bayesscale.mixture_tables import mixture_runs, read_mixtures
    from bayesscale.pooled_fit import PooledFit
    from bayesscale.posterior import Posterior
    from bayesscale.prior_forecast import prior_predictive
    from bayesscale.runs import Runs, read_runs
    from bayesscale.storage import load
    from bayesscale.token_entropy import (
        TokenCounts,
        conditional_entropy,
        entropy_mixture,
        joint_entropy,
        shannon_entropy,
        von_neumann_entropy,
    )
