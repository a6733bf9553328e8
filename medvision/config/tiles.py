"""Into how many tiles the images of a data set are cut: a setting of its datamodule."""

from pydantic import PositiveInt

from medvision.config.settings import Section


class TileGrid(Section):
    """Tiles of equal size side by side.

    Args:
        rows: tiles from the top of an image to its bottom.
        columns: tiles from its left border to its right one.
    """

    rows: PositiveInt
    columns: PositiveInt
