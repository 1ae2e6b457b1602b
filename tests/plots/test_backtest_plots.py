"""The figures of a backtest: their numbers are its own, and they draw on the axes they are given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError

FIGURES = {"coverage": 3, "pit": 3, "rollout": 6}


def test_coverage_numbers_are_those_of_the_summary(tested):
    table = plots.coverage_data(tested).set_index(["law", "factor", "level"])
    for (law, factor), row in tested.summary(by=["law", "factor"]).iterrows():
        for level in (0.5, 0.8, 0.95):
            mine = table.loc[(law, factor, level)]
            assert mine["held"] == row[f"coverage{100 * level:g}"]
            assert mine["n"] == row["n"]
            error = np.sqrt(level * (1 - level) / mine["independent"])
            assert mine["low"] == pytest.approx(level - error)
            assert mine["high"] == pytest.approx(min(level + error, 1))
    assert (table["independent"] <= table["n"]).all()


def test_pit_numbers_are_those_of_the_histogram(tested):
    table = plots.pit_data(tested, bins=5)
    for law, shares in tested.pit_histogram(bins=5).iterrows():
        mine = table[table["law"] == law]
        np.testing.assert_array_equal(mine["share"], shares)
        assert (mine["bands_high"] > mine["all_high"]).all(), "bands are fewer than runs"
        n = (tested.table["law"] == law).sum()
        np.testing.assert_allclose(mine["all_high"] - 0.2, 1.96 * np.sqrt(0.2 * 0.8 / n))


def test_rollout_numbers_are_the_forecasts_in_percent(tested):
    table = plots.rollout_data(tested)
    np.testing.assert_allclose(table["median"], 100 * tested.table["error"])
    np.testing.assert_allclose(table["high95"] - table["low95"], 100 * tested.table["width95"])
    assert (table["held"] == table["low95"].le(0) & table["high95"].ge(0)).all()
    assert (table["size"] > table["cutoff"]).all()


@pytest.mark.parametrize(("name", "panels"), FIGURES.items())
def test_figures_draw_on_the_axes_given(tested, name, panels):
    figure, given = plt.subplots(1, panels)
    axes = getattr(plots, name)(tested, axes=given)
    assert list(axes) == list(given)
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()
    with pytest.raises(LawError, match=f"{panels} panels need {panels} axes, not 1"):
        getattr(plots, name)(tested, axes=given[0])


def test_figures_say_what_they_show(tested):
    fifty, _, ninety_five = plots.coverage(tested)
    assert ninety_five.get_title(loc="left") == "95% intervals"
    ticks = [t.get_text() for t in fifty.get_xticklabels()]
    counts = tested.summary(by="factor")["n"] // 3
    assert ticks == [f"{factor}\n({n})" for factor, n in counts.items()]
    lines = {line.get_label(): line for line in ninety_five.lines}
    held = tested.summary(by=["law", "factor"]).loc["chinchilla", "coverage95"]
    np.testing.assert_array_equal(lines["chinchilla"].get_ydata(), held)
    assert [ax.get_title(loc="left") for ax in plots.pit(tested)] == list(tested.laws)


def test_rollout_of_one_cutoff(tested):
    cut = tested.table["cutoff"].max()
    axes = plots.rollout(tested, cutoff=0.9 * cut)
    assert len(axes) == 3
    edge = next(line for line in axes[0].lines if len(set(line.get_xdata())) == 1)
    assert edge.get_xdata()[0] == cut
    axes[0].figure.canvas.draw()


@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # the fits are short
def test_a_comparison_with_a_rollout_shows_it(pair):
    compared = bs.compare(pair, rollout=(0.5, 0.75))
    table = plots.comparison_data(compared)
    ahead = compared.table["elpd_rollout"] - compared.table["elpd_rollout"].iloc[0]
    np.testing.assert_allclose(table["rollout_diff"], ahead)
    said = [t.get_text() for t in plots.comparison(compared).get_legend().get_texts()]
    assert said == ["LOO ± se", "WAIC ± se", "rollout ± se"]
