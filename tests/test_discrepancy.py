"""How the truth may bend away from a law, against the process written out in full."""

import numpy as np
import pytest
from scipy import stats

import bayesscale as bs
from bayesscale.errors import LawError

CHINCHILLA = bs.models.chinchilla


def bent_truth(N, D):
    """Return Chinchilla's loss with a slow drift: what the law cannot say."""
    c = np.log(6 * N * D / 1e20)
    return CHINCHILLA.evaluate(dict(E=1.8, A=400.0, B=2000.0, alpha=0.35, beta=0.37), N=N, D=D) * np.exp(
        -0.002 * c * abs(c)
    )


@pytest.fixture(scope="module")
def small():
    """Return 60 small runs of the bent truth."""
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(np.log(5e7), np.log(1e9), 60)), np.exp(rng.uniform(np.log(1e9), np.log(3e10), 60))
    return bs.read_runs(dict(N=N, D=D, loss=bent_truth(N, D) * np.exp(0.002 * rng.standard_normal(60))))


@pytest.fixture(scope="module")
def bent(small):
    return bs.fit("chinchilla", small, discrepancy=True)


def test_it_is_pinned_at_the_largest_run(small, bent):
    largest = small.table["C"].idxmax()
    N, D = small.table.loc[largest, ["N", "D"]]
    assert bent.bends.at(dict(N=[N], D=[D])) == pytest.approx(0.0, abs=1e-12)
    with_it, law_alone = (bent.predict(N=N, D=D, kind="mean").logs[k] for k in ("discrepancy", "parameters"))
    assert np.abs(with_it).max() < 1e-12 < np.ptp(law_alone)


def test_the_parts_of_an_interval(bent):
    """Near the runs it is noise, far beyond them it is how the truth may bend."""
    parts = bent.predict(N=["1B", "100B"], D=["30B", "100T"]).parts()
    assert list(parts) == ["parameters", "discrepancy", "noise"]
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert parts.loc[0, "noise"] > 0.3 > parts.loc[1, "noise"]
    assert parts.loc[1, "discrepancy"] > 0.3
    far = bent.predict(N=["500M", "100B"], D=["10B", "1T"])
    assert far.outside.tolist() == [False, True]
    assert "1 of 2 targets outside" in far.caveat


def test_the_density_is_that_of_the_process(small, bent):
    """Coordinates change how the posterior is sampled, not what it is."""
    frame = bent.discrepancy.frame(CHINCHILLA, small)
    rows = frame.of_runs({c: small.column(c) for c in ("N", "D")})
    d = {k: v[:5] for k, v in bent.flat_draws.items()}
    loc = np.log(
        np.column_stack(
            [
                CHINCHILLA.evaluate(
                    {k: d[k][i] for k in CHINCHILLA.constants}, N=small.column("N"), D=small.column("D")
                )
                for i in range(5)
            ]
        ).T
    )
    loc = loc + d["tau"][:, None] * rows.away * (d["bend"] @ rows.basis.T)
    scale = np.hypot(d["sigma"][:, None], d["tau"][:, None] * rows.away * rows.rest)
    density = stats.t.logpdf(np.log(small.column("loss")), d["nu"][:, None], loc, scale)
    np.testing.assert_allclose(bent.log_likelihood.reshape(-1, 60)[:5], density, rtol=1e-6)
    plain = bs.fit("chinchilla", small, discrepancy=False)
    assert "tau" not in plain.draws
    added = stats.lognorm.logpdf(d["tau"], 0.4, scale=0.006) + stats.norm.logpdf(d["bend"]).sum(axis=1)
    of_law = [stats.norm.logpdf(np.log(d["level"]), 0, 0.1) - np.log(d["level"])]
    for name in ("reducible", "share_A"):
        p = d[name]
        center, spread = (-1.0, 0.7) if name == "reducible" else (0.0, 1.0)
        of_law.append(stats.norm.logpdf(np.log(p / (1 - p)), center, spread) - np.log(p * (1 - p)))
    for name, typical, spread in (("alpha", 0.3, 0.4), ("beta", 0.33, 0.5), ("sigma", 0.006, 0.8)):
        of_law.append(stats.lognorm.logpdf(d[name], spread, scale=typical))
    of_law.append(stats.gamma.logpdf(d["nu"] - 2, 2, scale=10))
    np.testing.assert_allclose(bent.log_prior.reshape(-1)[:5], sum(of_law) + added, rtol=1e-6)


def test_the_interval_holds_where_the_law_is_wrong(small, bent):
    rng = np.random.default_rng(1)
    N, D = np.exp(rng.uniform(np.log(2e9), np.log(1e10), 40)), np.exp(rng.uniform(np.log(5e10), np.log(5e11), 40))
    truth = bent_truth(N, D)

    def covered(post):
        low, high = post.predict(N=N, D=D, kind="mean").interval(0.95)
        return np.mean((low < truth) & (truth < high))

    assert covered(bs.fit("chinchilla", small, discrepancy=False)) < 0.5
    assert covered(bent) > 0.85
    assert bent.settings["trouble"] == ""
    assert np.median(bent.stats["n_steps"]) <= 31


def test_saved_and_loaded_it_forecasts_the_same(bent, tmp_path):
    bent.save(tmp_path / "bent.nc")
    again = bs.load(tmp_path / "bent.nc")
    assert again.discrepancy == bent.discrepancy
    at = dict(N=["7B", "70B"], D="1.4T")
    np.testing.assert_array_equal(again.predict(**at).draws, bent.predict(**at).draws)
    assert "is part of the interval" in bent.predict(**at).caveat


def test_where_it_has_no_meaning_there_is_none():
    """A batch size is no measure of how large a run is."""
    post = bs.fit(
        "steps_examples", dict(B=2.0 ** np.arange(15, 21), S=1e3 + 1e9 / 2.0 ** np.arange(15, 21)), discrepancy=True
    )
    assert post.discrepancy is None
    assert "tau" not in post.draws
    # Nor is a loss, whatever its column is called: the largest one is of the smallest run.
    errors = dict(N=np.geomspace(1e8, 1e9, 6), c4_loss=np.linspace(4.0, 2.5, 6), error=np.linspace(0.8, 0.6, 6))
    assert bs.fit("error_exponential(c4_loss)", errors, draws=100, second_try=False).discrepancy is None
    with pytest.raises(LawError, match="discrepancy is True, False or a Discrepancy"):
        bs.fit("chinchilla", dict(N=[1e8, 1e9], D=[1e9, 1e10], loss=[3.0, 2.5]), discrepancy="slope")
