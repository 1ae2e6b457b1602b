"""The bend of each draw: the right process over the draws, one function within each, the same for all who ask."""

import numpy as np

import bayesscale as bs
from bayesscale.discrepancy import Discrepancy
from bayesscale.sample_paths import carry_on

AT = np.array([[1e9, 2e10], [1e9, 2e10], [2e9, 4e10], [1e10, 1e12], [1e12, 1e12], [1e12, 1e14]])


def kernel(x, length):
    return np.exp(-0.5 * ((x[:, None] - x[None]) ** 2).sum(axis=-1) / length**2)


def test_over_the_draws_it_is_the_process(ladder):
    """With nothing learned, the prior: (c - c_max) (c' - c_max) tau^2 times the kernel, at the runs and far away."""
    frame = Discrepancy().frame(bs.models.chinchilla, ladder)
    draws = dict(tau=np.full(20_000, 0.01), bend=np.random.default_rng(1).normal(size=(20_000, len(frame.at))))
    found = carry_on(frame, draws).at(dict(N=AT[:, 0], D=AT[:, 1]))
    away = np.log(AT).sum(axis=1) - np.log(ladder.table["N"] * ladder.table["D"]).max()
    expected = 0.01**2 * np.outer(away, away) * kernel(np.log(AT), 3.0)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.cov(found.T) / scale, expected / scale, atol=0.04)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


def test_where_the_runs_say_much_it_is_what_they_say(ladder):
    frame = Discrepancy(points=16).frame(bs.models.chinchilla, ladder)
    rng = np.random.default_rng(0)
    draws = dict(tau=rng.uniform(0.005, 0.02, 50), bend=rng.normal(size=(50, 16)))
    runs = {c: ladder.column(c) for c in ("N", "D")}
    away, basis = frame.place(runs)
    said = draws["tau"][:, None] * away * (draws["bend"] @ basis.T)
    np.testing.assert_allclose(carry_on(frame, draws).at(runs), said, atol=2e-4)


def test_all_who_ask_see_the_same(ladder):
    post = bs.fit("chinchilla", ladder, chains=2, draws=400)
    best = bs.allocate(post, C="1e24")
    draws = [post.predict(kind="mean", N=n, D=1e24 / (6 * n)).draws[:, 0] for n in best.candidates["N"][100:140:8]]
    np.testing.assert_allclose(
        [x.mean() for x in draws], best.candidates["loss"][100:140:8], rtol=1e-9, err_msg="forecasts and decisions"
    )
    assert (best.draws["loss"] <= np.min(draws, axis=0) * (1 + 1e-9)).all()
    np.testing.assert_array_equal(
        post.predict(N=["1B", "7B"], D="1T", kind="mean").draws[:, 1],
        post.predict(N="7B", D="1T", kind="mean", seed=3).draws[:, 0],
    )
