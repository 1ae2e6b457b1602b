"""Start a worker in a fresh process, with nothing left from earlier ones but what is given on purpose."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

# What bayesscale reads from its environment: "off" for no persistent cache of compiled programs, and where it lies.
CACHE_SWITCH = "BAYESSCALE_COMPILATION_CACHE"
CACHE_FOLDER = "BAYESSCALE_CACHE_DIR"

PYMC_PACKAGES = ("pymc", "nutpie")


def busy_share(seconds=0.5):
    """How much of this machine others use just now (0 to 1), or None where the system does not say."""

    def idle_and_all():
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return ticks[3] + ticks[4], sum(ticks)

    try:
        idle, total = idle_and_all()
        time.sleep(seconds)
        idle_later, total_later = idle_and_all()
    except OSError:
        return None
    return 1 - (idle_later - idle) / max(1, total_later - total)


def start(name, options, *, python=None, compiled=None, **request):
    """The report of worker `name`.

    `compiled` is the folder of compiled programs to use; without it there are none, and none are kept. The report's
    `busy_before` tells how far the machine was left alone: on a busy one no ratio of times means much.
    """
    scratch = Path(options.folder) / f"compiled-{time.monotonic_ns()}"
    kept = Path(compiled or scratch)
    kept.mkdir(parents=True, exist_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JAX_COMPILATION_CACHE")}
    environment = inherited | {
        CACHE_SWITCH: "on" if compiled else "off",
        CACHE_FOLDER: str(kept),
        "PYTENSOR_FLAGS": f"base_compiledir={kept}",
        "NUMBA_CACHE_DIR": str(kept / "numba"),
    }
    program = str(Path(__file__).with_name("sampling.py"))
    busy = busy_share()
    arguments = json.dumps(request | {"spawned_at": time.time()})
    finished = subprocess.run(
        [python or sys.executable, program, "--worker", name, "--request", arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    try:
        return json.loads(finished.stdout.splitlines()[-1]) | {"busy_before": busy}
    except (IndexError, json.JSONDecodeError):
        return {"failed": f"exit status {finished.returncode}\n{finished.stderr[-2000:]}"}


def packages(options):
    """What this benchmark finds on this machine."""
    found = start("packages", options, packages=("jax", "numpyro", "bayesscale"))
    found |= start("packages", options, python=options.pymc_python, packages=PYMC_PACKAGES)
    found["python"] = {"version": platform.python_version()}
    found["cores"] = {"version": str(os.cpu_count())}
    for key in ("peak_mib", "busy_before"):
        found.pop(key, None)
    return found
