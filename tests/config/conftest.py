from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write files into an empty folder that is the current one; returns their names as a user would give them."""
    monkeypatch.chdir(tmp_path)

    def write_files(*texts: str, **named: str) -> list[str]:
        files = {f"{i}.yaml": text for i, text in enumerate(texts)} | {f"{k}.yaml": v for k, v in named.items()}
        for name, text in files.items():
            Path(name).write_text(text, encoding="utf-8")
        return list(files)

    return write_files
