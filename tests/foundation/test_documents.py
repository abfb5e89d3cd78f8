"""YAML files that people write are read safely, and errors name the line."""

import pytest

from synthml.documents import parse_yaml, read_yaml
from synthml.errors import InputError, PolicyError


def test_every_value_knows_its_line():
    document = parse_yaml("name: x\ncriteria:\n  - {id: a}\n  - id: b\n    at_most: 1\n", "p.yaml")
    assert document.at(("criteria", 1, "at_most")) == "p.yaml, line 5"
    assert document.at(("criteria", 1, "absent")) == "p.yaml, line 4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: aliases"),
        ("a: 1\na: 2\n", "line 2: 'a' stands there twice"),
        ("a: [1\n", "line 2"),
        ("a: 1\n? [b]\n: 2\n", "line 2: a key is one word"),
        ("a: !!python/object:os.system {}\n", "line 1"),
    ],
)
def test_what_could_do_harm_is_refused_with_its_line(text, told):
    with pytest.raises(PolicyError, match=told):
        parse_yaml(text, "p.yaml", PolicyError)


def test_a_bomb_of_nesting_is_refused():
    with pytest.raises(InputError):
        parse_yaml("a: " + "[" * 500 + "]" * 500, "p.yaml")


def test_a_file_that_is_not_utf8_says_at_which_byte(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(InputError, match="byte 6"):
        read_yaml(path)
