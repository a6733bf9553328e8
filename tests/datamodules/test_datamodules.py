"""What every datamodule must keep, checked on a simulated set in its real layout."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medvision.config import find_class
from medvision.config.registry import DATAMODULES
from medvision.config.settings import SplitSettings
from medvision.errors import DataError
from medvision.samples import SETS, generate

OPTIONS = {
    "folder": {"patient_pattern": r"(?P<patient>[^/]+)_\d+\.png$"},
    "medmnist": {"image_size": 28},
}
UNGROUPED = ("medmnist", "hip_us")
PATIENTS = {"medmnist": 60, "mura": 40, "lung_us": 30, "hip_us": 20}


@pytest.fixture(scope="module", params=sorted(DATAMODULES))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def root(name, tmp_path_factory) -> Path:
    return generate(name, tmp_path_factory.mktemp("set") / name, patients=PATIENTS.get(name, 24))


def make(name: str, root: Path, **more):
    split = SplitSettings(group="image") if name in UNGROUPED else SplitSettings()
    options = {"image_size": 32, "batch_size": 4, **OPTIONS.get(name, {}), "split": split, **more}
    return find_class("data", name)(root=str(root), **options)


@pytest.fixture(scope="module")
def ready(name, root):
    datamodule = make(name, root)
    datamodule.setup()
    return datamodule


def test_every_datamodule_can_be_simulated():
    assert set(SETS) >= set(DATAMODULES)


def test_the_table_has_its_columns(ready):
    assert {"image", "label"} <= set(ready.table)
    assert ready.table["image"].is_unique
    assert not Path(ready.table["image"].iloc[0]).is_absolute()
    assert set(ready.table["label"]) <= set(ready.class_names)
    assert len(ready.class_names) >= 2


def test_no_group_is_in_two_splits(name, ready):
    split = ready.split_table()
    assert split.groupby("group")["split"].nunique().max() == 1
    assert set(split["split"]) == {"train", "val", "test"}
    assert name in UNGROUPED or (split["group"] == split["patient"]).all()
    assert split["sha256"].str.len().eq(64).all()


def test_batches_have_the_promised_form(ready):
    summary = ready.summary()
    size = summary["image_size"]
    for loader, split in ((ready.train_dataloader(), "train"), (ready.val_dataloader(), "val")):
        batches = list(loader)
        images = torch.cat([batch["image"] for batch in batches])
        assert images.dtype == torch.uint8
        assert images.shape == (len(ready.assignment.rows(split)), 1, size, size)
        assert images.float().std() > 5, "the pictures are empty"
        index = torch.cat([batch["index"] for batch in batches])
        assert sorted(index.tolist()) == list(ready.assignment.rows(split))
        target = torch.cat([batch["target"] for batch in batches])
        names = np.array(ready.class_names)[target.numpy()]
        assert list(names) == list(ready.table["label"].to_numpy()[index])
    assert sum(summary["train_counts"]) == summary["train_images"]


def test_colour_is_to_be_had(name, root):
    datamodule = make(name, root, channels=3)
    datamodule.setup()
    assert next(iter(datamodule.test_dataloader()))["image"].shape[1] == 3


def test_cache_and_decoding_give_the_same_pixels(name, root, ready):
    direct = make(name, root, cache=False)
    direct.setup()
    for cached, decoded in zip(ready.val_dataloader(), direct.val_dataloader(), strict=True):
        assert torch.equal(cached["image"], decoded["image"])
    assert direct.digests == ready.digests


def test_simulated_data_is_known_to_be_simulated(ready):
    assert ready.simulated


def test_a_wrong_root_gets_one_line(name, tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        make(name, tmp_path / "absent").setup()
    (tmp_path / "something").mkdir()
    with pytest.raises(DataError) as caught:
        make(name, tmp_path / "something").setup()
    assert len(caught.value.lines) == 1
    assert "something" in str(caught.value)


def test_sources_are_named(name):
    cls = find_class("data", name)
    assert cls.__doc__
    if name not in ("folder", "table"):
        assert cls.citation
        assert cls.licence


def test_metadata_is_kept(name, ready):
    wanted = {"mura": "body_part", "knee_xray": "side", "lung_us": "probe", "chest_xray": "subtype"}.get(name)
    assert wanted is None or ready.table[wanted].nunique() >= 1
    if name == "mura":
        assert set(ready.table.groupby(["patient", "study"])["label"].nunique()) == {1}


REAL = {
    "knee_xray": (578, 376, {}),
    "lung_us": (431, 53, {}),
    "chest_xray": (362, 280, {}),
    "hip_us": (50, 50, {}),
    "medmnist": (5827, 5827, {"on_bad_image": "skip"}),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_sets(name, medvision_data):
    images, groups, more = REAL[name]
    datamodule = make(name, medvision_data / name, **more)
    datamodule.setup()
    split = datamodule.split_table()
    assert (len(split), split["group"].nunique()) == (images, groups)
    assert not datamodule.simulated
    assert split.groupby("group")["split"].nunique().max() == 1


def test_real_copies_are_an_error_unless_skipped(medvision_data):
    with pytest.raises(DataError, match="identical images of different images"):
        make("medmnist", medvision_data / "medmnist").setup()


def test_mura_without_its_csv_files_reads_the_folders(tmp_path):
    root = generate("mura", tmp_path / "mura", patients=40)
    listed = make("mura", root)
    listed.setup()
    for file in root.glob("*.csv"):
        file.unlink()
    walked = make("mura", root)
    walked.setup()
    pd.testing.assert_frame_equal(
        listed.table.sort_values("image", ignore_index=True), walked.table.sort_values("image", ignore_index=True)
    )
    wrists = make("mura", root, body_parts=["WRIST"], split=SplitSettings(official=False, stratify=None))
    assert set(wrists.read_table()["body_part"]) == {"WRIST"}


def test_folder_with_official_splits(tmp_path):
    drawn = generate("folder", tmp_path / "drawn", patients=24)
    for file in sorted(drawn.glob("*/*.png")):
        split = ("train", "train", "valid", "testing")[int(file.stem[1:4]) // 2 % 4]
        target = tmp_path / "split" / split / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    datamodule = make("folder", tmp_path / "split")
    datamodule.setup()
    table = datamodule.split_table()
    folders = table["image"].str.partition("/")[0].map({"train": "train", "valid": "val", "testing": "test"})
    assert list(folders) == list(table["split"])


def test_table_with_several_labels_and_its_mistakes(tmp_path):
    root = generate("table", tmp_path / "table", patients=24)
    several = make("table", root, label_column=["fracture", "implant"])
    several.setup()
    assert several.multilabel
    assert several.targets.shape == (len(several.table), 2)
    assert several.summary()["train_counts"] == [
        int(n) for n in several.targets[several.assignment.rows("train")].sum(0)
    ]
    with pytest.raises(DataError, match="no column 'fractur', it has .*; did you mean 'fracture'"):
        make("table", root, label_column="fractur").setup()
    with pytest.raises(DataError, match=r"labels.csv:2: 'age' is '\d+', expected 0 or 1"):
        make("table", root, label_column=["age", "implant"]).setup()
    with pytest.raises(DataError, match=r"no such table; the folder has labels.csv"):
        make("table", root, table_file="label.csv").setup()


def test_parquet_is_read_like_csv(tmp_path):
    root = generate("table", tmp_path / "table", patients=24)
    pd.read_csv(root / "labels.csv").to_parquet(root / "labels.parquet")
    csv, parquet = make("table", root), make("table", root, table_file="labels.parquet")
    assert list(csv.read_table()["label"]) == list(parquet.read_table()["label"])
    assert list(csv.read_table()["patient"]) == list(parquet.read_table()["patient"])


def test_frames_of_a_multiframe_file_are_images(tmp_path):
    import tifffile

    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for patient in range(4):
            frames = generator.integers(0, 255, (3, 20, 30), dtype=np.uint8)
            tifffile.imwrite(tmp_path / label / f"{label}{patient}_1.tif", frames, photometric="minisblack")
    datamodule = make("folder", tmp_path, patient_pattern=r"(?P<patient>[^/]+)_\d")
    datamodule.setup()
    assert len(datamodule.table) == 24
    assert "a/a0_1.tif#2" in set(datamodule.table["image"])
    assert len(set(datamodule.digests)) == 24


def test_the_mark_of_simulation_is_json(tmp_path):
    root = generate("hip_us", tmp_path / "hips", patients=20)
    assert json.loads((root / "SIMULATED.json").read_text())["simulated"] is True
