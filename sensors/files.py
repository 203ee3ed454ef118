"""Paths to sources: folders walked, archives opened in the stream, every file hashed.

Nothing is ever unpacked under a name that an archive chose: members are read in the stream, and content that
a reader must seek in is spooled to a temporary file.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from sensors.reading.unpack import Guarded, Unpacked, compression
from sensors.sensor import HEAD_BYTES, Source, Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

_DEPTH: Final = 4  # archives within archives; nobody's export goes deeper
_PIECE: Final = 16 << 10
_UTC: Final = UTC


@dataclass(frozen=True, slots=True)
class _Content:
    """Bytes with a name: a file, or a member of an archive."""

    path: str
    name: str
    opener: Callable[[], BinaryIO]
    sha256: str
    modified: datetime
    disk: Path | None


def walk(
    paths: Sequence[Path], skip: Callable[[Path], bool] = lambda _path: False
) -> Iterator[Path | Unread]:
    """Every file under `paths`, folders in the order of names, and the folders that cannot be listed.

    What is in the folders of `paths` is left out where it is to be skipped: a file, or a folder as a whole.

    A link to a folder is not followed (it may lead round in a circle); it is named, unless what it leads to
    is under `paths` anyway.
    """
    roots = [root.resolve() for root in paths]
    for root in paths:
        if not root.is_dir():
            yield root
            continue
        problems: list[OSError] = []
        for folder, names, files in os.walk(root, onerror=problems.append):
            names[:] = sorted(name for name in names if not skip(Path(folder, name)))
            yield from (path for name in sorted(files) if not skip(path := Path(folder, name)))
            for link in (path for name in names if (path := Path(folder, name)).is_symlink()):
                target = link.resolve()
                if not any(target.is_relative_to(each) for each in roots):
                    yield Unread(str(link), f"links to folders are not followed; give {target} as well")
        for error in problems:
            yield Unread(str(error.filename), f"the folder cannot be listed: {error.strerror}")


def sources(path: Path, zone: tzinfo | None = None) -> Iterator[Source | Unread]:
    """The sources in one file: itself, or the members of an archive, and what of it cannot be opened.

    A source has to be read before the next one is asked for: members of a tar are read in passing.

    Args:
        path: a file on disk.
        zone: time zone of local times in it; None means not said, and UTC is the guess.
    """
    try:
        if not path.is_file():
            missing = "there is no such file" if not path.exists() else "it is not a regular file"
            yield Unread(str(path), f"{missing}; give a log, a capture, an archive or a folder")
            return
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        modified = datetime.fromtimestamp(path.stat().st_mtime, _UTC)
    except OSError as error:
        yield Unread(str(path), f"it cannot be opened: {error.strerror}")
        return
    content = _Content(str(path), path.name, lambda: path.open("rb"), digest, modified, path)
    yield from _expand(content, zone, _DEPTH)


def _expand(content: _Content, zone: tzinfo | None, depth: int) -> Iterator[Source | Unread]:
    fault = ""
    head = b""
    try:
        with content.opener() as stream:
            while len(head) < HEAD_BYTES and (piece := stream.read(HEAD_BYTES - len(head))):
                head += piece
    except (OSError, EOFError) as error:
        fault = str(error)
    if fault and not head:
        yield Unread(content.path, f"it cannot be read: {fault}")
        return
    kind = compression(head) or _archive(head)
    if kind is None:
        yield _source(content, head, zone)
    elif depth == 0:
        yield Unread(content.path, f"archives are nested more than {_DEPTH} deep here; unpack it first")
    elif kind == "zip":
        yield from _zip_members(content, zone, depth)
    elif kind == "tar":
        yield from _tar_members(content, zone, depth)
    else:
        inner = replace(
            content,
            name=_without_ending(content.name),
            opener=lambda: cast("BinaryIO", Unpacked(content.opener(), kind)),
            disk=None,
        )
        yield from _expand(inner, zone, depth - 1)


def _source(content: _Content, head: bytes, zone: tzinfo | None) -> Source:
    return Source(
        path=content.path,
        name=content.name,
        sha256=content.sha256,
        head=head,
        zone=zone or _UTC,
        modified=content.modified,
        opener=content.opener,
        disk=content.disk,
        zone_given=zone is not None,
    )


def _archive(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if head[257:262] == b"ustar" else None


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if ending.lower() in {"tgz", "tbz2", "txz", "tzst"}:
        return stem + ".tar"
    return stem if dot and ending.lower() in {"gz", "zst", "zstd", "bz2", "xz", "z"} else name


def _zip_members(content: _Content, zone: tzinfo | None, depth: int) -> Iterator[Source | Unread]:
    with _source(content, b"", zone).local() as path:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            yield Unread(content.path, f"the zip archive is damaged: {error}")
            return
        with archive:
            seen = Counter[str]()
            for info in archive.infolist():
                if info.is_dir():
                    continue
                member = replace(
                    _member(content, info.filename, _zip_time(info), seen),
                    opener=partial(_open_member, archive, info),
                )
                yield from _expand(member, zone, depth - 1)


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        stream = archive.open(info)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        raise OSError(f"the member cannot be opened ({error})") from error
    return cast("BinaryIO", Guarded(cast("BinaryIO", stream), max(1, info.compress_size)))


def _zip_time(info: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*info.date_time, tzinfo=_UTC)
    except ValueError:
        return None


def _member(content: _Content, name: str, modified: datetime | None, seen: Counter[str]) -> _Content:
    """A member of an archive; one whose name was `seen` before gets a number, for both are there."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    seen[clean] += 1
    again = f"#{seen[clean]}" if seen[clean] > 1 else ""
    return replace(
        content,
        path=f"{content.path}!{clean}{again}",
        name=clean.replace("\\", "/").rsplit("/", 1)[-1],
        modified=modified or content.modified,
        disk=None,
    )


def _tar_members(content: _Content, zone: tzinfo | None, depth: int) -> Iterator[Source | Unread]:
    try:
        with content.opener() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            seen = Counter[str]()
            for info in archive:
                data = archive.extractfile(info) if info.isreg() else None
                if data is None:
                    continue
                # Twice the head: a compressed member's head may need a little more than its own length.
                front = data.read(2 * HEAD_BYTES)
                modified = datetime.fromtimestamp(max(0, info.mtime), _UTC)
                member = replace(
                    _member(content, info.name, modified, seen), opener=partial(_Continued.open, front, data)
                )
                yield from _expand(member, zone, depth - 1)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        yield Unread(content.path, f"the tar archive ends early or is damaged: {error}")


class _Continued(io.RawIOBase):
    """Bytes already read from a member of a tar, and then the rest of it; the archive stays open.

    Raises (from `read`):
        OSError, EOFError: the archive ends within the member; all that is there was given before.
    """

    def __init__(self, front: bytes, rest: object) -> None:
        super().__init__()
        self._front = io.BytesIO(front)
        self._rest = cast("BinaryIO", rest)
        self._fault: Exception | None = None

    @classmethod
    def open(cls, front: bytes, rest: object) -> BinaryIO:
        """As a stream; may be opened again as long as no more than `front` was read."""
        return cast("BinaryIO", cls(front, rest))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is wider
        done = 0
        while done < len(buffer) and self._fault is None:
            try:
                # A cut costs the piece that it lies in, so the pieces are small.
                most = min(len(buffer) - done, _PIECE)
                data = self._front.read(most) or self._rest.read(most)
            except tarfile.TarError as error:
                self._fault = OSError(f"the archive is cut off ({error})")
                break
            except (OSError, EOFError) as error:
                self._fault = error
                break
            if not data:
                return done
            buffer[done : done + len(data)] = data
            done += len(data)
        if self._fault is not None and not done:
            raise self._fault
        return done
