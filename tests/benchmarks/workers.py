"""What runs inside one fresh process: a contender, a reference, a batch. One JSON line on stdout says how it went.

A worker takes a request (a dict of paths and sizes, made by the part that started it) and saves its draws, so that the
parent scores every contender alike. Imports are inside the functions: their cost belongs to whoever needs them.
"""

import importlib
import json
import resource
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import same_model
from same_model import PARAMETERS


def work(name, request):
    """Do what `name` says and print its report. A missing package is a reason to skip, anything else a failure."""
    try:
        report = WORKERS[name](request)
    except ImportError as error:
        report = {"skipped": f"{type(error).__name__}: {error}"}
    except Exception:
        report = {"failed": traceback.format_exc()}
    print(json.dumps(report | {"peak_mib": peak_memory()}), flush=True)
    return 1 if "failed" in report else 0


def peak_memory():
    """Largest resident size of this process in MiB."""
    try:  # Linux's ru_maxrss starts at the size of the process that spawned this one; VmHWM does not
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def packages(request):
    """Versions of the packages asked for, or why they cannot be imported; it also brings them into the disk cache."""
    found = {}
    for name in request["packages"]:
        try:
            module = importlib.import_module(name)
            found[name] = {"version": getattr(module, "__version__", "?")}
            if name == "jax":
                found[name]["devices"] = [f"{device.platform}: {device.device_kind}" for device in module.devices()]
        except Exception as error:
            found[name] = {"missing": f"{type(error).__name__}: {error}"}
    return found


def compete(request, read, fit):
    """Cold fit of the first table, warm fits of the others; draws to `request["draws"]`, one file a table."""
    import numpy as np

    report = {"warm_s": []}
    for seed, table in enumerate(request["tables"]):
        data = read(table)
        began = time.perf_counter()
        draws = fit(data, seed)
        took = time.perf_counter() - began
        if seed == 0:
            report["cold_s"] = time.time() - request["spawned_at"]
        else:
            report["warm_s"].append(took)
        np.savez(f"{request['draws']}-{seed}.npz", **draws)
    return report


def plain_numpyro(request):
    import numpyro

    numpyro.enable_x64()
    numpyro.set_host_device_count(4)
    read, formula = same_model.FORMULAS[request["formula"]]
    model = partial(same_model.raw_in_numpyro, formula)
    return compete(request, read, lambda runs, seed: sample_numpyro(model, runs, seed, request))


def reference(request):
    """A long and careful run of the same model in shares."""
    import numpyro

    numpyro.enable_x64()
    numpyro.set_host_device_count(4)
    careful = {"dense_mass": True, "target_accept_prob": 0.95}
    model = same_model.shares_in_numpyro
    return compete(
        request, same_model.read_logs, lambda runs, seed: sample_numpyro(model, runs, seed, request, **careful)
    )


def sample_numpyro(model, runs, seed, request, **settings):
    import jax
    import numpy as np
    from numpyro.infer import MCMC, NUTS

    mcmc = MCMC(
        NUTS(model, **settings),
        num_warmup=request["warmup"],
        num_samples=request["kept"],
        num_chains=4,
        chain_method="parallel",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed), **runs, extra_fields=("num_steps", "diverging"))
    draws, stats = mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields(group_by_chain=True)
    drawn = {name: np.asarray(draws[name]) for name in PARAMETERS}
    return drawn | {"n_steps": np.asarray(stats["num_steps"]), "diverging": np.asarray(stats["diverging"])}


def nutpie_on_pymc(request):
    import nutpie

    read, formula = same_model.FORMULAS[request["formula"]]
    compiled = None

    def fit(runs, seed):
        nonlocal compiled
        compiled = (
            compiled.with_data(**runs)
            if compiled
            else nutpie.compile_pymc_model(same_model.raw_in_pymc(formula, **runs))
        )
        trace = nutpie.sample(
            compiled, draws=request["kept"], tune=request["warmup"], chains=4, seed=seed, progress_bar=False
        )
        drawn = {name: trace.posterior[name].to_numpy() for name in PARAMETERS}
        return drawn | {name: trace.sample_stats[name].to_numpy() for name in ("n_steps", "diverging")}

    return compete(request, read, fit)


def bayesscale(request):
    import bayesscale as bs

    return compete(
        request, bs.read_runs, lambda runs, seed: drawn_by(bs.fit("chinchilla", runs, seed=seed, discrepancy=False))
    )


def drawn_by(posterior):
    """The draws of a bayesscale posterior as the other contenders give theirs."""
    import numpy as np

    drawn = {name: np.asarray(posterior.draws[name]) for name in PARAMETERS}
    return drawn | {name: np.asarray(posterior.stats[name]) for name in ("n_steps", "diverging")}


def singles(request):
    """Every table by a call of its own, after one that compiles."""
    import bayesscale as bs

    tables = [bs.read_runs(path) for path in request["tables"]]
    drawn_by(bs.fit("chinchilla", tables[0], seed=0, discrepancy=False))
    began = time.perf_counter()
    drawn = [drawn_by(bs.fit("chinchilla", runs, seed=seed, discrepancy=False)) for seed, runs in enumerate(tables)]
    report = {"warm_s": time.perf_counter() - began}
    save(request, drawn)
    return report


def together(request):
    """All tables in one call, after one that compiles."""
    import bayesscale as bs

    tables = [bs.read_runs(path) for path in request["tables"]]
    drawn = [drawn_by(posterior) for posterior in bs.fit_many("chinchilla", tables[::-1], seed=1, discrepancy=False)]
    cold_s = time.time() - request["spawned_at"]
    began = time.perf_counter()
    drawn = [drawn_by(posterior) for posterior in bs.fit_many("chinchilla", tables, seed=0, discrepancy=False)]
    report = {"warm_s": time.perf_counter() - began, "cold_s": cold_s}
    save(request, drawn)
    return report


def save(request, drawn):
    import numpy as np

    for number, draws in enumerate(drawn):
        np.savez(f"{request['draws']}-{number}.npz", **draws)


WORKERS = {
    "packages": packages,
    "plain-numpyro": plain_numpyro,
    "nutpie": nutpie_on_pymc,
    "bayesscale": bayesscale,
    "reference": reference,
    "singles": singles,
    "together": together,
}
