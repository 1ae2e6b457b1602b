"""Growing a model and mixing its data, on published runs: every figure, from all three benchmarks or the named ones.

    python tests/benchmarks/growth_mix [growth] [optimal_mixture] [mixtures]

Each also runs alone, and says there what it asks; `mixtures` takes options and, whole, the most time.
"""

import argparse
import runpy
import sys
from pathlib import Path

PARTS = ("growth", "optimal_mixture", "mixtures")


def main():
    """Run what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parts, sys.argv[1:] = asked.parse_args().parts or PARTS, []
    if unknown := set(parts) - set(PARTS):
        asked.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in parts:
        print(f"\n--- {part} ---", flush=True)
        runpy.run_path(str(Path(__file__).with_name(f"{part}.py")), run_name="__main__")


if __name__ == "__main__":
    main()
