from __future__ import annotations

import pytest
from broken_conversations import bears, broken, events
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of

from sensors.capture.conversations import OverTcp, OverUdp
from sensors.capture.protocols.remote_desktops import PROTOCOLS

TCP = {one.name: one for one in PROTOCOLS if isinstance(one, OverTcp)}
UDP = {one.name: one for one in PROTOCOLS if isinstance(one, OverUdp)}
SAID = {
    "spice": (b"REDQ\2\0\0\0\2\0\0\0", b"REDQ\2\0\0\0"),
    "x11": (
        b"l\0\x0b\0\0\0\x12\0\x10\0\0\0MIT-MAGIC-COOKIE-1\0\0" + bytes(range(128, 144)),
        b"\1\0\x0b\0\0\0" + bytes(34) + b"The Vendor\1\2",
    ),
}


def test_each_is_itself_and_no_other() -> None:
    assert set(SAID) == set(TCP)
    for name, pair in SAID.items():
        fits = {other for other, protocol in TCP.items() if events(protocol, pair)}
        assert fits == {name}


def test_texts() -> None:
    (event,) = events(TCP["x11"], SAID["x11"])
    assert (event["capture.x11.vendor"], event["capture.x11.authorization"]) == (
        "The Vendor",
        "MIT-MAGIC-COOKIE-1",
    )
    refused = SAID["x11"][0], b"\0\x16\x0b\0\0\0\6\0No protocol specified\n\0\0"
    (event,) = events(TCP["x11"], refused)
    assert (event["network.application"], event["event.reason"]) == ("X11", "No protocol specified")


@pytest.mark.parametrize("name", SAID)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_broken(name: str, data: st.DataObject) -> None:
    bears(TCP[name], SAID[name], data.draw(broken(SAID[name])))


def test_datagrams() -> None:
    query = b"\0\1\0\2\0\1\0"
    rows = [(0, 0, query), (0, 0, query), (1, 0, query + b"more"), (2, 0, query)]
    datagrams = datagrams_of(rows, [(40000, 177), (40001, 177), (40002, 53)])
    nomachine = b"\0\0\1\0\x0c\0\0\0\0\0\0\0"
    assert UDP["nomachine"].fits(
        datagrams_of([(0, 0, nomachine), (0, 0, nomachine[:-1])], [(4000, 4000)])
    ).tolist() == [
        True,
        False,
    ]
    protocol = UDP["xdmcp"]
    assert protocol.fits(datagrams).tolist() == [True, True, False, False]
    found = protocol.events(datagrams.only(protocol.fits(datagrams)))
    assert found.select("row", "network.application").rows() == [(0, "XDMCP")]
    assert protocol.events(datagrams.only(datagrams.size() < 0)).is_empty()
