"""`compare`, as users call it."""

import shutil
import subprocess
import sys

import pytest

from medvision import callbacks, compare, comparing, report
from medvision.errors import ConfigError, DataError, RunError
from medvision.runs import RunFolder, read_json, read_table
from medvision.training import InterruptedTrainingError, TerminatedTrainingError
from tests.finished_runs import write_finished_run
from tests.kinds import KINDS, write_experiment
from tests.reports.compared import draw_table
from tests.reports.reading import Page

SHORT = ["--trainer.max_epochs=1", "--split.folds=3", "--split.val=0.3", "--evaluation.resamples=20"]
FILES = ("comparison.json", "comparison.csv", "predictions.csv", "plan.json", "environment.json", "experiment.yaml")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two experiments on the same images, the second with another learning rate."""
    folder = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    text = (folder / "discs.yaml").read_text()
    (folder / "slow.yaml").write_text(text.replace("name: discs", "name: slow").replace("lr: 0.01", "lr: 0.001"))
    return [str(folder / "discs.yaml"), str(folder / "slow.yaml")]


@pytest.fixture
def runs(tmp_path):
    return [
        str(write_finished_run(tmp_path / name, name, seed=k).path) for k, name in enumerate(("scratch", "transfer"))
    ]


def same_results(left: RunFolder, right: RunFolder) -> bool:
    """Whether two comparisons found the same; what a run took differs every time."""
    models = [read_table(run.path / "comparison.csv") for run in (left, right)]
    taken = ["minutes_to_train", "ms_an_image", "peak_memory_mib"]
    tables = [table.drop(columns=taken).to_csv() for table in models]
    same = [left.comparison.read_bytes() == right.comparison.read_bytes()]
    same += [left.predictions.read_bytes() == right.predictions.read_bytes(), tables[0] == tables[1]]
    return all(same)


def test_finished_runs_become_a_page(runs, tmp_path, capsys):
    parent = compare.main([*runs, f"--output={tmp_path / 'out'}"])
    assert parent.path.parent == tmp_path / "out" / "compare-scratch-transfer"
    page = Page(parent.report.read_text())
    assert page.headings[0] == (1, "scratch against transfer")
    shown = capsys.readouterr().out
    assert "transfer − scratch" in shown
    assert f"report: {parent.report}" in shown
    assert all((parent.path / name).is_file() for name in FILES)


def test_a_comparison_is_told_again_and_drawn_again(runs, tmp_path, capsys):
    parent = compare.main([*runs, f"--output={tmp_path / 'out'}"])
    page = parent.report.read_text()
    assert compare.main(["--resume", "latest", f"--output={tmp_path / 'out'}"]).path == parent.path.resolve()
    assert "transfer − scratch" in capsys.readouterr().out
    parent.report.unlink()
    assert report.main([str(parent.path)]) == [parent.report.resolve()]
    assert parent.report.read_text() == page


def test_runs_on_other_patients_are_refused_and_leave_nothing_behind(runs, tmp_path):
    fewer = write_finished_run(tmp_path / "fewer", table=draw_table(1, 1).iloc[3:])
    with pytest.raises(DataError, match="3 images"):
        compare.main([runs[1], str(fewer.path), f"--output={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "two files or two runs make a comparison, got 0"),
        (["a.yaml"], "got 1"),
        (["a.yaml", "runs/b"], "runs/b: no experiment file"),
        (["runs/a", "runs/b", "--cross-validate"], "settings, folds and sizes are for files"),
        (["runs/a", "runs/b", "--seed=3"], "settings, folds and sizes are for files"),
        (["a.yaml", "b.yaml", "--repeats", "2"], "--repeats: of what"),
        (["a.yaml", "b.yaml", "--devices", "0"], "count from 1"),
        (["a.yaml", "b.yaml", "--cross-validate", "--train-images", "10"], "two questions"),
        (["a.yaml", "--resume", "latest"], "--resume takes everything from the folder"),
        (["a.yaml", "b.yaml", "--cross-validat"], "unknown option '--cross-validat'; did you mean '--cross-validate'?"),
        (["a.yaml", "b.yaml"], "a.yaml"),
    ],
)
def test_a_mistake_is_one_line(arguments, told, tmp_path):
    with pytest.raises(ConfigError) as error:
        compare.main([*arguments, f"--output={tmp_path / 'out'}"])
    assert told in error.value.lines[0]
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_and_one_that_is_no_comparison(runs, tmp_path):
    with pytest.raises(RunError, match="no such run folder"):
        compare.main([runs[0], str(tmp_path / "nothing")])
    with pytest.raises(RunError, match="no comparison but a single run"):
        compare.main(["--resume", runs[0]])


@pytest.mark.parametrize("kind", [InterruptedTrainingError, TerminatedTrainingError])
def test_an_interrupted_comparison_says_how_it_goes_on(runs, tmp_path, monkeypatch, kind):
    parent = compare.main([*runs, f"--output={tmp_path / 'out'}"])

    def stop(*_, **__):
        raise kind("interrupted; of a part")

    monkeypatch.setattr(comparing, "run_models", stop)
    with pytest.raises(kind, match=f"python -m medvision.compare --resume {parent.path}$") as told:
        compare.main(["--resume", str(parent.path)])
    assert type(told.value) is kind


def test_as_users_call_it(tmp_path):
    command = [sys.executable, "-m", "medvision.compare", "one.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "medvision: two files or two runs make a comparison, got 1; see --help\n"


@pytest.mark.slow
def test_files_are_fitted_and_compared(files, tmp_path):
    parent = compare.main([*files, *SHORT, f"--output={tmp_path}"])
    assert parent.path.parent.name == "compare-discs-slow"
    assert sorted(path.name for path in parent.parts.iterdir() if path.is_dir()) == ["discs", "slow"]
    links = [attrs["href"] for attrs in Page(parent.report.read_text()).all("a")]
    assert all((parent.path / link).is_file() for link in links if not link.startswith("#"))
    alone = compare.main([str(parent.parts / "discs"), str(parent.parts / "slow"), f"--output={tmp_path / 'again'}"])
    assert read_json(alone.comparison) == read_json(parent.comparison)


@pytest.mark.slow
def test_a_killed_comparison_goes_on_and_finds_the_same(files, tmp_path, monkeypatch):
    arguments = [*files, *SHORT, "--cross-validate"]
    whole = compare.main([*arguments, f"--output={tmp_path / 'whole'}"])
    assert len(read_table(whole.predictions)) == 2 * 36
    saves = []

    def die(self, trainer):
        save(self, trainer)
        saves.append(1)
        if len(saves) == 4:
            raise RuntimeError("killed")

    save = callbacks.LastCheckpoint._save
    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", die)
    with pytest.raises(RuntimeError, match="killed"):
        compare.main([*arguments, f"--output={tmp_path / 'killed'}"])
    monkeypatch.undo()
    resumed = compare.main(["--resume", "latest", f"--output={tmp_path / 'killed'}"])
    assert same_results(whole, resumed)
    kept = [
        read_json(resumed.parts / "discs" / "plan.json")["kind"],
        (resumed.parts / "discs" / "report.html").is_file(),
    ]
    assert kept == ["cross_validation", True]


@pytest.mark.slow
def test_two_processes_find_what_one_does(files, tmp_path):
    arguments = [*files, *SHORT, "--cross-validate"]
    one = compare.main([*arguments, f"--output={tmp_path / 'one'}"])
    two = compare.main([*arguments, f"--output={tmp_path / 'two'}", "--devices", "2"])
    assert same_results(one, two)


@pytest.mark.slow
def test_masks_are_compared(tmp_path):
    folder = write_experiment(tmp_path / "masks", KINDS["segmentation"])
    other = folder / "other.yaml"
    other.write_text((folder / "discs.yaml").read_text().replace("name: discs", "name: other"))
    arguments = [str(folder / "discs.yaml"), str(other), "--trainer.max_epochs=1", f"--output={tmp_path / 'out'}"]
    parent = compare.main(arguments)
    found = read_json(parent.comparison)["levels"]["image"]
    # The same network with the same seed.
    assert found["pairs"][0]["differences"]["dice"]["value"] == 0
    masks = read_table(parent.predictions)["mask"]
    assert all((parent.path / mask).is_file() for mask in masks)
    shutil.rmtree(parent.parts / "other")
    assert report.main([str(parent.path)])


@pytest.mark.slow
def test_learning_curves_are_handed_over(files, tmp_path):
    parent = compare.main([*files, *SHORT, "--train-images", "8", "16", f"--output={tmp_path}"])
    assert parent.path.parent.name == "learning-curves-discs-slow"
    assert parent.learning_curve.is_file()
    assert parent.report.is_file()
    assert compare.main(["--resume", str(parent.path)]).path == parent.path.resolve()
