"""What to train: decisions from posterior draws."""

from bayesscale.decide.allocate import Allocation, allocate

__all__ = ["Allocation", "allocate"]
