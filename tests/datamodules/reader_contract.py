"""What every datamodule must do, on simulated images in its real layout. A test module inherits `ReaderContract`."""

import importlib
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from medvision.config.registry import DATAMODULES
from medvision.config.settings import SplitSettings
from medvision.data.masks import IGNORE
from medvision.datamodules.base import DataModule
from medvision.errors import DataError
from medvision.phantoms.sets import generate

SIZE = 32


def build(name: str, root: Path, **parameters: Any) -> DataModule:
    """The datamodule that an experiment calls by this name."""
    module, _, cls = DATAMODULES[name].partition(":")
    return getattr(importlib.import_module(module), cls)(root=str(root), **parameters)


class ReaderContract:
    """Inherit as `Test<Class>` and name the data set.

    Attributes:
        name: in the registry and of the simulated set.
        patients: to draw.
        images: of each view, to draw.
        parameters: of the datamodule, beside root and split.
        expected_classes: of the labels, in the order of the outputs; empty without labels.
        expected_mask_classes: of the masks, the background first; empty without masks.
        has_patients: whether the set says who is shown.
        columns: that the table has beside image, label, mask and patient.
    """

    name: ClassVar[str]
    patients: ClassVar[int] = 20
    images: ClassVar[int] = 1
    parameters: ClassVar[dict[str, Any]] = {}
    expected_classes: ClassVar[Sequence[str]] = ()
    expected_mask_classes: ClassVar[Sequence[str]] = ()
    has_patients: ClassVar[bool] = True
    columns: ClassVar[Set[str]] = frozenset()
    published: ClassVar[bool] = True

    @classmethod
    def read(cls, root: Path, **parameters: Any) -> DataModule:
        split = SplitSettings(group="patient" if cls.has_patients else "image", val=0.2, test=0.2)
        return build(cls.name, root, **{"split": split, "image_size": SIZE, **cls.parameters, **parameters})

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("simulated") / cls.name
        return generate(cls.name, folder, seed=1, patients=cls.patients, images=cls.images)

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, root: Path) -> DataModule:
        datamodule = cls.read(root)
        datamodule.setup()
        return datamodule

    def test_table_names_files_classes_and_patients(self, root):
        datamodule = self.read(root)
        table = datamodule.read_table()
        assert {"image"} | self.columns <= set(table)
        assert ("label" in table) == bool(self.expected_classes)
        assert ("mask" in table) == bool(self.expected_mask_classes)
        assert table["image"].is_unique
        assert all(datamodule.file_of(image).is_file() for image in table["image"])
        assert not any(Path(image).is_absolute() or "\\" in image for image in table["image"])
        assert ("patient" in table) == self.has_patients
        if self.has_patients:
            assert table["patient"].notna().all()
            assert 3 <= table["patient"].nunique() < len(table) or self.images == 1

    def test_table_is_the_same_again(self, root):
        pd.testing.assert_frame_equal(self.read(root).read_table(), self.read(root).read_table())

    def test_no_pixels_are_read_for_the_table(self, root, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("an image was opened")

        monkeypatch.setattr(Image, "open", refuse)
        monkeypatch.setattr(DataModule, "read_pixels", refuse)
        assert len(self.read(root).read_table()) > 0

    def test_classes_are_in_their_order(self, prepared):
        assert prepared.class_names == list(self.expected_classes)
        summary = prepared.summary()
        assert summary["classes"] == list(self.expected_classes)
        assert len(summary["train_counts"]) == len(self.expected_classes)
        assert all(count > 0 for count in summary["train_counts"])
        assert prepared.mask_classes == summary["mask_classes"] == list(self.expected_mask_classes)
        assert len(summary["train_pixels"]) == len(self.expected_mask_classes)
        assert all(count > 0 for count in summary["train_pixels"])

    def test_every_image_is_in_one_split_and_no_group_in_two(self, prepared):
        split = prepared.split_table()
        assert sorted(split["image"]) == sorted(prepared.image_table["image"])
        assert set(split["split"]) == {"train", "val", "test"}
        assert split.groupby("group")["split"].nunique().max() == 1

    def test_another_split_reads_nothing_again(self, prepared, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("something was read again")

        for name in ("read_table", "read_pixels", "digest"):
            monkeypatch.setattr(type(prepared), name, refuse)
        other = prepared.with_split(prepared.split.model_copy(update={"official": False, "folds": 3, "fold": 1}), 5)
        assert set(other.assignment.table["split"]) == {"train", "val", "test"}
        assert (other.assignment.table["fold"] == 1).equals(other.assignment.table["split"] == "test")
        assert not other.assignment.table.equals(prepared.assignment.table)
        assert other.pixels is prepared.pixels
        assert other.summary()["train_images"] == len(other.dataset("train")) != 0

    def test_batches(self, prepared):
        batch = next(iter(prepared.train_dataloader()))
        image = batch["image"]
        assert image.dtype == torch.uint8
        assert tuple(image.shape[1:]) == (1, SIZE, SIZE)
        assert image.float().std() > 5
        if self.expected_mask_classes:
            mask = batch["mask"]
            assert mask.dtype == torch.uint8
            assert tuple(mask.shape) == (len(image), SIZE, SIZE)
            assert set(mask.unique().tolist()) <= {*range(len(self.expected_mask_classes)), IGNORE}
            assert (mask == 1).any()
        if self.expected_classes:
            self.check_target(batch["target"], len(image), multilabel=prepared.multilabel)

    def check_target(self, target: torch.Tensor, images: int, *, multilabel: bool) -> None:
        assert len(target) == images
        if multilabel:
            assert target.dtype == torch.float32
            assert tuple(target.shape[1:]) == (len(self.expected_classes),)
        else:
            assert target.dtype == torch.int64
            assert set(target.tolist()) <= set(range(len(self.expected_classes)))

    def test_the_cache_gives_the_pixels_of_decoding(self, root, prepared):
        decoding = self.read(root, cache=False)
        decoding.setup()
        for row in (0, len(prepared.image_table) - 1):
            np.testing.assert_array_equal(prepared.pixels[row], decoding.pixels[row])
            if self.expected_mask_classes:
                np.testing.assert_array_equal(prepared.mask_pixels[row], decoding.mask_pixels[row])

    def test_colour_is_three_equal_channels_of_grey_images(self, root):
        datamodule = self.read(root, channels=3, cache=False)
        pixels = datamodule.read_pixels(datamodule.read_table()["image"].iloc[0])
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        # JPEG and PNG of one grey channel: nothing but grey may come out.
        assert (pixels[..., 0] == pixels[..., 2]).all()

    def test_simulated_images_are_known_as_such(self, prepared):
        assert prepared.simulated

    def test_an_empty_folder_is_one_plain_message(self, tmp_path):
        with pytest.raises(DataError) as caught:
            self.read(tmp_path).setup()
        assert str(tmp_path) in str(caught.value)
        assert len(caught.value.lines) == 1

    def test_an_absent_folder_is_one_plain_message(self, tmp_path):
        with pytest.raises(DataError, match="no folder"):
            self.read(tmp_path / "absent").setup()

    def test_source_is_named(self):
        module, _, cls = DATAMODULES[self.name].partition(":")
        described = getattr(importlib.import_module(module), cls)
        assert not self.published or (described.citation and described.licence and described.url.startswith("https://"))
