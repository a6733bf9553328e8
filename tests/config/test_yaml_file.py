from pathlib import Path

import pytest

from medvision.config.yaml_file import Layer, read_file


def read(path: str) -> tuple[Layer, list[str]]:
    mistakes: list[str] = []
    return read_file(path, 0, mistakes), mistakes


def values(text: str, write) -> dict:
    layer, mistakes = read(*write(text))
    assert mistakes == []
    return layer.values


def mistakes(text: str, write) -> list[str]:
    return read(*write(text))[1]


def test_places_are_lines(write):
    layer, _ = read(*write("a: 1\nb:\n  c: [x,\n    y]\n"))
    assert layer.values == {"a": 1, "b": {"c": ["x", "y"]}}
    assert layer.place(("b", "c")).text == "0.yaml:3"
    assert layer.place(("b", "c", "1")).text == "0.yaml:4"
    assert layer.place(("b", "unknown")).text == "0.yaml:2"
    assert layer.place(("unknown",)).text == "0.yaml"


def test_keys_are_text(write):
    assert values("1: a\ntrue: b\n", write) == {"1": "a", "true": "b"}


def test_anchors_and_merge_keys(write):
    text = "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\nboth: {b: 4, <<: [*base, {c: 5, a: 6}]}\nsame: *base\n"
    got = values(text, write)
    assert got["other"] == {"a": 1, "b": 3}
    assert got["both"] == {"a": 1, "b": 4, "c": 5}
    assert got["same"] == got["base"]


def test_all_mistakes_of_a_file_are_told(write):
    text = "a: 1\na: 2\nb: {c: 1, c: 2}\nd: !!binary aGk=\ne: ${NOT_SET_HERE}\n? [x, y]\n: 1\n"
    assert mistakes(text, write) == [
        "0.yaml:2: 'a' is set twice",
        "0.yaml:3: 'b.c' is set twice",
        "0.yaml:4: the tag 'tag:yaml.org,2002:binary' is not known here",
        "0.yaml:5: the environment variable NOT_SET_HERE is not set; set it or write ${NOT_SET_HERE:-default}",
        "0.yaml:6: a key must be a word",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "0.yaml: the file is empty; expected 'key: value' lines"),
        ("# nothing\n", "0.yaml: the file is empty; expected 'key: value' lines"),
        ("\n- a\n- b\n", "0.yaml:2: expected 'key: value' lines at the top of the file"),
        ("word", "0.yaml:1: expected 'key: value' lines at the top of the file"),
        ("a: b: c\n", "0.yaml:1: not valid YAML: mapping values are not allowed here"),
        ("a: 1\nb: *x\n", "0.yaml:2: not valid YAML: found undefined alias 'x'"),
        ("a: &a {b: *a}\n", "0.yaml:1: this anchor contains itself"),
        ("a: &a {<<: *a}\n", "0.yaml:1: this anchor contains itself"),
        ("a: {<<: 3}\n", "0.yaml:1: '<<' takes an anchor of a mapping, such as *base, or a list of them"),
        ("a: !!int many\n", "0.yaml:1: 'many' does not fit its tag"),
        ("a: !!bool perhaps\n", "0.yaml:1: 'perhaps' does not fit its tag"),
        ("a: !!python/name:os.system x\n", "0.yaml:1: the tag 'tag:yaml.org,2002:python/name:os.system' is not known"),
        ('a: "\\ud800"\n', "0.yaml:1: the text holds characters that are not valid Unicode"),
        ("a: \x00\n", "0.yaml: not valid YAML: the character '\\x00' may not stand in it"),
        ("a: 1\n---\nb: 1\n", "0.yaml:2: not valid YAML: but found another document"),
        ("a: ${x-y}\n", "0.yaml:1: expected ${NAME} or ${NAME:-default}; the characters themselves are written $${"),
        ("a: " + "[" * 5000, "0.yaml: nested too deeply"),
        ("a:\n\tb: 1\n", "; indent with spaces, not with tabs"),
        ("a: {b: ${HOME}/x}\n", '; between { and } put quotes around it: "${NAME}"'),
        ("a: {b: 1\nc: 2\n", "(while parsing a flow mapping, line 1)"),
    ],
)
def test_a_broken_file_is_one_line(text, expected, write):
    found = mistakes(text, write)
    assert len(found) == 1
    assert expected in found[0]
    assert "\n" not in found[0]


def test_anchors_cannot_fill_the_memory(write):
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert [line.split(": ", 1)[1] for line in mistakes(text, write)] == [
        "more than 10000 values; this is no experiment file"
    ]


def test_environment_variables(write, monkeypatch):
    monkeypatch.setenv("FOLDER", "/data")
    monkeypatch.setenv("COUNT", "8")
    monkeypatch.setenv("EMPTY", "")
    text = (
        "a: ${FOLDER}/x\nb: ${COUNT}\nc: '${COUNT}'\nd: ${MISSING:-4}\ne: [\"${EMPTY:-z}\"]\nf: $${COUNT}\ng: ${M:-}\n"
    )
    got = values(text, write)
    assert got == {"a": "/data/x", "b": 8, "c": "8", "d": 4, "e": ["z"], "f": "${COUNT}", "g": None}
    assert mistakes("a: ${EMPTY}\n", write) == [
        "0.yaml:1: the environment variable EMPTY is empty; set it or write ${EMPTY:-default}"
    ]


def test_what_is_no_file_is_one_line(tmp_path: Path, write):
    write(knee_sections="name: x\n")
    assert read("knee_section.yaml")[1] == ["knee_section.yaml: no such file; did you mean 'knee_sections.yaml'?"]
    assert read(str(tmp_path))[1] == [f"{tmp_path}: is a folder; expected a YAML file"]
    assert len(read("a\0b")[1]) == 1
    Path("latin.yaml").write_bytes(b"name: \xe4\n")
    assert read("latin.yaml")[1] == ["latin.yaml: not UTF-8 text (byte 6); expected a YAML file"]


def test_a_byte_order_mark_is_skipped(write):
    assert values("\ufeffname: x\n", write) == {"name": "x"}
