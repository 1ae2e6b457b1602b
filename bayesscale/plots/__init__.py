"""Figures of a fit. Each takes and returns matplotlib Axes; ``<name>_data`` gives the numbers of figure ``<name>``."""

from bayesscale.plots.batch import batch, batch_data
from bayesscale.plots.comparison import comparison, comparison_data
from bayesscale.plots.forecast import forecast, forecast_data
from bayesscale.plots.frontier import frontier, frontier_data
from bayesscale.plots.isoflop import isoflop, isoflop_data
from bayesscale.plots.isoloss import isoloss, isoloss_data
from bayesscale.plots.prior_posterior import prior_posterior, prior_posterior_data
from bayesscale.plots.residuals import residuals, residuals_data

__all__ = [
    "batch",
    "batch_data",
    "comparison",
    "comparison_data",
    "forecast",
    "forecast_data",
    "frontier",
    "frontier_data",
    "isoflop",
    "isoflop_data",
    "isoloss",
    "isoloss_data",
    "prior_posterior",
    "prior_posterior_data",
    "residuals",
    "residuals_data",
]
