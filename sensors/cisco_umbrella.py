"""Cisco Umbrella's CSV from S3: DNS, proxy, cloud firewall, IP, intrusion prevention, DLP and admin audit.

Columns after "Umbrella: Log Formats and Versioning" (versions 1 to 10: later ones add columns at the end);
there is no header, times are UTC. Mapping after Elastic's integration `cisco_umbrella`, but a DNS record type
is its name alone (`A`, not `1 (A)`) and a transport protocol its name. Collectors that take the lines apart
(Panther: https://docs.panther.com/data-onboarding/supported-logs/cisco-umbrella) write them as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table
from sensors.reading.json_table import text, texts
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_FIELD = r'(?:^|,) *(?:"(?:[^"]|"")*"|[^,]*)'
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
_SNIFFED: Final = 200  # lines
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "dns": (
        "time", "identity", "identities", "inside", "outside", "verdict", "query", "dns.response_code",
        "name", "categories", "identity_type", "identity_types", "blocked", "rule.id", "countries",
        "cisco.umbrella.organization_id",
    ),
    "proxy": (
        "time", "identity", "inside", "outside", "destination.address", "http.request.mime_type", "verdict",
        "url.original", "http.request.referrer", "user_agent.original", "http.response.status_code",
        "http.request.bytes", "http.response.bytes", "http.response.body.bytes", "sha256", "categories",
        "cisco.umbrella.av_detections", "cisco.umbrella.puas", "cisco.umbrella.amp_disposition",
        "cisco.umbrella.amp_malware_name", "cisco.umbrella.amp_score", "identity_type", "blocked",
        "identities", "identity_types", "http.request.method", "cisco.umbrella.dlp_status",
        "cisco.umbrella.certificate_errors", "file.name", "rule.ruleset", "rule.id",
        "cisco.umbrella.destination_lists_id", "cisco.umbrella.isolate_action", "cisco.umbrella.file_action",
        "cisco.umbrella.warn_status",
    ),
    "firewall": (
        "time", "cisco.umbrella.origin_id", "identities", "identity_types", "network.direction", "protocol",
        "source.bytes", "inside", "source.port", "destination.address", "destination.port",
        "cisco.umbrella.datacenter", "rule.id", "verdict", "fqdns", "cisco.umbrella.destination_lists_id",
    ),
    "ip": (
        "time", "identity", "inside", "source.port", "destination.address", "destination.port", "categories",
        "identity_type",
    ),
    "intrusion": (
        "time", "identities", "identity_types", "cisco.umbrella.gid", "rule.id", "rule.name",
        "cisco.umbrella.signature_list_id", "severity", "rule.category", "cisco.umbrella.cves", "protocol",
        "event.id", "inside", "source.port", "destination.address", "destination.port", "verdict",
    ),
    "dlp": (
        "time", "event.provider", "event.id", "severity", "network.name", "identity", "file.name",
        "network.application", "url.original", "verdict", "rule.name", "cisco.umbrella.classification",
        "cisco.umbrella.data_identifier", "file.mime_type", "file.size", "sha256",
        "cisco.umbrella.file_label",
    ),
    "audit": (
        "event.id", "time", "user.email", "user.name", "cisco.umbrella.audit.type", "event.action",
        "admin_ip", "cisco.umbrella.audit.before", "cisco.umbrella.audit.after",
    ),
}  # fmt: skip
# The same in JSON, by the fields that tell the kind.
_TELLS: Final = {
    "dns": ("domain", "responseCode", "timestamp"),
    "proxy": ("verdict", "url", "timestamp"),
    "firewall": ("direction", "ipProtocol", "timestamp"),
    "ip": ("sourceIp", "destinationIp", "identityTypes"),
}
_NAMES: Final = {
    "identity": ("policyIdentity", "identity"), "identities": ("identities",), "time": ("timestamp",),
    "inside": ("internalIp", "sourceIp"), "outside": ("externalIp",), "verdict": ("action", "verdict"),
    "query": ("queryType",), "dns.response_code": ("responseCode",), "name": ("domain",),
    "categories": ("categories",), "identity_type": ("policyIdentityType", "identityType"),
    "identity_types": ("identityTypes",), "blocked": ("blockedCategories",),
    "destination.address": ("destinationIp",), "http.request.mime_type": ("contentType",),
    "url.original": ("url",), "http.request.referrer": ("referer",), "user_agent.original": ("userAgent",),
    "http.response.status_code": ("statusCode",), "http.request.bytes": ("requestSize",),
    "http.response.bytes": ("responseSize",), "http.response.body.bytes": ("responseBodySize",),
    "sha256": ("sha", "sha256"), "cisco.umbrella.origin_id": ("originId",), "protocol": ("ipProtocol",),
    "network.direction": ("direction",), "source.bytes": ("packetSize",), "source.port": ("sourcePort",),
    "destination.port": ("destinationPort",), "cisco.umbrella.datacenter": ("dataCenter",),
    "rule.id": ("ruleId",), "http.request.method": ("requestMethod",),
}  # fmt: skip
_ALL: Final = tuple(dict.fromkeys(name for names in COLUMNS.values() for name in names))
_DENIED = r"(?i)block|deny|denied|drop"
_ALLOWED = r"(?i)allow|proxied|monitor|permit|warn|isolate|would"
_SEVERITY: Final = {"critical": 4, "high": 3, "medium": 2, "low": 1}
_AUDIT: Final = {
    r"(?i)creat|add": ("creation",),
    r"(?i)delet|remov": ("deletion",),
    r"(?i)logi?n": ("start",),
    r".": ("change",),
}
_PERSON = r"^(?P<full>.*?) ?\((?P<mail>[^()@\s]+@[^()\s]+)\)$"
_NETWORKS = r"(?i)network|site|tunnel"
_MACHINES = r"(?i)roaming|computer|mobile|chromebook"
_PLACES: Final = 6  # identities of one record that are looked at
_NUMBERS: Final = {number: name for name, number in ecs.PROTOCOLS.items()}


class CiscoUmbrella:
    """The sensor of all of Umbrella's logs."""

    name = "cisco_umbrella"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the names are those of buckets
        """Whether at least half of the lines (or records in JSON) are of one of Umbrella's kinds."""
        if head.lstrip()[:1] in {b"{", b"["}:
            records = json_table.peek(head)
            told = sum(
                any(record.keys() >= set(names) for names in _TELLS.values())
                and bool({"internalIp", "externalIp", "sourceIp"} & record.keys())
                for record in records
            )
            return 2 * told > len(records)
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()][:_SNIFFED]
        if not lines:
            return False
        kinds = _split(pl.DataFrame({"text": lines}))["kind"]
        return 2 * (len(lines) - kinds.null_count()) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of none of the kinds, or without a time, is named as unread."""
        if source.head.lstrip()[:1] in {b"{", b"["}:
            yield from _records(source)
            return
        for lines in framing.lines(source):
            frame = _split(lines)
            strange = frame["kind"].is_null() | frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "no line of Umbrella's logs", source)
            if not strange.all():
                yield _events(frame.filter(~strange))


SENSOR: Final = CiscoUmbrella()


def _split(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `fields`, the `kind` they are of, and `@timestamp`."""
    value = pl.element().str.replace(r"^,? *", "").str.strip_chars_end(" \r")
    quoted = value.str.replace(r'^"([\s\S]*)"$', "${1}").str.replace_all('""', '"', literal=True)
    frame = lines.with_columns(fields=pl.col("text").str.extract_all(_FIELD).list.eval(quoted))
    fields = pl.col("fields").list

    def at(place: int) -> pl.Expr:
        return fields.get(place, null_on_oob=True)

    def is_one(place: int, words: str) -> pl.Expr:
        return at(place).str.contains(rf"(?i)^(?:{words})$").fill_null(value=False)

    timed = at(0).str.contains(_TIME).fill_null(value=False)
    kind = (
        pl.when(timed & is_one(4, "inbound|outbound") & at(5).str.contains(r"^\d+$"))
        .then(pl.lit("firewall"))
        .when(timed & is_one(5, "allowed|blocked|proxied") & at(7).str.contains(r"^[A-Z0-9_ ]+$"))
        .then(pl.lit("dns"))
        .when(timed & is_one(6, "allowed|blocked|warned|isolated") & at(7).str.contains("[.:/]"))
        .then(pl.lit("proxy"))
        .when(
            timed
            & is_one(3, "critical|high|medium|low|alert|information")
            & is_one(9, "block|monitor|allow.*")
        )
        .then(pl.lit("dlp"))
        .when(timed & at(3).str.contains(r"^\d+$") & at(4).str.contains(r"^\d+$") & ecs.is_ip(at(12)))
        .then(pl.lit("intrusion"))
        .when(timed & fields.len().is_between(6, 8) & ecs.is_ip(at(2)) & ecs.is_ip(at(4)))
        .then(pl.lit("ip"))
        .when(at(1).str.contains(_TIME) & at(0).str.contains(r"^\d+$") & (fields.len() >= 7))  # noqa: PLR2004 - before
        .then(pl.lit("audit"))
    )
    when = pl.when(timed).then(at(0)).otherwise(at(1))
    return frame.with_columns(
        kind.alias("kind"),
        when.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
        .dt.replace_time_zone("UTC").cast(TIME).alias("@timestamp"),
    )  # fmt: skip


def _records(source: Source) -> Iterator[pl.DataFrame]:
    """Lines that a collector took apart."""
    for table in json_table.tables(source):
        kind: pl.Expr = pl.lit(None, pl.String)
        for name, tells in reversed(_TELLS.items()):
            there = pl.all_horizontal([text(table, tell).is_not_null() for tell in tells])
            kind = pl.when(there).then(pl.lit(name)).otherwise(kind)
        when = json_table.time(table, "timestamp").cast(TIME)
        columns = [
            pl.coalesce(texts(table, path).list.join(",") for path in paths).alias(name)
            for name, paths in _NAMES.items()
        ]
        frame = table.select(
            "text", "log.offset", "log.file.line", kind.alias("kind"), when.alias("@timestamp"), *columns
        )
        strange = frame["kind"].is_null() | frame["@timestamp"].is_null()
        if strange.any():
            name_lost(frame.filter(strange), "no record of Umbrella's logs", source)
        if not strange.all():
            yield _mapped(frame.filter(~strange))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """The lines, by the columns of their kinds."""
    parts = []
    for (kind,), part in frame.partition_by("kind", as_dict=True).items():
        fields = pl.col("fields").list
        parts.append(
            part.with_columns(
                pl.when(fields.get(place, null_on_oob=True) != "")
                .then(fields.get(place, null_on_oob=True))
                .alias(name)
                for place, name in enumerate(COLUMNS[str(kind)])
            )
        )
    return _mapped(pl.concat(parts, how="diagonal").sort("log.offset").drop("fields"))


def _mapped(whole: pl.DataFrame) -> pl.DataFrame:
    """Columns of any kind as ECS."""
    whole = whole.with_columns(
        pl.lit(None, pl.String).alias(name) for name in _ALL if name not in whole.columns
    )
    whole = _identities(whole)
    whole = whole.with_columns(*_ends(), *_details(), *_meaning())
    whole = connection.described(url_columns(whole))
    hosts = ecs.relations(
        whole,
        ip=("source.ip", "source.nat.ip", "destination.ip"),
        user=("user.name",),
        hash=("file.hash.sha256", "sha256"),
        hosts=("host.name", "dns.question.name", "fqdn", "fqdn2"),
    )
    return ecs.only(hosts, "cisco")


def _identities(frame: pl.DataFrame) -> pl.DataFrame:
    """The person, the machine and the networks among the identities, which stand beside their types."""
    names = (
        pl.coalesce("identities", "identity").str.replace_all(", ", "\x1f", literal=True).str.split(",").list
    )
    types = (
        pl.coalesce("identity_types", "identity_type")
        .str.replace_all(", ", ",", literal=True)
        .str.split(",")
        .list
    )

    def of(words: str) -> list[pl.Expr]:
        return [
            pl.when(types.get(place, null_on_oob=True).str.contains(words))
            .then(names.get(place, null_on_oob=True).str.replace_all("\x1f", ", ", literal=True))
            for place in range(_PLACES)
        ]  # fmt: skip

    person = pl.coalesce("identity", *of(r"(?i)user"))
    named = person.str.extract_groups(_PERSON).struct
    bare = pl.when(person.str.contains(r"^[^@\s,]+@[^@\s,]+$")).then(person)
    mail = pl.coalesce("user.email", named.field("mail"), bare)
    network = pl.concat_str(of(_NETWORKS), separator=", ", ignore_nulls=True)
    audit = pl.col("kind") == "audit"
    user = pl.when(audit).then("user.name").otherwise(mail.str.extract(r"^([^@]+)@", 1))
    return frame.with_columns(
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (
                ("name", user),
                ("email", mail),
                ("id", mail),
                ("domain", pl.when(~audit).then(mail.str.extract(r"@(.+)$", 1))),
                ("full_name", named.field("full")),
            )
        ),
        pl.coalesce(of(_MACHINES)).str.to_lowercase().alias("host.name"),
        pl.coalesce("network.name", pl.when(network != "").then(network)).alias("network.name"),
        person.alias("cisco.umbrella.identity"),
    )


def _ends() -> list[pl.Expr]:
    inside = pl.coalesce("inside", "admin_ip", "outside")
    target = pl.col("destination.address")
    return [
        inside.alias("source.address"),
        pl.when(ecs.is_ip(inside)).then(inside).alias("source.ip"),
        pl.when(ecs.is_ip(pl.col("outside"))).then("outside").alias("source.nat.ip"),
        pl.when(ecs.is_ip(target)).then(target).alias("destination.ip"),
    ]


def _details() -> list[pl.Expr]:
    """Numbers as numbers, names of record types and protocols, hashes."""
    numbers = (
        "source.port", "destination.port", "source.bytes", "http.response.status_code", "http.request.bytes",
        "http.response.bytes", "http.response.body.bytes", "file.size",
    )  # fmt: skip
    dns = pl.col("kind") == "dns"
    dlp = pl.col("kind") == "dlp"
    fqdn = pl.col("fqdns").str.extract(r"^([^,]+)", 1)
    return [
        *(pl.col(name).cast(pl.Int64, strict=False) for name in numbers),
        pl.col("name").str.strip_chars_end(".").alias("dns.question.name"),
        pl.coalesce(pl.col("query").str.extract(r"^\d+ \((.+)\)$", 1), "query").alias("dns.question.type"),
        pl.when(dns).then(pl.lit("query")).alias("dns.type"),
        pl.when(pl.col("protocol").is_in(list(_NUMBERS))).then(pl.col("protocol").replace(_NUMBERS))
        .alias("network.transport"),
        pl.when(pl.col("protocol").str.contains(r"^\d+$")).then("protocol").alias("network.iana_number"),
        pl.when(pl.col("kind") == "intrusion").then(pl.col("protocol").str.to_lowercase())
        .alias("network.protocol"),
        pl.col("network.direction").str.to_lowercase(),
        pl.when(dlp).then("sha256").alias("file.hash.sha256"),
        pl.col("severity").str.to_lowercase().replace_strict(_SEVERITY, default=None, return_dtype=pl.Int64)
        .alias("event.severity"),
        fqdn.alias("fqdn"),
        pl.col("fqdns").str.extract(r"^[^,]+,\s*([^,]+)", 1).alias("fqdn2"),
        fqdn.alias("destination.domain"),
        pl.col("categories").alias("cisco.umbrella.categories"),
        pl.col("blocked").alias("cisco.umbrella.blocked_categories"),
        pl.coalesce("identities", "identity").alias("cisco.umbrella.identities"),
        pl.coalesce("identity_types", "identity_type").alias("cisco.umbrella.identity_types"),
    ]  # fmt: skip


def _meaning() -> list[pl.Expr]:
    """What it is and whether it was let through."""
    lists = pl.List(pl.String)
    kind, verdict = pl.col("kind"), pl.col("verdict")
    denied = verdict.str.contains(_DENIED) & ~verdict.str.contains("(?i)would")
    allowed = verdict.str.contains(_ALLOWED)
    audit, dlp = kind == "audit", kind == "dlp"
    word = pl.when(denied).then(pl.lit("denied")).when(allowed).then(pl.lit("allowed"))
    more = pl.when(dlp | (kind == "intrusion")).then(pl.lit("info"))
    method = pl.col("http.request.method")
    return [
        pl.lit("cisco_umbrella").alias("event.module"),
        pl.lit("cisco_umbrella.log").alias("event.dataset"),
        pl.when(kind == "intrusion").then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.when(audit).then(pl.lit(["configuration"], lists))
        .when(dlp).then(pl.lit(["network", "file"], lists))
        .when(kind == "intrusion").then(pl.lit(["network", "intrusion_detection"], lists))
        .otherwise(pl.lit(["network"], lists)).alias("event.category"),
        pl.when(audit).then(first_rule(pl.col("event.action").fill_null("-"), _AUDIT))
        .otherwise(pl.concat_list(word, pl.lit("connection"), more).list.drop_nulls()).alias("event.type"),
        pl.when(kind == "dns").then(pl.lit("dns-request-") + verdict)
        .when(kind == "firewall").then(pl.lit("fw-connection-") + verdict)
        .when(dlp).then(pl.lit("dlp-") + verdict)
        .when(kind == "intrusion").then(pl.lit("ips-") + verdict)
        .when(kind == "proxy").then(pl.lit("proxy-request-") + method)
        .otherwise("event.action").alias("event.action"),
        pl.when(denied).then(pl.lit("failure")).when(allowed).then(pl.lit("success")).alias("event.outcome"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("Umbrella").alias("observer.product"),
        pl.when(~audit).then(kind.replace({"ip": "firewall", "intrusion": "idps"})).alias("observer.type"),
    ]  # fmt: skip
