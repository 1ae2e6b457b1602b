"""How findings are shown: the same words in a terminal and in a notebook."""

import pandas as pd

from bayesscale.evaluate.finding import Finding


class Heights(Finding):
    _numbers = ".1f"
    table = pd.DataFrame(dict(height=[1.234, 5.678]), index=["a", "b"])
    notes = ("most forecasts went <2x", "b is odd")

    def _headline(self):
        return "heights & more"


def test_a_finding_is_a_line_a_table_and_notes():
    first, *rows, much, odd = repr(Heights()).splitlines()
    assert (first, much, odd) == ("heights & more", "most forecasts went <2x", "b is odd")
    assert rows[1].split() == ["a", "1.2"]


def test_html_says_the_same_and_takes_no_word_for_markup():
    html = Heights()._repr_html_()
    assert "<b>heights &amp; more</b>" in html
    assert "<td>5.7</td>" in html
    assert "<p>most forecasts went &lt;2x</p><p>b is odd</p>" in html
