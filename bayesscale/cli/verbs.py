"""The verbs that fit and forecast, each with the words of the Python function that it stands for.

What is heavy is imported inside the verbs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import ExistingFile

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import (
    COVARIATES,
    INTERVALS,
    Flag,
    Level,
    Levels,
    Number,
    Pairs,
    Reading,
    Sampling,
    Seed,
    Words,
    number,
    numbers,
    output_file,
)
from bayesscale.errors import LawError

__all__ = ["compare", "demo", "fit", "predict"]

READING, SAMPLING = Reading(), Sampling()


def demo(*, out: Path = Path("bayesscale-demo")):
    """Fit, forecast and compare on simulated runs whose truth is known.

    Takes 10 to 30 seconds. Shows what a fit says, and writes its figures and the saved posterior.

    Parameters
    ----------
    out
        The folder that is written into.

    Examples
    --------
    bayesscale demo
    bayesscale demo --out first-look
    """
    with doing("starting JAX"):
        from bayesscale.cli.demo import run_demo
    run_demo(out)


def fit(
    table: str,
    /,
    *,
    law: str = "chinchilla",
    out: Path | None = None,
    level: Level = 0.95,
    json: Flag = False,
    reading: Reading = READING,
    about: Annotated[Pairs, Parameter(group="The table")] = (),
    sampling: Sampling = SAMPLING,
):
    """Fit a law to a table of runs.

    Prints the parameters with their intervals, and how far the fit is to be trusted.

    Parameters
    ----------
    table
        One row per training run: a .csv, .tsv or .parquet file, or the name of a dataset.
    law
        The law, as "bayesscale laws" lists them: chinchilla, or over a column: "power(C)".
    out
        Save the posterior to this .nc file (NetCDF), for "bayesscale predict".
    level
        Mass of the equal-tailed intervals.
    json
        Print one JSON document instead.
    about
        What stays with the fit: count_N=non-embedding, loss_unit=nats/token, eval=C4, tokenizer=gpt2.

    Examples
    --------
    bayesscale fit runs.csv --law chinchilla --out posterior.nc
    bayesscale fit runs.csv --columns N=params loss=final_loss --units N=millions
    bayesscale fit simulated-ladder --law "power(C)" --noise normal --json
    """
    out = out and output_file(out, ".nc")
    with doing(f"reading {table}"):
        runs = reading.read(table, about=about)
    with doing("starting JAX"):
        from bayesscale.law import named

        law = named(law)
    with doing(f"fitting {law.name} to {len(runs)} rows: compiling and sampling"):
        post = bs.fit(law, runs, **sampling.words())
        checks, summary = post.check(), post.summary(level=level)
        if out:
            post.save(out)
    if json:
        show.print_json(_fit_document(post, checks, summary) | {"level": level, "saved": out and str(out)})
        return
    show.text(f"{post.law.name}: {post.law.formula}", style="bold")
    show.text(f"{len(runs)} rows of {table}, {post.noise} noise; equal-tailed intervals")
    show.text()
    show.parameters(post, level=level)
    show.text()
    show.check(checks)
    if out:
        show.text(f"saved {out}; forecast with: bayesscale predict {out} {_example_of(post.law)}")
    else:
        show.text("not saved: give --out posterior.nc, and bayesscale predict posterior.nc forecasts from it")


def predict(
    posterior: ExistingFile,
    /,
    *,
    kind: Literal["new-run", "mean"] = "new-run",
    targets: Annotated[str | None, Parameter(metavar="TABLE")] = None,
    below: Number = None,
    above: Number = None,
    level: Levels = INTERVALS,
    seed: Seed = 0,
    json: Flag = False,
    reading: Reading = READING,
    **covariates: Annotated[list[str], Parameter(name="--[COVARIATE]", metavar="NUMBER")],
):
    """Forecast from a saved posterior.

    How far the truth may bend away from the law is part of the interval, unless the posterior was fitted with
    --no-discrepancy: then it holds if the law does.

    Parameters
    ----------
    posterior
        What "bayesscale fit --out posterior.nc" has saved.
    kind
        new-run: what one more run would measure. mean: its expected value, without the scatter of a run.
    targets
        A table of targets (.csv, .tsv, .parquet), one forecast per row.
    below
        Also print the probability of a value below this one.
    above
        Also print the probability of a value above this one.
    level
        Mass of the equal-tailed intervals.
    seed
        Of the scatter of a new run.
    json
        Print one JSON document instead.
    covariates
        What the law takes, by name: --N 70B --D 1.4T, --C 6e23. Several targets: --N 7B,70B --D 1.4T

    Examples
    --------
    bayesscale predict posterior.nc --N 70B --D 1.4T
    bayesscale predict posterior.nc --N 7B,13B,70B --D 1.4T --below 2.0
    bayesscale predict posterior.nc --targets planned.csv --kind mean --json
    """
    with doing(f"starting JAX and reading {posterior}"):
        post = bs.load(posterior)
    targets = targets and reading.read_targets(targets)
    made = post.predict(targets, kind=kind, seed=seed, **_covariates(post.law, covariates))
    chances = {}
    for side, limit in (("below", below), ("above", above)):
        if limit is not None:
            limit = number(limit, option=side)
            chances[side] = (limit, made.probability(**{side: limit}))
    if json:
        show.print_json(_forecast_document(made, level, chances) | {"rows": len(post.runs)})
        return
    show.text(f"{made.what}, from {made.law} fitted to {len(post.runs)} rows", style="bold")
    show.text()
    signs = {"below": "<", "above": ">"}
    extra = {f"P({signs[side]} {limit:g})": [f"{x:.3f}" for x in p] for side, (limit, p) in chances.items()}
    show.forecast(made, targets=_named_columns(made, post.law), level=level, extra=extra)
    show.text()
    show.text(" ".join(filter(None, ["Equal-tailed intervals.", made.caveat])))


def compare(
    table: str,
    /,
    *,
    laws: Words = ("chinchilla", "chinchilla_tied", "power(C)"),
    rollout: Annotated[bool | None, Parameter(negative="--no-rollout", show_default=False)] = None,
    json: Flag = False,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
):
    """Compare laws on one table by PSIS-LOO, WAIC and rollout.

    LOO and WAIC score the prediction of rows like those of the table; the rollout, how well a law that was fitted to
    the smaller runs foretells the larger ones.

    Parameters
    ----------
    table
        One row per training run: a .csv, .tsv or .parquet file, or the name of a dataset.
    laws
        Their names, over a column where it is to be chosen. [default: chinchilla chinchilla_tied "power(C)"]
    rollout
        Takes a fit more per law and cutoff. [default: where rows share no runs]
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale compare runs.csv
    bayesscale compare runs.csv --laws chinchilla "power(C)" "power(N)" --json
    """
    with doing(f"reading {table}"):
        runs = reading.read(table)
    with doing("starting JAX"):
        from bayesscale.law import named

        chosen = [named(law) for law in laws]
    with doing(f"fitting {', '.join(law.name for law in chosen)} to {len(runs)} rows: compiling and sampling"):
        compared = bs.compare(runs, chosen, rollout=rollout, **sampling.words())
    if json:
        records = compared.table.reset_index().to_dict("records")
        show.print_json({"rows": len(runs), "noise": sampling.noise, "laws": records, "notes": compared.notes})
        return
    show.text(f"{len(runs)} rows of {table}; higher elpd is better; differences are of elpd_loo", style="bold")
    show.text()
    show.comparison(compared)


def _fit_document(post, checks, summary) -> dict:
    law = {k: getattr(post.law, k) for k in ("formula", "columns", "gives")}
    return {
        "law": post.law.name,
        **law,
        "noise": str(post.noise),
        "rows": len(post.runs),
        "parameters": summary.to_dict("index"),
        "check": {"status": checks.status, "checks": checks.table.to_dict("records")},
        "about": post.runs.about,
        "fingerprint": post.runs.fingerprint,
        "settings": dict(post.settings),
    }


def _forecast_document(made, level, chances) -> dict:
    """Write a forecast; `chances` holds (threshold, probability per target) by "below" and "above"."""
    probabilities = {f"probability_{side}": p for side, (_, p) in chances.items()}
    return {
        "law": made.law,
        "gives": made.gives,
        "kind": made.kind,
        "levels": level,
        "continued": made.continued,
        "caveat": made.caveat,
        **{side: limit for side, (limit, _) in chances.items()},
        "forecast": made.table(level=level).assign(**probabilities).to_dict("records"),
    }


def _covariates(law, given) -> dict[str, list[float]]:
    """Read --N 70B and its like; a slip such as --blow 2.0 is none of the law's covariates."""
    for name in given:
        if name not in (*law.columns, *COVARIATES):
            takes = " and ".join(f"--{c}" for c in law.columns)
            raise LawError(f"there is no option --{name}: law {law.name} takes {takes}; see bayesscale predict --help")
    return {name: numbers(words, option=name) for name, words in given.items()}


def _named_columns(made, law) -> list[str]:
    """Choose what tells targets apart: the covariates of the law, and labels such as a run's name."""
    return [k for k in made.targets if k in law.columns or made.targets[k].dtype.kind not in "iufb"]


def _example_of(law) -> str:
    values = {"N": "70B", "D": "1.4T", "C": "6e23"}
    return " ".join(f"--{c} {values.get(c, '...')}" for c in law.columns)
