import json
import shutil

import numpy as np
import pandas as pd
import pytest

from medvision.config import load_experiment
from medvision.errors import ConfigError, DataError, ModelError, RunError
from medvision.learning_curves import gather_learning_curves, learning_curve_parts, write_learning_curves
from medvision.parts import OpenData, part_folder, run_parts
from medvision.runs import RunFolder, read_json, read_table, write_table
from tests.drawn_curves import experiment, write_parts
from tests.kinds import KINDS, write_experiment
from tests.reports.reading import Page


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """An experiment on drawn images, and its data opened."""
    root = write_experiment(tmp_path_factory.mktemp("data"), KINDS["classification"], patients=24)
    return load_experiment([root / "discs.yaml"], ["--trainer.max_epochs=1"]), OpenData()


def other(experiment, **changes):
    return experiment.model_copy(update={"name": "other", **changes})


def test_parts_are_every_experiment_at_every_size_in_every_repeat(asked):
    first, data = asked
    parts = learning_curve_parts([first, other(first, seed=99)], [16, 8], 2, data)
    assert [part.name for part in parts] == [
        *("discs-8-0", "discs-8-1", "discs-16-0", "discs-16-1"),
        *("other-8-0", "other-8-1", "other-16-0", "other-16-1"),
    ]
    # The same seeds for both, so that both see the same images; the split is that of the first seed.
    assert [part.experiment.seed for part in parts] == [3, 4] * 4
    assert {part.experiment.split.seed for part in parts} == {3}
    assert [part.experiment.split.train_images for part in parts] == [8, 8, 16, 16] * 2


def test_subsets_lie_in_each_other_and_nobody_else_is_tested(asked):
    first, data = asked
    parts = learning_curve_parts([first], [8, 16, 24], 2, data)
    splits = {part.name: data.get(part.experiment).split_table() for part in parts}
    trained = {name: set(table.loc[table["split"] == "train", "image"]) for name, table in splits.items()}
    for repeat in (0, 1):
        small, middle, large = (trained[f"discs-{size}-{repeat}"] for size in (8, 16, 24))
        assert small < middle < large
        assert (len(small), len(middle), len(large)) == (8, 16, 24)
    assert trained["discs-16-0"] != trained["discs-16-1"]
    for name in ("val", "test"):
        assert len({tuple(table.loc[table["split"] == name, "image"]) for table in splits.values()}) == 1


def test_a_seed_of_the_split_in_the_file_is_kept(asked):
    first, data = asked
    fixed = first.model_copy(update={"split": first.split.model_copy(update={"seed": 11})})
    assert {part.experiment.split.seed for part in learning_curve_parts([fixed], [8, 16], 2, data)} == {11}


def test_a_size_beyond_the_training_split_is_one_line(asked):
    first, data = asked
    with pytest.raises(DataError) as error:
        learning_curve_parts([first], [8, 5000], 1, data)
    (line,) = error.value.lines
    assert line.startswith("split.train_images: 5000 wanted, but the training split has ")


@pytest.mark.parametrize(
    ("names", "sizes", "repeats", "said"),
    [
        ([], [8, 16], 1, "no experiment"),
        (["a", "a"], [8, 16], 1, "are called a, a"),
        (["a"], [8], 1, "1 size makes no curve"),
        (["a"], [8, 8], 1, "expected different numbers from 1 on, got 8 8"),
        (["a"], [0, 8], 1, "expected different numbers from 1 on, got 0 8"),
        (["a"], [8, 16], 0, "--repeats: expected 1 or more, got 0"),
    ],
)
def test_what_makes_no_curve_is_told_before_anything_is_read(names, sizes, repeats, said):
    with pytest.raises(ConfigError) as error:
        learning_curve_parts([experiment(name) for name in names], sizes, repeats)
    assert len(error.value.lines) == 1
    assert said in error.value.lines[0]


def test_experiments_on_other_images_or_another_split_are_told(asked):
    first, data = asked
    moved = first.model_copy(update={"name": "moved", "split": first.split.model_copy(update={"val": 0.3})})
    with pytest.raises(ConfigError, match="moved: other images or another split than discs"):
        learning_curve_parts([first, moved], [8, 16], 1, data)


def test_a_network_that_is_not_there_is_told_before_the_first_training(asked):
    first, data = asked
    wrong = other(first, model={**first.model, "backbone": "two_layer_cn"})
    with pytest.raises(ModelError, match="two_layer_cn"):
        learning_curve_parts([first, wrong], [8, 16], 1, data)


def test_a_file_that_chooses_a_subset_itself_is_told():
    with pytest.raises(ConfigError, match=r"a: split.train_patients is what a learning curve varies"):
        learning_curve_parts([experiment("a", train_patients=4)], [8, 16], 1)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """Drawn answers at three sizes, gathered."""
    parent, parts = write_parts(tmp_path_factory.mktemp("parent"), sizes=(100, 200, 400), repeats=2)
    return parent, parts, gather_learning_curves(parent, parts)


def test_the_tables_are_those_of_the_parts(gathered):
    parent, parts, found = gathered
    assert read_json(parent.learning_curve) == json.loads(json.dumps(found))
    assert (found["sizes"], found["repeats"], list(found["models"])) == ([100, 200, 400], 2, ["small", "large"])
    values = [read_json(part_folder(parent, part).metrics)["test"]["image"]["auroc"]["value"] for part in parts[:2]]
    entry = found["levels"]["image"]["metrics"]["small"]["100"]["auroc"]
    assert entry["value"] == pytest.approx(np.mean(values))
    assert entry["sd"] == pytest.approx(np.std(values, ddof=1))
    assert entry["low"] < entry["value"] < entry["high"]
    assert found["models"]["small"]["costs"]["200"]["training_seconds"] == [20, 25]
    table = read_table(parent.learning_curve.with_suffix(".csv"))
    assert len(table) == len(parts) * 2
    row = table[(table["part"] == "small-100-1") & (table["level"] == "image")].iloc[0]
    assert row["auroc"] == pytest.approx(values[1])
    assert (row["images"], row["repeat"], row["patients"], row["training_seconds"]) == (100, 1, 50, 15)
    assert row["auroc_low"] < row["auroc"] < row["auroc_high"]
    rows = read_table(parent.predictions)
    assert len(rows) == len(parts) * 120
    assert not rows.duplicated(["image", "model", "images", "repeat"]).any()


def test_gathered_again_everything_is_the_same(gathered):
    parent, parts, _ = gathered
    files = [parent.learning_curve, parent.learning_curve.with_suffix(".csv"), parent.predictions, parent.report]
    before = [file.read_bytes() for file in files]
    gather_learning_curves(parent, parts)
    assert [file.read_bytes() for file in files] == before


def test_the_report_is_drawn_from_the_file_alone(gathered, tmp_path):
    parent, _, found = gathered
    moved = RunFolder(tmp_path / parent.path.name)
    moved.path.mkdir()
    entry = found["levels"]["image"]["metrics"]["large"]["400"]["auroc"]
    changed = json.loads(json.dumps(found).replace(json.dumps(entry["value"]), "0.123456"))
    moved.learning_curve.write_text(json.dumps(changed))
    write_learning_curves(moved)
    assert "0.123" in Page(moved.report.read_text()).text
    assert (moved.figures / "learning_curve_image.svg").is_file()


def test_curves_that_were_not_gathered_are_told(tmp_path):
    with pytest.raises(RunError, match=r"learning_curve.json: not there"):
        write_learning_curves(RunFolder(tmp_path))


@pytest.fixture
def copied(gathered, tmp_path):
    parent, parts, _ = gathered
    shutil.copytree(parent.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy"), parts


def test_unfinished_parts_are_counted(copied):
    parent, parts = copied
    for part in parts[3:5]:
        part_folder(parent, part).report.unlink()
    with pytest.raises(RunError) as error:
        gather_learning_curves(parent, parts)
    assert f"2 of 12 parts are not finished, the first is {parts[3].name}" in error.value.lines[0]


def test_other_test_patients_are_told(copied):
    parent, parts = copied
    run = part_folder(parent, parts[4])
    rows = read_table(run.predictions)
    rows.loc[0, "patient"] = "somebody else"
    write_table(run.predictions, rows)
    with pytest.raises(DataError, match=parts[4].name):
        gather_learning_curves(parent, parts)


def test_one_model_and_one_repeat_are_a_curve_too(tmp_path):
    parent, parts = write_parts(tmp_path, models=("small",), sizes=(100, 400), repeats=1)
    found = gather_learning_curves(parent, parts)
    assert "pairs" not in found["levels"]["image"]
    assert found["levels"]["image"]["metrics"]["small"]["100"]["auroc"]["sd"] is None
    assert "cannot be said" in Page(parent.report.read_text()).text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_stopped_and_gone_on_with_it_gives_the_same_tables(kind, tmp_path):
    root = write_experiment(tmp_path / "data", KINDS[kind], patients=24)
    first = load_experiment([root / "discs.yaml"], ["--trainer.max_epochs=1"])
    parts = learning_curve_parts([first, other(first)], [8, 16], 2)
    whole, stopped = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "stopped")
    for parent in (whole, stopped):
        parent.path.mkdir()
    assert run_parts(whole, parts) == []
    assert run_parts(stopped, parts[:3]) == []
    shutil.rmtree(part_folder(stopped, parts[1]).path)
    assert run_parts(stopped, parts) == []
    tables = []
    for parent in (whole, stopped):
        found = gather_learning_curves(parent, parts)
        tables.append((found["levels"], read_table(parent.predictions)))
    assert tables[0][0] == tables[1][0]
    pd.testing.assert_frame_equal(tables[0][1], tables[1][1])
    headline = "auroc" if kind == "classification" else "dice"
    assert found["levels"]["image"]["headline"] == headline
    # The same model twice, with the same seeds, is the same twice.
    (pair,) = found["levels"]["image"]["pairs"]["16"]
    assert pair["differences"][headline]["value"] == 0
