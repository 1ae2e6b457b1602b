"""The figures: their numbers are the posterior's own, and they draw on the axes they are given."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.checks import contraction
from bayesscale.elpd import waic
from bayesscale.errors import LawError, RunsError
from bayesscale.law import law, prior, sample, value_at_center
from bayesscale.plots.path import path

LAWS = ("chinchilla", "chinchilla_tied", "power(C)", "power(N)", "pure_power(D)")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def posts(ladder, fitted):
    return {"chinchilla": fitted, **{name: bs.fit(name, ladder, discrepancy=False) for name in LAWS[1:]}}


@pytest.fixture(scope="session")
def post(posts):
    return posts["chinchilla"]


@pytest.fixture(scope="session")
def with_batch(ladder):
    """A user's law of three covariates, one of which has no place in compute."""

    @law(takes=("N", "D", "B"), gives="loss")
    def plot_test_batch_law(N, D, B):
        """L = a N^-alpha D^-alpha B^-gamma"""
        alpha = sample("alpha", prior.exponent(0.1, spread=0.5))
        gamma = sample("gamma", prior.exponent(0.02, spread=0.5))
        return value_at_center() * (N / N.center) ** -alpha * (D / D.center) ** -alpha * (B / B.center) ** -gamma

    table = ladder.table.assign(B=np.geomspace(2.0**18, 2.0**22, len(ladder)))
    return bs.fit(plot_test_batch_law, table, discrepancy=False)


@pytest.fixture(scope="session")
def compared(posts):
    return bs.compare([posts["power(C)"], posts["chinchilla"], posts["chinchilla_tied"]])


def texts(ax):
    return [t.get_text() for t in ax.texts]


# -- forecast ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAWS)
def test_the_fan_of_every_law_is_its_forecast_and_nested(posts, name):
    post = posts[name]
    table = plots.forecast_data(post, n=5)
    x = "C" if len(post.law.columns) > 1 else post.law.columns[0]
    assert table[x].iloc[0] == pytest.approx(post.runs.column(x).min())
    assert table[x].iloc[-1] == pytest.approx(10 * post.runs.column(x).max())
    for _, row in table.iterrows():
        at = {c: row[c] for c in post.law.columns}
        said = post.predict(**at).table().iloc[0]
        pd.testing.assert_series_equal(row[said.index].astype(float), said, check_names=False)
    inwards = ["low95", "low80", "low50", "median", "high50", "high80", "high95"]
    assert (table[inwards].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


def test_the_fan_keeps_tokens_per_parameter(post):
    N, D = post.runs.column("N"), post.runs.column("D")
    for x in ("C", "N", "D"):
        fan = plots.forecast_data(post, x=x, n=4)
        np.testing.assert_allclose(fan["D"] / fan["N"], np.exp(np.log(D / N).mean()))
        np.testing.assert_allclose(fan["C"], 6 * fan["N"] * fan["D"])
    fan = plots.forecast_data(post, n=4, tokens_per_parameter="20")
    np.testing.assert_allclose(fan["D"] / fan["N"], 20.0)


def test_what_is_off_the_path_is_held_at_its_center_and_said(with_batch):
    fan = plots.forecast_data(with_batch, n=4)
    np.testing.assert_allclose(fan["B"], 2.0**20)
    assert "tokens per parameter, B = 1.05M" in plots.forecast(with_batch, n=4).get_xlabel()
    against_batch, said = path(with_batch, "B", [1e5, 1e6])
    np.testing.assert_allclose(against_batch["N"], with_batch.centers["N"])
    assert said.startswith("N = ")


def test_mean_and_new_run_differ_by_the_noise(post):
    mean, new = (plots.forecast_data(post, n=3, kind=kind, level=0.9) for kind in ("mean", "new-run"))
    assert ((new["high90"] - new["low90"]) > (mean["high90"] - mean["low90"])).all()
    assert "low95" not in mean


def test_targets_may_lie_on_the_fan_or_off_it(post):
    on_fan = plots.forecast_data(post, targets="1e23", n=3)
    assert list(on_fan["part"]) == ["fan", "fan", "fan", "target"]
    np.testing.assert_allclose(on_fan[["N", "D", "C", "median"]].iloc[3], on_fan[["N", "D", "C", "median"]].iloc[2])
    asked = dict(N=["70B", "12B"], D=["1.4T", "3T"])
    off_fan = plots.forecast_data(post, targets=asked, n=3).query("part == 'target'")
    said = post.predict(**asked).table()
    pd.testing.assert_frame_equal(off_fan[said.columns].reset_index(drop=True), said)
    again = plots.forecast_data(post, targets=said, n=3)  # a forecast's own table, with its numbers in it
    np.testing.assert_array_equal(again["median"].iloc[3:], said["median"])


def test_forecast_draws_on_the_axes_given(post):
    fig, ax = plt.subplots()
    assert plots.forecast(post, ax=ax, targets=["1e22", "1e23"], n=5) is ax
    assert plt.get_fignums() == [fig.number]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel().startswith("training compute C [FLOP]\nfan: ")
    assert ax.get_ylabel() == "loss [nats/token]"
    said = [t.get_text() for t in ax.get_legend().get_texts()]
    assert said == ["95% interval", "80% interval", "50% interval", "median", "runs", "targets, 95% interval"]
    assert ax.get_legend().get_title().get_text() == "chinchilla: one new run"
    median = plots.forecast_data(post, targets=["1e22", "1e23"], n=5)["median"].iloc[-1]
    assert texts(ax)[0] == "largest run"
    assert texts(ax)[1].startswith(f"{median:.3f}\n"), "the last target is labelled with its median"
    edge = next(line for line in ax.lines if len(set(line.get_xdata())) == 1)
    assert edge.get_xdata()[0] == post.runs.column("C").max()
    runs = next(c for c in ax.collections if len(c.get_offsets()) == len(post.runs))
    np.testing.assert_allclose(runs.get_offsets()[:, 1], post.runs.column("loss"))


@pytest.mark.parametrize("name", LAWS)
def test_forecast_makes_axes_of_its_own(posts, name):
    ax = plots.forecast(posts[name], n=3, level=0.9)
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["90% interval", "median", "runs"]
    assert ("fan" in ax.get_xlabel()) == (len(posts[name].law.columns) > 1)


def test_forecast_against_what_the_law_does_not_know(posts, post):
    with pytest.raises(LawError, match="power\\(C\\) does not depend on B: draw it against C"):
        path(posts["power(C)"], "B", [1e6])
    with pytest.raises(RunsError, match="needs D"):
        plots.forecast(post, targets={"N": "70B"})
    with pytest.raises(LawError, match="positive number such as 20"):
        plots.forecast(post, tokens_per_parameter=-1)


def test_tokens_per_parameter_must_come_from_somewhere(ladder):
    bare = bs.fit("power(N)", bs.read_runs(ladder.table[["N", "loss"]]), discrepancy=False)
    assert "C" not in plots.forecast_data(bare, n=3)
    with pytest.raises(LawError, match="tokens_per_parameter="):
        path(bare, "C", [1e20])
    frame, said = path(bare, "C", [1.2e20], tokens_per_parameter=20)
    assert frame["N"].tolist() == pytest.approx([1e9])
    assert said == "20 tokens per parameter"


# -- residuals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAWS)
def test_residuals_are_measured_over_median_expectation(posts, name):
    post = posts[name]
    table = plots.residuals_data(post)
    expected = post.predict(post.runs, kind="mean").median
    np.testing.assert_allclose(table["expected"], expected)
    np.testing.assert_allclose(table["residual"], 100 * (post.runs.column("loss") - expected) / expected)
    assert ((table["low95"] < 0) & (table["high95"] > 0)).all()
    assert (table["outside"] == ~table["residual"].between(table["low95"], table["high95"])).all()


def test_the_noise_band_is_the_posterior_predictive_one(post):
    table = plots.residuals_data(post)
    new = post.predict(post.runs.table[["N", "D"]], kind="new-run").draws
    mean = post.predict(post.runs.table[["N", "D"]], kind="mean").draws
    low, high = 100 * (np.quantile(new / mean, [0.025, 0.975]) - 1)
    assert table["low95"].median() == pytest.approx(low, rel=0.1)
    assert table["high95"].median() == pytest.approx(high, rel=0.1)


def test_a_known_measurement_error_widens_the_band_of_its_row(ladder):
    error = np.where(np.arange(len(ladder)) == 3, 0.3, 0.0)
    post = bs.fit("power(C)", ladder.table.assign(loss_error=error), discrepancy=False)
    width = plots.residuals_data(post).eval("high95 - low95")
    assert width[3] > 2 * width.drop(3).max()


def test_outliers_are_named_by_their_row(ladder):
    table = ladder.table.set_axis([f"run-{i}" for i in range(len(ladder))])
    table.loc["run-5", "loss"] *= 1.5
    post = bs.fit("power(C)", table, discrepancy=False)
    data = plots.residuals_data(post)
    assert data.index[data["outside"]].tolist() == ["run-5"]
    (ax,) = plots.residuals(post, against="C")
    assert texts(ax) == ["run-5"]


def test_residuals_draw_on_the_axes_given(post):
    fig, given = plt.subplots(2, 1)
    axes = plots.residuals(post, against=("N", "C"), axes=given)
    assert list(axes) == list(given) and plt.get_fignums() == [fig.number]
    assert [ax.get_xlabel() for ax in axes] == ["parameters N", "training compute C [FLOP]"]
    assert axes[0].get_ylabel() == "residual of the loss [%]"
    with pytest.raises(LawError, match="2 panels need 2 axes, not 1"):
        plots.residuals(post, against=("N", "C"), axes=given[0])
    with pytest.raises(RunsError, match="lr"):
        plots.residuals(post, against="lr")


def test_residuals_against_all_there_is(with_batch, post):
    assert [ax.get_xlabel() for ax in plots.residuals(with_batch)][-1] == "batch size B [tokens]"
    assert len(plots.residuals(post)) == 3


# -- prior and posterior -----------------------------------------------------------------------------------------------


def test_densities_are_the_priors_and_the_draws(post):
    table = plots.prior_posterior_data(post)
    assert list(table["parameter"].unique()) == [*post.law.priors(), "sigma", "nu"]
    alpha = table[table["parameter"] == "alpha"].set_index("of")
    value, density = alpha.loc["prior", "value"], alpha.loc["prior", "density"]
    by_hand = np.exp(-0.5 * (np.log(value / 0.30) / 0.40) ** 2) / (value * 0.40 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(density, by_hand, rtol=1e-4)
    value, density = (alpha.loc["posterior", k].to_numpy() for k in ("value", "density"))
    assert np.trapezoid(density, value) == pytest.approx(1, abs=0.03)
    assert np.trapezoid(density * value, value) == pytest.approx(post.draws["alpha"].mean(), rel=0.05)


def test_prior_posterior_says_the_contraction(post):
    fig, given = plt.subplots(1, 2)
    axes = plots.prior_posterior(post, parameters=["alpha", "nu"], axes=given)
    assert list(axes) == list(given) and plt.get_fignums() == [fig.number]
    for ax, name in zip(axes, ["alpha", "nu"], strict=True):
        assert ax.get_title(loc="left") == f"{name}   contraction {contraction(post).loc[name, 'contraction']:.2f}"
    assert [t.get_text() for t in axes[0].get_legend().get_texts()] == ["prior", "posterior"]
    with pytest.raises(LawError, match="no prior of A: law chinchilla"):
        plots.prior_posterior(post, parameters="A")


@pytest.mark.parametrize("name", LAWS)
def test_prior_posterior_of_every_law(posts, name):
    axes = plots.prior_posterior(posts[name])
    axes[0].figure.canvas.draw()
    assert len(axes) == len(posts[name].law.priors()) + 2


# -- comparison --------------------------------------------------------------------------------------------------------


def test_comparison_numbers_are_those_of_the_comparison(compared):
    table = plots.comparison_data(compared)
    assert list(table.index) == list(compared.table.index)
    np.testing.assert_allclose(table["loo_diff"], compared.table["diff"])
    np.testing.assert_allclose(table["loo_se"], compared.table["diff_se"])
    np.testing.assert_allclose(table["weight"], compared.table["weight"])
    np.testing.assert_allclose(table["waic_diff"], compared.table["elpd_waic"] - compared.table["elpd_waic"].iloc[0])
    worst, best = (waic(compared.posteriors[table.index[i]].log_likelihood).pointwise for i in (-1, 0))
    assert table["waic_se"].iloc[-1] == pytest.approx(np.std(worst - best, ddof=1) * np.sqrt(len(best)))


def test_comparison_draws_on_the_axes_given(compared):
    fig, ax = plt.subplots()
    assert plots.comparison(compared, ax=ax) is ax
    assert plt.get_fignums() == [fig.number]
    assert [t.get_text() for t in ax.get_yticklabels()] == list(compared.table.index)
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the best law is on top"
    assert {f"{w:.2f}" for w in compared.table["weight"]} <= set(texts(ax))


def test_comparison_of_one_law(posts):
    ax = plots.comparison(bs.compare([posts["power(C)"]]))
    ax.figure.canvas.draw()
    assert "1.00" in texts(ax)


# -- the room ----------------------------------------------------------------------------------------------------------


def test_importing_bayesscale_does_not_import_matplotlib():
    code = "import sys, bayesscale; bayesscale.fit; print('matplotlib' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
