"""The files of the scenario: what goes into which, and how it is packed."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

PACKED = (2026, 11, 2, 9, 15, 0)  # what the archive says of its members' age: the day they were collected


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines, through gzip if the name says so; no time goes into it, so that it is reproducible."""
    data = "".join(line + "\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        data = gzip.compress(data, 9, mtime=0)
    path.write_bytes(data)


def write_zip(path: Path, members: Mapping[str, Iterable[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, lines in members.items():
            info = zipfile.ZipInfo(name, PACKED)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, "".join(line + "\n" for line in lines))


def iso(when: datetime, digits: int = 3) -> str:
    """RFC 3339 in UTC with so many digits of the second."""
    whole = when.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{when.microsecond:06d}"[: len(whole) + 1 + digits] + "Z" if digits else f"{whole}Z"
