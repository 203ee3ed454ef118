"""Mapping files read: YAML to what a sensor is to do, or an error that says what to write instead."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import yaml

from sensors import schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Where: TypeAlias = "Mapping[str, tuple[str, ...]]"
_KEYS: Final = (
    "name", "dataset", "format", "delimiter", "header", "claims", "time", "fields", "events",
)  # fmt: skip
_SOURCE_KEYS: Final = ("from", "value", "values", "else", "match", "times", "split", "lower", "decimal")
_DELIMITERS: Final = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "space": " "}
_DECIMALS: Final = {"point": ".", "comma": ","}
_NOTHING: Final = ("", "null", "~")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")


class MappingError(ValueError):
    """A mapping file that cannot be used; the text names the file, the place, and what to write."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of an ECS field comes from.

    Attributes:
        paths: raw fields; the first that has a value counts.
        value: what it always is, if there are no `paths`.
        values: what raw values mean, None for nothing; others are `other`, or kept if that is None.
        match: a regular expression whose first group is taken.
        times: a factor for numbers.
        split: what stands between the elements of a list.
        lower: in lower case.
        decimal: what stands before a number's fraction: a point, or a comma.
    """

    paths: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    values: Mapping[str, str | None] = field(default_factory=dict)
    other: str | None = None
    match: str = ""
    times: float | None = None
    split: str = ""
    lower: bool = False
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class Spec:
    """A mapping file.

    Attributes:
        name: of the sensor.
        dataset: `event.dataset`.
        delimiter: of CSV; "" for JSON.
        header: names of the fields of CSV that has no header line.
        has: raw fields that every record of the format has.
        where: what raw fields must say for a record to be of the format.
        time: where the time is; `time_format` and `zone` are None if it says so itself.
        fields: ECS fields.
        events: by kind of event, what else is said of it; the first that fits counts.
    """

    name: str
    dataset: str
    delimiter: str
    header: tuple[str, ...]
    has: tuple[str, ...]
    where: Where
    time: tuple[str, ...]
    time_format: str | None
    zone: ZoneInfo | None
    fields: Mapping[str, Origin]
    events: tuple[tuple[Where, Mapping[str, Origin]], ...]


def load(path: Path) -> Spec:
    """Read a mapping file.

    Raises:
        MappingError: it cannot be used.
    """
    try:
        # Every scalar a text: raw logs say `yes`, `0755` and `12:30`, which YAML would make something else.
        raw = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506 - makes texts, lists and maps
    except RecursionError:
        raise MappingError(f"{path}: it is nested too deeply") from None
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise MappingError(f"{path}: {' '.join(str(error).split())}") from error
    try:
        return _spec(_mapping(raw, "the file"))
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from None


def _spec(raw: Mapping[str, Any]) -> Spec:
    _known(raw, _KEYS, "")
    name = raw.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MappingError("`name:` must be a short name of small letters, digits and _, e.g. acme_gate")
    claims = _mapping(raw.get("claims"), "claims")
    _known(claims, ("has", "where"), "claims")
    has, where = _texts(claims.get("has"), "claims.has"), _where(claims.get("where"), "claims.where")
    if not has and not where:
        raise MappingError("`claims:` must say which records are of this format: `has:`, `where:` or both")
    time = _mapping(raw.get("time"), "time")
    _known(time, ("from", "format", "zone"), "time")
    paths = _texts(time.get("from"), "time.from")
    if not paths:
        raise MappingError("`time:` must say `from:` which field the time comes")
    time_format = time.get("format")
    if time_format is not None and not isinstance(time_format, str):
        raise MappingError("`time.format:` must be a text such as '%d/%m/%Y %H:%M:%S'")
    fields = _origins(raw.get("fields"), "fields")
    header = _texts(raw.get("header"), "header")
    if len(set(header)) < len(header):
        raise MappingError("`header:` has a name twice; every field needs one of its own")
    return Spec(
        name=name,
        dataset=str(raw.get("dataset") or f"{name}.log"),
        delimiter=_delimiter(raw),
        header=header,
        has=has,
        where=where,
        time=paths,
        time_format=time_format,
        zone=_zone(time.get("zone")),
        fields=fields,
        events=tuple(_event(one, f"events[{place}]") for place, one in enumerate(_list(raw.get("events")))),
    )


def _delimiter(raw: Mapping[str, Any]) -> str:
    kind = raw.get("format")
    if kind not in {"json", "csv"}:
        raise MappingError("`format:` must be json or csv")
    given = raw.get("delimiter", "comma")
    if kind == "json":
        if "delimiter" in raw or "header" in raw:
            raise MappingError("`delimiter:` and `header:` are for csv alone")
        return ""
    delimiter = _DELIMITERS.get(str(given), str(given))
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise MappingError(f"`delimiter:` must be one character, or one of {', '.join(_DELIMITERS)}")
    return delimiter


def _zone(given: object) -> ZoneInfo | None:
    if given is None:
        return None
    try:
        return ZoneInfo(str(given))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(f"`time.zone:` {given!r} is no time zone; write e.g. Europe/Berlin") from error


def _event(raw: object, at: str) -> tuple[Where, Mapping[str, Origin]]:
    event = _mapping(raw, at)
    _known(event, ("where", "set"), at)
    said = _mapping(event.get("set"), f"{at}.set")
    constants = {key: {"value": value} for key, value in said.items()}
    return _where(event.get("where"), f"{at}.where"), _origins(constants, f"{at}.set")


def _origins(raw: object, at: str) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for name, given in _mapping(raw, at).items():
        try:
            schema.dtype(name)
        except KeyError:
            near = get_close_matches(name, schema.dictionary(), 1)
            meant = f"; did you mean {near[0]!r}?" if near else "; names are those of ECS"
            raise MappingError(f"`{at}`: {name!r} is no field{meant}") from None
        found[name] = _origin(given, f"{at}.{name}")
        _fits(name, found[name], f"{at}.{name}")
    return found


def _fits(name: str, origin: Origin, at: str) -> None:
    """Whether ECS knows the words that a field is given, and a list is what is split.

    Raises:
        MappingError: it does not, or it is not.
    """
    if origin.split and schema.dtype(name) != pl.List(pl.String()):
        raise MappingError(f"`{at}.split:` is for lists; {name} has one value")
    words = _words().get(name, ())
    given = [*origin.value, *(word for word in origin.values.values() if word), *filter(None, [origin.other])]
    for word in given if words else ():
        if word not in words:
            raise MappingError(f"`{at}`: {word!r} is no {name} of ECS; there are {', '.join(words)}")


def _origin(given: object, at: str) -> Origin:
    if not isinstance(given, dict):
        return Origin(_texts(given, at))
    _known(given, _SOURCE_KEYS, at)
    paths, value = _texts(given.get("from"), f"{at}.from"), _texts(given.get("value"), f"{at}.value")
    if bool(paths) == bool(value):
        raise MappingError(f"`{at}` must say either `from:` or `value:`")
    match = str(given.get("match") or "")
    try:
        groups = re.compile(match).groups if match else 1
        pl.Series([""]).str.extract(match or "()", min(groups, 1))
    except (re.error, pl.exceptions.ComputeError) as error:
        told = str(error).splitlines()[-1].strip()
        raise MappingError(f"`{at}.match:` is no regular expression that can run: {told}") from error
    if not groups:
        raise MappingError(f"`{at}.match:` needs a group in round brackets: what is to be taken")
    try:
        times = float(given["times"]) if "times" in given else None
    except (TypeError, ValueError):
        raise MappingError(f"`{at}.times:` must be a number") from None
    values = _mapping(given.get("values"), f"{at}.values")
    if not all(isinstance(meant, str) for meant in values.values()):
        raise MappingError(f"`{at}.values:` must give one text for each raw value")
    values = {raw: None if meant in _NOTHING else meant for raw, meant in values.items()}
    decimal = _DECIMALS.get(str(given.get("decimal", "point")))
    if decimal is None:
        raise MappingError(f"`{at}.decimal:` must be one of {', '.join(_DECIMALS)}")
    lower, split = given.get("lower") == "true", given.get("split") or ""
    return Origin(paths, value, values, given.get("else"), match, times, split, lower, decimal)


@cache
def _words() -> dict[str, list[str]]:
    """The words that ECS allows, by field."""
    return tomllib.loads((files("sensors.mapped") / "words.toml").read_text("utf-8"))


def _where(raw: object, at: str) -> dict[str, tuple[str, ...]]:
    return {name: _texts(value, f"{at}.{name}") for name, value in _mapping(raw, at).items()}


def _texts(given: object, at: str) -> tuple[str, ...]:
    if given is None:
        return ()
    found = given if isinstance(given, list) else [given]
    if not found or not all(isinstance(one, str) and one for one in found):
        raise MappingError(f"`{at}` must be a text or a list of texts")
    return tuple(found)


def _list(given: object) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise MappingError("`events:` must be a list")
    return given


def _mapping(given: object, at: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise MappingError(f"`{at}` must be names with what they mean, one a line")
    return {str(key): value for key, value in given.items()}


def _known(given: Mapping[str, Any], keys: tuple[str, ...], at: str) -> None:
    for key in given:
        if key not in keys:
            near = get_close_matches(str(key), keys, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(keys)}"
            raise MappingError(f"{f'`{at}`: ' if at else ''}unknown key {key!r}{meant}")
