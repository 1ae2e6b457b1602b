"""Posteriors on disk: the same forecasts after loading, and refusals of what is not the same."""

import json

import numpy as np
import pytest
import xarray as xr
from numpyro import distributions as dist

import bayesscale as bs
from bayesscale.errors import FileError, LawError
from bayesscale.law import Law, sample, split_at_center
from bayesscale.noise import Normal

SHORT = dict(chains=2, draws=100, second_try=False)
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


def test_a_prior_that_no_file_can_hold_asks_for_the_law(ladder, tmp_path):
    mixed = dist.TruncatedNormal(0.35, 0.1, low=0.1)
    law = bs.models.chinchilla.with_priors(alpha=mixed)
    bs.fit(law, ladder, **SHORT).save(tmp_path / "post.nc")
    with pytest.raises(LawError, match="the prior of alpha"):
        bs.load(tmp_path / "post.nc")
    assert bs.load(tmp_path / "post.nc", law=law).law == law
