"""What one gradient of each law costs, beside chinchilla's on the same rows.

    python tests/benchmarks/gradient.py

The potential that NUTS samples, Student-t noise, 240 rows simulated over every covariate that a law takes. Processor
time, the least of seven. No data are needed.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.util import potential_energy

import bayesscale as bs
from bayesscale import law as laws
from bayesscale import noise as noises
from bayesscale.inference import precise, rows_of
from bayesscale.inference.program import model

OVER = {"power": "C", "pure_power": "C", "kaplan_x": "N"} | dict.fromkeys(("m1", "m2", "m3", "m4", "bnsl"), "C")


def gradient_time(law, runs, repeats=2000):
    """Microseconds per gradient of the potential that is sampled."""
    law, noise = laws.named(law), noises.named("student-t")
    with precise("float64"):
        rows = jax.tree.map(jnp.asarray, rows_of(law, bs.read_runs(runs)))
        start = {k: jnp.zeros(()) for k in (*law.priors(), "sigma", "nu")}

        def many(start, rows):
            gradient = jax.grad(lambda z: potential_energy(model, (law, noise, rows), {}, z))
            return jax.lax.fori_loop(
                0, repeats, lambda _, z: jax.tree.map(lambda x, g: x - 1e-12 * g, z, gradient(z)), start
            )

        compiled = jax.jit(many, compiler_options={"xla_backend_optimization_level": 1})  # as a fit is compiled
        jax.block_until_ready(compiled(start, rows))
        times = []
        for _ in range(7):
            begin = time.process_time()
            jax.block_until_ready(compiled(start, rows))
            times.append(time.process_time() - begin)
    return 1e6 * min(times) / repeats


def runs_over_everything(rows=240):
    """Return runs that vary in every covariate that a law takes; what they lose is near Epoch's constants."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(8, 10, rows), 10 ** rng.uniform(9.5, 11.5, rows)
    loss = 1.82 + 482 / N**0.348 + 2085 / D**0.366
    B, lr = 10 ** rng.uniform(5, 7, rows), 10 ** rng.uniform(-4, -2, rows)
    error = 0.75 / (1 + (2.2 / loss) ** 6)
    measured = dict(loss=loss, B_crit=2e8 / loss**4.8, error=error, accuracy=1 - error)
    return dict(N=N, D=D, B=B, lr=lr, U=D / rng.uniform(1, 10, rows), chance=0.25, **measured)


def main():
    """Print the table."""
    runs = runs_over_everything()
    base = gradient_time("chinchilla", runs)
    for name in laws.names():
        law = laws.named(f"{name}({OVER[name]})" if name in OVER else name)
        spent = gradient_time(law, runs)
        print(f"{law.name:20} {spent:6.2f} us, {spent / base:.2f} times chinchilla's")


if __name__ == "__main__":
    main()
