import threading

import cv2
import numpy as np
import pytest

from medvision.answering.asked import find_images
from medvision.answering.asking import ask_images
from medvision.answering.inputs import Preparation
from medvision.answering.model import Member
from medvision.answering.records import Record
from medvision.config.tiles import TileGrid
from medvision.data.digests import image_digest, tile_digest
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.training_range import measure_range
from tests.answering.fakes import Brightness, model


def ask(made, *sources, **options):
    """Records and reasons, and the answers as they come to be written."""
    answers = []

    def finish(answer):
        answers.append(answer)
        return answer.record

    batches = list(ask_images(made, find_images(list(sources)), finish, **options))
    return [part for batch in batches for part in batch], answers


def flat(value, height=8, width=8):
    return np.full((height, width), value, np.uint8)


def test_images_go_in_batches_and_come_back_in_order():
    made = model()
    found, _ = ask(made, *(flat(20 * number) for number in range(11)))
    assert made.members[0].network.batches == [4, 4, 3]
    assert [record.image for record in found] == [f"array {number}" for number in range(11)]
    np.testing.assert_allclose([r.probabilities[0][1] for r in found], [20 * n / 255 for n in range(11)], rtol=1e-6)


def test_images_that_keep_their_size_are_asked_one_by_one():
    made = model(preparation=Preparation(8, "none", 1))
    found, _ = ask(made, flat(10, 5, 9), flat(30, 7, 4))
    assert made.members[0].network.batches == [1, 1]
    assert [round(255 * record.probabilities[0][1]) for record in found] == [10, 30]


def test_an_image_that_cannot_be_read_stays_in_its_place(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), flat(100))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    found, _ = ask(model(), tmp_path / "a.png", tmp_path / "b.png", np.zeros((2, 2)), tmp_path / "a.png", flat(1))
    assert isinstance(found[0], Record)
    assert found[1][0] == f"{tmp_path}/b.png"
    assert "damaged or truncated" in found[1][1]
    assert found[2] == ("array 0", found[2][1])
    assert isinstance(found[3], Record)


def test_nothing_that_can_be_read_is_no_mistake():
    found, answers = ask(model(), np.zeros((2, 2)))
    assert [part[0] for part in found] == ["array 0"]
    assert not answers


def test_probabilities_are_calibrated_by_the_temperature():
    network = Brightness("probabilities")
    made = model(members=[Member(network, Decision(temperature=2.0))])
    (record,), _ = ask(made, flat(204))
    # p = 0.8 has the logit log 4; half of it is log 2, which is p = 2 / 3.
    assert record.probabilities[0][1] == pytest.approx(2 / 3, abs=1e-6)


def test_a_mask_has_the_size_of_the_original_and_its_area_counts():
    image = np.zeros((40, 60), np.uint8)
    image[:, 30:] = 255
    (record,), (answer,) = ask(model("maps"), image)
    assert record.pixels.shape == (40, 60)
    assert record.unit == "px"
    assert record.areas == [float(record.pixels.sum())] == [1200.0]
    assert answer.original.pixels is not None
    assert not record.probabilities


def test_areas_are_in_square_millimetres_where_the_spacing_is_known(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), flat(255, 10, 20))
    (tmp_path / "list.csv").write_text("image,row_mm,column_mm\na.png,0.5,0.25\n")
    (record,), _ = ask(model("maps"), tmp_path / "list.csv")
    assert (record.unit, record.areas) == ("mm", [10 * 20 * 0.5 * 0.25])


def test_networks_draw_one_mask_together_and_one_each():
    members = [Member(Brightness("maps", gain=gain), UNCHANGED) for gain in (1.0, 0.5)]
    image = np.repeat(np.array([[0, 160, 220]], np.uint8), 3, axis=0)
    # Means 0.47 and 0.65 of 160 / 255 and 220 / 255 and their halves.
    (record,), _ = ask(model("maps", members=members, preparation=Preparation(3, "none", 1)), image)
    assert record.areas == [3.0]
    assert record.areas_each == [[6.0], [0.0]]


def test_tiles_are_united_by_the_aggregate_of_each_network():
    grid = Preparation(8, "stretch", 1, TileGrid(rows=1, columns=2))
    image = np.hstack([flat(51), flat(153)])
    members = [Member(Brightness("probabilities"), Decision(aggregate=how)) for how in ("mean", "max", "noisy_or")]
    (record,), _ = ask(model(members=members, preparation=grid), image)
    np.testing.assert_allclose([row[1] for row in record.probabilities], [0.4, 0.6, 1 - 0.8 * 0.4], atol=1e-6)


def test_known_files_and_tiles_of_known_files_are_marked(tmp_path):
    for name, value in (("a.png", 1), ("b.png", 2)):
        cv2.imwrite(str(tmp_path / name), flat(value))
    digest = image_digest(tmp_path / "a.png")
    found, _ = ask(model(known=frozenset([digest])), tmp_path, flat(1))
    assert [record.trained_on for record in found] == [True, False, None]
    grid = TileGrid(rows=1, columns=2)
    made = model(known=frozenset([tile_digest(digest, 1, 2, grid)]), preparation=Preparation(8, "stretch", 1, grid))
    assert [record.trained_on for record in ask(made, tmp_path)[0]] == [True, False]


def test_the_way_an_image_is_unlike_is_told():
    features = np.array([[0.2, 0.0], [0.4, 0.0]])
    known = measure_range([8, 8], [8, 8], ["8-bit grey"], features)
    made = model(
        "probabilities", "features", members=[Member(Brightness("probabilities", "features"), UNCHANGED, known)]
    )
    found, _ = ask(made, flat(77), flat(77, 8, 80), flat(255), np.full((8, 8), 300, np.uint16))
    assert found[0].unlike == ""
    assert "80 x 8 pixels" in found[1].unlike
    assert "times as wide as high" in found[1].unlike
    # 1.0 is seven deviations from the mean 0.3, the training images are one; the other feature does not move.
    assert "features 7 times as far out as any of 2 images" in found[2].unlike
    assert "16-bit grey, in training 8-bit grey" in found[3].unlike


def test_evidence_is_for_the_answer():
    network = Brightness("probabilities")
    decision = Decision(thresholds={"image": {"bright": 0.1}})
    made = model(members=[Member(network, decision, None, network)])
    image = flat(0)
    image[:, 4:] = 200
    _, (answer,) = ask(made, image, evidence=True)
    assert answer.evidence.shown == 1, "0.39 is above the threshold of 0.1"
    np.testing.assert_allclose(answer.evidence.maps[0], image / 200, atol=1e-6)
    assert not answer.evidence.empty


def test_a_mistake_while_writing_ends_everything():
    def finish(answer):
        raise OSError("disk full")

    before = threading.active_count()
    with pytest.raises(OSError, match="disk full"):
        list(ask_images(model(), find_images([flat(n) for n in range(40)]), finish))
    assert threading.active_count() == before
