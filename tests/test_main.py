import subprocess
import sys

import pytest

from medvision.__main__ import VERBS, main, overview, summary, version
from medvision.errors import ConfigError

HEAVY = ("torch", "lightning", "pandas", "numpy", "timm", "cv2", "matplotlib", "sklearn")


def imported_by(code: str) -> list[str]:
    """The heavy modules that a fresh process has imported after running the code, in which it may exit."""
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint([n for n in {HEAVY} if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[-1:]


def test_every_command_has_a_line(capsys):
    assert main([]) == VERBS
    text = capsys.readouterr().out
    assert text == overview() + "\n"
    for verb, line in zip(VERBS, text.splitlines(), strict=False):
        assert line.split()[:2] == ["medvision", verb]
        assert summary(verb).endswith(".")
        assert summary(verb) in line


def test_listing_imports_nothing_heavy():
    assert imported_by("from medvision.__main__ import main; main([])") == ["[]"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_imports_nothing_heavy(verb):
    assert imported_by(f"from medvision.__main__ import main; main(['{verb}', '--help'])") == ["[]"]


def test_a_misspelt_command_gets_a_suggestion():
    with pytest.raises(ConfigError) as error:
        main(["evalute", "RUN"])
    assert error.value.lines == ("no command 'evalute'; did you mean 'evaluate'?",)


def test_version(capsys):
    assert main(["--version"]) == version()
    assert capsys.readouterr().out == f"medvision {version()}\n"


def test_a_command_gets_its_arguments(tmp_path):
    with pytest.raises(ConfigError) as error:
        main(["fit", str(tmp_path / "missing.yaml")])
    assert error.value.lines == (f"{tmp_path / 'missing.yaml'}: no such file",)


def test_as_a_module():
    result = subprocess.run([sys.executable, "-m", "medvision", "fti"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (2, "medvision: no command 'fti'; did you mean 'fit'?\n")
