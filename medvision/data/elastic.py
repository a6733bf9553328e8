"""Elastic deformation that is cheap enough for every image of every epoch.

Albumentations' own smooths a random field of the size of the image with a wide Gaussian kernel, which takes many times
as long as all the rest of a preset. Here only the shifts of a few knots are random, as Ronneberger et al. (U-Net,
MICCAI 2015) did it, and OpenCV interpolates between them.
"""

from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from medvision.data.mask_rules import IGNORE

NAME = "CoarseElastic"
"""What this transform is called in a preset or a file of augmentations, beside those of albumentations."""

MOST_KNOTS = 16
MOST_REACH = 0.25


def displaced_pixels(shifts: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """Where each pixel of a deformed image comes from.

    Args:
        shifts: (K, K, 2) of the knots to the right and down, in pixels; the knots are the centres of K by K equal cells
            of the image. Between them bicubic interpolation applies.
        height: of the image in pixels.
        width: of the image in pixels.

    Returns:
        (height, width, 2) column and row, float32.
    """
    smooth = cv2.resize(shifts, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, _own_places(height, width))


def deform(
    pixels: npt.NDArray[np.uint8], places: npt.NDArray[np.float32], interpolation: int, fill: int
) -> npt.NDArray[np.uint8]:
    """Fetch every pixel from its place.

    Args:
        pixels: (H, W), (H, W, 1) or (H, W, 3) uint8.
        places: (H, W, 2) column and row, see `displaced_pixels`.
        interpolation: `cv2.INTER_LINEAR` for an image, `cv2.INTER_NEAREST` for labels.
        fill: value of places outside.

    Returns:
        uint8 of the same shape.
    """
    border = (float(fill),) * 4
    fetched = cv2.remap(
        pixels, places, None, interpolation=interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return fetched.reshape(pixels.shape)


@lru_cache(maxsize=2)
def _own_places(height: int, width: int) -> npt.NDArray[np.float32]:
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    places.flags.writeable = False
    return places


@cache
def coarse_elastic(albumentations: ModuleType) -> type:
    """The transform `CoarseElastic`, known to albumentations by this name from the first call on.

    It takes `knots` (how many in each direction), `reach` (the largest shift of a knot in each direction, as a part of
    the distance between two knots along the shorter side; up to 0.25 nothing folds over), `fill` and `fill_mask` (what
    comes in from outside image and mask) and `p`.

    Args:
        albumentations: the module, which is imported late: see `medvision.data.augmentation`.
    """

    class CoarseElastic(albumentations.DualTransform):  # type: ignore[name-defined]
        class InitSchema(albumentations.core.transforms_interface.BaseTransformInitSchema):  # type: ignore[name-defined]
            knots: int = Field(ge=2, le=MOST_KNOTS)
            reach: float = Field(ge=0, le=MOST_REACH)
            fill: int = Field(ge=0, le=255)
            fill_mask: int = Field(ge=0, le=255)

        def __init__(
            self, knots: int = 5, reach: float = 0.15, fill: int = 0, fill_mask: int = IGNORE, p: float = 0.5
        ) -> None:
            super().__init__(p=p)
            self.knots, self.reach, self.fill, self.fill_mask = knots, reach, fill, fill_mask

        @classmethod
        def get_class_fullname(cls) -> str:
            return NAME

        def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
            height, width = params["shape"][:2]
            reach = self.reach * min(height, width) / self.knots
            shifts = self.random_generator.uniform(-reach, reach, (self.knots, self.knots, 2))
            return {"places": displaced_pixels(shifts.astype(np.float32), height, width)}

        # albumentations hands over more parameters than these, and which ones is its own affair
        def apply(
            self, img: npt.NDArray[np.uint8], places: npt.NDArray[np.float32], **params: Any
        ) -> npt.NDArray[np.uint8]:
            return deform(img, places, cv2.INTER_LINEAR, self.fill)

        def apply_to_mask(
            self, mask: npt.NDArray[np.uint8], places: npt.NDArray[np.float32], **params: Any
        ) -> npt.NDArray[np.uint8]:
            return deform(mask, places, cv2.INTER_NEAREST, self.fill_mask)

    return CoarseElastic
