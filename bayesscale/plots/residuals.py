"""What the law leaves over: where residuals bend with a covariate, the law is wrong there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, label, log_axis, panels, quiet, tint

__all__ = ["residuals", "residuals_data"]

NAMED = 6  # rows at most: more would write over each other


def residuals_data(post, *, seed=0) -> pd.DataFrame:
    """Compute the numbers of `residuals`.

    Returns
    -------
    DataFrame
        One row per row of the runs, under the same index: the covariates, ``measured``, ``expected`` (posterior median
        of the law's value), ``residual`` = 100 (measured / expected - 1) in percent, ``low95`` and ``high95`` of the
        noise in percent (known measurement errors included), and whether the row lies ``outside`` of these.
    """
    runs, gives = post.runs, post.law.gives
    kept = [c for c in runs.columns if c in ("N", "D", "C") or c in post.law.columns]
    table = pd.DataFrame({c: runs.column(c) for c in kept}, index=runs.table.index)
    measured = runs.column(gives)
    expected = post.predict(table, kind="mean").median
    error = runs.column(f"{gives}_error") / measured if f"{gives}_error" in runs.columns else 0.0
    draws = post.flat_draws
    shape = (len(draws["sigma"]), len(measured))
    scatter = post.noise.simulate(np.random.default_rng(seed), draws, shape, log_error=error)
    low, high = 100 * np.expm1(np.quantile(scatter, [0.025, 0.975], axis=0))
    residual = 100 * (measured / expected - 1)
    outside = (residual < low) | (residual > high)
    found = dict(measured=measured, expected=expected, residual=residual, low95=low, high95=high, outside=outside)
    return table.assign(**found)


def residuals(post, *, against=None, axes=None, seed=0):
    """Draw the residuals against covariates, with the 95% band of the noise.

    Parameters
    ----------
    post : Posterior
    against : sequence of str, optional
        Columns of the runs, one panel each; by default N, D, C and the law's covariates, as far as there are.
    axes : Axes or sequence of Axes, optional
        One per panel.
    seed : int
        Of the simulated noise.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    RunsError
        The runs have no such column.
    LawError
        There are more or fewer axes than panels.

    Notes
    -----
    The band is the median over the rows of each row's band; the six rows furthest outside theirs are named.
    """
    table = residuals_data(post, seed=seed)
    against = [against] if isinstance(against, str) else list(against or _default(post))
    columns = {name: post.runs.column(name) for name in against}
    n = len(columns)
    axes = panels(axes, n, columns=n, width=4.2, height=3.6, sharey=True)
    for ax, (name, values) in zip(axes, columns.items(), strict=True):
        quiet(ax)
        _draw_panel(ax, table.assign(at=values))
        ax.margins(x=0.09)  # room for the names of rows at the edge
        log_axis(ax, name)
        ax.set_xlabel(label(name, post.runs))
    axes[0].set_ylabel(f"residual of the {post.law.gives} [%]")
    explain(axes[0])
    return axes


def _draw_panel(ax, table):
    ax.axhspan(*table[["low95", "high95"]].median(), color=tint(BLUE, 0.15), linewidth=0, label="95% of the noise")
    ax.axhline(0, color=BLUE, linewidth=1.2)
    inside, outside = table[~table["outside"]], table[table["outside"]]
    ax.scatter(inside["at"], inside["residual"], s=12, color=INK, alpha=0.7, linewidths=0, label="runs")
    if len(outside):
        ax.scatter(outside["at"], outside["residual"], s=16, color=ORANGE, linewidths=0, label="runs outside it")
    beyond = np.maximum(outside["residual"] - outside["high95"], outside["low95"] - outside["residual"])
    named = outside.loc[beyond.nlargest(NAMED).index].sort_values("at")
    # To the left and to the right in turn: neighbours in the table are often neighbours here.
    for i, (row, at, residual) in enumerate(zip(named.index, named["at"], named["residual"], strict=True)):
        place = dict(xytext=(5, 0), ha="left") if i % 2 else dict(xytext=(-5, 0), ha="right")
        words = dict(va="center", fontsize=8, color=GRAY, textcoords="offset points")
        ax.annotate(f"{row}", (at, residual), **place, **words)


def _default(post):
    return [c for c in dict.fromkeys(("N", "D", "C", *post.law.columns)) if c in post.runs.columns]
