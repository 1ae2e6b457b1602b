"""What to train: decisions from posterior draws."""

from bayesscale.decide.allocate import allocate
from bayesscale.decide.answers import Answer, Optimum
from bayesscale.decide.batch_size import optimal_batch, optimal_lr
from bayesscale.decide.critical_batch import critical_batch
from bayesscale.decide.critical_proportion import CriticalProportion, critical_proportion
from bayesscale.decide.difference import Difference, difference
from bayesscale.decide.frontier import Frontier, frontier
from bayesscale.decide.mixture import OptimalMixture, optimal_mixture
from bayesscale.decide.optimal_growth import GrowthOptimum, optimal_growth
from bayesscale.decide.speedup import Speedup, speedup

__all__ = [
    "Answer",
    "CriticalProportion",
    "Difference",
    "Frontier",
    "GrowthOptimum",
    "OptimalMixture",
    "Optimum",
    "Speedup",
    "allocate",
    "critical_batch",
    "critical_proportion",
    "difference",
    "frontier",
    "optimal_batch",
    "optimal_growth",
    "optimal_lr",
    "optimal_mixture",
    "speedup",
]
