"""From the keys of CEF and LEEF, by their full names, to ECS columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cef.framing import dictionary
from sensors.reading import syslog
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import connection, ecs, text_values
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.sensor import Source

_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 10 * 366 * 86_400  # seconds; what claims to have lasted longer is a slip or a trick
# The format's words for its numbers: 0-3 is low, 4-6 medium, 7-8 high, 9-10 very high.
_SEVERITY: Final = {"low": 0, "medium": 4, "high": 7, "very-high": 9, "critical": 9}
_ALLOWED: Final = {
    r"(?i)^(allow|accept|pass(ed)?$|permit|bypass|detect)": ("allowed",),
    r"(?i)^(den(y|ied)|drop|block|reject|refus|reset|prevent|discard|quarantin|terminate)": ("denied",),
}
_OUTCOME: Final = {
    r"(?i)^/?(success|succeeded|ok$|allow|pass)": "success",
    r"(?i)^/?(fail|den|block|error|reject)": "failure",
    r"(?i)^/?(attempt|unknown)": "unknown",
}
_DIRECTION: Final = {r"^0$|(?i)^in": "inbound", r"^1$|(?i)^out": "outbound"}
_LABELLED: Final = (
    *(f"deviceCustomString{n}" for n in range(1, 7)),
    *(f"deviceCustomNumber{n}" for n in range(1, 4)),
    *(f"deviceCustomFloatingPoint{n}" for n in range(1, 5)),
    *(f"deviceCustomIPv6Address{n}" for n in range(1, 5)),
    *(f"flexString{n}" for n in range(1, 3)),
    *(f"deviceFlexNumber{n}" for n in range(1, 3)),
)
# Keys whose values ECS columns hold in another form than as they stand.
_OTHER_HOMES: Final = (
    "message", "deviceHostName", "transportProtocol", "applicationProtocol", "eventOutcome",
    "deviceDirection", "fileHash",
)  # fmt: skip
_HASHES: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_PLACED: Final = r"^\d+$|(?:Z|[+-]\d\d:?\d\d| [A-Z]{2,5})$"  # times that say their zone
_DATE_WORDS: Final = r"^([A-Z][a-z]{2} +\d{1,2} (?:\d{4} )?\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)(?: ([A-Z]{2,5}))?$"


def moments(column: pl.Series, source: Source) -> pl.Series:
    """The times that a column says: since 1970, ISO 8601, `MMM dd yyyy HH:mm:ss.SSS zzz`; null for others."""
    distinct = column.drop_nulls().unique()
    parts = distinct.str.extract_groups(_DATE_WORDS).struct.rename_fields(["stamp", "zone"]).struct.unnest()
    worded = parts.join(
        syslog.moments(parts.unique(["stamp", "zone"]).filter(pl.col("stamp").is_not_null()), source),
        on=["stamp", "zone"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )["@timestamp"]
    dashed = distinct.str.replace(r"^(\d{4})/(\d\d)/(\d\d)", "${1}-${2}-${3}")
    found = text_values.moment(dashed, source.zone).fill_null(worded)
    known = pl.DataFrame({"text": distinct, "time": found.cast(TIME)})
    return column.to_frame("text").join(known, on="text", how="left", maintain_order="left")["time"]


def timed(lines: pl.DataFrame, values: pl.DataFrame, source: Source, *first: str) -> list[pl.Series]:
    """`@timestamp` and `molehunt.guess`: by the device, or else by the header, or by who passed it on.

    Args:
        lines: as `records` yields them.
        values: their keys.
        source: what is read.
        first: keys of the product that are better than those that all have.
    """
    tables = dictionary()
    own = [values[name] for name in (*first, *tables["times"]) if name in values.columns]
    late = [values[name] for name in tables["late_times"] if name in values.columns]
    found = [moments(column, source) for column in own]
    time, guess = _in_year(lines, values)
    if found:
        device = pl.select(pl.coalesce(found)).to_series().cast(TIME)
        said = pl.select(
            pl.coalesce(
                pl.when(pl.lit(moment).is_not_null()).then(pl.lit(column))
                for moment, column in zip(found, own, strict=True)
            )
        ).to_series()
        placed = said.str.contains(_PLACED).fill_null(value=False) | pl.Series([source.zone_given])
        guess = pl.select(
            pl.when(pl.lit(device).is_null())
            .then(pl.lit(guess))
            .when(~pl.lit(placed))
            .then(pl.lit(["zone"], pl.List(pl.String)))
        ).to_series()
        time = device.fill_null(time)
    for column in late:
        time = time.fill_null(moments(column, source))
    return [time.cast(TIME).alias("@timestamp"), guess.alias("molehunt.guess")]


def _in_year(lines: pl.DataFrame, values: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The header's time, and what of it is a guess; NetScaler says the year, which that lacks, in a field."""
    time = lines["@timestamp"]
    if "deviceCustomString5" not in values.columns or not (lines["vendor"] == "Citrix").any():
        return time, lines["molehunt.guess"]
    year = values["deviceCustomString5"].str.extract(r"^(20\d\d)$", 1).cast(pl.Int32)
    said = (lines["vendor"] == "Citrix") & lines["molehunt.guess"].list.contains("year") & year.is_not_null()
    frame = pl.DataFrame({"time": time, "year": year, "said": said, "guess": lines["molehunt.guess"]})
    # By months: a 29 February of a year that has none is the 28th.
    months = (pl.col("year") - pl.col("time").dt.year()) * 12
    moved = pl.col("time").dt.offset_by(pl.concat_str(months.cast(pl.String), pl.lit("mo")))
    left = pl.col("guess").list.set_difference(pl.lit(["year"], pl.List(pl.String)))
    found = frame.select(
        pl.when("said").then(moved).otherwise("time").alias("time"),
        pl.when(~pl.col("said")).then("guess").when(left.list.len() > 0).then(left).alias("guess"),
    )
    return found["time"], found["guess"]


def mapped(lines: pl.DataFrame, values: pl.DataFrame, source: Source) -> pl.DataFrame:
    """ECS columns of the lines, and what has no home in ECS under `cef.*`; `@timestamp` is left as it is."""
    keyed = values.rename(lambda name: f"={name}")  # keys may be called as columns of ours are
    frame = lines.hstack(keyed).hstack(_typed(values, source))
    frame = frame.with_columns(*_header(frame), *_acts(frame), *_places(frame), *_hashes(frame))
    frame = _people(frame)
    if "url.original" in frame.columns:
        frame = url_columns(frame)
    frame = connection.described(_relations(frame))
    homes = _homes()
    kept = [name for name in values.columns if name not in homes]
    return frame.with_columns(pl.col(f"={name}").alias(f"cef.extensions.{name}") for name in kept)


def _homes() -> frozenset[str]:
    """Full names of the keys whose values ECS columns hold."""
    tables = dictionary()
    homes = {name for kind in ("ecs", "ip", "long", "float", "mac", "time") for name in tables[kind]}
    return frozenset(homes) | {*_OTHER_HOMES, *tables["times"]}


def _has(frame: pl.DataFrame, name: str) -> pl.Expr:
    if name in frame.columns:
        return pl.col(name)
    return pl.repeat(None, pl.len(), dtype=pl.String)  # as high as the frame, which a literal is not


def _key(frame: pl.DataFrame, name: str) -> pl.Expr:
    return _has(frame, f"={name}")


def _labelled(values: pl.DataFrame) -> pl.DataFrame:
    """Values of custom fields, as the ECS columns that their labels name."""
    labels: dict[str, str] = dictionary()["labels"]
    chosen: dict[str, list[pl.Expr]] = {}
    for field in _LABELLED:
        label = f"{field}Label"
        if field not in values.columns or label not in values.columns:
            continue
        said = values[label].str.to_lowercase().str.replace_all("[^a-z0-9]", "")
        for word in said.drop_nulls().unique(maintain_order=True):
            if word in labels:
                chosen.setdefault(labels[word], []).append(pl.when(said == word).then(pl.col(field)))
    return values.select(pl.coalesce(found).alias(name) for name, found in chosen.items())


def _typed(values: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The ECS columns that are one key's value, in their type; what labels say stands where no key does."""
    tables = dictionary()
    parsed: dict[str, Callable[[pl.Series], pl.Series]] = {
        "ecs": lambda column: column,
        "ip": lambda column: column,
        "long": text_values.whole,
        "float": text_values.real,
        "time": lambda column: moments(column, source),
        "mac": lambda column: column.str.to_uppercase().str.replace_all(":", "-", literal=True),
    }
    made: dict[str, list[pl.Series]] = {}
    for kind, parse in parsed.items():
        for key, name in tables[kind].items():
            if key in values.columns:
                made.setdefault(name, []).append(parse(values[key]))
    for column in _labelled(values).iter_columns():
        others = made.setdefault(column.name, [])
        others.append(text_values.whole(column) if others and others[0].dtype == pl.Int64 else column)
    return pl.DataFrame(
        pl.select(pl.coalesce(columns)).to_series().alias(name) for name, columns in made.items()
    )


def _header(frame: pl.DataFrame) -> list[pl.Expr]:
    named = pl.col("name")
    grade = pl.coalesce(pl.col("severity"), pl.when("leef").then(_key(frame, "severity")))
    return [
        pl.lit("event").alias("event.kind"),
        pl.col("class").alias("event.code"),
        pl.coalesce(
            grade.cast(pl.Int64, strict=False),
            grade.str.strip_chars()
            .str.to_lowercase()
            .replace_strict(_SEVERITY, default=None, return_dtype=pl.Int64),
        ).alias("event.severity"),
        pl.coalesce(pl.when(_key(frame, "message") != "").then(_key(frame, "message")), named).alias(
            "message"
        ),
        pl.col("vendor").alias("observer.vendor"),
        pl.col("product").alias("observer.product"),
        pl.coalesce(_has(frame, "observer.version"), "device_version").alias("observer.version"),
        pl.coalesce(_key(frame, "deviceHostName"), _key(frame, "deviceDnsDomain")).alias("observer.hostname"),
        pl.coalesce("host", "relay").alias("log.syslog.hostname"),
        pl.col("version").alias("cef.version"),
        pl.col("vendor").alias("cef.device.vendor"),
        pl.col("product").alias("cef.device.product"),
        pl.col("device_version").alias("cef.device.version"),
        pl.col("class").alias("cef.device.event_class_id"),
        named.alias("cef.name"),
        pl.col("severity").alias("cef.severity"),
        pl.when("partial").then("text").alias("event.original"),
        *syslog.common(frame),
    ]


def _acts(frame: pl.DataFrame) -> list[pl.Expr]:
    """What was done, how it ended, how long it took, over what."""
    behaviour = _key(frame, "categoryBehavior")
    rules = {f"^{name}": meaning for name, meaning in dictionary()["behavior"].items()}
    login = _key(frame, "isLoginEvent").str.to_lowercase() == "true"
    logout = _key(frame, "isLogoutEvent").str.to_lowercase() == "true"
    one = {name: [kinds[0]] for name, kinds in rules.items()}
    other = {name: [kinds[1]] for name, kinds in rules.items()}
    seconds = _duration(frame)
    both = _has(frame, "source.ip").is_not_null() & _has(frame, "destination.ip").is_not_null()
    return [
        pl.when(login | logout)
        .then(pl.lit(["authentication"], pl.List(pl.String)))
        .otherwise(
            pl.coalesce(
                first_rule(behaviour, one), pl.when(both).then(pl.lit(["network"], pl.List(pl.String)))
            )
        )
        .alias("event.category"),
        pl.when(login)
        .then(pl.lit(["start"], pl.List(pl.String)))
        .when(logout)
        .then(pl.lit(["end"], pl.List(pl.String)))
        .otherwise(
            pl.coalesce(first_rule(_key(frame, "deviceAction"), _ALLOWED), first_rule(behaviour, other))
        )
        .alias("event.type"),
        first_rule(pl.coalesce(_key(frame, "eventOutcome"), _key(frame, "categoryOutcome")), _OUTCOME).alias(
            "event.outcome"
        ),
        first_rule(_key(frame, "deviceDirection"), _DIRECTION).alias("network.direction"),
        *seconds,
        *_transport(frame),
    ]


def _duration(frame: pl.DataFrame) -> list[pl.Expr]:
    """`event.duration`, of a custom field labelled as seconds."""
    if "event.duration" not in frame.columns:
        return []
    seconds = pl.col("event.duration").cast(pl.Float64, strict=False)
    sound = seconds.is_finite() & seconds.is_between(0, _LONGEST)
    return [
        pl.when(sound).then((seconds * _NANOSECONDS).cast(pl.Int64, strict=False)).alias("event.duration")
    ]


def _transport(frame: pl.DataFrame) -> list[pl.Expr]:
    """The protocol by name, and its number where that is what stands there."""
    said = _key(frame, "transportProtocol").str.strip_chars().str.to_lowercase()
    number = said.str.extract(r"^(\d{1,3})$", 1)
    names = {code: name for name, code in ecs.PROTOCOLS.items()}
    application = _key(frame, "applicationProtocol")
    known = number.replace_strict(names, default=None, return_dtype=pl.String)
    return [
        pl.coalesce(known, pl.when(number.is_null()).then(said)).alias("network.transport"),
        pl.coalesce(number, said.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)).alias(
            "network.iana_number"
        ),
        pl.coalesce(_has(frame, "network.application"), application).alias("network.application"),
        pl.when(application.str.contains(r"^[A-Za-z][\w.+-]*$"))
        .then(application.str.to_lowercase())
        .alias("network.protocol"),
    ]


def _places(frame: pl.DataFrame) -> list[pl.Expr]:
    """Addresses; a name in the place of an address is a name."""
    made = []
    for side in ("source", "destination"):
        if f"{side}.ip" in frame.columns:
            text = pl.col(f"{side}.ip").str.strip_chars()
            whole = pl.when(ecs.is_ip(text) & ~text.is_in(ecs.NOWHERE)).then(text)
            named = pl.when(~ecs.is_ip(text) & (text != "")).then(text)
            made += [
                whole.alias(f"{side}.ip"),
                pl.coalesce(_has(frame, f"{side}.domain"), named).alias(f"{side}.domain"),
            ]
        if f"{side}.nat.ip" in frame.columns:
            text = pl.col(f"{side}.nat.ip").str.strip_chars()
            made.append(
                pl.when(ecs.is_ip(text) & ~text.is_in(ecs.NOWHERE)).then(text).alias(f"{side}.nat.ip")
            )
    if "observer.ip" in frame.columns:
        made.append(pl.when(ecs.is_ip(pl.col("observer.ip"))).then("observer.ip").alias("observer.ip"))
    return made


def _hashes(frame: pl.DataFrame) -> list[pl.Expr]:
    """`file.hash.*` of a hash whose length says what it is."""
    value = pl.coalesce(_key(frame, "fileHash"), _has(frame, "file.hash"))
    return [
        pl.coalesce(
            _has(frame, f"file.hash.{kind}"),
            pl.when(value.str.contains(f"^[0-9A-Fa-f]{{{length}}}$")).then(value),
        ).alias(f"file.hash.{kind}")
        for length, kind in _HASHES.items()
    ]


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """`user.*` is who did it: the source's user, or else the only one there is."""
    sides = [name for name in ("source.user.name", "destination.user.name") if name in frame.columns]
    if not sides:
        return frame
    frame = ecs.person(frame.with_columns(pl.coalesce(sides).alias("person")), "person", "user")
    domain = pl.coalesce("user.domain", _has(frame, "source.user.domain"))
    ids = pl.when(_has(frame, "source.user.name").is_not_null()).then(_has(frame, "source.user.id"))
    return frame.with_columns(
        domain.alias("user.domain"),
        ids.alias("user.id"),
        _has(frame, "source.user.full_name").alias("user.full_name"),
    )


def _relations(frame: pl.DataFrame) -> pl.DataFrame:
    frame = ecs.relations(
        frame,
        ip=("source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip"),
        user=("source.user.name", "destination.user.name"),
        hosts=("observer.hostname",),
    )
    hashes = [name for name in ("fileHash", "oldFileHash") if name in frame.columns]
    return frame.with_columns(ecs.related(hashes).alias("related.hash")) if hashes else frame
