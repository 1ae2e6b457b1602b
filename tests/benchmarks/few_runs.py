"""Part two: seven tables of 240 to 6 runs. A fast fit that is wrong with few runs is worth nothing."""

from statistics import median

from fresh_process import start
from printing import console, print_goals, print_table, print_trouble
from references import reference
from scores import disagreement, load, score, worst
from tables import few_runs, write

FITS = 4  # of every table, with other seeds: the first compiles, the others are warm, and the worst of them is shown


def measure(options):
    figures = {}
    for number, (name, frame) in enumerate(few_runs().items()):
        console.print(f"{name} ...", style="dim")
        draws = str(options.folder / f"few-{number}")
        path = write(frame, f"{draws}.csv")
        figures[name] = found = {"runs": len(frame), "reference": reference(frame, options)}
        found["report"] = report = start("bayesscale", options, tables=[path] * FITS, draws=draws)
        if "cold_s" in report:
            fits = [score(load(f"{draws}-{seed}.npz")) for seed in range(FITS)]
            found["bayesscale"] = {
                "warm_s": median(report["warm_s"]),
                "divergences": sum(fit["divergences"] for fit in fits),
                "median_leapfrogs": median(fit["leapfrogs"] for fit in fits),
                **{key: max(fit[key] for fit in fits) for key in ("rhat", "leapfrogs")},
                **{key: min(fit[key] for fit in fits) for key in ("bulk_ess", "tail_ess")},
                "moments": fits[0]["moments"],
            }
            if "moments" in found["reference"]:
                apart = [worst(disagreement(fit, found["reference"])) for fit in fits]
                found["disagreement"] = max(apart, key=lambda difference: abs(difference[0]))
    return figures


def show(figures):
    for name, found in figures.items():
        print_trouble(f"{name}: bayesscale", found["report"])
        print_trouble(f"{name}: reference", found["reference"])
    of_fit = {
        "warm s": "{warm_s:.2f}",
        "leapfrogs: median, worst": "{median_leapfrogs:.1f}, {leapfrogs:.1f}",
        "divergent": "{divergences}",
        "R-hat": "{rhat:.3f}",
        "bulk ESS": "{bulk_ess:.0f}",
        "tail ESS": "{tail_ess:.0f}",
        **{name: f"{{moments[{name}][mean]:.3f}} ± {{moments[{name}][sd]:.3f}}" for name in ("E", "alpha", "beta")},
    }

    def cell(part, text):
        return lambda found: text.format(**found[part]) if "rhat" in found.get(part, {}) else "-"

    print_table(
        f"Few runs: bayesscale.fit (worst of {FITS} seeds) against a long plain NUTS run",
        figures,
        {"runs": lambda found: found["runs"]}
        | {header: cell("bayesscale", text) for header, text in of_fit.items()}
        | {
            "largest difference, s.e.": lambda found: "{:+.1f}, {}".format(*found.get("disagreement", (0.0, "-"))),
            "long run: divergent, R-hat, ESS": cell("reference", "{divergences}, {rhat:.3f}, {bulk_ess:,.0f}"),
        },
    )
    print_goals(goals(figures))


def goals(figures):
    fits = [found["bayesscale"] for found in figures.values() if "bayesscale" in found]
    apart = [abs(found["disagreement"][0]) for found in figures.values() if "disagreement" in found]

    def over_tables(choose, key):
        return choose(fit[key] for fit in fits) if fits else None

    return {
        "divergences": (over_tables(sum, "divergences"), "<=", 0),
        "R-hat": (over_tables(max, "rhat"), "<=", 1.01),
        "min bulk ESS of 4000": (over_tables(min, "bulk_ess"), ">=", 900),
        "min tail ESS of 4000": (over_tables(min, "tail_ess"), ">=", 400),
        "leapfrogs per draw, worst seed": (over_tables(max, "leapfrogs"), "<=", 15),
        "largest difference from the long runs, standard errors": (max(apart, default=None), "<=", 4.5),
    }
