"""How good a fit is: laws compared with one another, and forecasts with what came."""

from bayesscale.evaluate.backtest import Backtest, backtest
from bayesscale.evaluate.calibrate import Calibration, calibrate
from bayesscale.evaluate.compare import Comparison, compare
from bayesscale.evaluate.predictive_check import PredictiveCheck, predictive_check
from bayesscale.evaluate.recalibrate import Recalibrated, recalibrate
from bayesscale.evaluate.sensitivity import Sensitivity, sensitivity

__all__ = [
    "Backtest",
    "Calibration",
    "Comparison",
    "PredictiveCheck",
    "Recalibrated",
    "Sensitivity",
    "backtest",
    "calibrate",
    "compare",
    "predictive_check",
    "recalibrate",
    "sensitivity",
]
