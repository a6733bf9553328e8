import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from medvision import callbacks, cross_validate, fit, folds, tracking
from medvision.errors import ConfigError, DataError, MedvisionError, RunError
from medvision.evaluate import main as evaluate
from medvision.runs import RunFolder, read_json, read_table
from medvision.training import TerminatedTrainingError
from tests.kinds import KINDS, same_weights, write_experiment

ROOT = Path(__file__).parents[1]
TABLES = ("predictions", "split", "metrics", "curves", "subgroups")
DECIDED = ("decision", "cases")
SPLIT = {"folds": 3, "val": 0.2}
SHORT = {"max_epochs": 2, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"], split=SPLIT, trainer=SHORT)


def run(folder: Path, output: Path, *options: str) -> RunFolder:
    return cross_validate.main([str(folder / "discs.yaml"), f"--output={output}", *options])


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> RunFolder:
    return run(folder, tmp_path_factory.mktemp("whole"))


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "medvision.cross_validate", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def check_same(left: RunFolder, right: RunFolder, names: tuple[str, ...] = (*TABLES, *DECIDED)) -> None:
    for name in names:
        assert getattr(left, name).read_bytes() == getattr(right, name).read_bytes(), name
    assert read_json(left.folds)["test"] == read_json(right.folds)["test"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no experiment file; for instance"),
        (["FILE", "--split.fold=1"], "split.fold: 1 is one of the folds, and all are run; leave it out"),
        (["FILE", "--repeats", "0"], "--repeats: expected a number from 1 on, got 0"),
        (["FILE", "--devices=-1"], "--devices: expected a number from 1 on"),
        (["FILE", "--choose", "optimizer.lr=1"], "write two different values or more"),
        (["FILE", "--choose", "optimizer.rl=1,2"], "--optimizer.rl: unknown setting 'optimizer.rl'"),
        (["FILE", "--choose", "optimizer.lr=1,-2"], "--optimizer.lr: "),
        (["FILE", "--resume", "latest"], "takes the experiment of the run itself; leave out .*discs.yaml"),
        (["--gather", "latest", "--repeats=2"], "leave out --repeats"),
        (["--gather", "a", "--resume", "b"], "--resume takes the experiment of the run itself; leave out --gather"),
        (["FILE", "--folds", "one"], "invalid int value: 'one'"),
    ],
)
def test_mistakes_are_told_before_torch_is_asked(folder, options, words):
    with pytest.raises(ConfigError, match=words):
        cross_validate.main([str(folder / "discs.yaml") if word == "FILE" else word for word in options])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--folds", "3"], ConfigError, "--folds: 3: the folds are numbered 0 to 2"),
        (["--trainer.devices=2"], ConfigError, "--devices"),
        (["--split.fold_by=site"], DataError, "the image table has no column 'site'"),
        (["--split.folds=10"], DataError, "class0 has 9, class1 has 9, needed are 10 a class"),
        (["--split.folds=leave_one_out", "--repeats=2"], ConfigError, "every repeat would have the same"),
    ],
)
def test_a_plan_that_cannot_be_leaves_no_folder(folder, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        run(folder, tmp_path / "runs", *options)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_fold_is_bit_for_bit_a_fit_of_that_fold(name, tmp_path):
    kind = KINDS[name]
    folder = write_experiment(tmp_path, kind, split=SPLIT, trainer=SHORT)
    parent = run(folder, tmp_path / "folds")
    pooled = read_table(parent.predictions)
    assert sorted(pooled["image"]) == sorted(read_table(parent.split)["image"])
    for fold in range(3):
        part = RunFolder(parent.parts / f"fold-{fold}")
        single = fit.main([str(folder / "discs.yaml"), f"--output={tmp_path / 'single'}", f"--split.fold={fold}"])
        assert same_weights(part.best, single.best)
        assert same_weights(part.last, single.last)
        for file in ("experiment", *TABLES):
            assert getattr(part, file).read_bytes() == getattr(single, file).read_bytes(), file
    if "mask" in pooled:
        assert all((parent.path / mask).is_file() for mask in pooled["mask"])
    assert parent.report.is_file()


@pytest.mark.slow
def test_a_killed_cross_validation_goes_on_where_it_stopped(folder, whole, tmp_path, monkeypatch):
    saves = []
    save = callbacks.LastCheckpoint._save

    def die(self, trainer):
        save(self, trainer)
        saves.append(trainer.current_epoch)
        if len(saves) == 3:
            raise RuntimeError("killed")

    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", die)
    with pytest.raises(RuntimeError, match="killed"):
        run(folder, tmp_path)
    monkeypatch.undo()
    (parent,) = map(RunFolder, tmp_path.glob("discs/2*"))
    first = RunFolder(parent.parts / "fold-0")
    trained = first.best.stat().st_mtime_ns
    resumed = cross_validate.main(["--resume", "latest", f"--output={tmp_path}"])
    assert resumed.path == parent.path.resolve()
    assert first.best.stat().st_mtime_ns == trained
    check_same(whole, resumed)


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (TerminatedTrainingError("asked to end"), 143)])
def test_a_stopped_cross_validation_says_how_it_goes_on_and_tells_the_scheduler(
    folder, tmp_path, monkeypatch, stop, code
):
    def stopped(*_, **__):
        raise stop

    monkeypatch.setattr(folds, "run_folds", stopped)
    with pytest.raises(MedvisionError, match="this goes on: python -m medvision.cross_validate --resume") as told:
        run(folder, tmp_path)
    assert told.value.exit_code == code


@pytest.mark.slow
def test_some_folds_now_and_the_others_later(folder, whole, tmp_path, capsys):
    parent = run(folder, tmp_path, "--folds", "0", "2")
    assert "not pooled yet, these are not finished: fold-1" in capsys.readouterr().out
    assert not parent.report.is_file()
    cross_validate.main(["--gather", str(parent.path)])
    assert "2 folds pooled" in (told := capsys.readouterr().out)
    assert "missing: fold-1" in told
    assert set(read_table(parent.predictions)["fold"]) == {0, 2}
    cross_validate.main(["--resume", str(parent.path), "--folds", "1"])
    check_same(whole, parent)


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one(folder, whole, tmp_path):
    end(start(folder / "discs.yaml", "--parent", tmp_path / "two", "--devices", 2))
    check_same(whole, RunFolder(tmp_path / "two"))
    # As jobs of an array do: each joins the same folder, and one of them pools.
    asked = (["--folds", 0], ["--folds", 1, 2])
    jobs = [start(folder / "discs.yaml", "--parent", tmp_path / "jobs", *folds) for folds in asked]
    for job in jobs:
        end(job)
    check_same(whole, RunFolder(tmp_path / "jobs"))
    with pytest.raises(ConfigError, match="seed is 3 there and 4 here"):
        run(folder, tmp_path, "--parent", str(tmp_path / "jobs"), "--seed=4")


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(folder, tmp_path):
    process = start(folder / "discs.yaml", "--parent", tmp_path / "parent", "--trainer.max_epochs=1000")
    history = tmp_path / "parent" / "parts" / "fold-0" / "history.csv"
    while not history.is_file():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert f"this goes on: python -m medvision.cross_validate --resume {tmp_path / 'parent'}" in output


@pytest.mark.slow
def test_a_fold_that_another_process_has_is_left_to_it(folder, tmp_path):
    parent = tmp_path / "parent"
    slow = start(folder / "discs.yaml", "--parent", parent, "--folds", 0)
    while not (parent / "parts" / "fold-0" / "environment.json").is_file():
        assert slow.poll() is None, slow.communicate()[0]
        time.sleep(0.01)
    os.kill(slow.pid, signal.SIGSTOP)
    told = end(start("--resume", parent))
    assert "these are not finished: fold-0" in told
    os.kill(slow.pid, signal.SIGCONT)
    # The last to finish pools all.
    assert "3 folds pooled" in end(slow)


@pytest.mark.slow
def test_settings_are_chosen_without_the_test_fold(folder, tmp_path):
    options = ["--choose", "optimizer.lr=1e-9,1e-2", "--split.inner_folds=2", "--split.folds=2"]
    options += ["--trainer.max_epochs=1", "--evaluation.resamples=0"]
    one = run(folder, tmp_path / "one", *options)
    told = read_json(one.folds)
    assert set(told["chosen"]) == {"fold-0", "fold-1"}
    tested = read_table(one.split).set_index("image")["fold"]
    for fold in range(2):
        choice = told["choices"][f"fold-{fold}"]
        best = max(choice["tried"], key=lambda settings: settings["auroc"])
        assert choice["settings"] == {"optimizer.lr": best["optimizer.lr"]}
        assert f"lr: {best['optimizer.lr']}" in (one.parts / f"fold-{fold}" / "experiment.yaml").read_text()
        for inner in one.path.glob(f"choices/parts/fold-{fold}-*"):
            seen = read_table(RunFolder(inner).split).query("split != 'unused'")
            assert fold not in set(tested[seen["image"]])
            assert set(read_table(RunFolder(inner).predictions)["image"]) <= set(seen["image"])
    end(start(folder / "discs.yaml", "--parent", tmp_path / "two", "--devices", 2, *options))
    check_same(one, RunFolder(tmp_path / "two"))
    assert read_json(RunFolder(tmp_path / "two").folds)["chosen"] == told["chosen"]


@pytest.mark.slow
def test_repeats_have_other_folds_and_one_result(folder, whole, tmp_path):
    parent = run(folder, tmp_path, "--repeats", "2")
    table = read_table(parent.predictions)
    assert table.groupby("repeat")["image"].nunique().to_dict() == {0: 36, 1: 36}
    # The first repeat is the cross-validation without repeats.
    first = table[table["repeat"] == 0].drop(columns="repeat").reset_index(drop=True)
    assert first.equals(read_table(whole.predictions))
    folds = table.pivot_table(index="image", columns="repeat", values="fold")
    assert (folds[0] != folds[1]).any()
    assert len(read_json(parent.folds)["test"]["image"]["accuracy"]["values"]) == 6


@pytest.mark.slow
def test_leaving_one_patient_out(tmp_path):
    options = {"split": {"folds": "leave_one_out"}, "trainer": {"max_epochs": 1, "accelerator": "cpu"}}
    folder = write_experiment(tmp_path, KINDS["classification"], patients=6, **options)
    parent = run(folder, tmp_path / "runs")
    table = read_table(parent.predictions)
    assert table.groupby("fold")["patient"].nunique().eq(1).all()
    assert (table["fold"].nunique(), len(table)) == (6, 12)
    # No fold has an AUROC, as each has one class; all together have.
    assert read_json(parent.metrics)["test"]["image"]["auroc"]["value"] is not None
    assert read_json(parent.folds)["test"]["image"]["auroc"]["n"] == 0


@pytest.mark.slow
def test_a_fold_can_be_evaluated_again(folder, whole):
    with pytest.raises(RunError):
        cross_validate.main(["--resume", str(whole.parts / "fold-1")])
    before = read_json(RunFolder(whole.parts / "fold-1").metrics)["test"]
    assert evaluate([str(whole.parts / "fold-1"), "--split", "test"]) == before


@pytest.mark.slow
def test_a_sweep_gets_the_validation_of_its_own_folder_and_no_test_fold(folder, tmp_path, monkeypatch, capsys):
    recorded = []
    monkeypatch.setattr(tracking, "log_parent", lambda *given: recorded.append(given))
    monkeypatch.setenv("MEDVISION_RUN", str(tmp_path / "trial"))
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    parent = run(folder, tmp_path / "runs")
    assert parent.path == tmp_path / "trial"
    assert not (tmp_path / "runs").exists()
    assert not parent.predictions.exists()
    assert not parent.report.exists()
    best = []
    for fold in range(3):
        part = RunFolder(parent.parts / f"fold-{fold}")
        assert set(read_table(part.predictions)["split"]) == {"val"}
        best.append(read_table(part.history)["val/auroc"].max())
    told = capsys.readouterr().out
    assert "3 folds validated, mean ± SD of their best epochs; no test fold was looked at" in told
    line = next(line for line in told.splitlines() if line.startswith("val/auroc"))
    assert line.split()[1:] == [f"{np.mean(best):.4f}", "±", f"{np.std(best, ddof=1):.4f}"]
    ((experiment, told_parent, values),) = recorded
    assert (experiment.evaluation.test, told_parent) == (False, parent)
    assert values["val/auroc"] == pytest.approx(np.mean(best))
    # Started again, as after a kill, it has nothing left to do.
    trained = (parent.parts / "fold-0" / "history.csv").stat().st_mtime_ns
    run(folder, tmp_path / "runs")
    assert (parent.parts / "fold-0" / "history.csv").stat().st_mtime_ns == trained
