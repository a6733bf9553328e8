import re
from base64 import b64decode

import pytest

from medvision.application.report_page import MOST_BYTES, read_report, sandboxed
from medvision.errors import RunError
from tests.application.discs import trained
from tests.application.pages import draw_folds, visit, words
from tests.finished_runs import write_finished_run


def test_the_report_is_shown_whole(tmp_path_factory, monkeypatch):
    run, _ = trained("classification", tmp_path_factory)
    app = visit(monkeypatch, "report", run.path)
    assert not app.exception
    (frame,) = app.get("iframe")
    assert frame.proto.srcdoc == sandboxed(run.report.read_bytes(), "Report of " + f"discs/{run.path.name}")
    assert len(app.get("download_button")) == 1


def test_the_frame_allows_nothing():
    page = sandboxed("<script>ä</script>".encode(), 'a"><script>')
    assert '<iframe sandbox title="a&quot;&gt;&lt;script&gt;" src="data:text/html;charset=utf-8;base64,' in page
    assert "default-src &#x27;none&#x27;" in page
    # Nothing of the report, nor of its name, is markup of the page around it.
    assert "<script" not in page
    assert b64decode(re.search(r"base64,([^\"]*)", page)[1]).decode() == "<script>ä</script>"


def test_the_report_of_a_fold_can_be_chosen(tmp_path, monkeypatch):
    parent = draw_folds(tmp_path / "folds")
    parent.report.write_text("<!DOCTYPE html><title>all folds</title>")
    app = visit(monkeypatch, "report", parent.path)
    assert not app.exception
    assert app.selectbox[0].options == ["the whole folder", "fold-0", "fold-1", "fold-2"]
    whole = app.get("iframe")[0].proto.srcdoc
    app.selectbox[0].select("fold-1").run()
    assert app.get("iframe")[0].proto.srcdoc != whole


def test_without_a_report_the_command_is_named(tmp_path, monkeypatch):
    run = write_finished_run(tmp_path / "run")
    app = visit(monkeypatch, "report", run.path)
    assert not app.exception
    assert "no such files" in words(app)
    with pytest.raises(RunError, match="`medvision report"):
        read_report(run)


def test_a_report_of_any_size_is_not_sent(tmp_path):
    run = write_finished_run(tmp_path / "run")
    with run.report.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(RunError, match="medvision writes none so large"):
        read_report(run)
