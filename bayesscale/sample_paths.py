"""The bend of each posterior draw as a function of the scale of a run: one truth per draw, wherever one asks.

Forecasts, plots and decisions of one posterior all read the same functions, so that what is forecast at the best
allocation is what the decision saw there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bayesscale.inference import compiling, precise

__all__ = ["SamplePaths", "carry_on"]

WAVES = 32


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["tau", "edge", "origin", "length", "frequency", "cosine", "sine", "points", "weight"],
    meta_fields=["columns"],
)
@dataclass(frozen=True, eq=False, repr=False)
class SamplePaths:
    """How the truth bends away from the law, one function for each draw.

    With x = (log N, log D) from the origin, c the sum of its coordinates::

        log truth - log law = tau (c - edge) g(x)
        g(x) = sum_w cosine_w cos(frequency_w . x) + sine_w sin(frequency_w . x)
             + sum_p weight_p exp(-|x - points_p|^2 / (2 length^2))

    Every field but the last has the draws as its first axis.

    Parameters
    ----------
    tau, edge, length : array, shape (draws,)
    origin : array, shape (draws, columns)
    frequency : array, shape (draws, waves, columns)
    cosine, sine : array, shape (draws, waves)
    points : array, shape (draws, points, columns)
    weight : array, shape (draws, points)
    columns : tuple of str
        What x is made of.
    """

    tau: jax.Array
    edge: jax.Array
    origin: jax.Array
    length: jax.Array
    frequency: jax.Array
    cosine: jax.Array
    sine: jax.Array
    points: jax.Array
    weight: jax.Array
    columns: tuple[str, ...]

    def of(self, logs):
        """Return log(truth) - log(law) for one draw (fields without their first axis), inside a compiled program.

        Parameters
        ----------
        logs : mapping of str to array, shape (targets,)
            Logarithms of the covariates.
        """
        x = jnp.stack([logs[c] for c in self.columns], axis=-1) - self.origin
        phase = x @ self.frequency.T
        squared = ((x[..., None, :] - self.points) ** 2).sum(axis=-1)
        near = jnp.exp(-0.5 * squared / self.length**2) @ self.weight
        g = jnp.cos(phase) @ self.cosine + jnp.sin(phase) @ self.sine + near
        return self.tau * (x.sum(axis=-1) - self.edge) * g

    def at(self, columns) -> np.ndarray:
        """Return log(truth) - log(law) at targets, shape (draws, targets).

        Parameters
        ----------
        columns : mapping of str to array, shape (targets,)
            The covariates, such as ``N`` and ``D``.
        """
        logs = {c: np.log(np.asarray(columns[c], float)) for c in self.columns}
        n = len(next(iter(logs.values())))
        size = 8 * 2 ** int(np.ceil(np.log2(max(n, 8) / 8)))  # few shapes, few compilations
        with precise("float64"), compiling():
            return np.asarray(_everywhere(self, {c: np.resize(v, size) for c, v in logs.items()}))[:, :n]


@jax.jit
def _everywhere(paths, logs):
    return jax.lax.map(lambda path: path.of(logs), paths, batch_size=64)


def carry_on(frame, draws, *, seed: int = 0) -> SamplePaths:
    """Carry the process of each draw on from its points to everywhere.

    By Matheron's rule (Wilson et al. 2020): a process drawn from the prior, corrected by what the points say against
    it. The prior's is a sum of waves of random direction and length; over the draws its covariance is the right one.

    Parameters
    ----------
    frame : Frame
        The discrepancy laid out over the runs.
    draws : mapping of str to ndarray, shape (draws, ...)
        ``tau`` and ``bend``.
    seed : int
        Of what the runs leave open.
    """
    rng = np.random.default_rng([seed, len(frame.at)])
    n, columns, length = len(draws["tau"]), len(frame.columns), frame.discrepancy.length
    frequency = rng.standard_normal((n, WAVES, columns)) / length
    cosine, sine = rng.standard_normal((2, n, WAVES)) / np.sqrt(WAVES)
    phase = np.einsum("dwc,pc->dpw", frequency, frame.at)
    free = np.einsum("dpw,dw->dp", np.cos(phase), cosine) + np.einsum("dpw,dw->dp", np.sin(phase), sine)
    # With K = R R' the values at the points are R z, and K^-1 (R z - free) weighs the kernels around them.
    z = draws["bend"][:, : len(frame.at)]
    weight = np.linalg.solve(frame.root.T, z.T - np.linalg.solve(frame.root, free.T)).T
    of_each = partial(np.broadcast_to, subok=False)
    return SamplePaths(
        draws["tau"],
        of_each(frame.edge, n),
        of_each(frame.origin, (n, columns)),
        of_each(length, n),
        frequency,
        cosine,
        sine,
        of_each(frame.at, (n, *frame.at.shape)),
        weight,
        frame.columns,
    )
