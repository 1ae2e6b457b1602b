"""What the verbs' options are made of, and how numbers, NAME=VALUE pairs and tables are read from them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

import bayesscale as bs
from bayesscale.errors import DatasetError, FileError, NumberError, RunsWarning

if TYPE_CHECKING:
    from bayesscale.runs import Runs

__all__ = [
    "COVARIATES",
    "INTERVALS",
    "Acceptance",
    "Count",
    "Draws",
    "Flag",
    "Level",
    "Levels",
    "Number",
    "Pairs",
    "Reading",
    "Sampling",
    "Seed",
    "Warmup",
    "Words",
    "number",
    "numbers",
    "output_file",
    "pairs",
]

COVARIATES = ("N", "D", "C", "B", "S", "lr")
INTERVALS = (0.5, 0.8, 0.95)

Flag = Annotated[bool, Parameter(show_default=False)]
Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]
Pairs = Annotated[Words, Parameter(metavar="NAME=VALUE...")]
Number = Annotated[str | None, Parameter(metavar="NUMBER")]
Level = Annotated[float, Parameter(validator=validators.Number(gt=0, lt=1))]
Levels = Annotated[tuple[Level, ...], Parameter(consume_multiple=True, show_default="0.5 0.8 0.95")]
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Seed = Annotated[int, Parameter(validator=validators.Number(gte=0))]
Draws = Annotated[int, Parameter(validator=validators.Number(gte=4))]
Warmup = Annotated[int | None, Parameter(validator=validators.Number(gte=0))]
Acceptance = Annotated[float, Parameter(validator=validators.Number(gte=0.5, lt=1))]


@Parameter(name="*", group="The table")
@dataclass(frozen=True)
class Reading:
    """How a table of runs is read.

    Parameters
    ----------
    columns
        What your columns are called, where they are not N, D, C, B, S, lr, loss: N=params D=tokens loss=final_loss.
    units
        What your columns are counted in: N=millions, D=billions, C=PF-days, loss=bits, or a factor.
    """

    columns: Pairs = ()
    units: Pairs = ()

    def read(self, source: str, *, about: Iterable[str] = ()) -> Runs:
        """Read a table of runs: a file, or a dataset by its name."""
        given = {"columns": self.columns, "units": self.units, "about": about}
        given = {k: pairs(v, option=k) or None for k, v in given.items()}
        return bs.read_runs(_file_or_dataset(source), **given)

    def read_targets(self, source: str) -> Runs:
        """Read a table of targets: what is a doubt about runs to be fitted (all of one N) is none here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunsWarning)
            return self.read(source)


@Parameter(name="*", group="The sampler")
@dataclass(frozen=True)
class Sampling:
    """How a posterior is sampled.

    Parameters
    ----------
    noise
        How measured values scatter around the law: student-t, normal, laplace; curve: rows are checkpoints of training
        curves; "student-t by N": the runs of one size share an effect, for many runs at a few sizes.
    discrepancy
        The truth may bend away from the law, more so the further from the largest run; without, the law is taken for
        the truth, as papers do.
    seed
        Same seed, same machine: same numbers.
    chains
        Independent chains; R-hat compares them.
    draws
        Draws per chain.
    warmup
        Warm-up steps per chain. [default: 1000, or 300 without a discrepancy for more than 64 rows that share no runs]
    target_accept
        Higher: smaller steps, for a posterior that the sampler finds hard. A fit in trouble is tried again
        at 0.98 with five times the warm-up.
    """

    noise: str = "student-t"
    discrepancy: Annotated[bool, Parameter(negative="--no-discrepancy", show_default=False)] = True
    seed: Seed = 0
    chains: Count = 4
    draws: Draws = 1000
    warmup: Warmup = None
    target_accept: Acceptance = 0.9

    def words(self) -> dict:
        """Return the keyword arguments of `bayesscale.fit`."""
        return asdict(self)


def pairs(words: Iterable[str], *, option: str) -> dict[str, str]:
    """Read NAME=VALUE pairs, separated by spaces or by commas.

    Raises
    ------
    NumberError
        A word is no such pair.
    """
    read = {}
    for word in words:
        for piece in re.split(r",(?=\s*\w+\s*=)", word):
            name, equals, value = piece.partition("=")
            if not (equals and name.strip() and value.strip()):
                raise NumberError(f"--{option}: {piece!r} is not NAME=VALUE; other arguments go before --{option}")
            read[name.strip()] = value.strip()
    return read


def number(word: str, *, option: str) -> float:
    """Read one number such as 70B; the error names the option."""
    from bayesscale.units import parse_number

    return parse_number(word, name=f"--{option}")


def numbers(words: Iterable[str], *, option: str) -> list[float]:
    """Read numbers, several of them separated by commas; "1,000,000" is one."""
    from bayesscale.units import read_number

    pieces = (piece for word in words for piece in (word.split(",") if read_number(word)[1] else [word]))
    return [number(piece, option=option) for piece in pieces]


def output_file(path: Path, *endings: str) -> Path:
    """Return the path if it can be written, before the work is done that it is for.

    The ending is asked for so that a slip does not overwrite the user's own table with a posterior.
    """
    if path.suffix.lower() not in endings:
        raise FileError(f"--out {path}: give a file name that ends in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise FileError(f"--out {path}: there is no folder {path.parent}")
    return path


def _file_or_dataset(source: str):
    path = Path(source).expanduser()
    if path.suffix or path.exists():
        return path
    if source not in bs.datasets.names():
        known = ", ".join(bs.datasets.names())
        raise DatasetError(f"there is no file {source}, and no dataset of this name; there are {known}")
    return bs.datasets.load(source)
