"""Attacks by name, each with a file that somebody else has made. A canary file tells whether code was run."""

import io
import os
import pickle
import time
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
import yaml
from PIL import Image

from medvision import report
from medvision.config import find_class, load_experiment
from medvision.config.yaml_file import MOST_BYTES, read_values
from medvision.data.augmentation import augmentation
from medvision.data.images import read_image
from medvision.data.mask_files import read_codes
from medvision.data.table import normalise_table
from medvision.datamodules.medmnist import MedMNIST
from medvision.errors import ConfigError, DataError, ImageError, ModelError, RunError
from medvision.inference import load_weights
from medvision.models.checkpoints import read_checkpoint
from medvision.models.estimators import Estimator
from medvision.models.weights import read_weights
from medvision.runs import RunFolder, open_run, read_json, read_table, replace_text, write_json, write_table
from tests.finished_runs import write_finished_run
from tests.security import seeds
from tests.security.fuzzing import limited


class Harmless:
    """Of a type that no saved estimator holds."""

    def __init__(self):
        self.number = 1


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def canary(tmp_path):
    """A file that an attack would make."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "code was run"


# Checkpoints


@pytest.mark.parametrize("whole", [True, False], ids=["everything", "state dict"])
def test_a_checkpoint_runs_no_code(tmp_path, canary, whole):
    payload = Payload(f"touch {canary}")
    torch.save(payload if whole else {"state_dict": {"weight": payload}}, tmp_path / "best.ckpt")
    with pytest.raises(RunError, match="refused: it holds more than tensors and plain values"):
        read_checkpoint(tmp_path / "best.ckpt")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_weights(str(tmp_path / "best.ckpt"))


def test_a_bare_pickle_is_no_checkpoint(tmp_path, canary):
    (tmp_path / "best.ckpt").write_bytes(pickle.dumps(Payload(f"touch {canary}")))
    with pytest.raises(RunError, match="no checkpoint of PyTorch"):
        read_checkpoint(tmp_path / "best.ckpt")


def test_a_checkpoint_takes_no_more_memory_than_its_file(tmp_path):
    class Greedy:
        def __reduce__(self):
            return bytearray, (10**12,)

    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, "more": Greedy()}, path)
    with pytest.raises(RunError, match="holds no bytearray"):
        read_checkpoint(path)
    torch.save({"state_dict": {"weight": torch.zeros(10**6)}}, path)
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in archive.infolist():
            packed.writestr(member.filename, archive.read(member))
    assert path.stat().st_size < 0.1 * len(content)
    with pytest.raises(RunError, match="does not compress"):
        read_checkpoint(path)


def test_a_tensor_that_claims_to_be_large_does_not_fit(tmp_path):
    path, network = tmp_path / "best.ckpt", torch.nn.Linear(3, 2)
    torch.save({"state_dict": {"weight": torch.zeros(1).expand(10**12), "bias": torch.zeros(2)}}, path)
    assert path.stat().st_size < 10_000
    with limited(10), pytest.raises(RunError, match="not the weights of the network"):
        load_weights(network, read_checkpoint(path), RunFolder(tmp_path))


def test_a_saved_estimator_runs_no_code(canary):
    for content in (
        skops.io.dumps({"scaler": os.system, "members": [f"touch {canary}"]}),
        skops.io.dumps({"scaler": Harmless(), "members": []}),
        pickle.dumps(Payload(f"touch {canary}")),
    ):
        with pytest.raises(ModelError, match="cannot be read"):
            Estimator("svm", 2).load_bytes(content)


def fitted(name):
    random = np.random.default_rng(1)
    estimator = Estimator(name, 2)
    estimator.fit(random.normal(size=(60, 4)), random.integers(0, 2, 60))
    return estimator


def test_a_saved_estimator_is_one_that_is_fitted_here():
    for name in ("logistic_regression", "svm", "gradient_boosting", "nearest_neighbours", "kmeans"):
        other = Estimator(name, 2)
        other.load_bytes(fitted(name).to_bytes())
        assert other.fitted
    estimator = fitted("logistic_regression")
    with pytest.raises(ModelError, match="none of the classifiers"):
        Estimator("svm", 2).load_bytes(
            skops.io.dumps({"scaler": estimator._scaler, "members": [estimator._scaler]}),
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nodes: nodes["left"].__setitem__(0, 0), "branches that lead nowhere"),
        (lambda nodes: nodes["right"].__setitem__(0, 10**6), "branches that lead nowhere"),
        (lambda nodes: nodes["feature_idx"].__setitem__(0, 4), "a feature that is not there"),
        (lambda nodes: nodes["is_categorical"].__setitem__(0, 1), "asks for categories"),
    ],
    ids=["a circle", "beyond the end", "feature", "categories"],
)
def test_trees_lead_somewhere(change, words):
    estimator = fitted("gradient_boosting")
    change(estimator._members[0]._predictors[0][0].nodes)
    content = skops.io.dumps({"scaler": estimator._scaler, "members": estimator._members})
    with pytest.raises(ModelError, match=words):
        Estimator("gradient_boosting", 2).load_bytes(content)


# YAML


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system ''", "!!python/module:os {{x: '{}'}}"],
)
def test_a_tag_of_yaml_runs_no_code(tmp_path, canary, tag):
    path = written(tmp_path / "a.yaml", f"name: knee\nquestion: {tag.format(canary)}\n")
    for read in (read_values, lambda file: load_experiment([file], [])):
        with pytest.raises(ConfigError, match="a.yaml:2"):
            read(path)
    pipeline = written(tmp_path / "pipeline.yaml", f"transform: {tag.format(canary)}\n")
    with pytest.raises(ConfigError, match="cannot be read as YAML or JSON: .*the tag"):
        augmentation(str(pipeline), 32)


def laughs(levels=30):
    lines = ["a0: &a0 [lol, lol]"] + [f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (laughs(), "more than 10000 values"),
        ("a: " + "[" * 20_000 + "]" * 20_000, "nested too deeply"),
        ("a: " + "{b: " * 20_000, "nested too deeply|not valid YAML"),
        ("a: &a [*a]", "contains itself"),
        ("a: 1\n" * 200_000, f"more than {MOST_BYTES} bytes"),
    ],
    ids=["billion laughs", "brackets", "braces", "itself", "large"],
)
def test_yaml_is_bounded(tmp_path, text, words):
    path = written(tmp_path / "a.yaml", text)
    with limited(10), pytest.raises(ConfigError, match=words):
        read_values(path)


def test_an_augmentation_file_is_bounded(tmp_path):
    text = f"{laughs()}\ntransform: {{transforms: *a29, __class_fullname__: Compose}}\n"
    path = written(tmp_path / "pipeline.yaml", text)
    with limited(10), pytest.raises(ConfigError, match="more than 10000 values"):
        augmentation(str(path), 32)


def test_a_run_folder_is_told_nothing_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    run = write_finished_run(tmp_path / "run")
    text = yaml.safe_dump({**yaml.safe_load(run.experiment.read_text()), "question": "${SECRET_TOKEN}"})
    run.experiment.write_text(text)
    assert read_values(run.experiment)["question"] == "${SECRET_TOKEN}"
    with pytest.raises(RunError, match=r"names an environment variable, \$\{SECRET_TOKEN\}"):
        open_run(run.path)
    run.experiment.write_text(text.replace("${", "$${"))
    assert open_run(run.path).path == run.path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os:system", "no class 'system' in os"),
        ("subprocess:Popen", "Popen is not a LightningDataModule"),
        ("medvision.no_such_module:X", "no module"),
        ("../evil:X", "none of"),
        ("os.path:join('a')", "none of"),
    ],
)
def test_a_name_in_an_experiment_calls_nothing(tmp_path, name, words, canary):
    path = written(tmp_path / "a.yaml", f"name: knee\ndata: {{name: {name!r}, root: 'touch {canary}'}}\n")
    with pytest.raises(ConfigError, match=words):
        load_experiment([path], [])
    if ":" in name and "(" not in name and "/" not in name:
        with pytest.raises(ConfigError):
            find_class("data", name)


# JSON


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 100_000, "9" * 10_000, '{"a": NaN}', "\ud800", '{"a": 1', "", "\0"]
)
def test_json_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "metrics.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with limited(10), pytest.raises(RunError, match=r"metrics\.json: (damaged|cannot be read)"):
        read_json(tmp_path / "metrics.json")


# Archives and arrays


def archive(path, **changes):
    some = {"train_images": np.zeros((2, 4, 4), np.uint8), "train_labels": np.array([[0], [1]])}
    for split in ("val", "test"):
        some |= {f"{split}_images": some["train_images"], f"{split}_labels": some["train_labels"]}
    np.savez_compressed(path, **{**some, **changes})
    return MedMNIST(root=str(path.parent), file=path.name)


def test_an_npz_runs_no_code(tmp_path, canary):
    evil = np.array([Payload(f"touch {canary}")], dtype=object)
    with pytest.raises(DataError, match="cannot be read as an .npz archive: Object arrays"):
        archive(tmp_path / "a.npz", train_labels=evil).read_table()


def test_an_npz_writes_no_file(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    data = archive(folder / "a.npz")
    with zipfile.ZipFile(folder / "a.npz", "a") as opened:
        opened.writestr("../../slipped.npy", seeds.arrays()[0])
    assert len(data.read_table()) == 6
    assert not list(tmp_path.rglob("slipped*"))


def test_an_npz_that_unfolds_is_refused(tmp_path):
    data = archive(tmp_path / "a.npz", more=np.zeros(3 * 10**8, np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 10**6
    with pytest.raises(DataError, match="that unfold into"):
        data.read_table()


@pytest.mark.parametrize("shape", [(10**6, 10**6), (3, 10**12), (-1, 5), (2**63, 2)])
def test_an_array_that_claims_to_be_large_is_refused(tmp_path, shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    (tmp_path / "a.npy").write_bytes(file.getvalue())
    with limited(10), pytest.raises(ImageError):
        read_codes(tmp_path / "a.npy", None, False)


# Images


def chunk(kind, content):
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def test_an_image_that_claims_to_be_large_is_refused(tmp_path):
    for width, height in ((2**31 - 1, 2**31 - 1), (9_000, 9_000)):
        header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**5))) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        with limited(10), pytest.raises(ImageError, match="pixels"):
            read_image(tmp_path / "a.png", 1)


def test_a_text_in_an_image_that_unfolds_is_refused(tmp_path):
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**8)))
    (tmp_path / "a.png").write_bytes(file.getvalue()[:33] + bomb + file.getvalue()[33:])
    with limited(10), pytest.raises(ImageError, match="damaged or truncated: Decompressed data too large"):
        read_image(tmp_path / "a.png", 1)


def test_a_deflated_dicom_that_unfolds_is_refused(tmp_path):
    pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
    content = seeds.dicoms(tmp_path)[2]
    start = 132 + 12 + int.from_bytes(content[140:144], "little")
    inflated = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(inflated) + b"".join(deflate.compress(bytes(2**24)) for _ in range(20)) + deflate.flush()
    (tmp_path / "a.dcm").write_bytes(content[:start] + packed)
    with limited(20), pytest.raises(ImageError, match="unfolds into more than 256 MiB"):
        read_image(tmp_path / "a.dcm", 1)


# Paths


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "x\\..\\..\\a.png", ".."])
@pytest.mark.parametrize("column", ["image", "mask"])
def test_a_table_names_no_file_outside_its_folder(name, column):
    table = pd.DataFrame({"image": ["a.png", "b.png"], "label": ["x", "y"], "mask": ["m.png", "fat=n.png|o.png"]})
    assert list(normalise_table(table, "t.csv")["image"]) == ["a.png", "b.png"]
    table.loc[1, column] = name if column == "image" else f"fat=n.png|bone={name}"
    with pytest.raises(DataError, match="t.csv: paths that lead out of the folder of the data set"):
        normalise_table(table, "t.csv")


def test_a_picture_outside_the_run_folder_does_not_enter_its_report(tmp_path):
    run = write_finished_run(tmp_path / "run")
    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(RunError, match="lies outside the run folder"):
            run.inside(name)
    assert run.inside("figures/a.png") == run.path / "figures/a.png"


@pytest.mark.parametrize("name", ["figures", "report.html", ".report.html.part", "masks/x.png", "parts/fold-0"])
def test_a_link_out_of_a_run_folder_is_refused(tmp_path, name):
    run = write_finished_run(tmp_path / "run")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("mine")
    path = run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rmdir()
    path.symlink_to(victim if name in ("figures", "parts/fold-0") else victim / "kept")
    for act in (lambda: open_run(run.path), lambda: report.main([str(run.path)])):
        with pytest.raises(RunError, match="is a link out of the run folder"):
            act()
    assert [file.name for file in victim.iterdir()] == ["kept"]
    assert (victim / "kept").read_text() == "mine"


def test_a_link_within_a_run_folder_and_those_of_loggers_are_allowed(tmp_path):
    run = write_finished_run(tmp_path / "run")
    (run.path / "figures" / "same.json").symlink_to(run.environment)
    run.logs.mkdir()
    (run.logs / "debug.log").symlink_to(tmp_path / "elsewhere.log")
    assert open_run(run.path).path == run.path


def test_a_file_is_not_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".a.json.part").symlink_to(victim)
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / ".b.csv.part").symlink_to(victim)
    write_table(tmp_path / "b.csv", pd.DataFrame({"a": [1]}))
    (tmp_path / "c.txt").symlink_to(victim)
    replace_text(tmp_path / "c.txt", "new")
    assert victim.read_text() == "mine"
    assert (tmp_path / "c.txt").read_text() == "new"


def test_latest_leads_to_a_run_beside_it_and_never_in_a_circle(tmp_path):
    run = write_finished_run(tmp_path / "outside" / "run")
    folder = tmp_path / "runs" / "knee"
    folder.mkdir(parents=True)
    (folder / "latest").write_text(f"../../outside/{run.path.name}")
    with pytest.raises(RunError, match="no such run folder"):
        open_run(folder / "latest")
    (folder / "latest").unlink()
    (folder / "latest").symlink_to(".")
    with limited(10), pytest.raises(RunError, match="no run folder"):
        open_run(folder)


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "..", "a/b", ""])
def test_the_parts_of_a_folder_lie_within_it(tmp_path, name):
    plan = {"kind": "cross_validation", "folds": 1, "repeats": 1, "choose": {}, "parts": [name]}
    write_json(tmp_path / "plan.json", plan)
    with pytest.raises(RunError, match=r"plan\.json: damaged"):
        read_json(tmp_path / "plan.json")
    write_json(tmp_path / "folds.json", {"parts": {name: {}}})
    with pytest.raises(RunError, match=r"folds\.json: damaged"):
        read_json(tmp_path / "folds.json")


# Spreadsheets


FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "'=already"]


def test_no_cell_begins_as_a_formula_and_none_is_changed(tmp_path):
    table = pd.DataFrame({"image": FORMULAS, "=note": FORMULAS, "p_x": -0.5, "text": ["-1.5"] * len(FORMULAS)})
    write_table(tmp_path / "t.csv", table)
    cells = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    for column in ("image", "'=note"):
        assert not cells[column].str.match(r"[=+\-@\t\r]").any()
    assert list(cells["text"]) == ["-1.5"] * len(FORMULAS)
    again = read_table(tmp_path / "t.csv")
    assert list(again.columns) == list(table.columns)
    assert list(again["image"]) == list(again["=note"]) == FORMULAS
    assert (again["p_x"] == -0.5).all()


def test_other_text_is_written_as_it_is(tmp_path):
    table = pd.DataFrame({"image": ["it's", "a=b", "''", "5-3"], "patient": ["'", "007", "", "x+y"]})
    write_table(tmp_path / "t.csv", table)
    assert pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False).equals(table.astype("str"))
    assert read_table(tmp_path / "t.csv").to_dict("list") == table.to_dict("list")


def test_reading_many_long_lines_takes_no_longer_than_it_should(tmp_path):
    path = written(tmp_path / "t.csv", "image,target\n" + "a" * 10**6 + ",b\n" + '"' + "x" * 10**6)
    start = time.perf_counter()
    with pytest.raises(RunError, match="damaged, not a CSV table"):
        read_table(path)
    assert time.perf_counter() - start < 10
