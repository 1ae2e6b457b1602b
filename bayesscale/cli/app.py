"""The command `bayesscale`: its verbs, in the order of its help."""

from __future__ import annotations

import inspect

from cyclopts import App, Parameter

import bayesscale as bs
from bayesscale.cli.decisions import allocate, batch_size, learning_rate
from bayesscale.cli.evaluation import backtest
from bayesscale.cli.growth import growth
from bayesscale.cli.ladders import ladder
from bayesscale.cli.listings import datasets, laws
from bayesscale.cli.mixtures import mixture
from bayesscale.cli.verbs import compare, demo, fit, predict

__all__ = ["app"]

app = App(
    name="bayesscale",
    help="Bayesian scaling laws: given these small training runs, what will the big one do, and how sure can we be?",
    help_epilogue=(
        "Begin with\n"
        "  bayesscale demo\n"
        "  bayesscale fit runs.csv --law chinchilla --out posterior.nc\n"
        "  bayesscale predict posterior.nc --N 70B --D 1.4T\n"
        "\n"
        "bayesscale COMMAND --help tells more of each. Exit status: 0, or 2 on bad input."
    ),
    help_format="plaintext",
    version=bs.__version__,
    default_parameter=Parameter(negative=()),
)

OF_POSTERIORS = (allocate, batch_size, learning_rate)
VERBS = (demo, fit, predict, *OF_POSTERIORS, compare, backtest, ladder, mixture, growth, laws, datasets)

for _place, _verb in enumerate(VERBS):
    # Help is the docstring; its Examples, which cyclopts leaves out, stand at the end.
    _, _, _examples = inspect.getdoc(_verb).partition("\nExamples\n--------\n")
    _indented = "\n".join(f"  {line}" for line in _examples.splitlines())
    app.command(_verb, sort_key=_place, help_epilogue=f"Examples\n{_indented}")
