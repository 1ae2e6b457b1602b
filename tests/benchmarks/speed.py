"""Part one: the same model and priors on 240 runs, by each contender."""

from statistics import median

from fresh_process import start
from printing import print_goals, print_table, print_trouble
from references import reference
from scores import disagreement, load, score, worst
from tables import epoch, perturbed, write

WARM_FITS = {"plain-numpyro": 1, "nutpie": 3, "bayesscale": 5}  # one that recompiles varies little


def measure(options):
    frame = epoch()
    tables = [write(frame, options.folder / "epoch.csv")]
    for seed in range(1, 1 + max(WARM_FITS.values())):
        tables.append(write(perturbed(frame, seed), options.folder / f"epoch-{seed}.csv"))
    figures = {"reference": reference(frame, options), "contenders": {}}
    for name in options.only:
        figures["contenders"][name] = contender(name, tables, options)
    figures["agreement"] = agreement(figures)
    return figures


def contender(name, tables, options):
    """Medians over fresh processes with no compiled programs; then once more with those of an earlier process."""
    length = 300 if options.quick else 1000
    draws = str(options.folder / name)
    worker = name.removesuffix("-exp")
    formula = "by exponentials" if name.endswith("-exp") else "as published"
    tables = tables[: 1 + WARM_FITS[worker]]

    def run(tables, compiled=None):
        python = options.pymc_python if worker == "nutpie" else None
        request = {"tables": tables, "draws": draws, "formula": formula, "warmup": length, "kept": length}
        return start(worker, options, python=python, compiled=compiled, **request)

    report = run(tables)
    if "cold_s" not in report:
        return report
    fits = [score(load(f"{draws}-{number}.npz")) for number in range(len(tables))]
    cold = [report["cold_s"]] + [run(tables[:1])["cold_s"] for _ in range(options.repeats - 1)]
    kept = []
    if worker != "plain-numpyro":  # NumPyro keeps no compiled programs by default
        programs = options.folder / f"programs-{name}"
        run(tables[:1], compiled=programs)
        kept = [run(tables[:1], compiled=programs)["cold_s"] for _ in range(options.repeats)]
    each = [fit["bulk_ess"] / took for fit, took in zip(fits[1:], report["warm_s"], strict=True)]
    return fits[0] | {
        "cold_s": median(cold),
        "cold_kept_s": median(kept) if kept else None,
        "warm_s": median(report["warm_s"]),
        "ess_per_cold_s": fits[0]["bulk_ess"] / median(cold),
        "ess_per_warm_s": median(each),
        "peak_mib": report["peak_mib"],
        "busy_before": report["busy_before"],
        "all": {"cold_s": cold, "cold_kept_s": kept, "warm_s": report["warm_s"], "ess_per_warm_s": each},
    }


def agreement(figures):
    """Every contender against the long reference, and bayesscale against each rival."""
    everyone = {name: found for name, found in figures["contenders"].items() if "cold_s" in found}
    pairs = [("bayesscale", rival) for rival in everyone if rival != "bayesscale" and "bayesscale" in everyone]
    if "moments" in figures["reference"]:
        pairs += [(name, "reference") for name in everyone]
        everyone["reference"] = figures["reference"]
    return {f"{one} - {other}": disagreement(everyone[one], everyone[other]) for one, other in pairs}


def show(figures):
    everyone = figures["contenders"] | {"reference": figures["reference"]}
    for name, found in everyone.items():
        print_trouble(name, found)
    print_table(
        "240 Epoch Chinchilla runs, Student-t on log loss, 4 chains",
        {name: found for name, found in figures["contenders"].items() if "cold_s" in found},
        {
            "cold s": lambda found: found["cold_s"],
            "programs kept": lambda found: found["cold_kept_s"],
            "warm s": lambda found: found["warm_s"],
            "bulk ESS": lambda found: found["bulk_ess"],
            "tail ESS": lambda found: found["tail_ess"],
            "of draws": lambda found: found["draws"],
            "ESS/s cold": lambda found: found["ess_per_cold_s"],
            "ESS/s warm": lambda found: found["ess_per_warm_s"],
            "leapfrogs/draw": lambda found: found["leapfrogs"],
            "divergent": lambda found: found["divergences"],
            "R-hat": lambda found: f"{found['rhat']:.3f}",
            "peak MiB": lambda found: found["peak_mib"],
            "busy before": lambda found: "-" if found["busy_before"] is None else f"{found['busy_before']:.0%}",
        },
    )
    sampled = {name: found["moments"] for name, found in everyone.items() if "moments" in found}
    if not sampled:
        return
    names = list(next(iter(sampled.values())))
    print_table("Posterior mean ± sd", sampled, {name: lambda of, name=name: mean_and_sd(of[name]) for name in names})
    print_table(
        "Differences of means | of sds, in Monte Carlo standard errors",
        figures["agreement"],
        {name: lambda of, name=name: "{mean:+.1f} | {sd:+.1f}".format(**of[name]) for name in names}
        | {"largest": lambda of: "{:+.1f}, {}".format(*worst(of))},
    )
    print_goals(goals(figures))


def mean_and_sd(moments):
    return f"{moments['mean']:.4f} ± {moments['sd']:.4f}"


def goals(figures):
    ours = figures["contenders"].get("bayesscale", {})
    cold, kept, warm = (ours.get(key) for key in ("cold_s", "cold_kept_s", "ess_per_warm_s"))

    def ratio(one, rival, key):
        other = figures["contenders"].get(rival, {}).get(key)
        return one / other if one and other else None

    apart = [abs(worst(found)[0]) for pair, found in figures["agreement"].items() if pair.startswith("bayesscale")]
    return {
        "ESS per warm second, times nutpie's": (ratio(warm, "nutpie", "ess_per_warm_s"), ">=", 300),
        "... nutpie-exp's": (ratio(warm, "nutpie-exp", "ess_per_warm_s"), ">=", None),
        "ESS per warm second, times plain NumPyro's": (ratio(warm, "plain-numpyro", "ess_per_warm_s"), ">=", 500),
        "... plain-numpyro-exp's": (ratio(warm, "plain-numpyro-exp", "ess_per_warm_s"), ">=", None),
        "leapfrogs per draw": (ours.get("leapfrogs"), "<=", 10),
        "cold start, share of nutpie's": (ratio(cold, "nutpie", "cold_s"), "<=", 1 / 5),
        "... of nutpie-exp's": (ratio(cold, "nutpie-exp", "cold_s"), "<=", None),
        "cold start with kept programs, share of nutpie's without": (ratio(kept, "nutpie", "cold_s"), "<=", 1 / 12),
        "... of nutpie's with its own kept": (ratio(kept, "nutpie", "cold_kept_s"), "<=", None),
        "divergences": (ours.get("divergences"), "<=", 0),
        "largest disagreement, standard errors": (max(apart, default=None), "<=", 4),
    }
