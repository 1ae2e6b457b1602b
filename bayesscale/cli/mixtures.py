"""The verb that finds the best mixture of domains from runs on several mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import (
    INTERVALS,
    Acceptance,
    Count,
    Draws,
    Flag,
    Levels,
    Pairs,
    Seed,
    Warmup,
    Words,
    number,
    output_file,
    pairs,
)
from bayesscale.errors import FileError, LawError, RunsError

__all__ = ["mixture"]

WHAT = {"N": "parameters", "D": "training tokens", "S": "optimizer steps"}


@Parameter(name="*", group="The sampler")
@dataclass(frozen=True)
class Sampling:
    """How the posteriors are sampled.

    Parameters
    ----------
    noise
        How measured losses scatter around the law. curve: rows are checkpoints of training curves. [default: curve
        where a run has several rows, else student-t]
    seed
        Same seed, same machine: same numbers.
    chains
        Independent chains; R-hat compares them.
    draws
        Draws per chain.
    warmup
        Warm-up steps per chain. [default: 1000, or 300 for more than 64 rows]
    target_accept
        Higher: smaller steps, for a posterior that the sampler finds hard.
    """

    noise: Annotated[Literal["student-t", "normal", "laplace", "curve"] | None, Parameter(show_default=False)] = None
    seed: Seed = 0
    chains: Count = 4
    draws: Draws = 500
    warmup: Warmup = None
    target_accept: Acceptance = 0.9


SAMPLING = Sampling()


def mixture(
    table: str,
    metrics: str | None = None,
    /,
    *,
    law: Annotated[str, Parameter(show_default=False)] = "",
    at: Annotated[Pairs, Parameter(metavar="N=...,D=...")] = (),
    weights: Pairs = (),
    natural: Annotated[Words, Parameter(metavar="NAME=VALUE... | LABEL")] = (),
    floor: Annotated[Words, Parameter(metavar="NUMBER | NAME=VALUE...")] = (),
    cap: Annotated[Words, Parameter(metavar="NUMBER | NAME=VALUE...")] = (),
    tokens: Pairs = (),
    repeats: float = 4.0,
    kl: float = 0.0,
    tolerance: float = 0.001,
    columns: Pairs = (),
    units: Pairs = (),
    same: Pairs = (),
    level: Levels = INTERVALS,
    out: Path | None = None,
    json: Flag = False,
    sampling: Sampling = SAMPLING,
):
    """Find the best mixture of domains to train on.

    Prints the best proportion per domain, how far mixtures that are about as good reach, and what it gains against the
    natural mixture.

    Parameters
    ----------
    table
        One row per run (or checkpoint): a .csv, .tsv or .parquet file with a column per domain for its proportion
        (r_web, r_code, ...) and one per target for its loss (loss_web, ...); or the proportions only, with METRICS.
    metrics
        The losses by run, where they are a file of their own (Olmix's ratios.csv metrics.csv).
    law
        What is fitted to each target, such as mixture_additive or bimix.
        [default: mixture_exponential]
    at
        The model to train, where the law takes more than proportions: N=1B,D=100B.
    weights
        How much the loss of each target counts: web=2 code=1. Targets not named do not. [default: all alike]
    natural
        The mixture to compare with: web=0.7 code=0.2 wiki=0.1, or the label of a mixture in the table.
    floor
        No less than this of each domain, or of those named: 0.01, or code=0.05.
    cap
        No more than this of each domain, or of those named: 0.5, or wiki=0.1.
    tokens
        How many tokens there are of a domain: wiki=4B. With --repeats and the D of --at that caps its proportion.
    repeats
        How often these may be repeated.
    kl
        What distance from the natural mixture costs, in loss: kl times sum_j p_j log(p_j / natural_j).
    tolerance
        Relative excess of the expected loss that counts as near-optimal.
    columns
        What your columns are called: N=params D=tokens.
    units
        What your columns are counted in: N=millions D=billions.
    same
        What holds for all runs and no column says: N=30M D=3B.
    level
        Mass of the equal-tailed intervals.
    out
        Write the proportions, one row per domain, to this .csv file.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale mixture runs.csv --natural web=0.7 code=0.2 wiki=0.1
    bayesscale mixture ratios.csv metrics.csv --law mixture_exponential --floor 0.01
    bayesscale mixture runs.csv --law mixture_additive --at N=1B,D=100B --tokens wiki=4B --repeats 4
    """
    out = out and output_file(out, ".csv")
    at = {k: number(v, option=f"at {k}") for k, v in pairs(at, option="at").items()}
    asked = dict(weights=_numbers(weights, "weights") or None, natural=_mixture(natural))
    asked |= dict(floor=_one_or_many(floor, "floor"), cap=_one_or_many(cap, "cap"))
    asked |= dict(tokens=_numbers(tokens, "tokens") or None, repeats=repeats, kl=kl, tolerance=tolerance)
    law = law or "mixture_exponential"
    with doing(f"reading {' and '.join(filter(None, (table, metrics)))}"):
        runs = _read(table, metrics, columns=columns, units=units, same=same)
        _refuse(runs, law, at, asked)
    made = f"{runs.table['domain'].nunique()} targets of {runs.table['mixture'].nunique()} mixtures"
    with doing(f"fitting {law} to {made}: compiling and sampling"):
        how = dict(vars(sampling), noise=sampling.noise or _noise(runs), discrepancy=False)
        fits = bs.fit_pooled(law, runs, over="domain", **how)
        found = bs.optimal_mixture(fits, asked.pop("weights"), at=at, seed=sampling.seed, **asked)
    shown = found.table(level=level)
    if out:
        shown.rename_axis("domain").to_csv(out)
    gain = found.against(level=level) if found.natural is not None else None
    if json:
        document = {"law": law, "rows": len(runs), "given": found.given, "levels": level}
        document |= {"mixture": shown.to_dict("index"), "regret": found.regret(), "outside": found.outside.to_dict()}
        document |= {"gain": None if gain is None else gain.to_dict("index"), "notes": found.notes}
        show.print_json(document | {"saved": out and str(out)})
        return
    show.text(f"{found.headline}, from {law} fitted to {made}", style="bold")
    show.text()
    show.mixture(shown, level=level, digits=3)
    if gain is not None:
        show.heading(f"{found.losses.gives} lower than with the natural mixture")
        show.mixture(gain, level=level, digits=4)
    show.text()
    for note in found.notes:
        show.text(note, indent=2)
    if out:
        show.text()
        show.text(f"saved the proportions to {out}")


def _read(table, metrics, **words):
    """Read one wide or long table, or two that are joined by run."""
    for path in filter(None, (table, metrics)):
        if not Path(path).expanduser().exists():
            raise FileError(f"there is no file {path}")
    given = {k: pairs(v, option=k) or None for k, v in words.items()}
    if metrics is None:
        return bs.mixture_runs(Path(table).expanduser(), **given)
    return bs.read_mixtures(Path(table).expanduser(), Path(metrics).expanduser(), **given)


def _refuse(runs, law, at, asked):
    """Say what is wrong or missing before anything is fitted."""
    from bayesscale.law import named

    wrong, law = [], named(law)
    if not law.star and "r" not in law.columns:
        raise LawError(
            f"--law {law.name} says nothing of mixtures: mixture_exponential, mixture_additive (with N and D) or bimix "
            "(the own proportion only) do; see bayesscale laws"
        )
    if "domain" not in runs.columns or runs.table["domain"].nunique() < 2:
        wrong.append("the table has the loss of one target only: a column for each, loss_web, loss_code, ...")
    own = law.columns[: len(law.takes) - bool(law.star)]
    for name in [c for c in own if c != "r"]:
        if name not in runs.columns:
            said = WHAT.get(name, "a covariate of the law")
            wrong.append(
                f"law {law.name} takes {name} ({said}), and no column is called so: --columns {name}=<your column>, "
                f"--same {name}=<value> if it is one for all, or another law"
            )
        elif name not in at and not {"N", "D", "C"} - {name} <= set(at):
            wrong.append(
                f"law {law.name} takes {name} ({WHAT.get(name, 'a covariate')}): say it of the model, --at {name}=..."
            )
    domains = [c.removeprefix("r_") for c in runs.columns if c.startswith("r_")]
    targets = list(runs.table["domain"].unique()) if "domain" in runs.columns else []
    for option, known in (
        ("weights", targets),
        ("natural", domains),
        ("floor", domains),
        ("cap", domains),
        ("tokens", domains),
    ):
        names = asked[option] if isinstance(asked[option], dict) else {}
        if unknown := [k for k in names if k not in known]:
            wrong.append(f"--{option} {unknown[0]}=...: there is no {unknown[0]}; there are {', '.join(known)}")
    if asked["kl"] and asked["natural"] is None:
        wrong.append("--kl holds the mixture near the natural one: say which that is, --natural web=0.7 code=0.3")
    if asked["tokens"] and "D" not in at:
        wrong.append("--tokens caps what is repeated: say how many tokens are trained on, --at D=100B")
    if wrong:
        raise RunsError(wrong)


def _noise(runs) -> str:
    """Return the noise that suits: that of training curves where a run has several rows of a target."""
    several = "run" in runs.columns and runs.table.duplicated(["run", "domain"]).any()
    return "curve" if several and {"D", "S"} & set(runs.columns) else "student-t"


def _numbers(words, option) -> dict[str, float]:
    return {k: number(v, option=f"{option} {k}") for k, v in pairs(words, option=option).items()}


def _one_or_many(words, option):
    """Read --floor 0.01 or --floor code=0.05 wiki=0.01."""
    if len(words) == 1 and "=" not in words[0]:
        return number(words[0], option=option)
    return _numbers(words, option) or None


def _mixture(words):
    """Read --natural web=0.7 code=0.3, or the label of a mixture."""
    return words[0] if len(words) == 1 and "=" not in words[0] else _numbers(words, "natural") or None
