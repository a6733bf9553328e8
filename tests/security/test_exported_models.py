"""Exported models that somebody else has made: ONNX files and folders as the Hugging Face Hub has them."""

import json
import os
import pickle

import numpy as np
import pytest

from medvision import predict as command
from medvision.answering import exported
from medvision.answering.exported import open_exported
from medvision.errors import ConfigError, ModelError
from medvision.exporting.huggingface import open_huggingface
from tests.answering.graphs import make_graph, write_graph
from tests.answering.infos import info
from tests.security import seeds
from tests.security.fuzzing import attempt, run_many

onnx = pytest.importorskip("onnx", reason="the extra onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx")

ALL = ("probabilities", "mask_probabilities", "features")
INPUTS = {"few": 200, "many": 10_000}
AMOUNTS = ["few", pytest.param("many", marks=pytest.mark.slow)]
EDGES = (0, -1, 1, 2, 3, 7, 8, 2**31 - 1, 2**31, 2**62, -(2**62), 10**6)


def line_of(read, *arguments):
    """The one line in which something is refused."""
    with pytest.raises((ModelError, ConfigError)) as caught:
        read(*arguments)
    (line,) = caught.value.lines
    assert "\n" not in line
    assert len(line) < 1000
    return line


# Weights elsewhere


def with_weights_elsewhere(location, nested=False):
    """A graph that keeps a tensor in another file: among its weights, or within an operator."""
    model = make_graph()
    tensor = onnx.TensorProto(name="elsewhere", data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    if nested:
        inner = onnx.helper.make_graph([], "inner", [], [onnx.helper.make_tensor_value_info("elsewhere", 1, [1])])
        inner.initializer.append(tensor)
        node = onnx.helper.make_node("If", ["yes"], ["found"], then_branch=inner, else_branch=inner)
        model.graph.initializer.append(onnx.helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True]))
        model.graph.node.append(node)
    else:
        model.graph.initializer.append(tensor)
    return model


@pytest.mark.parametrize("nested", [False, True], ids=["weights", "within an operator"])
@pytest.mark.parametrize("where", ["absolute", "../secret.bin", "beside.bin", "a/../../secret.bin"])
def test_weights_in_another_file_are_never_read(tmp_path, where, nested, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (tmp_path / "secret.bin", folder / "beside.bin"):
        path.write_bytes(np.float32(0.5).tobytes())
    monkeypatch.chdir(folder)
    location = str(tmp_path / "secret.bin") if where == "absolute" else where
    write_graph(folder / "a.onnx", model=with_weights_elsewhere(location, nested))
    opened = []
    whole = exported._read(folder / "a.onnx")
    monkeypatch.setattr(exported, "_read", lambda file: opened.append(file) or whole)
    monkeypatch.setattr(exported, "OnnxNetwork", lambda *given: pytest.fail("was run"))
    assert "refused: keeps its weights in another file" in line_of(open_exported, folder / "a.onnx")
    assert opened == [folder / "a.onnx"]


def test_a_tensor_that_names_a_file_without_saying_so_is_refused(tmp_path):
    model = with_weights_elsewhere("../secret.bin")
    model.graph.initializer[-1].data_location = onnx.TensorProto.DEFAULT
    write_graph(tmp_path / "a.onnx", model=model)
    assert "refused: keeps its weights in another file ('../secret.bin')" in line_of(open_exported, tmp_path / "a.onnx")


# Operators


def test_operators_of_others_are_refused(tmp_path):
    for domain, kind in (("ai.evil", "Run"), ("com.microsoft", "EPContext"), ("ai.onnx.contrib", "PyOp")):
        model = make_graph()
        model.graph.node.append(onnx.helper.make_node(kind, ["mean"], ["more"], domain=domain))
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
        write_graph(tmp_path / "a.onnx", model=model)
        assert f"refused: {domain}.{kind} is no operator of standard ONNX" in line_of(
            open_exported, tmp_path / "a.onnx"
        )


def test_functions_in_a_file_are_refused(tmp_path):
    node = onnx.helper.make_node("Twice", ["x"], ["y"], domain="mine")
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("mine", 1)]
    model = make_graph()
    model.functions.append(onnx.helper.make_function("mine", "Twice", ["x"], ["y"], [node], opsets))
    write_graph(tmp_path / "a.onnx", model=model)
    assert "refused: mine.Twice is no operator of standard ONNX" in line_of(open_exported, tmp_path / "a.onnx")


def test_a_graph_that_asks_for_all_memory_is_one_line(tmp_path):
    model = make_graph()
    model.graph.initializer.append(onnx.helper.make_tensor("much", onnx.TensorProto.INT64, [2], [2**31, 2**31]))
    model.graph.node.append(onnx.helper.make_node("ConstantOfShape", ["much"], ["more"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("more", 1, None))
    write_graph(tmp_path / "a.onnx", model=model)
    assert "its graph fails for inputs of 2 x 1 x 8 x 8" in line_of(open_exported, tmp_path / "a.onnx")


# Files


def test_files_of_another_kind_are_one_line(tmp_path):
    file = tmp_path / "a.onnx"
    assert line_of(open_exported, file) == f"{file}: no such file"
    for content, words in (
        (b"", "no model of medvision"),
        (b"\x80\x04K\x01.", "damaged, or no ONNX file"),
        (pickle.dumps(os.getcwd), "damaged, or no ONNX file"),
        (write_graph(tmp_path / "b.onnx").read_bytes()[:-100], "damaged, or no ONNX file"),
    ):
        file.write_bytes(content)
        assert words in line_of(open_exported, file)


def test_a_file_that_tells_nothing_or_twice_is_one_line(tmp_path):
    model = make_graph()
    onnx.save(model, tmp_path / "a.onnx")
    assert "its metadata do not tell what it is; python -m medvision.export" in line_of(
        open_exported, tmp_path / "a.onnx"
    )
    for _ in range(2):
        model.metadata_props.add(key="medvision", value=info().model_dump_json())
    onnx.save(model, tmp_path / "a.onnx")
    assert "no model of medvision" in line_of(open_exported, tmp_path / "a.onnx")


def test_a_file_larger_than_onnx_allows_is_not_read(tmp_path):
    with (tmp_path / "a.onnx").open("wb") as file:
        file.truncate(exported.MOST_BYTES + 1)
    assert "an ONNX file has at most 2,147,483,647" in line_of(open_exported, tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["network.pt2", "network.ckpt", "network.pkl"])
def test_files_that_hold_pickles_are_not_opened(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(os.getcwd))
    assert "is a file; expected a run folder, an exported folder, or an .onnx file" in line_of(
        command.main, [str(tmp_path / name), str(tmp_path / name)]
    )


# Folders


@pytest.fixture
def folder(tmp_path):
    """Whose network is tiny."""
    return seeds.write_exported_folder(tmp_path / "folder")


def test_it_opens_as_it_is(folder):
    said = open_huggingface(folder).members[0].network.ask(np.zeros((1, 1, 8, 8), np.uint8))
    assert said["probabilities"].shape == (1, 2)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "pytorch_model.pkl"])
def test_weights_in_a_pickle_are_not_read(folder, tmp_path, name):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'canary'}",)

    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Payload()))
    assert "weights in pickles are not read" in line_of(open_huggingface, folder)
    (folder / name).rename(folder / "model.safetensors")
    assert "do not fit together" in line_of(open_huggingface, folder)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links_out_of_the_folder_are_not_followed(folder, tmp_path, name):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert f"{name}: is a link out of the folder" in line_of(open_huggingface, folder)


def test_classes_of_others_are_not_imported(folder, tmp_path, monkeypatch):
    (tmp_path / "lab_nets.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nclass Ours: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = json.loads((folder / "config.json").read_text())
    for place in (config["medvision"], config["medvision"]["experiment"]["model"]):
        place["task"] = "lab_nets:Ours"
        (folder / "config.json").write_text(json.dumps(config))
        assert "is none that medvision builds" in line_of(open_huggingface, folder)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("backbone", ["hf-hub:somebody/evil", "local-dir:/etc", "../resnet18", "resnet18/../x", "", 3])
def test_a_network_is_never_fetched(folder, backbone):
    config = json.loads((folder / "config.json").read_text())
    config["medvision"]["experiment"]["model"]["backbone"] = backbone
    (folder / "config.json").write_text(json.dumps(config))
    assert "no network" in (line := line_of(open_huggingface, folder)) or "experiment" in line


def test_a_config_of_any_size_is_not_read(folder):
    with (folder / "config.json").open("ab") as file:
        file.truncate(60_000_000)
    assert "expected 50,000,000 at most" in line_of(open_huggingface, folder)


# Changed at random


def spoil(model, place, kind, amount):
    """One change within a graph that stays a protocol buffer."""
    graph = model.graph
    node, edge = graph.node[place % len(graph.node)], EDGES[amount % len(EDGES)]
    names = ["", *(name for one in graph.node for name in (*one.input, *one.output))]
    constant = graph.initializer[place % len(graph.initializer)]
    if kind == 0:
        node.op_type = OPERATORS[(256 * place + amount) % len(OPERATORS)]
    elif kind == 1 and node.input:
        node.input[amount % len(node.input)] = names[place % len(names)]
    elif kind == 2:
        node.input.append(names[place % len(names)])
    elif kind == 3 and node.input:
        del node.input[-1]
    elif kind == 4:
        for attribute in node.attribute:
            attribute.i = edge
    elif kind == 5:
        constant.dims.append(edge)
    else:
        ends = [*graph.input, *graph.output]
        ends[place % len(ends)].type.tensor_type.elem_type = amount % 24


OPERATORS = [schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_changed_graphs_are_answered_in_one_line(tmp_path, amount):
    path = write_graph(tmp_path / "a.onnx", *ALL)
    whole = onnx.load(path)

    def try_one(which, changes):
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        for place, kind, much in changes[: 1 + which % 2]:
            spoil(model, place, kind, much)
        path.write_bytes(model.SerializeToString())
        return attempt(lambda: open_exported(path))

    run_many(try_one, INPUTS[amount])
