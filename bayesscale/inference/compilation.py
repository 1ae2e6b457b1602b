"""How programs are compiled and run: precision, and the programs kept between processes.

Nothing of the user's JAX configuration is different afterwards.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import jax
from jax.experimental.compilation_cache import compilation_cache

from bayesscale.errors import LawError

__all__ = ["cache_compilation", "compilation_folder", "compiling", "precise"]

_chosen: list[Path | None] = []
# NumPyro's handlers and JAX's cache are of the whole process: one thread at a time traces and compiles.
_one_at_a_time = RLock()


def cache_compilation(folder: str | os.PathLike | bool = True) -> None:
    """Choose where compiled programs are kept between processes.

    They are kept by default: the first fit of a new process then takes half the time.

    Parameters
    ----------
    folder : path or bool
        A folder, True for the default one (``$BAYESSCALE_CACHE_DIR`` or the user's cache folder), False to keep none.
        The environment variable ``BAYESSCALE_COMPILATION_CACHE=off`` says False for a whole process.
    """
    _chosen[:] = [] if folder is True else [None if folder is False else Path(folder)]


def compilation_folder() -> Path | None:
    """Return the folder of compiled programs, or None where they are not kept."""
    if _chosen:
        return _chosen[0]
    if os.environ.get("BAYESSCALE_COMPILATION_CACHE", "on").lower() in ("off", "0", "false", "no"):
        return None
    import pooch

    return Path(os.environ.get("BAYESSCALE_CACHE_DIR") or pooch.os_cache("bayesscale")) / "compiled"


def _writable(folder: Path) -> bool:
    # A read-only home, as on many cluster nodes, must not stop a fit.
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


@contextmanager
def compiling():
    """Keep what is compiled inside; a cache that the user has set up in JAX is left alone and used."""
    with _one_at_a_time, _caching():
        yield


@contextmanager
def _caching():
    folder = None if jax.config.jax_compilation_cache_dir else compilation_folder()
    if folder is None or not _writable(folder):
        yield
        return
    ours = {"jax_compilation_cache_dir": str(folder), "jax_persistent_cache_min_compile_time_secs": 0.0}
    theirs = {k: getattr(jax.config, k) for k in ours}
    # JAX opens its cache once, at the first compilation of a process: reset before and after.
    compilation_cache.reset_cache()
    for k, v in ours.items():
        jax.config.update(k, v)
    try:
        yield
    finally:
        for k, v in theirs.items():
            jax.config.update(k, v)
        compilation_cache.reset_cache()


def precise(precision: str):
    """Return the context in which arrays have this precision: ``"float64"``, or ``"float32"`` for a TPU."""
    if precision not in ("float64", "float32"):
        raise LawError(f'precision is "float64" or "float32", not {precision!r}')
    return jax.enable_x64(precision == "float64")
