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
    "ica": (b"\x7f\x7fICA\0\x01\x97", b"\x7f\x7fICA\0\0\x0f"),
    "cgp": (b"\x1aCGP/01\0", b""),
    "radmin": (b"\1\0\0\0\1\0\0\0\x08\x08", b"\1\0\0\0\x25\0\0\2\x12\x08\2\0\0\x0a" + bytes(32)),
    "nomachine": (b"NXSH-8.4.2\n", b"NXD-8.4.2\n"),
    "spice": (b"REDQ\2\0\0\0\2\0\0\0", b"REDQ\2\0\0\0"),
    "x11": (
        b"l\0\x0b\0\0\0\x12\0\x10\0\0\0MIT-MAGIC-COOKIE-1\0\0" + bytes(range(128, 144)),
        b"\1\0\x0b\0\0\0" + bytes(34) + b"The Vendor\1\2",
    ),
    "vmware-authd": (b"", b"220 VMware Authentication Daemon Version 1.10: SSL Required\r\n"),
}


def test_each_is_itself_and_no_other() -> None:
    assert set(SAID) == set(TCP)
    for name, pair in SAID.items():
        fits = {other for other, protocol in TCP.items() if events(protocol, pair)}
        assert fits == {name}


def test_texts() -> None:
    (event,) = events(TCP["nomachine"], SAID["nomachine"])
    assert (event["network.application"], event["capture.nomachine.client.version"]) == ("NoMachine", "8.4.2")
    (event,) = events(TCP["x11"], SAID["x11"])
    assert (event["capture.x11.vendor"], event["capture.x11.authorization"]) == (
        "The Vendor",
        "MIT-MAGIC-COOKIE-1",
    )
    (event,) = events(TCP["vmware-authd"], SAID["vmware-authd"])
    assert str(event["capture.vmware-authd.greeting"]).startswith("VMware Authentication Daemon Version 1.10")
    assert event["side"] == 1


@pytest.mark.parametrize("name", SAID)
@settings(max_examples=10)
@given(data=st.data())
def test_broken(name: str, data: st.DataObject) -> None:
    bears(TCP[name], SAID[name], data.draw(broken(SAID[name])))


def test_datagrams() -> None:
    query = b"\0\1\0\2\0\1\0"
    rows = [(0, 0, query), (0, 0, query), (1, 0, query + b"more"), (2, 0, query)]
    datagrams = datagrams_of(rows, [(40000, 177), (40001, 177), (40002, 53)])
    protocol = UDP["xdmcp"]
    assert protocol.fits(datagrams).tolist() == [True, True, False, False]
    found = protocol.events(datagrams.only(protocol.fits(datagrams)))
    assert found.select("row", "network.application").rows() == [(0, "XDMCP")]
    assert protocol.events(datagrams.only(datagrams.size() < 0)).is_empty()
