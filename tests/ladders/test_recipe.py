"""The recipe: what it asks for, what it is made of, and whether it finds what it was simulated from."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayesscale as bs
from bayesscale.errors import RunsError


def test_a_ladder_holds_three_fits_and_their_average(two_tasks):
    assert list(two_tasks) == ["easy", "hard"] and len(two_tasks) == 2
    assert two_tasks["easy"].law.gives == "accuracy" and {"N", "D"} <= set(two_tasks["easy"].law.columns)
    assert two_tasks.losses["hard"].law.gives == "loss"
    assert (two_tasks["hard"].weights == 0.5).all()
    assert two_tasks.table.loc["easy", "runs"] == 16
    assert "ladder of 2 task(s)" in repr(two_tasks)


def test_its_table_is_the_forecasts_task_by_task(two_tasks):
    found = two_tasks.predict(N="7B", D=["1T", "4T"])
    assert list(found["task"]) == ["easy", "easy", "hard", "hard"]
    alone = two_tasks["hard"].predict(N="7B", D=["1T", "4T"], seed=two_tasks.seeds(0)["hard"])
    np.testing.assert_allclose(found.loc[found["task"] == "hard", "median"], alone.median)
    assert ((found["low95"] < found["median"]) & (found["median"] < found["high95"])).all()


def test_it_finds_the_truth_a_little_beyond_the_runs(two_tasks, truth):
    for task, post in two_tasks.items():
        low, high = post.predict(N="2.6B", D="260B", kind="mean").interval(0.99)
        assert low[0] < truth(task, 2.6e9, 2.6e11) < high[0]


def test_the_mean_knows_no_noise(two_tasks):
    new, mean = (two_tasks["easy"].predict(N="1B", D="100B", kind=kind).draws.std() for kind in ("new-run", "mean"))
    assert mean < new


def test_a_new_run_scatters_on_each_task_anew(two_tasks):
    noise = [each.logs["noise"][:, 0] for each in two_tasks.forecasts(N="1B", D="100B", seed=3).values()]
    ranks = np.argsort(np.argsort(noise, axis=1), axis=1)  # a few draws lie far out
    assert abs(np.corrcoef(ranks)[0, 1]) < 0.2
    assert len(set(two_tasks.seeds(3).values())) == 2 and two_tasks.seeds(3) != two_tasks.seeds(4)


def test_the_loss_is_pooled_on_request(two_tasks, short_ladder, simulated):
    assert two_tasks.losses.pooling.names == () and "alpha" in two_tasks.directs.pooling.names
    pooled = short_ladder(simulated(), pool_loss=True, draws=100)
    assert pooled.losses.pooling.names == ("alpha", "beta")


def test_accuracies_have_a_noise_of_their_own(short_ladder, simulated):
    """A few hundred new questions scatter more than runs do; the loss knows nothing of them."""
    runs = simulated(("easy",)).drop(columns="task").assign(n_items=300)
    made = short_ladder(runs, noise="normal", accuracy_noise="binomial", draws=100)
    of = [each["accuracy"].noise.name for each in (made.losses, made.links, made.directs)]
    assert of == ["normal", "binomial", "binomial"]
    few, many = (made.forecasts(dict(N=[1e9], D=[1e11], n_items=[n]))["accuracy"] for n in (300, 3_000_000))
    p = many.median[0]
    assert few.draws.std() ** 2 - many.draws.std() ** 2 == pytest.approx(p * (1 - p) / 300, rel=0.5)


def test_one_task_needs_no_name(short_ladder, simulated):
    runs = simulated(("easy",)).drop(columns="task")
    made = short_ladder(runs, draws=100, chains=2)
    assert list(made) == ["accuracy"] and made.over is None
    assert made.predict(N="3B", D="300B")["task"].tolist() == ["accuracy"]


def test_what_is_missing_is_said(simulated):
    with pytest.raises(RunsError, match=r"a ladder needs chance \(the accuracy of guessing"):
        bs.ladder(simulated().drop(columns="chance"))


def test_weights_are_used(two_tasks):
    two, one = two_tasks.two_steps["easy"], two_tasks.directs["easy"]
    found = bs.average({"two": two, "one": one}, weights={"two": 3, "one": 1})
    assert found.shares == {"two": 450, "one": 150}
    assert pd.Series(found.members).value_counts()["two"] == 450


def test_what_is_wrong_with_a_joint_fit_is_said_once():
    bad, good = (SimpleNamespace(settings=dict(trouble=trouble)) for trouble in ("R-hat 1.5", ""))

    def notes(**averages):
        return bs.Ladder(None, "task", {}, {}, {}, averages).notes

    assert notes(easy=bad, hard=bad) == ["!! not to be trusted as it stands: R-hat 1.5"]
    assert notes(easy=bad, hard=good) == ["!! not to be trusted as it stands: easy: R-hat 1.5"]
    assert notes(easy=good) == []
