"""Windows event XML to columns: `<Event xmlns="…/win/2004/08/events/event">` as every Windows tool prints it.

`events` frames a text file into events, wherever its line ends are; `columns` takes events apart. Both work
on whole blocks: an event's data elements become rows of name and value, and these become columns. The schema
is Microsoft's ("Event Schema", learn.microsoft.com/windows/win32/wes/eventschema-schema).
"""

from __future__ import annotations

import codecs
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.windows.tables import EVENT_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_END: Final = b"</Event>"
_START: Final = r"<Event[\s>]"
_BEGIN: Final = re.compile(_START.encode())
_EVENT_BYTES: Final = 16 << 20  # Windows refuses events above 64 KiB; more is no event
_LEAF: Final = r"<[A-Za-z_][^<>]*(?:/>|>[^<]*</)"
_CONTAINERS: Final = ["EventData", "UserData", "EventXML", "RenderingInfo"]  # without content: no datum

# Column, element and attribute (None: the element's text) of what <System> holds.
_SYSTEM: Final = (
    ("winlog.provider_name", "Provider", "Name"),
    ("winlog.provider_guid", "Provider", "Guid"),
    ("winlog.event_id", "EventID", None),
    ("winlog.version", "Version", None),
    ("winlog.level", "Level", None),
    ("winlog.task", "Task", None),
    ("winlog.opcode", "Opcode", None),
    ("winlog.keywords", "Keywords", None),
    ("winlog.time_created", "TimeCreated", "SystemTime"),
    ("winlog.record_id", "EventRecordID", None),
    ("winlog.activity_id", "Correlation", "ActivityID"),
    ("winlog.process.pid", "Execution", "ProcessID"),
    ("winlog.process.thread.id", "Execution", "ThreadID"),
    ("winlog.channel", "Channel", None),
    ("winlog.computer_name", "Computer", None),
    ("winlog.user.identifier", "Security", "UserID"),
)
# What <RenderingInfo> adds where the publisher's texts were at hand.
_RENDERED: Final = (
    ("message", "Message"),
    ("rendered.level", "Level"),
    ("rendered.task", "Task"),
    ("rendered.opcode", "Opcode"),
    ("rendered.keywords", "Keyword"),
)
_ENTITIES: Final = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&amp;": "&",
    **{f"&#{number};": chr(number) for number in range(1, 256)},
    **{f"&#x{number:X};": chr(number) for number in range(1, 256)},
    **{f"&#x{number:x};": chr(number) for number in range(1, 256)},
}


def events(source: Source) -> Iterator[pl.DataFrame]:
    """The events of a text file: `text`, `log.offset`, `log.file.line`; what is cut off is named as lost."""
    offset = len(codecs.BOM_UTF8) if source.head.startswith(codecs.BOM_UTF8) else 0
    line = 1
    held = b""
    for chunk in framing.chunks(source):
        # The end tag may lie across the seam between two chunks.
        seam = max(len(held) - len(_END), 0)
        held += chunk
        cut = held.rfind(_END, seam) + len(_END)
        if cut >= len(_END):
            block, held = held[:cut], held[cut:]
            yield _split(_readable(block, offset, line, source), offset, line, source)
            offset, line = offset + cut, line + block.count(b"\n")
        elif len(held) > _EVENT_BYTES:
            source.lost("no event ends here for 16 MiB", line=line, offset=offset, sample=held[:200])
            offset, line, held = offset + len(held), line + held.count(b"\n"), b""
    if _BEGIN.search(held):
        line += held[: len(held) - len(held.lstrip())].count(b"\n")
        source.lost("the file ends within an event", line=line, offset=offset, sample=held.lstrip())


def _readable(block: bytes, offset: int, line: int, source: Source) -> str:
    """The text of a block; a byte that is not UTF-8 becomes `?`, so that offsets stay what they are."""
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        line += block.count(b"\n", 0, error.start)
        source.lost(
            "not UTF-8 from here on in places; unreadable bytes stand as ?",
            line=line,
            offset=offset + error.start,
            sample=block[error.start : error.start + 20],
            count=0,
        )
        return block.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()


def _split(block: str, offset: int, line: int, source: Source) -> pl.DataFrame:
    """The events of a block that ends with an end tag."""
    piece = pl.col("piece")
    bytes_before = (piece.str.len_bytes().cast(pl.Int64) + len(_END)).cum_sum().shift(1, fill_value=0)
    lines_before = _newlines(piece).cum_sum().shift(1, fill_value=0)
    frame = pl.DataFrame({"piece": block.split(_END.decode())[:-1]}).select(
        piece,
        piece.str.find(_START).cast(pl.Int64).alias("start"),
        piece.str.count_matches(_START).alias("starts"),
        (bytes_before + offset).alias("log.offset"),
        (lines_before + line).alias("log.file.line"),
    )
    whole = pl.col("starts") == 1
    if not frame.select(whole.all()).item():
        frame = pl.concat([frame.filter(whole), _mended(frame.filter(~whole), source)]).sort("log.offset")
    before = piece.cast(pl.Binary).bin.head(pl.col("start")).cast(pl.String)  # a declaration, line ends
    return frame.select(
        piece.cast(pl.Binary).bin.slice(pl.col("start")).cast(pl.String).alias("text"),
        pl.col("log.offset") + pl.col("start"),
        pl.col("log.file.line") + _newlines(before),
    )


def _newlines(text: pl.Expr) -> pl.Expr:
    return text.str.count_matches("\n", literal=True).cast(pl.Int64)


def _mended(pieces: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Pieces with no beginning or several: the last is the event's, what is before it is named as lost."""
    rows = []
    for text, _, _, offset, line in pieces.iter_rows():
        piece = text.encode()
        begins = [match.start() for match in _BEGIN.finditer(piece)]
        spans = [(at, end, "an event without its end") for at, end in pairwise(begins)]
        if not begins:
            spans = [(0, len(piece), "an event without its beginning")]
        for at, end, reason in spans:
            lines = piece.count(b"\n", 0, at)
            source.lost(reason, line=line + lines, offset=offset + at, sample=piece[at:end].strip())
        if begins:
            rows.append((text, begins[-1], 1, offset, line))
    return pl.DataFrame(rows, schema=pieces.schema, orient="row")


def columns(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Events (`text`, and any locator columns) as columns in Winlogbeat's words, all text.

    System's facts are `winlog.*`, every datum of EventData and UserData is `winlog.event_data.<Name>`
    (`param1`, `param2`… where it has no name), the publisher's texts are `message` and `rendered.*`.
    Events without provider, id or time are named as lost.
    """
    parts = frame.select(
        pl.exclude("text"),
        pl.col("text").str.splitn("</System>", 2).struct.rename_fields(["system", "rest"]).alias("halves"),
    ).unnest("halves")
    parts = parts.with_columns(
        pl.col("rest")
        .str.splitn("<RenderingInfo", 2)
        .struct.rename_fields(["payload", "rendering"])
        .alias("rest")
    ).unnest("rest")
    system = parts.select(
        *(name for name in parts.columns if name not in {"system", "payload", "rendering"}),
        *(_element(element, attribute).alias(name) for name, element, attribute in _SYSTEM),
        "payload",
        "rendering",
    )
    good = system.select(
        pl.col("winlog.event_id").is_not_null() & pl.col("winlog.time_created").is_not_null()
    ).to_series()
    name_lost(
        frame.filter(~good).rename({"text": "sample"}), "event XML without an event id or a time", source
    )
    system = system.filter(good)
    payload = system["payload"]
    if system["rendering"].null_count() < system.height:
        system = system.with_columns(_rendered(name, element) for name, element in _RENDERED)
    return system.drop("payload", "rendering").hstack(_wide(payload))


def _element(element: str, attribute: str | None) -> pl.Expr:
    column = pl.col("system")
    if attribute is None:
        return column.str.extract(rf"<{element}(?:\s[^>]*)?>\s*([^<]*?)\s*<")
    value = column.str.extract(rf"""<{element}\s[^>]*?\b{attribute}=("[^"]*"|'[^']*')""")
    return _unescaped(value.str.strip_chars("\"'"))


def _rendered(name: str, element: str) -> pl.Expr:
    text = pl.col("rendering").str.extract(rf"<{element}(?:\s[^>]*)?>([^<]*)</{element}>")
    return _unescaped(text).alias(name)


def _wide(payload: pl.Series) -> pl.DataFrame:
    """Data elements of each event as columns; the frame has no columns if there are none."""
    payloads = pl.DataFrame({"row": np.arange(len(payload)), "payload": payload})
    rows = payloads.select("row", pl.col("payload").str.extract_all(_LEAF).alias("leaf")).explode(
        "leaf", keep_nulls=False, empty_as_null=False
    )
    element = pl.col("leaf").str.extract(r"^<([^\s/>]+)")
    named = pl.col("leaf").str.extract(r"""^<\w+\s[^>]*?\bName=["']([^"']*)["']""")
    rows = rows.with_columns(
        pl.when(element.is_in(["Data", "ComplexData"])).then(named).otherwise(element).alias("name"),
        # A leaf ends with `</`; an empty one with `/>`, and has nothing after its first `>`.
        pl.col("leaf").str.strip_suffix("</").str.splitn(">", 2).struct.field("field_1").alias("value"),
    ).filter(pl.col("name").is_null() | pl.col("name").is_in(_CONTAINERS).not_())
    unnamed = pl.col("name").is_null()
    if rows["name"].null_count():
        numbered = pl.format("param{}", unnamed.cum_sum().over("row"))
        rows = rows.with_columns(pl.when(unnamed).then(numbered).otherwise("name").alias("name"))
    rows = pl.concat(
        [
            rows.select("row", "name", "value"),
            _attributes(payloads.filter(pl.col("payload").str.contains("<UserData>", literal=True))),
        ]
    ).filter(pl.col("value") != "")
    return pivot(rows.with_columns(_unescaped(pl.col("value")).alias("value")), len(payload))


def _attributes(payloads: pl.DataFrame) -> pl.DataFrame:
    """Attributes of UserData's elements, which are facts as well: `<UMDFHostDeviceRequest instance="…">`."""
    pair = pl.col("pair")
    return (
        payloads.select(
            "row", pl.col("payload").str.extract_all(r"<[A-Za-z_][^<>]*=[^<>]*>").list.join("").alias("tags")
        )
        .select("row", pl.col("tags").str.extract_all(r"""\s[\w.:-]+=(?:"[^"]*"|'[^']*')""").alias("pair"))
        .explode("pair", keep_nulls=False, empty_as_null=False)
        .select(
            "row",
            pair.str.extract(r"^\s([^=]+)=").alias("name"),
            pair.str.extract(r"=(.*)$").str.strip_chars("\"'").alias("value"),
        )
        .filter(pl.col("name").str.starts_with("xmlns").not_())
    )


def pivot(rows: pl.DataFrame, height: int) -> pl.DataFrame:
    """Rows of `row`, `name`, `value` as a frame of `height` rows with a `winlog.event_data.<name>` each.

    Several values of one name in one event are joined by line ends. (Polars' own `pivot` leaves out events
    without data, and is slower here.)
    """
    names = rows["name"].unique(maintain_order=True)
    if not len(names):
        return pl.DataFrame()
    code = rows["name"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    cell = code * height + rows["row"].to_numpy()
    values = rows["value"]
    if len(np.unique(cell)) < len(cell):
        joined = (
            rows.with_columns(pl.Series("cell", cell))
            .group_by("cell", maintain_order=True)
            .agg(pl.col("value").str.join("\n"))
        )
        cell, values = joined["cell"].to_numpy(), joined["value"]
    index = np.full(len(names) * height, len(values), np.uint32)
    index[cell] = np.arange(len(values), dtype=np.uint32)
    # One gather for all columns, then slices of it: a gather for each column costs more than its values.
    cells = pl.concat([values, pl.Series("value", [None], pl.String)], rechunk=True).gather(pl.Series(index))
    return pl.DataFrame(
        [cells.slice(at * height, height).alias(f"{EVENT_DATA}{name}") for at, name in enumerate(names)]
    )


def _unescaped(text: pl.Expr) -> pl.Expr:
    return (
        pl.when(text.str.contains("&", literal=True)).then(text.str.replace_many(_ENTITIES)).otherwise(text)
    )
