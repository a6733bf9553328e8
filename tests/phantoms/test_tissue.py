import numpy as np
import pytest

from medvision.phantoms.tissue import FAT_CLASS, MUSCLE_CLASS, REST, draw_tissue
from medvision.phantoms.ultrasound import draw_examination

SIZE = (120, 160)


def draw(seed, hand=0, size=SIZE):
    return draw_tissue(draw_examination(np.random.default_rng(seed)), np.random.default_rng(hand), size)


@pytest.fixture(scope="module")
def drawn():
    return [draw(seed, seed) for seed in range(16)]


def test_images_and_masks_have_the_size_and_the_classes(drawn):
    for image, mask in drawn:
        assert image.shape == mask.shape == SIZE
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) == {REST, FAT_CLASS, MUSCLE_CLASS}
        assert image.std() > 10


def test_from_the_skin_down_come_rest_fat_muscle_rest(drawn):
    for _, mask in drawn:
        for column in mask.T:
            changes = column[np.insert(np.flatnonzero(np.diff(column)) + 1, 0, 0)].tolist()
            # A vessel may interrupt muscle, and the lower border may lie outside.
            assert changes[:3] == [REST, FAT_CLASS, MUSCLE_CLASS]
            assert set(changes[3:]) <= {REST, MUSCLE_CLASS}


def test_a_bright_fascia_lies_between_fat_and_muscle(drawn):
    on_line, beside = [], []
    for image, mask in drawn:
        border = (mask[:-1] == FAT_CLASS) & (mask[1:] == MUSCLE_CLASS)
        rows, columns = np.nonzero(border)
        far = np.clip(rows + 6, 0, SIZE[0] - 1)
        on_line.append(np.mean(image[rows, columns].astype(float)))
        beside.append(np.mean([image[far, columns], image[np.maximum(rows - 6, 0), columns]]))
    assert np.mean(np.array(on_line) > np.array(beside) + 10) > 0.9


def test_grey_alone_does_not_tell_fat_from_muscle(drawn):
    """Which of the two is brighter differs from patient to patient."""
    brighter = [image[mask == FAT_CLASS].mean() > image[mask == MUSCLE_CLASS].mean() for image, mask in drawn]
    assert 0.1 < np.mean(brighter) < 0.9


def test_patients_differ_in_thickness_and_images_of_one_do_not(drawn):
    between = [(mask == tissue).sum(axis=0).mean() for tissue in (FAT_CLASS, MUSCLE_CLASS) for _, mask in drawn]
    fat, muscle = np.reshape(between, (2, -1))
    again = [(draw(0, hand)[1] == FAT_CLASS).sum(axis=0).mean() for hand in range(6)]
    assert fat.max() > 2.5 * fat.min()
    assert muscle.max() > 1.4 * muscle.min()
    assert np.std(again) < 0.3 * np.std(fat)


def test_the_same_hand_draws_the_same(drawn):
    image, mask = draw(3, 3)
    assert np.array_equal(image, drawn[3][0])
    assert np.array_equal(mask, drawn[3][1])
    other = draw(3, 4)
    assert not np.array_equal(image, other[0])
    assert (mask == other[1]).mean() > 0.85, "another image of the same tissue"
