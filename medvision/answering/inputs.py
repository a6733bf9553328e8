"""From an original image to what the network sees, and from what it says back to the original."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medvision.config.tiles import TileGrid
from medvision.data.resize import Box, Geometry
from medvision.data.tiles import cut_tile, parse_tile_name, tile_box, tile_names

Fit = Literal["letterbox", "stretch", "crop", "none"]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Preparation:
    """What is done to an image before a network sees it, as the run was trained.

    Args:
        size: side of the square in pixels.
        fit: how an image becomes the square; `none` leaves it as it is.
        channels: 1 for grey, 3 for RGB.
        tiles: that an image is cut into; None for whole images.
    """

    size: int
    fit: Fit
    channels: Literal[1, 3]
    tiles: TileGrid | None = None

    @property
    def inputs_each(self) -> int:
        """T, how many inputs an image becomes."""
        return 1 if self.tiles is None else self.tiles.rows * self.tiles.columns

    def inputs(self, name: str, pixels: Pixels) -> Pixels:
        """What the network is given of an image.

        Args:
            name: of the image, for messages.
            pixels: (H, W) for 1 channel, (H, W, 3) for 3, uint8.

        Returns:
            (T, C, S, S) uint8; with `none` (T, C, H, W).

        Raises:
            ImageError: fewer pixels than tiles.
        """
        parts = (
            [pixels] if self.tiles is None else [cut_tile(pixels, n, self.tiles) for n in tile_names(name, self.tiles)]
        )
        squares = [part if (how := self._geometry(part)) is None else how.apply(part) for part in parts]
        stacked = np.stack(squares)
        return np.ascontiguousarray(stacked[:, None] if stacked.ndim == 3 else stacked.transpose(0, 3, 1, 2))

    def restore(self, maps: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
        """What was said of the inputs of an image, on the original image.

        Args:
            maps: (T, K, S, S) of any type.
            height: of the original image.
            width: likewise.

        Returns:
            (K, H, W) of the same type; 0 where the network saw nothing.
        """
        if self.tiles is None:
            return self._restored(maps[0], height, width)
        whole = np.zeros((maps.shape[1], height, width), maps.dtype)
        for part, name in zip(maps, tile_names("image", self.tiles), strict=True):
            box = self._tile(name, height, width)
            whole[:, box.top : box.top + box.height, box.left : box.left + box.width] = self._restored(
                part, box.height, box.width
            )
        return whole

    def seen(self, height: int, width: int) -> Box | None:
        """The part of an original image that the network sees; None for the whole."""
        if self.fit != "crop" or self.tiles is not None:
            return None
        return Geometry(height, width, self.size, "crop").source

    def _tile(self, name: str, height: int, width: int) -> Box:
        place = parse_tile_name(name)[1]
        assert place is not None
        assert self.tiles is not None
        return tile_box(height, width, self.tiles, *place)

    def _geometry(self, part: Pixels) -> Geometry | None:
        return None if self.fit == "none" else Geometry(part.shape[0], part.shape[1], self.size, self.fit)

    def _restored(self, maps: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
        if self.fit == "none":
            return maps[:, :height, :width]
        geometry = Geometry(height, width, self.size, self.fit)
        return np.stack([geometry.undo(plane) for plane in maps])
