"""Draw the two pictures of the app in `docs`, from a run on simulated masks.

    python -m medvision.samples tissue_ultrasound data/tissue_ultrasound
    python -m medvision.fit experiments/tissue_three_class.yaml
    IMAGE=data/tissue_ultrasound/images/p007_1.png
    python -m tests.application.app_pictures runs/tissue_three_class/latest $IMAGE docs

The first file is a run folder, the second an image that is uploaded, the third the folder that is written to.
"""

import io
import sys
import tempfile
from pathlib import Path

import playwright.sync_api
from PIL import Image

from tests.application.browser import Visitor, find_chromium, serve

SIZE = (1120, 1180)
MOST_BYTES = 150_000
COLOURS = 256
METHODS = (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE)


def main(run: Path, image: Path, folder: Path) -> None:
    """Write `app_demo.png` and `app_predict.png`.

    Args:
        run: a run folder of masks; its data set is at hand.
        image: that is handed in.
        folder: that is written to.
    """
    with tempfile.TemporaryDirectory() as scratch, playwright.sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with serve(Path(scratch) / "app", [run]) as app:
            # The root of the data set may be relative.
            (app.folders["work"] / "data").symlink_to(Path("data").absolute())
            visitor = Visitor(browser, app.url, SIZE)
            visitor.open("?page=demo")
            visitor.page.get_by_role("button", name="Next").click()
            _save(visitor, folder / "app_demo.png")
            visitor.open("?page=predict")
            visitor.hand_in(image)
            _save(visitor, folder / "app_predict.png")
            assert not visitor.foreign
            visitor.close()
        browser.close()


def _save(visitor: Visitor, path: Path) -> None:
    """Write what the window shows, in 256 colours."""
    visitor.settle()
    visitor.page.wait_for_timeout(2000)
    assert "SIMULATED" in visitor.text()
    picture = Image.open(io.BytesIO(visitor.page.screenshot())).convert("RGB")
    # Most colours for the many greys, some for the few pixels of each key.
    common, rare = (picture.quantize(COLOURS // 2, method=how) for how in METHODS)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*common.getpalette()[: 3 * COLOURS // 2], *rare.getpalette()[: 3 * COLOURS // 2]])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    assert size < MOST_BYTES


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
