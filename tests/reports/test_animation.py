import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medvision.reports.animation import CELL, GAP, animation_frames, thin_out, write_animation
from medvision.reports.overlays import fit_size
from tests.reports.tissue import CLASSES, bend_mask, draw_tissue

HEAD = 36


def draw_training(epochs, images=4, side=24, colour=False):
    pictures, truths = map(np.stack, zip(*[draw_tissue(k, side, side) for k in range(images)], strict=True))
    shifts = side / 4 * np.exp(-np.arange(epochs) / 3)
    masks = np.stack([[bend_mask(truth, k, shift) for k, truth in enumerate(truths)] for shift in shifts])
    history = pd.DataFrame({"epoch": range(epochs), "train/loss": np.exp(-np.arange(epochs) / 5)})
    history["val/loss"], history["val/dice"] = history["train/loss"] + 0.1, 1 - 0.8 * history["train/loss"]
    pictures = np.repeat(pictures[..., None], 3, axis=-1) if colour else pictures
    return pictures, truths, masks, list(range(epochs)), history, CLASSES


def read_frames(path):
    with Image.open(path) as file:
        frames, durations = [], []
        for k in range(getattr(file, "n_frames", 1)):
            file.seek(k)
            frames.append(np.asarray(file.convert("RGB")).astype(int))
            durations.append(file.info.get("duration"))
        return frames, durations, file.info.get("loop")


def test_both_files_show_every_epoch_hold_the_last_and_begin_again(tmp_path):
    training = draw_training(5)
    gif, webp = tmp_path / "figures" / "training.gif", tmp_path / "figures" / "training.webp"
    write_animation(*training, gif, webp)
    drawn = animation_frames(*training)
    for path in (gif, webp):
        frames, durations, loop = read_frames(path)
        assert loop == 0
        assert durations == [200] * 4 + [2000]
        # What is read is what was drawn, but for few colours or compression.
        for frame, picture in zip(frames, drawn, strict=True):
            assert np.abs(frame - np.asarray(picture)).mean() < 5
    assert sorted(file.name for file in gif.parent.iterdir()) == ["training.gif", "training.webp"]


@pytest.mark.parametrize(("images", "colour"), [(1, False), (2, True), (3, False), (4, True)])
def test_frames_are_of_one_size_for_any_number_of_images(images, colour):
    frames = animation_frames(*draw_training(2, images, colour=colour))
    assert len(frames) == 2
    assert {frame.mode for frame in frames} == {"RGB"}
    assert len({frame.size for frame in frames}) == 1


def test_a_frame_tints_the_prediction_and_outlines_the_truth_in_white():
    truth, predicted = np.zeros((1, 28, 28), np.uint8), np.zeros((1, 1, 28, 28), np.uint8)
    truth[0, 4:12, 4:24], predicted[0, 0, 16:24, 4:24] = 1, 1
    image = np.full((1, 28, 28), 60, np.uint8)
    (frame,) = animation_frames(image, truth, predicted, [0], pd.DataFrame({"epoch": []}), CLASSES)
    cell = np.asarray(frame)[HEAD : HEAD + CELL, GAP : GAP + CELL]
    assert fit_size(28, 28, CELL) == (CELL, CELL)
    assert (cell[8, 8] == 60).all()
    assert (cell[4 * 8, 100] == 255).all()
    assert (cell[8 * 8, 100] == 60).all()
    red, green, blue = map(int, cell[20 * 8, 100])
    assert red > green > 60 > blue


def test_the_curves_grow_with_the_epoch():
    frames = [np.asarray(frame).astype(int) for frame in animation_frames(*draw_training(12))]
    curves = [frame[HEAD:-40, 2 * (CELL + GAP) + GAP :] for frame in frames]
    # The curve of Dice, below the legend of its axes.
    blue = [np.abs(curve[245:] - (86, 180, 233)).max(axis=-1) < 40 for curve in curves]
    furthest = [np.flatnonzero(seen.any(axis=0)).max() for seen in blue]
    assert (np.diff(furthest) > 5).all()
    # An epoch changes nothing but the curve and its dots: the axes stay.
    assert np.mean(np.abs(curves[5] - curves[6]).max(axis=-1) > 30) < 0.02


def test_the_text_tells_the_epoch_from_one_and_what_is_simulated():
    training = draw_training(3)
    plain, marked = (animation_frames(*training, simulated=simulated) for simulated in (False, True))
    heads = [np.asarray(frame)[:HEAD] for frame in plain]
    assert not np.array_equal(heads[0], heads[1])
    for one, other in zip(plain, marked, strict=True):
        assert not np.array_equal(np.asarray(one)[:HEAD, -120:], np.asarray(other)[:HEAD, -120:])
        np.testing.assert_array_equal(np.asarray(one)[HEAD:], np.asarray(other)[HEAD:])


@pytest.mark.parametrize(
    "history",
    [
        pd.DataFrame({"epoch": [0, 1], "val/dice": [np.nan, 0.5]}),
        pd.DataFrame({"epoch": [0, 1], "train/loss": [np.inf, 1.0]}),
        pd.DataFrame({"epoch": [0, 1], "train/loss": [-1.0, -1.0], "val/loss": [np.nan, np.nan]}),
        pd.DataFrame({"epoch": [0], "lr": [0.1]}),
    ],
)
def test_what_the_history_lacks_is_left_out(history):
    images, truths, masks, epochs, _, classes = draw_training(2)
    assert len(animation_frames(images, truths, masks, epochs, history, classes)) == 2


def test_long_trainings_are_thinned_out_evenly(tmp_path, monkeypatch):
    assert thin_out(200, 120)[:3] == [0, 2, 3]
    assert thin_out(200, 120)[-1] == 199
    assert len(set(thin_out(1000, 120))) == 120
    assert thin_out(3, 120) == [0, 1, 2]
    monkeypatch.setattr("medvision.reports.animation.MOST_FRAMES", 4)
    gif, webp = tmp_path / "a.gif", tmp_path / "a.webp"
    training = draw_training(10, 1)
    write_animation(*training, gif, webp)
    every = animation_frames(*training)
    drawn = [np.asarray(every[k]) for k in (0, 3, 6, 9)]
    frames, durations, _ = read_frames(gif)
    assert durations == [200, 200, 200, 2000]
    for frame, picture in zip(frames, drawn, strict=True):
        assert np.abs(frame - picture).mean() < 5


def test_sixty_epochs_of_four_images_are_small_and_fast(tmp_path):
    images, truths, _, _, _, classes = draw_training(1, side=224)
    history = draw_training(60, 1)[4]
    # Edges that never come to rest are the worst that a training does.
    masks = np.stack([np.roll(truths, (-1) ** epoch * (60 - epoch) // 3, axis=1) for epoch in range(60)])
    training = images, truths, masks, range(60), history, classes
    gif, webp = tmp_path / "a.gif", tmp_path / "a.webp"
    start = time.process_time()
    write_animation(*training, gif, webp)
    assert time.process_time() - start < 15
    assert 10_000 < gif.stat().st_size < 2_000_000
    assert 10_000 < webp.stat().st_size < 2_000_000


def test_a_file_that_would_be_too_large_becomes_smaller_pictures(tmp_path, monkeypatch):
    training = draw_training(3)
    gif, webp = tmp_path / "a.gif", tmp_path / "a.webp"
    write_animation(*training, gif, webp)
    sizes = gif.stat().st_size, webp.stat().st_size
    monkeypatch.setattr("medvision.reports.animation.MOST_BYTES", 1)
    write_animation(*training, gif, webp)
    assert gif.stat().st_size < sizes[0]
    assert webp.stat().st_size < sizes[1]
    assert read_frames(gif)[0][0].shape[1] < animation_frames(*training)[0].width


def test_one_epoch_is_a_picture(tmp_path):
    write_animation(*draw_training(1), tmp_path / "a.gif", tmp_path / "a.webp")
    for name in ("a.gif", "a.webp"):
        assert len(read_frames(tmp_path / name)[0]) == 1


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    images, truths, masks, epochs, history, classes = draw_training(2)
    with pytest.raises(ValueError, match="do not fit"):
        animation_frames(images, truths, masks[:1], epochs, history, classes)
    with pytest.raises(ValueError, match="do not fit"):
        write_animation(images[:2], truths, masks, epochs, history, classes, tmp_path / "a.gif", tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())
