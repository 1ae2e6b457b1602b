"""How answers look on stdout: tables for a person, or one JSON document for a program."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bayesscale.cli.messages import in_cli_words

if TYPE_CHECKING:
    import pandas as pd

    from bayesscale.checks import Checks
    from bayesscale.evaluate import Comparison
    from bayesscale.forecast import Forecast
    from bayesscale.posterior import Posterior

__all__ = [
    "answer",
    "backtest",
    "check",
    "comparison",
    "forecast",
    "heading",
    "ladder",
    "mixture",
    "number",
    "parameters",
    "print_json",
    "print_table",
    "text",
]

# What is printed is the users' own words too, such as names with [brackets]: never markup.
console = Console(highlight=False, markup=False, emoji=False)
COLOURS = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red"}


def print_json(document) -> None:
    """Print one JSON document; what is not a finite number is null."""
    print(json.dumps(_plain(document), indent=2, allow_nan=False, ensure_ascii=False))


def _plain(x):
    if hasattr(x, "tolist"):
        x = x.tolist()
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(v) for v in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def text(words: str = "", *, style: str | None = None, indent: int = 0) -> None:
    """Print a text, wrapped at the terminal's width."""
    if indent:
        lines = (line for part in words.splitlines() for line in textwrap.wrap(part, console.width - indent))
        words = textwrap.indent("\n".join(lines), " " * indent)
    console.print(words, style=style)


def heading(words: str) -> None:
    """Print the title of what follows."""
    console.print()
    text(words, style="bold")


def print_table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], *, left: int = 1, ruled: int | None = None
) -> None:
    """Print a table, the first `left` columns aligned to the left; with a rule after row number `ruled`."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i < left else "right", overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*row, end_section=i == ruled)
    console.print(table)


def number(x: float) -> str:
    """Write a number with four significant digits; a large one as it is read: 102.8B."""
    if abs(x) >= 1e4 and math.isfinite(x):
        from bayesscale.units import format_number

        return format_number(x, digits=4)
    return f"{x:#.4g}".rstrip(".")


def span(low: float, high: float) -> str:
    """Write an interval."""
    return f"{number(low)}{_sign('–', ' to ')}{number(high)}"


def _sign(sign: str, instead: str) -> str:
    """Return a sign, or what stands for it where stdout knows ASCII only."""
    return sign if console.encoding.startswith("utf") else instead


def parameters(post: Posterior, *, level: float = 0.95, truth: dict | None = None) -> None:
    """Print the parameters, the truth beside them where it is known; below, how the law samples them."""
    summary = post.summary(level=level)
    own = [*post.law.constants, *post.noise.priors()]
    shown = summary if truth is None else summary.loc[[k for k in own if k in truth]]
    low, high = (f"{side}{100 * level:g}" for side in ("low", "high"))
    rows = []
    for row in shown.reset_index().to_dict("records"):
        cells = [number(row["median"]), number(row["sd"]), span(row[low], row[high])]
        sampled = [f"{row['ess_bulk']:.0f}", f"{row['rhat']:.3f}"]
        rows.append([row["parameter"], *cells, *(sampled if truth is None else [number(truth[row["parameter"]])])])
    last = ["ESS", "R-hat"] if truth is None else ["truth"]
    print_table(["parameter", "median", "sd", f"{100 * level:g}% interval", *last], rows, ruled=len(own) - 1)


def check(checks: Checks) -> None:
    """Print how the fit went: the verdict with the sampler's numbers, then whatever is not as it should be."""
    table = checks.table.set_index("check")
    numbers = [f"{name} {row['value']}" for name, row in table.iterrows() if not name.startswith("data on ")]
    verdict = (checks.status, COLOURS[checks.status])
    console.print(Text.assemble("fit check: ", verdict, f"  ({', '.join(numbers)})"))
    for name, row in table[table["status"] != "PASS"].iterrows():
        advice = in_cli_words(row["advice"])
        text(f"{row['status']} {name} {row['value']}: {advice}", style=COLOURS[row["status"]], indent=2)


def forecast(made: Forecast, *, targets: Iterable[str], level: Iterable[float], extra: dict | None = None) -> None:
    """Print the columns that name the `targets`, the median and the intervals, and `extra` columns at the end."""
    from bayesscale.units import format_number

    table = made.table(level=level)
    masses = _masses(level)
    rows = []
    for at, row in enumerate(table.to_dict("records")):
        target = [format_number(x) if isinstance(x := row[k], int | float) else str(x) for k in targets]
        intervals = [span(row[f"low{m}"], row[f"high{m}"]) for m in masses]
        rows.append([*target, number(row["median"]), *intervals, *(values[at] for values in (extra or {}).values())])
    columns = [*targets, "median", *(f"{m}% interval" for m in masses), *(extra or {})]
    print_table(columns, rows, left=0)


def ladder(table: pd.DataFrame, *, N: float, D: float, over: str, level: Iterable[float], above: float | None) -> None:
    """Print the accuracies of one model in percent, task by task, and below what to think of them."""
    from bayesscale.units import format_number

    heading(f"At N = {format_number(N)}, D = {format_number(D)}")
    rows = []
    for row in table.to_dict("records"):
        spans = [[f"{100 * row[f'{side}{m}']:.1f}" for side in ("low", "high")] for m in _masses(level)]
        spans = [_sign("–", " to ").join(ends) for ends in spans]
        chance = [] if above is None else [f"{row['probability_above']:.2f}"]
        rows.append([row[over], f"{100 * row['median']:.1f}", *spans, *chance])
    chance = [] if above is None else [f"P(> {100 * above:g}%)"]
    print_table([over, "median", *(f"{m}% interval" for m in _masses(level)), *chance], rows)
    text()
    for verdict, those in table.groupby("verdict", sort=False):
        if (those["why"] == "").all():
            text(f"{verdict}: {', '.join(map(str, those[over]))}")
            continue
        text(f"{verdict}:")
        for task, why in zip(those[over], those["why"], strict=True):
            text(f"{task}: {why}", indent=2)


def answer(table: pd.DataFrame, *, level: Iterable[float]) -> None:
    """Print the quantities of an answer."""
    from bayesscale.table_columns import COVARIATES
    from bayesscale.units import format_number

    rows = []
    for name, row in table.iterrows():
        write = format_number if name in COVARIATES else number
        spans = [f"{write(row[f'low{m}'])}{_sign('–', ' to ')}{write(row[f'high{m}'])}" for m in _masses(level)]
        rows.append([str(name).replace("_", " "), write(row["median"]), *spans])
    print_table(["", "median", *(f"{m}% interval" for m in _masses(level))], rows)


def mixture(table: pd.DataFrame, *, level: Iterable[float], digits: int) -> None:
    """Print a table of proportions or gains by name, with its intervals."""
    masses = _masses(level)
    ends = {f"{side}{m}" for side in ("low", "high") for m in masses}
    alone = [c for c in table.columns if c not in ends and not c.startswith("near_")]
    near = {"near_low", "near_high"} <= set(table.columns)
    rows = []
    for name, row in table.iterrows():
        pairs = [("near_low", "near_high")] * near + [(f"low{m}", f"high{m}") for m in masses]
        sign = " to " if table.select_dtypes("number").lt(0).any(axis=None) else _sign("–", " to ")
        spans = [sign.join(f"{row[end]:.{digits}f}" for end in pair) for pair in pairs]
        rows.append([str(name), *(f"{row[c]:.{2 if c.startswith('P(') else digits}f}" for c in alone), *spans])
    print_table(["", *alone, *["near-best"] * near, *(f"{m}% interval" for m in masses)], rows)


def _masses(level):
    return [f"{100 * mass:g}" for mass in level]


def backtest(summary: pd.DataFrame) -> None:
    """Print how often the intervals of each level held, and the scores."""
    rows = []
    for where, row in summary.iterrows():
        held = [f"{100 * row[f'coverage{q}']:.0f}%" for q in (50, 80, 95)]
        scores = [f"{row['log_score']:.2f}", f"{row['crps']:.2g}", f"{100 * row['bias']:+.2f}%"]
        named = where if isinstance(where, tuple) else (where,)
        rows.append([*map(str, named), f"{row['n']:.0f}", *held, *scores, f"{100 * row['width95']:.2g}%"])
    columns = [*summary.index.names, "n", "50%", "80%", "95%", "log score", "CRPS", "bias", "width"]
    print_table(columns, rows, left=len(summary.index.names))


def comparison(compared: Comparison) -> None:
    """Print the laws, the best first, and what may be concluded."""
    rows = []
    pairs = [("elpd_loo", "se_loo"), ("diff", "diff_se")]
    if "elpd_rollout" in compared.table:
        pairs.append(("diff_rollout", "diff_rollout_se"))
    for law, row in compared.table.iterrows():
        scores = [f"{row[value]:.1f} {_sign('±', '+-')} {row[error]:.1f}" for value, error in pairs]
        rows.append([law, *scores, f"{row['elpd_waic']:.1f}", f"{row['weight']:.2f}"])
    rollout = ["rollout diff."] * (len(pairs) > 2)
    print_table(["law", "elpd_loo", "difference", *rollout, "elpd_waic", "weight"], rows)
    text()
    for note in compared.notes:
        text(note, indent=2)
