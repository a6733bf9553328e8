import subprocess
import sys
from pathlib import Path

import pytest

import medvision
from medvision.command import BROKEN_PIPE, INTERRUPTED, Parser, check_package, run
from medvision.errors import ConfigError, MedvisionError, RunError


def fit_parser(*, required: bool = True) -> Parser:
    parser = Parser("fit", "Train.\n\nMore about it.")
    parser.add_experiment(required=required)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--split", choices=("val", "test"))
    parser.add_argument("--output", default="runs")
    return parser


def test_files_and_settings_in_any_order():
    options = fit_parser().parse_experiment(
        [
            "a.yaml",
            "--optimizer.lr=3e-4",
            "b.yaml",
            "--seed=3",
            "--show",
            "--split=val",
            "--split.fold=2",
            "--output=x.y",
        ]
    )
    assert options.files == ["a.yaml", "b.yaml"]
    assert options.overrides == ["--optimizer.lr=3e-4", "--seed=3", "--split.fold=2"]
    assert (options.show, options.split, options.output) == (True, "val", "x.y")


def test_files_may_be_optional():
    assert fit_parser(required=False).parse_experiment(["--show"]).files == []


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "the following arguments are required: FILE; see python -m medvision.fit --help"),
        (["a", "--shw"], "unknown option '--shw'; did you mean '--show'?"),
        (["a", "--sho"], "unknown option '--sho'; did you mean '--show'?"),
        (["a", "--optimzer=3"], "unknown option '--optimzer'; did you mean '--optimizer'?"),
        (["a", "--optimizer.lr", "3"], "--optimizer.lr: write --optimizer.lr=value"),
        (["a", "--seed", "3"], "--seed: write --seed=value"),
        (["a", "--split", "tst"], "argument --split: invalid choice: 'tst'"),
        (["a", "--output"], "argument --output: expected one argument"),
        (["a", "--show=3"], "argument --show: ignored explicit argument '3'"),
    ],
)
def test_a_mistake_is_one_line(argv, expected, capsys):
    with pytest.raises(ConfigError) as error:
        fit_parser().parse_experiment(argv)
    assert len(error.value.lines) == 1
    assert expected in error.value.lines[0]
    assert capsys.readouterr() == ("", "")


def test_a_command_without_an_experiment_takes_no_settings():
    parser = Parser("evaluate", "Evaluate.")
    parser.add_argument("run")
    with pytest.raises(ConfigError) as error:
        parser.parse(["RUN", "other", "--seed=3"])
    assert error.value.lines == (
        "unexpected argument 'other'; see python -m medvision.evaluate --help",
        "unknown option '--seed'; known: --help",
    )


def test_help_names_the_command_and_the_settings(capsys):
    with pytest.raises(SystemExit) as error:
        fit_parser().parse_experiment(["--help"])
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m medvision.fit ")
    assert "--optimizer.lr=3e-4" in text
    assert "More about it." in text


def exit_code(error: BaseException | None) -> object:
    def main(argv: list[str]) -> object:
        assert argv == ["x"]
        if error is not None:
            raise error
        return {"a": "result"}

    with pytest.raises(SystemExit) as stop:
        run(main, ["x"])
    return stop.value.code


def test_run_ends_the_process(capsys):
    assert exit_code(None) == 0
    assert capsys.readouterr() == ("", "")
    assert exit_code(MedvisionError("one", "two")) == 2
    assert capsys.readouterr().err == "medvision: one\nmedvision: two\n"
    assert exit_code(KeyboardInterrupt()) == INTERRUPTED
    assert capsys.readouterr().err == "medvision: interrupted\n"


def test_run_uses_the_exit_code_of_the_mistake(monkeypatch, capsys):
    monkeypatch.setattr(RunError, "exit_code", 7)
    assert exit_code(RunError("no run")) == 7
    assert capsys.readouterr().err == "medvision: no run\n"


def test_our_own_bugs_keep_their_traceback():
    def main(argv: list[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main, [])


def test_a_closed_pipe_is_no_traceback():
    code = "from medvision.command import run\nrun(lambda argv: [print('x' * 99) for _ in range(9999)], [])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=20) == BROKEN_PIPE


def test_own_package_is_accepted():
    check_package(Path(medvision.__file__).parent)


@pytest.mark.parametrize("name", ["medvision", "medvision-segmentation"])
def test_a_foreign_package_in_the_same_folder_is_refused(name, tmp_path: Path):
    metadata = tmp_path / f"{name.replace('-', '_')}-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n", encoding="utf-8")
    ours = tmp_path / "medvision_lightning-0.1.0.dist-info"
    ours.mkdir()
    (ours / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: medvision-lightning\nVersion: 0.1.0\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError) as error:
        check_package(tmp_path / "medvision")
    assert error.value.lines[0].startswith(f"another package, {name} 1.2.3, has installed its files into ")
    assert "pip uninstall -y medvision medvision-segmentation && pip install" in error.value.lines[0]


def test_our_distribution_alone_is_accepted(tmp_path: Path):
    ours = tmp_path / "medvision_lightning-0.1.0.dist-info"
    ours.mkdir()
    (ours / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: medvision-lightning\nVersion: 0.1.0\n", encoding="utf-8"
    )
    check_package(tmp_path / "medvision")
