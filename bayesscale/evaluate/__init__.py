"""How good a fit is: laws compared with one another."""

from bayesscale.evaluate.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
