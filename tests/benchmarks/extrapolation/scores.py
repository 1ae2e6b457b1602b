"""Averages of scores: over a split's rows, then its study's splits, then the studies, which weigh alike.

Everything is on the logarithm of the loss (a hundredth is a percent) but CRPS, which is in the loss's own unit.
"""

import numpy as np
import pandas as pd
from rivals import draws_and_density

from bayesscale.evaluate.scores import score

FACTORS = {"<2x": (1, 2), "2-4x": (2, 4), "4-10x": (4, 10), "10-30x": (10, 30), ">30x": (30, np.inf)}


def rows_of(split, post, test):
    """Score the forecast that a fit, an average or a rival makes of a split's larger runs: one row per run."""
    draws, density = draws_and_density(post, test)
    scored = score(draws, split.test["loss"].to_numpy())
    return pd.DataFrame(
        dict(
            study=split.study,
            split=split.name,
            factor=split.factor,
            c95=scored["in95"],
            c80=scored["in80"],
            c50=scored["in50"],
            crps=scored["crps"],
            log_score=density,
            width=np.log(scored["high95"] / scored["low95"]),
            bias=np.log(scored["median"] / scored["truth"]),
            pit=scored["pit"],
        )
    )


def per_split(rows):
    """Average over rows; the width is the median."""
    kept = rows.drop(columns="pit")
    means = kept.groupby(["study", "split"], sort=False).mean()
    return means.assign(
        width=rows.groupby(["study", "split"], sort=False)["width"].median(),
        rows=kept.groupby(["study", "split"], sort=False).size(),
    )


def against(splits, baseline):
    """Put each split's width and CRPS beside the baseline's on the same split: the logarithm of the ratio."""
    ratio = {f"{k}_ratio": np.log(splits[k] / baseline[k].reindex(splits.index)) for k in ("width", "crps")}
    return splits.assign(**ratio)


def per_study(splits):
    """Average a study's splits; ratios geometrically; `least` is the worst split's coverage at 95%."""
    means = splits.groupby("study", sort=False).mean()
    return _unlogged(means.assign(least=splits.groupby("study", sort=False)["c95"].min()))


def overall(studies):
    """Average the studies; ratios geometrically."""
    ratios = [c for c in studies if c.endswith("_ratio")]
    means = studies.mean()
    means[ratios] = np.exp(np.log(studies[ratios]).mean())
    means["least"] = studies["least"].min()
    return means


def _unlogged(frame):
    return frame.assign(**{c: np.exp(frame[c]) for c in frame if c.endswith("_ratio")})


def by_factor(rows):
    """Coverage and the rest by how far beyond the data a run lies; rows weigh alike within a study, studies alike."""
    named = rows.assign(reach=_bins(rows["factor"]))
    columns = ["c95", "c80", "c50", "crps", "log_score", "width", "bias"]
    studies = named.groupby(["reach", "study"], observed=True)[columns].mean()
    return (
        studies.groupby("reach", observed=True)
        .mean()
        .assign(
            runs=named.groupby("reach", observed=True).size(), studies=studies.groupby("reach", observed=True).size()
        )
    )


def _bins(factor):
    edges = [low for low, _ in FACTORS.values()] + [np.inf]
    return pd.cut(factor, edges, labels=list(FACTORS), right=False, include_lowest=True)


def pit_counts(rows, bins=10):
    """Share of test runs in each tenth of their forecast, studies weighing alike: flat if calibrated."""

    def share(pit):
        return pd.Series(np.histogram(pit, bins, (0, 1))[0] / len(pit))

    return rows.groupby("study", sort=False)["pit"].apply(share).groupby(level=1).mean()
