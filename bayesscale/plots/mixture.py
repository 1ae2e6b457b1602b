"""The best mixture: how sure its proportions are, what is as good, what it gains; and the loss over one proportion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from bayesscale.decide import OptimalMixture
from bayesscale.decide.mixture_limits import seen_by
from bayesscale.decide.mixture_losses import losses_of
from bayesscale.errors import LawError
from bayesscale.intervals import LEVELS, intervals, masses
from bayesscale.plots.bands import bands
from bayesscale.plots.style import BLUE, GRAY, INK, ORANGE, explain, panels, quiet, tint
from bayesscale.units import parse_number

__all__ = ["mixture", "mixture_data", "proportion", "proportion_data"]

WIDTHS = (1.3, 6.0)  # of the lines of the intervals: of the widest one, and of the narrowest


def mixture_data(found, *, against=None, level=LEVELS) -> pd.DataFrame:
    """Compute the numbers of `mixture`.

    Parameters
    ----------
    found, against, level
        As for `mixture`.

    Returns
    -------
    DataFrame
        One row per domain, ``panel`` "proportion": ``best``, ``natural``, ``near_low``, ``near_high``, ``median`` and
        the intervals of each draw's own optimum. One per target, ``panel`` "gain": how much lower the loss is with the
        best mixture, and ``P(better)``. The latter only with something to compare with.
    """
    if not isinstance(found, OptimalMixture):
        raise LawError("the figure of a mixture is of what bs.optimal_mixture(...) gives")
    parts = [found.table(level=level).rename_axis("name").reset_index().assign(panel="proportion")]
    if against is not None or found.natural is not None:
        gain = found.against(against, level=level).rename_axis("name").reset_index()
        parts.append(gain.assign(panel="gain"))
    data = pd.concat(parts, ignore_index=True)
    return data[["panel", "name", *data.columns.drop(["panel", "name"])]]


def mixture(found, *, against=None, level=LEVELS, axes=None):
    """Draw the best mixture: its proportions, and how much lower the loss is than with another mixture.

    Left, per domain: a dot for the best mixture, a ring for the natural one, the intervals of each draw's own optimum,
    and behind them how far mixtures that are about as good reach. Right, per target: the loss of the natural mixture
    minus that of the best.

    Parameters
    ----------
    found : OptimalMixture
    against : mapping of str to number, or str, optional
        Compare with this mixture instead of the natural one.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    axes : Axes or sequence of Axes, optional
        One; or two, if there is something to compare with.

    Returns
    -------
    ndarray of Axes
    """
    data = mixture_data(found, against=against, level=level)
    shown = [panel for panel in ("proportion", "gain") if (data["panel"] == panel).any()]
    rows = max((data["panel"] == panel).sum() for panel in shown)
    own = axes is None
    axes = panels(axes, len(shown), columns=2, width=5.2, height=1.4 + 0.34 * rows)
    levels = sorted(masses(level), reverse=True)
    for ax, panel in zip(axes, shown, strict=True):
        quiet(ax)
        mine = data[data["panel"] == panel].reset_index(drop=True)
        if panel == "proportion":
            y = mine.index.to_numpy(float)
            near = dict(color=tint(ORANGE, 0.25), height=0.62)
            ax.barh(y, mine["near_high"] - mine["near_low"], left=mine["near_low"], **near)
            _draw_intervals(ax, mine, levels)
            ax.plot(mine["best"], y, "o", color=INK, markersize=5, label="best", zorder=5)
            if "natural" in mine and found.natural is not None:
                ring = dict(color="none", markeredgecolor=INK, markersize=7)
                ax.plot(mine["natural"], y, "o", **ring, label="natural", zorder=5)
            reach = f"within {100 * found.tolerance:g}% of the best's {found.losses.gives}"
            handles = [*ax.get_legend_handles_labels()[0], Patch(color=near["color"], label=reach)]
            ax.set_xlim(left=0)
            ax.set_xlabel("proportion")
        else:
            _draw_intervals(ax, mine, levels)
            ax.axvline(0, color=GRAY, linewidth=0.9)
            other = "natural" if against is None else "the other"
            ax.set_xlabel(f"{found.losses.gives} lower than with {other} mixture")
        ax.set_yticks(mine.index, mine["name"])
        ax.set_ylim(len(mine) - 0.5, -0.5)
        ax.grid(False, axis="y")
        if panel == "proportion":
            look = dict(fontsize=9, frameon=False, labelcolor=INK, ncols=3)
            ax.figure.legend(handles=handles, loc="outside lower center", **look) if own else explain(
                ax, handles=handles
            )
        else:
            ax.axhspan(len(mine) - 1.5, len(mine) - 0.5, color="#F2F2F2", zorder=0)  # the mean of all
    return axes


def _draw_intervals(ax, table, levels):
    widths = dict(zip(levels, np.linspace(*WIDTHS, len(levels)), strict=True)) if len(levels) > 1 else {levels[0]: 4.0}
    for mass, width in widths.items():
        ends = (table[f"{side}{100 * mass:g}"] for side in ("low", "high"))
        line = dict(color=BLUE, linewidth=width, zorder=3, label=f"{100 * mass:g}% interval")
        ax.hlines(table.index, *ends, **line)


def proportion_data(fits, *, domains=None, others=None, at=None, level=LEVELS, n=60) -> pd.DataFrame:
    """Compute the numbers of `proportion`.

    Parameters
    ----------
    fits, domains, others, at, level, n
        As for `proportion`.

    Returns
    -------
    DataFrame
        One row per point: ``target``, the proportion ``r`` of its own domain, ``median`` and the intervals of the
        expected loss.
    """
    losses = losses_of(fits, None, at)
    seen = seen_by(fits, losses.domains)
    rest = _rest(others, losses.domains, seen)
    parts = []
    for target in _targets(losses, domains):
        place = losses.domains.index(target)
        known = seen[target] if len(seen) else pd.Series([0.01, 1.0])
        r = np.linspace(max(known.min() / 2, 1e-3), min(1.2 * known.max(), 1.0), n)
        base = np.where(np.arange(len(rest)) == place, 0.0, rest)
        p = (1 - r)[:, None] * base / base.sum()
        p[:, place] = r
        told = losses.each(p)[:, :, losses.targets.index(target)]
        parts.append(pd.DataFrame({"target": target, "r": r, **intervals(told, level)}))
    return pd.concat(parts, ignore_index=True)


def proportion(fits, *, domains=None, others=None, at=None, level=LEVELS, axes=None, n=60):
    """Draw the expected loss of each target over the proportion of its own domain, the others in a fixed ratio.

    Points are the runs nearest to `at` (of several checkpoints the nearest), whatever else they are mixed with.

    Parameters
    ----------
    fits : mapping of str to Posterior
        By target, of a law in all proportions or in the target's own.
    domains : sequence of str, optional
        Some of the targets only.
    others : mapping of str to number, optional
        The ratio of the domains among each other; as in the mean of the mixtures seen without.
    at : mapping, optional
        What else the laws take: ``dict(N="1B", D="100B")``.
    level : float or tuple of float
        Mass of each equal-tailed interval.
    axes : sequence of Axes, optional
        One per target.
    n : int
        Points along a curve.

    Returns
    -------
    ndarray of Axes
    """
    data = proportion_data(fits, domains=domains, others=others, at=at, level=level, n=n)
    names = list(dict.fromkeys(data["target"]))
    axes = panels(axes, len(names), columns=4, width=3.1, height=2.6)
    for ax, name in zip(axes, names, strict=True):
        quiet(ax)
        curve, post = data[data["target"] == name], fits[name]
        bands(ax, curve["r"], curve, sorted(masses(level), reverse=True))
        ax.plot(curve["r"], curve["median"], color=BLUE, linewidth=1.2)
        own = "r" if "r" in post.runs.columns else f"r_{name}"
        if own in post.runs.columns:
            rows = _nearest(post, at or {})
            dots = dict(s=12, color=INK, alpha=0.7, linewidths=0, zorder=3, label="runs")
            ax.scatter(post.runs.column(own)[rows], post.runs.column(post.law.gives)[rows], **dots)
        ax.set_title(name, loc="left", fontsize=10, color=INK)
        ax.set_xlabel("own proportion")
    axes[0].set_ylabel(next(iter(fits.values())).law.gives)
    explain(axes[0])
    return axes


def _nearest(post, at) -> np.ndarray:
    """Return which rows lie nearest to a model: by the first covariate, then of these by the second, and so on."""
    rows, table = np.ones(len(post.runs), bool), post.runs.table
    for name in [c for c in post.law.columns if c in at]:
        far = np.abs(np.log(post.runs.column(name) / parse_number(at[name], name=name)))
        far = pd.Series(np.where(rows, far, np.inf))
        # Checkpoints of a run: the nearest of each.
        alone = "run" in table and table.loc[rows, "run"].duplicated().any() and name != "N"
        least = far.groupby(table["run"].to_numpy()).transform("min") if alone else far.min()
        rows &= (np.isfinite(far) & (far <= least + 1e-9)).to_numpy()
    return rows


def _targets(losses, domains) -> list[str]:
    own = [target for target in losses.targets if target in losses.domains]
    chosen = own if domains is None else [domains] if isinstance(domains, str) else list(domains)
    if not chosen or (unknown := [str(k) for k in chosen if k not in own]):
        raise LawError(f"no target {', '.join(unknown or ['with a domain of its own'])}; there are {', '.join(own)}")
    return chosen


def _rest(others, domains, seen) -> np.ndarray:
    if isinstance(others, Mapping):
        if unknown := [str(k) for k in others if k not in domains]:
            raise LawError(f"others: no domain {', '.join(unknown)}; there are {', '.join(domains)}")
        return np.array([float(others.get(d, 0.0)) for d in domains])
    return seen.mean().to_numpy() if len(seen) else np.ones(len(domains))
