"""What a backtest costs: three laws at three cutoffs of Epoch's 240 runs, beside ten plain fits of the same laws.

    python tests/benchmarks/backtest_cost.py [--laws NAME ...] [--discrepancy] [--repeats 1]

Each in a fresh process that finds no compiled programs (cold), then once more in the same process (warm). Wall time,
and processor time over all cores, which a busy machine disturbs less. The goal: a ratio of at most 1.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import cycle, islice
from statistics import median

from fresh_process import CACHE_FOLDER, CACHE_SWITCH, busy_share
from printing import console, print_goals, print_table
from tables import epoch

LAWS = ("chinchilla", "skaling", "power(C)")
FITS = 10
OF = ((0, "wall"), (1, "processor"))


def work(what, laws, discrepancy):
    """Do it twice in this process and print both times."""
    import bayesscale as bs

    warnings.simplefilter("ignore")
    runs = bs.read_runs(epoch())
    found = {}
    for name, seed in (("cold", 0), ("warm", 100)):
        wall, processor = time.perf_counter(), time.process_time()
        if what == "fits":
            for i, law in enumerate(islice(cycle(laws), FITS)):
                bs.fit(law, runs, seed=seed + i, discrepancy=discrepancy)
        else:
            bs.backtest(runs, laws, seed=seed, discrepancy=discrepancy)
        found[name] = [time.perf_counter() - wall, time.process_time() - processor]
    print(json.dumps(found))


def measure(what, given):
    """Start a fresh process for it."""
    with tempfile.TemporaryDirectory() as nothing:
        environment = os.environ | {CACHE_SWITCH: "off", CACHE_FOLDER: nothing}
        options = ["--laws", *given.laws, *["--discrepancy"] * given.discrepancy]
        command = [sys.executable, __file__, "--worker", what, *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print the times and their ratio."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--laws", nargs="+", default=list(LAWS))
    asked.add_argument("--discrepancy", action="store_true", help="fit with the discrepancy, both here and there")
    asked.add_argument("--repeats", type=int, default=1, help="processes of each, in turn; medians are shown")
    asked.add_argument("--worker", choices=("fits", "backtest"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.worker:
        work(given.worker, given.laws, given.discrepancy)
        return
    console.print(f"others keep {100 * (busy_share() or 0):.0f}% of this machine's {os.cpu_count()} cores busy")
    times = {"fits": [], "backtest": []}
    for _ in range(given.repeats):
        for what, found in times.items():
            found.append(measure(what, given))
    middle = {
        what: {f"{kind} {of}": median(one[kind][i] for one in found) for kind in ("cold", "warm") for i, of in OF}
        for what, found in times.items()
    }
    rows = {f"{FITS} plain fits of {', '.join(given.laws)}": middle["fits"]}
    rows[f"backtest of {len(given.laws)} laws"] = middle["backtest"]
    columns = list(middle["fits"])
    print_table("Seconds", rows, {name: lambda row, name=name: row[name] for name in columns})
    print_goals({f"ratio, {name}": (middle["backtest"][name] / middle["fits"][name], "<=", 1) for name in columns})


if __name__ == "__main__":
    main()
