import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from medvision import export, fit
from medvision.answering.exported import open_exported, read_metadata
from medvision.answering.model_info import KEY, ModelInfo
from medvision.errors import ConfigError, DataError, RunError
from medvision.export import ParityError
from medvision.exporting import session
from medvision.predict import predict
from medvision.runs import RunFolder, read_table
from tests.drawings import draw_dicom
from tests.kinds import KINDS, run, write_experiment

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run for classes, and its experiment's folder."""
    root = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    return run(root, root / "runs", *QUICK), root


@pytest.fixture(scope="module")
def exported(trained):
    """What exporting it as ONNX gave."""
    return export.main([str(trained[0].path), "--format", "onnx"])


def test_a_file_lies_in_the_run_folder_with_what_was_compared(trained, exported):
    folder = trained[0].path / "export"
    assert sorted(path.name for path in folder.iterdir()) == ["discs.onnx", "parity.csv", "parity.json"]
    assert [one.path for one in exported] == [folder / "discs.onnx"]
    entry = json.loads((folder / "parity.json").read_text())["discs.onnx"]
    split = read_table(trained[0].split)
    images = set(split.loc[split["split"] == "val", "image"])
    table = read_table(folder / "parity.csv")
    for leg in ("prepared", "original"):
        assert entry[leg]["images"] == len(images)
        assert set(table.loc[table["leg"] == leg, "image"]) == images
        assert entry[leg]["largest_difference"] == table.loc[table["leg"] == leg, "difference"].max()
        assert entry[leg]["flips"] == 0
    assert entry["prepared"]["largest_difference"] < 1e-5
    assert entry["passed"] is True
    assert entry["bytes"] == (folder / "discs.onnx").stat().st_size
    assert entry["images_per_second"] > 0
    assert entry["times_fp32"] == 1


def test_the_file_answers_as_its_run(trained, exported):
    images = trained[1] / "images"
    ours, theirs = predict(trained[0], images), predict(exported[0].path, images)
    assert list(ours["predicted"]) == list(theirs["predicted"])
    np.testing.assert_allclose(ours["p_class1"], theirs["p_class1"], atol=1e-5)


def test_the_metadata_are_of_the_run_and_name_no_image(trained, exported):
    info = read_metadata(exported[0].path)
    assert (info.name, info.classes, info.precision) == ("discs", ("class0", "class1"), "fp32")
    content = exported[0].path.read_bytes()
    for name in read_table(trained[0].split)["image"]:
        assert name.encode() not in content
    assert str(trained[1]).encode() not in content


def test_what_differs_too_much_is_not_left_behind(trained, exported, tmp_path):
    (tmp_path / "discs.onnx").write_bytes(b"from before")
    arguments = [str(trained[0].path), "--format", "onnx", "--precision", "int8", "--tolerance", "0"]
    with pytest.raises(ParityError) as caught:
        export.main([*arguments, "--output", str(tmp_path)])
    assert caught.value.exit_code == 4
    assert caught.value.lines[0].startswith(
        "discs.int8.onnx was not exported: on prepared images a probability differs"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["discs.onnx"], "nothing else, and the other file stays"
    entries = json.loads((trained[0].path / "export" / "parity.json").read_text())
    assert {name: entry["passed"] for name, entry in entries.items()} == {"discs.onnx": True, "discs.int8.onnx": False}
    table = read_table(trained[0].path / "export" / "parity.csv")
    assert set(table["model"]) == {"discs.onnx", "discs.int8.onnx"}
    assert entries["discs.int8.onnx"]["times_fp32"] > 0


@pytest.mark.slow
def test_an_older_file_goes_when_its_successor_fails(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "one_tolerance", lambda share: session.Tolerance(-1.0, share, share, share))
    (tmp_path / "discs.pt2").write_bytes(b"from before")
    with pytest.raises(ParityError):
        export.main([str(trained[0].path), "--format", "torch", "--tolerance", "0", "--output", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_program_of_torch(trained, tmp_path):
    done = export.main([str(trained[0].path), "--format", "torch", "--output", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["discs.pt2"], "image names stay in the run folder"
    extra = {KEY: ""}
    program = torch.export.load(tmp_path / "discs.pt2", extra_files=extra).module()
    assert ModelInfo.model_validate_json(extra[KEY]).name == "discs"
    assert program(torch.zeros(3, 1, 20, 70, dtype=torch.uint8))["probabilities"].shape == (3, 2)
    assert done[0].parity["prepared"]["largest_difference"] < 1e-5


def test_a_hugging_face_folder_answers_exactly_as_its_run(trained, tmp_path):
    done = export.main([str(trained[0].path), "--format", "huggingface", "--output", str(tmp_path)])
    folder = tmp_path / "discs-huggingface"
    assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert done[0].parity["prepared"]["largest_difference"] == 0
    assert list(done[0].parity) == ["prepared"]
    (folder / "notes.txt").write_text("of the user")
    export.main([str(trained[0].path), "--format", "huggingface", "--output", str(tmp_path)])
    assert (folder / "notes.txt").is_file()


def test_what_is_printed(trained, exported, capsys):
    print(export.as_text(exported))
    first, *legs = capsys.readouterr().out.splitlines()
    told = rf"exported: {re.escape(str(exported[0].path))} \(fp32, 0\.\d MB, [\d,]+ images/s on this CPU\)"
    assert re.fullmatch(told, first)
    assert [line.split(":")[0] for line in legs] == ["  prepared images", "  original images"]
    assert all("validation images, largest difference of a probability" in line for line in legs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "torch", "--precision", "int8"], "--precision int8: --format torch has fp32, fp16"),
        (["--format", "huggingface", "--precision", "fp16"], "--format huggingface has fp32"),
        (["--format", "onnx", "--tolerance", "2"], "expected a share from 0 to 1, got 2"),
        (["--format", "onnx", "--output", __file__], "is a file; give a folder"),
        (["--format", "tflite"], "invalid choice: 'tflite'"),
        ([], "--format"),
    ],
)
def test_options_that_cannot_be_met_are_refused_at_once(options, words):
    with pytest.raises(ConfigError) as caught:
        export.main(["nowhere", *options])
    assert len(caught.value.lines) == 1
    assert words in caught.value.lines[0]


def test_missing_packages_are_named_with_their_extra(monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ConfigError, match=r"needs onnxscript: pip install 'medvision-lightning\[onnx\]'"):
        export.main(["nowhere", "--format", "onnx"])


def copy_run(trained, folder, pattern, text):
    """The run, with a part of its experiment changed."""
    shutil.copytree(trained[0].path, folder, ignore=shutil.ignore_patterns("export", "figures", "logs"))
    run = RunFolder(folder)
    changed, count = re.subn(pattern, text, run.experiment.read_text(), flags=re.DOTALL)
    assert count == 1
    run.experiment.write_text(changed)
    return run


def test_without_its_data_set_a_run_is_not_exported(trained, tmp_path):
    folder = copy_run(trained, tmp_path / "run", r"root: [^\n]*", f"root: {tmp_path / 'gone'}")
    with pytest.raises(DataError) as caught:
        export.main([str(folder.path), "--format", "onnx"])
    assert "gone is no folder; the data set is expected there" in caught.value.lines[0]
    assert "its data set is needed" in caught.value.lines[1]
    assert not (folder.path / "export").exists()


def test_baselines_and_folders_of_several_runs_are_refused(trained, tmp_path):
    model = "model: {task: baseline, features: intensity}\noptimizer:"
    folder = copy_run(trained, tmp_path / "run", r"model:\n.*\noptimizer:", model)
    with pytest.raises(RunError, match="a baseline is no network"):
        export.main([str(folder.path), "--format", "onnx"])
    folder.plan.write_text('{"kind": "cross_validation"}')
    with pytest.raises(RunError, match="holds several runs; export one of them, below .*parts"):
        export.main([str(folder.path), "--format", "onnx"])


def test_help_does_not_wait_for_torch():
    code = "import sys; import medvision.export; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["letterbox", "windows"])
def test_masks_in_every_precision(tmp_path, kind):
    options = ["--data.resize=none", "--evaluation.flips=true"] if kind == "windows" else []
    root = write_experiment(tmp_path, KINDS["segmentation"], patients=12)
    done = run(root, root / "runs", *QUICK, "--data.image_size=32", *options)
    precisions = ["fp32", "fp16", "int8"]
    found = export.main([str(done.path), "--format", "onnx", "--precision", *precisions, "--tolerance", "1"])
    assert [one.precision for one in found] == precisions
    assert list(found[0].parity) == (["prepared"] if kind == "windows" else ["prepared", "original"])
    for leg in found[0].parity.values():
        assert min(entry["mean"] for entry in leg["dice"].values() if entry["mean"] is not None) > 0.999
    assert found[0].parity["prepared"]["largest_pixel_difference"] < 1e-4
    images = root / "images" / "images"
    ours, theirs = predict(done, images), predict(found[0].path, images)
    for left, right in zip(ours["mask"], theirs["mask"], strict=True):
        assert left.shape == right.shape
        assert (left == right).mean() > 0.999
    program = export.main([str(done.path), "--format", "torch"])[0]
    assert program.parity["prepared"]["largest_pixel_difference"] < 1e-4


@pytest.mark.slow
def test_tiles_are_compared_one_by_one_and_united_by_who_asks(tmp_path):
    data = {
        "name": "double_contour",
        "image_size": 32,
        "batch_size": 4,
        "tiles": {"rows": 1, "columns": 2},
    }
    root = write_experiment(tmp_path, replace(KINDS["classification"], data=data), evaluation={"aggregate": "max"})
    for old, new in (("class0", "normal"), ("class1", "double_contour")):
        (root / "images" / old).rename(root / "images" / new)
    done = run(root, root / "runs", *QUICK)
    found = export.main([str(done.path), "--format", "onnx"])[0]
    split = read_table(done.split)
    assert found.parity["original"]["images"] == (split["split"] == "val").sum()
    ours, theirs = predict(done, root / "images"), predict(found.path, root / "images")
    columns = [name for name in ours if name.startswith("p_")]
    np.testing.assert_allclose(ours[columns], theirs[columns], atol=1e-5)
    assert list(ours["predicted"]) == list(theirs["predicted"])


def hold_otherwise(files):
    """Make some of the files 16-bit PNG and DICOM of odd sizes; the new names, in the same order."""
    named = []
    for number, file in enumerate(files):
        pixels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        pixels = cv2.resize(pixels, (41 + 2 * number, 77 - number), interpolation=cv2.INTER_LINEAR)
        if number % 3 == 0:
            cv2.imwrite(str(file), pixels.astype(np.uint16) * 257)
        elif number % 3 == 1:
            cv2.imwrite(str(file), pixels)
        else:
            file.unlink()
            file = file.with_suffix(".dcm")
            draw_dicom(file, pixels)
        named.append(file)
    return named


@pytest.mark.slow
def test_several_labels_of_originals_of_all_kinds(tmp_path):
    root = write_experiment(tmp_path, KINDS["classification"])
    files = hold_otherwise(sorted((root / "images").rglob("*.png")))
    table = pd.DataFrame({"image": [file.relative_to(root / "images").as_posix() for file in files]})
    table["scarred"], table["swollen"] = [k % 2 for k in range(len(table))], [k // 2 % 2 for k in range(len(table))]
    table["patient"] = [file.stem.partition("_")[0] for file in files]
    table.to_csv(root / "images" / "labels.csv", index=False)
    (root / "x.yaml").write_text(
        f"name: several\ndata: {{name: table, root: {root / 'images'}, label: [scarred, swollen],\n"
        "  image_size: 32}\nmodel: {task: classification, backbone: two_layer_cnn}\ntrainer: {accelerator: cpu}\n"
    )
    done = fit.main([str(root / "x.yaml"), f"--output={root / 'runs'}", *QUICK])
    found = export.main([str(done.path), "--format", "onnx"])[0]
    assert open_exported(found.path).multilabel
    images = read_table(root / "runs" / "several" / "latest" / "export" / "parity.csv")["image"]
    assert {Path(name).suffix for name in images} == {".png", ".dcm"}
    ours, theirs = predict(done, root / "images"), predict(found.path, root / "images")
    np.testing.assert_allclose(ours["p_scarred"], theirs["p_scarred"], atol=1e-5)
    assert list(ours["predicted"]) == list(theirs["predicted"])
