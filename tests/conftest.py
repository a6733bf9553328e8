import os
from pathlib import Path

import pytest

# The networks of the tests are tiny: a second thread costs more than it brings, and most on a busy machine. Set before
# torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DEFAULT_DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def medvision_data() -> Path:
    """The folder of real images; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MEDVISION_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"real images: set MEDVISION_DATA, {folder} is no folder")
    return folder


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory):
    """No test writes into the user's cache."""
    before = os.environ.get("MEDVISION_CACHE")
    os.environ["MEDVISION_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["MEDVISION_CACHE"]
    else:
        os.environ["MEDVISION_CACHE"] = before
