"""CyberArk Privileged Access Manager: the Vault's audit, as its translator for Elastic writes it.

Format after CyberArk's "Integrate with SIEM" (elastic-json-v1.0.xsl): JSON behind a syslog header or alone;
and the XML that translators are given (`cyberark_xml.py`), as some of them pass it on.
The issuer is who did it, `Station` where from; who was given something, whose password it was and which
account a session ran under come by the kind of record (`cyberark.toml`).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import cef, cyberark_xml
from sensors.cef import pairs
from sensors.reading import framing, json_table, syslog
from sensors.reading.json_table import text
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_RECORD: Final = "syslog.audit_record"
_LINE: Final = re.compile(
    r"<syslog>.*<audit_record>|"
    r'\{\s*"format"\s*:\s*"elastic"\s*,\s*"version"\s*:\s*"[^"]*"\s*,\s*"(?:raw"\s*:\s*"<syslog>|syslog"\s*:\s*\{)'
)
_JSON: Final = r"(?s)^(?P<before>[^{]*)(?P<json>\{.*)$"
_MARKED: Final = r"^([^{<]*)<(?:\?xml|syslog>)"
_DETAIL: Final = r"(?:^|;)\s*([A-Za-z]\w*)="
_ESCAPED: Final = "\x1c"  # stands for `\;` while the details are split
_DURATION: Final = r"^(?:(\d+):)?(\d{1,2}):(\d{2})$"
_NANOSECONDS: Final = 1_000_000_000
_PROPERTY: Final = "CAProperties.CAProperty"


class CyberArk:
    """The sensor."""

    name = "cyberark"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines hold the JSON of CyberArk's translator."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; a line without one is named as unread."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            parts = _parted(lines["rest"])
            whole = lines.rename({"text": "line"}).hstack(parts).rename({"json": "text"})
            strange = whole["text"].is_null()
            if strange.any():
                name_lost(lines.filter(strange), "no JSON of CyberArk's", source)
            table = json_table.table(whole.filter(~strange).select(json_table.FRAME), source)
            head = whole.select(
                "log.offset", "line", "before", "relay", "priority", "@timestamp", "molehunt.guess"
            )
            if table.height:
                frame = table.join(head, on="log.offset", how="left", maintain_order="left")
                yield ecs.only(clock.fill(_events(frame, source)), "cyberarkpas")


SENSOR: Final = CyberArk()


def _parted(rest: pl.Series) -> pl.DataFrame:
    """The JSON of records, and what stands `before` it; that of XML is made."""
    parts = rest.str.extract_groups(_JSON).struct.unnest()
    marked = rest.str.extract(_MARKED, 1)
    if marked.null_count() == len(marked):
        return parts
    made = cyberark_xml.as_json(rest.set(marked.is_null(), None))
    return parts.with_columns(
        pl.when(made.is_null()).then("json").otherwise(made).alias("json"),
        pl.when(made.is_null()).then("before").otherwise(marked).alias("before"),
    )


@cache
def tables() -> dict[str, Any]:
    """The tables of `cyberark.toml`."""
    return tomllib.loads((files("sensors") / "cyberark.toml").read_text("utf-8"))


def _field(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A field of the record as text; null, as high as the frame, where there is none."""
    return pl.coalesce(text(frame, f"{_RECORD}.{name}"), pl.repeat(None, pl.len(), dtype=pl.String))


def _events(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Records, shredded, as ECS."""
    frame = frame.hstack(_properties(frame)).hstack(_details(frame))
    code = _field(frame, "MessageID")
    kinds = tables()["kinds"]
    shape = code.replace_strict(
        {key: kind[3] for key, kind in kinds.items()}, default="", return_dtype=pl.String
    )
    frame = frame.with_columns(shape.alias("~shape"), *_times(frame, source))
    frame = frame.with_columns(*_header(frame), *_kind(frame, code), *_places(frame), *_people(frame))
    frame = frame.with_columns(*ecs.address("source"), *ecs.address("destination"))
    frame = connection.described(frame).with_columns(connection.direction().alias("network.direction"))
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip", "~station", "~gateway"),
        user=("user.name", "source.user.name", "destination.user.name", "user.target.name"),
    )


def _properties(frame: pl.DataFrame) -> pl.DataFrame:
    """The account's properties: an array of names with values, or one such object."""
    names: dict[str, str] = tables()["properties"]
    lists = frame.with_columns(
        json_table.objects(frame, f"{_RECORD}.{_PROPERTY}", "Name", "Value").alias("p")
    )
    rows = pl.Series("row", range(frame.height), dtype=pl.UInt32)
    one = frame.select(
        pl.lit(rows),
        _field(frame, f"{_PROPERTY}.Name").alias("Name"),
        _field(frame, f"{_PROPERTY}.Value").alias("Value"),
    )
    several = lists.select(pl.lit(rows), "p").explode("p", empty_as_null=False)
    found = pl.concat([several.select("row", pl.col("p").struct.unnest()), one])
    name = pl.col("Name").replace_strict(names, default=None, return_dtype=pl.String)
    chosen = found.select("row", name=pl.lit("p.") + name, value=pl.col("Value")).filter(
        pl.col("name").is_not_null() & (pl.col("value") != "")
    )
    return pairs.columns(chosen, frame.height)


def _details(frame: pl.DataFrame) -> pl.DataFrame:
    r"""`ExtraDetails`: pairs that end in semicolons; those of values are written `\;`."""
    said = frame.select(_field(frame, "ExtraDetails")).to_series().fill_null("")
    held = said.str.replace_all("\\;", _ESCAPED, literal=True).str.strip_chars_end("; ")
    names = {key: f"d.{name}" for key, name in tables()["details"].items()}
    values, _ = pairs.table(pairs.marked(held, _DETAIL), names, others=False)
    return pairs.unescaped(values).with_columns(pl.all().str.replace_all(_ESCAPED, ";", literal=True))


def _got(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A property (`p.…`) or detail (`d.…`), null where there is none."""
    return pl.col(name) if name in frame.columns else pl.repeat(None, pl.len(), dtype=pl.String)


def _times(frame: pl.DataFrame, source: Source) -> list[pl.Series]:
    """The record's time with a zone, or the header's, or the record's by its own clock."""
    said = frame.select(iso=_field(frame, "IsoTimestamp"), local=_field(frame, "Timestamp"))
    iso, local = cef.moments(said["iso"], source), cef.moments(said["local"], source)
    time = iso.fill_null(frame["@timestamp"]).fill_null(local).cast(TIME)
    guess = pl.select(pl.when(pl.lit(iso).is_null()).then(pl.lit(frame["molehunt.guess"]))).to_series()
    return [time.alias("@timestamp"), guess.alias("molehunt.guess")]


def _header(frame: pl.DataFrame) -> list[pl.Expr]:
    sender = pl.col("before").str.extract(r"^\s*([^\s:,<>\[\]\"]{1,255})(?:\s|$)", 1)
    host = pl.coalesce(_field(frame, "Hostname"), pl.when(sender != "-").then(sender), "relay")
    details, properties = tables()["details"].values(), tables()["properties"].values()
    return [
        pl.lit("cyberarkpas.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        host.alias("host.name"),
        host.alias("observer.hostname"),
        _field(frame, "Vendor").alias("observer.vendor"),
        _field(frame, "Product").alias("observer.product"),
        _field(frame, "Version").alias("observer.version"),
        _field(frame, "File").alias("file.path"),
        _field(frame, "Station").alias("~station"),
        _field(frame, "GatewayStation").alias("~gateway"),
        _field(frame, "Message").alias("message"),
        pl.when(_field(frame, "MessageID").is_null()).then("line").alias("event.original"),
        *(
            _field(frame, field).alias(f"cyberarkpas.audit.{name}")
            for name, field in tables()["fields"].items()
        ),
        *(_got(frame, f"p.{name}").alias(f"cyberarkpas.audit.ca_properties.{name}") for name in properties),
        *(_got(frame, f"d.{name}").alias(f"cyberarkpas.audit.extra_details.{name}") for name in details),
        *syslog.common(frame),
    ]


def _kind(frame: pl.DataFrame, code: pl.Expr) -> list[pl.Expr]:
    """What the record is, by its number."""
    kinds: dict[str, list[Any]] = tables()["kinds"]

    def said(at: int) -> pl.Expr:
        return code.replace_strict({key: kind[at] for key, kind in kinds.items()}, default=None)

    severity = _field(frame, "Severity").replace_strict(
        tables()["severity"], default=None, return_dtype=pl.Int64
    )
    status = _got(frame, "p.cpm_status")
    known = (
        pl.when(status.is_in(["success", "failure"])).then(status).when(status != "").then(pl.lit("unknown"))
    )
    bad = severity > tables()["severity"]["Info"]
    disabled = (code == "130") & status.is_null()
    parts = _got(frame, "d.session_duration").str.extract_groups(_DURATION).struct
    hours, minutes, seconds = (parts.field(str(n)).cast(pl.Int64, strict=False) for n in (1, 2, 3))
    return [
        code.alias("event.code"),
        pl.coalesce(
            code.replace_strict(tables()["actions"], default=None, return_dtype=pl.String),
            _field(frame, "Action").str.to_lowercase(),
        ).alias("event.action"),
        severity.alias("event.severity"),
        said(0).alias("event.category"),
        pl.coalesce(said(1), pl.when(bad).then(pl.lit(["error"], pl.List(pl.String)))).alias("event.type"),
        pl.when(disabled)
        .then(pl.lit("failure"))
        .when(said(2) == "status")
        .then(known)
        .when(said(2) != "")
        .then(said(2))
        .alias("event.outcome"),
        pl.when(said(4) == "record")
        .then(_field(frame, "Reason"))
        .when(said(4) == "error")
        .then(_got(frame, "p.cpm_error_details"))
        .alias("event.reason"),
        pl.when(code == "302")
        .then((hours.fill_null(0) * 3600 + minutes * 60 + seconds) * _NANOSECONDS)
        .alias("event.duration"),
    ]


def _places(frame: pl.DataFrame) -> list[pl.Expr]:
    """From where, and to which machine."""
    shape = pl.col("~shape")
    session = shape == "session"
    machine = (
        pl.when(session)
        .then(_got(frame, "d.dst_host"))
        .when(shape.is_in(["account", "password"]))
        .then(_got(frame, "p.address"))
    )
    window = _field(frame, "MessageID") == "411"
    return [
        pl.coalesce(pl.when(session).then(_got(frame, "d.src_host")), _field(frame, "Station")).alias(
            "source.address"
        ),
        pl.coalesce(machine, _field(frame, "GatewayStation")).alias("destination.address"),
        pl.when(session).then(_got(frame, "d.protocol")).str.to_lowercase().alias("network.application"),
        pl.when(session).then(_got(frame, "d.session_id")).alias("session.id"),
        pl.when(window).then(_got(frame, "d.process_id")).cast(pl.Int64, strict=False).alias("process.pid"),
        pl.when(window).then(_got(frame, "d.process_name")).alias("process.name"),
    ]


def _people(frame: pl.DataFrame) -> list[pl.Expr]:
    """Who did it, with whose account, to whom."""
    shape, issuer = pl.col("~shape"), _field(frame, "Issuer")
    person = pl.when(shape == "gateway").then(_field(frame, "SourceUser")).otherwise(issuer)
    account = (
        pl.when(shape == "gateway")
        .then(issuer)
        .when(shape == "account")
        .then(_got(frame, "p.user_name"))
        .when(shape == "session")
        .then(_got(frame, "d.user"))
    )
    target = (
        pl.when(shape.is_in(["password", "target"]))
        .then(_got(frame, "p.user_name"))
        .when(shape == "other")
        .then(_field(frame, "SourceUser"))
        .when(shape == "")
        .then(_field(frame, "TargetUser"))
    )
    return [
        person.alias("user.name"),
        person.alias("source.user.name"),
        account.alias("destination.user.name"),
        target.alias("user.target.name"),
    ]
