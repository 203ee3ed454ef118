"""Microsoft Network Policy Server, Routing and Remote Access: RADIUS logons and accounting (`IN….log`).

All three forms of the log: XML (`<Event>…`, "DTS compliant"), "Interpret NPS Database Format Log Files" and
"Interpret IAS Format Log Files"; Always On VPN writes its sessions here. Who connects from an address (as
RRAS says, in `Calling-Station-Id` or the tunnel's end) has it as `source.ip`, the lent one is
`source.nat.ip`.
Events of the service in the event log (20271 and others) are Windows' own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import delimited, framing, json_table, syslog
from sensors.reading.json_table import text
from sensors.reading.losses import name_lost
from sensors.shapes.gateway_records import mapped, tables
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_DATE = r"\d{2}/\d{2}/\d{4}"
_CLOCK = r"\d{2}:\d{2}:\d{2}"
_XML: Final = re.compile(rf'<Event><Timestamp data_type="4">{_DATE} {_CLOCK}')
_ODBC: Final = re.compile(rf'^"[^"]*","(?:IAS|RAS|NPS)",{_DATE},{_CLOCK},\d*,')
_IAS: Final = re.compile(rf"^[0-9A-Fa-f.:]*,[^,]*,{_DATE},{_CLOCK},(?:IAS|RAS|NPS),[^,]+(?:,\d+,[^,]*)+")
_IAS_HEAD: Final = (
    r"^(?P<nas>[^,]*),(?P<user>[^,]*),(?P<date>[0-9/]{10}),(?P<clock>[0-9:]{8}),(?P<service>[^,]*),"
    r"(?P<machine>[^,]*)(?P<pairs>(?:,[0-9]+,[^,]*)*)"
)
_ATTRIBUTE: Final = r'<([A-Za-z][\w-]*) data_type="[0-9]+">([^<]*)</[\w-]+>'
_WHEN: Final = (
    r"^(?P<month>[0-9]{2})/(?P<day>[0-9]{2})/(?P<year>[0-9]{4})[ T](?P<clock>[0-9:]{8}(?:\.[0-9]+)?)$"
)
_ENTITIES: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&apos;": "'", "&quot;": '\\"'}
_STATION: Final = r"^[0-9A-Fa-f]{2}(?:[-:][0-9A-Fa-f]{2}){5}$"
_FINE: Final = "0"  # the reason code of what went well


class Nps:
    """The sensor."""

    name = "nps"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether more than half of the lines are of one of the three forms."""
        return _form(head) is not None

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per packet; a line of another form is named as unread."""
        clock = syslog.Clock(source)
        for table in _tables(source):
            known = text(table, "when").is_not_null()
            kept = json_table.kept(table, known, source, "no packet of a Network Policy Server")
            if kept.height:
                yield mapped(_prepared(kept), self.name, source, lambda events: events, clock)


SENSOR: Final = Nps()


def _form(head: bytes) -> re.Pattern[str] | None:
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()][:100]
    for form in (_XML, _ODBC, _IAS):
        if lines and 2 * sum(bool(form.search(line)) for line in lines) > len(lines):
            return form
    return None


def _tables(source: Source) -> Iterator[pl.DataFrame]:
    """Packets with a column for each attribute, and `when`."""
    form = _form(source.head)
    if form is _ODBC:
        for records in delimited.records(source):
            table = delimited.table(records, tables("nps")["odbc"], ",", source).rename({"sample": "text"})
            yield table.with_columns(_moment(pl.concat_str("Record-Date", "Record-Time", separator=" ")))
        return
    for lines in framing.lines(source):
        if form is _IAS:
            yield _of_numbers(lines, source)
        else:
            made = lines.with_columns(json=_json(pl.col("text"), _ATTRIBUTE).str.replace_many(_ENTITIES))
            table = _shredded(made, source)
            yield table.with_columns(_moment(text(table, "Timestamp")))


def _moment(written: pl.Expr) -> pl.Expr:
    """A month first date as ISO 8601 has it."""
    part = written.str.extract_groups(_WHEN).struct.field
    return pl.concat_str(
        part("year"), pl.lit("-"), part("month"), pl.lit("-"), part("day"), pl.lit("T"), part("clock")
    ).alias("when")


def _json(written: pl.Expr, pair: str) -> pl.Expr:
    """Pairs in a text (a regular expression of two groups) as a JSON object."""
    plain = (
        written.str.replace_all(r"[\x00-\x1f]", " ")
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
    )
    escaped = pair.replace('"', r'\\"')
    listed = plain.str.extract_all(escaped).list.join("").str.replace_all(escaped, ',"${1}":"${2}"')
    return pl.concat_str(pl.lit("{"), listed.str.strip_prefix(","), pl.lit("}"))


def _shredded(made: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The JSON of lines as a table that keeps the lines as `text`."""
    table = json_table.table(made.select(pl.col("json").alias("text"), "log.offset", "log.file.line"), source)
    whole = made.select("log.offset", "text")
    return table.drop("text").join(whole, on="log.offset", how="left", maintain_order="left")


def _of_numbers(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Lines of six fields and pairs of an attribute's number and value."""
    head = lines["text"].str.extract_groups(_IAS_HEAD).struct.unnest()
    strange = head["date"].is_null()
    if strange.any():
        name_lost(lines.filter(strange), "no packet of a Network Policy Server", source)
    made = lines.hstack(head).filter(~strange)
    made = made.with_columns(json=_json(pl.col("pairs"), ",([0-9]+),([^,]*)"))
    names: dict[str, str] = tables("nps")["ias"]
    table = _shredded(made, source)
    table = table.select(
        *json_table.FRAME,
        *(pl.col(number).alias(name) for number, name in names.items() if number in table.columns),
    )
    own = made.select("log.offset", "nas", "user", "date", "clock", "machine")
    table = table.join(own, on="log.offset", how="left", maintain_order="left")
    return table.with_columns(
        pl.coalesce(text(table, "NAS-IP-Address"), "nas").alias("NAS-IP-Address"),
        pl.col("user").alias("User-Name"),
        pl.col("machine").alias("Computer-Name"),
        _moment(pl.concat_str("date", "clock", separator=" ")),
    )


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Packets with what they are, why, who and where from."""
    data: dict[str, Any] = tables("nps")
    packet, accounting = text(frame, "Packet-Type"), text(frame, "Acct-Status-Type")
    code = text(frame, "Reason-Code")
    caller, end = text(frame, "Calling-Station-Id"), text(frame, "Tunnel-Client-Endpt")
    account = pl.coalesce(
        text(frame, "User-Name"), text(frame, "SAM-Account-Name"), text(frame, "Fully-Qualified-User-Name")
    )
    said = pl.when(packet.is_null() | (packet == "4")).then(accounting)
    return frame.with_columns(
        pl.coalesce(
            said.replace_strict(data["accounting"], default=None, return_dtype=pl.String),
            packet.replace_strict(data["packets"], default=None, return_dtype=pl.String),
        ).alias("kind"),
        pl.when(code != _FINE)
        .then(code.replace_strict(data["reasons"], default=None, return_dtype=pl.String))
        .alias("reason"),
        pl.coalesce(pl.when(ecs.is_ip(caller)).then(caller), end).alias("remote"),
        pl.when(caller.str.contains(_STATION)).then(caller).alias("station"),
        account.alias("person"),
    )
