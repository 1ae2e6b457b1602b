"""Part three: many tables of one shape in one call, against as many single warm fits."""

from statistics import median

import numpy as np
from fresh_process import start
from printing import print_goals, print_table, print_trouble
from scores import disagreement, load, score
from tables import epoch, perturbed, write

WAYS = ("singles", "together")


def measure(options):
    fits = 8 if options.quick else 64
    frame = epoch()
    tables = [write(perturbed(frame, seed, by=0.004), options.folder / f"batch-{seed}.csv") for seed in range(fits)]
    figures, scored = {}, {}
    for way in WAYS:
        figures[way] = report = start(way, options, tables=tables, draws=str(options.folder / way))
        if "warm_s" in report:
            scored[way] = [score(load(options.folder / f"{way}-{number}.npz")) for number in range(fits)]
            report["fits"] = fits
            report["bulk_ess"] = median(found["bulk_ess"] for found in scored[way])
            report["rhat"] = max(found["rhat"] for found in scored[way])
            report["divergences"] = sum(found["divergences"] for found in scored[way])
    if len(scored) == len(WAYS):
        pairs = [disagreement(one, other) for one, other in zip(*scored.values(), strict=True)]
        apart = np.array([[list(difference.values()) for difference in pair.values()] for pair in pairs])
        figures["ratio"] = figures["together"]["warm_s"] / figures["singles"]["warm_s"]
        figures["largest"], figures["rms"] = float(abs(apart).max()), float(np.sqrt((apart**2).mean()))
    return figures


def show(figures):
    for way in WAYS:
        print_trouble(way, figures[way])
    print_table(
        "Fits of one shape: a call each, and all in one call",
        {way: figures[way] for way in WAYS if "warm_s" in figures[way]},
        {
            "fits": lambda found: found["fits"],
            "warm s": lambda found: found["warm_s"],
            "s each": lambda found: found["warm_s"] / found["fits"],
            "median min ESS": lambda found: found["bulk_ess"],
            "largest R-hat": lambda found: f"{found['rhat']:.3f}",
            "divergent": lambda found: found["divergences"],
            "peak MiB": lambda found: found["peak_mib"],
        },
    )
    print_goals(
        {
            "one call, share of single fits' time": (figures.get("ratio"), "<=", 0.7),
            "largest difference of means and sds, standard errors": (figures.get("largest"), "<=", 4.5),
            "root mean square of them (1 is chance)": (figures.get("rms"), "<=", 1.2),
        }
    )
