from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols.discovery import PROTOCOLS
from sensors.schema import conform

SSDP, WSD = PROTOCOLS

NOTIFY = (
    b"NOTIFY * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nLOCATION:http://192.0.2.8:80/d.xml\r\n"
    b"SERVER: Linux/5.10 UPnP/1.0 Kvm/2.1\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\nUSN: uuid:1\r\n\r\n"
)
SEARCH = b'M-SEARCH * HTTP/1.1\r\nMAN: "ssdp:discover"\r\nST: ssdp:all\r\nUser-Agent: caf\xc3\xa9\xff\r\n\r\n'
HELLO = b"""<?xml version="1.0"?>
<s:Envelope xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>
<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello</a:Action></s:Header><s:Body><d:Hello>
<a:EndpointReference><a:Address>urn:uuid:0c</a:Address></a:EndpointReference><d:Types>dn:NetworkVideo
 tds:Device</d:Types><d:Scopes>onvif://www.onvif.org/name/Front onvif://www.onvif.org/hardware/X1</d:Scopes>
<d:XAddrs>http://192.0.2.9/onvif</d:XAddrs></d:Hello></s:Body></s:Envelope>"""


def said(protocol: OverUdp, port: int, *payloads: bytes) -> list[dict[str, Any]]:
    datagrams = datagrams_of([(0, 0, payload) for payload in payloads], [(4000, port)])
    events = protocol.events(datagrams.only(np.flatnonzero(protocol.fits(datagrams))))
    assert conform(events.drop("row")).height == events.height
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in events.iter_rows(named=True)
    ]


def test_devices_that_announce_themselves() -> None:
    told, asked = said(SSDP, 1900, NOTIFY, SEARCH)
    assert (told["event.action"], asked["event.action"]) == ("ssdp_notify", "ssdp_search")
    assert told["capture.ssdp.server"] == "Linux/5.10 UPnP/1.0 Kvm/2.1"
    assert told["url.original"] == "http://192.0.2.8:80/d.xml"
    assert told["capture.ssdp.usn"] == "uuid:1"
    assert (asked["capture.ssdp.search_target"], asked["user_agent.original"]) == (
        "ssdp:all",
        "caf\u00e9\\255",
    )
    assert said(SSDP, 1900, b"", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 no\r\n") == []


def test_devices_on_the_web() -> None:
    event = said(WSD, 3702, HELLO)[0]
    assert (event["event.action"], event["capture.wsd.device"]) == ("wsd_hello", "urn:uuid:0c")
    assert event["capture.wsd.types"] == ["dn:NetworkVideo", "tds:Device"]
    assert event["capture.wsd.addresses"] == ["http://192.0.2.9/onvif"]
    assert (event["capture.wsd.name"], event["device.model.name"]) == ("Front", "X1")
    assert said(WSD, 3702, b"<html></html>", b"") == []
    assert said(WSD, 80, HELLO) == []


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([NOTIFY, SEARCH, HELLO]), st.data())
def test_whatever_comes(whole: bytes, data: st.DataObject) -> None:
    odd = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        odd[data.draw(st.integers(0, len(odd) - 1))] = data.draw(st.integers(0, 255))
    odd = odd[: data.draw(st.integers(0, len(odd)))]
    assert said(SSDP, 1900, NOTIFY, bytes(odd))[0] == said(SSDP, 1900, NOTIFY)[0]
    assert said(WSD, 3702, HELLO, bytes(odd))[0] == said(WSD, 3702, HELLO)[0]
