"""What to train: decisions from posterior draws."""

from bayesscale.decide.allocate import allocate
from bayesscale.decide.answers import Answer, Optimum
from bayesscale.decide.batch_size import optimal_batch, optimal_lr
from bayesscale.decide.critical_batch import critical_batch
from bayesscale.decide.frontier import Frontier, frontier

__all__ = ["Answer", "Frontier", "Optimum", "allocate", "critical_batch", "frontier", "optimal_batch", "optimal_lr"]
