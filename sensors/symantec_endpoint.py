"""Symantec Endpoint Protection: the logs that its Manager forwards by syslog.

Format after "External Logging settings and log event severity levels for Endpoint Protection Manager"
(https://knowledge.broadcom.com/external/article/155205), mapping after Elastic's integration
`symantec_endpoint`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, syslog, zones
from sensors.schema import TIME
from sensors.shapes.endpoint_records import related
from sensors.shapes.mapping import first_rule
from sensors.values import command_line, connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_LINE: Final = re.compile(
    r"(?:^|[\s:])Site: [^,]*,Server: |,Local Host(?: IP)?: [^,]*,(?:Local Host MAC|Local Port): "
    r"|,Computer name: |(?:^|[\s:])Scan ID: \d+,Begin: |[^,\s],Category: \d+,[^,]*,"
    r"|,Begin: [^,]*,End(?: Time)?: [^,]*,Rule: "
)
_BEHAVIOUR: Final = (
    r"^(?P<host>[^,]*),(?P<address>[^,]*),(?P<action>[^,]*),(?P<message>.*?),(?P<api>[^,]*),Begin: .*?,Rule: "
    r"(?P<rule>.*?),(?P<pid>\d+),(?P<executable>[^,]*),[^,]*,(?P<module>[^,]*),(?P<target>.*?),"
    r"User(?: Name)?: "
)
_ACTIVITY: Final = (
    r'^Site: [^,]*,Server: [^,]*,Domain(?: Name)?: [^,]*,(?:"(?P<quoted>[^"]*)"|(?P<message>[^,]*)),'
    r"(?P<computer>[^,]*),(?P<user>[^,]*),(?P<domain>[^,]*)$"
)
# The Manager's own files of its logs.
_DUMP: Final = (
    r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*?,"
    r"((?i:critical|major|minor|info|warning|error|fatal|notice|debug)[a-z]*),"
)
_SCAN: Final = r"^Scan ID: [^,]*,Begin: [^,]*,End(?: Time)?: [^,]*,([^,:]+),"
_SECOND: Final = 1_000_000_000  # in nanoseconds
_MESSAGES: Final = (
    r"^[^,]*,Event Description: (.*?),Local Host",
    r"(?:^|,)Event Description: ([^,]*)",
    r"^[^,]*,Category: \d+,[^,]*,(.*?),Event time: ",
    r"^Site: .*?,Admin: [^,]*,(.*)$",
    r"^Site: [^,]*,Server: [^,]*,(?:Domain: [^,]*,)?(.*)$",
    r"^Scan ID: .*?,User2: [^,]*,(\"[^\"]+\"|[^,:]+)",
    r"^Scan ID: .*?,((?:Scan|Completed|Started)[^,]*)",
)
_TOLD: Final = 4_000  # letters of a line: it says what it is at once
_CLOCK: Final = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
_NOWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - nothing is bound here


class SymantecEndpoint:
    """The sensor."""

    name = "symantec_endpoint"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the lines say it all
        """Whether at least half of the lines are of one of the Manager's logs."""
        lines = [line[:_TOLD] for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """An event per line; one that is of no known log is named as unread, if it has no time either."""

        def parted(lines: pl.DataFrame) -> pl.DataFrame:
            return _parted(lines, source)

        for frame in syslog.events(
            source, parted, _events, "not a line of Endpoint Protection Manager's logs", "log"
        ):
            yield ecs.only(frame, "symantec_endpoint")


SENSOR: Final = SymantecEndpoint()


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads((files("sensors") / "symantec_endpoint.toml").read_text("utf-8"))


def _parted(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The values of each line by name; a line without a header is all body."""
    said = syslog.fields(lines)
    headed = pl.col("@timestamp").is_not_null() | pl.col("priority").is_not_null()
    dumped = pl.col("text").str.contains(_DUMP)
    body = pl.when(headed & ~dumped).then("body").otherwise(pl.col("text").str.replace(_DUMP, ""))
    body = body.str.replace(r"^SymantecServer: ?", "")
    frame = said.with_columns(
        body.fill_null("").alias("body"), pl.col("text").str.extract(_DUMP, 1).alias("log.level")
    )
    log = first_rule(pl.col("body"), {pattern: log for log, pattern in _table()["logs"].items()})
    frame = frame.with_columns(
        log.alias("log"),
        *(_value(names).alias(field) for field, names in _table()["values"].items()),
        *(
            pl.col("body").str.extract(pattern, 1).alias(f"~m{place}")
            for place, pattern in enumerate(_MESSAGES)
        ),
    )
    frame = frame.hstack(
        frame["body"]
        .str.extract_groups(_BEHAVIOUR)
        .struct.rename_fields([f"~b.{name}" for name in re.compile(_BEHAVIOUR).groupindex])
        .struct.unnest()
    )
    frame = frame.with_columns(_activity(frame))
    moments = {
        name: frame.select(
            zones.utc(
                pl.col(name)
                .str.extract(_CLOCK, 1)
                .str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us"),
                source.zone,
            )
        ).to_series()
        for name in ("~time", "event.start", "event.end")
    }
    return frame.with_columns(
        pl.lit(moments["event.start"]).alias("event.start"),
        pl.lit(moments["event.end"]).alias("event.end"),
        pl.coalesce(pl.lit(moments["~time"]), "@timestamp", pl.lit(moments["event.start"])).alias(
            "@timestamp"
        ),
    )


def _activity(frame: pl.DataFrame) -> list[pl.Series]:
    """What stands without names in the log of what agents did: text, computer, person and domain."""
    body = frame["body"].set((frame["log"] != "Agent Activity Log").fill_null(value=True), None)
    parts = body.str.extract_groups(_ACTIVITY).struct.unnest()
    said = parts.select(
        pl.coalesce("quoted", "message").alias("~said"),
        *(pl.when(pl.col(name) != "").then(name).alias(name) for name in ("computer", "user", "domain")),
    )
    return [
        said["~said"],
        frame["~computer"].fill_null(said["computer"]),
        said["computer"].alias("~local.name"),
        frame["user.name"].fill_null(said["user"]),
        said["domain"].fill_null(frame["user.domain"]).alias("user.domain"),
    ]


def _value(names: list[str]) -> pl.Expr:
    """The value under the first of the names that has one."""
    found = [pl.col("body").str.extract(rf"(?:^|,){name}: *([^,]*)", 1) for name in names]
    return pl.coalesce(pl.when(each != "").then(each) for each in found)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    behaviour = pl.col("log") == "Agent Behavior Log"
    headed = pl.col("priority").is_not_null() | pl.col("relay").is_not_null()
    hosted = pl.col("log").is_in(
        [
            "Agent Behavior Log",
            "Agent Security Log",
            "Agent Traffic Log",
            "Agent Packet Log",
            "Agent System Log",
        ]
    )
    host = pl.coalesce("~computer", pl.when(hosted).then(pl.col("body").str.extract(r"^([^,]+),", 1)))
    first = pl.when(~hosted & ~pl.col("body").str.contains("^(?:Site|Scan ID): ")).then(
        pl.col("body").str.extract(r"^([^,]+),", 1)
    )
    risky = pl.col("body").str.extract(r",Occurrences: \d+,([^,]+),", 1)
    certified = pl.col("body").str.extract(r",Certificate signer: ([^,]+)", 1)
    frame = frame.with_columns(
        pl.col("text").alias("event.original"),
        pl.when(headed).then("host").alias("log.syslog.hostname"),
        pl.when(headed).then("app").alias("log.syslog.appname"),
        pl.lit("symantec_endpoint.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit("Broadcom").alias("observer.vendor"),
        pl.lit("Symantec Endpoint Protection").alias("observer.product"),
        pl.col("log").alias("event.provider"),
        host.alias("host.hostname"),
        host.alias("host.name"),
        pl.coalesce(
            pl.when(behaviour).then("~b.message"), "~said", *(f"~m{n}" for n in range(len(_MESSAGES))), first
        ).alias("message"),
        pl.coalesce(
            pl.when(behaviour).then("~b.action").str.to_lowercase(),
            pl.when(hosted).then("~action").str.to_lowercase(),
            pl.col("body").str.extract(_SCAN, 1).str.to_lowercase(),
            "~action",
        ).alias("event.action"),
        pl.coalesce("rule.name", "~b.rule").alias("rule.name"),
        pl.coalesce(pl.when(behaviour).then("~b.executable"), "process.executable").alias(
            "process.executable"
        ),
        pl.col("~b.pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.coalesce(risky, pl.when(behaviour).then("~b.target")).alias("file.path"),
        pl.coalesce("process.hash.md5", pl.col("body").str.extract(r"Caller MD5=([0-9A-Fa-f]{32})", 1))
        .str.to_lowercase()
        .alias("process.hash.md5"),
        pl.col("process.hash.sha256").str.to_lowercase(),
        pl.coalesce("file.x509.issuer.common_name", certified).alias("file.x509.issuer.common_name"),
        pl.col("file.size").cast(pl.Int64, strict=False),
        # A fingerprint of 40 digits is SHA-1; when it was signed is in seconds since 1970.
        pl.when(pl.col("file.hash.sha1").str.contains("^[0-9A-Fa-f]{40}$"))
        .then(pl.col("file.hash.sha1").str.to_lowercase())
        .alias("file.hash.sha1"),
        _instant(pl.col("~signed")).alias("file.x509.not_before"),
        (pl.col("~seconds").str.extract(r"^(\d{1,9})$", 1).cast(pl.Int64) * _SECOND).alias("event.duration"),
        pl.col("body")
        .str.extract(r",(Inbound|Outbound)(?:,|$)", 1)
        .replace_strict({"Inbound": "ingress", "Outbound": "egress"}, default=None)
        .alias("network.direction"),
        pl.col("body")
        .str.extract(r"(?i),(TCP|UDP|ICMP|ETHERNET|Unknown|Others?|IGMP),(?:In|Out)bound", 1)
        .fill_null(
            pl.col("body").str.extract(
                r"(?i),(?:In|Out)bound,(TCP|UDP|ICMP|ETHERNET|Unknown|Others?|IGMP),", 1
            )
        )
        .str.to_lowercase()
        .alias("network.transport"),
        *_outcome(),
    )
    return related(
        connection.described(_ends(frame)),
        {
            "ip": ["destination.ip", "source.ip", "host.ip"],
            "user": ["user.name"],
            "hosts": ["host.hostname"],
            "hash": ["file.hash.sha1", "process.hash.md5", "process.hash.sha256"],
        },
    ).with_columns(*syslog.common(frame))


def _instant(text: pl.Expr) -> pl.Expr:
    seconds = text.str.extract(r"^([1-9]\d{0,9})$", 1).cast(pl.Int64, strict=False)
    return pl.from_epoch(seconds, time_unit="s").cast(TIME)


def _outcome() -> list[pl.Expr]:
    """Category, type and outcome, by the log and by what was done."""
    told = pl.col("log").replace_strict(_table()["category"], default=None, return_dtype=pl.String)
    login = pl.col("body").str.contains("(?i)Administrator log.?(?:on|in|out|off)")
    failed = pl.col("body").str.contains("(?i)fail")
    networked = told.str.contains("network")
    done = pl.coalesce("~b.action", "~action").str.to_lowercase()
    said = pl.col("~m0").fill_null("")
    way = (
        pl.when(done.str.contains("block|denied"))
        .then(pl.lit("denied"))
        .when(done.str.contains("allow"))
        .then(pl.lit("allowed"))
        .when(said.str.contains("not blocked"))
        .then(pl.lit("allowed"))
        .when(said.str.contains("blocked"))
        .then(pl.lit("denied"))
    )
    types = pl.concat_list(
        pl.when(networked).then(pl.lit("connection")), pl.when(told.is_not_null()).then(way)
    )
    types = types.list.drop_nulls()
    return [
        pl.when(login).then(pl.lit("authentication")).otherwise(told).str.split(",").alias("event.category"),
        pl.when(login)
        .then(pl.concat_list(pl.lit("info")))
        .when(types.list.len() > 0)
        .then(types)
        .alias("event.type"),
        pl.when(login & failed)
        .then(pl.lit("failure"))
        .when(login)
        .then(pl.lit("success"))
        .alias("event.outcome"),
    ]


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Source and destination, by who began; what a host does alone has its address as the source's."""
    inward = (pl.col("network.direction") == "ingress").fill_null(value=False)
    names = {
        "local": pl.coalesce("~from.name", "~local.name"),
        "remote": pl.col("symantec_endpoint.log.remote_host_name"),
    }
    ends = {}
    for who in ("local", "remote"):
        ip = pl.col(f"~{who}.ip")
        port = pl.col(f"~{who}.port").cast(pl.Int64, strict=False)
        mac = command_line.mac(pl.col(f"~{who}.mac"))
        ends[who] = {
            "ip": pl.when(ecs.is_ip(ip) & ~ip.is_in(_NOWHERE)).then(ip),
            "port": pl.when(port > 0).then(port),
            "mac": pl.when(mac != "00-00-00-00-00-00").then(mac),
            "domain": names[who],
            "geo.name": pl.col("~place") if who == "local" else pl.lit(None, pl.String),
        }
    alone = pl.when(ecs.is_ip(pl.col("~b.address")) & ~pl.col("~b.address").is_in(_NOWHERE)).then(
        "~b.address"
    )
    made = {
        f"{side}.{part}": pl.when(inward).then(ends[there][part]).otherwise(ends[here][part])
        for side, here, there in (("source", "local", "remote"), ("destination", "remote", "local"))
        for part in ends["local"]
    }
    # Where a risk came from, which the log of risks names.
    origin = pl.when(ecs.is_ip(pl.col("~from.ip")) & ~pl.col("~from.ip").is_in(_NOWHERE)).then("~from.ip")
    made["source.ip"] = pl.coalesce(made["source.ip"], alone, origin)
    own = pl.coalesce(ends["local"]["ip"], alone, pl.when(ecs.is_ip(pl.col("~address"))).then("~address"))
    mac = ends["local"]["mac"]
    return frame.with_columns(
        *(value.alias(name) for name, value in made.items()),
        made["source.ip"].alias("source.address"),
        made["destination.ip"].alias("destination.address"),
        pl.when(own.is_not_null()).then(pl.concat_list(own)).alias("host.ip"),
        pl.when(mac.is_not_null()).then(pl.concat_list(mac)).alias("host.mac"),
    )
