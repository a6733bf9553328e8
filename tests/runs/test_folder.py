import pytest

from medvision.errors import DataError, RunError
from medvision.runs import RunFolder, create_run, open_run, reads_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    run = create_run(tmp_path / "runs", "knee")
    run.experiment.write_text("name: knee\n")
    return run


def test_a_run_is_found_by_its_path_its_name_and_as_the_newest(run, tmp_path):
    output = tmp_path / "runs"
    for name in (run.path, output / "knee" / "latest", output / "knee", "latest"):
        assert open_run(name, output).path == run.path.resolve()


def test_latest_moves_on(run, tmp_path):
    newer = create_run(tmp_path / "runs", "knee")
    newer.experiment.write_text("name: knee\n")
    assert open_run(tmp_path / "runs" / "knee").path == newer.path.resolve()


def test_latest_may_be_a_file_where_links_are_not_allowed(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    run = create_run(tmp_path, "knee")
    run.experiment.write_text("name: knee\n")
    assert (tmp_path / "knee" / "latest").is_file()
    assert open_run(tmp_path / "knee" / "latest").path == run.path.resolve()


def test_a_process_of_a_multi_device_run_finds_the_folder_of_its_parent(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert create_run(tmp_path / "runs", "knee").path == run.path.resolve()


@pytest.mark.parametrize(("name", "words"), [("nothing", "no such run folder"), (".", "no experiment.yaml")])
def test_what_is_no_run_is_said_to_be_none(tmp_path, name, words):
    with pytest.raises(RunError, match=words):
        open_run(tmp_path / name)


@reads_run
def read(run, value):
    if isinstance(value, Exception):
        raise value
    return value


def test_what_does_not_fit_together_is_told_with_its_place(tmp_path):
    run = RunFolder(tmp_path)
    assert read(run, 3) == 3
    with pytest.raises(RunError, match=r"do not fit together.*\(KeyError: 'classes', test_folder.py:\d+\)") as told:
        read(run, KeyError("classes"))
    assert isinstance(told.value.__cause__, KeyError)
    with pytest.raises(DataError, match="as it was"):
        read(run, DataError("as it was"))
    with pytest.raises(UserWarning, match="odd"):
        read(run, UserWarning("odd"))


def test_a_file_of_a_run_is_inside_it(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert run.inside("figures/a.png") == run.path / "figures/a.png"
    for name in ("..", "../run2/a", "/etc/passwd", "a/../../b", "a\0b"):
        with pytest.raises(RunError, match="outside the run folder"):
            run.inside(name)
