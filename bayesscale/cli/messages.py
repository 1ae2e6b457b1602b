"""What the command line says on stderr: what it is doing, warnings, errors."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager

from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError
from rich.console import Console

from bayesscale.errors import BayesscaleWarning

__all__ = ["complain", "doing", "in_cli_words", "say", "spoken_warnings", "usage"]

console = Console(stderr=True, highlight=False)


def say(text: str, *, style: str | None = None) -> None:
    """Write one line, however long."""
    console.print(text, style=style, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """Say what went wrong."""
    say(f"error: {text}", style="red")


@contextmanager
def doing(what: str):
    """Say what takes its time while it does, in a terminal; a log keeps to warnings and errors."""
    # rich itself shows no spinner where stderr is no terminal.
    with console.status(f"{what} ..."):
        yield


@contextmanager
def spoken_warnings():
    """Print each of bayesscale's warnings once, as one line; those of other packages are left as they are."""
    said = set()
    with warnings.catch_warnings():
        python_way = warnings.showwarning

        def show(message, category, filename, lineno, file=None, line=None):
            if not issubclass(category, BayesscaleWarning):
                python_way(message, category, filename, lineno, file, line)
            elif (text := in_cli_words(str(message))) not in said:
                said.add(text)
                say(f"warning: {text}", style="yellow")

        warnings.showwarning = show
        warnings.simplefilter("always", BayesscaleWarning)
        yield


def in_cli_words(text: str) -> str:
    """Turn the remedies of a message, which are in Python, into options: ``columns={"N": "p"}``, ``--columns N=p``."""
    text = re.sub(r"""\b(columns|units)=\{(['"])(\w+)\2: (['"])(.+?)\4\}""", r"--\1 \3=\5", text)
    text = re.sub(r"""\bby=(['"])(\w+)\1""", r"--by \2", text)
    text = re.sub(r"predict\((\w+)=\.\.\.\)", r"--\1 ...", text)
    text = text.replace(".check()", "the fit check")
    sampler = re.compile(r"\b(draws|warmup|target_accept|cutoffs|least)=([\d.]*)")
    return sampler.sub(lambda option: f"--{option[1].replace('_', '-')} {option[2]}".rstrip(), text)


def usage(problem: CycloptsError) -> str:
    """Say in one line what cannot be understood in the arguments, and where to read on."""
    verb = " ".join(["bayesscale", *(problem.command_chain or ())])
    text = " ".join(str(problem).split())
    if isinstance(problem, UnusedCliTokensError):
        text = f"do not know what to do with {' '.join(map(repr, problem.unused_tokens or ()))}"
    elif isinstance(problem, MissingArgumentError) and problem.argument is not None:
        name = problem.argument.name
        text = f"{name} needs a value" if name.startswith("-") else f"{verb} needs a {name}, before any options"
    return f"{text[0].lower()}{text[1:].rstrip('.')}; see {verb} --help"
