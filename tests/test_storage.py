"""Posteriors on disk: the same forecasts after loading, and refusals of what is not the same."""

import copy
import json
import multiprocessing
import operator
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale import priors
from bayesscale.errors import FileError, LawError
from bayesscale.law import Law, sample, split_at_center
from bayesscale.noise import Laplace, Normal
from bayesscale.runs import Runs

SHORT = dict(chains=2, draws=100, second_try=False, discrepancy=False)
pytestmark = pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")


def bent(N, D):
    """E + A / (N D)^alpha"""
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", dist.LogNormal(-1.5, 0.3))
    return E + a * (N / N.center * (D / D.center)) ** -alpha


def test_round_trip(fitted, tmp_path):
    fitted.save(tmp_path / "post.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["post.nc"]
    loaded = bs.load(tmp_path / "post.nc")
    for kind in ("mean", "new-run"):
        before, after = (p.predict(N=["7B", "70B"], D="1.4T", kind=kind, seed=3) for p in (fitted, loaded))
        np.testing.assert_array_equal(after.draws, before.draws)
    assert loaded.law == fitted.law
    assert loaded.noise == fitted.noise
    assert loaded.runs.fingerprint == fitted.runs.fingerprint
    assert loaded.runs.about == fitted.runs.about
    assert dict(loaded.settings) == dict(fitted.settings)
    assert loaded.summary().equals(fitted.summary())
    np.testing.assert_array_equal(loaded.log_likelihood, fitted.log_likelihood)
    np.testing.assert_array_equal(loaded.mode["E"], fitted.mode["E"])


def test_replaced_priors_noise_text_columns_and_row_labels_come_back(ladder, tmp_path):
    table = ladder.table.assign(corpus=["c4", "dclm"] * 8, note=["é", *[None] * 15])
    table.index = [f"run-{i}" for i in range(16)]
    runs = bs.read_runs(table, about=dict(count_N="non-embedding", eval="C4 validation"))
    law = bs.models.chinchilla.with_priors(alpha=dist.Normal(0.35, 0.05))
    post = bs.fit(law, runs, noise=Normal(sigma=dist.LogNormal(-4.0, 0.5)), **SHORT)
    post.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert loaded.law == law
    assert loaded.noise == post.noise
    assert loaded.runs.fingerprint == runs.fingerprint
    assert loaded.runs.about["count_N"] == "non-embedding"
    assert list(loaded.runs.table.index) == list(table.index)


def test_opens_in_arviz(fitted, tmp_path):
    import arviz

    fitted.save(tmp_path / "post.nc")
    data = arviz.from_netcdf(tmp_path / "post.nc")
    np.testing.assert_array_equal(data["posterior"]["alpha"], fitted.draws["alpha"])


def test_bound_laws_come_back(ladder, tmp_path):
    bs.fit("power(C)", ladder, **SHORT).save(tmp_path / "post.nc")
    assert bs.load(tmp_path / "post.nc").law.name == "power(C)"


def test_a_law_of_ones_own_is_passed_or_declared(ladder, tmp_path):
    law = Law(bent, ("N", "D"), "loss")
    post = bs.fit(law, ladder, **SHORT)
    post.save(tmp_path / "post.nc")
    with pytest.raises(LawError, match="run the cell that declares it"):
        bs.load(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc", law=law)
    np.testing.assert_array_equal(loaded.predict(N=1e10, D=1e12).draws, post.predict(N=1e10, D=1e12).draws)


def test_another_law_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "post.nc")
    with pytest.raises(LawError, match="of law chinchilla, not of power"):
        bs.load(tmp_path / "post.nc", law=bs.models.power("C"))

    def chinchilla(N, D):
        """Another law of the same name."""
        E, a, b = split_at_center("E", "A", "B")
        return E + a + b + 0 * N.log

    with pytest.raises(LawError, match="another law of the name chinchilla"):
        bs.load(tmp_path / "post.nc", law=Law(chinchilla, ("N", "D"), "loss"))


def _edit(path, **changes):
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    header = {**json.loads(tree["bayesscale"]["header"].item()), **changes}
    tree["bayesscale"] = xr.DataTree(xr.Dataset({"header": json.dumps(header)}))
    tree.to_netcdf(path, engine="h5netcdf")


def test_a_newer_format_and_other_data_are_refused(fitted, tmp_path):
    path = tmp_path / "post.nc"
    fitted.save(path)
    _edit(path, format=99)
    with pytest.raises(FileError, match="upgrade bayesscale"):
        bs.load(path)
    _edit(path, format=1, fingerprint="0" * 16)
    with pytest.raises(FileError, match="damaged"):
        bs.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileError, match="no file"):
        bs.load(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("N,D,loss\n")
    with pytest.raises(FileError, match="not a NetCDF file"):
        bs.load(tmp_path / "text.nc")
    xr.Dataset({"x": ("i", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(FileError, match="not a posterior of bayesscale"):
        bs.load(tmp_path / "other.nc")


def test_a_failed_save_leaves_the_old_file(fitted, tmp_path, monkeypatch):
    path = tmp_path / "post.nc"
    fitted.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(xr.DataTree, "to_netcdf", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["post.nc"]


def test_truncated_priors_come_back(ladder, tmp_path):
    law = bs.models.chinchilla.with_priors(
        alpha=dist.TruncatedNormal(0.35, 0.1, low=0.1), beta=dist.TruncatedNormal(0.35, 0.1, low=0.1, high=0.9)
    )
    post = bs.fit(law, ladder, noise=Normal(sigma=dist.TruncatedNormal(0.01, 0.01, low=0.001)), **SHORT)
    post.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert loaded.law == law
    assert loaded.noise == post.noise


@pytest.mark.parametrize(
    "d",
    [
        dist.TruncatedCauchy(0.0, 1.0, high=2.0),
        dist.LogUniform(0.1, 2.0),
        dist.InverseGamma(2.0, 1.0),
        dist.HalfNormal(1.0),
        priors.share(0.5, spread=2.0),
    ],
    ids=priors.describe,
)
def test_priors_rebuilt_from_json_are_equal(d):
    assert priors.identity(priors.from_spec(json.loads(json.dumps(priors.to_spec(d))))) == priors.identity(d)


def test_a_prior_that_no_file_can_hold_asks_for_the_law_or_the_noise(ladder, tmp_path):
    folded = dist.FoldedDistribution(dist.Normal(0.35, 0.1))
    law = bs.models.chinchilla.with_priors(alpha=folded)
    bs.fit(law, ladder, **SHORT).save(tmp_path / "post.nc")
    with pytest.raises(LawError, match=r"the prior of alpha.*load\(path, law="):
        bs.load(tmp_path / "post.nc")
    assert bs.load(tmp_path / "post.nc", law=law).law == law

    noise = Normal(sigma=dist.FoldedDistribution(dist.Normal(0.0, 0.01)))
    bs.fit("chinchilla", ladder, noise=noise, **SHORT).save(tmp_path / "post.nc")
    with pytest.raises(LawError, match=r"the prior of sigma.*load\(path, noise=Normal\("):
        bs.load(tmp_path / "post.nc")
    assert bs.load(tmp_path / "post.nc", noise=noise).noise == noise
    with pytest.raises(LawError, match="with noise normal, not laplace"):
        bs.load(tmp_path / "post.nc", noise=Laplace())
    with pytest.raises(LawError, match=r"other priors of noise normal: sigma ~ Folded.* in the file, LogNormal"):
        bs.load(tmp_path / "post.nc", noise=Normal())


def test_other_priors_are_refused(ladder, tmp_path):
    law = bs.models.power("C").with_priors(alpha=dist.LogNormal(-1.0, 0.1))
    bs.fit(law, ladder, **SHORT).save(tmp_path / "post.nc")
    said = r"of law power\(C\): alpha ~ LogNormal\(log 0.368, 0.1\) in the file, LogNormal.* here; pass the law"
    with pytest.raises(LawError, match=said):
        bs.load(tmp_path / "post.nc", law=bs.models.power("C"))
    assert bs.load(tmp_path / "post.nc", law=law).law == law
    assert bs.load(tmp_path / "post.nc").law == law


def test_a_built_in_prior_of_another_version_is_refused(fitted, tmp_path):
    path = tmp_path / "post.nc"
    fitted.save(path)
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        law = json.loads(opened["bayesscale"]["header"].item())["law"]
    law["priors"]["beta"] = "LogNormal(log 0.9, 0.1)"
    _edit(path, law=law)
    with pytest.raises(LawError, match=r"beta ~ LogNormal\(log 0.9, 0.1\) in the file"):
        bs.load(path)


def test_columns_of_anything_come_back_as_the_fingerprint_knows_them(ladder, tmp_path):
    n = len(ladder)
    table = ladder.table.assign(
        finished=pd.date_range("2026-01-01", periods=n, freq="h"),
        tuned=pd.Series([True, None] * (n // 2), dtype=object),
        attempt=pd.Series([1, 2] * (n // 2), dtype=object),
        group=pd.Categorical([3, 4] * (n // 2)),
        betas=[(0.9, 0.95)] * n,
        not_measured=np.nan,
        counts=pd.array([1, None] * (n // 2), dtype="Int64"),
    )
    post = bs.fit("chinchilla", bs.read_runs(table), **SHORT)
    post.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert loaded.runs.fingerprint == post.runs.fingerprint
    assert loaded.runs.table["finished"].iloc[1] == "2026-01-01 01:00:00"
    assert loaded.runs.table["betas"].iloc[0] == "(0.9, 0.95)"
    assert loaded.runs.table["attempt"].tolist() == [1, 2] * (n // 2)


@pytest.mark.parametrize(
    ("labels", "back"),
    [
        (pd.MultiIndex.from_product([["a", "b"], range(8)]), [f"('{a}', {i})" for a in "ab" for i in range(8)]),
        (pd.Index([*range(15), "last"], dtype=object), [*map(str, range(15)), "last"]),
        (pd.date_range("2026-01-01", periods=16), [f"2026-01-{i:02} 00:00:00" for i in range(1, 17)]),
        (range(10, 26), list(range(10, 26))),
        (list("abcdefghijklmnop"), list("abcdefghijklmnop")),
    ],
    ids=["levels", "mixed", "dates", "numbers", "texts"],
)
def test_row_labels_come_back_or_become_texts(fitted, ladder, labels, back, tmp_path):
    table = ladder.table.set_axis(labels, axis=0)
    post = replace(fitted, runs=Runs(table, ladder.about))
    post.save(tmp_path / "post.nc")
    loaded = bs.load(tmp_path / "post.nc")
    assert list(loaded.runs.table.index) == back
    assert list(post.data["log_likelihood"]["row"].to_numpy()) == list(post.runs.table.index.to_numpy())
    assert list(loaded.data["log_likelihood"]["row"].to_numpy()) == back
    np.testing.assert_array_equal(loaded.predict(N=1e10, D=1e12).draws, post.predict(N=1e10, D=1e12).draws)


@pytest.fixture(scope="module")
def posteriors(fitted, ladder):
    """Return a fit of a built-in law, and one of a law over another column with a prior and a noise of one's own."""
    law = bs.models.power("C").with_priors(alpha=dist.TruncatedNormal(0.2, 0.1, low=0.0))
    return fitted, bs.fit(law, ladder, noise=Normal(), **SHORT)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda post: pickle.loads(pickle.dumps(post))])
def test_a_posterior_is_copied_and_pickled(posteriors, again):
    for post in posteriors:
        other = again(post)
        assert other.law == post.law
        assert other.noise == post.noise
        assert other.runs.fingerprint == post.runs.fingerprint
        assert dict(other.settings) == dict(post.settings)
        assert not any(x.flags.writeable for held in (other.draws, other.stats, other.mode) for x in held.values())
        with pytest.raises(TypeError):
            other.draws["alpha"] = 0
        targets = dict(N="7B", D="1T")
        np.testing.assert_array_equal(other.predict(**targets).draws, post.predict(**targets).draws)
        np.testing.assert_array_equal(other.log_likelihood, post.log_likelihood)


def test_a_posterior_goes_to_another_process(posteriors):
    predict = operator.methodcaller("predict", N="7B", D="1T")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        there = [executor.submit(predict, post) for post in posteriors]
        for post, forecast in zip(posteriors, there, strict=True):
            np.testing.assert_array_equal(forecast.result().median, predict(post).median)
