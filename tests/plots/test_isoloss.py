"""The contours: their numbers are forecasts, and pale where there are no runs."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError, RunsError


def test_the_surface_is_the_forecast(fitted):
    data = plots.isoloss_data(fitted, n=5, level=0.9)
    said = fitted.predict(data[["N", "D"]], kind="mean")
    np.testing.assert_allclose(data["median"], said.median)
    np.testing.assert_allclose(data[["low90", "high90"]].T, said.interval(0.9))
    np.testing.assert_allclose(data["C"], 6 * data["N"] * data["D"])
    N = fitted.runs.column("N")
    np.testing.assert_allclose([data["N"].min(), data["N"].max()], [N.min() / 3, N.max() * 3])


def test_inside_is_the_convex_hull_of_the_logarithms(fitted):
    """The ladder has 20 to 200 tokens per parameter at each size: a parallelogram."""
    data = plots.isoloss_data(fitted, n=25)
    N, ratio = fitted.runs.column("N"), data["D"] / data["N"]
    expected = data["N"].between(N.min(), N.max()) & ratio.between(20, 200)
    assert (data["inside"] == expected).all()
    assert 0 < expected.sum() < len(data)


def test_runs_on_one_line_have_no_inside(ladder):
    on_ray = ladder.select(np.isclose(ladder.column("D") / ladder.column("N"), 40))
    with pytest.warns(bs.errors.RunsWarning):
        post = bs.fit("chinchilla_tied", bs.read_runs(on_ray.table), discrepancy=False)
    assert not plots.isoloss_data(post, n=4)["inside"].any()
    ax = plots.isoloss(post, n=8)
    assert "equal loss, among the runs" not in [text.get_text() for text in ax.get_legend().get_texts()]


def test_isoloss_draws_on_the_axes_given(fitted):
    fig, ax = plt.subplots()
    assert plots.isoloss(fitted, ax=ax, n=12, C=["1e20", "1e22"], losses=[2.3, 2.5, 9.0], level=0.8) is ax
    assert plt.get_fignums() == [fig.number]
    fig.canvas.draw()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == [
        *("equal loss, among the runs", "beyond their convex hull"),
        *("compute-optimal", "its 80% interval", "runs"),
    ]
    assert ax.get_legend().get_title().get_text().startswith("chinchilla: expected loss [nats/token]")
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["2.5", "2.3", "1e20 FLOP", "1e22 FLOP"], "no contour of 9 nats"
    optimal = next(line for line in ax.lines if line.get_label() == "compute-optimal").get_xydata()
    for N, D in optimal[[0, -1]]:
        np.testing.assert_allclose(N, bs.allocate(fitted, C=6 * N * D).draws["N"].median(), rtol=1e-6)
    dotted = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose([6 * ends.prod(axis=1) for ends in dotted], [[1e20] * 2, [1e22] * 2])


def test_a_budget_in_the_corner_is_not_drawn(fitted):
    """There its name would lie across the axis."""
    ax = plots.isoloss(fitted, n=8, losses=[2.3], C=[])
    corner = 6 * ax.get_xlim()[0] * ax.get_ylim()[0]
    ax = plots.isoloss(fitted, n=8, losses=[2.3], C=[1.5 * corner, 100 * corner])
    assert len([line for line in ax.lines if len(line.get_xdata()) == 2]) == 1
    assert len([text for text in ax.texts if "FLOP" in text.get_text()]) == 1


def test_contours_beside_the_frame_are_where_the_loss_is(fitted):
    ax = plots.isoloss(fitted, n=60, losses=[2.3, 2.5], C=[])
    bottom, top = ax.get_ylim()
    for text in ax.texts:
        D = bottom * (top / bottom) ** text.xy[1]
        loss = fitted.predict(N=ax.get_xlim()[1], D=D, kind="mean").median[0]
        assert loss == pytest.approx(float(text.get_text()), abs=1e-3)


def test_refusals(fitted, ladder):
    with pytest.raises(LawError, match="isoloss needs a law in N and D"):
        plots.isoloss(bs.fit("power(C)", ladder, discrepancy=False))
    with pytest.raises(RunsError, match="N is two positive numbers"):
        plots.isoloss(fitted, N="1B")
    with pytest.raises(RunsError, match="D is two positive numbers"):
        plots.isoloss(fitted, D=("10B", "1B"))
