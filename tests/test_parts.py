"""Parts of a folder: each is run once, from wherever it stands, and equals the run of `fit`."""

import sys

import pytest
from filelock import FileLock

from medvision import parts as parts_module
from medvision.config import load_experiment
from medvision.errors import ConfigError, RunError
from medvision.parts import OpenData, Part, part_folder, run_parts, unfinished
from medvision.runs import RunFolder, read_table
from tests.kinds import KINDS, run, write_experiment

KIND = KINDS["classification"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("discs"), KIND)


def fold_parts(folder, count=2) -> list[Part]:
    options = ["--split.folds=3", "--trainer.max_epochs=2"]
    return [
        Part(f"fold-{k}", load_experiment([str(folder / "discs.yaml")], [*options, f"--split.fold={k}"]))
        for k in range(count)
    ]


@pytest.fixture(scope="module")
def parent(folder, tmp_path_factory):
    parent = RunFolder(tmp_path_factory.mktemp("parent"))
    assert run_parts(parent, fold_parts(folder)) == []
    return parent


def test_a_part_is_the_run_that_fit_makes(folder, parent, tmp_path):
    alone = run(folder, tmp_path, "--split.folds=3", "--trainer.max_epochs=2", "--split.fold=1")
    part = part_folder(parent, fold_parts(folder)[1])
    assert part.predictions.read_bytes() == alone.predictions.read_bytes()
    assert part.split.read_bytes() == alone.split.read_bytes()


def test_no_image_is_decoded_for_the_second_part(folder, tmp_path, monkeypatch):
    opened = []
    build = parts_module.build_datamodule
    monkeypatch.setattr(parts_module, "build_datamodule", lambda experiment: opened.append(1) or build(experiment))
    run_parts(RunFolder(tmp_path), fold_parts(folder), data=OpenData())
    assert len(opened) == 1


def test_what_is_finished_is_not_run_again(folder, parent, monkeypatch):
    monkeypatch.setattr(parts_module, "execute", lambda *_: pytest.fail("run again"))
    assert run_parts(parent, fold_parts(folder)) == []


def test_what_another_process_has_is_left_to_it(folder, tmp_path):
    parent, parts = RunFolder(tmp_path), fold_parts(folder)
    parent.parts.mkdir()
    with FileLock(parent.parts / ".fold-0.lock"):
        assert run_parts(parent, parts) == unfinished(parent, parts) == parts[:1]
    assert part_folder(parent, parts[1]).finished


def test_a_part_goes_on_where_it_was_stopped(folder, parent, tmp_path):
    part = fold_parts(folder)[0]
    once = RunFolder(tmp_path)
    run_parts(once, [Part(part.name, part.experiment.model_copy(update={"trainer": {"max_epochs": 1}}))])
    part_folder(once, part).report.unlink()
    run_parts(once, [part])
    whole = part_folder(parent, part)
    assert part_folder(once, part).predictions.read_bytes() == whole.predictions.read_bytes()
    assert len(read_table(part_folder(once, part).history)) == 2


@pytest.mark.parametrize("trainer", [{"devices": 2}, {"num_nodes": 2}, {"devices": "auto"}])
def test_parts_with_several_devices_are_refused(folder, tmp_path, trainer):
    part = fold_parts(folder)[0]
    several = Part("a", part.experiment.model_copy(update={"trainer": trainer}))
    with pytest.raises(ConfigError, match="trainer.devices.*--devices"):
        run_parts(RunFolder(tmp_path), [several])


def test_processes_that_fail_are_told_of(folder, tmp_path, monkeypatch):
    (tmp_path / "failing_command.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(parts_module.sys, "executable", sys.executable)
    with pytest.raises(RunError, match="2 of 2 processes"):
        run_parts(RunFolder(tmp_path), fold_parts(folder), devices=2, command=["failing_command"])


def test_a_mistake_in_a_later_model_is_found_before_the_first_is_trained(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "execute", lambda *_: pytest.fail("trained"))
    baseline = ["--model.task=baseline", "--model.features=intensity", "--model.class_weights=balanced"]
    models = [
        load_experiment([str(folder / "discs.yaml")], [*baseline, f"--model.estimator={name}"])
        for name in ("logistic_regression", "nearest_neighbours")
    ]
    with pytest.raises(ConfigError, match="class_weights: neighbours vote"):
        run_parts(RunFolder(tmp_path), [Part(f"model-{k}", model) for k, model in enumerate(models)])
