import json
import threading

import numpy as np
import pandas as pd
import pytest

from medvision import folds
from medvision.config import load_experiment, show
from medvision.config.settings import SplitSettings
from medvision.data.splits import make_split
from medvision.errors import ConfigError, DataError, RunError
from medvision.folds import (
    finish,
    fold_parts,
    fold_runs,
    gather,
    is_gathered,
    join_parent,
    make_plan,
    plan_folds,
    planned_parts,
    read_plan,
    run_folds,
    validation_values,
)
from medvision.parts import Part, part_folder
from medvision.runs import RunFolder, read_json, read_table, replace_text, write_table
from tests.folded import experiment_in, folds_of, images, write_fold

TABLE = images(patients=30)


class Images:
    """The part of a datamodule that draws splits."""

    image_table = TABLE.assign(site=["a" if patient < "p20" else "b" for patient in TABLE["patient"]])

    def with_split(self, split: SplitSettings, seed: int) -> None:
        make_split(self.image_table, split, seed)


@pytest.fixture
def parent(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "parent")


def begun(parent: RunFolder, repeats: int = 1) -> list[Part]:
    experiment = experiment_in(parent.path.parent / "file")
    parts = fold_parts(experiment, 3, repeats)
    join_parent(parent, show(experiment), make_plan(parts, repeats, {}))
    return parts


def write_folds(parent: RunFolder, parts: list[Part], repeats: int = 1) -> None:
    for part in parts:
        number = part.experiment.split.fold
        repeat = 0 if repeats == 1 else int(part.name.split("-")[1])
        write_fold(part_folder(parent, part), TABLE, folds_of(TABLE, 3, repeat), number)


@pytest.fixture
def no_page(monkeypatch):
    """The report of the parent has tests of its own."""
    monkeypatch.setattr(folds, "write_report", lambda run: replace_text(run.report, "<html>"))


def test_parts_are_the_experiment_with_a_fold_each(tmp_path):
    experiment = experiment_in(tmp_path)
    parts = plan_folds(experiment, Images())
    assert [part.name for part in parts] == ["fold-0", "fold-1", "fold-2"]
    for number, part in enumerate(parts):
        asked = load_experiment([tmp_path / "plain.yaml"], [f"--split.fold={number}"])
        assert part.experiment == asked


def test_repeats_change_the_seed_of_the_split_alone(tmp_path):
    experiment = experiment_in(tmp_path)
    parts = plan_folds(experiment, Images(), repeats=2)
    assert [part.name for part in parts][2:5] == ["repeat-0-fold-2", "repeat-1-fold-0", "repeat-1-fold-1"]
    assert [part.experiment.split.seed for part in parts] == [3] * 3 + [4] * 3
    assert {part.experiment.seed for part in parts} == {3}
    first = fold_parts(experiment_in(tmp_path, "--split.seed=10"), 3, 2)
    assert [part.experiment.split.seed for part in first] == [10] * 3 + [11] * 3


@pytest.mark.parametrize(("option", "count"), [("--split.folds=leave_one_out", 30), ("--split.fold_by=site", 2)])
def test_the_data_can_say_what_the_folds_are(tmp_path, option, count):
    experiment = experiment_in(tmp_path, option)
    assert len(plan_folds(experiment, Images())) == count
    with pytest.raises(ConfigError, match="every repeat would have the same"):
        plan_folds(experiment, Images(), repeats=2)


def test_all_folds_that_cannot_be_drawn_are_told_before_the_first_is_run(tmp_path):
    data = Images()
    data.image_table = data.image_table.assign(site=np.where(TABLE["label"] == "yes", "a", "b"))
    with pytest.raises(DataError) as caught:
        plan_folds(experiment_in(tmp_path, "--split.fold_by=site"), data)
    assert [line.split(":")[0] for line in caught.value.lines] == ["fold-0", "fold-1"]


def test_a_plan_is_read_back(parent):
    parts = begun(parent, repeats=2)
    assert planned_parts(parent, load_experiment([parent.experiment], [])) == parts


def test_processes_join_the_same_parent(parent):
    experiment = experiment_in(parent.path.parent / "elsewhere")
    plan = make_plan(fold_parts(experiment, 3), 1, {})
    problems: list[BaseException] = []

    def join() -> None:
        try:
            join_parent(parent, show(experiment), plan)
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            problems.append(error)

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert read_plan(parent) == plan
    assert parent.experiment.read_text() == show(experiment)


def test_another_experiment_does_not_join(parent):
    parts = begun(parent)
    join_parent(parent, parent.experiment.read_text(), read_plan(parent))
    experiment = experiment_in(parent.path.parent / "elsewhere", "--optimizer.lr=0.01")
    with pytest.raises(ConfigError, match=r"optimizer.lr is 0.001 there and 0.01 here; give another --parent"):
        join_parent(parent, show(experiment), read_plan(parent))
    with pytest.raises(ConfigError, match="--repeats is 1 there and 2 here"):
        join_parent(parent, parent.experiment.read_text(), make_plan([*parts, *parts], 2, {}))


def test_a_run_and_a_comparison_are_no_cross_validation(parent):
    experiment = experiment_in(parent.path)
    with pytest.raises(RunError, match="no cross-validation, but a single run"):
        join_parent(parent, show(experiment), {})
    parent.plan.write_text(json.dumps({"kind": "learning_curves"}))
    with pytest.raises(RunError, match="no cross-validation but a learning curves"):
        read_plan(parent)


def test_all_folds_are_pooled_when_the_last_is_finished(parent, no_page):
    parts = begun(parent)
    write_folds(parent, parts[:2])
    assert [part.name for part in finish(parent, parts)] == ["fold-2"]
    assert not parent.predictions.is_file()
    write_folds(parent, parts[2:])
    assert finish(parent, parts) == []
    assert is_gathered(parent)
    assert sorted(read_table(parent.predictions)["image"]) == sorted(TABLE["image"])
    before = parent.predictions.stat().st_mtime_ns
    finish(parent, parts)
    assert parent.predictions.stat().st_mtime_ns == before


def test_what_is_finished_can_be_pooled_before(parent, no_page):
    parts = begun(parent)
    with pytest.raises(RunError, match=r"no fold is finished; python -m medvision.cross_validate --resume"):
        gather(parent, parts)
    write_folds(parent, parts[1:])
    gather(parent, parts)
    assert read_json(parent.folds)["missing"] == ["fold-0"]
    assert set(read_table(parent.predictions)["fold"]) == {1, 2}
    assert not is_gathered(parent)
    write_folds(parent, parts[:1])
    finish(parent, parts)
    assert is_gathered(parent)
    assert set(read_table(parent.predictions)["fold"]) == {0, 1, 2}


def test_only_whole_repeats_are_pooled(parent, no_page):
    parts = begun(parent, repeats=2)
    write_folds(parent, parts[:2], 2)
    with pytest.raises(RunError, match="no repeat with all of its folds is finished"):
        gather(parent, parts)
    write_folds(parent, parts[2:5], 2)
    gather(parent, parts)
    assert set(read_table(parent.predictions)["repeat"]) == {0}
    assert read_json(parent.folds)["missing"] == ["repeat-1-fold-0", "repeat-1-fold-1", "repeat-1-fold-2"]


def test_a_page_of_older_tables_does_not_stay(parent, no_page, monkeypatch):
    parts = begun(parent)
    write_folds(parent, parts)
    finish(parent, parts)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folds, "write_pooled", killed)
    with pytest.raises(KeyboardInterrupt):
        gather(parent, parts)
    assert not is_gathered(parent)


def test_the_networks_of_all_folds_are_an_ensemble(parent):
    parts = begun(parent)
    write_folds(parent, parts[:2])
    with pytest.raises(RunError, match=r"fold-2 not finished; python -m medvision.cross_validate --resume"):
        fold_runs(parent)
    write_folds(parent, parts[2:])
    assert [run.path.name for run in fold_runs(parent)] == ["fold-0", "fold-1", "fold-2"]


def test_choices_are_made_fold_by_fold(parent, monkeypatch):
    parts = begun(parent)
    done: list[Part] = []

    def run_parts(parent: RunFolder, parts: list[Part], **_: object) -> list[Part]:
        write_folds(parent, parts)
        done.extend(parts)
        return []

    def choose(parent: RunFolder, part: Part, choices: dict, data: object) -> Part | None:
        better = part.experiment.model_copy(update={"seed": 77})
        return None if part.name == "fold-1" else Part(part.name, better)

    monkeypatch.setattr(folds, "run_parts", run_parts)
    monkeypatch.setattr(folds, "choose", choose)
    left = run_folds(parent, parts, {"optimizer.lr": ["1", "2"]})
    # Another process still has inner folds of fold 1.
    assert [part.name for part in left] == ["fold-1"]
    assert [(part.name, part.experiment.seed) for part in done] == [("fold-0", 77), ("fold-2", 77)]


def test_validation_is_told_by_the_best_epoch_of_every_fold(parent):
    parts = begun(parent)
    aurocs = ([0.5, 0.9], [0.8, 0.6], [float("nan"), 0.7])
    for part, auroc in zip(parts, aurocs, strict=True):
        run = part_folder(parent, part)
        run.path.mkdir(parents=True)
        losses = [0.4, 0.3 + 0.1 * len(part.name)]
        kappa = [float("nan")] * 2 if part.name == "fold-1" else [0.1, 0.2]
        columns = {"epoch": [0, 1], "train/loss": losses, "val/loss": losses, "val/auroc": auroc, "val/kappa": kappa}
        write_table(run.history, pd.DataFrame(columns))
    # The lowest loss and the highest of everything else; what a fold leaves undefined has no mean.
    assert validation_values(parent, parts) == {"val/loss": [0.4, 0.4, 0.4], "val/auroc": [0.9, 0.8, 0.7]}
