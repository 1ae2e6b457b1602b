"""The isoFLOP figure: parabolas against closed forms, their bias against the law."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayesscale as bs
from bayesscale import plots
from bayesscale.errors import LawError, RunsError
from bayesscale.plots.isoflop import _caution

BUDGETS = np.array([1e20, 1e21, 1e22])


def sweep(loss, *, sizes=9, reach=3.0, C=BUDGETS, off=1.0):
    """Runs at each budget, of `sizes` sizes up to `reach` times either way of off * C^.5 / 10."""
    N = np.concatenate([off * np.sqrt(c) / 10 * np.geomspace(1 / reach, reach, sizes) for c in C])
    C = np.repeat(C, sizes)
    return pd.DataFrame(dict(N=N, D=C / (6 * N), C=C, loss=loss(N, C)))


def bowl(N, C):
    """A parabola in log N with its vertex at .08 C^.5."""
    return 2.0 + (C / 1e20) ** -0.05 + 0.05 * np.log(N / (0.08 * np.sqrt(C))) ** 2


def chinchilla(N, C, alpha=0.34, beta=0.28):
    return 1.69 + 406.4 / N**alpha + 410.7 / (C / (6 * N)) ** beta


@pytest.fixture(scope="module")
def swept():
    noise = np.exp(0.002 * np.random.default_rng(0).normal(size=27))
    return bs.read_runs(sweep(lambda N, C: chinchilla(N, C) * noise, off=0.9))


@pytest.fixture(scope="module")
def post(swept):
    return bs.fit("chinchilla", swept, discrepancy=False)


def test_an_exact_parabola_is_found(recwarn):
    data = plots.isoflop_data(sweep(bowl))
    np.testing.assert_allclose(data["C"], BUDGETS)
    np.testing.assert_allclose(data["vertex"], 0.08 * np.sqrt(BUDGETS))
    np.testing.assert_allclose(data["vertex_loss"], 2.0 + (BUDGETS / 1e20) ** -0.05)
    np.testing.assert_allclose(data["curvature"], 0.05)
    np.testing.assert_allclose(data["vertex_se"], 0.0, atol=1e-6)
    assert data["inside"].all()
    assert (data["runs"] == 9).all()


def test_a_vertex_outside_the_sampled_sizes_is_told():
    data = plots.isoflop_data(sweep(bowl, off=10.0))
    assert not data["inside"].any()
    np.testing.assert_allclose(data["vertex"], 0.08 * np.sqrt(BUDGETS))
    ax = plots.isoflop(sweep(bowl, off=10.0))
    assert not ax.containers, "no vertex is marked where none was seen"


def test_a_hill_has_no_vertex():
    data = plots.isoflop_data(sweep(lambda N, C: 6.0 - bowl(N, C)))
    assert data[["vertex", "vertex_se", "vertex_loss"]].isna().all(axis=None)
    assert (data["curvature"] < 0).all() and not data["inside"].any()


def test_the_standard_error_is_that_of_repeated_sweeps():
    rng = np.random.default_rng(1)
    C = np.geomspace(1e20, 1e24, 400)
    data = plots.isoflop_data(sweep(lambda N, C: bowl(N, C) + 0.003 * rng.normal(size=N.size), C=C), tolerance=1e-6)
    off = np.log(data["vertex"] / (0.08 * np.sqrt(C)))
    assert off.std() == pytest.approx(np.sqrt((data["vertex_se"] ** 2).mean()), rel=0.15)
    assert abs(off.mean()) < 4 * off.std() / 20


def test_the_bias_of_the_parabola_is_that_of_the_literature():
    """On noise-free Chinchilla losses with sizes 8 times either way of the optimum, D* at 1e24 is some 3 % too low."""
    alpha, beta = 0.34, 0.28
    C = np.geomspace(1e17, 1e21, 9)
    a = beta / (alpha + beta)
    G = (alpha * 406.4 / (beta * 410.7)) ** (1 / (alpha + beta))
    optimum = G * (C / 6) ** a
    table = pd.concat(
        [
            pd.DataFrame(dict(N=best * np.geomspace(1 / 8, 8, 15), C=c)).assign(
                loss=lambda runs: chinchilla(runs["N"], runs["C"])
            )
            for c, best in zip(C, optimum, strict=True)
        ]
    ).reset_index(drop=True)
    data = plots.isoflop_data(table)
    slope, intercept = np.polyfit(np.log(C), np.log(C / 6 / data["vertex"]), 1)
    bias = np.exp(slope * np.log(1e24) + intercept) / (1e24 / 6 / (G * (1e24 / 6) ** a)) - 1
    assert bias == pytest.approx(-0.029, abs=0.005)


def test_budgets_scatter():
    rng = np.random.default_rng(2)
    exact = sweep(bowl).drop(columns="D")
    scattered = exact.assign(C=exact["C"] * rng.uniform(0.97, 1.03, len(exact)))
    data = plots.isoflop_data(scattered)
    np.testing.assert_allclose(data["C"], BUDGETS, rtol=0.03)
    assert (data["runs"] == 9).all()
    assert data["C_spread"].between(0.01, 0.1).all()
    alone = pd.concat([scattered, scattered.iloc[:3].assign(C=3e20)], ignore_index=True)
    assert len(plots.isoflop_data(alone)) == 3, "three runs at 3e20 are no budget"
    with pytest.raises(RunsError, match=r"no 5 runs of different N have C within 0\.001%"):
        plots.isoflop_data(scattered, tolerance=1e-5)


def test_runs_far_above_the_least_are_left_out():
    table = sweep(bowl)
    table.loc[0, "loss"] += 3.0
    data = plots.isoflop_data(table, within=1.0)
    assert data["runs"].tolist() == [8, 9, 9]
    np.testing.assert_allclose(data["vertex"], 0.08 * np.sqrt(BUDGETS))


def test_the_law_beside_it(post, swept):
    data = plots.isoflop_data(swept, post=post, level=0.9)
    for row in data.itertuples():
        best = bs.allocate(post, C=row.C).table(level=0.9)
        assert (row.optimum, row.low90, row.high90) == tuple(best.loc["N", ["median", "low90", "high90"]])
        assert row.optimum_loss == best.loc["loss", "median"]
        at = swept.table[np.isclose(swept.table["C"], row.C)]
        by_law = at.assign(loss=post.predict(at[["N", "D"]], kind="mean").median)
        assert plots.isoflop_data(by_law)["vertex"].iloc[0] / row.optimum - 1 == pytest.approx(row.parabola_bias)


def test_compute_counted_in_another_way(post, swept):
    """With C counted 20 % higher the law's optimum is where the runs are, not where 6 N D = C would put it."""
    dear = swept.table.assign(C=1.2 * swept.table["C"])
    one, other = plots.isoflop_data(swept, post=post), plots.isoflop_data(dear, post=post)
    np.testing.assert_allclose(other["C"], 1.2 * one["C"])
    np.testing.assert_allclose(other["optimum"], one["optimum"], rtol=1e-6)


def test_isoflop_draws_on_the_axes_given(post, swept):
    fig, ax = plt.subplots()
    assert plots.isoflop(swept, post=post, ax=ax) is ax
    assert plt.get_fignums() == [fig.number]
    fig.canvas.draw()
    title = ax.get_title(loc="left")
    assert "diagnostic" in title and "biased" in title
    assert "a parabola misses the law's own optimal N by" in title
    assert ax.get_legend().get_texts()[0].get_text() == "27 runs"
    assert [text.get_text() for text in ax.texts] == ["1e20", "1e21", "1e22"]
    marked = sorted(c.lines[0].get_xdata()[0] for c in ax.containers)
    data = plots.isoflop_data(swept, post=post)
    np.testing.assert_allclose(marked, np.sort(np.concatenate([data["vertex"], data["optimum"]])))
    assert "biased" in plots.isoflop(swept).get_title(loc="left"), "said without a law too"


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        ([-0.012, -0.003], "misses the law's own optimal N by \N{MINUS SIGN}1 to 0%"),
        ([0.002, 0.031], "misses the law's own optimal N by 0 to +3%"),
        ([-0.004, 0.001], "finds the law's own optimal N to within half a percent"),
    ],
)
def test_the_bias_in_words(bias, said):
    assert said in _caution(pd.DataFrame(dict(parabola_bias=bias)))


def test_refusals(ladder, swept):
    with pytest.raises(LawError, match="needs a law in N and D"):
        plots.isoflop(swept, post=bs.fit("power(C)", ladder, discrepancy=False))
    with pytest.raises(RunsError, match="needs four runs or more"):
        plots.isoflop(swept, least=3)
    with pytest.raises(RunsError, match="tolerance is a share"):
        plots.isoflop(swept, tolerance=10)
    with pytest.raises(RunsError, match="no column 'C'"):
        plots.isoflop(bs.read_runs(swept.table[["N", "loss"]]))


def test_real_budgets(real_data):
    """Porian et al.'s twelve budgets, tuned: parabolas agree with the authors' optima."""
    runs = pd.read_csv(real_data("porian2024/isoflop.csv")).query("source_file == 'summary_df' & dataset == 'rw'")
    data = plots.isoflop_data(runs[runs["hparams"] == "tuned"][["N", "D", "C", "loss"]], within=0.3)
    said = pd.read_csv(real_data("porian2024/optima.csv")).query("source_file == 'summary_df' & dataset == 'rw'")
    said = said[said["hparams"] == "tuned"].sort_values("C")
    np.testing.assert_allclose(data["C"], said["C"])
    assert data["inside"].all()
    off = np.log(data["vertex"].to_numpy() / said["N_opt"].to_numpy())
    assert (np.abs(off) < 3 * said["N_opt_logstd"].to_numpy()).all()
    slope = np.polyfit(np.log(data["C"]), np.log(data["vertex"]), 1)[0]
    assert slope == pytest.approx(0.497, abs=0.02)  # the authors' exponent
