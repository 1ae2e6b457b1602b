"""Long plain NUTS runs that say what the posterior is. Slow, so kept in a folder when the user names one."""

import hashlib
import json
import shutil

import scores
from fresh_process import start
from same_model import PRIORS
from tables import write

WARMUP, KEPT = 2000, 10000  # of each of 4 chains
QUICK_WARMUP, QUICK_KEPT = 500, 2000


def reference(frame, options):
    """The score of the reference run for this table, or the report that says why there is none."""
    warmup, kept = (QUICK_WARMUP, QUICK_KEPT) if options.quick else (WARMUP, KEPT)
    meaning = json.dumps([warmup, kept, PRIORS]).encode() + frame.to_numpy(float).tobytes()
    name = hashlib.sha256(meaning).hexdigest()[:16]
    path = options.cache / f"reference-{name}.npz"
    if not path.exists():
        options.cache.mkdir(parents=True, exist_ok=True)
        draws = options.folder / name
        table = write(frame, options.folder / f"{name}.csv")
        report = start("reference", options, tables=[table], draws=str(draws), warmup=warmup, kept=kept)
        if "cold_s" not in report:
            return report
        shutil.move(f"{draws}-0.npz", path)  # only a run that came to its end is kept
    return scores.score(scores.load(path))
