"""Random changes of training images by albumentations, repeatable image by image.

albumentations is imported with the first augmentation that is built and not with this module: it brings scipy and
torch along, for which a command that trains nothing need not wait.
"""

import difflib
import inspect
import json
import os
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, overload

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from medvision.config.yaml_file import values_of
from medvision.data import elastic
from medvision.data.mask_rules import IGNORE
from medvision.errors import ConfigError

Spec = dict[str, Any]
"""A transform as albumentations writes it: `__class_fullname__`, its arguments, in a composition also `transforms`."""

_64_BITS = 2**64 - 1
_MOST_LABELS = 5  # of the two that are tried: what comes in from outside may have labels of its own
_UNUSABLE = (ValueError, TypeError, LookupError, RuntimeError, ArithmeticError, AttributeError, cv2.error)


def _step(name: str, arguments: dict[str, Any]) -> Spec:
    return {"__class_fullname__": name, **arguments}


def _affine(degrees: float, scale: float, p: float) -> Spec:
    geometry = {"rotate": [-degrees, degrees], "scale": [1 - scale, 1 + scale], "translate_percent": [-0.05, 0.05]}
    outside = {"border_mode": cv2.BORDER_CONSTANT, "fill": 0, "fill_mask": IGNORE}
    return _step("Affine", {**geometry, "keep_ratio": True, **outside, "p": p})


# The probe is at the top of an ultrasound image: never flipped upside down.
_PROBE_ON_TOP = [_step("HorizontalFlip", {"p": 0.5}), _affine(degrees=10, scale=0.1, p=0.8)]
# Gain, dynamic range and speckle, which multiplies the signal, differ from device to device.
_DEVICE = [
    _step("RandomBrightnessContrast", {"brightness_limit": [-0.1, 0.1], "contrast_limit": [-0.2, 0.2], "p": 0.5}),
    _step("RandomGamma", {"gamma_limit": [80, 125], "p": 0.3}),
    _step("MultiplicativeNoise", {"multiplier": [0.85, 1.15], "elementwise": True, "p": 0.2}),
    _step("GaussianBlur", {"blur_limit": [3, 3], "sigma_limit": [0.3, 1.0], "p": 0.15}),
]
PRESETS: dict[str, list[Spec]] = {
    "none": [],
    "ultrasound": [*_PROBE_ON_TOP, *_DEVICE],
    # The hand presses the probe into soft tissue, which gives way unevenly.
    "ultrasound_elastic": [*_PROBE_ON_TOP, _step(elastic.NAME, {"knots": 5, "reach": 0.15, "p": 0.5}), *_DEVICE],
    # Exposure and the maker's contrast enhancement differ; limbs lie on the detector at any small angle.
    "radiograph": [
        _step("HorizontalFlip", {"p": 0.5}),
        _affine(degrees=15, scale=0.1, p=0.8),
        _step("RandomBrightnessContrast", {"brightness_limit": [-0.15, 0.15], "contrast_limit": [-0.2, 0.2], "p": 0.5}),
        _step("CLAHE", {"clip_limit": [1, 2], "tile_grid_size": [8, 8], "p": 0.1}),
        _step("GaussNoise", {"std_range": [0.01, 0.03], "per_channel": False, "p": 0.15}),
    ],
}


@dataclass(frozen=True)
class Augmentation:
    """Changes an image at random, and the same way whenever it gets the same seed.

    The result depends on the image and the seed alone: not on earlier calls, the thread or the process. May be called
    from several threads, and travels to worker processes; each thread builds a pipeline of its own.

    Args:
        name: preset or file, for messages.
        spec: what to build; None changes nothing.
    """

    name: str
    spec: Spec | None
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["Augmentation"], tuple[str, Spec | None]]:
        return Augmentation, (self.name, self.spec)

    @overload
    def __call__(self, image: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]: ...
    @overload
    def __call__(
        self, image: npt.NDArray[np.uint8], seed: int, mask: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]: ...
    def __call__(
        self, image: npt.NDArray[np.uint8], seed: int, mask: npt.NDArray[np.uint8] | None = None
    ) -> npt.NDArray[np.uint8] | tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Change one image, and with it its mask.

        Args:
            image: (H, W), (H, W, 1) or (H, W, 3) uint8; left as it is.
            seed: of this image in this epoch, see `item_seed`.
            mask: (H, W) uint8 labels, moved with the image by the nearest pixel; presets fill with `IGNORE`.

        Returns:
            The changed image, uint8 of the same shape, or image and mask where a mask was given. Where nothing was
            changed it may be the input itself.

        Raises:
            ConfigError: the user's pipeline fails, or changes shape or type.
        """
        assert image.dtype == np.uint8, image.dtype
        assert mask is None or mask.dtype == np.uint8, "OpenCV turns other types into int32"
        if self.spec is None:
            return image if mask is None else (image, mask)
        if not hasattr(self._local, "pipeline"):
            self._local.pipeline = _Pipeline(self.name, _build(self.name, self.spec))
        changed = self._local.pipeline(image, seed, mask)
        return changed["image"] if mask is None else (changed["image"], changed["mask"])


def augmentation(name_or_path: str, image_size: int, channels: Literal[1, 3] = 1) -> Augmentation:
    """Build a preset, or a pipeline that `albumentations.save` wrote, and try it on one image.

    Args:
        name_or_path: one of `PRESETS`, or the path of an albumentations YAML or JSON file.
        image_size: side of the images in pixels.
        channels: of the images.

    Raises:
        ConfigError: every transform that is unknown, wrongly configured, or unfit for uint8 images of this size.
    """
    if name_or_path == "none":
        return Augmentation(name_or_path, None)
    preset = PRESETS.get(name_or_path)
    spec = _read(name_or_path) if preset is None else _step("Compose", {"transforms": preset})
    _try(name_or_path, spec, image_size, channels)
    return Augmentation(name_or_path, spec)


def item_seed(seed: int, epoch: int, index: int) -> int:
    """The seed of one image in one epoch, the same in whichever thread or process it is augmented.

    The three numbers go through the finaliser of SplitMix64 (Steele et al., OOPSLA 2014) one after the other: well
    mixed, in a fifth of the time of `numpy.random.SeedSequence`.

    Args:
        seed: of the experiment.
        epoch: counted from 0.
        index: row of the image table.

    Returns:
        A whole number in [0, 2**64).

    >>> item_seed(42, 0, 0), item_seed(42, 0, 1)
    (7138415436909018950, 13151335708014940318)
    """
    state = 0
    for part in (seed, epoch, index):
        state = ((state ^ part) + 0x9E3779B97F4A7C15) & _64_BITS
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _64_BITS
        state ^= state >> 31
    return state


class _Pipeline:
    """Transforms that all draw from one pair of generators, which every call sets to its seed.

    `Compose.set_random_seed` takes as long as the image itself, and gives every transform the same numbers: two of
    equal probability would always be applied together.
    """

    def __init__(self, name: str, compose: Any) -> None:
        self.name, self.compose = name, compose
        self.bits, self.python = np.random.PCG64(0), random.Random(0)
        self.start: Any = self.bits.state
        compose.set_random_state(np.random.Generator(self.bits), self.python)

    def __call__(
        self, image: npt.NDArray[np.uint8], seed: int, mask: npt.NDArray[np.uint8] | None
    ) -> dict[str, npt.NDArray[Any]]:
        # Writing the state is five times as fast as a new generator; mixed, because PCG64 spreads close states slowly.
        position = item_seed(seed, 0, 0) << 64 | item_seed(seed, 0, 1)
        self.bits.state = self.start | {"state": self.start["state"] | {"state": position}}
        self.python.seed(seed)
        inputs = {"image": image} if mask is None else {"image": image, "mask": mask}
        try:
            result: dict[str, npt.NDArray[Any]] = self.compose(**inputs)
        except _UNUSABLE as error:
            raise ConfigError(f"{self.name}: fails on an image of shape {image.shape}: {_one_line(error)}") from error
        if getattr(result["image"], "dtype", None) != np.uint8:
            raise ConfigError(f"{self.name}: changes the type of uint8 images; remove ToTensorV2, ToFloat, Normalize")
        for kind, given in inputs.items():
            if result[kind].shape != given.shape:
                raise ConfigError(
                    f"{self.name}: turns {kind}s of shape {given.shape} into {result[kind].shape}; "
                    "let crops and resizes end at the size of the input"
                )
        return result


def _read(name: str) -> Spec:
    path = Path(name)
    if not path.is_file():
        close = difflib.get_close_matches(name, PRESETS, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        presets = ", ".join(PRESETS)
        raise ConfigError(f"augmentation {name!r} is neither a preset ({presets}) nor an existing file{guess}")
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else values_of(text, name)
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        raise ConfigError(f"{name}: cannot be read as YAML or JSON: {_one_line(error)}") from error
    spec = content.get("transform") if isinstance(content, dict) else None
    if not isinstance(spec, dict):
        raise ConfigError(f"{name}: holds no `transform:`; write it by albumentations.save(pipeline, file, 'yaml')")
    return spec


def _albumentations() -> ModuleType:
    # Otherwise the import asks the network for a newer version; here and not above: see the head of the module.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    elastic.coarse_elastic(albumentations)
    return albumentations


def _build(name: str, spec: Spec) -> Any:
    """Build the pipeline of a specification, or raise all its mistakes."""
    mistakes: list[str] = []
    transform = _transform(spec, name, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    albumentations = _albumentations()
    return transform if isinstance(transform, albumentations.Compose) else albumentations.Compose([transform])


def _transform(spec: Any, where: str, mistakes: list[str]) -> Any:
    """Build one transform and those inside it. albumentations only warns of a wrong argument; here it is a mistake."""
    albumentations = _albumentations()
    serialization = albumentations.core.serialization
    known = serialization.SERIALIZABLE_REGISTRY
    if not isinstance(spec, dict) or not isinstance(spec.get("__class_fullname__"), str):
        mistakes.append(f"{where}: expected a transform with its `__class_fullname__`, found {spec!r:.60}")
        return None
    name = serialization.shorten_class_name(spec["__class_fullname__"])
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        mistakes.append(f"{where}: albumentations {albumentations.__version__} has no transform {name!r}{guess}")
        return None
    where = f"{where}: {name}"
    arguments = {key: value for key, value in spec.items() if key not in ("__class_fullname__", "strict")}
    takes = [key for key in inspect.signature(known[name]).parameters if key not in ("self", "strict")]
    unknown = [key for key in arguments if key not in takes]
    mistakes.extend(f"{where}: has no argument {key!r}; it takes {', '.join(takes)}" for key in unknown)
    before = len(mistakes) - len(unknown)
    if "transforms" in takes:
        inner = arguments.get("transforms")
        steps = inner if isinstance(inner, list) else [inner]
        arguments["transforms"] = [_transform(step, f"{where} {n}", mistakes) for n, step in enumerate(steps, start=1)]
    elif "InitSchema" in vars(known[name]):  # only these know `strict`: no fall-back to defaults with a mere warning
        arguments["strict"] = True
    if len(mistakes) > before:
        return None
    try:
        return known[name](**arguments)
    except _UNUSABLE as error:
        mistakes.append(f"{where}: {_one_line(error)}")
        return None


def _try(name: str, spec: Spec, image_size: int, channels: Literal[1, 3]) -> None:
    """Apply every transform to one image and mask, so that mistakes show before the training and not in its middle."""
    compose = _build(name, spec)
    _set_certain(compose)
    pipeline = _Pipeline(name, compose)
    image = np.random.default_rng(0).integers(0, 256, (image_size, image_size, 3), dtype=np.uint8)
    mask = (image[..., 0] > 127).astype(np.uint8) * 100
    image = image if channels == 3 else image[..., 0].copy()
    for seed in range(3):
        pipeline(image, seed, None)
        if len(np.unique(pipeline(image, seed, mask)["mask"])) > _MOST_LABELS:
            raise ConfigError(f"{name}: mixes the labels of a mask; set mask_interpolation to {cv2.INTER_NEAREST}")


def _set_certain(transform: Any) -> None:
    transform.p = 1.0
    for inner in getattr(transform, "transforms", ()):
        _set_certain(inner)


def _one_line(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in cause.errors())
    return " ".join(str(error).split()) or type(error).__name__
