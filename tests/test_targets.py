"""The targets of a forecast: by name, as a dict, as a table; slips are said."""

import numpy as np
import pandas as pd
import pytest

from bayesscale.errors import NumberError, RunsError
from bayesscale.runs import read_runs
from bayesscale.targets import read_targets

TAKES = ("N", "D")


def test_covariates_by_name():
    frame = read_targets(takes=TAKES, N=["7B", 70e9], D="1.4T")
    np.testing.assert_array_equal(frame[["N", "D"]], [[7e9, 1.4e12], [7e10, 1.4e12]])
    np.testing.assert_allclose(frame["C"], 6 * frame["N"] * frame["D"])
    assert read_targets(takes=TAKES, B="1M", S=1e5, N="1B")["D"].tolist() == [1e11]
    assert read_targets(takes=("N_active", "D"), N_active="1B", D="1T", N="8B")["N_active"].tolist() == [1e9]
    assert read_targets(takes=TAKES, N=1e9, D=1e9, loss_error="0.01")["loss_error"].tolist() == [0.01]
    assert read_targets(takes=(), lr=[1e-3, 2e-3])["lr"].tolist() == [1e-3, 2e-3]


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (dict(level=0.9), r"level is no covariate.*forecast\.table\(level=\.\.\.\)"),
        (dict(levels=0.9), r"forecast\.table\(level="),
        (dict(below=2.0), r"forecast\.probability\(below="),
        (dict(seeed=3), r"seeed is no covariate of a target; the law takes N, D\. Did you mean seed\?"),
        (dict(knd="mean"), r"Did you mean kind\?"),
        (dict(target=1.0), r"Did you mean targets\?"),
        (dict(n="7B"), r"Did you mean N\?"),
        (dict(tokens="1T"), r"Did you mean D\?"),
        (dict(xyz=1.0), r"xyz is no covariate.*Other columns go in a table of targets"),
        (dict(lr=1e-3), "lr is no covariate"),
    ],
)
def test_slips_of_names_are_refused(slip, said):
    with pytest.raises(RunsError, match=said):
        read_targets(takes=TAKES, N="7B", D="1T", **slip)


def test_all_slips_come_in_one_error():
    with pytest.raises(RunsError) as caught:
        read_targets(takes=TAKES, params="7B", tokens="1T", levels=0.9)
    assert len(caught.value.problems) == 3


def test_tables_may_hold_other_columns():
    labels = dict(name=["small", "large"], level=[0.9, 0.8], table=["x", "y"])
    as_dict = read_targets(dict(N=["7B", "70B"], D="1.4T", who="us", **labels), takes=TAKES)
    as_frame = read_targets(pd.DataFrame(dict(N=["7B", "70B"], D="1.4T", who="us", **labels)), takes=TAKES)
    for name in ("N", "D", "C", *labels):
        assert as_dict[name].tolist() == as_frame[name].tolist()
    assert as_dict["who"].tolist() == ["us", "us"]
    runs = read_runs(dict(N=[1e8, 1e9], D=[1e10, 1e10 + 2e9], loss=[3.0, 2.6], note=["a", "b"]))
    assert read_targets(runs, takes=TAKES)["note"].tolist() == ["a", "b"]
    assert read_targets(dict(N="7B"), takes=TAKES, D="1T")["D"].tolist() == [1e12]
    with pytest.raises(RunsError, match="Did you mean seed"):
        read_targets(dict(N="7B", D="1T", note="kept"), takes=TAKES, sed=1)


@pytest.mark.parametrize(
    ("targets", "error", "said"),
    [
        (
            dict(N="7q", D=1e9),
            NumberError,
            r"^N: '7q' is not a number: write 7B, 7e9 or 7000000000; the suffixes are K",
        ),
        (dict(N=["7B", "7q"], D=1e9), NumberError, r"^N\[1\]: '7q' is not a number: write 7B"),
        (dict(N="-7B", D=1e9), RunsError, r"^N of target 0 is -7B: it must be a positive number$"),
        (dict(N="7B"), RunsError, r"needs D; given: N\. Say it, as in predict\(D=\.\.\.\)"),
        (dict(N=["1B", "2B"], D=[1e9, 2e9, 3e9]), RunsError, "different lengths"),
        (dict(N=[[1e9, 2e9]], D=1e9), RunsError, "N: a table of numbers; give one number"),
    ],
)
def test_bad_targets_are_said_alike_by_name_and_in_a_dict(targets, error, said):
    with pytest.raises(error, match=said):
        read_targets(takes=TAKES, **targets)
    with pytest.raises(error, match=said):
        read_targets(targets, takes=TAKES)


def test_a_target_may_name_its_run():
    frame = read_targets(takes=TAKES, N=1e9, D=[1e9, 2e9], run="a")
    assert frame["run"].tolist() == ["a", "a"]
    assert read_targets(dict(N=1e9, D=[1e9, 2e9], run=[3, 4]), takes=TAKES)["run"].tolist() == ["3", "4"]
    assert read_targets(pd.DataFrame(dict(N=[1e9], D=[1e9], run=["b"])), takes=TAKES)["run"].tolist() == ["b"]
    with pytest.raises(RunsError, match="name each target's run"):
        read_targets(dict(N=1e9, D=[1e9, 2e9], run=["a", None]), takes=TAKES)
    with pytest.raises(RunsError, match=r"Did you mean run\?"):
        read_targets(takes=TAKES, N=1e9, D=1e9, runs="a")
