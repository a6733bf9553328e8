"""Runs whose network can be worked out by hand, and pages that are drawn without a browser."""

import io

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from medvision.application.opened import Opened
from medvision.runs import read_table, write_table
from tests.answering.fakes import model
from tests.finished_runs import write_finished_run


def opened_fake(path, *says, label="fake/run", run=None, shelf=None, **changes):
    """A finished run whose network is that of `tests.answering.fakes`; changes are those of its model."""
    shelf = {} if shelf is None else shelf
    if run is None:
        run = write_finished_run(path)
        table = read_table(run.predictions)[["image", "patient", "split", "fold"]]
        write_table(run.split, table.assign(label=read_table(run.predictions)["target"], sha256="0" * 64))
    one = Opened(label, run, shelf)
    shelf[label] = one
    # Where the property keeps what it has opened.
    one.__dict__["_model"] = model(*says, **changes)
    return one


def image_bytes(pixels, kind="PNG"):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, kind)
    return buffer.getvalue()


def grey(value, height=16, width=12):
    """An image of one grey value."""
    return np.full((height, width), value, np.uint8)


def draw_page(page, *arguments):
    """A page of the app; `page` is a function, called with the arguments."""

    def script(page, arguments):
        page(*arguments)

    return AppTest.from_function(script, args=(page, arguments), default_timeout=60).run()


def upload(drawn, *files):
    """Hand in (name, bytes) on a page that is drawn."""
    drawn.file_uploader[0].set_value([(name, content, "") for name, content in files])
    return drawn.run()


def shown_texts(drawn):
    """Everything that a page says, without the backslashes that keep Markdown from reading it."""
    assert not drawn.exception
    kinds = (drawn.markdown, drawn.caption, drawn.warning, drawn.error, drawn.info, drawn.header, drawn.subheader)
    return [element.value.replace("\\", "") for kind in kinds for element in kind]
