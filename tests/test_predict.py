import json
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from medvision import fit
from medvision import predict as command
from medvision.config import load_experiment
from medvision.errors import ConfigError, DataError, RunError
from medvision.inference import load_best
from medvision.predict import SkippedImagesError, predict
from medvision.runs import read_table
from medvision.training import build_datamodule
from medvision.training_range import write_training_range
from tests.kinds import KINDS, run, write_experiment

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that knows its training images, and the folder of its images."""
    root = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    done = run(root, root / "runs", *QUICK)
    experiment = load_experiment([str(done.experiment)], [])
    data = build_datamodule(experiment)
    write_training_range(experiment, done, data, load_best(experiment, done, data))
    return done, root / "images"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A run for masks and labels at once, and the folder of its images."""
    root = write_experiment(tmp_path_factory.mktemp("both"), KINDS["segmentation"], patients=12)
    files = sorted((root / "images" / "images").glob("*.png"))
    masks = [cv2.imread(str(file.parents[1] / "masks" / file.name), cv2.IMREAD_UNCHANGED) for file in files]
    table = pd.DataFrame({"image": [f"images/{file.name}" for file in files]})
    table["outline"] = table["image"].str.replace("images/", "masks/")
    table["kind"] = ["with bar" if mask.max() == 2 else "without" for mask in masks]
    table["patient"] = [file.stem.partition("_")[0] for file in files]
    table.to_csv(root / "images" / "labels.csv", index=False)
    (root / "both.yaml").write_text(
        "name: both\nseed: 3\n"
        f"data: {{name: table, root: {root / 'images'}, mask: outline, label: kind, image_size: 64,\n"
        "  batch_size: 8, mask_values: {0: background, 1: disc, 2: bar}}\n"
        "model: {task: multitask, encoder: tu-test_resnet}\n"
        "split: {val: 0.3, test: 0.3}\ntrainer: {accelerator: cpu}\n"
    )
    done = fit.main([str(root / "both.yaml"), f"--output={root / 'runs'}", *QUICK])
    return done, root / "images"


def test_the_command_writes_what_the_function_returns(trained, tmp_path, capsys):
    folder, images = trained
    output = tmp_path / "answers"
    answers = command.main([str(folder.path), str(images), "--output", str(output)])
    pd.testing.assert_frame_equal(answers.images, predict(folder.path, images))
    pd.testing.assert_frame_equal(
        pd.read_csv(output / "predictions.csv", keep_default_na=False), answers.images, check_dtype=False
    )
    text = capsys.readouterr().out
    assert f"answers: {output}" in text
    assert "of 36 images are among those that the run has learned from" in text
    assert (answers.images["unlike"] == "").all(), "they are its own"


def test_paths_arrays_and_lists_of_both_are_answered_alike(trained):
    folder, images = trained
    files = sorted((images / "class0").iterdir())[:2]
    arrays = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
    one = predict(folder, files[0])
    pd.testing.assert_frame_equal(one, predict(str(folder.path), str(files[0])))
    several = predict(folder, files)
    assert list(several["image"]) == [str(file) for file in files]
    assert several["p_class1"][0] == pytest.approx(one["p_class1"][0], abs=1e-6)
    mixed = predict(folder, [files[0], arrays[1]])
    assert list(mixed["image"]) == [str(files[0]), "array 0"]
    told = ["image", "trained_on"]
    pd.testing.assert_frame_equal(mixed.drop(columns=told), several.drop(columns=told))
    pd.testing.assert_frame_equal(predict(folder, arrays[0]).drop(columns=told), one.drop(columns=told))
    assert list(mixed["trained_on"]) == [several["trained_on"][0], None]
    deep = predict(folder, arrays[0].astype(np.uint16) * 257)
    assert deep["p_class1"][0] == pytest.approx(one["p_class1"][0], abs=1e-6)
    assert deep["unlike"][0] == "16-bit grey, in training 8-bit grey"


def test_other_images_are_called_unlike(trained):
    white = np.full((300, 32), 255, np.uint8)
    said = predict(trained[0], white)["unlike"][0]
    assert "32 x 300 pixels" in said
    assert "times as wide as high" in said
    assert "features" in said


def test_images_that_cannot_be_read_are_listed_and_end_with_3(trained, tmp_path, capsys):
    folder, images = trained
    good = next((images / "class0").iterdir())
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(good.read_bytes()[:100])
    output = tmp_path / "answers"
    arguments = [str(folder.path), str(tmp_path / "a.png"), str(good), str(tmp_path / "b.png"), "--output", str(output)]
    with pytest.raises(SkippedImagesError) as caught:
        command.main(arguments)
    assert caught.value.exit_code == 3
    assert caught.value.lines[0] == (f"2 of 3 images cannot be read and were left out; {output}/skipped.csv lists them")
    assert [line.split(":")[0] for line in caught.value.lines[1:]] == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]
    assert read_table(output / "predictions.csv")["image"].tolist() == [str(good)]
    assert len(read_table(output / "skipped.csv")) == 2
    assert str(good) in capsys.readouterr().out
    with pytest.raises(DataError) as refused:
        predict(folder, [tmp_path / "a.png", good])
    assert len(refused.value.lines) == 1
    assert len(predict(folder, [tmp_path / "a.png", good], on_bad_image="skip")) == 1


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_tables_can_be_printed(trained, capsys, kind):
    folder, images = trained
    answers = command.main([str(folder.path), str(images / "class1"), "--format", kind])
    text = capsys.readouterr().out
    if kind == "json":
        assert [row["image"] for row in json.loads(text)] == list(answers.images["image"])
    else:
        assert text.splitlines()[0] == ",".join(answers.images)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ([], ConfigError, "the following arguments are required: RUN, IMAGES"),
        (["RUN"], ConfigError, "the following arguments are required: IMAGES"),
        (["RUN", "IMAGE", "--outputs=a"], ConfigError, "did you mean '--output'"),
        (["RUN", "IMAGE", "--output=a.csv"], ConfigError, "--output: a.csv looks like a file; give a folder"),
        (["RUN", "IMAGE", "--output=IMAGE"], ConfigError, "is a file; give a folder"),
        (["RUN", "IMAGE", "--output=FOLDER"], ConfigError, "holds other files"),
        (["RUN", "IMAGE", "--gradcam", "--overlay"], ConfigError, "--overlay, --gradcam: needs a folder"),
        (["RUN", "IMAGE", "--format=parquet"], ConfigError, "--format parquet: needs a folder"),
        (["RUN", "IMAGE", "--format=xlsx"], ConfigError, "invalid choice: 'xlsx'"),
        (["RUN", "IMAGE", "--overlay", "--output=new"], ConfigError, "--overlay: this run draws no masks"),
        (["absent", "IMAGE"], RunError, "absent: no such run folder"),
        (["RUN", "absent.png"], DataError, "absent.png: no such file"),
    ],
)
def test_a_mistake_is_one_line(trained, tmp_path, monkeypatch, options, error, words):
    folder, images = trained
    monkeypatch.chdir(tmp_path)
    image = str(next((images / "class0").iterdir()))
    named = {"RUN": str(folder.path), "IMAGE": image, "--output=IMAGE": f"--output={image}"}
    named["--output=FOLDER"] = f"--output={images}"
    with pytest.raises(error) as caught:
        command.main([named.get(option, option) for option in options])
    assert len(caught.value.lines) == 1
    assert words in caught.value.lines[0]
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_answers_in_the_folder_of_the_images_are_not_asked_about(trained, tmp_path):
    folder, images = trained
    file = next((images / "class0").iterdir())
    (tmp_path / "a.png").write_bytes(file.read_bytes())
    arguments = [str(folder.path), str(tmp_path), "--output", str(tmp_path / "answers"), "--gradcam"]
    for _ in range(2):
        assert list(command.main(arguments).images["image"]) == [f"{tmp_path}/a.png"]
    assert (tmp_path / "answers" / "gradcam" / "a.jpg").is_file()


def test_masks_and_classes_of_one_network_come_together(both, tmp_path):
    done, images = both
    rows = read_table(done.predictions)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    found = predict(done, [images / name for name in rows["image"]], output=tmp_path / "a", overlay=True, gradcam=True)
    assert list(found["p_without"]) == list(rows["p_without"])
    assert list(found["predicted"]) == list(rows["predicted"])
    assert list(found["area_disc"]) == list(rows["area_disc"])
    for ours, theirs in zip(found["mask"], rows["mask"], strict=True):
        left, right = (
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (tmp_path / "a" / ours, done.path / theirs)
        )
        np.testing.assert_array_equal(left, right)
    for name in ("masks", "overlays", "gradcam"):
        assert len(list((tmp_path / "a" / name).iterdir())) == len(rows)


def test_help_does_not_wait_for_torch():
    code = "import sys; import medvision.predict; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


KILLED = """
import os, signal, sys
from medvision import predict
from medvision.answering.folder import AnswerFolder

add, calls = AnswerFolder.add, []

def count(folder, records):
    add(folder, records)
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

AnswerFolder.add = count
predict.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_process_that_was_killed_goes_on_with_the_same_command(trained, tmp_path):
    folder, images = trained
    output = tmp_path / "answers"
    arguments = [str(folder.path), str(images), "--output", str(output)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False)
    assert done.returncode == -9
    assert len((output / "progress.jsonl").read_text().splitlines()) == 16
    assert not (output / "predictions.csv").exists()
    again = subprocess.run(
        [sys.executable, "-m", "medvision.predict", *arguments], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert len((output / "progress.jsonl").read_text().splitlines()) == 36
    assert list(read_table(output / "predictions.csv")["p_class1"]) == list(predict(folder, images)["p_class1"])


@pytest.mark.slow
def test_a_file_that_cannot_be_read_ends_the_process_with_3(trained, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    arguments = [str(trained[0].path), str(tmp_path / "a.png")]
    done = subprocess.run(
        [sys.executable, "-m", "medvision.predict", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("medvision: 1 of 1 images cannot be read and were left out")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_real_images_get_the_answers_of_their_run_exactly(medvision_data, tmp_path):
    (tmp_path / "real.yaml").write_text(
        f"name: real\ndata: {{name: hip_us, root: {medvision_data / 'hip_us'}, image_size: 64, channels: 3}}\n"
        "model: {task: classification, backbone: two_layer_cnn}\nsplit: {group: image, stratify: label}\n"
        "trainer: {max_epochs: 1, accelerator: cpu}\nevaluation: {resamples: 0}\n"
    )
    done = fit.main([str(tmp_path / "real.yaml"), f"--output={tmp_path}"])
    rows = read_table(done.predictions)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    found = predict(done, [medvision_data / "hip_us" / name for name in rows["image"]])
    for name in (column for column in rows if column.startswith("p_")):
        assert list(found[name]) == list(rows[name])
    assert list(found["predicted"]) == list(rows["predicted"])
    assert not found["trained_on"].any()
