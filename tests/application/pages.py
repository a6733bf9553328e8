"""The app without a browser: Streamlit's own AppTest on the script that is served."""

import shutil
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

from medvision.application.opened import open_runs
from tests.reports.cross_validated import draw_parent

SCRIPT = Path(__file__).parents[2] / "medvision" / "application" / "main.py"
PATIENCE = 60


def visit(monkeypatch, page, *runs, **address):
    """A page of the app that shows some run folders, drawn once.

    Args:
        monkeypatch: of the test.
        page: as the address calls it.
        runs: run folders.
        address: what else stands in the address.
    """
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, runs)])
    open_runs.cache_clear()
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE)
    for name, value in {"page": page, **address}.items():
        app.query_params[name] = str(value)
    app.run()
    return app


def draw_folds(path):
    """The folder of three drawn folds, each with its experiment, and no report of all."""
    parent = draw_parent(path, folds=3, patients=12)
    for part in parent.parts.iterdir():
        shutil.copy(parent.experiment, part)
    return parent


def words(app):
    """Everything that a page says, outside of pictures and charts."""
    kinds = (app.caption, app.markdown, app.info, app.warning, app.error, app.success, app.text, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def pictures(app):
    """The captions of the pictures on a page."""
    return [caption for element in app.get("image") for caption in element.captions]
