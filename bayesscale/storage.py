"""Posteriors on disk: one NetCDF file that any NetCDF reader opens, and that `load` turns back into a `Posterior`.

The file holds the ArviZ groups and, as JSON in a group of its own, the law, the priors, the settings, the versions, the
table of runs and its fingerprint. Reading one never runs code from it.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from bayesscale import law as laws
from bayesscale import noise as noises
from bayesscale import priors
from bayesscale.discrepancy import Discrepancy
from bayesscale.errors import FileError, LawError
from bayesscale.forecast import expectation
from bayesscale.law import Law
from bayesscale.noise import Noise
from bayesscale.posterior import Posterior
from bayesscale.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load", "save"]

FORMAT = 1
GROUP = "bayesscale"
# Enough of the law's own numbers to tell it from any other law, in a few hundred bytes.
DRAWS, ROWS = 3, 8
# What JSON gives back as it was.
PLAIN = (bool, int, float, str)


def save(post: Posterior, path: str | os.PathLike) -> None:
    """Write a posterior to a NetCDF file; see `Posterior.save`."""
    import xarray as xr

    labels = _labels(post.runs.table.index)
    header = dict(
        format=FORMAT,
        law=_law_header(post.law),
        noise=dict(name=str(post.noise), priors={k: _written(d) for k, d in post.noise.priors().items()}),
        discrepancy=post.discrepancy and post.discrepancy.to_spec(),
        about=post.runs.about,
        fingerprint=post.runs.fingerprint,
        centers=dict(post.centers),
        mode={k: v.tolist() for k, v in post.mode.items()},
        settings=dict(post.settings),
        expected=_expected(post).tolist(),
        versions={k: version(k) for k in ("bayesscale", "jax", "numpyro", "numpy")},
        runs=dict(rows=labels, **_table_as_json(post.runs.table)),
    )
    tree = post.data.copy()
    for group in tree.children.values():
        if "row" in group.coords:
            group.coords["row"] = labels
    tree[GROUP] = xr.DataTree(xr.Dataset({"header": json.dumps(header, default=_plain)}))
    path = Path(path)
    # Written beside and moved: an interrupted save never leaves half a file under the name.
    unfinished = path.with_name(path.name + ".part")
    try:
        tree.to_netcdf(unfinished, engine="h5netcdf")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike, *, law: Law | None = None, noise: Noise | None = None) -> Posterior:
    """Read a posterior that `Posterior.save` wrote; it forecasts exactly as before.

    Parameters
    ----------
    path : path
    law : Law, optional
        The law, where it is one of your own that is not declared in this session, or has priors that no file holds.
    noise : Noise, optional
        The noise, where it is one of your own, or has priors that no file holds.

    Returns
    -------
    Posterior

    Raises
    ------
    FileError
        There is no such file, it is not a posterior, or a newer version wrote it.
    LawError
        The law or the noise is not known here, or is not the one that was fitted; or its priors are others.
    """
    tree = _read(Path(path))
    header = json.loads(str(tree[GROUP]["header"].item()))
    if header["format"] > FORMAT:
        raise FileError(
            f"{path} was written by bayesscale {header['versions']['bayesscale']} in format {header['format']}; this "
            f"version reads up to {FORMAT}: upgrade bayesscale"
        )
    found = _find_law(header["law"], law, path)
    runs = Runs(_table_from_json(header["runs"]), header["about"])
    if runs.fingerprint != header["fingerprint"]:
        raise FileError(f"{path}: the table of runs in the file is not the one that was fitted; the file is damaged")
    post = Posterior(
        law=found,
        noise=_find_noise(header["noise"], noise, path),
        runs=runs,
        draws={k: v.to_numpy() for k, v in tree["posterior"].data_vars.items()},
        stats={k: v.to_numpy() for k, v in tree["sample_stats"].data_vars.items()},
        mode=header["mode"],
        centers=header["centers"],
        settings=header["settings"],
        discrepancy=Discrepancy.from_spec(header["discrepancy"]) if header.get("discrepancy") else None,
    )
    if not _is_the_law(post, header):
        raise LawError(
            f"{path} was fitted with another law of the name {found.name} ({header['law']['formula']}): the law here "
            "has other parameters, or gives other values for the same ones; pass the one that was fitted: "
            "load(path, law=...)"
        )
    _compare_priors(header["law"]["priors"], found, path, "law", "law=law.with_priors(...)")
    return post


def _is_the_law(post, header) -> bool:
    says = post.law.priors().keys(), list(post.law.columns), post.law.gives
    told = header["law"]["priors"].keys(), header["law"]["columns"], header["law"]["gives"]
    return says == told and np.allclose(_expected(post), header["expected"], rtol=1e-6)


def _compare_priors(told, model, path, what, remedy):
    """Refuse a law or a noise with other priors than those of the fit, given as texts by name."""
    here = {k: priors.describe(d) for k, d in model.priors().items()}
    differ = [f"{k} ~ {text} in the file, {here.get(k)} here" for k, text in told.items() if here.get(k) != text]
    if differ:
        raise LawError(
            f"{path} was fitted with other priors of {what} {model.name}: {'; '.join(differ)}; pass the {what} with "
            f"the priors of the file: load(path, {remedy})"
        )


def _expected(post) -> np.ndarray:
    """Return the law's values for a few draws at a few rows, by which a law is known again."""
    parameters = {k: v[:DRAWS] for k, v in post.flat_draws.items()}
    x = {c: post.runs.column(c)[:ROWS] for c in post.law.columns}
    return expectation(post.law, parameters, x, post.centers)


def _table_as_json(table):
    """Write a table so that its floats come back to the last bit and its texts with their gaps.

    What is neither a number nor a text, such as a date, is written as the text by which the fingerprint knows it.
    """
    columns = {
        str(c): [
            None if missing else v if type(v) in PLAIN else str(v)
            for v, missing in zip(table[c].tolist(), table[c].isna(), strict=True)
        ]
        for c in table
    }
    return dict(columns=columns, numeric=[str(c) for c in table if is_numeric_dtype(table[c])])


def _table_from_json(written) -> pd.DataFrame:
    columns = {}
    for name, cells in written["columns"].items():
        column = pd.Series(cells)
        if name in written["numeric"]:
            column = pd.to_numeric(column)  # a column of gaps only would be one of objects
        elif is_numeric_dtype(column):
            column = pd.Series(cells, dtype=object)  # numbers that were kept as objects, or as categories
        columns[name] = column.array
    return pd.DataFrame(columns, index=written["rows"])


def _labels(index) -> list:
    """Return row labels as a file can hold them: as they are where all are numbers or all texts, else as texts."""
    labels = index.tolist()
    return labels if {type(x) for x in labels} in ({int}, {float}, {str}) else [str(x) for x in labels]


def _plain(x):
    """Write what JSON does not know: NumPy's scalars as Python's, anything else as text."""
    return x.item() if isinstance(x, np.generic) else str(x)


def _law_header(law):
    return dict(
        name=law.name,
        formula=law.formula,
        columns=law.columns,
        gives=law.gives,
        source=law.source,
        replaced={k: _written(d) for k, d in law.replaced.items()},
        priors={k: priors.describe(d) for k, d in law.priors().items()},
    )


def _written(d):
    return dict(text=priors.describe(d), spec=priors.to_spec(d))


def _find_law(header, law, path) -> Law:
    if law is not None:
        if law.name != header["name"]:
            raise LawError(f"{path} holds a posterior of law {header['name']}, not of {law.name}")
        return law
    try:
        found = laws.named(header["name"])
    except LawError:
        raise LawError(
            f"{path} holds a posterior of law {header['name']} ({header['formula']}), which is not declared here: run "
            "the cell that declares it, or pass it: load(path, law=...)"
        ) from None
    remedy = "pass the law with it: load(path, law=law.with_priors(...))"
    found = found if found.bound else found(*header["columns"])
    return found.with_priors(**{k: _rebuilt(k, d, path, remedy) for k, d in header["replaced"].items()})


def _find_noise(header, noise, path) -> Noise:
    if noise is not None:
        if str(noise) != header["name"]:
            raise LawError(f"{path} holds a posterior with noise {header['name']}, not {noise}")
        told = {k: d["text"] for k, d in header["priors"].items()}
        _compare_priors(told, noise, path, "noise", f"noise={type(noise).__name__}(...)")
        return noise
    try:
        found = noises.named(header["name"])
    except LawError:
        raise LawError(
            f"{path} holds a posterior with noise {header['name']}, which bayesscale does not have: pass it: "
            "load(path, noise=...)"
        ) from None
    remedy = f"pass the noise with it: load(path, noise={type(found).__name__}(...))"
    return replace(found, **{k: _rebuilt(k, d, path, remedy) for k, d in header["priors"].items()})


def _rebuilt(name, written, path, remedy):
    if written["spec"] is None:
        raise LawError(f"{path}: the prior of {name}, {written['text']}, cannot be rebuilt from a file; {remedy}")
    return priors.from_spec(written["spec"])


def _read(path: Path) -> xr.DataTree:
    import xarray as xr

    if not path.is_file():
        raise FileError(f"there is no file {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError) as problem:
        raise FileError(f"{path} is not a NetCDF file: {problem}") from None
    if GROUP not in tree.children:
        raise FileError(f"{path} is a NetCDF file, but not a posterior of bayesscale")
    return tree
