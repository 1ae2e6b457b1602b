"""Task accuracy of a big model from a ladder of small ones: the recipe, how much to trust it, and what it is worth."""

from bayesscale.ladders.recipe import Ladder, ladder
from bayesscale.ladders.rungs import Rungs, drop_rungs
from bayesscale.ladders.verdict import Verdicts, verdicts

__all__ = ["Ladder", "Rungs", "Verdicts", "drop_rungs", "ladder", "verdicts"]
