"""The best batch size and the critical one, against closed forms."""

import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.models import steps_examples, three_term

TRUE = dict(E=1.8, A=400.0, alpha=0.35, F=9.0, b=0.3, G=20.0, c=0.25)


@pytest.fixture(scope="module")
def sweep():
    """Return a law of N, S and B fitted to a simulated sweep over ten batch sizes at twelve pairs of N and D."""
    N = np.repeat([2e8, 5e8, 1e9], 40)
    D = np.tile(np.repeat([4e9, 1e10, 2e10, 3e10], 10), 3)
    B = np.tile(2.0 ** np.arange(15, 25), 12)
    loss = three_term.evaluate(TRUE, N=N, S=D / B, B=B)
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(N)))
    return bs.fit("three_term", dict(N=N, D=D, B=B, loss=loss), discrepancy=False)


@pytest.fixture(scope="module")
def steps():
    """Return the hyperbola fitted to simulated steps at nine batch sizes."""
    B = 2.0 ** np.arange(15, 24)
    S = steps_examples.evaluate(dict(S_min=1500.0, E_min=2e9), B=B)
    return bs.fit(
        "steps_examples", dict(B=B, S=S * np.exp(0.05 * np.random.default_rng(1).standard_normal(9))), discrepancy=False
    )


def test_best_batch_of_each_draw_is_the_closed_form(sweep):
    found = bs.optimal_batch(sweep, N="1B", D="100B")
    F, b, G, c = (sweep.flat_draws[k] for k in "FbGc")
    closed = (c * G / (b * F)) ** (1 / (b + c)) * 1e11 ** (b / (b + c))
    np.testing.assert_allclose(found.draws["B"], closed, rtol=1e-5)
    np.testing.assert_allclose(found.draws["B"] * found.draws["S"], 1e11, rtol=1e-12)
    low, high = found.near_optimal
    assert low < found.best["B"] < high
    assert "best B for N = 1B, D = 100B" in repr(found)
    assert bs.optimal_batch(sweep, N="1B", C=6e20).draws["B"].equals(found.draws["B"])  # D follows from C


def test_critical_batch_of_a_hyperbola(steps):
    S_min, E_min = (steps.flat_draws[k] for k in ("S_min", "E_min"))
    found = bs.critical_batch(steps, definition="E_min/S_min")
    np.testing.assert_allclose(found.draws["B"], E_min / S_min, rtol=1e-6)
    np.testing.assert_allclose(found.draws["S_min"], S_min, rtol=1e-6)
    zhang = bs.critical_batch(steps, definition="step-overhead", B_ref=2.0**17, overhead=0.2)
    np.testing.assert_allclose(zhang.draws["B"], 1.2 * 2**17 + 0.2 * E_min / S_min, rtol=1e-6)
    assert "definition = step-overhead" in repr(zhang)


def test_critical_batch_of_a_loss_surface(sweep):
    """Each definition, checked by going to the batch that it names."""
    draw = {k: sweep.flat_draws[k][0] for k in sweep.law.constants}
    best = bs.optimal_batch(sweep, N="1B", D="100B")
    near = bs.critical_batch(sweep, definition="near-best", N="1B", D="100B", excess=0.01).draws["B"][0]
    assert near > best.draws["B"][0]
    at = three_term.evaluate(draw, N=1e9, S=1e11 / near, B=near)
    assert at == pytest.approx(1.01 * best.draws["loss"][0], rel=1e-6)

    loss = 1.02 * float(best.draws["loss"].median())
    room = loss - draw["E"] - draw["A"] / 1e9 ** draw["alpha"]
    found = bs.critical_batch(sweep, definition="E_min/S_min", N="1B", loss=loss).draws.iloc[0]
    assert found["S_min"] == pytest.approx((draw["F"] / room) ** (1 / draw["b"]), rel=1e-4)
    B = np.geomspace(1e5, 1e8, 100_001)
    left = room - draw["G"] / B ** draw["c"]
    tokens = B[left > 0] * (draw["F"] / left[left > 0]) ** (1 / draw["b"])
    assert found["E_min"] == pytest.approx(tokens.min(), rel=1e-6)

    over = bs.critical_batch(sweep, definition="step-overhead", N="1B", loss=loss, B_ref="2M", overhead=0.5)
    taken = np.interp(np.log([2e6, over.draws["B"][0]]), np.log(B[left > 0]), tokens)
    assert taken[1] / taken[0] == pytest.approx(1.5, rel=1e-4)


def test_refusals(sweep, steps, fitted):
    with pytest.raises(LawError, match=r"best B needs a law with B in it.*; chinchilla takes N, D"):
        bs.optimal_batch(fitted, N="1B", D="20B")
    with pytest.raises(LawError, match=r"best lr needs a law with lr in it.*; three_term takes N, S, B"):
        bs.optimal_lr(sweep, N="1B", D="20B")
    with pytest.raises(RunsError, match="needs D"):
        bs.optimal_batch(sweep, N="1B")
    with pytest.raises(RunsError, match="what is sought"):
        bs.optimal_batch(sweep, N="1B", D="20B", B="1M")
    with pytest.raises(LawError, match="definition is one of"):
        bs.critical_batch(sweep, definition="gradient noise", N="1B", D="20B")
    with pytest.raises(RunsError, match="needs loss and B_ref="):
        bs.critical_batch(sweep, definition="step-overhead", N="1B")
    with pytest.raises(LawError, match="compares losses"):
        bs.critical_batch(steps, definition="near-best")
    with pytest.raises(LawError, match="out of reach"):
        bs.critical_batch(sweep, definition="E_min/S_min", N="1B", loss=0.5)
    with pytest.raises(LawError, match="a critical batch size needs a law"):
        bs.critical_batch(fitted, definition="near-best", N="1B", D="20B")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(definition="near-best", N="1B", D="20B", loss=2.1), 'near-best" does not go by loss, .* by N, D, excess'),
        (dict(definition="near-best", N="1B", D="20B", B_ref="1M", overhead=0.2), "go by B_ref or overhead"),
        (dict(definition="E_min/S_min", N="1B", loss=2.7, excess=0.01), "go by excess"),
        (dict(definition="E_min/S_min", N="1B", loss=2.7, D="20B"), "go by D, for law three_term by N, loss"),
    ],
)
def test_a_keyword_that_would_change_nothing_is_refused(sweep, given, words):
    with pytest.raises(LawError, match=words):
        bs.critical_batch(sweep, **given)


def test_steps_are_of_one_target_and_one_size(steps):
    with pytest.raises(LawError, match="does not go by loss, for law steps_examples by nothing"):
        bs.critical_batch(steps, definition="E_min/S_min", loss=2.7)
    with pytest.raises(LawError, match="does not go by N, for law steps_examples by B_ref, overhead"):
        bs.critical_batch(steps, definition="step-overhead", B_ref="128K", N="1B")


def test_tokens_may_follow_from_compute(sweep):
    by_tokens, by_compute = (
        bs.critical_batch(sweep, definition="near-best", N="1B", **size) for size in (dict(D=1e11), dict(C=6e20))
    )
    np.testing.assert_allclose(by_tokens.draws, by_compute.draws)
