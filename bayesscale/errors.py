"""What can go wrong by a user's hand, said in the user's words.

Every message names the column, the row, the value and the remedy where there is one.
"""

from __future__ import annotations

__all__ = [
    "BayesscaleError",
    "BayesscaleWarning",
    "DatasetError",
    "FileError",
    "LawError",
    "NumberError",
    "RunsError",
    "RunsWarning",
    "SamplingError",
    "SamplingWarning",
]


class BayesscaleError(Exception):
    """Base of every error that bayesscale raises on purpose."""


class NumberError(BayesscaleError, ValueError):
    """A text that should be a number ("7B", "1.4T", "6e21") is not one."""


class RunsError(BayesscaleError, ValueError):
    """A table of runs cannot be used as it stands.

    Parameters
    ----------
    problems : sequence of str
        Each names the column, the row, the value and the remedy. All problems of a table come in one error.

    Attributes
    ----------
    problems : tuple of str
    """

    def __init__(self, problems):
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        if len(self.problems) == 1:
            super().__init__(self.problems[0])
        else:
            super().__init__("\n".join([f"{len(self.problems)} problems:", *self.problems]))


class LawError(BayesscaleError, ValueError):
    """A law is not known, is declared wrongly, or does not fit the table or the file it is used with."""


class FileError(BayesscaleError, OSError):
    """A file cannot be read as a saved posterior."""


class DatasetError(BayesscaleError, OSError):
    """A public table of runs cannot be had: unknown name, no network, or a wrong checksum."""


class SamplingError(BayesscaleError, RuntimeError):
    """The posterior could not be sampled at all: nowhere is the likelihood finite."""


class BayesscaleWarning(UserWarning):
    """Base of every warning that bayesscale gives."""


class RunsWarning(BayesscaleWarning):
    """A table of runs can be used, but something in it deserves a second look."""


class SamplingWarning(BayesscaleWarning):
    """The sampler did not do well enough for the numbers to be trusted as they stand."""
