"""Small trained runs on drawn discs, made once for all tests of a process, with the folder of their images."""

from pathlib import Path

from medvision.runs import RunFolder
from tests.kinds import KINDS, run, write_experiment


def trained(kind, factory) -> tuple[RunFolder, Path]:
    """A run of one of `KINDS`; who wants to change something in it copies it first.

    Args:
        kind: its name.
        factory: pytest's `tmp_path_factory`.
    """
    root = factory.getbasetemp() / f"discs of {kind}"
    if not root.exists():
        write_experiment(root, KINDS[kind])
        run(root, root / "runs", "--trainer.max_epochs=2", "--evaluation.resamples=0")
    (folder,) = (root / "runs" / "discs").glob("2*")
    return RunFolder(folder), root / "images"
