"""Mixture laws: their formulas at given constants, their conventions, and proportions of zero."""

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import LawError, RunsError
from bayesscale.law import law, named, sample

HALF = dict(r_a=[0.5, 0.0, 1.0], r_b=[0.5, 1.0, 0.0])


def test_bimix_is_its_formula_at_the_papers_five_constants():
    value = named("bimix").evaluate(dict(A=2.0, B=3.0, C=1.5, alpha=0.05, beta=0.6), r=0.3, S=20.0)
    assert value == pytest.approx(2.0 / 0.3**0.05 * (3.0 / 20.0**0.6 + 1.5), rel=1e-12)


def test_the_exponential_law_is_olmixs_log_linear_one():
    at = dict(r_a=[0.2, 0.0], r_b=[0.8, 1.0])
    value = named("mixture_exponential").evaluate(dict(c=1.0, k=2.0, t_a=-1.5, t_b=1.5), **at)
    olmix = 1.0 + np.exp((np.log(2.0) - 1.5) * np.array(at["r_a"]) + (np.log(2.0) + 1.5) * np.array(at["r_b"]))
    np.testing.assert_allclose(value, olmix, rtol=1e-12)


def test_the_additive_law_is_its_formula_and_takes_zeros():
    constants = dict(E=1.0, A=100.0, alpha=0.3, B=300.0, beta=0.4, C_a=1.0, C_b=2.0, g_a=0.3, g_b=0.5)
    value = named("mixture_additive").evaluate(constants, N=1e9, D=1e10, **HALF)
    of_mixture = np.array([1 / (0.5**0.3 + 2 * 0.5**0.5), 1 / 2.0, 1.0])
    np.testing.assert_allclose(value, 1.0 + of_mixture + 100 / 1e9**0.3 + 300 / 1e10**0.4, rtol=1e-12)


def test_the_drifting_law_is_the_additive_one_that_neither_couples_nor_drifts():
    constants = dict(E=1.0, A=100.0, alpha=0.3, B=300.0, beta=0.4, C_a=1.0, C_b=2.0, g_a=0.3, g_b=0.5)
    additive = named("mixture_additive").evaluate(constants, N=1e9, D=1e10, **HALF)
    still = constants | dict(k=1.0, eps=0.0, C_0=6e19)
    np.testing.assert_allclose(named("mixture_drift").evaluate(still, N=1e9, D=1e10, **HALF), additive, rtol=1e-12)
    drifting = named("mixture_drift").evaluate(still | dict(eps=0.1), N=2e9, D=1e10, **HALF)
    undrifted = named("mixture_additive").evaluate(constants, N=2e9, D=1e10, **HALF)
    falls = undrifted - 100 / 2e9**0.3 - 300 / 1e10**0.4
    np.testing.assert_allclose(undrifted - drifting, falls * (1 - 0.5**0.1), rtol=1e-9)


def test_the_joint_law_is_the_additive_one_where_the_domains_have_equal_parts_in_A_and_B():
    constants = dict(E=1.0, alpha=0.3, beta=0.4, C_a=1.0, C_b=2.0, g_a=0.3, g_b=0.5)
    additive = named("mixture_additive").evaluate(constants | dict(A=100.0, B=300.0), N=1e9, D=1e10, **HALF)
    equal = dict(A_a=100.0, A_b=100.0, gamma_A=1.0, B_a=300.0**2, B_b=300.0**2, gamma_B=0.5)
    joint = named("mixture_joint").evaluate(constants | equal, N=1e9, D=1e10, **HALF)
    np.testing.assert_allclose(joint, additive, rtol=1e-12)


def test_the_linear_laws_are_means_of_what_each_domain_alone_would_give():
    linear = named("mixture_linear").evaluate(dict(w_a=2.0, w_b=4.0), **HALF)
    np.testing.assert_allclose(linear, [3.0, 4.0, 2.0], rtol=1e-12)
    log_linear = named("mixture_log_linear").evaluate(dict(A_a=np.log(2.0), A_b=np.log(8.0)), **HALF)
    np.testing.assert_allclose(log_linear, [4.0, 8.0, 2.0], rtol=1e-12)


def simulated(rng, n=24):
    r = rng.dirichlet([1.0, 1.0, 1.0], n)
    r[:4] = [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    columns = dict(r_a=r[:, 0], r_b=r[:, 1], r_c=r[:, 2])
    truth = dict(c=1.8, k=0.7, t_a=-3.0, t_b=1.0, t_c=2.0)
    loss = named("mixture_exponential").evaluate(truth, **columns) * np.exp(0.003 * rng.standard_normal(n))
    return truth, pd.DataFrame(dict(columns, loss=loss))


def test_a_star_argument_is_bound_to_the_columns_of_the_table_and_zeros_are_fitted():
    truth, table = simulated(np.random.default_rng(1))
    post = bs.fit("mixture_exponential", table, discrepancy=False, chains=2, draws=500, seed=1)
    assert post.law.columns == ("r_a", "r_b", "r_c") and post.law.name == "mixture_exponential"
    for name in ("t_a", "t_b", "t_c"):
        low, high = np.quantile(post.draws[name], [0.005, 0.995])
        assert low < truth[name] < high
    assert np.abs(sum(post.draws[f"t_{x}"] for x in "abc")).max() < 1e-9  # the convention
    forecast = post.predict(r_a=0.0, r_b=0.25, r_c=0.75, kind="mean")
    with pytest.raises(RunsError, match=r"r_a, r_b, r_c of target 0 sum to 1\.5; in all runs they sum to 1"):
        post.predict(r_a=0.5, r_b=0.5, r_c=0.5)
    assert forecast.median[0] == pytest.approx(1.8 + 0.7 * np.exp(0.25 * 1.0 + 0.75 * 2.0), rel=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesscale.errors.SamplingWarning")  # a short fit of 20 parameters
def test_the_joint_law_is_recovered_where_mixture_and_size_interact():
    rng = np.random.default_rng(3)
    r = np.repeat(rng.dirichlet([1.0, 1.0, 1.0], 16), 6, axis=0)
    N, D = np.tile(np.repeat([1e8, 4e8, 1.6e9], 2), 16), np.tile([4e9, 3e10], 48)
    truth = dict(E=0.8, alpha=0.3, beta=0.5, C_a=2.0, C_b=0.6, C_c=0.5, g_a=0.5, g_b=0.3, g_c=0.2)
    truth |= dict(A_a=20.0, A_b=140.0, A_c=240.0, gamma_A=1.0, B_a=1.3e4, B_b=1.3e4, B_c=1.3e4, gamma_B=1.0)
    columns = dict(N=N, D=D, r_a=r[:, 0], r_b=r[:, 1], r_c=r[:, 2])
    loss = named("mixture_joint").evaluate(truth, **columns) * np.exp(0.003 * rng.standard_normal(96))
    post = bs.fit("mixture_joint", dict(columns, loss=loss), discrepancy=False, chains=2, draws=300, second_try=False)
    # A model four times as large: what a mixture of mostly b or mostly a would lose less.
    for shares in ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1)):
        at = dict(N=6.4e9, D=6e10, **dict(zip(("r_a", "r_b", "r_c"), shares, strict=True)))
        actual = named("mixture_joint").evaluate(truth, **at)
        low, high = np.quantile(post.predict(**at, kind="mean").draws, [0.001, 0.999])
        assert low < actual < high and high / low < 1.15
    # How much size helps hangs on the mixture: of a term of a alone, the least.
    in_A = [post.draws[f"A_{x}"] for x in "abc"]
    assert np.mean(in_A[0] < in_A[1]) > 0.9 and np.mean(in_A[0] < in_A[2]) > 0.9


def test_a_fit_with_shares_comes_back_from_a_file(tmp_path):
    _, table = simulated(np.random.default_rng(2))
    post = bs.fit("mixture_linear", table, discrepancy=False, chains=1, draws=100, second_try=False)
    post.save(tmp_path / "fit.nc")
    again, at = bs.load(tmp_path / "fit.nc"), dict(r_a=0.2, r_b=0.0, r_c=0.8)
    np.testing.assert_array_equal(again.predict(**at).draws, post.predict(**at).draws)


def test_a_proportion_of_zero_is_refused_where_the_law_has_its_power():
    table = pd.DataFrame(dict(r=[0.1, 0.0, 0.3], S=[1e3, 1e3, 1e3], loss=[3.0, 3.5, 2.8]))
    with pytest.raises(RunsError, match="column 'r': row 1 has 0; law bimix takes positive numbers"):
        bs.fit("bimix", table)


def test_without_columns_of_proportions_the_error_says_how_they_are_called():
    with pytest.raises(LawError, match="takes columns r_<name>, such as r_a and r_b; the table has"):
        bs.fit("mixture_linear", pd.DataFrame(dict(C=[1e18, 2e18], loss=[3.0, 2.9])))


def test_a_law_with_a_star_must_be_declared_with_it():
    with pytest.raises(LawError, match="declared to take"):

        @law(takes=("D", "r"))
        def mine(D, *r):
            """L = 1"""
            return sample("x", None)
