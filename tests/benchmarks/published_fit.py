"""Our posterior on Epoch's 240 Chinchilla runs beside the fit that Epoch published.

    python tests/benchmarks/published_fit.py

Besiroglu et al. 2024 (arXiv:2404.10102): Huber loss with delta = 1e-3 on log loss, standard errors and 95 % intervals
from 4000 bootstraps. That Huber loss is a Laplace likelihood in all but name, so our mode under Laplace noise is the
like-for-like comparison, and the Student-t posterior the better answer. The data: $BAYESSCALE_DATA or a download.
"""

import numpy as np
import pandas as pd

import bayesscale as bs

PUBLISHED = {  # estimate, low and high of the 95 % bootstrap interval
    "E": (1.81686, 1.769, 1.871),
    "A": (482.006, 285, 744),
    "B": (2085.43, 1042, 5810),
    "alpha": (0.34781, 0.317, 0.373),
    "beta": (0.36585, 0.331, 0.415),
}


def main():
    """Print the two tables."""
    runs = bs.datasets.load("epoch-chinchilla")
    student, laplace = (
        bs.fit("chinchilla", runs, noise=noise, discrepancy=False) for noise in ("student-t", "laplace")
    )
    rows = {}
    for name, (estimate, low, high) in PUBLISHED.items():
        ours = student.summary().loc[name]
        rows[name] = {
            "published": estimate,
            "95% bootstrap": f"{low:g} to {high:g}",
            "mode, Laplace": float(laplace.mode[name]),
            "off by %": 100 * (float(laplace.mode[name]) / estimate - 1),
            "median, Student-t": ours["median"],
            "95% credible": f"{ours['low95']:.4g} to {ours['high95']:.4g}",
            "width / bootstrap's": (ours["high95"] - ours["low95"]) / (high - low),
        }
    print(f"{len(runs)} runs")
    print(pd.DataFrame(rows).T.to_string(float_format=lambda x: f"{x:.4g}"))
    d = student.flat_draws
    share = d["beta"] / (d["alpha"] + d["beta"])
    print(
        f"\nexponent of the optimal N, beta / (alpha + beta): {np.median(share):.3f}, se {share.std():.3f} "
        "(Epoch: .513, se .020)"
    )
    print("\n", bs.compare([bs.fit("power(C)", runs, discrepancy=False), student]), sep="")


if __name__ == "__main__":
    main()
