from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hunted import SAMPLES, Hunted, hunt

from sensors import files
from sensors.sensor import Source

os.environ["MOLEHUNT_CACHE"] = ""  # no test is to see what another run kept

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture
def truth() -> Path:
    """The shared real inputs beside the repository; what needs them is skipped where they are missing."""
    folder = REPO.parent / "shared" / "truth"
    if not folder.is_dir():
        pytest.skip(f"needs real inputs in {folder}, which is not here")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """Makes a source of bytes or text, as a file of the given name."""

    def make(content: bytes | str, name: str = "x.log", zone: str | None = None) -> Source:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (made,) = files.sources(path, ZoneInfo(zone) if zone else None)
        assert isinstance(made, Source)
        made.modified = datetime(2026, 11, 1, tzinfo=UTC)
        return made

    return make


@pytest.fixture
def sources_of() -> Callable[[Path], Iterator[Source]]:
    """The sources in a file, all of which must open."""

    def each(path: Path) -> Iterator[Source]:
        for item in files.sources(path):
            assert isinstance(item, Source), item
            yield item

    return each


@pytest.fixture(scope="session")
def scenario_hunt(tmp_path_factory: pytest.TempPathFactory) -> Hunted:
    """A hunt over the sample scenario, made once: it reads some 80,000 events."""
    return hunt(tmp_path_factory.mktemp("scenario"), SAMPLES / "scenario")
