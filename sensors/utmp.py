"""utmp, wtmp and btmp of Linux: logins, logouts, boots, and failed logins, in binary records.

Layout after utmp(5) and `struct utmp` of glibc: 384 bytes where times are 32 bits wide (x86, x86-64, ppc,
s390), 400 bytes where they are 64 (aarch64), in the byte order of the machine. A logout says who it was and
since when, from the login on the same line before it. All records of a file named btmp are failed logins.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from sensors.remote_control.sessions import Sessions
from sensors.schema import TIME
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_RECORDS: Final = 16_384  # in one batch
_SNIFFED: Final = 40
_LAST_TYPE: Final = 9
_LOGIN: Final = 7
_YEAR_2100: Final = 4_102_444_800  # seconds since 1970
_MILLION: Final = 1_000_000
# By type (utmp.h): action, category, type of the event, and what it is to a session.
TYPES: Final = {
    0: ("empty", ["host"], ["info"], None),
    1: ("run-level", ["host"], ["change"], None),
    2: ("boot", ["host"], ["start"], None),
    3: ("new-time", ["host"], ["change"], None),
    4: ("old-time", ["host"], ["change"], None),
    5: ("init-process", ["process"], ["start"], None),
    6: ("login-process", ["process"], ["start"], None),
    7: ("login", ["authentication", "session"], ["start"], "open"),
    8: ("logout", ["session"], ["end"], "close"),
    9: ("accounting", ["host"], ["info"], None),
}


def _layout(order: str, *, wide: bool) -> np.dtype[Any]:
    clock = f"{order}i8" if wide else f"{order}i4"
    fields = [
        ("type", f"{order}i2"), ("pad", "V2"), ("pid", f"{order}i4"), ("line", "S32"), ("id", "S4"),
        ("user", "S32"), ("host", "S256"), ("exit", f"{order}i2", (2,)), ("session", clock),
        ("seconds", clock), ("micros", clock), ("addr", "u1", (16,)), ("unused", "V20"),
    ]  # fmt: skip
    return np.dtype(fields, align=False) if not wide else np.dtype([*fields, ("tail", "V4")], align=False)


LAYOUTS: Final = tuple(_layout(order, wide=wide) for wide in (False, True) for order in "<>")


class Utmp:
    """The sensor."""

    name = "utmp"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the records say it all
        """Whether the first records are of types that there are, at times that clocks show."""
        return _found(head) is not None

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; half a record at the end is named as unread."""
        layout = _found(source.head)
        if layout is None:
            source.lost("no records of utmp")
            return
        sessions = Sessions()
        offset = 0
        for blob in _blocks(source, layout.itemsize):
            whole = len(blob) // layout.itemsize * layout.itemsize
            if whole:
                frame = _events(np.frombuffer(blob[:whole], layout), offset, layout.itemsize, source)
                strange = frame.filter(pl.col("@timestamp").is_null())
                if strange.height:
                    first = int(strange["log.offset"][0])
                    source.lost("a time that no clock shows", offset=first, count=strange.height)
                    frame = frame.filter(pl.col("@timestamp").is_not_null())
                if frame.height:
                    yield ecs.only(sessions.joined(frame, "utmp"), "utmp")
            if whole < len(blob):
                source.lost("half a record at the end", offset=offset + whole)
            offset += len(blob)


def _found(head: bytes) -> np.dtype[Any] | None:
    for layout in LAYOUTS:
        count = min(len(head) // layout.itemsize, _SNIFFED)
        records = np.frombuffer(head[: count * layout.itemsize], layout)
        if not count or not ((records["type"] >= 1) & (records["type"] < _LAST_TYPE)).any():
            continue
        kinds = (records["type"] >= 0) & (records["type"] <= _LAST_TYPE)
        times = (records["seconds"] >= 0) & (records["micros"] >= 0) & (records["micros"] < _MILLION)
        dated = (records["seconds"] > 10**8) | (records["type"] == 0)
        text = records["line"].tolist() + records["user"].tolist()
        if (kinds & times & dated).all() and all(word.split(b"\0")[0].isascii() for word in text):
            return layout
    return None


def _blocks(source: Source, size: int) -> Iterator[bytes]:
    """Whole records as long as there are any; what is left at the end comes last."""
    held = b""
    with source.open() as stream:
        while True:
            try:
                piece = stream.read(size * _RECORDS)
            except (OSError, EOFError) as error:
                source.lost(f"the data ends early: {error}")
                piece = b""
            held += piece
            cut = len(held) if not piece else len(held) // size * size
            if cut:
                yield held[:cut]
                held = held[cut:]
            if not piece:
                return


def _events(records: np.ndarray[Any, Any], offset: int, size: int, source: Source) -> pl.DataFrame:
    texts = {
        name: pl.Series(np.char.decode(records[name], "utf-8", "replace")).str.extract(r"^([^\x00]*)")
        for name in ("line", "id", "user", "host")
    }
    number = np.arange(len(records), dtype=np.int64)
    seconds = records["seconds"].astype(np.int64)
    possible = (seconds >= 0) & (seconds < _YEAR_2100) & (records["micros"] >= 0)
    micros = np.where(possible, seconds, 0) * _MILLION + records["micros"].astype(np.int64)
    times = pl.select(pl.when(pl.Series(possible)).then(pl.Series(micros))).to_series().cast(TIME)
    frame = pl.DataFrame(
        {
            **texts,
            "log.offset": offset + number * size,
            "kind": records["type"].astype(np.int64),
            "process.pid": records["pid"].astype(np.int64),
            "@timestamp": times,
            "addr": _addresses(records["addr"]),
        }
    ).with_columns(pl.when(pl.col(name) != "").then(name) for name in texts)
    failed = pl.lit("btmp" in source.name.lower())
    login = pl.col("kind").is_in([6, 7]) & failed
    host = pl.col("host")
    meaning = [
        pl.when(login)
        .then(pl.lit("login") if at == 0 else pl.lit(["authentication"] if at == 1 else ["start"]))
        .otherwise(_by_type(at))
        .alias(column)
        for at, column in enumerate(("event.action", "event.category", "event.type"))
    ]
    person = pl.when(pl.col("kind").is_in([7, 8]) | login).then("user")
    frame = frame.with_columns(
        *meaning,
        pl.when(~failed).then(_by_type(3)).alias("phase"),
        pl.lit("event").alias("event.kind"),
        pl.lit("linux.utmp").alias("event.dataset"),
        pl.when(login)
        .then(pl.lit("failure"))
        .when(pl.col("kind") == _LOGIN)
        .then(pl.lit("success"))
        .alias("event.outcome"),
        pl.col("user").alias("user.name"),
        person.alias("source.user.name"),
        host.alias("source.address"),
        pl.coalesce("addr", pl.when(ecs.is_ip(host)).then(host)).alias("source.ip"),
        pl.when(
            ~ecs.is_ip(host)
            & host.str.contains(r"^[A-Za-z0-9][\w-]*(?:\.[\w-]+)+$")
            & pl.col("kind").is_in([7, 8])
        )
        .then(host)
        .alias("source.domain"),
        pl.col("kind").cast(pl.String).alias("utmp.type"),
        pl.col("line").alias("utmp.line"),
        pl.col("id").alias("utmp.id"),
        pl.col("line").alias("user.terminal"),
        pl.coalesce("line", pl.lit("")).alias("session"),
    )
    return ecs.relations(frame, ip=("source.ip",), user=("user.name",))


def _by_type(at: int) -> pl.Expr:
    chain: pl.Expr = pl.lit(None)
    for kind, meaning in TYPES.items():
        chain = pl.when(pl.col("kind") == kind).then(pl.lit(meaning[at])).otherwise(chain)
    return chain


def _addresses(raw: np.ndarray[Any, Any]) -> pl.Series:
    """Addresses as text: IPv4 if only the first word is filled, null if none is."""
    kinds, where = np.unique(raw, axis=0, return_inverse=True)
    texts = [
        None
        if not row.any()
        else str(ipaddress.IPv4Address(row[:4].tobytes()))
        if not row[4:].any()
        else str(ipaddress.IPv6Address(row.tobytes()))
        for row in kinds
    ]
    return pl.Series(texts, dtype=pl.String).gather(where.reshape(-1))


SENSOR: Final = Utmp()
