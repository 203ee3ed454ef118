"""Examples beside a rule: all events of `x.match.ndjson` must match, and none of `x.nomatch.ndjson` may.

Of a correlation and of an anomaly rule each file is one story: the first must make a finding, the second must
not. An event is one line of JSON, ECS names dotted or nested, with `event.dataset` and whatever the analysis
would have added (`account`, `roster.*`, geography).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from analysis.sigma.taxonomy import is_column
from sensors.schema import dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MATCH: Final = ".match.ndjson"
NOMATCH: Final = ".nomatch.ndjson"


def read_events(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The events of a file of examples by line number; a text in the place of one says what is wrong."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        yield number, event_of(line)


def event_of(line: bytes) -> dict[str, Any] | str:
    """The event in a line of JSON, dotted names to values; a text in its place says what is wrong."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error}); write one event a line"
    if not isinstance(value, dict):
        return "an event is a JSON object; write {…} on one line"
    event = flat(value)
    unknown = [name for name in event if not is_column(name)]
    if unknown:
        return f"{unknown[0]!r} is no field of the schema (sensors/ecs.toml); correct its name"
    return event


def flat(event: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted names."""
    result: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def frame_of(events: list[dict[str, Any]]) -> pl.DataFrame:
    """Events as a frame, each column in its type of the schema; what the type cannot hold becomes null."""
    names = dict.fromkeys(name for event in events for name in event)
    return pl.DataFrame([_series(name, [event.get(name) for event in events]) for name in names])


def _series(name: str, values: list[Any]) -> pl.Series:
    kind = dtype(name) if not name.startswith("account") else pl.String()
    if kind == pl.List(pl.String):
        lists = [
            None if v is None else [str(one) for one in v] if isinstance(v, list) else [str(v)]
            for v in values
        ]
        return pl.Series(name, lists, dtype=kind)
    texts = pl.Series(name, [_text(value) for value in values], dtype=pl.String)
    if isinstance(kind, pl.Datetime):
        return texts.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if kind == pl.Boolean:
        return (texts == "true").alias(name)
    return texts.cast(kind, strict=False)


def _text(value: Any) -> str | None:  # noqa: ANN401 - a JSON value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
