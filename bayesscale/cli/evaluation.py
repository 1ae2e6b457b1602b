"""The verb that puts forecasts to the test, with the words of the Python function that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import Count, Flag, Number, Reading, Sampling, Words, number, output_file

__all__ = ["backtest"]

READING, SAMPLING = Reading(), Sampling()


def backtest(
    table: str,
    /,
    *,
    laws: Words = ("chinchilla",),
    by: str | None = None,
    cutoffs: Words = ("0.5", "0.65", "0.8"),
    horizon: Number = None,
    least: Count = 8,
    average: Literal["rollout", "loo", "equal"] | None = None,
    out: Path | None = None,
    json: Flag = False,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
):
    """See whether intervals hold: fit the smaller runs of a table, forecast its larger ones.

    Prints how often the 50, 80 and 95% intervals held what was measured, by law and by how far the forecasts went.

    Parameters
    ----------
    table
        One row per training run: a .csv, .tsv or .parquet file, or the name of a dataset.
    laws
        Their names, over a column where it is to be chosen. [default: chinchilla]
    by
        The column that says how large a run is. [default: C, or the only size that the laws take]
    cutoffs
        Where the table is divided, one test each: shares of the runs, or values such as 1e20. [default: 0.5 0.65 0.8]
    horizon
        Only forecast runs up to so many times the cutoff.
    least
        Rows that a fit must have; cutoffs that leave fewer are passed over.
    average
        Also test the average of the laws, with weights learned in this way.
    out
        Write every forecast, with its interval and its scores, to this .csv file.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale backtest runs.csv
    bayesscale backtest runs.csv --laws chinchilla skaling --average equal
    bayesscale backtest runs.csv --no-discrepancy --cutoffs 1e20 1e21 --out tests.csv
    """
    out = out and output_file(out, ".csv")
    # Slips are found before JAX is started.
    cuts = [number(word, option="cutoffs") for word in cutoffs]
    limit = None if horizon is None else number(horizon, option="horizon")
    with doing(f"reading {table}"):
        runs = reading.read(table)
    with doing("starting JAX"):
        from bayesscale.law import named

        chosen = [named(law) for law in laws]
    said = ", ".join(law.name for law in chosen)
    with doing(f"fitting {said} up to {len(cuts)} cutoffs: compiling and sampling"):
        options = dict(by=by, cutoffs=cuts, horizon=limit, least=least, average=average)
        tested = bs.backtest(runs, chosen, **options, **sampling.words())
    if out:
        tested.table.to_csv(out, index=False)
    overall, far = tested.summary(), tested.summary(by=["law", "factor"])
    if json:
        document = {"rows": len(runs), "by": tested.by, "cutoffs": sorted(tested.table["cutoff"].unique())}
        document |= {"laws": overall.reset_index().to_dict("records"), "factors": far.reset_index().to_dict("records")}
        show.print_json(document | {"notes": tested.notes, "saved": out and str(out)})
        return
    count = tested.table["cutoff"].nunique()
    show.text(
        f"{len(runs)} rows of {table}, fitted up to {count} cutoff(s) of {tested.by}, scored beyond", style="bold"
    )
    show.text("how often the 50, 80 and 95% intervals held; width of the 95% interval; bias of the median")
    show.text()
    show.backtest(overall)
    show.heading(f"By how many times the {tested.by} of the cutoff was forecast")
    show.backtest(far)
    show.text()
    for note in tested.notes:
        show.text(note, indent=2)
    if out:
        show.text()
        show.text(f"saved {len(tested.table)} forecasts to {out}")
