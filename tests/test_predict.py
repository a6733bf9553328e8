import subprocess
import sys

import pandas as pd
import pytest

from medvision import predict as command
from medvision.errors import ConfigError, DataError, RunError
from medvision.predict import as_text, predict
from medvision.runs import read_table
from tests.kinds import KINDS, run, write_experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and the folder of its images."""
    root = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    return run(root, root / "runs", "--trainer.max_epochs=1", "--evaluation.resamples=0"), root / "images"


def test_the_command_writes_what_the_function_returns(trained, tmp_path, capsys):
    folder, images = trained
    file = tmp_path / "answers.csv"
    table = command.main([str(folder.path), str(images), "--output", str(file)])
    pd.testing.assert_frame_equal(table, predict(folder.path, images))
    pd.testing.assert_frame_equal(read_table(file), table, check_dtype=False)
    text = capsys.readouterr().out
    assert f"answers: {file}" in text
    assert "of 36 images are among those that the run has learned from" in text


def test_one_image_or_several_by_path_or_text(trained):
    folder, images = trained
    files = sorted((images / "class0").iterdir())[:2]
    one = predict(folder, files[0])
    pd.testing.assert_frame_equal(one, predict(str(folder.path), str(files[0])))
    several = predict(folder, files)
    assert list(several["image"]) == [str(file) for file in files]
    assert several["p_class1"][0] == pytest.approx(one["p_class1"][0], abs=1e-6)
    assert one["predicted"][0] in ("class0", "class1")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ([], ConfigError, "the following arguments are required: RUN, IMAGE"),
        (["RUN"], ConfigError, "the following arguments are required: IMAGE"),
        (["RUN", "IMAGE", "--outputs=a.csv"], ConfigError, "did you mean '--output'"),
        (["RUN", "IMAGE", "--output=absent/a.csv"], ConfigError, "--output: absent/a.csv cannot be written"),
        (["RUN", "IMAGE", "--output=."], ConfigError, "--output: . cannot be written"),
        (["absent", "IMAGE"], RunError, "absent: no such run folder"),
        (["RUN", "absent.png"], DataError, "absent.png: no such file"),
    ],
)
def test_a_mistake_is_one_line(trained, options, error, words):
    folder, images = trained
    image = str(next((images / "class0").iterdir()))
    given = [{"RUN": str(folder.path), "IMAGE": image}.get(option, option) for option in options]
    with pytest.raises(error) as caught:
        command.main(given)
    assert len(caught.value.lines) == 1
    assert words in caught.value.lines[0]


@pytest.fixture
def answers():
    return pd.DataFrame(
        {
            "image": ["new/a.png", "b.png"],
            "predicted": ["normal", "double_contour"],
            "p_normal": [0.91239, 0.2],
            "p_double_contour": [0.08761, 0.8],
            "trained_on": [False, False],
        }
    )


def test_two_classes_are_told_by_the_probability_of_the_second(answers):
    assert as_text(answers, 15, 1).splitlines() == [
        "image      answer          double_contour",
        "new/a.png  normal          0.09",
        "b.png      double_contour  0.80",
    ]


def test_decimals_follow_from_how_many_patients_the_thresholds_come_from(answers):
    assert as_text(answers, 4, 1).splitlines()[1].endswith(" 0.1")
    assert as_text(answers, 500, 1).splitlines()[1].endswith(" 0.088")


def test_networks_that_disagree_are_told_with_their_spread(answers):
    lines = as_text(answers.assign(sd_normal=0.05, sd_double_contour=0.054), 15, 5).splitlines()
    assert lines[1].endswith("0.09 ± 0.05")
    assert lines[-1] == "Mean of 5 networks ± standard deviation over them."


def test_images_of_the_training_are_marked(answers):
    lines = as_text(answers.assign(trained_on=[True, False]), 15, 1).splitlines()
    assert "normal (trained on)" in lines[1]
    assert lines[-1].startswith("1 of 2 images are among those that the run has learned from or was tuned on")


def test_many_classes_are_told_by_their_name_alone_and_several_labels_by_all(answers):
    many = answers.assign(**{f"p_{k}": 0.1 for k in range(4)})
    assert as_text(many, 15, 1).splitlines()[0] == "image      answer"
    none = answers.assign(predicted=["", "a|b"], p_third=0.4)
    lines = as_text(none, 15, 1).splitlines()
    assert lines[0].split() == ["image", "answer", "normal", "double_contour", "third"]
    assert lines[1].split() == ["new/a.png", "none", "0.91", "0.09", "0.40"]


def test_help_does_not_wait_for_torch():
    code = "import sys; import medvision.predict; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
