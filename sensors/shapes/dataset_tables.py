"""What the sensors of vendors with many datasets share: JSON records, told and mapped by a table.

The table is a TOML file beside this module. Each `[[dataset]]` has a `name`, the fields that `tell` its
records, the fields that hold its `time`, what its events are (`kind`, `category`, `type`), and `fields`, by
name of ECS: the path of a value, several paths (the first that has one counts), or a table: `{from, as}` with
one of `dataset_fields.WAYS` (`list` and `first`: of the elements of an array), `{from, each}` and
`{from, one}` (that key of the objects of an array), `{from, where}` (if other paths say so), `{from, values}`
(what values mean), and `{value}`. Names that begin with `~` only help `related`, which says what `related.*`
are made of.

`rules`, or the list of that name under `[rules]`, look at `event.action`, or at the path that `judge` names;
the first whose `match` is found says category, type and outcome, and `add` puts a word behind the types.
`outcome` is a path whose value says how it ended. `match` has expressions that values at paths must fit,
`nothing` the words for no value, `clock` the form of a time that stands in several fields; `~login` is a
person in any spelling. `use` names sets of fields under `[fields]` that several datasets share. What is
`weak` tells records beside others of the vendor, but no file. `csv` names columns that tell a CSV.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import delimited, json_table, zones
from sensors.reading.json_table import text, time
from sensors.reading.losses import name_lost
from sensors.shapes.audit_trail import words
from sensors.shapes.dataset_fields import Field, as_written
from sensors.shapes.mapping import first_rule, mail_domain, mailbox
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_BETWEEN: Final = ","
_ROOTS: Final = ("user", "source.user")
_PERSON: Final = ("name", "email", "id", "domain", "full_name")
_RELATED: Final = {
    "ip": ("source.ip", "client.ip", "destination.ip", "server.ip", "host.ip"),
    "user": ("user.id", "user.name", "user.email", "user.target.email", "user.target.name"),
    "hosts": ("host.name", "host.hostname", "host.id", "destination.domain"),
    "hash": ("file.hash.sha256", "file.hash.sha1", "file.hash.md5"),
}  # fmt: skip
_ENDS: Final = ("source", "client", "destination", "server")


@dataclass(frozen=True, slots=True)
class Rule:
    """What records whose action fits `match` are; what it does not say, the dataset does."""

    match: str
    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    add: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of record: what tells it, and what becomes of its fields."""

    name: str
    tell: tuple[str, ...]
    time: tuple[str, ...]
    fields: tuple[Field, ...]
    kind: str = "event"
    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ("info",)
    judge: str = ""
    outcome: str = ""
    match: Mapping[str, str] = field(default_factory=dict)
    nothing: tuple[str, ...] = ()
    clock: str = ""
    csv: tuple[str, ...] = ()
    flow: bool = False
    weak: bool = False
    related: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def is_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a parsed record has what tells this dataset."""
        return all(_at(record, part) not in (None, "", {}) for part in self.tell) and all(
            re.search(form, str(_at(record, path))) for path, form in self.match.items()
        )

    def fits(self, frame: pl.DataFrame) -> pl.Expr:
        """Whether rows have what tells this dataset."""
        there = [text(frame, part).is_not_null() for part in self.tell]
        there += [text(frame, path).str.contains(form) for path, form in self.match.items()]
        return pl.all_horizontal(there).fill_null(value=False)

    def moment(self, frame: pl.DataFrame, source: Source) -> pl.Expr:
        """When it was: at the first of the times there is, or what all of them say together by `clock`."""
        if not self.clock:
            return time(frame, *self.time, zone=str(source.zone))
        written = pl.concat_str([text(frame, path) for path in self.time], separator=" ")
        return zones.utc(written.str.to_datetime(self.clock, strict=False, time_unit="us"), source.zone)


@dataclass(slots=True)
class DatasetTables:
    """A sensor whose datasets are those of a table.

    Attributes:
        name: of the sensor.
        file: the table, beside this module.
        nested: paths that hold JSON as text.
    """

    name: str
    file: str
    nested: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Reads the table."""
        raw = tomllib.loads((files("sensors") / self.file).read_text("utf-8"))
        self.datasets = tuple(
            _dataset(table, raw.get("rules", {}), raw.get("fields", {})) for table in raw["dataset"]
        )

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether more than half of the first records are of one of the datasets."""
        if self._is_csv(head):
            return True
        strong = [one for one in self.datasets if not one.weak]
        return json_table.mostly(head, lambda record: any(one.is_of(record) for one in strong))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; what is of no dataset, or has no time, is named in `source.unread`."""
        for table in self._csv(source) if self._is_csv(source.head) else self._json(source):
            kind: pl.Expr = pl.lit(None, pl.String)
            for number, dataset in reversed(list(enumerate(self.datasets))):
                kind = pl.when(dataset.fits(table)).then(pl.lit(number)).otherwise(kind)
            kinds = table.select(kind.cast(pl.Int64).alias("kind"))["kind"]
            if kinds.null_count():
                name_lost(table.filter(kinds.is_null()), "of no dataset that is known", source)
            parts = [
                part
                for number in kinds.drop_nulls().unique().sort()
                if (part := _events(table.filter(kinds == number), self.datasets[number], source)).height
            ]
            if parts:
                whole = pl.concat(parts, how="diagonal_relaxed") if len(parts) > 1 else parts[0]
                yield whole.sort("log.offset", maintain_order=True) if len(parts) > 1 else whole

    def _json(self, source: Source) -> Iterator[pl.DataFrame]:
        for table in json_table.tables(source):
            yield json_table.opened(table, *self.nested)

    def _is_csv(self, head: bytes) -> bool:
        if not any(one.csv for one in self.datasets) or head.lstrip()[:1] in {b"{", b"["}:
            return False
        rows = delimited.first_rows(head, ",", 1)
        columns = {name.strip() for name in rows[0]} if rows else set()
        return any(one.csv and set(one.csv) <= columns for one in self.datasets)

    def _csv(self, source: Source) -> Iterator[pl.DataFrame]:
        """The records of a CSV as a table with a column of text for each of its own."""
        for names, frame in delimited.headed(source):
            yield delimited.table(frame, names, ",", source).rename({"sample": "text"})


def _fixed(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _dataset(
    table: dict[str, Any],
    shared: Mapping[str, list[dict[str, Any]]],
    sets: Mapping[str, dict[str, Any]],
) -> Dataset:
    """A dataset as the table writes it; it may use rules and sets of fields that several share."""
    named = {name: given for use in table.pop("use", ()) for name, given in sets[use].items()}
    named |= table.get("fields", {})
    rules = table.get("rules", [])
    rules = shared[rules] if isinstance(rules, str) else rules
    made = _fixed(table) | {"rules": tuple(Rule(**_fixed(rule)) for rule in rules)}
    made["fields"] = tuple(as_written(name, given) for name, given in named.items())
    made["related"] = _RELATED | _fixed(table.get("related", {}))
    return Dataset(**made)


def _at(record: object, path: str) -> object:
    """What is at a dotted path of parsed JSON, whose keys may themselves have dots; None for nothing."""
    if not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    first, dot, rest = path.partition(".")
    return _at(record.get(first), rest) if dot else None


def _events(frame: pl.DataFrame, dataset: Dataset, source: Source) -> pl.DataFrame:
    """Records of one dataset as ECS."""
    events = frame.select(
        "text",
        "log.offset",
        "log.file.line",
        dataset.moment(frame, source).alias("@timestamp"),
        pl.lit(dataset.name).alias("event.dataset"),
        pl.lit(dataset.kind).alias("event.kind"),
        *(one.column(frame, dataset.nothing) for one in dataset.fields),
        text(frame, *([dataset.judge] if dataset.judge else ["~"])).alias("~judge"),
        text(frame, *([dataset.outcome] if dataset.outcome else ["~"])).str.to_lowercase().alias("~outcome"),
    )
    lost = events["@timestamp"].is_null()
    if lost.any():
        name_lost(events.filter(lost), "no time that can be read", source)
        events = events.filter(~lost)
    if not events.height:
        return events
    events = _ends(_people(events))
    if "url.original" in events.columns and events["url.original"].null_count() < events.height:
        mapped = {name: events[name] for name in events.columns if name.startswith("url.")}
        events = url_columns(events)
        events = events.with_columns(values.fill_null(events[name]) for name, values in mapped.items())
    events = _meant(events, dataset)
    if dataset.flow:
        events = connection.described(events)
    listed = {
        kind: tuple(name for name in names if name in events.columns)
        for kind, names in dataset.related.items()
    }
    texted = events.with_columns(
        pl.col(name).list.join("\x1f")
        for name in dict.fromkeys(name for names in listed.values() for name in names)
        if events[name].dtype == pl.List
    )
    found = ecs.relations(texted, **listed).select(pl.col(r"^related\..*$"))
    helpers = [name for name in events.columns if name == "text" or name.startswith("~")]
    return events.drop(helpers).hstack(found)


def _people(events: pl.DataFrame) -> pl.DataFrame:
    """Adds what an e-mail address says of its owner, and the person as the source's."""
    have = set(events.columns)
    if "~login" in have:
        return ecs.person(events, "~login", *_ROOTS)
    if "user.email" in have:
        email = pl.col("user.email")
        name = pl.col("user.name") if "user.name" in have else pl.lit(None, pl.String)
        events = events.with_columns(
            pl.coalesce(name, mailbox(email)).alias("user.name"), mail_domain(email).alias("user.domain")
        )
    return events.with_columns(
        pl.col(f"user.{part}").alias(f"source.user.{part}")
        for part in _PERSON
        if f"user.{part}" in events.columns and f"source.user.{part}" not in have
    )


def _ends(events: pl.DataFrame) -> pl.DataFrame:
    """Addresses that are none become null; the client is the source and the source has an address."""
    have = set(events.columns)
    if "client.ip" in have and "source.ip" not in have:
        events = events.with_columns(pl.col("client.ip").alias("source.ip"))
    sides = [side for side in _ENDS if f"{side}.ip" in events.columns]
    made = [pl.col(f"{side}.ip").alias(f"{side}.address") for side in sides if f"{side}.address" not in have]
    return events.with_columns(made).with_columns(
        pl.when(ecs.is_ip(pl.col(f"{side}.ip"))).then(f"{side}.ip").alias(f"{side}.ip") for side in sides
    )


def _meant(events: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Category, type and outcome: what the first fitting rule says, else the dataset."""
    action = pl.col("event.action") if "event.action" in events.columns else pl.lit(None, pl.String)
    seen = pl.coalesce("~judge", action).fill_null("")
    rules = dataset.rules

    def said(part: str) -> pl.Expr:
        own: tuple[str, ...] = getattr(dataset, part)
        given = {rule.match: _BETWEEN.join(getattr(rule, part) or own) for rule in rules}
        return first_rule(seen, given | {".*": _BETWEEN.join(own)})

    added = first_rule(seen, {rule.match: rule.add for rule in rules} | {".*": ""}) if rules else pl.lit("")
    types = pl.when(added != "").then(said("type") + pl.lit(_BETWEEN) + added).otherwise(said("type"))
    judged = first_rule(seen, {rule.match: rule.outcome for rule in rules} | {".*": ""}) if rules else None
    told = first_rule(pl.col("~outcome"), _OUTCOMES)
    return events.with_columns(
        words(pl.when(said("category") != "").then(said("category"))).alias("event.category"),
        words(types).alias("event.type"),
        (told if judged is None else pl.coalesce(told, pl.when(judged != "").then(judged))).alias(
            "event.outcome"
        ),
    )


_OUTCOMES: Final = {
    r"^(true|success|succeeded|ok|allow|allowed|pass|passed|yes|succeed|successful)$": "success",
    r"^(false|fail|failed|failure|block|blocked|drop|deny|denied|error|no|exception|canceled)": "failure",
}
