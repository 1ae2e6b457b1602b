"""The figure of the frontier: its numbers are the decision's, and it draws on the axes it is given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError, RunsError

QUANTITIES = ("N", "D", "tokens_per_parameter", "loss")


@pytest.fixture(scope="module")
def tied(ladder):
    return bs.fit("chinchilla_tied", ladder, discrepancy=False)


def said(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("what", QUANTITIES)
def test_numbers_are_those_of_the_decision(fitted, what):
    C = ["1e20", "1e22", "1e23"]
    data = plots.frontier_data(fitted, C=C, what=what)
    pd.testing.assert_frame_equal(data.drop(columns=["posterior", "beyond"]), bs.frontier(fitted, C=C).table(what))
    assert set(data["posterior"]) == {"chinchilla"}
    assert (data["beyond"] == (data["C"] > fitted.runs.column("C").max())).all()


def test_budgets(fitted):
    runs = fitted.runs.column("C")
    data = plots.frontier_data(fitted, n=5)
    np.testing.assert_allclose(data["C"].iloc[[0, -1]], [runs.min(), 10 * runs.max()])
    np.testing.assert_allclose(plots.frontier_data(fitted, C=("1e20", "1e24"), n=5)["C"], 10.0 ** np.arange(20, 25))


def test_several_posteriors(fitted, tied):
    data = plots.frontier_data({"a": fitted, "b": tied}, n=4)
    assert data["posterior"].tolist() == ["a"] * 4 + ["b"] * 4
    tie = data[data["posterior"] == "b"]
    np.testing.assert_allclose(tie["exponent"], 0.5, atol=1e-5)  # one exponent: N and D grow alike
    ax = plots.frontier({"a": fitted, "b": tied}, n=4)
    assert [text.split(":")[0] for text in said(ax)] == ["a", "b"]
    assert len({line.get_color() for line in ax.lines}) == 2


@pytest.mark.parametrize("what", QUANTITIES)
def test_frontier_draws_on_the_axes_given(fitted, what):
    fig, ax = plt.subplots()
    assert plots.frontier(fitted, what=what, ax=ax, n=5) is ax
    assert plt.get_fignums() == [fig.number]
    fig.canvas.draw()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_ylabel().startswith("compute-optimal ")
    assert said(ax) == ["95% interval", "80% interval", "50% interval", "median", "runs"]
    exponent = plots.frontier_data(fitted, what=what, n=5)["exponent"]
    title = ax.get_legend().get_title().get_text()
    assert title.startswith("chinchilla: ")
    assert f"{exponent.iloc[3]:.2f}".replace("-", "\N{MINUS SIGN}") in title or what == "loss"
    assert ("FLOP" in title) == (what == "loss")  # the exponent of the loss is another one at every budget
    assert [text.get_text() for text in ax.texts] == ["largest run"]
    marked = next(line for line in ax.lines if len(set(line.get_xdata())) == 1)
    assert marked.get_xdata()[0] == fitted.runs.column("C").max()


def test_near_optimal_outline(fitted):
    ax = plots.frontier(fitted, n=4, near_optimal=True, tolerance=0.002)
    data = plots.frontier_data(fitted, n=4, tolerance=0.002)
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 4]
    for end in ("near_low", "near_high"):
        assert any(np.array_equal(y, data[end]) for y in drawn)
    assert "within 0.2% of the least loss" in said(ax)
    with pytest.raises(LawError, match="near-optimal range is one of N, D"):
        plots.frontier(fitted, what="loss", near_optimal=True)


def test_published_points_and_lines(fitted):
    published = {
        "law": lambda C: 0.09 * C**0.5,
        "models": dict(C=["1e22", "1e23"], D=["200B", "1T"], low=[5e9, 1e10], high=[1e10, 3e10]),
        "one": dict(C="1e23", N="20B"),
    }
    ax = plots.frontier(fitted, n=4, published=published)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["law"].get_ydata(), 0.09 * lines["law"].get_xdata() ** 0.5)
    points = {c.get_label(): c.lines[0].get_xydata() for c in ax.containers}
    np.testing.assert_allclose(points["models"], [[1e22, 1e22 / 6 / 2e11], [1e23, 1e23 / 6 / 1e12]])  # N follows
    np.testing.assert_allclose(points["one"], [[1e23, 2e10]])
    assert said(ax)[-3:] == ["law", "models", "one"]
    with pytest.raises(RunsError, match="published 'x' lacks N"):
        plots.frontier(fitted, n=4, published={"x": dict(C=[1e22])})


def test_refusals(fitted, ladder):
    with pytest.raises(LawError, match="a frontier is drawn of N, D, tokens_per_parameter, loss, not of 'B'"):
        plots.frontier(fitted, what="B")
    with pytest.raises(RunsError, match="two positive budgets or more"):
        plots.frontier(fitted, C="1e22")
    with pytest.raises(LawError, match="no posterior"):
        plots.frontier({})
    with pytest.raises(LawError, match="needs a law in N and D"):
        plots.frontier(bs.fit("power(C)", ladder, discrepancy=False))
