"""A network in an ONNX file that `medvision.export` has written, or somebody who means harm; asked without torch."""

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from medvision import DISTRIBUTION
from medvision.answering.inputs import Pixels
from medvision.answering.model import Member, Model, Said
from medvision.answering.model_info import KEY, ModelInfo, read_info
from medvision.errors import ModelError
from medvision.evaluation.operating_point import Decision
from medvision.models.window_places import window_starts, window_weights

SUFFIX = ".onnx"
INPUT = "image"
# What a graph calls its outputs, and what `Network.ask` calls them.
OUTPUTS = {"probabilities": "probabilities", "mask_probabilities": "maps", "features": "features"}
EXTRA = ("onnx", "onnxruntime")
STANDARD = ("", "ai.onnx")
# Of the levels of ONNX Runtime's log.
FATAL = 4
# A protocol buffer cannot be larger.
MOST_BYTES = 2**31 - 1
# At a time.
WINDOWS = 8
# Of float32 sums that should be in [0, 1].
SLACK = 1e-3


def open_exported(path: str | Path) -> Model:
    """The network of an ONNX file with all that its metadata say; asked by ONNX Runtime on the CPU.

    Nothing but this one file is read, and its graph is run only if all of it is standard ONNX. How much memory and time
    a graph of somebody else takes is up to its maker.

    Args:
        path: of a file that `medvision.export` has written.

    Raises:
        ModelError: in one line, why it cannot be asked, or what must be installed.
    """
    file = Path(path)
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(f"{file}: needs {' and '.join(missing)}: pip install '{DISTRIBUTION}[onnx]'")
    content = _read(file)
    info = _check_content(file, content)
    network = OnnxNetwork(file, content, info)
    decision = replace(Decision.from_json(info.decision), temperature=1.0)
    network.check_features(info)
    return info.to_model(Member(network, decision, info.range), file.name, sha256(content).hexdigest())


def read_metadata(path: str | Path) -> ModelInfo:
    """What an ONNX file tells of its network, without running it.

    Raises:
        ModelError: as `open_exported`.
    """
    return _check_content(Path(path), _read(Path(path)))


class OnnxNetwork:
    """See `answering.model.Network`.

    Args:
        path: of the file, for messages.
        content: of the file, checked.
        info: of the same file.

    Raises:
        ModelError: ONNX Runtime refuses the graph, or it has other inputs and outputs than it should.
    """

    def __init__(self, path: Path, content: bytes, info: ModelInfo) -> None:
        self.path, self.info = path, info
        runtime = importlib.import_module("onnxruntime")
        # On Windows it would tell its maker of every session.
        runtime.disable_telemetry_events()
        options = runtime.SessionOptions()
        # What goes wrong comes as an exception, too; its warnings are for those who write graphs.
        options.log_severity_level = FATAL
        runtime.set_default_logger_severity(FATAL)
        try:
            # By name: other providers ask machines elsewhere.
            self.session = runtime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:
            raise ModelError(f"{path}: ONNX Runtime cannot run its graph: {_reason(error)}") from error
        self._check_ends()
        given = {output.name for output in self.session.get_outputs()}
        self.outputs = [name for name in OUTPUTS if name in given]

    def ask(self, pixels: Pixels) -> Said:
        """What the network says of inputs (B, C, S, S) uint8; of windows, images (B, C, H, W) of any size.

        Raises:
            ModelError: it says what no network of medvision would.
        """
        return self._ask_windows(pixels) if self.info.resize == "none" else self._ask(pixels)

    def check_features(self, info: ModelInfo) -> None:
        """Ask of two black images, so that a graph that does not fit its metadata is told of before anything else.

        Raises:
            ModelError: it does not fit.
        """
        said = self.ask(np.zeros((2, info.channels, info.image_size, info.image_size), np.uint8))
        known = info.range
        if known is not None and known.features is not None and "features" in said:
            found, expected = said["features"].shape[1], len(known.features.mean)
            if found != expected:
                raise ModelError(f"{self.path}: gives {found} features, and its metadata tell of {expected}")

    def _check_ends(self) -> None:
        inputs = {one.name: (one.type, len(one.shape)) for one in self.session.get_inputs()}
        if inputs != {INPUT: ("tensor(uint8)", 4)}:
            told = ", ".join(f"{name} {kind} of {axes} axes" for name, (kind, axes) in inputs.items()) or "none"
            raise ModelError(f"{self.path}: expected one input, {INPUT} uint8 (B, C, H, W); it has {told}")
        given = {one.name: one.type for one in self.session.get_outputs()}
        expected = [name for name, wanted in self._wanted().items() if wanted]
        for name in expected:
            if given.get(name) != "tensor(float)":
                raise ModelError(f"{self.path}: expected an output {name} float32; it has {given.get(name, 'none')}")

    def _wanted(self) -> dict[str, bool]:
        return {"probabilities": bool(self.info.classes), "mask_probabilities": bool(self.info.mask_classes)}

    def _ask(self, pixels: Pixels) -> Said:
        try:
            values = self.session.run(self.outputs, {INPUT: pixels})
        except Exception as error:
            shape = " x ".join(map(str, pixels.shape))
            raise ModelError(f"{self.path}: its graph fails for inputs of {shape}: {_reason(error)}") from error
        said = {OUTPUTS[name]: value for name, value in zip(self.outputs, values, strict=True)}
        images, (height, width) = len(pixels), pixels.shape[-2:]
        shapes = {
            "probabilities": (images, len(self.info.classes)),
            "maps": (images, len(self.info.mask_classes), height, width),
        }
        for name, value in said.items():
            good = value.shape == shapes[name] if name in shapes else value.ndim == 2 and len(value) == images
            if not good:
                raise ModelError(f"{self.path}: says {name} of shape {value.shape} for inputs of {pixels.shape}")
            if not np.isfinite(value).all():
                raise ModelError(f"{self.path}: says {name} that are no numbers (NaN or infinite)")
            if name in shapes and not -SLACK <= value.min() <= value.max() <= 1 + SLACK:
                raise ModelError(f"{self.path}: says {name} from {value.min():g} to {value.max():g}, expected 0 to 1")
        return said

    def _ask_windows(self, images: Pixels) -> Said:
        """Windows blended as `models.windows.sliding_window` does it; features are the mean over those of an image."""
        parts = [self._slide(image) for image in images]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    def _slide(self, image: Pixels) -> Said:
        size, (_, height, width) = self.info.image_size, image.shape
        assert self.info.window_overlap is not None
        padded = np.pad(image, ((0, 0), (0, max(size - height, 0)), (0, max(size - width, 0))))
        starts = (window_starts(side, size, self.info.window_overlap) for side in padded.shape[1:])
        places = list(product(*starts))
        weight = window_weights(size)
        sums = np.zeros((len(self.info.mask_classes), *padded.shape[1:]), np.float32)
        weights = np.zeros(padded.shape[1:], np.float32)
        features = []
        for first in range(0, len(places), WINDOWS):
            chosen = places[first : first + WINDOWS]
            said = self._ask(np.stack([padded[:, top : top + size, left : left + size] for top, left in chosen]))
            features += [said["features"]] if "features" in said else []
            for (top, left), maps in zip(chosen, said["maps"], strict=True):
                sums[:, top : top + size, left : left + size] += maps * weight
                weights[top : top + size, left : left + size] += weight
        whole = {"maps": (sums / weights)[:, :height, :width]}
        return {**whole, "features": np.concatenate(features).mean(axis=0)} if features else whole


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise ModelError(f"{file}: no such file")
    if file.stat().st_size > MOST_BYTES:
        raise ModelError(f"{file}: {file.stat().st_size:,} bytes; an ONNX file has at most {MOST_BYTES:,}")
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror or error}") from error


def _check_content(file: Path, content: bytes) -> ModelInfo:
    """The metadata of a file in which all of the network is, and nothing but standard ONNX."""
    onnx = importlib.import_module("onnx")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise ModelError(f"{file}: damaged, or no ONNX file: {_reason(error)}") from error
    found = [one.value for one in model.metadata_props if one.key == KEY]
    if len(found) != 1:
        raise ModelError(
            f"{file}: no model of medvision, its metadata do not tell what it is; python -m medvision.export RUN "
            "--format onnx writes one that does"
        )
    for message in _messages(model):
        kind = message.DESCRIPTOR.name
        if kind == "TensorProto" and (message.external_data or message.data_location == onnx.TensorProto.EXTERNAL):
            raise ModelError(
                f"{file}: refused: keeps its weights in another file ({_location(message)}); medvision writes one file"
            )
        if kind == "FunctionProto" or (kind == "NodeProto" and message.domain not in STANDARD):
            name = message.name if kind == "FunctionProto" else message.op_type
            raise ModelError(f"{file}: refused: {message.domain}.{name} is no operator of standard ONNX"[:300])
    return read_info(found[0], str(file))


def _messages(message: Any) -> Iterator[Any]:
    """A protocol buffer and everything within it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(one)


def _location(tensor: Any) -> str:
    named = [one.value for one in tensor.external_data if one.key == "location"]
    return repr(named[0][:100]) if named else "unnamed"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
