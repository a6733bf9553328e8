import threading

import pytest

from medvision.application import opened as module
from medvision.application.opened import ASKING, Opened, open_runs
from medvision.errors import MedvisionError, RunError
from medvision.runs import write_json
from tests.answering.fakes import model
from tests.finished_runs import write_finished_run


def test_its_files_are_read_once(tmp_path):
    run = write_finished_run(tmp_path / "tendon" / "1")
    (one,) = open_runs((str(run.path),))
    assert one.label == "tendon/1"
    assert one.data["classes"] == ["whole", "torn"]
    assert one.simulated
    run.environment.unlink()
    assert one.data["classes"] == ["whole", "torn"]


@pytest.mark.parametrize("name", ["environment", "model", "experiment"])
def test_what_a_run_lacks_is_told_in_one_line(tmp_path, name):
    run = write_finished_run(tmp_path / "run")
    run.experiment.write_text("data: {name: folder, root: x}\nmodel: 3\n")
    run.environment.unlink()
    with pytest.raises(MedvisionError) as caught:
        getattr(Opened("run", run), name)
    assert all(len(line) > 10 for line in caught.value.lines)


def test_a_comparison_of_simulated_runs_is_simulated(tmp_path):
    whole = write_finished_run(tmp_path / "whole", data=None)
    assert not Opened("whole", whole).simulated
    write_json(whole.plan, {"kind": "comparison"})
    write_finished_run(tmp_path / "whole" / "parts" / "scratch")
    one = Opened("whole", whole)
    assert one.data == {}
    assert one.simulated


def test_every_visitor_gets_the_same_runs_each_once(tmp_path):
    names = tuple(str(write_finished_run(tmp_path / place / "run").path) for place in ("a", "b", "c/a"))
    (tmp_path / "again").symlink_to(tmp_path / "a")
    runs = open_runs((*names, str(tmp_path / "again" / "run")))
    assert [one.label for one in runs] == ["1:a/run", "b/run", "3:a/run"]
    assert open_runs((*names, str(tmp_path / "again" / "run"))) is runs
    assert all(one.shelf is runs[0].shelf for one in runs)
    assert list(runs[0].shelf.values()) == list(runs)
    with pytest.raises(RunError, match="no such run folder"):
        open_runs((str(tmp_path / "nothing"),))


def test_the_network_is_opened_once_by_two_visitors_at_a_time(tmp_path, monkeypatch):
    openings, both = [], threading.Barrier(2)

    def slow(folder):
        openings.append(folder)
        threading.Event().wait(0.1)
        return model()

    monkeypatch.setattr(module, "open_model", slow)
    one, found = Opened("run", write_finished_run(tmp_path / "run")), []

    def visit():
        both.wait()
        found.append(one.model)

    visitors = [threading.Thread(target=visit) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert openings == [one.folder]
    assert found[0] is found[1]


def test_the_network_waits_for_who_is_asking(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "open_model", lambda folder: model())
    one, found = Opened("run", write_finished_run(tmp_path / "run")), []
    visitor = threading.Thread(target=lambda: found.append(one.model))
    with ASKING:
        visitor.start()
        visitor.join(0.1)
        assert not found
    visitor.join()
    assert found
