"""Figures of a fit. Each takes and returns matplotlib Axes; ``<name>_data`` gives the numbers of figure ``<name>``."""

from bayesscale.plots.batch import batch, batch_data
from bayesscale.plots.comparison import comparison, comparison_data
from bayesscale.plots.coverage import coverage, coverage_data
from bayesscale.plots.forecast import forecast, forecast_data
from bayesscale.plots.frontier import frontier, frontier_data
from bayesscale.plots.growth import growth, growth_data
from bayesscale.plots.isoflop import isoflop, isoflop_data
from bayesscale.plots.isoloss import isoloss, isoloss_data
from bayesscale.plots.ladder import ladder, ladder_data
from bayesscale.plots.mixture import mixture, mixture_data, proportion, proportion_data
from bayesscale.plots.pit import pit, pit_data
from bayesscale.plots.predictive_check import predictive_check, predictive_check_data
from bayesscale.plots.prior_posterior import prior_posterior, prior_posterior_data
from bayesscale.plots.ranks import ranks, ranks_data
from bayesscale.plots.residuals import residuals, residuals_data
from bayesscale.plots.rollout import rollout, rollout_data
from bayesscale.plots.rungs import rungs, rungs_data
from bayesscale.plots.sensitivity import sensitivity, sensitivity_data

__all__ = [
    "batch",
    "batch_data",
    "comparison",
    "comparison_data",
    "coverage",
    "coverage_data",
    "forecast",
    "forecast_data",
    "frontier",
    "frontier_data",
    "growth",
    "growth_data",
    "isoflop",
    "isoflop_data",
    "isoloss",
    "isoloss_data",
    "ladder",
    "ladder_data",
    "mixture",
    "mixture_data",
    "pit",
    "pit_data",
    "predictive_check",
    "predictive_check_data",
    "prior_posterior",
    "prior_posterior_data",
    "proportion",
    "proportion_data",
    "ranks",
    "ranks_data",
    "residuals",
    "residuals_data",
    "rollout",
    "rollout_data",
    "rungs",
    "rungs_data",
    "sensitivity",
    "sensitivity_data",
]
