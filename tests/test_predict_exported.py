"""`predict` asks an exported model as it asks the run that the model comes from."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from medvision import export
from medvision import predict as command
from medvision.errors import ConfigError, ModelError, RunError
from medvision.predict import predict
from medvision.runs import read_table
from tests.answering.graphs import write_graph
from tests.answering.infos import info
from tests.kinds import KINDS, run, write_experiment

pytest.importorskip("onnxruntime", reason="the extra onnx")

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")
# Of float32 sums in another order.
TOLERANCE = 1e-4


def images():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (20, 30), dtype=np.uint8) for _ in range(3)]


def test_a_file_is_asked_in_python_and_by_the_command(tmp_path, capsys):
    file = write_graph(tmp_path / "a.onnx", "probabilities", "mask_probabilities")
    found = predict(file, images())
    pd.testing.assert_frame_equal(predict(str(file), images()), found)
    # Of 8 rows of the square, 5 show the image and 3 are black.
    expected = [5 / 8 * image.mean() / 255 for image in images()]
    np.testing.assert_allclose(found["p_bright"], expected, atol=0.01)
    (tmp_path / "scans").mkdir()
    cv2.imwrite(str(tmp_path / "scans" / "a.png"), images()[0])
    answers = command.main([str(file), str(tmp_path / "scans"), "--output", str(tmp_path / "out"), "--overlay"])
    assert answers.images["p_bright"][0] == found["p_bright"][0]
    assert read_table(tmp_path / "out" / "predictions.csv")["trained_on"].isna().all()
    assert "SIMULATED" in capsys.readouterr().out
    for name in ("masks/a.png", "overlays/a.jpg"):
        assert (tmp_path / "out" / name).is_file()


def test_answers_of_another_precision_do_not_mix_in_one_folder(tmp_path):
    first, second = (write_graph(tmp_path / f"{gain}.onnx", gain=gain) for gain in (0.5, 0.6))
    predict(first, images(), output=tmp_path / "out")
    with pytest.raises(ConfigError, match="out"):
        predict(second, images(), output=tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("absent.onnx", ModelError, "absent.onnx: no such file"),
        ("notes.txt", ConfigError, "is a file; expected a run folder, an exported folder, or an .onnx file"),
        ("network.pt2", ConfigError, "is a file; expected a run folder"),
        ("hub", ModelError, "no model of medvision, it has no 'medvision'"),
        ("empty", RunError, "no run folder"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, name, error, words):
    for file in ("notes.txt", "network.pt2"):
        (tmp_path / file).write_text("hello")
    for folder in ("hub", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "hub" / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(error, match=words) as caught:
        command.main([str(tmp_path / name), __file__])
    assert len(caught.value.lines) == 1


def test_a_network_that_says_no_probability_ends_the_command_in_one_line(tmp_path):
    write_graph(tmp_path / "a.onnx", about=info(), gain=4.0)
    with pytest.raises(ModelError, match="says probabilities from -"):
        predict(tmp_path / "a.onnx", images())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_export_of_a_run_answers_as_the_run_does(kind, tmp_path):
    root = write_experiment(tmp_path, KINDS[kind], patients=12)
    done = run(root, root / "runs", *QUICK)
    for name in ("onnx", "huggingface"):
        export.main([str(done.path), "--format", name, "--output", str(tmp_path / "handed_on")])
    expected = predict(done, root / "images")
    exported = {path.suffix or "folder": path for path in (tmp_path / "handed_on").iterdir()}
    assert set(exported) == {".onnx", "folder"}
    for name, path in exported.items():
        found = predict(path, root / "images")
        assert list(found) == list(expected)
        for column in (column for column in expected if column.startswith("p_")):
            np.testing.assert_allclose(found[column], expected[column], atol=TOLERANCE if name == ".onnx" else 0)
        assert list(found["unlike"] == "") == list(expected["unlike"] == "")
        for ours, theirs in zip(found.get("mask", []), expected.get("mask", []), strict=True):
            assert (ours != theirs).mean() < TOLERANCE
    process = [
        sys.executable,
        "-m",
        "medvision.predict",
        str(exported[".onnx"]),
        str(root / "images"),
        "--format",
        "csv",
    ]
    told = subprocess.run(process, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0].startswith("image,")
