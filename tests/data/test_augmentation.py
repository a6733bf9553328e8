import copy
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from medvision.data.augmentation import PRESETS, Augmentation, augmentation, item_seed
from medvision.data.mask_rules import IGNORE
from medvision.errors import ConfigError

CHANGING = [name for name in PRESETS if name != "none"]
SIZE = 64
GEOMETRIC = ("HorizontalFlip", "Affine", "CoarseElastic")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)


def save(path: Path, *transforms: dict[str, Any]) -> str:
    compose = {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(transforms)}
    path.write_text(yaml.safe_dump({"__version__": "2.0.8", "transform": compose}))
    return str(path)


def step(name: str, **arguments: Any) -> dict[str, Any]:
    return {"__class_fullname__": name, "p": 1.0} | arguments


def mistakes(name: str, size: int = SIZE) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        augmentation(name, size)
    assert not any("\n" in line for line in caught.value.lines)
    return caught.value.lines


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_shape_and_type_stay_and_the_input_is_left_alone(name: str, channels: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, *channels), dtype=np.uint8)
    before = image.copy()
    image.flags.writeable = False
    augment = augmentation(name, SIZE)
    for seed in range(30):
        changed = augment(image, seed)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        assert changed.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


def test_none_changes_nothing(image: np.ndarray) -> None:
    assert augmentation("none", SIZE)(image, 1) is image


@pytest.mark.parametrize("name", CHANGING)
def test_a_seed_fixes_the_pixels_whatever_came_before(name: str, image: np.ndarray) -> None:
    first, second = augmentation(name, SIZE), augmentation(name, SIZE)
    expected = [first(image, seed) for seed in range(20)]
    for seed in reversed(range(20)):
        second(255 - image, 1000 + seed)
        np.testing.assert_array_equal(second(image, seed), expected[seed])
    assert len({one.tobytes() for one in expected}) >= 18


@pytest.mark.parametrize("name", CHANGING)
def test_threads_copies_and_processes_give_the_same_pixels(name: str, image: np.ndarray) -> None:
    augment = augmentation(name, SIZE)
    expected = [augment(image, seed) for seed in range(200)]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda seed: augment(image, seed), range(200)))
    np.testing.assert_array_equal(parallel, expected)
    for other in (copy.deepcopy(augment), pickle.loads(pickle.dumps(augment))):
        assert other == augment
        np.testing.assert_array_equal([other(image, seed) for seed in range(9)], expected[:9])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_worker_processes_give_the_same_pixels(method: str, image: np.ndarray) -> None:
    augment = augmentation("ultrasound", SIZE)
    with multiprocessing.get_context(method).Pool(1) as pool:
        changed = pool.starmap(augment, [(image, seed) for seed in range(9)])
    np.testing.assert_array_equal(changed, [augment(image, seed) for seed in range(9)])


@pytest.fixture
def tissue() -> tuple[np.ndarray, np.ndarray]:
    """Bright structures on dark, and a mask that names the one 3 and the other 7; (128, 128) each."""
    mask = np.zeros((128, 128), np.uint8)
    cv2.ellipse(mask, (44, 50), (24, 15), 30, 0, 360, 3, -1)
    cv2.rectangle(mask, (75, 60), (110, 100), 7, -1)
    return np.where(mask > 0, 190, 40).astype(np.uint8), mask


@pytest.mark.parametrize("name", CHANGING)
def test_image_and_mask_move_together(name: str, tissue: tuple[np.ndarray, np.ndarray]) -> None:
    """Brightness changes as well, so each image has a threshold of its own: half way between dark and bright."""
    augment = augmentation(name, 128)
    overlaps = []
    for seed in range(200):
        changed, moved = augment(tissue[0], seed, tissue[1])
        np.testing.assert_array_equal(changed, augment(tissue[0], seed))
        marked = np.isin(moved, [3, 7])
        threshold = (np.median(changed[marked]) + np.median(changed[moved == 0])) / 2
        seen = (changed > threshold) & (moved != IGNORE)
        overlaps.append((seen & marked).sum() / (seen | marked).sum())
    assert min(overlaps) > 0.95


@pytest.mark.parametrize("name", PRESETS)
def test_the_labels_of_a_mask_survive(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    mask = np.random.default_rng(1).choice(np.uint8([0, 1, 2, 90, 254]), (SIZE, SIZE))
    before = mask.copy()
    mask.flags.writeable = False
    augment = augmentation(name, SIZE)
    found = set()
    for seed in range(200):
        changed, moved = augment(image, seed, mask)
        assert (moved.dtype, moved.shape) == (np.uint8, mask.shape)
        assert changed.flags.c_contiguous
        assert moved.flags.c_contiguous
        found |= set(moved.ravel().tolist())
    assert found - {IGNORE} == {0, 1, 2, 90, 254}
    assert (IGNORE in found) == (name != "none")
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("name", CHANGING)
def test_what_comes_in_from_outside_is_ignored_and_black(name: str) -> None:
    image, mask = np.full((SIZE, SIZE), 200, np.uint8), np.ones((SIZE, SIZE), np.uint8)
    geometric = [step for step in PRESETS[name] if step["__class_fullname__"] in GEOMETRIC]
    augment = Augmentation(name, {"__class_fullname__": "Compose", "transforms": geometric})
    outside = 0
    for seed in range(100):
        changed, moved = augment(image, seed, mask)
        assert set(np.unique(moved)) <= {1, IGNORE}
        pure = cv2.dilate(moved, np.ones((5, 5))) == cv2.erode(moved, np.ones((5, 5)))
        pure[:3] = pure[-3:] = pure[:, :3] = pure[:, -3:] = False
        np.testing.assert_array_equal(changed[pure], np.where(moved == 1, 200, 0)[pure])
        outside += int((moved == IGNORE).any())
    assert outside > 50


@pytest.mark.parametrize("name", CHANGING)
def test_intensity_never_touches_a_mask(name: str, image: np.ndarray) -> None:
    intensity = [step | {"p": 1.0} for step in PRESETS[name] if step["__class_fullname__"] not in GEOMETRIC]
    augment = Augmentation(name, {"__class_fullname__": "Compose", "transforms": intensity})
    mask = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8)
    for seed in range(50):
        changed, same = augment(image, seed, mask)
        assert (changed != image).any()
        np.testing.assert_array_equal(same, mask)


def test_a_flip_moves_the_mask_exactly(tmp_path: Path, image: np.ndarray) -> None:
    augment = augmentation(save(tmp_path / "a.yaml", step("HorizontalFlip")), SIZE)
    changed, moved = augment(image, 0, 255 - image)
    np.testing.assert_array_equal(changed, image[:, ::-1])
    np.testing.assert_array_equal(moved, 255 - image[:, ::-1])


@pytest.mark.parametrize("name", CHANGING)
def test_threads_move_masks_alike(name: str, tissue: tuple[np.ndarray, np.ndarray]) -> None:
    augment = augmentation(name, 128)
    expected = [augment(tissue[0], seed, tissue[1])[1] for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda seed: augment(tissue[0], seed, tissue[1])[1], range(60)))
    np.testing.assert_array_equal(parallel, expected)


@pytest.mark.parametrize("name", ["ultrasound", "ultrasound_elastic"])
def test_ultrasound_is_never_upside_down(name: str) -> None:
    image = np.zeros((SIZE, SIZE), np.uint8)
    image[:20, 16:48] = 200
    augment = augmentation(name, SIZE)
    for seed in range(100):
        changed = augment(image, seed)
        assert changed[: SIZE // 2].mean(dtype=float) > changed[SIZE // 2 :].mean(dtype=float)


def test_transforms_of_equal_probability_are_drawn_independently(tmp_path: Path, image: np.ndarray) -> None:
    """`set_random_seed` of albumentations gives both the same numbers: none or both would be applied."""
    flips = [step("HorizontalFlip", p=0.5), step("VerticalFlip", p=0.5)]
    augment = augmentation(save(tmp_path / "a.yaml", *flips), SIZE)
    kinds = {"none": image, "left": image[:, ::-1], "down": image[::-1], "both": image[::-1, ::-1]}
    counts = dict.fromkeys(kinds, 0)
    for index in range(800):
        changed = augment(image, item_seed(42, 0, index))
        for kind, expected in kinds.items():
            counts[kind] += int(np.array_equal(changed, expected))
    assert sum(counts.values()) == 800
    assert min(counts.values()) > 150


@pytest.mark.parametrize("seeds", ["consecutive", "mixed"])
def test_parameters_are_spread_evenly(tmp_path: Path, seeds: str) -> None:
    """The one factor of `MultiplicativeNoise` shows what numpy's generator drew."""
    noise = step("MultiplicativeNoise", multiplier=[0.5, 1.5], elementwise=False)
    augment = augmentation(save(tmp_path / "a.yaml", noise), SIZE)
    image = np.full((SIZE, SIZE), 100, np.uint8)
    chosen = range(600) if seeds == "consecutive" else [item_seed(1, 2, index) for index in range(600)]
    factors = np.array([augment(image, seed)[0, 0] / 100 for seed in chosen])
    counts, _ = np.histogram(factors, bins=10, range=(0.5, 1.5))
    assert counts.min() > 30
    assert abs(np.corrcoef(factors[:-1], factors[1:])[0, 1]) < 0.15


def test_item_seeds_differ_and_are_mixed() -> None:
    seeds = [item_seed(s, e, i) for s in (0, 1, 42, 2**40) for e in range(10) for i in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert 0 <= min(seeds) <= max(seeds) < 2**64
    assert item_seed(1, 2, 3) not in (item_seed(1, 3, 2), item_seed(2, 1, 3), item_seed(3, 2, 1))
    bits = np.array([[seed >> bit & 1 for bit in range(64)] for seed in seeds])
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.05


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_albumentations_saves_is_read(tmp_path: Path, image: np.ndarray, suffix: str) -> None:
    albumentations = pytest.importorskip("albumentations")
    one_of = albumentations.OneOf([albumentations.MedianBlur(), albumentations.RandomGamma()], p=0.5)
    pipeline = albumentations.Compose([albumentations.RandomRotate90(), one_of, albumentations.CoarseDropout(p=1)])
    path = tmp_path / f"a.{suffix}"
    albumentations.save(pipeline, path, data_format=suffix)
    augment = augmentation(str(path), SIZE)
    assert len({augment(image, seed).tobytes() for seed in range(10)}) == 10
    albumentations.save(albumentations.Transpose(p=1), path, data_format=suffix)
    np.testing.assert_array_equal(augmentation(str(path), SIZE)(image, 0), image.T)


def test_names_that_are_no_preset_get_a_suggestion() -> None:
    (line,) = mistakes("ultrasond")
    assert line == (
        "augmentation 'ultrasond' is neither a preset (none, ultrasound, ultrasound_elastic, radiograph) "
        "nor an existing file; did you mean 'ultrasound'?"
    )
    assert "did you mean" not in mistakes("elsewhere/mine.yaml")[0]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    name = save(
        tmp_path / "a.yaml",
        step("GaussNoise", var_limit=[10, 50]),
        step("CoarseElastik"),
        step("OneOf", transforms=[step("Rotate", limits=20), step("Blur", p=7)]),
        step("RandomGamma", gamma_limit="bright"),
        {"name": "Blur"},
    )
    lines = mistakes(name)
    assert len(lines) == 6
    assert all(line.startswith(f"{name}: Compose ") for line in lines)
    assert "GaussNoise: has no argument 'var_limit'; it takes std_range, mean_range, per_channel" in lines[0]
    assert lines[1].endswith("has no transform 'CoarseElastik'; did you mean 'CoarseElastic'?")
    assert "Compose 3: OneOf 1: Rotate: has no argument 'limits'; it takes limit," in lines[2]
    assert "OneOf 2: Blur: p: Input should be less than or equal to 1" in lines[3]
    assert "RandomGamma: gamma_limit" in lines[4]
    assert "expected a transform with its `__class_fullname__`, found {'name': 'Blur'}" in lines[5]


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "{}", "transform: none", "\x00", "x: y"])
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_files_that_are_no_pipeline(tmp_path: Path, content: str, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_text(content)
    (line,) = mistakes(str(tmp_path / f"a.{suffix}"))
    assert "albumentations.save" in line or "cannot be read" in line


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (step("RandomCrop", height=32, width=32, p=0.01), "let crops and resizes end at the size of the input"),
        (step("Normalize", p=0.01), "remove ToTensorV2, ToFloat, Normalize"),
        (step("ElasticTransform", alpha=300, sigma=10, mask_interpolation=1, p=0.01), "mixes the labels of a mask"),
        (step("CoarseElastic", reach=0.4), "CoarseElastic: reach: Input should be less than or equal to 0.25"),
        (step("ToTensorV2"), "remove ToTensorV2, ToFloat, Normalize"),
        (step("HEStain"), "fails on an image of shape"),
    ],
)
def test_what_does_not_fit_is_told_before_the_training(tmp_path: Path, transform: dict[str, Any], message: str) -> None:
    (line,) = mistakes(save(tmp_path / "a.yaml", transform))
    assert message in line


def test_colour_transforms_work_on_three_channels(tmp_path: Path) -> None:
    name = save(tmp_path / "a.yaml", step("HEStain"), step("RandomResizedCrop", size=[SIZE, SIZE]))
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert augmentation(name, SIZE, channels=3)(image, 1).shape == image.shape


def test_another_type_is_our_own_mistake(image: np.ndarray) -> None:
    with pytest.raises(AssertionError):
        Augmentation("none", None)(image.astype(np.uint16), 0)
