"""The laws, one file per family. Each reads like its paper."""

from bayesscale.models.chinchilla import chinchilla, chinchilla_tied
from bayesscale.models.kaplan import kaplan_nd, kaplan_ns, kaplan_x
from bayesscale.models.power import power, pure_power
from bayesscale.models.repeated import repeated
from bayesscale.models.shifted import shifted
from bayesscale.models.skaling import skaling

__all__ = [
    "chinchilla",
    "chinchilla_tied",
    "kaplan_nd",
    "kaplan_ns",
    "kaplan_x",
    "power",
    "pure_power",
    "repeated",
    "shifted",
    "skaling",
]
