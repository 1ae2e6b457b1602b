"""Tables of runs: the simulated ladder, the published runs, and every way a download can go wrong."""

import hashlib
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pooch
import pytest

from bayesscale import datasets
from bayesscale.datasets import download, epoch_chinchilla
from bayesscale.datasets.download import PinnedFile, fetch, sha256_of
from bayesscale.datasets.simulated import CHINCHILLA
from bayesscale.errors import DatasetError, LawError, NumberError, RunsError


@pytest.fixture
def as_published(real_data):
    """Return the file of the Chinchilla runs as Epoch AI publish it, which lies beside the folder of tidy tables."""
    file = epoch_chinchilla.FILE
    return real_data(f"../upstream/{file.repository.replace('/', '+')}/{file.commit}/{file.path}")


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No folder of the user's, an empty cache, and no way to the network."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("BAYESSCALE_DATA", raising=False)
    monkeypatch.setenv("BAYESSCALE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("BAYESSCALE_DATA_URL", nothing_listens())


def nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Site(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.cut_short:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"N,D,loss\n")
        elif self.server.out_of_order:
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A web server on this machine: `url`, `folder` (what it serves), `asked` (the paths it was asked for)."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=folder)) as server:
        server.asked, server.cut_short, server.out_of_order = [], False, False
        server.folder, server.url = folder, f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


CONTENT = b"N,D,loss\n1e8,2e9,3.1\n"
FILE = PinnedFile("tiny", "someone/somewhere", "0123abc", "data/runs.csv", hashlib.sha256(CONTENT).hexdigest())


def publish(site, file, content):
    path = site.folder / file.repository / file.commit / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def kept(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


# -- what there is -----------------------------------------------------------------------------------------------------


def test_listing_says_what_there_is():
    listing = datasets.listing()
    assert listing.columns.tolist() == ["name", "rows", "fits", "source", "licence", "download"]
    assert tuple(listing["name"]) == datasets.names() == ("simulated-ladder", "epoch-chinchilla")
    assert listing["download"].tolist() == [False, True]
    assert (listing[["fits", "source", "licence"]].map(len) > 0).all(axis=None)


def test_unknown_name_lists_the_names():
    with pytest.raises(DatasetError, match=r"'chinchila'; there are simulated-ladder, epoch-chinchilla"):
        datasets.load("chinchila")


def test_asking_what_there_is_imports_nothing_heavy():
    code = (
        "import sys; from bayesscale import datasets; datasets.names(); "
        "print(*{'jax', 'numpyro', 'pandas', 'pooch', 'requests'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""


# -- the simulated ladder ----------------------------------------------------------------------------------------------


def scatter(runs):
    """log(loss) - log(truth), with the law written out here once more."""
    truth, t = runs.about["truth"], runs.table
    law = truth["E"] + truth["A"] / t["N"] ** truth["alpha"] + truth["B"] / t["D"] ** truth["beta"]
    return np.log(t["loss"] / law).to_numpy()


def test_simulated_ladder_is_what_a_lab_would_run():
    runs = datasets.load("simulated-ladder")
    table = runs.table
    assert len(runs) == table["run"].nunique() == datasets.listing().set_index("name")["rows"]["simulated-ladder"]
    assert table["N"].nunique() == 5
    assert (table["N"].min(), table["N"].max()) == (60e6, 1.3e9)
    np.testing.assert_allclose(sorted(set((table["D"] / table["N"]).round(9))), [20, 40, 100, 200])
    assert table["run"].iloc[0] == "60M-1x"
    assert table["run"].iloc[-1] == "1.3B-10x"
    assert runs.about["count_N"] == "total"


def test_simulated_ladder_carries_its_truth():
    truth = datasets.load("simulated-ladder").about["truth"]
    published = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    noise = {"noise": "student-t", "sigma": 0.004, "nu": 5.0}
    assert truth == {"law": "chinchilla", **published, **noise, "seed": 0}


def test_simulated_ladder_is_the_same_every_time():
    first, second = datasets.load("simulated-ladder"), datasets.load("simulated-ladder", all_rows=True)
    assert first.fingerprint == second.fingerprint == datasets.simulate_ladder().fingerprint
    assert first.fingerprint != datasets.simulate_ladder(seed=1).fingerprint


def test_simulated_ladder_scatters_around_its_truth():
    seen = scatter(datasets.load("simulated-ladder"))
    sd = 0.004 * np.sqrt(5 / 3)  # of Student's t with 5 degrees of freedom
    assert abs(seen.mean()) < 3 * sd / np.sqrt(seen.size)
    assert 0.5 * sd < seen.std() < 2 * sd


def test_the_scatter_is_student_t_on_the_log():
    from scipy import stats

    runs = datasets.simulate_ladder(np.geomspace(1e7, 1e10, 60), np.geomspace(1, 50, 50), sigma=0.01, nu=3.0, seed=7)
    assert stats.kstest(scatter(runs) / 0.01, stats.t(3.0).cdf).pvalue > 0.01
    assert stats.kstest(scatter(runs) / 0.01, stats.norm.cdf).pvalue < 1e-4


def test_a_ladder_without_noise_is_the_law():
    constants = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    runs = datasets.simulate_ladder(["7B", "70B"], [1, "2"], constants=constants, sigma=0.0)
    assert runs.table.set_index("run")["loss"]["70B-1x"] == pytest.approx(1.937, abs=5e-4)  # Chinchilla itself
    np.testing.assert_allclose(scatter(runs), 0.0, atol=1e-6)
    assert {k: runs.about["truth"][k] for k in constants} == constants


def test_wrong_requests_for_a_ladder_are_refused():
    with pytest.raises(LawError, match="missing: beta"):
        datasets.simulate_ladder(constants={k: v for k, v in CHINCHILLA.items() if k != "beta"})
    with pytest.raises(NumberError, match=r"sizes\[1\]: 'big'"):
        datasets.simulate_ladder(["60M", "big"])


# -- the runs of Epoch AI ----------------------------------------------------------------------------------------------


@pytest.fixture
def points():
    """Eight points as the authors publish them."""
    N, D = np.geomspace(1e8, 1e10, 8), np.array([2e9, 2e9, 2e10, 2e10] * 2)
    loss = [3.0, 3.5, 2.9, 4.0, 2.5, 5.0, 3.6, 3.7]
    return pd.DataFrame(
        {"x": 1.5, "y": 2.5, "color": "#ffffff", "Model Size": N, "Training FLOP": 6 * N * D, "loss": loss}
    )


def as_csv(frame):
    return frame.to_csv(index=False).encode()


def test_conversion_of_a_few_points(points):
    table = epoch_chinchilla.convert(points)
    assert table.columns.tolist() == ["N", "D", "C", "loss", "used_by_epoch"]
    assert table["used_by_epoch"].tolist() == [1, 0, 1, 0, 1, 0, 0, 0]
    np.testing.assert_allclose(table["D"], [2e9, 2e9, 2e10, 2e10] * 2)
    assert points.columns[0] == "x"  # theirs is left as it was


def test_conversion_equals_the_reference_value_by_value(as_published, real_data):
    raw = pd.read_csv(as_published)
    reference = pd.read_csv(real_data("epoch_chinchilla/runs.csv"))
    pd.testing.assert_frame_equal(epoch_chinchilla.convert(raw), reference, rtol=1e-14, atol=0)


def test_the_pinned_checksum_is_that_of_the_published_file(as_published):
    assert sha256_of(as_published) == epoch_chinchilla.FILE.sha256
    assert epoch_chinchilla.FILE.url() == (
        "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/"
        "92258837425e1b5f2851d624287f0120583a3d0e/data/svg_extracted_data.csv"
    )


def test_epoch_chinchilla_downloaded_or_from_a_folder_is_the_same_table(
    site, monkeypatch, tmp_path, as_published, real_data
):
    publish(site, epoch_chinchilla.FILE, as_published.read_bytes())
    monkeypatch.setenv("BAYESSCALE_DATA_URL", site.url)
    downloaded = datasets.load("epoch-chinchilla")
    again = datasets.load("epoch-chinchilla")
    tidy = datasets.load("epoch-chinchilla", folder=real_data("epoch_chinchilla/runs.csv").parents[1])
    cache_as_folder = datasets.load("epoch-chinchilla", folder=tmp_path / "cache" / "datasets")
    assert len(site.asked) == 1
    assert len(downloaded) == datasets.listing().set_index("name")["rows"]["epoch-chinchilla"] == 240
    assert downloaded.fingerprint == again.fingerprint == tidy.fingerprint == cache_as_folder.fingerprint
    assert downloaded.about == tidy.about


def test_epoch_chinchilla_all_rows_marks_the_five_largest_losses(real_data):
    folder = real_data("epoch_chinchilla/runs.csv").parents[1]
    fitted, everything = (datasets.load("epoch-chinchilla", folder=folder, all_rows=a) for a in (False, True))
    table = everything.table
    assert len(table) == 245
    assert set(table["loss"].nlargest(5)) == set(table["loss"][table["used_by_epoch"] == 0])
    assert "used_by_epoch" not in fitted.columns
    np.testing.assert_array_equal(fitted.column("loss"), table["loss"][table["used_by_epoch"] == 1])


def test_epoch_chinchilla_says_what_it_is(site, monkeypatch, points):
    file = replace(epoch_chinchilla.FILE, sha256=hashlib.sha256(as_csv(points)).hexdigest())
    publish(site, file, as_csv(points))
    monkeypatch.setattr(epoch_chinchilla, "FILE", file)
    monkeypatch.setenv("BAYESSCALE_DATA_URL", site.url)
    runs = datasets.load("epoch-chinchilla")
    assert len(runs) == 3
    about = runs.about
    assert (about["count_N"], about["loss_unit"], about["eval"]) == ("total", "nats/token", "MassiveText")
    assert about["derived"]["D"] == "C / (6 * N)"
    assert "2404.10102" in about["source"]
    assert "none stated" in about["licence"]
    assert "digitised" in about["caution"]


# -- a folder to look in first -----------------------------------------------------------------------------------------


def put(folder, name, content):
    path = folder / "epoch_chinchilla" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


def test_the_folder_is_named_by_argument_or_environment(tmp_path, monkeypatch, points):
    tidy = epoch_chinchilla.convert(points)
    ours = put(tmp_path / "ours", "runs.csv", as_csv(tidy))
    theirs = put(tmp_path / "theirs", "runs.csv", as_csv(tidy.assign(loss=tidy["loss"] + 1)))
    monkeypatch.setenv("BAYESSCALE_DATA", str(theirs))
    assert datasets.load("epoch-chinchilla").column("loss").tolist() == [4.0, 3.9, 3.5]
    assert datasets.load("epoch-chinchilla", folder=ours).column("loss").tolist() == [3.0, 2.9, 2.5]


def test_the_published_file_in_the_folder_is_checked_and_converted(tmp_path, monkeypatch, points):
    content = as_csv(points)
    folder = put(tmp_path / "ours", "svg_extracted_data.csv", content)
    with pytest.raises(DatasetError, match=rf"svg_extracted_data.csv is not the file.*{epoch_chinchilla.FILE.sha256}"):
        datasets.load("epoch-chinchilla", folder=folder)
    file = replace(epoch_chinchilla.FILE, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(epoch_chinchilla, "FILE", file)
    assert len(datasets.load("epoch-chinchilla", folder=folder)) == 3


def test_a_folder_that_is_not_there_is_said(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match=r"folder='.*nowhere': there is no such folder"):
        datasets.load("epoch-chinchilla", folder=tmp_path / "nowhere")
    monkeypatch.setenv("BAYESSCALE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match=r"BAYESSCALE_DATA='.*nowhere'"):
        datasets.load("epoch-chinchilla")


def test_a_folder_without_the_table_means_download(tmp_path):
    with pytest.raises(DatasetError, match="no connection"):
        datasets.load("epoch-chinchilla", folder=tmp_path)


def test_another_table_in_the_folder_is_refused(tmp_path, points):
    tidy = epoch_chinchilla.convert(points)
    folder = put(tmp_path, "runs.csv", as_csv(tidy.drop(columns=["D", "used_by_epoch"])))
    with pytest.raises(DatasetError, match=r"runs.csv has no column D, used_by_epoch; it must have N, D, C"):
        datasets.load("epoch-chinchilla", folder=folder)
    put(tmp_path, "runs.csv", as_csv(tidy.assign(loss=np.nan)))
    with pytest.raises(RunsError, match="column 'loss': no value"):
        datasets.load("epoch-chinchilla", folder=folder)


# -- the download ------------------------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once_and_quietly(site, tmp_path, capfd):
    publish(site, FILE, CONTENT)
    level = pooch.get_logger().level
    path = fetch(FILE, base_url=site.url)
    assert path == tmp_path / "cache" / "datasets" / "tiny" / "runs.csv"
    assert path.read_bytes() == CONTENT
    assert fetch(FILE, base_url=site.url + "/") == path
    assert site.asked == ["/someone/somewhere/0123abc/data/runs.csv"]
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == level


def test_a_damaged_copy_in_the_cache_is_replaced(site):
    publish(site, FILE, CONTENT)
    path = fetch(FILE, base_url=site.url)
    path.write_bytes(CONTENT[:-4])
    assert fetch(FILE, base_url=site.url).read_bytes() == CONTENT
    assert len(site.asked) == 2


def test_without_network_a_file_in_the_cache_is_enough(site):
    publish(site, FILE, CONTENT)
    fetch(FILE, base_url=site.url)
    assert fetch(FILE, base_url=nothing_listens()).read_bytes() == CONTENT


def test_wrong_checksum(site, tmp_path):
    publish(site, FILE, b"<html>please log in</html>")
    got = hashlib.sha256(b"<html>please log in</html>").hexdigest()
    with pytest.raises(DatasetError, match=rf"its SHA-256 is {got}, not {FILE.sha256}; nothing was kept") as said:
        fetch(FILE, base_url=site.url)
    assert "BAYESSCALE_DATA" in str(said.value)
    assert kept(tmp_path) == []


def test_missing_file(site, tmp_path):
    with pytest.raises(DatasetError, match=r"cannot be downloaded: 127.0.0.1:\d+ answered 404 File not found"):
        fetch(FILE, base_url=site.url)
    assert kept(tmp_path) == []


def test_server_out_of_order(site):
    site.out_of_order = True
    with pytest.raises(DatasetError, match="answered 503 Service Unavailable"):
        fetch(FILE, base_url=site.url)


def test_answer_cut_short(site, tmp_path):
    site.cut_short = True
    with pytest.raises(DatasetError, match="cannot be downloaded: "):
        fetch(FILE, base_url=site.url)
    assert kept(tmp_path) == []


def test_nothing_listening(tmp_path):
    with pytest.raises(DatasetError, match=r"no connection to 127.0.0.1:\d+ \(no network") as said:
        fetch(FILE)
    remedy = f"get {FILE.url(download.GITHUB)} by other means, save it as <folder>/tiny/runs.csv"
    assert remedy in str(said.value)
    assert kept(tmp_path) == []


def test_no_answer_in_time(monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.1)
    silence = r"127.0.0.1:\d+ did not answer within 0.1 s"
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DatasetError, match=silence):
        fetch(FILE, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_an_address_that_is_none():
    with pytest.raises(DatasetError, match=r"mirror/someone/.* cannot be downloaded: Invalid URL"):
        fetch(FILE, base_url="mirror")


def test_a_cache_that_cannot_be_written(site, tmp_path):
    publish(site, FILE, CONTENT)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match=r"tiny: the download cannot be kept there .*BAYESSCALE_CACHE_DIR"):
        fetch(FILE, base_url=site.url)
