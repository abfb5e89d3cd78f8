"""Reading the YAML files that people write: studies, policies, generation records.

Safe by construction: no tags, no aliases (so nothing can be multiplied), no duplicate keys, at most one megabyte; and every value
knows its line, so that an error can name it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["YamlDocument", "did_you_mean", "parse_yaml", "read_yaml", "told_problem"]

_LIMIT = 1_000_000
_DEPTH = 30
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlDocument:
    """A parsed file. data: plain lists, maps and scalars; name: how errors call the file."""

    data: Any
    name: str
    lines: dict[Location, int]

    def line_of(self, location: Iterable[str | int]) -> int:
        """1-based line of a value such as ("criteria", 2, "at_most"); of its nearest parent when it is absent."""
        path = tuple(location)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def at(self, location: Iterable[str | int]) -> str:
        """`policy.yaml, line 12`."""
        return f"{self.name}, line {self.line_of(location)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'target'?` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def told_problem(problem: Mapping[str, Any], document: YamlDocument, known: Iterable[str]) -> str:
    """One finding of pydantic in our words, with the line. known: the fields that may stand where a strange one was found."""
    where = tuple(problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"'{where[-1]}' is no field here.{did_you_mean(str(where[-1]), known)}"
    return f"{document.at(where)}: {'.'.join(map(str, where))}: {message}"


def read_yaml(path: Path, error: type[InputError] = InputError) -> YamlDocument:
    """Read a file. Raises `error` when it is absent, too large, not UTF-8 or not the plain YAML described above."""
    try:
        size = path.stat().st_size
        if size > _LIMIT:
            raise error(f"{path.name} has {size:,} bytes; a file of at most {_LIMIT:,} is expected")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as cause:
        raise error(f"{path.name} is not UTF-8 text (byte {cause.start}); save it as UTF-8") from cause
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror}") from cause
    return parse_yaml(text, path.name, error)


def parse_yaml(text: str, name: str, error: type[InputError] = InputError) -> YamlDocument:
    """Parse text as `read_yaml` does."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            line = event.start_mark.line + 1 if event.start_mark else 1
            if depth > _DEPTH:  # seen here, since the time that reading takes grows with the square of the depth
                raise error(f"{name}, line {line}: nested more than {_DEPTH} deep")
            if isinstance(event, yaml.AliasEvent):
                raise error(f"{name}, line {line}: aliases (*name) are not allowed; write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Location, int] = {}
        if node is not None:
            _walk(node, (), lines, name, error)
        return YamlDocument(yaml.safe_load(text), name, lines)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = 1 if mark is None else mark.line + 1
        raise error(f"{name}, line {line}: {cause.problem or 'not YAML'}") from cause
    except (yaml.YAMLError, ValueError, RecursionError) as cause:
        if isinstance(cause, InputError):
            raise
        raise error(f"{name} is not YAML that can be read safely") from cause


def _walk(node: yaml.Node, path: Location, lines: dict[Location, int], name: str, error: type[InputError]) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*path, i), lines, name, error)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise error(f"{name}, line {key.start_mark.line + 1}: a key is one word, not a list or a map")
            if key.value in seen:
                raise error(f"{name}, line {key.start_mark.line + 1}: '{key.value}' stands there twice")
            seen.add(key.value)
            _walk(value, (*path, key.value), lines, name, error)
            lines[(*path, key.value)] = key.start_mark.line + 1
