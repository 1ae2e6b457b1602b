"""The laws, one file per family. Each reads like its paper."""

# ruff: noqa: I001  (the order in which laws are listed to people)
from bayesscale.models.chinchilla import chinchilla, chinchilla_tied
from bayesscale.models.power import power, pure_power
from bayesscale.models.curves import bnsl, m1, m2, m3, m4
from bayesscale.models.kaplan import kaplan_nd, kaplan_ns, kaplan_x
from bayesscale.models.skaling import skaling, skaling_drift
from bayesscale.models.shifted import shifted
from bayesscale.models.repeated import repeated, repeated_tied
from bayesscale.models.batch import chinchilla_batch, steps_examples, three_term
from bayesscale.models.critical_batch import critical_batch
from bayesscale.models.sweep import batch_lr_power, batch_power, lr_power

__all__ = [
    "batch_lr_power",
    "batch_power",
    "bnsl",
    "chinchilla",
    "chinchilla_batch",
    "chinchilla_tied",
    "critical_batch",
    "kaplan_nd",
    "kaplan_ns",
    "kaplan_x",
    "lr_power",
    "m1",
    "m2",
    "m3",
    "m4",
    "power",
    "pure_power",
    "repeated",
    "repeated_tied",
    "shifted",
    "skaling",
    "skaling_drift",
    "steps_examples",
    "three_term",
]
