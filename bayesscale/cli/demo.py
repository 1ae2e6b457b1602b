"""The demonstration: from a table of simulated runs to a forecast that can be held against the truth."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot

import bayesscale as bs
from bayesscale import plots
from bayesscale.cli import show
from bayesscale.cli.messages import doing
from bayesscale.units import format_number

__all__ = ["run_demo"]

BIG_RUNS = {"N": ["7B", "70B"], "D": "1.4T"}


def run_demo(folder: Path) -> None:
    """Fit, check, forecast, compare and draw; leave the results in `folder`.

    Parameters
    ----------
    folder : Path
        Made where it is absent; files of an earlier demo are written over.
    """
    matplotlib.use("Agg")  # files only: no window, and none is needed
    folder.mkdir(parents=True, exist_ok=True)
    runs = bs.datasets.load("simulated-ladder")
    truth = runs.about["truth"]

    show.text(f"1. {len(runs)} small runs, simulated from a law whose constants we know", style="bold")
    span = {k: [format_number(f(runs.column(k))) for f in (min, max)] for k in ("N", "D", "C")}
    show.text(", ".join(f"{k} {low} to {high}" for k, (low, high) in span.items()) + " (parameters, tokens, FLOP)")

    with doing("fitting chinchilla: compiling and sampling"):
        post = bs.fit("chinchilla", runs)
        checks = post.check()
    show.heading(f"2. The law fitted to them: {post.law.formula}")
    show.parameters(post, truth=truth)
    show.text()
    show.check(checks)

    show.heading("3. What it forecasts for runs far larger, beside the truth")
    _forecast(post, truth)

    with doing("fitting power(C): compiling and sampling"):
        compared = bs.compare([post, bs.fit("power(C)", runs)])
    show.heading("4. Two laws compared on these runs (higher elpd is better)")
    show.comparison(compared)

    with doing("writing figures and the posterior"):
        written = _write(folder, runs, post, compared)
    show.heading(f"5. Written into {folder}")
    for name, what in written.items():
        show.text(f"{name:<20} {what}", indent=2)

    show.heading("Next")
    for line in (
        f"bayesscale predict {folder / 'posterior.nc'} --N 13B --D 2T --below 2.1",
        f'bayesscale compare {folder / "runs.csv"} --laws chinchilla "power(N)"',
        "bayesscale fit your.csv --columns N=params D=tokens loss=final_loss --out posterior.nc",
    ):
        show.text(line, indent=2)


def _forecast(post, truth) -> None:
    mean, new = (post.predict(**BIG_RUNS, kind=kind) for kind in ("mean", "new-run"))
    constants = {k: truth[k] for k in post.law.constants}
    true = post.law.evaluate(constants, N=mean.targets["N"], D=mean.targets["D"])
    beyond = [f"{times:.0f}x" for times in mean.reach]
    for title, made, extra in (
        ("Expected loss", mean, {"truth": [show.number(x) for x in true]}),
        ("Loss of one new run, with the scatter of a run", new, {}),
    ):
        show.text(title)
        show.forecast(made, targets=["N", "D"], level=(0.5, 0.8, 0.95), extra={"compute": beyond} | extra)
        show.text()
    low, high = mean.interval(0.95)
    held = int(((low < true) & (true < high)).sum())
    show.text(
        f"The 95% interval holds the truth at {held} of {len(true)} targets (compute: times the largest run fitted). "
        "The law is right here by construction. Real runs bend away from any law: how far they may is part of the "
        "interval, and grows with the distance."
    )


def _write(folder, runs, post, compared) -> dict[str, str]:
    """Write everything into the folder; return what each file is."""
    runs.table.to_csv(folder / "runs.csv", index=False)
    post.save(folder / "posterior.nc")
    big = post.predict(**BIG_RUNS).targets
    figures = {
        "forecast.png": (
            "loss against compute: runs, fan and the two targets",
            plots.forecast(post, x="C", targets=big),
        ),
        "residuals.png": ("what the law leaves over", plots.residuals(post)),
        "prior_posterior.png": ("what the runs taught", plots.prior_posterior(post)),
        "comparison.png": ("the two laws", plots.comparison(compared)),
    }
    for name, (_, axes) in figures.items():
        figure = np.ravel(axes)[0].figure
        figure.savefig(folder / name, dpi=150)
        pyplot.close(figure)
    return {
        "runs.csv": "the runs, as a table of your own would look",
        "posterior.nc": "the fit, for bayesscale predict or bs.load",
        **{name: what for name, (what, _) in figures.items()},
    }
