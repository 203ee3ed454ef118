"""Community IDs against the specification, slowly; IP version, number and direction."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import socket

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.values.connection import described, direction, transport

ADDRESSES = st.ip_addresses().map(str)
PORTS = st.integers(0, 65_535)


def plain(source: str, destination: str, port: int, other: int, protocol: int) -> str | None:
    """The specification, word by word, for protocols that have ports."""
    one, two = (ipaddress.ip_address(text).packed for text in (source, destination))
    if len(one) != len(two):
        return None
    ends = sorted([(one, port), (two, other)])
    message = b"\0\0" + ends[0][0] + ends[1][0] + bytes([protocol, 0])
    message += ends[0][1].to_bytes(2, "big") + ends[1][1].to_bytes(2, "big")
    return "1:" + base64.b64encode(hashlib.sha1(message, usedforsecurity=False).digest()).decode()


def bare(source: str, destination: str, protocol: int) -> str | None:
    """The same for protocols that have none."""
    one, two = sorted(ipaddress.ip_address(text).packed for text in (source, destination))
    if len(one) != len(two):
        return None
    message = b"\0\0" + one + two + bytes([protocol, 0])
    return "1:" + base64.b64encode(hashlib.sha1(message, usedforsecurity=False).digest()).decode()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ADDRESSES, ADDRESSES, PORTS, PORTS, st.sampled_from([6, 17, 132])), min_size=1))
def test_the_ids_are_those_of_the_specification(rows: list[tuple[str, str, int, int, int]]) -> None:
    names = ["source.ip", "destination.ip", "source.port", "destination.port", "number"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        transport(pl.col("number")).alias("network.transport")
    )
    assert described(frame)["network.community_id"].to_list() == [plain(*row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ADDRESSES, ADDRESSES, st.sampled_from([2, 47, 50, 255])), min_size=1))
def test_protocols_without_ports_have_none_in_their_ids(rows: list[tuple[str, str, int]]) -> None:
    frame = pl.DataFrame(rows, schema=["source.ip", "destination.ip", "n"], orient="row").with_columns(
        pl.col("n").cast(pl.String).alias("network.transport")
    )
    found = described(frame)["network.community_id"].to_list()
    assert found == [bare(*row) for row in rows]


@given(st.from_regex(r"[0-9a-f.:%]{0,16}", fullmatch=True) | ADDRESSES | st.text(max_size=16))
def test_addresses_are_those_that_the_system_knows(text: str) -> None:
    frame = pl.DataFrame(
        {
            "source.ip": [text, "192.0.2.1"],
            "destination.ip": ["192.0.2.9"] * 2,
            "network.transport": ["gre"] * 2,
        }
    )
    try:
        socket.inet_pton(socket.AF_INET, text.partition("%")[0])
        known = True
    except (OSError, ValueError):
        known = False
    assert (described(frame)["network.community_id"][0] is not None) == known


def test_no_connections_have_no_ids() -> None:
    frame = pl.DataFrame(
        schema=dict.fromkeys(("source.ip", "destination.ip", "network.transport"), pl.String)
    )
    assert described(frame)["network.community_id"].to_list() == []


def test_what_a_connection_lacks_is_not_made_up() -> None:
    frame = pl.DataFrame(
        {
            "source.ip": ["192.0.2.1", None, "no address", "2001:db8::1"],
            "destination.ip": ["10.0.0.1", "10.0.0.1", "10.0.0.1", "2001:db8::2"],
            "source.port": [1, 1, 1, None],
            "destination.port": [None, 2, 2, 2],
            "network.transport": ["tcp", "tcp", "tcp", "quux"],
        }
    )
    told = described(frame).select("network.community_id", "network.type", "network.iana_number")
    assert told.rows() == [
        (None, "ipv4", "6"),
        (None, "ipv4", "6"),
        (None, "ipv4", "6"),
        (None, "ipv6", None),
    ]


def test_a_ping_and_its_answer_are_one_flow_and_an_error_is_of_its_own() -> None:
    frame = pl.DataFrame(
        {
            "source.ip": ["192.0.2.1", "10.0.0.1", "10.0.0.1"],
            "destination.ip": ["10.0.0.1", "192.0.2.1", "192.0.2.1"],
            "network.transport": ["icmp"] * 3,
            "type": [8, 0, 3],
            "code": [0, 0, 1],
        }
    )
    asked, answered, error = described(frame, ("type", "code"))["network.community_id"]
    assert asked == answered != error


def test_directions() -> None:
    frame = pl.DataFrame(
        {
            "source.ip": ["10.0.0.1", "10.0.0.1", "198.51.100.1", "198.51.100.1", None],
            "destination.ip": ["172.16.0.1", "203.0.113.1", "fd00::1", "203.0.113.1", "10.0.0.1"],
        }
    )
    assert frame.select(direction()).to_series().to_list() == [
        "internal",
        "outbound",
        "inbound",
        "external",
        None,
    ]
