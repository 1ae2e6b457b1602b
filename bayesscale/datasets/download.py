"""A published file, pinned to a commit and a checksum, downloaded once into the cache folder."""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bayesscale.errors import DatasetError

__all__ = ["GITHUB", "PinnedFile", "cache_folder", "fetch", "sha256_of"]

GITHUB = "https://raw.githubusercontent.com"
PATIENCE = 30.0  # seconds without a byte


@dataclass(frozen=True)
class PinnedFile:
    """A file of a public GitHub repository, as it was at one commit.

    Parameters
    ----------
    dataset : str
        Name of the folder that the file is kept in.
    repository : str
        "owner/name".
    commit, path : str
    sha256 : str
        Checksum of the content, in hexadecimal.
    """

    dataset: str
    repository: str
    commit: str
    path: str
    sha256: str

    @property
    def place(self) -> Path:
        """Where the file lies inside the cache folder, or inside a folder of the user's."""
        return Path(self.dataset, PurePosixPath(self.path).name)

    def url(self, base_url: str = GITHUB) -> str:
        """Return the address of the file on GitHub, or on a mirror of it."""
        return f"{base_url.rstrip('/')}/{self.repository}/{self.commit}/{self.path}"


def cache_folder() -> Path:
    """Return the folder of downloaded files: ``datasets`` in ``$BAYESSCALE_CACHE_DIR`` or the user's cache folder."""
    import pooch

    return Path(os.environ.get("BAYESSCALE_CACHE_DIR") or pooch.os_cache("bayesscale")) / "datasets"


def sha256_of(path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fetch(file: PinnedFile, *, base_url: str | None = None) -> Path:
    """Return the path of the file in the cache folder; download it if it is not there, or not as it should be.

    Parameters
    ----------
    file : PinnedFile
    base_url : str, optional
        Where repositories are found: ``$BAYESSCALE_DATA_URL`` if not given (a mirror, where GitHub cannot be reached),
        else GitHub. The checksum holds wherever the file comes from.

    Raises
    ------
    DatasetError
        There is no answer, no such file, another content than published, or no place to write it.
    """
    import pooch

    destination = cache_folder() / file.place
    url = file.url(base_url or os.environ.get("BAYESSCALE_DATA_URL") or GITHUB)

    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                url,
                known_hash=f"sha256:{file.sha256}",
                fname=destination.name,
                path=destination.parent,
                downloader=partial(_download, file=file),
            )
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(
            f"{destination.parent}: the download cannot be kept there ({error}). "
            "Name another folder in the environment variable BAYESSCALE_CACHE_DIR."
        ) from error
    return destination


def _download(url, to, _, *, file) -> None:
    import pooch
    from requests.exceptions import RequestException

    try:
        pooch.HTTPDownloader(timeout=PATIENCE)(url, to, None)
    except RequestException as error:
        raise DatasetError(f"{url} cannot be downloaded: {_reason(error, url)}. {_by_hand(file)}") from error
    # Before pooch compares it, so that the message says both checksums and what to do.
    if (found := sha256_of(to)) != file.sha256:
        raise DatasetError(
            f"{url} is not the file that was published: its SHA-256 is {found}, not {file.sha256}; nothing was kept. "
            f"Try again; if it stays so, a proxy or a login page may have answered in its place. {_by_hand(file)}"
        )


def _reason(error, url) -> str:
    from requests import exceptions

    host = urlsplit(url).netloc
    match error:
        case exceptions.HTTPError():
            return f"{host} answered {error.response.status_code} {error.response.reason}"
        case exceptions.SSLError():
            return f"the certificate of {host} is not accepted (that of a proxy goes into REQUESTS_CA_BUNDLE)"
        case exceptions.Timeout():
            return f"{host} did not answer within {PATIENCE:g} s"
        case exceptions.ConnectionError():
            return f"no connection to {host} (no network, or a proxy that HTTPS_PROXY should name)"
        case _:
            return str(error)


def _by_hand(file) -> str:
    return (
        f"Or get {file.url()} by other means, save it as <folder>/{file.place.as_posix()}, "
        "and set the environment variable BAYESSCALE_DATA to <folder>."
    )


@contextmanager
def _quiet(logger):
    """Keep pooch from telling every download on stderr; its logger is the user's again afterwards."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
