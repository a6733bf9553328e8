import json

import numpy as np
import pytest

from medvision.answering.model import Member
from medvision.application.answer_view import show_answer
from medvision.application.answers_shown import ask
from medvision.application.uploads import images_of
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.training_range import measure_range
from tests.answering.fakes import Brightness
from tests.application.fakes import draw_page, grey, image_bytes, opened_fake, shown_texts
from tests.data.test_dicom import write

LIKE = measure_range([16], [16], ["8-bit grey"])


def drawn_answer(one, content, name="x.png"):
    shown = ask(one, *images_of(name, content))
    return draw_page(show_answer, one.model, shown, "key")


def member(*says, decision=UNCHANGED, known=LIKE, gain=1.0):
    network = Brightness(*says, gain=gain)
    return Member(network, decision, known, network)


def chart(drawn):
    (element,) = drawn.get("vega_lite_chart")
    return json.loads(element.proto.spec)


@pytest.mark.parametrize(("threshold", "answer"), [(0.3, "bright (0.40)"), (0.5, "dark (0.60)")])
def test_the_answer_follows_from_the_threshold_of_the_run(tmp_path, threshold, answer):
    decision = Decision(thresholds={"image": {"bright": threshold}})
    one = opened_fake(tmp_path / "run", members=[member("probabilities", decision=decision)])
    drawn = drawn_answer(one, image_bytes(grey(102, 16, 16)))
    texts = shown_texts(drawn)
    assert f"**Answer: {answer}**" in texts
    assert any("from it on the answer is yes" in text for text in texts)
    # A tick layer beside the bars.
    assert [layer["mark"]["type"] for layer in chart(drawn)["layer"]] == ["bar", "tick"]
    # The image, and the evidence for its class.
    assert len(drawn.image) == 2
    assert [button.proto.label for button in drawn.get("download_button")] == ["Evidence (PNG)"]


def test_three_exclusive_classes_have_no_line(tmp_path):
    class Three(Brightness):
        def ask(self, pixels):
            return {"probabilities": np.tile(np.float32([0.2, 0.5, 0.3]), (len(pixels), 1))}

    network = Three("probabilities")
    one = opened_fake(tmp_path / "run", members=[Member(network, UNCHANGED, LIKE)], classes=("a", "b*", "c|d"))
    drawn = drawn_answer(one, image_bytes(grey(9, 16, 16)))
    texts = shown_texts(drawn)
    assert "**Answer: b* (0.50)**" in texts
    assert any("there is no threshold" in text for text in texts)
    assert [layer["mark"]["type"] for layer in chart(drawn)["layer"]] == ["bar"]


def test_several_networks_tell_their_spread(tmp_path):
    one = opened_fake(tmp_path / "run", members=[member("probabilities"), member("probabilities", gain=0.5)])
    texts = shown_texts(drawn_answer(one, image_bytes(grey(255, 16, 16))))
    assert "**Answer: bright (0.75)**" in texts
    # Of 1 and 0.5: 0.3536 by hand.
    assert "Standard deviation over 2 networks: dark 0.35, bright 0.35" in texts


def test_an_image_unlike_the_training_images_is_marked(tmp_path):
    one = opened_fake(tmp_path / "run", members=[member("probabilities")])
    assert not [text for text in shown_texts(drawn_answer(one, image_bytes(grey(9, 16, 16)))) if "Unlike" in text]
    texts = shown_texts(drawn_answer(one, image_bytes(grey(9, 160, 16))))
    (told,) = [text for text in texts if text.startswith("Unlike the training images: 16 x 160 pixels")]
    assert "in training 16" in told
    assert any("160 pixels" in text and "answered in" in text for text in texts)


def test_an_image_of_the_training_is_marked(tmp_path):
    from hashlib import sha256

    content = image_bytes(grey(9, 16, 16))
    known = frozenset([sha256(content).hexdigest()])
    one = opened_fake(tmp_path / "run", members=[member("probabilities")], known=known)
    assert any("has learned from this very image" in text for text in shown_texts(drawn_answer(one, content)))


def test_a_run_that_does_not_know_its_training_images_says_so(tmp_path):
    one = opened_fake(tmp_path / "run", members=[member("probabilities", known=None)])
    assert any("does not know" in text for text in shown_texts(drawn_answer(one, image_bytes(grey(9)))))


def test_masks_have_areas_an_opacity_and_downloads(tmp_path):
    one = opened_fake(tmp_path / "run", "maps", members=[member("maps")])
    pixels = grey(0, 16, 16)
    pixels[:4] = 255
    drawn = drawn_answer(one, image_bytes(pixels), "=cmd#1.png")
    assert [button.proto.label for button in drawn.get("download_button")] == ["Mask (PNG)", "Overlay (PNG)"]
    (table,) = drawn.dataframe
    assert table.value.to_dict("list") == {"structure": ["light"], "area in pixels": [64]}
    before = drawn.image[0].proto.imgs[0].url
    drawn.slider(key="key opacity").set_value(0).run()
    assert not drawn.exception
    assert drawn.image[0].proto.imgs[0].url != before


def test_areas_of_a_dicom_file_are_in_square_millimetres(tmp_path):
    one = opened_fake(tmp_path / "run", "maps", members=[member("maps")])
    file = write(tmp_path / "x.dcm", grey(255, 16, 16), 8, {"PixelSpacing": [0.5, 0.25]})
    drawn = drawn_answer(one, file.read_bytes(), "x.dcm")
    assert drawn.dataframe[0].value.to_dict("list") == {"structure": ["light"], "area in mm²": [32.0]}
    assert not any("not known from this file" in text for text in shown_texts(drawn))
