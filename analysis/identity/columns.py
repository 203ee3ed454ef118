"""The names that events carry, as columns: which of their fields speak of one person."""

from __future__ import annotations

from typing import Final

import polars as pl

# Where one event names a person in full. `alias` is a further address of the same person.
KEY: Final = ("namespace", "name", "domain", "email", "id", "alias")
_PARTS: Final = ("name", "domain", "email", "id", "full_name")
_SUBJECTS: Final = ("user", "source.user", "client.user")
_NOBODY: Final = (
    "", "-", "--", "n/a", "na", "none", "null", "(null)", "<null>", "nil", "unknown", "<unknown>",
    "(unknown)", "undefined", "*****", "****", "not available", "anonymous", "s-1-0-0",
    "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
# A vendor's field that has the same person's address or id where ECS' own fields do not.
_ALIASES: Final = {
    "okta.actor.alternate_id": "okta",
    "azure.signinlogs.properties.user_principal_name": "azure",
    "github.external_identity_nameid": "github",
    "github.external_identity_username": "github",
}
_IDS: Final = {"okta.actor.id": "okta", "azure.signinlogs.properties.user_id": "azure"}
_THIS_HOST: Final = (".", "localhost")
_ADDRESS: Final = r"^[0-9.]+$|:"

SCHEMA: Final[dict[str, pl.DataType]] = {
    **dict.fromkeys(KEY, pl.String()),
    "full_name": pl.String(),
    "computer": pl.String(),
    "worked": pl.Boolean(),
    "events": pl.Int64(),
}
# The columns that `principal` and `host` read; whoever keeps these can ask later who an event is about.
READ: Final = (
    "event.dataset", "event.module", "host.name", "host.hostname", *_ALIASES, *_IDS,
    *(f"{root}.{part}" for root in _SUBJECTS for part in _PARTS if part != "full_name"),
)  # fmt: skip
# The columns that `names` reads.
NAMES: Final = (
    *READ, "event.outcome", *(f"{root}.full_name" for root in _SUBJECTS),
    *(f"user.target.{part}" for part in _PARTS),
)  # fmt: skip


def namespace(frame: pl.DataFrame) -> pl.Expr:
    """Whose names an event has: its dataset's product; all of Windows is one, and so is all of Linux."""
    dataset = _text(frame, "event.dataset")
    product = pl.coalesce(dataset.str.extract(r"^([^.]+)"), _text(frame, "event.module"), pl.lit("unknown"))
    return (
        pl.when(dataset.str.contains(r"^(?:windows|winlog|system\.(?:security|system|application)$)"))
        .then(pl.lit("windows"))
        .when(dataset.str.contains(r"^(?:system\.|linux|auditd|osquery)"))
        .then(pl.lit("linux"))
        .otherwise(product)
        .alias("namespace")
    )


def host(frame: pl.DataFrame) -> pl.Expr:
    """Short name of the computer an event is from, lower case, as NetBIOS cuts it; null for an address."""
    named = pl.coalesce(_text(frame, "host.name"), _text(frame, "host.hostname")).str.to_lowercase()
    return pl.when(~named.str.contains(_ADDRESS)).then(named.str.extract(r"^([^.]+)").str.head(15))


def names_anyone(frame: pl.DataFrame) -> bool:
    """Whether a batch has any column in which a person may be named; flows mostly have none."""
    subjects = {f"{root}.{part}" for root in (*_SUBJECTS, "user.target") for part in _PARTS}
    return not subjects.isdisjoint(frame.columns) or not {*_ALIASES, *_IDS}.isdisjoint(frame.columns)


def principal(frame: pl.DataFrame) -> pl.DataFrame:
    """Who each event is about: the columns `KEY` and `full_name`, one row an event, all null for nobody.

    It is `user.*`; where that is empty `source.user.*`, then `client.user.*`. What the others add (an id, an
    address) counts only where they have the same name.
    """
    parts = {part: pl.lit(None, pl.String) for part in _PARTS}
    found = frame.select(
        pl.int_range(pl.len()).alias("row"), **parts, namespace=namespace(frame), host=host(frame)
    )
    for root in _SUBJECTS:
        if any(f"{root}.{part}" in frame.columns for part in _PARTS):
            found = _joined(found, frame.select(_said(frame, root)))
    return _finished(found, frame)


def others(frame: pl.DataFrame) -> pl.DataFrame:
    """Further people that events name, in the same columns: those of `user.target.*` and `source.user.*`."""
    tables = []
    for root in ("user.target", "source.user"):
        if any(f"{root}.{part}" in frame.columns for part in _PARTS[:4]):
            said = frame.select(*_said(frame, root), namespace(frame), host(frame).alias("host"))
            tables.append(_finished(said, None).filter(_named()))
    return (
        pl.concat(tables)
        if tables
        else pl.DataFrame(schema={name: SCHEMA[name] for name in (*KEY, "full_name")})
    )


def _finished(found: pl.DataFrame, frame: pl.DataFrame | None) -> pl.DataFrame:
    """Adds the vendors' ids and addresses, and puts the host's name for "this computer"."""
    alias = pl.lit(None, pl.String)
    number = pl.col("id")
    extra: dict[str, pl.Series] = {}
    if frame is not None:
        columns = [name for name in (*_ALIASES, *_IDS) if name in frame.columns]
        extra = {name: frame.select(_clean(frame, name)).to_series() for name in columns}
        found = found.with_columns(series.alias(name) for name, series in extra.items())
    for name, owner in _ALIASES.items():
        if name in extra:
            theirs = (pl.col("namespace") == owner) & pl.col(name).str.contains("@", literal=True)
            alias = pl.coalesce(alias, pl.when(theirs).then(pl.col(name)))
    for name, owner in _IDS.items():
        if name in extra:
            number = pl.coalesce(number, pl.when(pl.col("namespace") == owner).then(pl.col(name)))
    local = pl.col("domain").str.to_lowercase().is_in(_THIS_HOST)
    return found.with_columns(
        pl.when(local).then("host").otherwise("domain").alias("domain"), number.alias("id"), alias=alias
    ).select(*KEY, "full_name")


def _joined(found: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    both = pl.concat([found, more.rename({part: f"{part}+" for part in _PARTS})], how="horizontal")
    empty = ~_named()
    same = pl.col("name").str.to_lowercase() == pl.col("name+").str.to_lowercase()
    use = empty | same.fill_null(value=False)
    return both.with_columns(
        pl.coalesce(pl.col(part), pl.when(use).then(pl.col(f"{part}+"))).alias(part) for part in _PARTS
    ).drop(f"{part}+" for part in _PARTS)


def _named() -> pl.Expr:
    return pl.any_horizontal(pl.col("name", "email", "id").is_not_null())


def _said(frame: pl.DataFrame, root: str) -> list[pl.Expr]:
    return [_clean(frame, f"{root}.{part}").alias(part) for part in _PARTS]


def _clean(frame: pl.DataFrame, name: str) -> pl.Expr:
    """Text without white space around it, null where the log says in some way that there is nobody."""
    text = _text(frame, name).str.strip_chars()
    return pl.when(~text.str.to_lowercase().is_in(_NOBODY)).then(text)


def _text(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None, pl.String)


def names(frame: pl.DataFrame) -> pl.DataFrame:
    """The distinct names of a batch of events (the map step): who is named, and which computers are.

    Returns:
        The columns of `SCHEMA`. Rows of people have `KEY`, a display name, `worked` (whether any of their
        events did not fail) and in how many `events` they acted; rows of computers have `computer` alone.
    """
    if frame.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    if not names_anyone(frame):
        return pl.concat([pl.DataFrame(schema=SCHEMA), _computers(frame)], how="diagonal")
    failed = _text(frame, "event.outcome") == "failure"
    worked = frame.select(pl.int_range(pl.len()).alias("row"), worked=~failed.fill_null(value=False))
    acted = principal(frame).with_columns(worked["worked"], events=pl.lit(1, pl.Int64)).filter(_named())
    named = others(frame).with_columns(worked=pl.lit(value=False), events=pl.lit(0, pl.Int64))
    found = [_distinct(pl.concat([acted, named])), _computers(frame)]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found], how="diagonal").select(*SCHEMA)


def _computers(frame: pl.DataFrame) -> pl.DataFrame:
    """The computers that wrote Windows' events: what may stand before an account of one computer alone."""
    if {"host.name", "host.hostname"}.isdisjoint(frame.columns):
        return pl.DataFrame(schema={"computer": pl.String})
    computers = frame.lazy().select(computer=host(frame), namespace=namespace(frame))
    return computers.filter(namespace="windows").select("computer").drop_nulls().unique().collect()


def _distinct(people: pl.DataFrame) -> pl.DataFrame:
    return people.group_by(KEY).agg(
        pl.col("full_name").drop_nulls().min(), pl.col("worked").any(), pl.col("events").sum()
    )


def together(partials: list[pl.DataFrame]) -> pl.DataFrame:
    """What `names` said of several batches as one table of the same kind, without repetition."""
    people, computers = merged(partials)
    named = pl.DataFrame({"computer": sorted(computers)}, schema={"computer": pl.String()})
    return pl.concat([pl.DataFrame(schema=SCHEMA), people, named], how="diagonal").select(*SCHEMA)


def merged(partials: list[pl.DataFrame]) -> tuple[pl.DataFrame, frozenset[str]]:
    """All batches' names as one table without repetition, in an order of its own, and the computers."""
    every = pl.concat([pl.DataFrame(schema=SCHEMA), *(partial.select(*SCHEMA) for partial in partials)])
    computers = frozenset(every["computer"].drop_nulls().unique())
    people = _distinct(every.filter(pl.col("computer").is_null()))
    return people.sort(KEY, nulls_last=True), computers
