import cv2
import numpy as np
import pytest
import torch

from medvision.errors import RunError
from medvision.exporting.source import open_source
from tests.kinds import KINDS, run, write_experiment

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """A run that looks through windows of 64 pixels at images of other sizes, among them one that is smaller."""
    root = write_experiment(tmp_path_factory.mktemp("windows"), KINDS["segmentation"], patients=8)
    for number, file in enumerate(sorted((root / "images" / "images").glob("*.png"))):
        height, width = (30, 90) if number % 3 == 0 else (80, 70)
        for path in (file, file.parents[1] / "masks" / file.name):
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(path), cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST))
    done = run(root, root / "runs", *QUICK, "--data.resize=none", "--data.image_size=64", "--data.augmentation=none")
    return open_source(done)


def test_validation_images_come_whole_and_by_name(windows):
    names, images = zip(*windows.validation(), strict=True)
    assert len(names) == windows.validation_images
    table = windows.datamodule.split_table()
    assert list(names) == list(table.loc[table["split"] == "val", "image"])
    for name, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(image, windows.datamodule.read_pixels(name))


def test_squares_are_the_windows_in_the_middle(windows):
    rows = windows.datamodule.assignment.rows("train")
    batches = list(windows.squares("train", 1000))
    assert {batch.shape[1:] for batch in batches} == {(1, 64, 64)}
    assert max(map(len, batches)) <= windows.model.batch_size
    for row, batch in zip(rows, np.concatenate(batches)[:, None], strict=True):
        pixels = windows.datamodule.pixels[row]
        if pixels.shape == (80, 70):
            np.testing.assert_array_equal(batch[0, 0], pixels[8:72, 3:67])
        else:
            np.testing.assert_array_equal(batch[0, 0, :30], pixels[:, 13:77])
            assert not batch[0, 0, 30:].any()
    assert [len(batch) for batch in windows.squares("train", 2)] == [2]


def test_the_reference_is_the_network_in_32_bits_on_the_cpu(windows):
    assert windows.reference.device == torch.device("cpu")
    assert windows.reference.task is not windows.trained.task
    assert {value.dtype for value in windows.reference.task.network.parameters()} == {torch.float32}
    assert windows.graph().fit == "none"


def test_a_run_without_validation_images_is_refused(windows, monkeypatch):
    kind = type(windows.datamodule.assignment)
    monkeypatch.setattr(kind, "rows", lambda assignment, split: np.zeros(0, np.int64))
    with pytest.raises(RunError, match="no validation images"):
        open_source(windows.run)
