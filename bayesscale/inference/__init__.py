"""From a model and a table to posterior draws: start, whiten, NUTS, and how it went."""

from bayesscale.inference.compilation import cache_compilation, compiling, precise
from bayesscale.inference.rows import Rows, rows_of, trained_along
from bayesscale.inference.run import Sampling, log_densities, sample_many, trouble

__all__ = [
    "Rows",
    "Sampling",
    "cache_compilation",
    "compiling",
    "log_densities",
    "precise",
    "rows_of",
    "sample_many",
    "trained_along",
    "trouble",
]
