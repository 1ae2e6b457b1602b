"""What to train: decisions from posterior draws."""

from bayesscale.decide.allocate import allocate
from bayesscale.decide.answers import Answer, Optimum
from bayesscale.decide.batch_size import optimal_batch, optimal_lr
from bayesscale.decide.critical_batch import critical_batch
from bayesscale.decide.difference import Difference, difference
from bayesscale.decide.frontier import Frontier, frontier

__all__ = [
    "Answer",
    "Difference",
    "Frontier",
    "Optimum",
    "allocate",
    "critical_batch",
    "difference",
    "frontier",
    "optimal_batch",
    "optimal_lr",
]
