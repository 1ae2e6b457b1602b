"""The accuracy of the big model from a ladder of small ones: every method on the same questions.

    python tests/benchmarks/ladder [--methods NAME ...] [--questions NAME ...] [--others] [--reruns] [--half]
                                   [--verdicts]

A method is a function: it takes a question (what may be fitted, and the rows that are asked for) and returns a
forecast, draws of accuracy and of loss. A recipe may be chosen on the questions inside the ladder; the targets are
public, and their answers were known when the methods were written. The data: the folder ladder of $BAYESSCALE_DATA.
"""

import argparse
from functools import partial
from time import perf_counter

import olmo
import ours
import pandas as pd
import paper
import scores


def _point_fit(fit):
    """Make a method of a point fit: its band, where there is one, is taken for a normal distribution."""

    def method(question):
        said = fit(question)
        loss = None if said["loss"].isna().any() else said["loss"].to_numpy()[None]
        return scores.Forecast(scores.as_draws(said["accuracy"], said["error"]), loss)

    return method


METHODS = {
    "paper, two steps": _point_fit(paper.two_steps),
    "the same, band with the sign put right": _point_fit(partial(paper.two_steps, their_signs=False)),
    "paper, two steps from C": _point_fit(partial(paper.two_steps, on="C")),
    "paper, single step": _point_fit(paper.single_step),
    **ours.METHODS,
}
HELD = {held: {1.0: "yes", 0.0: "no"} for held in scores.HELD}
SHOWN = ["actual", "median", "error", "low90", "high90", "in90", "in95", "loss_error"]


def main():
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    asked.add_argument("--questions", nargs="+", choices=olmo.QUESTIONS, default=list(olmo.QUESTIONS))
    asked.add_argument("--others", action="store_true", help="Winogrande, BoolQ and the groups of MMLU instead")
    asked.add_argument("--reruns", action="store_true", help="fit the second runs at 1xC too")
    asked.add_argument("--half", action="store_true", help="fit the runs at 0.5xC too")
    asked.add_argument("--verdicts", action="store_true", help="print what is said of each target beforehand, too")
    given = asked.parse_args()
    tasks = olmo.OTHERS if given.others else olmo.TASKS
    for name in given.questions:
        question = olmo.question(name, tasks, reruns=given.reruns, half=given.half)
        runs = question.finals["run"].nunique()
        print(f"\n== {name}: {runs} runs, {len(tasks)} tasks, {len(question.targets)} answers; points of accuracy")
        report(question, {method: METHODS[method] for method in given.methods})
        if given.verdicts:
            print("\n" + ours.verdicts(question).round(2).to_string(index=False), flush=True)
    print("\n" + ours.fits().to_string(index=False, float_format="{:.0f}".format))


def report(question, methods):
    """Print what each method says of the question's targets, and how good it is overall and target by target."""
    rows, spent = {}, {}
    for name, method in methods.items():
        begin = perf_counter()
        rows[name] = scores.rows_of(question, method(question))
        spent[name] = perf_counter() - begin
        if question.name == olmo.LAST:
            shown = rows[name].set_index(["target", "task"]).reindex(columns=SHOWN).replace(HELD)
            print(f"\n{name}\n{shown.round(2).to_string(na_rep='-')}")
    per_target = {(name, key): scores.summary(part) for name, each in rows.items() for key, part in _parts(each)}
    print("\n" + pd.DataFrame(per_target).T.map(_rounded).to_string(na_rep="-"))
    print("seconds:", {name: round(each, 1) for name, each in spent.items()}, flush=True)


def _parts(rows):
    yield "all", rows
    yield from rows.groupby("target", sort=False)


def _rounded(value):
    return value if isinstance(value, str) else "-" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
