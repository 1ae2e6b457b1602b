"""The command line: the Python interface's words, one verb each.

Nothing heavy is imported before a verb needs it: `bayesscale --help` answers at once. Answers go to stdout; what is
being done, warnings and errors go to stderr, a line each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from bayesscale.cli.app import app
from bayesscale.cli.messages import complain, in_cli_words, spoken_warnings, usage
from bayesscale.errors import BayesscaleError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process where none are given.

    Returns
    -------
    int
        Exit status: 0; 2 on bad input, which is said on stderr without a traceback.
    """
    try:
        with spoken_warnings():
            app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as problem:
        complain(usage(problem))
        return 2
    except BrokenPipeError:  # the reader has seen enough, as in `bayesscale laws | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BayesscaleError, OSError) as problem:
        complain(in_cli_words(str(problem)))
        return 2
    return 0
