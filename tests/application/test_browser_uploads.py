"""The app in a real browser: images are handed in, and nothing of them is written or leaves the computer."""

import http.client
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from medvision.predict import predict
from tests.application.browser import Visitor, serve
from tests.data.test_dicom import write
from tests.kinds import KINDS, run, write_experiment

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
# Megapixels; the memory of a whole process, of which torch takes the first.
LARGE, TOO_LARGE, GIBIBYTES = 50, 85, 4.0
# What the element that has the focus is called; a whole page that has it is called nothing.
FOCUSED = """(() => {
    const one = document.activeElement;
    return ["INPUT", "BUTTON"].includes(one.tagName) ? (one.closest("label") ?? one).innerText : "";
})()"""
SECONDS = re.compile(r"answered in ([0-9.]+) s")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run for classes and one for masks."""
    folder = tmp_path_factory.mktemp("runs")
    roots = [write_experiment(folder / name, kind) for name, kind in KINDS.items()]
    return [run(root, folder / f"of {root.name}", "--evaluation.resamples=0") for root in roots]


@pytest.fixture(scope="module")
def app(runs, tmp_path_factory):
    """The app with both; it ends without complaint."""
    with serve(tmp_path_factory.mktemp("served"), [one.path for one in runs]) as served:
        yield served
        assert served.stop() == 0
    assert "Traceback" not in served.log.read_text()


@pytest.fixture
def visitor(app, chromium):
    """A visitor whose browser asks no other computer for anything, and meets no error of its own."""
    one = Visitor(chromium, app.url)
    yield one
    one.close()
    assert one.foreign == []
    assert one.errors == []


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One image in a file of each kind; the DICOM file says how large a pixel is."""
    folder = tmp_path_factory.mktemp("files")
    grey = RNG.integers(0, 256, (61, 83), dtype=np.uint8)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(np.dstack([grey, grey, grey])).save(folder / "colour.jpg")
    Image.fromarray(grey.astype(np.uint16) * 16).save(folder / "deep.tif")
    write(folder / "scan.dcm", grey.astype(np.uint16) * 16, 12, {"PixelSpacing": [0.5, 0.25], "PatientID": "Ann"})
    return {file.suffix: file for file in sorted(folder.iterdir())}


def address(one, page):
    return f"?page={page}&run={one.path.parent.name}/{one.path.name}"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".dcm"])
def test_an_upload_of_each_kind_is_answered_as_predict_does(visitor, runs, files, suffix):
    expected = predict(runs[0].path, files[suffix]).iloc[0]
    visitor.open(address(runs[0], "predict"))
    visitor.hand_in(files[suffix])
    text = visitor.text()
    probability = expected[f"p_{expected['predicted']}"]
    assert f"Answer: {expected['predicted']} ({probability:.2f})" in text
    assert float(SECONDS.search(text)[1]) < 2
    visitor.page.get_by_alt_text("under a map of the evidence").wait_for()
    visitor.open(address(runs[1], "predict"))
    visitor.hand_in(files[suffix])
    expected = predict(runs[1].path, files[suffix]).iloc[0]
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Mask (PNG)").click()
    with Image.open(download.value.path()) as mask:
        assert np.array_equal(np.asarray(mask), expected["mask"])
    assert expected["unit"] == ("mm" if suffix == ".dcm" else "px")
    assert ("areas are in pixels" in visitor.text()) == (suffix != ".dcm")


def test_several_files_have_a_table_and_bad_ones_are_told_of(visitor, runs, files, tmp_path):
    (tmp_path / "page.png").write_text("<!DOCTYPE html><script>alert(1)</script>")
    (tmp_path / "![x](http:--evil.example-y.png).jpg").write_bytes(b"\xff\xd8\xff")
    visitor.open(address(runs[0], "predict"))
    visitor.hand_in(*files.values(), *tmp_path.iterdir())
    text = visitor.text()
    assert "page.png: a web page and not an image" in text
    assert "![x](http:--evil.example-y.png).jpg: a damaged or truncated JPEG" in text
    assert "Answer:" in text
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="a row per image").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["image", *(file.name for file in files.values())]
    assert "Ann" not in "".join([*lines, text])
    assert "Research use only; not for clinical use." in text


def test_fifty_megapixels_are_answered_and_more_than_the_limit_are_refused(visitor, app, runs, tmp_path):
    for name, megapixels in (("large", LARGE), ("larger", TOO_LARGE)):
        side = int(np.sqrt(megapixels * 1e6)) + 1
        Image.fromarray(np.full((side, side), 90, np.uint8)).save(tmp_path / f"{name}.png")
    for one in runs:
        visitor.open(address(one, "predict"))
        visitor.hand_in(tmp_path / "large.png")
        assert "7072 x 7072 pixels" in visitor.text()
    visitor.hand_in(tmp_path / "larger.png", until="larger.png: declares 9220 x 9220 pixels")
    assert "the limit of this run is 80 megapixels" in visitor.text()
    assert app.memory() < GIBIBYTES


def test_a_file_of_too_many_bytes_is_refused_in_words(visitor, runs, tmp_path):
    with (tmp_path / "heavy.png").open("wb") as file:
        file.truncate(129 * 2**20)
    visitor.open(address(runs[0], "predict"))
    assert "at most 128 MB" in visitor.text()
    visitor.hand_in(tmp_path / "heavy.png", until="128.0MB or smaller")
    assert "Answer:" not in visitor.text()


def test_two_visitors_at_once_get_their_own_answers(app, chromium, runs, tmp_path):
    visitors = [Visitor(chromium, app.url) for _ in range(2)]
    wanted = []
    for number, one in enumerate(visitors):
        file = tmp_path / f"of visitor {number}.png"
        Image.fromarray(RNG.integers(0, 100 + 100 * number, (40 + number, 50), dtype=np.uint8)).save(file)
        row = predict(runs[0].path, file).iloc[0]
        wanted.append((f"50 x {40 + number} pixels", f"({row['p_' + row['predicted']]:.2f})"))
        one.open(address(runs[0], "predict"))
    # Both are on their way before either is waited for.
    for number, one in enumerate(visitors):
        place = one.page.get_by_test_id("stFileUploaderDropzoneInput")
        place.set_input_files(str(tmp_path / f"of visitor {number}.png"))
    for number, one in enumerate(visitors):
        one.page.get_by_text("Answer:").wait_for()
        one.settle()
        text = one.text()
        assert all(words in text for words in wanted[number])
        assert f"of visitor {1 - number}" not in text
        assert one.foreign == one.errors == []
        one.close()


def test_all_of_it_goes_by_keyboard(visitor, runs, files):
    page = visitor.page
    visitor.open(address(runs[0], "demo"))

    def tab_to(words):
        """Go on until what has the focus is called so."""
        for _ in range(60):
            page.keyboard.press("Tab")
            if words in page.evaluate(FOCUSED):
                return
        raise AssertionError(f"no way to {words!r} by the tab key")

    tab_to("Demo")
    for expected in ("Training", "Predict"):
        page.keyboard.press("ArrowDown")
        page.get_by_role("heading", name=expected).wait_for()
        visitor.settle()
    assert "page=predict" in page.url
    with page.expect_file_chooser() as chooser:
        tab_to("Upload")
        page.keyboard.press("Enter")
    chooser.value.set_files(str(files[".png"]))
    page.get_by_text("Answer:").wait_for()


def test_two_runs_are_compared_on_an_upload_and_on_a_test_image(visitor, runs, files):
    page = visitor.page
    visitor.open(address(runs[0], "compare"))
    visitor.hand_in(files[".png"], until="Opacity of the mask")
    assert "Answer:" in visitor.text()
    page.get_by_text("an image that the chosen run was tested on").click()
    page.get_by_test_id("stFileUploader").wait_for(state="detached")
    page.get_by_text("Opacity of the mask").wait_for()
    visitor.settle()
    first, _, second = visitor.text().partition("Opacity of the mask")
    assert "Answer:" in first
    assert "learned from this very image" not in first
    assert "answered in" in second


def test_nothing_is_written_and_no_other_computer_is_spoken_to(visitor, app, runs, files, tmp_path):
    # Above 1 MB, Streamlit alone would keep an upload in a file without a name.
    noise = RNG.integers(0, 256, (2000, 2000), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    before = app.left_behind()
    assert app.record.stat().st_size > 0
    for one in runs:
        visitor.open(address(one, "predict"))
        visitor.hand_in(tmp_path / "noise.png", *files.values())
        assert "noise.png" in visitor.text()
    assert app.written() == []
    assert app.spoken_to() == []
    assert app.left_behind() == before


@pytest.mark.parametrize(
    ("host", "origin", "taken"),
    [
        (None, None, True),
        ("evil.example", None, False),
        (None, "http://evil.example", False),
    ],
)
def test_other_sites_cannot_talk_to_the_app_through_the_browser(app, host, origin, taken):
    own = urlsplit(app.url).netloc
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==", "Sec-WebSocket-Protocol": "streamlit"}
    headers |= {"Host": host or own, "Origin": origin or app.url}
    connection = http.client.HTTPConnection(own, timeout=10)
    connection.request("GET", "/_stcore/stream", headers=headers)
    assert (connection.getresponse().status == 101) is taken
    connection.close()


@pytest.mark.parametrize("size", [(1200, 900), (390, 700)])
def test_the_notice_stays_in_sight(app, chromium, runs, files, size):
    visitor = Visitor(chromium, app.url, size)
    visitor.open(address(runs[1], "predict"))
    visitor.hand_in(files[".png"])
    visitor.page.get_by_text("answered in").scroll_into_view_if_needed()
    visitor.page.wait_for_timeout(300)
    # Nothing lies over it, at its left end or its right.
    box = visitor.page.get_by_text("Research use only").bounding_box()
    for x in (box["x"] + 2, box["x"] + box["width"] - 2):
        script = "([x, y]) => document.elementFromPoint(x, y)?.closest('.st-key-notice') !== null"
        assert visitor.page.evaluate(script, [x, box["y"] + 2])
    assert 0 <= box["y"] <= size[1] - box["height"]
    visitor.close()


def test_it_listens_to_this_computer_alone(app):
    port = f"{urlsplit(app.url).port:04X}"
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with Path(table).open() as lines:
            listening += [
                line.split()[1] for line in lines if line.split()[3] == "0A" and line.split()[1].endswith(port)
            ]
    # 127.0.0.1, its bytes in the order of this machine.
    assert listening == [f"0100007F:{port}"]
