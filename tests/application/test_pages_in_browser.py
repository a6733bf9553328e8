"""Demo, training and report as a visitor with a real browser sees them."""

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from medvision.runs import RunFolder, read_table
from tests.application.browser import Visitor, serve
from tests.application.discs import trained

pytestmark = pytest.mark.slow

EVIL = """<!DOCTYPE html><html><head><title>evil</title>
<meta http-equiv="refresh" content="0; url=OTHER/refresh">
<link rel="stylesheet" href="OTHER/style.css"><link rel="prefetch" href="OTHER/prefetch">
<link rel="dns-prefetch" href="OTHER"><base href="OTHER/base/">
<style>@import url("OTHER/import.css"); body { background: url("OTHER/background.png") }
@font-face { font-family: x; src: url("OTHER/font.woff") } p { font-family: x }</style></head><body>
<p id="words">words of the report</p>
<script>fetch("OTHER/fetch"); parent.document.title = "taken"; top.location = "OTHER/top"</script>
<img src="OTHER/picture.png" onerror="top.document.title = 'taken'"><iframe src="OTHER/frame"></iframe>
<object data="OTHER/object"></object><video src="OTHER/video" autoplay></video><svg><image href="OTHER/svg.png"/></svg>
<a id="here" href="OTHER/link">link</a> <a id="away" target="_top" href="OTHER/away">away</a>
<a id="fresh" target="_blank" href="OTHER/fresh" ping="OTHER/ping">new</a>
<form action="OTHER/form"><button id="send">send</button></form></body></html>"""


@pytest.fixture(scope="module")
def other_host():
    """A server that no page may ask, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, other_host):
    """Runs for labels and masks, and one whose report somebody else has written."""
    labels, masks = (trained(kind, tmp_path_factory)[0] for kind in ("classification", "segmentation"))
    evil = RunFolder(tmp_path_factory.mktemp("others") / "evil")
    shutil.copytree(labels.path, evil.path)
    evil.report.write_text(EVIL.replace("OTHER", other_host[0]))
    return labels, masks, evil


@pytest.fixture(scope="module")
def app(tmp_path_factory, runs):
    with serve(tmp_path_factory.mktemp("app"), [run.path for run in runs]) as served:
        yield served


@pytest.fixture
def visitor(chromium, app):
    visitor = Visitor(chromium, app.url)
    yield visitor
    visitor.close()
    assert visitor.foreign == []
    assert visitor.errors == []


def label_of(run):
    return f"{run.path.parent.name}/{run.path.name}"


def test_the_demo_is_gone_through_with_the_keyboard(visitor, runs):
    run = runs[0]
    rows = [k for k, split in enumerate(read_table(run.predictions)["split"], start=1) if split == "test"]
    visitor.open(f"?page=demo&run={label_of(run)}")
    visitor.page.get_by_text(f"Image 1 of {len(rows)}").wait_for()
    # Pictures come after the words; what never comes ends the wait with a failure.
    loaded = "[...document.images].every(one => one.complete && one.naturalWidth > 0)"
    visitor.page.wait_for_function(f"document.images.length == 2 && {loaded}")
    for key, place in (("n", 2), ("n", 3), ("p", 2)):
        visitor.page.keyboard.press(key)
        visitor.page.wait_for_url(f"**image={rows[place - 1]}*")
        visitor.settle()
        visitor.page.get_by_text(f"Image {place} of {len(rows)}").wait_for()
    # And without the letters: to the button, and Enter.
    button = visitor.page.get_by_role("button", name="Next")
    button.focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(f"**image={rows[2]}*")
    visitor.page.reload()
    visitor.settle()
    visitor.page.get_by_text(f"Image 3 of {len(rows)}").wait_for()


def test_masks_are_gone_through(visitor, runs):
    visitor.open(f"?page=demo&run={label_of(runs[1])}&image=../../etc/passwd")
    assert "The address names an image that this table does not have: ../../etc/passwd" in visitor.text()
    pictures = visitor.page.locator("img")
    assert [pictures.nth(k).get_attribute("alt") for k in range(4)] == [
        "image",
        "true mask",
        "predicted mask",
        "difference",
    ]


def test_the_training_is_scrubbed_with_the_keyboard(visitor, runs):
    visitor.open(f"?page=training&run={label_of(runs[1])}")
    slider = visitor.page.get_by_role("slider")
    slider.focus()
    for key, epoch in (("Home", 1), ("End", 2), ("ArrowLeft", 1)):
        visitor.page.keyboard.press(key)
        visitor.page.wait_for_selector(f'img[alt$="after epoch {epoch}."]')
        visitor.settle()
    visitor.page.get_by_text("Play the animation").click()
    moving = visitor.page.wait_for_selector('img[alt^="Animation"]')
    source = visitor.page.request.get(moving.evaluate("one => one.currentSrc"))
    # As the run has saved it: every frame is there.
    assert source.body() == runs[1].animation_gif.read_bytes()


def test_the_report_stands_whole_in_its_frame(visitor, runs):
    visitor.open(f"?page=report&run={label_of(runs[0])}")
    frame = inner_frame(visitor)
    frame.wait_for_selector("h1")
    assert frame.locator("h1").inner_text() == "discs"
    # Links within the page lead to their place.
    before = frame.locator("#metrics").bounding_box()["y"]
    frame.locator('nav a[href="#metrics"]').click()
    visitor.page.wait_for_timeout(500)
    assert abs(frame.locator("#metrics").bounding_box()["y"]) < abs(before)
    with visitor.page.expect_download() as download:
        visitor.page.get_by_text("Download the report").click()
    assert download.value.path().read_bytes() == runs[0].report.read_bytes()


def test_a_report_of_somebody_else_can_do_nothing(visitor, runs, other_host):
    visitor.open(f"?page=report&run={label_of(runs[2])}")
    frame = inner_frame(visitor)
    frame.wait_for_selector("#words")
    visitor.page.wait_for_timeout(1500)
    for name in ("fresh", "away", "send", "here"):
        if frame.locator(f"#{name}").count():
            frame.locator(f"#{name}").click()
            visitor.page.wait_for_timeout(500)
    assert other_host[1] == []
    assert visitor.page.title() == "medvision"
    assert visitor.page.url.startswith(visitor.url)
    assert len(visitor.context.pages) == 1
    # What the policy has stopped was never sent.
    visitor.foreign.clear()


def inner_frame(visitor):
    """The frame of the report, in the frame of the policy."""
    visitor.page.wait_for_selector('iframe[data-testid="stIFrame"]')
    visitor.page.wait_for_timeout(1000)
    (found,) = [one for one in visitor.page.frames if one.url.startswith("data:text/html")]
    return found
