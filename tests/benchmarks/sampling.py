"""How fast, and how right, is `bayesscale.fit`? Measured beside what a user would run otherwise.

    python tests/benchmarks/sampling.py                      # all three parts, some 15 minutes on two cores
    python tests/benchmarks/sampling.py --speed --quick      # short chains, one process each: does it run at all?
    python tests/benchmarks/sampling.py --few-runs --cache FOLDER --json figures.json

`--speed`     one model and its priors on the 240 Epoch Chinchilla runs: plain NumPyro, nutpie on PyMC, bayesscale.
              cold = from before the process starts to the draws in NumPy, imports and compilation included.
              warm = the fit alone, again in the same process, on other data of the same shape.
`--few-runs`  seven tables of 240 to 6 runs, where a fast fit can be wrong quietly, against long plain NUTS runs.
`--batch`     64 fits of one shape in one call against 64 single fits.
Without any of the three, all are run. The goals are printed beside the figures.

The two rivals fit the law in the parameters of its paper, written as there (E + A / N**alpha + B / D**beta), as their
users do; `-exp` is the same by exp(ln A - alpha ln N), as a user would who had looked for what makes it slow. The goals
are against the first, and the ratios to the second are beside them. NumPyro runs its chains in parallel on four host
devices, the fastest of its default uses on a CPU; nutpie runs as it comes, and its warm fits keep the compiled model
(`with_data`). Every contender reads the same CSV files and is scored by the same functions on saved draws.

Needs `bayesscale`; `pip install bayesscale[benchmarks]` adds PyMC and nutpie, or name an interpreter that has them
with `--pymc-python`. What cannot be imported is skipped, with the reason. The runs are looked for in the folder
`$BAYESSCALE_DATA`, or else in `shared/data` beside the repository. Leave the machine alone meanwhile.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

CONTENDERS = ("plain-numpyro", "nutpie", "plain-numpyro-exp", "nutpie-exp", "bayesscale")


def main(arguments=None):
    options = read_options(arguments)
    if options.worker:
        from workers import work

        return work(options.worker, json.loads(options.request))

    import batch
    import few_runs
    import speed
    from fresh_process import packages
    from printing import print_machine

    with tempfile.TemporaryDirectory(prefix="sampling-benchmark-") as folder:
        options.folder = Path(folder)
        options.cache = options.cache or options.folder / "references"
        options.packages = packages(options)
        print_machine(options)
        figures = {"machine": options.packages, "quick": options.quick}
        for name, part in {"speed": speed, "few_runs": few_runs, "batch": batch}.items():
            if getattr(options, name):
                figures[name] = part.measure(options)
                part.show(figures[name])
                if options.json:  # after every part: an interrupted run keeps what it has
                    options.json.write_text(json.dumps(figures, indent=1))
    return 1 if '"failed"' in json.dumps(figures) else 0


def read_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true", help="part one: three contenders on 240 runs")
    parser.add_argument("--few-runs", action="store_true", help="part two: seven tables of 240 to 6 runs")
    parser.add_argument("--batch", action="store_true", help="part three: 64 fits in one call")
    parser.add_argument("--quick", action="store_true", help="short chains, no repeats: ratios are rough")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS, help="contenders of part one")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes per contender (medians are shown)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep the slow reference runs here")
    parser.add_argument(
        "--pymc-python", default=sys.executable, metavar="PATH", help="interpreter with PyMC and nutpie"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--request", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not (options.speed or options.few_runs or options.batch):
        options.speed = options.few_runs = options.batch = True
    if options.quick:
        options.repeats = 1
    return options


if __name__ == "__main__":
    sys.exit(main())
