"""How what an evaluation finds is shown: a line that says what it is, a table of numbers, and notes in words."""

from __future__ import annotations

from html import escape
from typing import ClassVar

import pandas as pd

__all__ = ["Finding"]


class Finding:
    """A table with words around it, for a terminal and a notebook.

    A class of this form has ``_headline()`` and ``notes``, and ``table`` or another table in ``_shown()``.
    """

    _numbers: ClassVar[str] = ".3g"

    def _shown(self) -> pd.DataFrame:
        return self.table

    def __repr__(self):
        table = self._shown().to_string(float_format=f"{{:{self._numbers}}}".format)
        return "\n".join([self._headline(), table, *self.notes])

    def _repr_html_(self):
        table = self._shown().to_html(float_format=f"{{:{self._numbers}}}".format, border=0)
        return f"<p><b>{escape(self._headline())}</b></p>{table}{''.join(f'<p>{escape(x)}</p>' for x in self.notes)}"
