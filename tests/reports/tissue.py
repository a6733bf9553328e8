"""Simulated layers of tissue with their masks, and prediction tables of them: seeded, small."""

import cv2
import numpy as np
import pandas as pd

CLASSES = ["rest", "fat", "muscle"]
BRIGHTNESS = np.array([35, 140, 80])


def draw_tissue(seed, height=48, width=64):
    """An image with speckle and its mask: a layer of fat, below it one of muscle."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    turn = random.random(2) * 6
    fat = height * (0.25 + 0.1 * random.random() + 0.04 * np.sin(columns / width * 8 + turn[0]))
    muscle = fat + height * (0.3 + 0.1 * random.random() + 0.05 * np.sin(columns / width * 5 + turn[1]))
    mask = np.zeros((height, width), np.uint8)
    mask[(rows > fat / 2) & (rows < fat)] = 1
    mask[(rows >= fat) & (rows < muscle)] = 2
    image = BRIGHTNESS[mask] * random.gamma(4, 0.25, (height, width))
    return cv2.GaussianBlur(image, (0, 0), max(0.5, height / 200)).clip(0, 255).astype(np.uint8), mask


def bend_mask(mask, seed, shift):
    """A prediction: the mask with its edges moved by about `shift` pixels."""
    random = np.random.default_rng(seed)
    height, width = mask.shape
    smooth = [cv2.GaussianBlur(random.normal(size=mask.shape), (0, 0), height / 16) for _ in range(2)]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    down, right = (shift * wave / max(wave.std(), 1e-6) for wave in smooth)
    places = (columns + right).astype(np.float32), (rows + down).astype(np.float32)
    return cv2.remap(mask, *places, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def draw_mask_table(images=72, unit="mm", seed=0):
    """A prediction table of masks with plausible scores: four images a patient, one muscle missed altogether."""
    random = np.random.default_rng(seed)
    patient = [f"p{k // 4}" for k in range(images)]
    split = random.choice(["train", "val", "test", "test"], images // 4 + 1)
    table = pd.DataFrame({"image": [f"{name}_{k}.png" for k, name in enumerate(patient)], "patient": patient})
    table["split"] = np.repeat(split, 4)[:images]
    table["mask"] = [f"masks/{name}" for name in table["image"]]
    table["unit"] = unit
    for name, good in (("fat", 30), ("muscle", 14)):
        table[f"dice_{name}"] = random.beta(good, 2, images)
        table[f"iou_{name}"] = table[f"dice_{name}"] / (2 - table[f"dice_{name}"])
        for metric in ("pixel_sensitivity", "pixel_precision"):
            table[f"{metric}_{name}"] = random.beta(good, 2, images)
        for metric in ("hd95", "assd"):
            table[f"{metric}_{name}"] = random.gamma(3, 10 / good, images)
        table[f"area_true_{name}"] = random.uniform(80, 200, images)
        table[f"area_{name}"] = table[f"area_true_{name}"] * random.normal(1, 0.05, images)
    missed = table.index[table["split"] == "test"][0]
    table.loc[missed, ["dice_muscle", "iou_muscle", "pixel_sensitivity_muscle", "area_muscle"]] = 0.0
    table.loc[missed, "pixel_precision_muscle"] = np.nan
    table.loc[missed, ["hd95_muscle", "assd_muscle"]] = np.inf
    return table
