"""How good a fit is: laws compared with one another, and forecasts with what came."""

from bayesscale.evaluate.backtest import Backtest, backtest
from bayesscale.evaluate.compare import Comparison, compare

__all__ = ["Backtest", "Comparison", "backtest", "compare"]
