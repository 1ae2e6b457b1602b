"""The figure of the batch size: its numbers are the decision's, and it draws on the axes it is given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError, RunsError
from bayesscale.models import steps_examples, three_term

AT = {"N": "500M", "D": "20B"}


@pytest.fixture(scope="module")
def sweep():
    """Return `three_term` fitted to ten batch sizes at six pairs of N and D."""
    N, D, B = (x.ravel() for x in np.meshgrid([2e8, 5e8], [4e9, 1e10, 2e10], 2.0 ** np.arange(15, 25)))
    terms = dict(E=1.8, A=400.0, alpha=0.35, F=9.0, b=0.3, G=20.0, c=0.25)
    loss = three_term.evaluate(terms, N=N, S=D / B, B=B)
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(N)))
    return bs.fit("three_term", dict(N=N, D=D, B=B, loss=loss), discrepancy=False)


@pytest.fixture(scope="module")
def surface():
    """Return `batch_lr_power` fitted to a grid of factors of two around the optimum, at six pairs of N and D."""
    N, D, i, j = (x.ravel() for x in np.meshgrid([2e8, 5e8], [4e9, 1e10, 2e10], np.arange(-2, 3), np.arange(-2, 3)))
    B, lr = 5.0 * N**-0.15 * D**0.6 * 2.0**i, 6.0 * N**-0.7 * D**0.25 * 2.0**j
    constants = dict(E=1.3, A=60.0, F=38.0, alpha=0.23, beta=0.18, B_0=5.0, B_N=-0.15, B_D=0.6, b=0.2, c=0.3)
    constants |= dict(lr_0=6.0, lr_N=-0.7, lr_D=0.25, p=0.6, q=0.12, k=0.5)
    loss = bs.models.batch_lr_power.evaluate(constants, N=N, D=D, B=B, lr=lr)
    loss = loss * np.exp(0.002 * np.random.default_rng(1).standard_normal(len(N)))
    return bs.fit("batch_lr_power", dict(N=N, D=D, B=B, lr=lr, loss=loss), discrepancy=False)


@pytest.fixture(scope="module")
def steps():
    """Return the hyperbola of two sizes, each fitted to steps at nine batch sizes."""
    B = 2.0 ** np.arange(15, 24)
    scatter = np.exp(0.05 * np.random.default_rng(1).standard_normal((2, 9)))
    true = [steps_examples.evaluate(dict(S_min=1500.0 * k, E_min=2e9 * k**2), B=B) for k in (1, 2)]
    posts = bs.fit_many(
        "steps_examples", [{"B": B, "S": S * e} for S, e in zip(true, scatter, strict=True)], discrepancy=False
    )
    return dict(zip("ab", posts, strict=True))


def said(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_numbers_are_those_of_the_decision(sweep):
    found = bs.optimal_batch(sweep, **AT)
    data = plots.batch_data(sweep, level=0.8, **AT)
    low, high = found.draws["B"].quantile([0.1, 0.9])
    for name, value in dict(best_low80=low, best_high80=high, near_low=found.near_optimal[0]).items():
        np.testing.assert_allclose(data[name], value)
    assert data["B"].min() == pytest.approx(found.draws["B"].median() / 8)
    by_hand = sweep.predict(N=5e8, D=2e10, B=data["B"], kind="mean").draws / found.draws[["loss"]].to_numpy() - 1
    np.testing.assert_allclose(data["median"], np.median(by_hand, axis=0))
    np.testing.assert_allclose(data["high80"], np.quantile(by_hand, 0.9, axis=0))
    assert (by_hand > -1e-9).all()  # over each draw's own least


def test_rate_is_tuned_at_every_batch_unless_given(surface):
    B = [2e5, 4e5, 8e5]
    tuned = plots.batch_data(surface, B=B, **AT)
    at = [bs.optimal_lr(surface, B=size, **AT).draws["loss"] for size in B]
    least = bs.optimal_batch(surface, **AT).draws["loss"]
    np.testing.assert_allclose(tuned["median"], [np.median(x / least - 1) for x in at])
    fixed = plots.batch_data(surface, B=B, lr=1e-3, **AT)
    assert not np.allclose(fixed["median"], tuned["median"], rtol=0.01)
    assert fixed["best"].iloc[0] != pytest.approx(tuned["best"].iloc[0], rel=0.01)


def test_draws_on_the_axes_given(sweep):
    fig, ax = plt.subplots()
    assert plots.batch(sweep, ax=ax, n=9, **AT) is ax
    assert plt.get_fignums() == [fig.number]
    fig.canvas.draw()
    words = ["95% interval", "80% interval", "50% interval", "median", "runs, on the curve's level"]
    assert said(ax) == [*words, "best batch, 95% interval", "costs less than 0.1% more"]
    assert ax.get_legend().get_title().get_text() == "three_term, N = 500M, D = 20B"


def test_runs_lie_on_the_curve_s_level(sweep):
    """The runs of this cell, moved by one factor: their shape is left, their level is the curve's."""
    ax = plots.batch(sweep, **AT)
    data = plots.batch_data(sweep, **AT)
    drawn = next(line for line in ax.lines if line.get_label().startswith("runs")).get_xydata()
    runs = sweep.runs.table.query("N == 5e8 and D == 2e10")
    runs = runs[runs["B"].between(data["B"].min(), data["B"].max())].sort_values("B")
    np.testing.assert_allclose(drawn[:, 0], runs["B"])
    ratio = (1 + drawn[:, 1] / 100) / runs["loss"]
    np.testing.assert_allclose(ratio, ratio.iloc[0])
    curve = np.interp(np.log(drawn[:, 0]), np.log(data["B"]), data["median"])
    assert np.log((1 + drawn[:, 1] / 100) / (1 + curve)).mean() == pytest.approx(0, abs=1e-12)
    assert "runs, on the curve's level" not in said(plots.batch(sweep, N="1B", D="100B", n=9))


def test_several_laws(sweep, surface):
    ax = plots.batch({"one": sweep, "two": surface}, n=5, **AT)
    assert said(ax)[:2] == ["one", "two"]
    data = plots.batch_data({"one": sweep, "two": surface}, n=5, **AT)
    assert data["posterior"].tolist() == ["one"] * 5 + ["two"] * 5
    assert data.groupby("posterior")["best"].nunique().tolist() == [1, 1]


def test_steps(steps):
    data = plots.batch_data(steps, n=7)
    for name, post in steps.items():
        part = data[data["posterior"] == name]
        S_min, E_min = (post.flat_draws[k] for k in ("S_min", "E_min"))
        np.testing.assert_allclose(part["critical"], np.median(E_min / S_min), rtol=1e-6)
        by_hand = S_min[:, None] + E_min[:, None] / part["B"].to_numpy()
        np.testing.assert_allclose(part["low95"], np.quantile(by_hand, 0.025, axis=0), rtol=1e-6)
    ax = plots.batch(steps, n=7)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert said(ax) == ["a", "b", "runs", "critical batch E_min/S_min, 95% interval"]
    alone = plots.batch(steps["a"], n=7)
    fewest = np.median(steps["a"].flat_draws["S_min"])
    assert any(np.allclose(line.get_ydata(), fewest, rtol=1e-6) for line in alone.lines)


def test_refusals(fitted, sweep, steps):
    with pytest.raises(LawError, match="no batch size in the law of chinchilla"):
        plots.batch(fitted, **AT)
    with pytest.raises(LawError, match="no posterior"):
        plots.batch({}, **AT)
    with pytest.raises(LawError, match="draw them apart"):
        plots.batch({"one": sweep, **steps}, **AT)
    with pytest.raises(RunsError, match="two positive batch sizes or more"):
        plots.batch(sweep, B="1M", **AT)
    with pytest.raises(RunsError, match="needs D"):
        plots.batch(sweep, N="1B")


def test_one_posterior_is_named_after_its_law(sweep):
    pd.testing.assert_frame_equal(
        plots.batch_data(sweep, n=3, **AT), plots.batch_data({"three_term": sweep}, n=3, **AT)
    )
