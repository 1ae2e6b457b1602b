"""The laws, one file per family. Each reads like its paper."""

from bayesscale.models.chinchilla import chinchilla, chinchilla_tied
from bayesscale.models.power import power, pure_power

__all__ = ["chinchilla", "chinchilla_tied", "power", "pure_power"]
