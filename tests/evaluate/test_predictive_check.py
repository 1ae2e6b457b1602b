"""Posterior predictive checks: the statistics by hand, the right law passes, a wrong one is named."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError


@pytest.fixture(scope="module")
def checked(pair):
    return bs.predictive_check(pair["chinchilla"])


def test_the_right_law_passes(checked):
    assert (checked.table["verdict"] != "odd").all()
    assert checked.pit_pvalue > 0.01
    assert "looks like the tables" in repr(checked)
    assert "<table" in checked._repr_html_()


def test_statistics_by_hand(checked, pair, ladder):
    middle = np.median(pair["chinchilla"].predict(ladder, kind="mean").draws, axis=0)
    residual = 100 * np.log(ladder.column("loss") / middle)
    observed = checked.table["observed"]
    assert observed["residual spread"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert observed["largest residual"] == pytest.approx(np.abs(residual).max())
    x = np.log10(ladder.column("C"))
    assert observed["trend with compute"] == pytest.approx(np.polyfit(x, residual, 1)[0])
    assert observed["bend along compute"] == pytest.approx(np.polyfit(x, residual, 2)[0])
    ratio = np.log10(ladder.column("D") / ladder.column("N"))
    assert observed["trend with tokens per parameter"] == pytest.approx(np.polyfit(ratio, residual, 1)[0])


def test_replicated_tables_are_as_the_noise_has_it(checked, pair):
    """Root mean square of scale mixtures of Student's t: its median is near sigma times that of the t."""
    assert checked.replicated.shape[0] == 500
    p = checked.table.loc["residual spread"]
    values = checked.replicated["residual spread"]
    assert p["p"] == pytest.approx(np.mean(values > p["observed"]))
    assert p["low95"] < p["median"] < p["high95"]
    assert checked.replicated["share outside 95% intervals"].mean() == pytest.approx(0.05, abs=0.015)


def test_a_law_without_the_floor_is_found():
    """A power law fitted to losses with a floor bends away from them along compute."""
    C = np.geomspace(1e18, 1e22, 16)
    loss = (1.8 + 1.2 * (C / 1e19) ** -0.2) * np.exp(0.004 * np.random.default_rng(0).standard_normal(16))
    post = bs.fit("pure_power(C)", dict(C=C, loss=loss), discrepancy=False, chains=2, draws=250, second_try=False)
    found = bs.predictive_check(post)
    row = found.table.loc["bend along compute"]
    assert row["verdict"] == "odd"
    assert row["observed"] > row["high95"] > 0
    assert "bend along compute is" in repr(found)
    assert "the law has the wrong shape there" in repr(found)


def test_runs_are_new_ones_and_share_their_effects_again(with_runs):
    def within(residual, table):
        return residual.reshape(4, 4).std(axis=1).max()

    def between(residual, table):
        return residual.reshape(4, 4).mean(axis=1).std(ddof=1)

    found = bs.predictive_check(with_runs, dict(within=within, between=between), replications=300)
    expected = with_runs.predict(with_runs.runs, kind="mean").draws
    law_alone = 100 * (np.log(expected) - np.log(np.median(expected, axis=0))).std(axis=0).max()
    assert found.replicated["within"].median() < 3 * law_alone + 0.05
    assert np.sqrt((found.replicated["between"] ** 2).mean()) == pytest.approx(5.0, rel=0.15)


def test_of_your_own_and_refusals(pair):
    post = pair["chinchilla"]
    lowest = bs.predictive_check(post, {"lowest": lambda r, t: r.min()}, replications=50)
    assert list(lowest.table.index) == ["lowest"]
    assert len(lowest.replicated) == 50
    assert list(bs.predictive_check(post, "largest residual").table.index) == ["largest residual"]
    with pytest.raises(LawError, match="no statistic 'kurtosis'"):
        bs.predictive_check(post, "kurtosis")
    with pytest.raises(LawError, match="one finite number"):
        bs.predictive_check(post, {"all": lambda r, t: r})
