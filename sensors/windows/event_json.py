"""JSON of Windows events to columns: as evtx_dump (and the EVTX parser) has it, and as Winlogbeat ships it.

Both become columns in Winlogbeat's words, all text: System's facts are `winlog.*`, every datum of EventData
and UserData is `winlog.event_data.<Name>` (`param1`, `param2`… where it has no name).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.losses import name_lost
from sensors.schema import TIME, dictionary
from sensors.windows import values
from sensors.windows.tables import EVENT_DATA

if TYPE_CHECKING:
    from sensors.sensor import Source

_EVENT: Final = "Event.System."
_ATTRIBUTES: Final = ".#attributes."

# Column → paths below Event.System. evtx_dump puts attributes under `#attributes`, and the text of an element
# that has any under `#text`; or beside the element, `<Element>_attributes` (--separate-json-attributes).
_SYSTEM: Final = {
    "winlog.provider_name": ("Provider.#attributes.Name", "Provider_attributes.Name"),
    "winlog.provider_guid": ("Provider.#attributes.Guid", "Provider_attributes.Guid"),
    "winlog.event_id": ("EventID", "EventID.#text"),
    "winlog.version": ("Version",),
    "winlog.level": ("Level",),
    "winlog.task": ("Task",),
    "winlog.opcode": ("Opcode",),
    "winlog.keywords": ("Keywords",),
    "winlog.time_created": ("TimeCreated.#attributes.SystemTime", "TimeCreated_attributes.SystemTime"),
    "winlog.record_id": ("EventRecordID",),
    "winlog.activity_id": ("Correlation.#attributes.ActivityID", "Correlation_attributes.ActivityID"),
    "winlog.process.pid": ("Execution.#attributes.ProcessID", "Execution_attributes.ProcessID"),
    "winlog.process.thread.id": ("Execution.#attributes.ThreadID", "Execution_attributes.ThreadID"),
    "winlog.channel": ("Channel",),
    "winlog.computer_name": ("Computer",),
    "winlog.user.identifier": ("Security.#attributes.UserID", "Security_attributes.UserID"),
}
_RENDERED: Final = {
    "message": ("Message",),
    "rendered.level": ("Level",),
    "rendered.task": ("Task",),
    "rendered.opcode": ("Opcode",),
}
# Winlogbeat's own bookkeeping, and what is said again in other words.
_LEFT_OUT: Final = frozenset(
    {"@timestamp", "log.file.path", "log.offset", "event.ingested", "event.original", "ecs.version"}
)


def columns(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """JSON records (columns `json_table.FRAME`) as columns in Winlogbeat's words.

    Records that hold no Windows event are named in `source.unread`.
    """
    table = json_table.table(frame, source)
    if any(name.startswith(_EVENT) for name in table.columns):
        return _known(table, _dumped(table), source)
    return _known(table, _shipped(table), source)


def _known(table: pl.DataFrame, found: pl.DataFrame, source: Source) -> pl.DataFrame:
    known = found["winlog.event_id"].is_not_null() & found["winlog.time_created"].is_not_null()
    lost = table.filter(~known).rename({"text": "sample"})
    name_lost(lost, "no Windows event: it has no event id or no time", source)
    return found.filter(known)


def _dumped(table: pl.DataFrame) -> pl.DataFrame:
    """Records of evtx_dump: `{"Event": {"System": …, "EventData": …}}`."""
    system = [
        json_table.text(table, *(f"{_EVENT}{path}" for path in paths)).alias(name)
        for name, paths in _SYSTEM.items()
    ]
    if any(name.startswith("Event.RenderingInfo.") for name in table.columns):
        system += [
            json_table.text(table, *(f"Event.RenderingInfo.{path}" for path in paths)).alias(name)
            for name, paths in _RENDERED.items()
        ]
    data: dict[str, list[str]] = defaultdict(list)
    unnamed = []
    for path in table.columns:
        branch, _, rest = path.removeprefix("Event.").partition(".")
        if not path.startswith("Event.") or not rest:
            continue
        if rest in {"Data", "Data.#text"}:
            unnamed.append(path)
        elif branch == "EventData":
            data[_datum(rest)].append(path)
        elif branch in {"UserData", "ProcessingErrorData", "DebugData"}:
            # The first step is the event's own root element, with a name that says nothing (EventXML).
            data[_datum(rest).rsplit(".", 1)[-1]].append(path)
    columns = [
        (pl.col(paths[0]) if len(paths) == 1 else json_table.text(table, *paths)).alias(f"{EVENT_DATA}{name}")
        for name, paths in data.items()
        if name and not name.startswith("xmlns")
    ]
    named = table.select("log.offset", "log.file.line", *system, *columns)
    return _with_params(named, table, unnamed)


def _datum(path: str) -> str:
    """Name of a datum: its path without what evtx_dump adds for elements with attributes."""
    if _ATTRIBUTES in path:
        # <UMDFHostDeviceRequest instance="…">: a fact. <Data Name="…"> is spent on the key already.
        return path.rsplit(".", 1)[-1] if not path.startswith(("Data.", "#attributes.")) else ""
    return "" if path.startswith("#attributes.") else path.removesuffix(".#text")


def _with_params(frame: pl.DataFrame, table: pl.DataFrame, paths: list[str]) -> pl.DataFrame:
    """Adds `param1`, `param2`… for data without names: one text, or an array of them."""
    if not paths:
        return frame
    lists = table.select(
        pl.coalesce(json_table.texts(table, path) for path in paths).alias("list")
    ).to_series()
    longest = lists.list.len().max()
    if not isinstance(longest, int):
        return frame
    unnamed = {
        f"{EVENT_DATA}param{at + 1}": pl.lit(lists.list.get(at, null_on_oob=True)) for at in range(longest)
    }
    return values.added(frame, unnamed)  # other events of the batch may have data of that very name


def _typed(table: pl.DataFrame, path: str, dtype: pl.DataType) -> pl.Expr:
    """A field that the record has in ECS' words, in its type where text cannot simply be cast to it."""
    if isinstance(dtype, pl.List):
        return json_table.texts(table, path)
    value = pl.col(path)
    if dtype == TIME:
        return value.map_batches(values.times, return_dtype=TIME)
    return value.str.to_lowercase() == "true" if dtype == pl.Boolean else value


def _shipped(table: pl.DataFrame) -> pl.DataFrame:
    """Records of Winlogbeat and the Elastic agent: `{"@timestamp": …, "winlog": {…}, …}`, nested or dotted.

    ECS fields that are there already are kept; `winlog.user_data` joins `winlog.event_data`.
    """
    known = dictionary()
    kept: dict[str, list[pl.Expr]] = defaultdict(list)
    for path in table.columns:
        name = path.removeprefix("record.")
        if path in json_table.FRAME or name in _LEFT_OUT:
            continue
        if name.startswith("winlog.user_data."):
            kept[EVENT_DATA + name.removeprefix("winlog.user_data.")].append(pl.col(path))
        elif name.startswith("winlog."):
            kept[name].append(pl.col(path))
        elif name in known:
            kept[name].append(_typed(table, path, known[name]))
    for name, other in (
        ("winlog.event_id", "event.code"),
        ("winlog.provider_name", "event.provider"),
        ("winlog.time_created", "@timestamp"),
        ("winlog.computer_name", "host.name"),
        ("rendered.task", "winlog.task"),
        ("rendered.level", "log.level"),
    ):
        kept[name].append(json_table.text(table, other))
    kept.pop("winlog.event_data.xml_name", None)
    return table.select(
        "log.offset",
        "log.file.line",
        *(pl.coalesce(found).alias(name) for name, found in kept.items()),
        *(pl.lit(None, pl.String).alias(name) for name in _SYSTEM if name not in kept),
    )
