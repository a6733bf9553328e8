from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medvision.application import shell
from medvision.application.handed_in import FILES
from medvision.application.shell import PAGES, RESEARCH, SIMULATED
from medvision.errors import RunError
from tests.application.fakes import shown_texts
from tests.finished_runs import write_finished_run

MAIN = Path(shell.__file__).with_name("main.py")


@pytest.fixture
def runs(tmp_path):
    """Two runs, the second on real images."""
    first = write_finished_run(tmp_path / "knee" / "1")
    data = {"classes": ["whole", "torn"], "multilabel": False, "simulated": False}
    return [str(first.path), str(write_finished_run(tmp_path / "hip_*x*" / "2", data=data).path)]


@pytest.fixture
def app(runs, monkeypatch):
    """The app before it is drawn, with pages that say who they are."""
    for name, (title, _) in PAGES.items():
        monkeypatch.setitem(PAGES, name, (title, lambda one, name=name: st.text(f"{name} of {one.label}")))
    monkeypatch.setattr("sys.argv", ["main.py", *runs])
    return AppTest.from_file(MAIN, default_timeout=60)


def drawn_page(app):
    assert not app.exception
    return [text.value for text in app.text]


def test_the_first_page_of_the_first_run_is_shown_without_being_asked_for(app):
    app.run()
    assert drawn_page(app) == ["demo of knee/1"]
    assert app.query_params == {"page": ["demo"], "run": ["knee/1"]} or dict(app.query_params) == {
        "page": "demo",
        "run": "knee/1",
    }


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("run", "said"), [("knee/1", f"{RESEARCH} {SIMULATED}"), ("hip_*x*/2", RESEARCH)])
def test_the_address_names_page_and_run_and_each_says_what_it_is_for(app, page, run, said):
    app.query_params["page"], app.query_params["run"] = page, run
    app.run()
    assert drawn_page(app) == [f"{page} of {run}"]
    assert [warning.value for warning in app.warning] == [said]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("page", "../../etc/passwd"),
        ("page", "shell"),
        ("page", ""),
        ("run", "knee"),
        ("run", "../knee/1"),
        ("run", "/etc"),
        ("run", "knee/1\0"),
        ("run", "![x](http://evil.example/)"),
    ],
)
def test_an_address_cannot_lead_anywhere_else(app, key, value):
    app.query_params[key] = value
    app.run()
    assert drawn_page(app) == ["demo of knee/1"]
    told = [warning.value for warning in app.sidebar.warning]
    assert len(told) == 1
    assert told[0].startswith(f"The address names a {key} that is not here")
    assert "![" not in told[0]
    app.run()
    assert not app.sidebar.warning


def test_choices_and_address_follow_each_other(app):
    app.run()
    app.radio(key="page").set_value("Predict").run()
    app.radio(key="run").set_value(app.radio(key="run").options[1]).run()
    assert drawn_page(app) == ["predict of hip_*x*/2"]
    # As when a visitor goes back in the history of the browser.
    app.query_params["page"] = "report"
    app.run()
    assert drawn_page(app) == ["report of hip_*x*/2"]
    assert app.radio(key="page").value in ("report", "Report")


def test_names_of_runs_are_no_markdown(app):
    app.run()
    assert app.radio(key="run").options[1].replace("\\", "") == "hip_*x*/2"
    assert "\\*x\\*" in app.radio(key="run").options[1]


def test_a_mistake_is_told_on_the_page_and_the_frame_stays(app, monkeypatch):
    def fail(opened):
        raise RunError("x/predictions.csv: *not* there", "and more")

    monkeypatch.setitem(PAGES, "report", ("Report", fail))
    app.query_params["page"] = "report"
    app.run()
    assert any("x/predictions.csv: *not* there\n\nand more" in text for text in shown_texts(app))
    assert len(app.warning) == 1


def test_a_run_whose_environment_is_damaged_keeps_the_frame(app, runs):
    (Path(runs[0]) / "environment.json").write_text("{")
    app.run()
    assert [warning.value for warning in app.warning] == [RESEARCH]
    assert drawn_page(app) == ["demo of knee/1"]


def test_images_are_forgotten_on_pages_that_take_none(app):
    app.run()
    app.session_state[FILES] = {"1": "an image"}
    app.radio(key="page").set_value("Predict").run()
    assert FILES in app.session_state
    app.radio(key="page").set_value("Report").run()
    assert FILES not in app.session_state


def test_a_folder_that_is_no_run_is_never_opened(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["main.py", str(tmp_path)])
    assert AppTest.from_file(MAIN, default_timeout=60).run().exception
