import sys

import pytest

from medvision.application.inner_runs import inner_runs
from medvision.errors import RunError
from medvision.runs import RunFolder
from tests.finished_runs import write_finished_run


def test_models_of_a_comparison_and_their_folds_are_found(tmp_path):
    parent = write_finished_run(tmp_path / "comparison")
    for name in ("b", "a", "a/parts/fold-1", "a/parts/fold-0"):
        write_finished_run(parent.parts / name)
    (parent.parts / "no run").mkdir()
    found = inner_runs(parent)
    assert list(found) == ["a", "a/fold-0", "a/fold-1", "b"]
    assert found["a/fold-1"] == RunFolder(parent.parts / "a" / "parts" / "fold-1")
    assert inner_runs(found["b"]) == {}


def test_folders_without_end_are_not_followed(tmp_path):
    parent = write_finished_run(tmp_path / "run")
    deep = parent
    for _ in range(6):
        deep = write_finished_run(deep.parts / "again")
    assert list(inner_runs(parent)) == ["again", "again/again", "again/again/again"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_out_of_the_folder_are_refused(tmp_path):
    parent = write_finished_run(tmp_path / "run")
    other = write_finished_run(tmp_path / "other")
    parent.parts.mkdir()
    (parent.parts / "mine").symlink_to(other.path)
    with pytest.raises(RunError, match="link out of the run folder"):
        inner_runs(parent)
