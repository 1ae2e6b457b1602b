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
from bayesscale.models.ladder import accuracy_direct, accuracy_direct_flops, accuracy_one_step
from bayesscale.models.ladder import (
    accuracy_hill,
    accuracy_link,
    accuracy_logistic,
    accuracy_weibull,
    error_exponential,
)
from bayesscale.models.mixture import bimix, mixture_additive, mixture_exponential, mixture_exponential_tokens
from bayesscale.models.mixture import mixture_drift, mixture_joint, mixture_linear, mixture_log_linear
from bayesscale.models.growth import growth_effective_compute, growth_head_start, growth_none, growth_shifted_floor
from bayesscale.models.growth import growth_factor, growth_timing, growth_two_stage

__all__ = [
    "accuracy_direct",
    "accuracy_direct_flops",
    "accuracy_hill",
    "accuracy_link",
    "accuracy_logistic",
    "accuracy_one_step",
    "accuracy_weibull",
    "batch_lr_power",
    "batch_power",
    "bimix",
    "bnsl",
    "chinchilla",
    "chinchilla_batch",
    "chinchilla_tied",
    "critical_batch",
    "error_exponential",
    "growth_effective_compute",
    "growth_factor",
    "growth_head_start",
    "growth_none",
    "growth_shifted_floor",
    "growth_timing",
    "growth_two_stage",
    "kaplan_nd",
    "kaplan_ns",
    "kaplan_x",
    "lr_power",
    "m1",
    "m2",
    "m3",
    "m4",
    "mixture_additive",
    "mixture_drift",
    "mixture_exponential",
    "mixture_exponential_tokens",
    "mixture_joint",
    "mixture_linear",
    "mixture_log_linear",
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
