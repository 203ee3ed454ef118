"""Rule packs kept on disk as they were read: the next load of the same files takes a fraction of the time.

A pack is known by everything that decides what its files mean: their paths and bytes, the placeholders, the
tables and code of this package, the versions of the libraries that read them. Nothing else is trusted: what
is kept is data, taken back by a reader that makes records of the rules' own types and calls nothing else, so
that a file put there by someone else cannot run code. A file that is damaged or cannot be written costs time,
and no more. `MOLEHUNT_CACHE` names the folder; empty, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from importlib import import_module
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import zstandard

from analysis.sigma.collection import no_collection
from analysis.sigma.reading.alike import Alike
from analysis.sigma.reading.documents import SUFFIXES, files_below
from analysis.sigma.reading.load import Loaded, load
from analysis.sigma.taxonomy import AsWritten, Taxonomy
from sensors import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MARK: Final = b"molehunt rules 2\n"
MOST_PACKS: Final = 16
_DIGEST: Final = 32
_LIBRARIES: Final = ("polars", "pysigma", "pyyaml", "regex")
# The types of a rule's record, by module; a name imported there is not one of them.
_TYPES: Final = {
    "builtins": ("frozenset", "set"),
    "datetime": ("date", "datetime", "timedelta", "timezone"),
    "ipaddress": ("IPv4Network", "IPv6Network", "IPv4Address", "IPv6Address"),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "analysis.finding": ("Level",),
    "analysis.sigma.reading.kept": ("WrittenLater",),
}
_RECORDS: Final = (  # modules, all of whose own records may be kept
    "analysis.sigma.correlations.correlation", "analysis.sigma.correlations.expression",
    "analysis.sigma.filters", "analysis.sigma.reading.documents", "analysis.sigma.reading.load",
    "analysis.sigma.reading.rule", "analysis.sigma.taxonomy", "analysis.sigma.tree",
)  # fmt: skip


class WrittenLater(Mapping[str, Any]):
    """A rule's document, taken apart when someone asks for it; few do.

    Args:
        data: the document, as `_dumped` made it.
    """

    __slots__ = ("_data", "_document")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._document: dict[str, Any] | None = None

    def _whole(self) -> dict[str, Any]:
        if self._document is None:
            self._document = _Reader(BytesIO(self._data)).load()
        return self._document

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a YAML value
        return self._whole()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def __reduce__(self) -> tuple[type[WrittenLater], tuple[bytes]]:
        return WrittenLater, (self._data,)


class _Reader(pickle.Unpickler):
    """Takes back records of the rules' types and plain values; anything else is refused.

    https://docs.python.org/3/library/pickle.html#restricting-globals
    """

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - a type
        found = getattr(import_module(module), name, None) if module in (*_TYPES, *_RECORDS) else None
        if isinstance(found, type) and found.__module__ == module and found.__name__ == name:
            record = module in _RECORDS and (is_dataclass(found) or issubclass(found, Enum))
            if record or name in _TYPES.get(module, ()):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a pack of rules")


class _Writer(pickle.Pickler):
    """Writes records as their type and arguments: to be made anew costs them a third of being filled in."""

    def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - what pickle asks for
        kind: type = type(value)
        names = _positional(kind)
        if not names:
            return NotImplemented
        arguments = [getattr(value, name) for name, _ in names]
        while arguments and arguments[-1] is names[len(arguments) - 1][1]:
            arguments.pop()  # said by the type
        return kind, tuple(arguments)


@cache
def _positional(kind: type) -> tuple[tuple[str, object], ...]:
    """The arguments of a record and what they are if left out; none of what is no record of ours."""
    if kind.__module__ not in _RECORDS or not is_dataclass(kind):
        return ()
    found = fields(kind)
    if not all(one.init and not one.kw_only for one in found):
        return ()
    return tuple((one.name, one.default) for one in found)


def load_kept(
    folders: Iterable[Path], taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]
) -> Loaded:
    """`load`, from what was kept if the same files were read before."""
    folders = list(folders)
    cache = _folder()
    if cache is None or type(taxonomy) not in (Taxonomy, AsWritten):
        return load(folders, taxonomy, placeholders)
    key = _key(folders, taxonomy, placeholders)
    found = _taken(cache / f"{key}.pack")
    if found is None:
        found = load(folders, taxonomy, placeholders)
        if _key(folders, taxonomy, placeholders) == key:  # else a file was changed while it was read
            _keep(found, cache / f"{key}.pack")
    return found


def _folder() -> Path | None:
    """Where packs are kept, by the custom of the system; None if they are not to be."""
    named = os.environ.get("MOLEHUNT_CACHE")
    if named is not None:
        return Path(named) if named else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "molehunt" / "rules"


def _key(folders: Iterable[Path], taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]) -> str:
    digest = hashlib.sha256(_reading().encode())
    asked = {name: list(values) for name, values in placeholders.items()}
    digest.update(orjson.dumps([type(taxonomy).__name__, asked], option=orjson.OPT_SORT_KEYS))
    for folder in folders:
        kind = b"folder" if folder.is_dir() else b"file" if folder.exists() else b"nothing"
        digest.update(b"\0" + kind + b"\0" + os.fsencode(folder))
        names = files_below(str(folder), SUFFIXES) if kind == b"folder" else [str(folder)]
        for name in names if kind != b"nothing" else ():
            digest.update(b"\0file\0" + os.fsencode(name) + b"\0")
            digest.update(_digest(name))
    return digest.hexdigest()


def _reading() -> str:
    """What decides how files are understood: our code and tables, and the libraries."""
    digest = hashlib.sha256()
    package = str(Path(__file__).parents[1])
    tables = str(Path(schema.__file__).with_name("ecs.toml"))
    for name in (*files_below(package, (".py", ".toml", ".yaml")), schema.__file__, tables):
        digest.update(_digest(name))
    versions = [version(name) for name in _LIBRARIES]
    return "\0".join((digest.hexdigest(), sys.version, *versions))


def _digest(name: str) -> bytes:
    """The SHA-256 of a file, or what keeps it from being read."""
    try:
        with open(name, "rb", buffering=0) as stream:  # noqa: PTH123 - a path takes longer than the file
            return hashlib.sha256(stream.readall()).digest()
    except OSError as error:
        return f"unread {error.errno}".encode()


def _taken(place: Path) -> Loaded | None:
    try:
        raw = place.read_bytes()
    except OSError:
        return None
    head, data = raw[: len(MARK) + _DIGEST], raw[len(MARK) + _DIGEST :]
    if head != MARK + hashlib.sha256(data).digest():
        return None
    try:
        with no_collection():
            found = _Reader(BytesIO(zstandard.ZstdDecompressor().decompress(data))).load()
    except Exception:  # noqa: BLE001 - whatever a damaged or hostile file does, the rules are read anew
        return None
    with suppress(OSError):
        os.utime(place)  # the packs in use are the last to be thrown away
    return found if isinstance(found, Loaded) else None


def _keep(loaded: Loaded, place: Path) -> None:
    alike = Alike()
    rules = [
        alike(replace(rule, document=WrittenLater(_dumped(dict(rule.document))))) for rule in loaded.rules
    ]
    packed = zstandard.ZstdCompressor(level=1).compress(_dumped(replace(loaded, rules=rules)))
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as stream:
            part = Path(stream.name)
            try:
                stream.write(MARK + hashlib.sha256(packed).digest() + packed)
                stream.close()
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)  # a full disk leaves nothing behind
        packs = sorted(place.parent.glob("*.pack"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in packs[MOST_PACKS:]:
            old.unlink(missing_ok=True)


def _dumped(value: object) -> bytes:
    stream = BytesIO()
    _Writer(stream, protocol=5).dump(value)
    return stream.getvalue()
