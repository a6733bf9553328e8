import shutil
import zipfile

import numpy as np
import pytest

from medvision.application.frames import MOST_UNFOLDED, draw_frame, read_frames
from medvision.data.masks import IGNORE
from medvision.errors import RunError
from medvision.reports.animation import animation_frames
from medvision.runs import RunFolder, read_table
from tests.application.discs import trained

CLASSES = ["background", "disc", "bar"]


@pytest.fixture
def run(tmp_path, tmp_path_factory):
    shutil.copytree(trained("segmentation", tmp_path_factory)[0].path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_each_epoch_has_its_frame(run):
    frames = read_frames(run)
    assert list(frames.files) == list(read_table(run.history)["epoch"]) == [0, 1]
    assert frames.images.shape == frames.truths.shape == (4, 32, 32)


def test_a_frame_is_that_of_the_whole_animation(run):
    frames = read_frames(run)
    predictions = np.stack([np.load(file)["predicted"] for file in frames.files.values()])
    predictions[:, frames.truths == IGNORE] = 0
    history = read_table(run.history)[["epoch"]]
    whole = animation_frames(frames.images, frames.truths, predictions, [0, 1], history, CLASSES, simulated=True)
    for epoch in (0, 1):
        drawn = draw_frame(run, frames, epoch, CLASSES, simulated=True)
        np.testing.assert_array_equal(np.asarray(drawn), np.asarray(whole[epoch]))
    assert not np.array_equal(*map(np.asarray, whole))


def test_a_run_without_frames_has_none(tmp_path_factory, run):
    assert read_frames(trained("classification", tmp_path_factory)[0]) is None
    (run.frames / "images.npz").unlink()
    assert read_frames(run) is None


def test_frames_that_unfold_without_end_are_refused(run):
    path = run.frames / "images.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as file:
        for _ in range(MOST_UNFOLDED // 2**20 + 1):
            file.write(bytes(2**20))
    with pytest.raises(RunError, match="unfolds into"):
        read_frames(run)


def test_frames_with_objects_in_them_are_refused(run):
    np.savez(run.frames / "images.npz", images=np.array([{}], dtype=object), truths=np.zeros(1))
    with pytest.raises(RunError, match="no frames as medvision writes them"):
        read_frames(run)
    (run.frames / "images.npz").write_bytes(b"PK nothing")
    with pytest.raises(RunError, match="no frames as medvision writes them"):
        read_frames(run)


def test_frames_that_do_not_fit_each_other_are_told_of(run):
    frames = read_frames(run)
    np.savez(frames.files[1], predicted=np.zeros((4, 5, 5), np.uint8))
    with pytest.raises(RunError, match="do not fit together"):
        draw_frame(run, frames, 1, CLASSES, simulated=False)
