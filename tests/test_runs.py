import pandas as pd
import pytest

from medvision.errors import RunError
from medvision.runs import create_run, open_run, read_json, read_table, write_json, write_table


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


def test_names_stay_text(tmp_path):
    table = pd.DataFrame({"image": ["01"], "patient": ["007"], "target": [""], "predicted": ["NA"], "p_x": [0.5]})
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv").to_dict("list") == table.to_dict("list")
    with pytest.raises(RunError, match="not there"):
        read_table(tmp_path / "absent.csv")


def test_json_is_complete_and_strict(tmp_path):
    write_json(tmp_path / "m.json", {"a": [1, None]})
    assert read_json(tmp_path / "m.json") == {"a": [1, None]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "m.json", {"a": float("nan")})
    assert read_json(tmp_path / "m.json") == {"a": [1, None]}
