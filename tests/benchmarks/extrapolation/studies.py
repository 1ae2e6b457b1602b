"""The development tables, and the splits on which a forecast is scored: small compute is fitted, larger is foretold.

Two tables are of one study where they show the same runs or come from one laboratory's one set-up: studies, not tables,
are independent. A study's score is the mean over its splits, the overall score the mean over studies.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(os.environ.get("BAYESSCALE_DATA") or Path(__file__).parents[4] / "shared" / "data")
CUTS = (0.5, 0.65, 0.8)  # quantiles of C over the table's rows: what is fitted ends there
LEAST_TRAIN, LEAST_TEST = 8, 2
FEW = 16  # tables of fewer runs are divided wherever enough is left on either side


@dataclass(frozen=True)
class Split:
    """Runs up to some compute, and the runs beyond it.

    Parameters
    ----------
    study, table : str
    cut : float
        Quantile of C at which the table is divided.
    train, test : DataFrame
        Columns N, D, C, loss.
    draw : str
        Which runs of the training part these are, where not all.
    """

    study: str
    table: str
    cut: float
    train: pd.DataFrame
    test: pd.DataFrame
    draw: str = ""

    @property
    def name(self):
        return f"{self.table} q{100 * self.cut:.0f}" + (f" {self.draw}" if self.draw else "")

    @property
    def factor(self):
        """How many times the largest compute in the training part each test run has."""
        return self.test["C"].to_numpy() / self.train["C"].max()


def tables():
    """Yield (study, table, frame) for every development table that is there."""
    for read in (_chinchilla, _marin, _porian, _gadre, _datablations, _clark, _steplaw):
        for study, table, frame in read():
            frame = frame[["N", "D", "C", "loss"]].astype(float)
            yield study, table, frame.sort_values(["C", "N"]).reset_index(drop=True)


def splits(cuts=CUTS):
    """All rolling splits of all tables: whole compute levels, no split twice."""
    found = []
    for study, table, frame in tables():
        seen = set()
        for cut in cuts if len(frame) >= FEW else np.arange(LEAST_TRAIN, len(frame)) / len(frame):
            edge = frame["C"].quantile(cut, interpolation="lower")
            train, test = frame[frame["C"] <= edge], frame[frame["C"] > 1.01 * edge]
            if len(train) >= LEAST_TRAIN and len(test) >= LEAST_TEST and len(train) not in seen:
                seen.add(len(train))
                found.append(Split(study, table, cut, train.reset_index(drop=True), test.reset_index(drop=True)))
    return found


def few_runs(sizes=(8, 12, 20), draws=3, seed=0):
    """The same forecasts from a few of the training runs, drawn at random.

    The test runs stay; the compute of the largest run drawn is the edge. The first and the last split of each table.
    """
    found = []
    rng = np.random.default_rng(seed)
    everything = splits()
    for table in dict.fromkeys(split.table for split in everything):
        mine = [split for split in everything if split.table == table]
        for split in mine[:1] + mine[1:][-1:]:
            for size in sizes:
                for draw in range(draws if len(split.train) > size else 0):
                    chosen = np.sort(rng.choice(len(split.train), size, replace=False))
                    train = split.train.iloc[chosen].reset_index(drop=True)
                    found.append(replace(split, train=train, draw=f"{size} runs, draw {draw}"))
    return found


def _read(name):
    path = DATA / name
    return pd.read_csv(path) if path.exists() else None


def _chinchilla():
    """Hoffmann et al. 2022, figure 4, digitised twice: without the five largest losses; the isoFLOP points alone."""
    if (frame := _read("epoch_chinchilla/runs.csv")) is not None:
        yield "chinchilla", "epoch", frame[frame["used_by_epoch"] == 1]
    if (frame := _read("chinchilla_mlscalefit/runs.csv")) is not None:
        yield "chinchilla", "mlscalefit", frame.rename(columns={"C_budget": "C"})


def _marin():
    """Three corpora, isoFLOP runs only; the name of a run says a third of its compute."""
    if (frame := _read("marin_isoflop/runs.csv")) is not None:
        frame = frame[frame["kind"] == "isoflop"].assign(C=3 * frame["budget_in_name"])
        for corpus, runs in frame.groupby("dataset"):
            yield "marin", f"marin {corpus}", runs


def _porian():
    """RefinedWeb, short warm-up, standard count, validation loss; runs within .3 nats of the best at their compute."""
    if (frame := _read("porian2024/isoflop.csv")) is not None:
        frame = frame.query(
            "dataset == 'rw' and warmup == 'short' and param_count == 'standard' and loss_split == 'val'"
        )
        for name, decay, hparams in (("cosine", "chinchilla", "base"), ("tuned", "const", "tuned")):
            runs = frame[(frame["decay"] == decay) & (frame["hparams"] == hparams)]
            yield "porian", f"porian {name}", runs[runs["loss"] < runs.groupby("C")["loss"].transform("min") + 0.3]


def _gadre():
    """Three corpora, 11M to 6.9B parameters, 5 to 640 tokens for each; loss on C4's validation set."""
    if (frame := _read("gadre2024/models.csv")) is not None:
        for corpus, runs in frame.groupby("dataset"):
            yield "gadre", f"gadre {corpus.removesuffix('_original')}", runs.assign(loss=runs["loss_c4_val"])


def _datablations():
    """C4, one epoch; runs of equal N and D are replicates."""
    if (frame := _read("datablations/c4_runs.csv")) is not None:
        yield "datablations", "datablations", frame[frame["epochs"] == 1]


def _clark():
    """Dense models, all trained on the same tokens: the widened ones count all their parameters. 13 runs."""
    if (frame := _read("routing_clark2022/final.csv")) is not None:
        dense = frame[frame["router_type"] == "Dense"].drop(columns="N").rename(columns={"N_total": "N"})
        yield "clark", "clark dense", dense.assign(C=6 * dense["N"] * dense["D"])


def _steplaw():
    """The best of all learning rates and batch sizes for each N and D: 11 runs."""
    if (frame := _read("steplaw/dense.csv")) is not None:
        best = frame.loc[frame.groupby(["N", "D"])["loss_smooth"].idxmin()].drop(columns="loss").astype(float)
        yield "steplaw", "steplaw", best.rename(columns={"loss_smooth": "loss"}).assign(C=6 * best["N"] * best["D"])
