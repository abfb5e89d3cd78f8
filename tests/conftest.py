"""Options of the whole suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-goldens` writes golden files anew; without it a difference is a failure."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files anew instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, bytes], None]:
    """Compares bytes with a golden file."""

    def compare(path: Path, found: bytes) -> None:
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(found)
        assert path.read_bytes() == found, f"{path.name} differs; when that is meant: pytest --update-goldens"

    return compare
