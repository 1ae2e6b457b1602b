"""The verbs that say what there is: laws and datasets."""

from __future__ import annotations

from pathlib import Path

import bayesscale as bs
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.cli.options import COVARIATES, Flag, output_file
from bayesscale.errors import DatasetError

__all__ = ["datasets", "laws"]

WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


def laws(name: str | None = None, /, *, json: Flag = False):
    """List the laws, or show one with its priors.

    Parameters
    ----------
    name
        The law to show.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale laws
    bayesscale laws chinchilla
    bayesscale laws "power(C)" --json
    """
    from bayesscale.law import named, names
    from bayesscale.priors import describe

    found = [named(law) for law in ([name] if name else names())]
    if json:
        said = [{k: getattr(law, k) for k in ("name", "formula", "columns", "gives", "source")} for law in found]
        for record, law in zip(said, found, strict=True):
            record["priors"] = {k: describe(d) for k, d in law.priors().items()}
        show.print_json(said[0] if name else said)
    elif name:
        show.text(repr(found[0]))
    else:
        show.print_table(["law", "formula"], [[_called(law), law.formula] for law in found], left=2)
        show.text()
        show.text('x is any column: say which, as in "power(C)" (the quotes are for the shell).')
        show.text("bayesscale laws NAME shows a law with its priors and its source.")


def datasets(name: str | None = None, /, *, out: Path | None = None, json: Flag = False):
    """List the datasets, or look at one and write it to a file.

    Parameters
    ----------
    name
        The dataset; one that is published elsewhere is downloaded once and checked.
    out
        Write its table to this .csv, .tsv or .parquet file.
    json
        Print one JSON document instead.

    Examples
    --------
    bayesscale datasets
    bayesscale datasets simulated-ladder --out ladder.csv
    """
    if name is None:
        listing = bs.datasets.listing()
        if out:
            raise DatasetError(f"--out {out}: say which dataset: {', '.join(listing['name'])}")
        if json:
            show.print_json(listing.to_dict("records"))
            return
        for entry in listing.itertuples():
            where = ", to be downloaded" if entry.download else ""
            show.text(f"{entry.name}: {entry.rows} rows for {entry.fits}{where}", style="bold")
            show.text(f"{entry.source}\nlicence: {entry.licence}", indent=2)
        show.text()
        show.text("Their names stand for a table everywhere: bayesscale fit simulated-ladder")
        return
    out = out and output_file(out, *WRITERS)
    with doing(f"loading {name}"):
        runs = bs.datasets.load(name)
    if out:
        WRITERS[out.suffix.lower()](runs.table, out)
    if json:
        records = runs.table.to_dict("records")
        show.print_json({"name": name, "about": runs.about, "runs": records, "saved": out and str(out)})
        return
    show.text(repr(runs))
    show.text(f"wrote {out}" if out else "write it to a file with --out runs.csv")


def _called(law) -> str:
    """Write a law as it is asked for: with its columns where they are to be chosen."""
    return law.name if set(law.columns) <= set(COVARIATES) else f"{law.name}({', '.join(law.columns)})"
