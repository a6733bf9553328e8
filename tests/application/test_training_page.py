import pytest

from medvision.runs import read_table, write_table
from tests.application.discs import trained
from tests.application.pages import draw_folds, visit, words
from tests.finished_runs import write_finished_run
from tests.reports.cross_validated import draw_history


def values(app):
    """What the table of the epoch says."""
    return dict(app.table[0].value["value"])


def test_curves_and_frames_follow_the_slider(tmp_path_factory, monkeypatch):
    run, _ = trained("segmentation", tmp_path_factory)
    history = read_table(run.history)
    app = visit(monkeypatch, "training", run.path)
    assert not app.exception
    best = history["val/loss"].idxmin() + 1
    assert f"the dotted one at epoch {best}" in words(app)
    assert app.select_slider[0].value == best
    assert len(app.get("vega_lite_chart")) == 2
    seen = {}
    for epoch in (1, 2):
        app.select_slider[0].set_value(epoch).run()
        seen[epoch] = app.get("image")[0].value
        assert values(app)["val/dice".replace("/", "\\/")] == f"{history['val/dice'][epoch - 1]:.4g}"
    assert seen[1] != seen[2]


def test_the_animation_plays_for_who_asks(tmp_path_factory, monkeypatch):
    run, _ = trained("segmentation", tmp_path_factory)
    app = visit(monkeypatch, "training", run.path)
    before = len(app.get("image"))
    app.toggle[0].set_value(True).run()
    assert len(app.get("image")) == before + 1


def test_a_classification_has_curves_without_frames(tmp_path_factory, monkeypatch):
    run, _ = trained("classification", tmp_path_factory)
    app = visit(monkeypatch, "training", run.path)
    assert not app.exception
    assert "Frames of an epoch are kept of masks only" in words(app)
    assert len(app.get("vega_lite_chart")) == 2
    assert list(app.toggle) == []


def test_a_fold_can_be_chosen(tmp_path, monkeypatch):
    parent = draw_folds(tmp_path / "folds")
    app = visit(monkeypatch, "training", parent.path)
    assert not app.exception
    assert app.selectbox[0].options == ["fold-0", "fold-1", "fold-2"]
    app.selectbox[0].select("fold-2").run()
    epochs = len(read_table(parent.parts / "fold-2" / "history.csv"))
    assert app.select_slider[0].options == [str(k) for k in range(1, epochs + 1)]


def test_a_single_epoch_needs_no_slider(tmp_path, monkeypatch):
    run = write_finished_run(tmp_path / "run")
    write_table(run.history, draw_history(0, 1))
    app = visit(monkeypatch, "training", run.path)
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 2
    assert list(app.select_slider) == []


@pytest.mark.parametrize("content", [None, "epoch,val/loss\n", "nothing", "epoch,val/loss\n0,low\n"])
def test_a_run_without_history_is_told_of(tmp_path, monkeypatch, content):
    run = write_finished_run(tmp_path / "run")
    if content is not None:
        run.history.write_text(content)
    app = visit(monkeypatch, "training", run.path)
    assert not app.exception
    assert len(app.error) == 1
