"""The tables that are fitted: Epoch's 240 digitised runs, parts of them, and small ladders from Epoch's constants."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).parents[2]
EPOCH = {"A": 482.01, "B": 2085.43, "E": 1.8172, "alpha": 0.3478, "beta": 0.3658}


def epoch(smallest=None):
    """The 240 rows that Epoch fit, or those of the `smallest` compute."""
    folder = Path(os.environ.get("BAYESSCALE_DATA") or REPOSITORY.parent / "shared" / "data")
    path = folder / "epoch_chinchilla" / "runs.csv"
    if not path.exists():
        raise SystemExit(f"{path} is not there: set BAYESSCALE_DATA to the folder that holds epoch_chinchilla/runs.csv")
    frame = pd.read_csv(path)
    frame = frame[frame["used_by_epoch"] == 1]
    if smallest:
        frame = frame.sort_values("C").head(smallest)
    return frame[["N", "D", "loss"]].reset_index(drop=True)


def ladder(sizes, multiples, sigma, seed):
    """`sizes` model sizes, each trained on 20 tokens per parameter times each of `multiples`."""
    N = np.repeat(np.geomspace(1.9e8, 1.3e9, sizes), len(multiples))
    D = 20 * N * np.tile(multiples, sizes)
    loss = EPOCH["E"] + EPOCH["A"] * N ** -EPOCH["alpha"] + EPOCH["B"] * D ** -EPOCH["beta"]
    loss = loss * np.exp(sigma * np.random.default_rng(seed).standard_normal(len(N)))
    return pd.DataFrame({"N": N, "D": D, "loss": loss})


def few_runs():
    return {
        "Epoch, all": epoch(),
        "Epoch, 60 smallest C": epoch(smallest=60),
        "Epoch, 20 smallest C": epoch(smallest=20),
        "ladder 4 x {1,2,5,10}, sigma .01": ladder(4, (1, 2, 5, 10), 0.01, seed=1),
        "ladder 3 x {1,2,5}, sigma .01": ladder(3, (1, 2, 5), 0.01, seed=2),
        "ladder 3 x {1,5}, sigma .02": ladder(3, (1, 5), 0.02, seed=3),
        "ladder 4 x {1,2,5,10}, sigma .002": ladder(4, (1, 2, 5, 10), 0.002, seed=4),
    }


def perturbed(frame, seed, by=0.001):
    """Other data of the same shape: every loss moved by about a part in a thousand."""
    moved = np.exp(by * np.random.default_rng(seed).standard_normal(len(frame)))
    return frame.assign(loss=frame["loss"] * moved)


def write(frame, path):
    frame.to_csv(path, index=False)
    return str(path)
