"""Tables of runs to learn and test with: a simulated ladder, and published runs that are downloaded once and checked.

>>> from bayesscale import datasets
>>> datasets.listing()
>>> runs = datasets.load("simulated-ladder")
"""

from bayesscale.datasets.catalogue import listing, load, names
from bayesscale.datasets.simulated import simulate_ladder

__all__ = ["listing", "load", "names", "simulate_ladder"]
