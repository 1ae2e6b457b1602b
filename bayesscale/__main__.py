"""`python -m bayesscale` is the command `bayesscale`."""

import sys

from bayesscale.cli import main

if __name__ == "__main__":
    sys.exit(main())
