"""The runs of the OLMo ladder in the words of bayesscale: run, task, N, D, loss (bits per byte), accuracy.

Bhagia et al. 2024 (arXiv:2412.04403) train four sizes for 1, 2, 5 and 10 times 20 tokens per parameter, and ask for two
targets. `finals` has one row per run and task, what the last five checkpoints measure; `checkpoints` is what lies on
the way there; `ladder` keeps the runs up to a size. A `question` is what a method is given and what it is asked.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[4] / "shared" / "data")
SIZES = ("190M", "370M", "760M", "1.3B")
# The weights of the groups in their average.
MMLU = {"mmlu_stem": 0.215, "mmlu_humanities": 0.335, "mmlu_social_sciences": 0.219, "mmlu_other": 0.231}
TASKS = ("mmlu_avg", "hellaswag", "arc_challenge", "arc_easy", "piqa", "csqa", "socialiqa", "openbookqa")
OTHERS = ("winogrande", "boolq", *MMLU)
CHANCE = {"piqa": 1 / 2, "winogrande": 1 / 2, "boolq": 1 / 2, "socialiqa": 1 / 3, "csqa": 1 / 5}  # else 1 / 4
FLOP_PER_TOKEN = {  # as their code counts them: embeddings and attention too
    "190M": 1903391232,
    "370M": 3443922944,
    "760M": 6373843968,
    "1.3B": 10109071360,
    "7B": 49412071424,
    "13B": 91335915520,
}
ABOUT = ["size", "xC", "replicate", "role"]
COLUMNS = ["run", "task", "N", "D", "C", "loss", "accuracy", "n_items", "chance", *ABOUT]


def _read(name):
    path = DATA / "ladder" / name
    if not path.exists():
        raise SystemExit(f"{path} is not there: set BAYESSCALE_DATA to the folder that holds ladder/{name}")
    return pd.read_csv(path)


def _tidy(frame):
    """Name what was read, and sort it: by task, size, how long a run is, tokens."""
    frame = frame.astype({"N": float, "D": float})
    frame = frame.assign(
        C=frame["D"] * frame["size"].map(FLOP_PER_TOKEN),
        chance=frame["task"].map(CHANCE).fillna(1 / 4),
        place=frame["task"].map((*TASKS, *OTHERS).index),
        length=frame.groupby("run")["D"].transform("max"),
    )
    return frame.sort_values(["place", "N", "length", "run", "D"])[COLUMNS].reset_index(drop=True)


def finals(tasks=TASKS):
    """One row per run and task: the mean of the last five checkpoints, which is what the paper calls the actual value.

    The 7B target is one checkpoint, after its anneal. The noise of the last ten checkpoints is not here: it is smaller
    than what two runs of the same N and D differ by.
    """
    frame = _read("olmo_ladder_final.csv")
    frame = frame[frame["task"].isin(tasks)].rename(columns={"bpb_mean5": "loss", "acc_mean5": "accuracy"})
    return _tidy(frame)


def checkpoints(tasks=TASKS, rows=8, skip=0.1, window=5):
    """What the ladder's runs measure on the way: loss and accuracy, each a moving average over `window` checkpoints.

    Parameters
    ----------
    tasks : sequence of str
    rows : int or None
        At most so many rows per run, evenly in log D and no checkpoint in two of them, the last ones always. None: a
        row for every checkpoint, as in the paper, where the first ones of a run are averages over fewer.
    skip : float
        The share of a run's checkpoints, from its start, that are dropped.
    window : int

    Returns
    -------
    DataFrame
        The columns of `finals`.
    """
    frame = _mmlu_too(_read("olmo_ladder_checkpoints_le1.3B.csv"))
    frame = frame[frame["task"].isin(tasks)].sort_values(["run", "task", "D"])
    runs = frame.groupby(["run", "task"])
    place, many = runs.cumcount(), runs["D"].transform("size")
    frame = frame[place >= np.ceil(skip * many)]
    runs = frame.groupby(["run", "task"])
    means = {c: runs[c].transform(lambda one: one.rolling(window, 1).mean()) for c in ("loss", "accuracy")}
    frame = frame.assign(**means)
    if rows is not None:
        frame = frame[runs["D"].transform(lambda D: _spread_out(D.to_numpy(), rows, window))]
    return _tidy(frame)


def _spread_out(D, rows, window):
    """Mark at most `rows` checkpoints, evenly in log D, of which each but the last is `window` before the next."""
    place = np.arange(window - 1, len(D))
    wanted = np.geomspace(D[place[0]], D[-1], rows)[::-1]
    chosen = [len(D) - 1]
    for each in wanted[1:]:
        near = place[np.abs(np.log(D[place] / each)).argmin()]
        if near <= chosen[-1] - window:
            chosen.append(near)
    return np.isin(np.arange(len(D)), chosen)


def _mmlu_too(frame):
    """Name loss and accuracy, and add the weighted mean of MMLU's four groups as a task."""
    frame = frame.assign(accuracy=frame["correct"] / frame["n_items"], loss=frame["bpb"])
    weight = frame["task"].map(MMLU)
    groups = frame[weight.notna()].assign(loss=frame["loss"] * weight, accuracy=frame["accuracy"] * weight)
    by = ["run", "N", "D", "step", *ABOUT]
    mean = groups.groupby(by, as_index=False)[["loss", "accuracy", "n_items"]].sum().assign(task="mmlu_avg")
    return pd.concat([frame, mean], ignore_index=True)


def ladder(frame, largest="1.3B", reruns=False, half=False):
    """The paper's 16 runs, or those of them up to a size; also the second runs at 1xC, and the runs at 0.5xC."""
    sizes = SIZES[: SIZES.index(largest) + 1]
    kept = frame["role"] == "ladder16"
    kept |= reruns & (frame["replicate"] == "rerun")
    kept |= half & (frame["xC"] == "0.5xC")
    return frame[kept & frame["size"].isin(sizes)].reset_index(drop=True)


# The largest size that is fitted, and the sizes that are asked for: their 1, 2, 5, 10xC, or what OLMo 2 was trained to.
# A recipe may be chosen on all but the last.
QUESTIONS = {
    "<=370M -> 760M": ("370M", ("760M",)),
    "<=370M -> 1.3B": ("370M", ("1.3B",)),
    "<=760M -> 1.3B": ("760M", ("1.3B",)),
    "<=1.3B -> 7B-4T, 13B-5T": ("1.3B", ("7B", "13B")),
}
LAST = "<=1.3B -> 7B-4T, 13B-5T"


@dataclass(frozen=True)
class Question:
    """What a method is given, and what it is asked.

    Parameters
    ----------
    name : str
    finals : DataFrame
        One row per run and task, of the runs that may be fitted.
    checkpoints : DataFrame
        Every smoothed checkpoint of the same runs.
    thinned : DataFrame
        Few of them.
    targets : DataFrame
        The rows to be foretold. A method must not look at their loss and accuracy.
    """

    name: str
    finals: pd.DataFrame
    checkpoints: pd.DataFrame
    thinned: pd.DataFrame
    targets: pd.DataFrame


def question(name=LAST, tasks=TASKS, **beside):
    """Return one of QUESTIONS; `beside` are the runs that are fitted beside the 16, see `ladder`."""
    largest, sizes = QUESTIONS[name]
    last = finals(tasks)
    asked = last[last["size"].isin(sizes) & last["role"].isin(["ladder16", "target"])].reset_index(drop=True)
    fitted = (ladder(each, largest, **beside) for each in (last, checkpoints(tasks, rows=None), checkpoints(tasks)))
    return Question(name, *fitted, asked)
