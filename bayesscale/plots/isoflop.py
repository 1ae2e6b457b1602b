"""Loss against parameters for each budget: what a parabola says of the best size, beside what the law says.

A diagnostic only. The vertex of a parabola is no estimate of the compute-optimal size.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesscale.decide.allocate import allocate
from bayesscale.errors import RunsError
from bayesscale.plots.style import GRAY, INK, explain, label, log_axis, new_axes, quiet, tint
from bayesscale.runs import Runs, read_runs
from bayesscale.units import format_number

__all__ = ["isoflop", "isoflop_data"]

CAUTION = (
    "A diagnostic: the parabolas' vertices are biased where \N{GREEK SMALL LETTER ALPHA} \N{NOT EQUAL TO} "
    "\N{GREEK SMALL LETTER BETA} or sizes lie off-centre"
)
DASHED = (0, (4, 2))


def isoflop_data(runs, *, post=None, tolerance=0.1, least=5, within=None, level=0.95) -> pd.DataFrame:
    """Compute the numbers of `isoflop`.

    Parameters
    ----------
    runs, post, tolerance, least, within, level
        As for `isoflop`.

    Returns
    -------
    DataFrame
        One row per budget: ``C`` (geometric mean of its runs) and ``C_spread`` (largest over smallest, less one);
        ``runs``, how many the parabola goes through; ``N_low`` and ``N_high``, the sampled sizes; ``vertex`` (N),
        ``vertex_se`` (of log N, by the delta method), ``vertex_loss`` and ``curvature`` of the parabola
        loss = vertex_loss + curvature (log N - log vertex)^2, where ``vertex`` is missing if it opens downwards; and
        whether the vertex lies ``inside`` the sampled sizes.

        With a posterior also the law's compute-optimal N, ``optimum`` with the interval of the level (``low95``,
        ``high95``), its ``optimum_loss``, and ``parabola_bias``: by how much a parabola through the law's own expected
        losses at these very runs misses the law's own optimum, relatively.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    rows = []
    for budget in _budgets(runs, _gives(post), tolerance, least, within):
        kept = budget[budget["kept"]]
        rows.append(
            dict(
                C=_geometric_mean(kept["C"]),
                C_spread=kept["C"].max() / kept["C"].min() - 1.0,
                runs=len(kept),
                N_low=kept["N"].min(),
                N_high=kept["N"].max(),
                **_parabola(kept["N"], kept["measured"]),
                **({} if post is None else _by_law(post, kept, level)),
            )
        )
    table = pd.DataFrame(rows)
    table.insert(table.columns.get_loc("vertex_se") + 1, "inside", table["vertex"].between(*_sampled(table)))
    return table


def isoflop(runs, *, post=None, tolerance=0.1, least=5, within=None, level=0.95, ax=None):
    """Draw loss against N for each budget, with a parabola in log N and, given a posterior, the law's own curve.

    Parameters
    ----------
    runs : Runs, DataFrame or path
        With N, C and what is measured.
    post : Posterior, optional
        Of a law in N and D, of these runs or others: its isoFLOP curve L(N, C / 6 N) with a band, and its optimum with
        an interval.
    tolerance : float
        Budgets scatter: runs belong to one if their C lie within this share of each other. The densest group is taken
        first; runs in none are left out.
    least : int
        Runs that make a budget: four or more, so that the parabola has a standard error.
    within : float, optional
        Leave out of the parabola the runs whose loss lies further than this above the least of their budget (drawn
        faint): far from the optimum no curve is a parabola.
    level : float
        Mass of the equal-tailed intervals.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    LawError
        The law is not one of N and D.
    RunsError
        N, C or the loss is missing, or too few runs share a budget.

    Notes
    -----
    A vertex outside the sampled sizes is not drawn.

    **A diagnostic only.** The parabola (Hoffmann et al. 2022, approach 2) is not the law's isoFLOP curve, which is
    steeper on one side wherever alpha != beta. Its vertex is biased then, and where the sizes are not centred on the
    optimum. Extrapolated to 1e24 FLOP the tokens come out 2.9 % too few at Chinchilla's exponents with sizes of up to 8
    times either way, and 14 % too few where beta is three times alpha (Open-Athena 2026); the spread of C within a
    budget comes on top. ``parabola_bias`` of `isoflop_data` says it for the runs at hand.

    Where C was not counted as 6 N D, the law's curve keeps the runs' mean ratio of the two.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    how = dict(tolerance=tolerance, least=least, within=within)
    table = isoflop_data(runs, post=post, level=level, **how)
    budgets = _budgets(runs, _gives(post), **how)
    ax = new_axes(width=6.8, height=5.4)[0] if ax is None else ax
    quiet(ax)
    ax.set_xscale("log")
    shade = mpl.colors.LogNorm(table["C"].min(), table["C"].max())
    for row, budget in zip(table.itertuples(), budgets, strict=True):
        color = mpl.colormaps["viridis"](0.85 * shade(row.C))  # short of the palest
        kept, left_out = budget[budget["kept"]], budget[~budget["kept"]]
        ax.scatter(left_out["N"], left_out["measured"], s=10, color=tint(color, 0.4), linewidths=0)
        ax.scatter(kept["N"], kept["measured"], s=16, color=color, linewidths=0.4, edgecolors="white", zorder=3)
        _draw_parabola(ax, row, color)
        if post is not None:
            _draw_law(ax, post, kept, row, color, level)
        last = kept.loc[kept["N"].idxmax()]
        words = dict(xytext=(6, 0), textcoords="offset points", va="center", fontsize=8, color=color)
        ax.annotate(format_number(row.C), last[["N", "measured"]], **words)
    low, high = table["N_low"].min(), table["N_high"].max()
    ax.set_xlim(low / (high / low) ** 0.03, high * (high / low) ** 0.1)  # room for the budgets' names
    measured = pd.concat([budget.loc[budget["kept"], "measured"] for budget in budgets])
    # Room for the legend under the curves: larger budgets reach lower losses at larger N.
    ax.set_ylim(
        measured.min() - (0.1 if post is None else 0.25) * np.ptp(measured), measured.max() + 0.05 * np.ptp(measured)
    )
    log_axis(ax, "N")
    ax.set_xlabel(label("N", runs))
    ax.set_ylabel(label(_gives(post), runs))
    ax.set_title(_caution(table), fontsize=9, color=GRAY, loc="left")
    said = dict(handles=_handles(post, level, len(measured)), title="at the curves: budget [FLOP]")
    explain(ax, loc="lower left", ncols=1 if post is None else 2, **said)
    return ax


# -- the budgets -------------------------------------------------------------------------------------------------------


def _gives(post):
    return "loss" if post is None else post.law.gives


def _budgets(runs, gives, tolerance, least, within):
    """Return a frame per budget, by increasing C: N, C, D if known, `measured`, and which rows are `kept`."""
    if not 0 < tolerance < 1:
        raise RunsError(f"tolerance is a share of the budget such as 0.1, not {tolerance!r}")
    if least < 4:
        raise RunsError(f"least={least}: a parabola with a standard error needs four runs or more")
    columns = dict(N=runs.column("N"), C=runs.column("C"), measured=runs.column(gives))
    if "D" in runs.columns:
        columns["D"] = runs.column("D")
    left, found = pd.DataFrame(columns).sort_values("C", ignore_index=True), []
    while True:
        C = left["C"].to_numpy()
        after = np.searchsorted(C, C * (1.0 + tolerance), side="right")
        count = after - np.arange(len(C))
        if not len(C) or count.max() < least:
            break
        densest = np.flatnonzero(count == count.max())
        first = densest[np.argmin(C[after[densest] - 1] / C[densest])]
        group = left.iloc[first : after[first]]
        left = left.drop(group.index).reset_index(drop=True)
        above = group["measured"] - group["measured"].min()
        group = group.assign(kept=True if within is None else above <= within)
        if group.loc[group["kept"], "N"].nunique() >= least:
            found.append(group.reset_index(drop=True))
    if not found:
        raise RunsError(
            f"no {least} runs of different N have C within {100 * tolerance:g}% of each other: there are no budgets "
            "to draw. Raise tolerance= or within=, or lower least="
        )
    return sorted(found, key=lambda group: group["C"].iloc[0])


def _geometric_mean(values):
    return float(np.exp(np.log(values).mean()))


def _sampled(table):
    return table["N_low"], table["N_high"]


# -- the parabola ------------------------------------------------------------------------------------------------------


def _parabola(N, loss) -> dict:
    """Fit loss = a + b x + c x^2, x = log N; the vertex is -b / 2c, its standard error by the delta method."""
    log_N, loss = np.log(np.asarray(N)), np.asarray(loss)
    middle = log_N.mean()
    design = np.vander(log_N - middle, 3, increasing=True)
    (a, b, c), *_ = np.linalg.lstsq(design, loss)
    nowhere = dict(vertex=np.nan, vertex_se=np.nan, vertex_loss=np.nan, curvature=c)
    if c <= 0:
        return nowhere
    variance = ((loss - design @ [a, b, c]) ** 2).sum() / (len(loss) - 3)
    covariance = variance * np.linalg.inv(design.T @ design)
    gradient = np.array([0.0, -1.0 / (2.0 * c), b / (2.0 * c**2)])
    with np.errstate(over="ignore"):
        vertex = np.exp(middle - b / (2.0 * c))
    se = np.sqrt(gradient @ covariance @ gradient)
    return dict(vertex=vertex, vertex_se=se, vertex_loss=a - b**2 / (4.0 * c), curvature=c)


def _draw_parabola(ax, row, color):
    if not np.isfinite(row.vertex):
        return
    N = np.geomspace(row.N_low, row.N_high, 80)
    loss = row.vertex_loss + row.curvature * np.log(N / row.vertex) ** 2
    ax.plot(N, loss, color=color, linewidth=1.0, linestyle=DASHED)
    if row.inside:
        reach = row.vertex * np.abs(np.expm1([[-row.vertex_se], [row.vertex_se]]))
        mark = dict(fmt="o", markersize=5, markerfacecolor="white", capsize=2, elinewidth=1.0, zorder=4)
        ax.errorbar(row.vertex, row.vertex_loss, xerr=reach, color=color, **mark)


# -- the law -----------------------------------------------------------------------------------------------------------


def _flop_ratio(kept):
    """C as it was counted over 6 N D."""
    return _geometric_mean(kept["C"] / (6.0 * kept["N"] * kept["D"])) if "D" in kept else 1.0


def _by_law(post, kept, level) -> dict:
    C = _geometric_mean(kept["C"]) / _flop_ratio(kept)
    best = allocate(post, C=C).table(level=level)
    D = kept["D"] if "D" in kept else kept["C"] / (6.0 * kept["N"])
    its_own = post.predict(N=kept["N"].to_numpy(), D=D.to_numpy(), kind="mean").median
    N = best.loc["N"]
    name = f"{100 * level:g}"
    return {
        "optimum": N["median"],
        f"low{name}": N[f"low{name}"],
        f"high{name}": N[f"high{name}"],
        "optimum_loss": best.loc[post.law.gives, "median"],
        "parabola_bias": _parabola(kept["N"], its_own)["vertex"] / N["median"] - 1.0,
    }


def _draw_law(ax, post, kept, row, color, level):
    N = np.geomspace(row.N_low, row.N_high, 48)
    D = row.C / _flop_ratio(kept) / (6.0 * N)
    curve = post.predict(N=N, D=D, kind="mean").table(level=level)
    name = f"{100 * level:g}"
    ground = dict(color=color, alpha=0.25, linewidth=0.8, zorder=1)  # bands of neighbouring budgets may overlap
    ax.fill_between(N, curve[f"low{name}"], curve[f"high{name}"], **ground)
    ax.plot(N, curve["median"], color=color, linewidth=1.4)
    low, high = getattr(row, f"low{name}"), getattr(row, f"high{name}")
    reach = [[row.optimum - low], [high - row.optimum]]
    mark = dict(fmt="D", markersize=5, markeredgecolor="white", markeredgewidth=0.6, capsize=3, elinewidth=1.6)
    ax.errorbar(row.optimum, row.optimum_loss, xerr=reach, color=color, zorder=5, **mark)


# -- the words ---------------------------------------------------------------------------------------------------------


def _caution(table):
    if "parabola_bias" not in table:
        return f"{CAUTION}\n(at 1e24 FLOP 3 to 14% in D, Open-Athena 2026)"
    bias = table["parabola_bias"].agg(["min", "max"])
    if (bias.abs() < 0.005).all():
        return f"{CAUTION};\nwith these sizes a parabola finds the law's own optimal N to within half a percent"
    low, high = (f"{round(100 * x) or 0:+d}".replace("+0", "0").replace("-", "\N{MINUS SIGN}") for x in bias)
    return f"{CAUTION};\nwith these sizes a parabola misses the law's own optimal N by {low} to {high}%"


def _handles(post, level, n):
    dot = dict(linestyle="none", marker="o", markersize=4, color=INK, markeredgewidth=0)
    vertex = dict(color=INK, linewidth=1.0, linestyle=DASHED, marker="o", markersize=5, markerfacecolor="white")
    handles = [Line2D([], [], label=f"{n} runs", **dot), Line2D([], [], label="parabola, its vertex ± se", **vertex)]
    if post is None:
        return handles
    interval = f"{100 * level:g}%"
    best = dict(color=INK, linewidth=1.4, marker="D", markersize=5, markeredgecolor="white")
    band = Patch(color=tint(INK, 0.3), label=f"{interval} band of the law")
    return [*handles, Line2D([], [], label=f"{post.law.name}, its optimum, {interval} interval", **best), band]
