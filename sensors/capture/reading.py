"""A capture as frames of events: blocks of the mapped file through the compiled pass, flows as they end."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import container, follow, names, walk
from sensors.capture.dissect import ICMP, ICMP6, TCP, UDP
from sensors.netflow.captured import PORTS, Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensors.sensor import Source

_BLOCK: Final = 1 << 19  # packets
_FLOWS: Final = 1 << 19  # flows held before those that ended are written; the table grows if none did
_DNS: Final = 1 << 16
_TEXT: Final = 16 << 20
_IDLE: Final = 300_000_000  # microseconds after which no packet can join a flow

_PROTOCOLS: Final = {
    TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "ipv6-icmp", 2: "igmp", 47: "gre", 50: "esp", 51: "ah",
    89: "ospf", 132: "sctp",
}  # fmt: skip
_DNS_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR",
    43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY", 257: "CAA",
}  # fmt: skip
_RCODES: Final = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_TLS_VERSIONS: Final = {0x0300: "3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}


def read(source: Source) -> Iterator[pl.DataFrame]:
    """Frames of `capture.flow`, `capture.dns` and `capture.tls` events, and of flows that exports tell of."""
    with source.local() as path:
        if not path.stat().st_size:  # it was emptied after it was looked at
            source.lost("nothing is in it any more")
            return
        data = np.memmap(path, np.uint8, mode="r")
        exports = Captured(data, source)
        if exports.alone():
            yield from exports.frames()
            return
        run = _Pass(data, source)
        yield from run.frames()
        if run.to_collectors or exports.seen_early:
            yield from exports.frames()


class _Pass:
    """The tables of one pass over a capture. Memory is that of the tables: packets are never kept."""

    def __init__(self, data: NDArray[np.uint8], source: Source) -> None:
        self._data, self._source = data, source
        self._state, self._interfaces = container.begin(data)
        self._packets = np.empty((_BLOCK, container.PACKET_COLUMNS), np.int64)
        self._flows = np.empty((_FLOWS, follow.FLOW_COLUMNS), np.int64)
        self._slots = np.zeros(2 * _FLOWS, np.int64)
        self._dns = np.zeros((_DNS, names.DNS_COLUMNS), np.int64)
        self._answers = np.zeros((4 * _DNS, names.ANSWER_COLUMNS), np.int64)
        self._text = np.empty(_TEXT, np.uint8)
        self._hellos = np.zeros((_DNS, names.TLS_COLUMNS), np.int64)
        self._hello_text = np.empty(_TEXT, np.uint8)
        self._counters = np.zeros(follow.COUNTERS, np.int64)
        self.to_collectors = False  # whether something went to a port of NetFlow

    def frames(self) -> Iterator[pl.DataFrame]:
        while count := walk.packets(self._data, self._state, self._interfaces, self._packets):
            begin = 0
            while begin < count:
                begin = follow.follow(
                    self._data, self._packets, begin, count, self._flows, self._slots, self._dns,
                    self._answers, self._text, self._hellos, self._hello_text, self._counters,
                )  # fmt: skip
                yield from self._spoken()
                if self._counters[follow.FLOWS] + 1 >= self._flows.shape[0]:
                    yield from self._ended(int(self._packets[begin - 1, container.TIME]) - _IDLE)
            if self._state[container.STATUS] != container.GOING:
                break
        yield from self._ended(None)
        self._say_unread()

    def _spoken(self) -> Iterator[pl.DataFrame]:
        """The names of this stretch; their tables are empty again afterwards."""
        for make in (_dns_events, _tls_events):
            frame = make(self)
            if frame.height:
                yield frame
        for cell in (follow.DNS, follow.ANSWERS, follow.TEXT, follow.HELLOS, follow.HELLO_TEXT):
            self._counters[cell] = 0

    def _ended(self, before: int | None) -> Iterator[pl.DataFrame]:
        """The flows that no later packet can join (all of them at the end); the others move to the front."""
        count = int(self._counters[follow.FLOWS])
        limit = np.iinfo(np.int64).max if before is None else before
        kept = follow.forget(self._flows, self._slots, count, limit)
        if kept < count:
            ended = self._flows[kept:count]
            ports = ended[ended[:, follow.KIND] >> 4 == UDP, follow.PORTS]
            self.to_collectors |= bool(np.isin([ports >> 16, ports & 0xFFFF], PORTS).any())
            yield _flow_events(ended)
        self._counters[follow.FLOWS] = kept
        if kept > self._flows.shape[0] // 2:  # hardly any had ended: make room
            self._flows = np.concatenate([self._flows[:kept], np.empty_like(self._flows), self._flows[kept:]])
            self._slots = np.zeros(2 * _power_of_two(self._flows.shape[0]), np.int64)
            follow.forget(self._flows, self._slots, kept, np.iinfo(np.int64).min)

    def _say_unread(self) -> None:
        say, counters = self._source.lost, self._counters
        position, frame = int(self._state[container.POSITION]), int(counters[follow.FRAME]) + 1
        if self._state[container.STATUS] == container.CUT:
            say("the capture ends in the middle of a packet", frame=frame, offset=position)
        elif self._state[container.STATUS] == container.CORRUPT:
            say(
                "a block here contradicts itself, so that the packets behind it cannot be found",
                frame=frame,
                offset=position,
            )
        if counters[follow.BROKEN_PACKETS]:
            say(
                "packets whose headers are cut off or contradict themselves; this is the first of them",
                frame=int(counters[follow.FIRST_BROKEN]),
                count=int(counters[follow.BROKEN_PACKETS]),
            )
        if counters[follow.UNKNOWN]:
            say(
                "packets of a link type that is not read; this is the first of them",
                frame=int(counters[follow.FIRST_UNKNOWN]),
                count=int(counters[follow.UNKNOWN]),
            )

    def spoken_by(self, table: NDArray[np.int64], flow: int, side: int) -> pl.DataFrame:
        """Addresses, ports and transport of the rows of `table`, as `source` the side that spoke."""
        return _endpoints(self._flows[table[:, flow]], table[:, side])

    @property
    def dns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], pl.Series]:
        """DNS messages, answers, and their text: a line a question and a line an answer, in this order."""
        messages = self._dns[: self._counters[follow.DNS]]
        answers = self._answers[: self._counters[follow.ANSWERS]]
        return messages, answers, _lines(self._text[: self._counters[follow.TEXT]])

    @property
    def hellos(self) -> tuple[NDArray[np.int64], pl.Series]:
        """TLS client hellos and their text."""
        rows = self._hellos[: self._counters[follow.HELLOS]]
        return rows, _lines(self._hello_text[: self._counters[follow.HELLO_TEXT]])


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _lines(text: NDArray[np.uint8]) -> pl.Series:
    if not text.size:
        return pl.Series("text", [], pl.String)
    whole = text.tobytes().decode("ascii").removesuffix("\n")
    return pl.Series("text", [whole]).str.split("\n").explode(empty_as_null=False)


def _dns_events(run: _Pass) -> pl.DataFrame:
    messages, answers, text = run.dns
    if not len(messages):
        return pl.DataFrame()
    # Text stands in the order it was read: the question of a message, then its answers.
    lines = np.concatenate([np.arange(len(messages)), answers[:, names.ANSWER_MESSAGE]])
    is_answer = np.concatenate([np.zeros(len(messages), bool), np.ones(len(answers), bool)])
    order = np.lexsort((np.arange(len(lines)), is_answer, lines))
    placed = pl.DataFrame({"message": lines[order], "answer": is_answer[order], "text": text})
    said = _answers(answers, placed.filter("answer")["text"])
    flags = pl.Series(messages[:, names.DNS_FLAGS])
    is_response = (flags & 0x8000) != 0
    codes = flags & 15
    base = run.spoken_by(messages, names.DNS_FLOW, names.DNS_SIDE).with_columns(
        _moments(messages[:, names.DNS_TIME]).alias("@timestamp"),
        pl.Series("molehunt.frame.number", messages[:, names.DNS_FRAME]),
        pl.Series("dns.id", messages[:, names.DNS_ID]).cast(pl.String),
        placed.filter(~pl.col("answer"))["text"].alias("dns.question.name"),
        _named(messages[:, names.DNS_TYPE], _DNS_TYPES).alias("dns.question.type"),
        pl.lit("IN").alias("dns.question.class"),
        pl.select(pl.when(is_response).then(pl.lit("answer")).otherwise(pl.lit("query")))
        .to_series()
        .alias("dns.type"),
        pl.select(pl.when(is_response).then(_named(codes.to_numpy(), _RCODES)))
        .to_series()
        .alias("dns.response_code"),
        pl.int_range(len(messages), dtype=pl.Int64).alias("message"),
        *_constants("capture.dns", ["protocol", "info"], "dns_message"),
        pl.lit("dns").alias("network.protocol"),
    )
    joined = base.join(said, on="message", how="left", maintain_order="left")
    return joined.drop("message").with_columns(
        pl.when(pl.col("dns.response_code") == "NOERROR").then(pl.lit("success"))
        .when(pl.col("dns.response_code").is_not_null()).then(pl.lit("failure")).alias("event.outcome")
    )  # fmt: skip


def _answers(answers: NDArray[np.int64], text: pl.Series) -> pl.DataFrame:
    """Answers by message: `dns.answers.data`, `dns.answers.type`, `dns.resolved_ip`."""
    kinds = answers[:, names.ANSWER_TYPE]
    version = np.where(kinds == names.A, 4, np.where(kinds == names.AAAA, 6, 0))
    address = _addresses(answers[:, names.ANSWER_HIGH], answers[:, names.ANSWER_LOW], version)
    frame = pl.DataFrame(
        {
            "message": answers[:, names.ANSWER_MESSAGE],
            "address": address,
            "type": _named(kinds, _DNS_TYPES),
            "data": text.set(text == "", None),
        }
    )
    return (
        frame.with_columns(pl.coalesce("address", "data").alias("data"))
        .group_by("message", maintain_order=True)
        .agg(
            pl.col("data").drop_nulls().alias("dns.answers.data"),
            pl.col("type").alias("dns.answers.type"),
            pl.col("address").drop_nulls().alias("dns.resolved_ip"),
        )
    )


def _tls_events(run: _Pass) -> pl.DataFrame:
    hellos, text = run.hellos
    if not len(hellos):
        return pl.DataFrame()
    pair = text.str.split_exact("\t", 1).struct.unnest()
    protocols = pair["field_1"].str.split(",").list.first()
    return run.spoken_by(hellos, names.TLS_FLOW, names.TLS_SIDE).with_columns(
        _moments(hellos[:, names.TLS_TIME]).alias("@timestamp"),
        pl.Series("molehunt.frame.number", hellos[:, names.TLS_FRAME]),
        pair["field_0"].alias("tls.client.server_name"),
        protocols.alias("tls.next_protocol"),
        _named(hellos[:, names.TLS_VERSION], _TLS_VERSIONS).alias("tls.version"),
        pl.lit("tls").alias("tls.version_protocol"),
        pl.lit("tls").alias("network.protocol"),
        *_constants("capture.tls", ["protocol", "start"], "tls_client_hello"),
    )


def _flow_events(flows: NDArray[np.int64]) -> pl.DataFrame:
    flows = flows[np.argsort(flows[:, follow.FIRST_FRAME], kind="stable")]
    began = flows[:, follow.SIDE]
    both = {
        "packets": flows[:, follow.PACKETS : follow.PACKETS + 2],
        "bytes": flows[:, follow.BYTES : follow.BYTES + 2],
    }
    every = np.arange(len(flows))
    counted = [
        pl.Series(f"{end}.{what}", pair[every, side])
        for what, pair in both.items()
        for end, side in (("source", began), ("destination", 1 - began))
    ]
    first = _moments(flows[:, follow.FIRST])
    last = _moments(flows[:, follow.LAST])
    return _endpoints(flows, began).with_columns(
        first.alias("@timestamp"),
        first.alias("event.start"),
        last.alias("event.end"),
        pl.Series("event.duration", (flows[:, follow.LAST] - flows[:, follow.FIRST]) * 1000),
        pl.Series("molehunt.frame.number", flows[:, follow.FIRST_FRAME]),
        pl.Series("molehunt.frame.last", flows[:, follow.LAST_FRAME]),
        *counted,
        *(pl.Series(f"network.{what}", pair.sum(axis=1)) for what, pair in both.items()),
        *_constants("capture.flow", ["connection", "end"], "network_flow"),
    )


def _constants(dataset: str, types: list[str], action: str) -> list[pl.Expr]:
    return [
        pl.lit(dataset).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(types).alias("event.type"),
        pl.lit(action).alias("event.action"),
    ]


def _endpoints(flows: NDArray[np.int64], side: NDArray[np.int64]) -> pl.DataFrame:
    """Addresses and ports of flows, as `source` the endpoint that `side` (0 or 1) names."""
    kind, ports = flows[:, follow.KIND], flows[:, follow.PORTS]
    version, protocol = kind & 15, kind >> 4
    one = _addresses(flows[:, follow.ONE_HIGH], flows[:, follow.ONE_LOW], version)
    two = _addresses(flows[:, follow.TWO_HIGH], flows[:, follow.TWO_LOW], version)
    frame = pl.DataFrame({"one": one, "two": two, "p1": ports >> 16, "p2": ports & 0xFFFF, "side": side})
    turned = pl.col("side") == 1
    has_ports = pl.Series(np.isin(protocol, (TCP, UDP)))

    def pick(name: str, straight: str, crossed: str) -> pl.Expr:
        return pl.when(turned).then(crossed).otherwise(straight).alias(name)

    return frame.select(
        pick("source.ip", "one", "two"),
        pl.when(has_ports).then(pick("p", "p1", "p2")).alias("source.port"),
        pick("destination.ip", "two", "one"),
        pl.when(has_ports).then(pick("p", "p2", "p1")).alias("destination.port"),
        _named(protocol, _PROTOCOLS).alias("network.transport"),
        pl.Series("network.iana_number", protocol).cast(pl.String),
        _named(version, {4: "ipv4", 6: "ipv6"}).alias("network.type"),
    )


def _moments(microseconds: NDArray[np.int64]) -> pl.Series:
    """Times; null where the capture has none (pcapng's Simple Packet Blocks say no time)."""
    counts = pl.Series(microseconds)
    return pl.select(pl.from_epoch(counts.set(counts == 0, None), time_unit="us")).to_series()


def _named(numbers: NDArray[np.int64], known: dict[int, str]) -> pl.Series:
    """Numbers as their names, or as text where they have none."""
    column = pl.Series(numbers)
    return column.replace_strict(known, default=column.cast(pl.String), return_dtype=pl.String)


def _addresses(high: NDArray[np.int64], low: NDArray[np.int64], version: NDArray[np.int64]) -> pl.Series:
    """Addresses as text; null where `version` is neither 4 nor 6. Each distinct one is written once."""
    frame = pl.DataFrame({"high": high, "low": low, "version": version})
    distinct = frame.unique(maintain_order=True)
    written = [_written(*row) for row in distinct.iter_rows()]
    named = distinct.with_columns(pl.Series("text", written, pl.String))
    return frame.join(named, on=["high", "low", "version"], how="left", maintain_order="left")["text"]


def _written(high: int, low: int, version: int) -> str | None:
    if version == 4:  # noqa: PLR2004 - the version of IP
        return str(ipaddress.IPv4Address(low))
    if version == 6:  # noqa: PLR2004 - the version of IP
        return str(ipaddress.IPv6Address((high & (1 << 64) - 1) << 64 | low & (1 << 64) - 1))
    return None
