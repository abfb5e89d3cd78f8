"""The YAML block at the head of a Markdown card, which stays text where somebody shows it as Markdown.

Not every viewer knows such a block; one that does not renders it as Markdown. So every character that could mean something there
is written as an escape of YAML's double-quoted strings: a reader of YAML gets the exact text, any other shows it as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["front_matter"]

# what could mean something in Markdown; an underscore between letters, a point between digits, a colon before a space do not
_LOUD = re.compile(
    r"[^A-Za-z0-9 ,()+_%.:-]|:(?! )|(?<!\d)\.|\.(?!\d)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])",
)
_DIGEST = re.compile(r"(hmac-)?sha256:[0-9a-f]{64}")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    plain = _DIGEST.fullmatch(text) or (text[:1].isalnum() and not text.endswith(" ") and not _LOUD.search(text))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def front_matter(data: Mapping[str, Any]) -> str:
    """`---`, the YAML, `---`. data: maps and lists that are not empty, text, numbers; keys are names of our own."""
    text = yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=1 << 30, default_flow_style=False)
    lines = [_quiet(line) for line in text.splitlines()]
    return "\n".join(["---", *lines, "---"]) + "\n"


def _quiet(line: str) -> str:
    """A line whose double-quoted value holds no character that could mean something in Markdown."""
    head, quote, rest = line.partition('"')
    if not quote:
        return line
    text = yaml.safe_load(f'"{rest}')
    return f'{head}"{_LOUD.sub(lambda found: _escape(found.group()), text)}"'


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
