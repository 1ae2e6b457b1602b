"""Tables of runs on mixtures of domains: what is read of them, and what is said of bad ones."""

import numpy as np
import pandas as pd
import pytest

from bayesscale.errors import RunsError, RunsWarning
from bayesscale.mixture_tables import mixture_runs, read_mixtures

one_size = pytest.mark.filterwarnings("ignore:all runs have one N:bayesscale.errors.RunsWarning")


def wide(**columns) -> pd.DataFrame:
    """Four runs of two mixtures and two sizes, two checkpoints each, with a target that is not trained on."""
    rows = [(N, D, web) for N in (1e8, 4e8) for web in (0.75, 1.0) for D in (1e9, 1e10)]
    table = pd.DataFrame(rows, columns=["N", "D", "r_web"])
    table["r_code"] = 1 - table["r_web"]
    table["loss_web"] = 2 + (table["N"] / 1e8) ** -0.3 + 0.1 * table["r_code"] + 1e-10 * table["D"]
    table["loss_code"] = table["loss_web"] - table["r_code"]
    table["loss_math"] = table["loss_web"] + 0.5
    return table.assign(**columns)


def two_tables():
    ratios = pd.DataFrame({"run": ["a", "b", "c"], "web": [0.75, 0.5, 0.0], "code": [0.25, 0.5, 1.0]})
    metrics = pd.DataFrame({"run": ["c", "a", "b"], "web": [3.0, 2.0, 2.5], "qa": [1.3, 1.1, 1.2]})
    return ratios, metrics


SWARM = dict(same={"N": "30M", "D": ["3B"] * 3})


# --- wide tables ---


def test_every_loss_of_a_wide_table_becomes_a_row():
    table = wide()
    runs = mixture_runs(table)
    long = runs.table
    assert len(long) == 3 * len(table) and list(long["domain"][:3]) == ["web", "code", "math"]
    for domain in ("web", "code", "math"):
        rows = long[long["domain"] == domain]
        np.testing.assert_array_equal(rows["loss"], table[f"loss_{domain}"])
        np.testing.assert_array_equal(rows["r_code"], table["r_code"])
        own = table[f"r_{domain}"] if domain != "math" else np.full(8, np.nan)
        np.testing.assert_array_equal(rows["r"], own)
    assert list(long.index) == list(range(24)) and "loss_web" not in long
    assert long["r_code"].min() == 0  # zeros stay: each law has its own rule
    assert runs.about["derived"] == {"C": "6 * N * D"}


def test_same_proportions_are_one_mixture_and_with_a_size_one_run():
    noise = 1 + 1e-9 * np.random.default_rng(0).uniform(-1, 1, 8)
    long = mixture_runs(wide(r_web=wide()["r_web"] * noise)).table
    assert dict(long.groupby("mixture")["r_web"].mean().round(6)) == {"m1": 0.75, "m2": 1.0}
    assert set(long["run"]) == {f"m{i} at N = {N}" for i in (1, 2) for N in (100000000, 400000000)}
    assert set(mixture_runs(wide(run=list("aabbccdd"))).table["run"]) == set("abcd")


@pytest.mark.parametrize(
    "rename, options",
    [
        (("weight_{}", "{}_loss"), {}),
        (("w_{}", "{}_bpb"), {}),
        (("train_{}", "metric/{}_val_loss"), {}),
        (("share of {}", "{}: bits"), dict(proportions="share of ", losses="*: bits")),
        (("share of {}", "{}"), dict(proportions=["share of web", "share of code"], losses=["web", "code", "math"])),
        (
            ("{}1", "{}2"),
            dict(proportions={"web": "web1", "code": "code1"}, losses={x: f"{x}2" for x in ("web", "code", "math")}),
        ),
    ],
)
def test_columns_are_found_by_pattern_list_or_mapping(rename, options):
    share, loss = rename
    names = {f"r_{x}": share.format(x) for x in ("web", "code")}
    names |= {f"loss_{x}": loss.format(x) for x in ("web", "code", "math")}
    expected, found = mixture_runs(wide()).table, mixture_runs(wide().rename(columns=names), **options).table
    if isinstance(options.get("proportions"), list):  # without a known pattern a column is its domain
        found = found.rename(columns={"r_share of web": "r_web", "r_share of code": "r_code"}).assign(r=expected["r"])
    pd.testing.assert_frame_equal(found, expected)


def test_names_units_and_what_no_column_says():
    table = wide(N=wide()["N"] / 1e6, weight_decay=0.1).rename(columns={"N": "size", "D": "tokens"})
    names = [name for name in table if name.startswith("loss_")]
    table[names] /= np.log(2)
    options = dict(
        columns={"N": "size"}, units={"N": "millions", "loss": "bits"}, same={"B": "1M"}, about={"eval": "v2"}
    )
    runs = mixture_runs(table, **options)
    np.testing.assert_allclose(runs.column("loss"), mixture_runs(wide()).column("loss"))
    assert set(runs.column("N")) == {1e8, 4e8} and set(runs.column("S")) == {1e3, 1e4}
    assert runs.about["columns"] == {"N": "size", "D": "tokens"} and runs.about["eval"] == "v2"
    assert runs.about["units"] == {"N": "millions", "loss": "bits"}
    with pytest.raises(RunsError, match="same: table has a column N"):
        mixture_runs(wide(), same={"N": "1B"})


def test_an_overall_loss_is_no_target_and_one_loss_may_be_all():
    kept = mixture_runs(wide(val_loss=2.5)).table
    assert set(kept["domain"]) == {"web", "code", "math"} and set(kept["val_loss_original"]) == {2.5}
    one = mixture_runs(wide().drop(columns=["loss_code", "loss_math"]).rename(columns={"loss_web": "loss"}))
    assert len(one) == 8 and "domain" not in one.columns and "mixture" in one.columns


def test_domains_that_differ_in_case_and_punctuation_are_one_unless_there_are_two():
    names = {"r_web": "r_Pile-CC", "loss_web": "loss_pile_cc"}
    long = mixture_runs(wide().rename(columns=names)).table
    assert set(long["domain"]) == {"Pile-CC", "code", "math"}
    assert long.loc[long["domain"] == "Pile-CC", "r"].notna().all()
    two = mixture_runs(wide(loss_WEB=3.0)).table
    assert two.loc[two["domain"] == "WEB", "r"].isna().all() and two.loc[two["domain"] == "web", "r"].notna().all()


def test_a_loss_that_was_not_measured_is_left_out_and_said():
    table = wide()
    table.loc[2, "loss_code"] = np.nan
    with pytest.warns(RunsWarning, match="1 of 24 losses are missing"):
        assert len(mixture_runs(table)) == 23


# --- what proportions must be ---


def test_small_errors_are_left_larger_ones_renormalised_and_said_once():
    exact = wide(r_web=wide()["r_web"] * (1 - 5e-7))
    np.testing.assert_array_equal(mixture_runs(exact).table["r_web"][::3], exact["r_web"])

    table = wide()
    table.loc[5, ["r_web", "r_code"]] = 0.751, 0.252
    table.loc[6, "r_code"] = 0.0002
    with pytest.warns(RunsWarning) as said:
        long = mixture_runs(table).table
    assert len(said) == 1 and said[0].filename == __file__
    assert "2 of 8 rows" in str(said[0].message) and "row 5 with a sum of 1.003" in str(said[0].message)
    np.testing.assert_allclose(long["r_web"] + long["r_code"], 1, atol=1e-12)
    assert long["r_web"][15] == pytest.approx(0.751 / 1.003)


@pytest.mark.parametrize(
    "row, said",
    [
        ((0.75, 0.3), r"table: the proportions \(r_web, r_code\) do not sum to 1 within 0.01: .* row 3: 1.05. Correct"),
        ((1.2, -0.2), r"table: column 'r_code': negative in row 3: -0.2"),
        ((0.75, None), r"table: column 'r_code': no proportion in row 3. Write 0"),
        (("much", 0.25), r"table: column 'r_web': not a number in row 3: 'much'"),
        ((np.inf, 0.25), r"table: column 'r_web': not a number in row 3: inf"),
    ],
)
def test_bad_proportions_are_named_by_table_row_and_value(row, said):
    table = wide().astype({"r_web": object, "r_code": object})
    table.loc[3, "r_web"], table.loc[3, "r_code"] = row
    with pytest.raises(RunsError, match=said):
        mixture_runs(table)


def test_bad_rows_of_a_file_are_named_by_line(tmp_path):
    table = wide()
    table.loc[3, "r_web"] = 0.9
    table.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(RunsError, match=r"runs.csv: .* row 3 \(line 5\): 0.9"):
        mixture_runs(tmp_path / "runs.csv")
    with pytest.warns(RunsWarning, match=r"1 of 8 rows .* row 3 \(line 5\)"):
        mixture_runs(tmp_path / "runs.csv", tolerance=0.2)


def test_percent_are_recognised():
    with pytest.raises(RunsError, match="percent: divide by 100"):
        mixture_runs(wide(r_web=100 * wide()["r_web"], r_code=100 * wide()["r_code"]))


@pytest.mark.parametrize(
    "options, said",
    [
        (dict(proportions="q_*"), r"proportions='q_\*': 0 such columns. The columns of table are N, D"),
        (dict(proportions=["r_web", "r_wiki"]), "proportions: no column r_wiki"),
        (dict(losses={"web": "loss_wbe"}), "losses: no column loss_wbe"),
        (dict(tolerance=1.5), "tolerance=1.5"),
        (dict(columns={"domain": "target"}), "columns: the table has no target"),
    ],
)
def test_columns_that_are_not_there(options, said):
    with pytest.raises(RunsError, match=said):
        mixture_runs(wide(), **options)


def test_tables_without_losses_or_proportions():
    with pytest.raises(RunsError, match="losses=None: 0 such columns"):
        mixture_runs(wide().filter(regex="^(N|D|r_)"))
    with pytest.raises(RunsError, match="proportions=None: 0 such columns"):
        mixture_runs(wide().drop(columns="r_web"))


def test_a_run_that_is_there_twice():
    table = wide(run=list("aabbccdd"))
    again = pd.concat([table, table.tail(1).assign(loss_web=2.0)], ignore_index=True)
    with pytest.raises(RunsError, match="a run with all but its losses as in an earlier row, in row 8: 'd'"):
        mixture_runs(again)
    assert (
        len(mixture_runs(pd.concat([table, again.tail(1).assign(seed=1)], ignore_index=True).fillna({"seed": 0}))) == 27
    )


def test_labels_of_mixtures_that_the_table_has():
    kept = mixture_runs(wide(mixture=["A", "A", "B", "B"] * 2)).table
    assert dict(kept.groupby("mixture")["r_web"].first()) == {"A": 0.75, "B": 1.0}
    with pytest.raises(RunsError, match="mixture 'A' has rows of different proportions"):
        mixture_runs(wide(mixture="A"))
    with pytest.raises(RunsError, match="missing"):
        mixture_runs(wide(mixture=["A", None, "B", "B"] * 2))
    with pytest.warns(RunsWarning, match="mixture 'C' has the proportions of an earlier one"):
        merged = mixture_runs(wide(mixture=["A", "A", "B", "B", "C", "C", "B", "B"])).table
    assert set(merged["mixture"]) == {"A", "B"}


# --- long tables ---


def test_what_was_made_can_be_read_again():
    runs = mixture_runs(wide())
    again = mixture_runs(runs.table)
    pd.testing.assert_frame_equal(again.table, runs.table)


def test_own_proportions_of_a_long_table_are_put_together():
    full = mixture_runs(wide()).table
    bare = full.drop(columns=["r_web", "r_code"])
    for table, options in (
        (bare, {}),
        (bare.rename(columns={"r": "ratio"}), {}),
        (bare.rename(columns={"r": "p", "domain": "set"}), dict(proportions="p", columns={"domain": "set"})),
        (bare.drop(columns="mixture"), {}),  # by run
    ):
        found = mixture_runs(table, **options).table
        pd.testing.assert_frame_equal(found[full.columns], full, check_like=True)
    with pytest.raises(RunsError, match="nothing says which rows make up a mixture"):
        mixture_runs(bare.drop(columns=["mixture", "run"]))
    with pytest.raises(RunsError, match="mixture 'm1' has several proportions of domain 'web'"):
        mixture_runs(bare.assign(mixture="m1"))


# --- two tables joined by run ---


@one_size
def test_two_tables_are_joined_by_run():
    ratios, metrics = two_tables()
    long = read_mixtures(ratios, metrics, **SWARM).table
    assert list(long["run"]) == ["c", "c", "a", "a", "b", "b"] and set(long["domain"]) == {"web", "qa"}
    web = long[long["domain"] == "web"].set_index("run")
    assert web.loc["c", "loss"] == 3.0 and web.loc["c", "r"] == 0.0 and web.loc["b", "r_code"] == 0.5
    assert long.loc[long["domain"] == "qa", "r"].isna().all()
    assert set(long["N"]) == {3e7} and long["mixture"].nunique() == 3
    bare = read_mixtures(ratios, metrics).table  # proportions alone are enough
    pd.testing.assert_frame_equal(bare, long[bare.columns])


@one_size
def test_the_layouts_of_olmix_and_regmix(tmp_path):
    ratios, metrics = two_tables()
    expected = read_mixtures(ratios, metrics, **SWARM).table
    about = dict(name=["x", "y", "z"], index=[0, 1, 2])
    ratios.rename(columns={"run": "run_id"}).assign(**about).to_csv(tmp_path / "ratios.csv", index=False)
    metrics.rename(columns={"run": "run_id"}).assign(**about).to_csv(tmp_path / "metrics.csv", index=False)
    olmix = read_mixtures(tmp_path / "ratios.csv", tmp_path / "metrics.csv", **SWARM).table
    pd.testing.assert_frame_equal(olmix[expected.columns], expected)

    number = {"a": 1, "b": 2, "c": 3}
    ratios = ratios.assign(run=ratios["run"].map(number)).rename(columns={"run": "index"})
    metrics = metrics.assign(run=metrics["run"].map(number).astype(str)).rename(columns={"run": "index"})
    ratios = ratios.rename(columns={x: f"train_{x}" for x in ("web", "code")})
    metrics = metrics.rename(columns={x: f"metric/{x}_val_loss" for x in ("web", "qa")})
    regmix = read_mixtures(ratios, metrics, on="index", **SWARM).table
    pd.testing.assert_frame_equal(regmix.drop(columns="run"), expected.drop(columns="run"))


def test_checkpoints_are_rows_of_the_second_table():
    ratios, metrics = two_tables()
    steps = pd.concat([metrics.assign(S=S, web=metrics["web"] + 1 / S) for S in (100, 1000)], ignore_index=True)
    long = read_mixtures(ratios, steps).table
    assert len(long) == 12 and long["run"].nunique() == 3
    with pytest.raises(RunsError, match="metrics: a run with all but its losses as in an earlier row, in row 3: 'c'"):
        read_mixtures(ratios, steps.assign(S=100))


@one_size
def test_runs_of_one_table_only():
    ratios, metrics = two_tables()
    with pytest.raises(RunsError, match="metrics: no row in ratios for run 'b'"):
        read_mixtures(ratios.drop(index=1), metrics, **SWARM)
    with pytest.warns(RunsWarning, match="metrics: no row for run 'c' of ratios; left out"):
        left = read_mixtures(ratios, metrics.drop(index=0), same={"N": "30M", "D": "3B"})
    assert set(left.table["run"]) == {"a", "b"}


def test_what_cannot_be_joined():
    ratios, metrics = two_tables()
    twice = pd.concat([ratios, ratios.head(1)])
    with pytest.raises(RunsError, match="ratios: more than one row for run 'a'"):
        read_mixtures(twice, metrics)
    with pytest.raises(RunsError, match="metrics: no column 'run' to join by"):
        read_mixtures(ratios, metrics.rename(columns={"run": "id"}))
    with pytest.raises(RunsError, match="ratios: column 'run' is empty in 1 rows"):
        read_mixtures(ratios.assign(run=["a", None, "c"]), metrics)
    with pytest.raises(RunsError, match=r"ratios: the proportions \(web, code\) .* row 2: 1.2"):
        read_mixtures(ratios.assign(web=[0.75, 0.5, 0.2]), metrics)


# --- published tables ---


def test_dmsl(real_data):
    with (
        pytest.warns(RunsWarning, match="16 of 19616 losses are missing"),
        pytest.warns(RunsWarning, match="1792 rows have exactly the loss .* written twice"),
    ):
        runs = mixture_runs(real_data("mix/dmsl/dmsl_llm_slimpajama.csv"), columns={"N": "model_size"})
    table = runs.table
    assert len(table) == 19600 and table["mixture"].nunique() == 61
    assert table["run"].nunique() == table.groupby(["N", "mixture"]).ngroups == 224
    assert set(table.loc[table["r"].isna(), "domain"]) == {"openhermes"}
    assert (table.groupby("N")["mixture"].nunique() == [60, 60, 40, 40, 20, 4]).all()


def test_pile4(real_data):
    options = dict(columns={"N": "model_size_M", "D": "tokens_B"}, units={"N": "millions", "D": "billions"})
    with pytest.warns(RunsWarning, match="27 of 85 rows .* renormalised"):
        table = mixture_runs(real_data("mix/dmsl/pile4_90M_440M.csv"), **options).table
    assert len(table) == 4 * 85 and table["r"].notna().all()
    labels = table[["mixture", "mixture_id"]].drop_duplicates()  # theirs and ours say the same
    assert len(labels) == table["mixture"].nunique() == table["mixture_id"].nunique() == 40


@pytest.mark.parametrize(
    "name, mixtures, runs, targets, own",
    [("2Mix", 5, 10, 2, 2), ("3Mix", 33, 41, 3, 3), ("5Mix", 28, 110, 22, 0), ("ct", 5, 5, 23, 0)],
)
@one_size
@pytest.mark.filterwarnings("ignore:table. .* losses are missing:bayesscale.errors.RunsWarning")
def test_mixing_laws(real_data, name, mixtures, runs, targets, own):
    frame = pd.read_csv(real_data(f"mix/mixinglaws/{name}.csv"))
    frame = frame[frame["tokens"] > 0]  # checkpoints called "last" have none, ct begins at 0
    table = mixture_runs(frame, columns={"N": "n_params_nonemb"}).table
    assert (table["mixture"].nunique(), table["run"].nunique()) == (mixtures, runs)
    assert table["domain"].nunique() == targets
    assert table.loc[table["r"].notna(), "domain"].nunique() == (own or (name == "ct"))


def test_the_mixture_of_redpajama_that_sums_to_102_percent(real_data):
    frame = pd.read_csv(real_data("mix/mixinglaws/RedPajama.csv"))
    with pytest.raises(RunsError, match=r"do not sum to 1 within 0.01: .* row 447: 1.01994; .* and 32 more rows"):
        mixture_runs(frame, columns={"N": "n_params_nonemb"})
    with pytest.warns(RunsWarning, match=r"46 of 1161 rows .* sum of 1.01994"):
        table = mixture_runs(frame, columns={"N": "n_params_nonemb"}, tolerance=0.03).table
    assert set(table.loc[table["r"].notna(), "domain"]) == {"ArXiv", "GitHub", "StackExchange"}


def test_bimix(real_data):
    frame = pd.read_csv(real_data("bimix_curves/domain_losses.csv"))
    for corpus, domains in (("Pile", 22), ("SlimPajama", 7)):
        part = frame[frame["corpus"] == corpus]
        with pytest.warns(RunsWarning, match="renormalised"):  # DoReMi sums to 0.99999 and 0.99998
            table = mixture_runs(part, columns={"S": "step"}).table
        assert sum(name.startswith("r_") for name in table) == domains
        assert set(table.loc[table["r"].isna(), "domain"]) == {"avg"}
        np.testing.assert_allclose(table["r"], part["ratio"], rtol=3e-5)
        np.testing.assert_array_equal(table["loss"], part["loss"])
        assert set(table["mixture"]) == set(table["run"]) == set(part["mixture"])
    with pytest.raises(RunsError, match=r"mixture 'Baseline' has several proportions of domain 'ArXiv'.* one corpus"):
        mixture_runs(frame, columns={"S": "step"})
