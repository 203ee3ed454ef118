"""Conversations of a capture, made slowly and plainly with Scapy: what the compiled path is held to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scapy.config import conf
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet
from scapy.utils import PcapReader

from sensors.capture.conversations import CLIENT, HEAD, SERVER, Datagrams, Streams


@dataclass
class Flow:
    """A flow: who is who, and what each side sent, by sequence number or one after the other."""

    ends: tuple[tuple[str, int], tuple[str, int]]  # client, server
    first: list[int | None] = field(default_factory=lambda: [None, None])
    segments: tuple[dict[int, bytes], dict[int, bytes]] = field(default_factory=lambda: ({}, {}))
    datagrams: list[tuple[int, bytes]] = field(default_factory=list)  # side, payload
    frames: list[int] = field(default_factory=list)


def flows(path: Path) -> tuple[list[Flow], list[Flow]]:
    """The TCP and the UDP flows of a capture, in order of their first packet."""
    conf.layers.filter([IP, IPv6, TCP, UDP, *_LINKS])  # what is inside TCP and UDP is for the readers
    found: dict[tuple[str, frozenset[tuple[str, int]]], Flow] = {}
    try:
        with PcapReader(str(path)) as reader:
            for number, packet in enumerate(reader, 1):
                _take(packet, number, found)
    finally:
        conf.layers.unfilter()
    tcp = [flow for (kind, _), flow in found.items() if kind == "tcp"]
    return tcp, [flow for (kind, _), flow in found.items() if kind == "udp"]


def _links() -> list[type[Packet]]:
    from scapy.layers.l2 import GRE, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback  # noqa: PLC0415
    from scapy.layers.ppp import PPP, PPPoE  # noqa: PLC0415

    return [GRE, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback, PPP, PPPoE]


_LINKS = _links()


def _take(packet: Packet, number: int, found: dict[tuple[str, frozenset[tuple[str, int]]], Flow]) -> None:
    network = packet.getlayer(IPv6) or packet.getlayer(IP)
    transport = packet.getlayer(TCP) or packet.getlayer(UDP)
    if network is None or transport is None:
        return
    kind = "tcp" if isinstance(transport, TCP) else "udp"
    sender, receiver = (network.src, transport.sport), (network.dst, transport.dport)
    key = kind, frozenset((sender, receiver))
    flow = found.get(key)
    if flow is None:
        turned = kind == "tcp" and (int(transport.flags) & 0x12) == 0x12
        flow = found[key] = Flow((receiver, sender) if turned else (sender, receiver))
    side = CLIENT if sender == flow.ends[0] else SERVER
    payload = _payload(network, transport)
    flow.frames.append(number)
    if kind == "udp":
        flow.datagrams.append((side, payload))
        return
    if int(transport.flags) & 2:
        flow.first[side] = (transport.seq + 1) % 2**32
    elif flow.first[side] is None and payload:
        flow.first[side] = transport.seq
    if payload:
        place = (transport.seq - (flow.first[side] or 0)) % 2**32
        if place < HEAD and len(payload) > len(flow.segments[side].get(place, b"")):
            flow.segments[side][place] = payload


def _payload(network: Packet, transport: Packet) -> bytes:
    """The payload without the padding of short Ethernet frames."""
    whole = bytes(transport.payload)
    length = network.len if isinstance(network, IP) else network.plen
    if not length:
        return whole
    header = (network.ihl or 5) * 4 if isinstance(network, IP) else 0
    mine = (transport.dataofs or 5) * 4 if isinstance(transport, TCP) else 8
    return whole[: max(0, length - header - mine)]


def said(flow: Flow, side: int) -> bytes:
    """The first bytes that a side of a TCP flow said, up to a gap."""
    whole = b""
    for place, payload in sorted(flow.segments[side].items()):
        if place > len(whole):
            break
        whole += payload[len(whole) - place :]
    return whole[:HEAD]


def streams(found: list[Flow]) -> Streams:
    """The rows of TCP flows, in their order."""
    pieces = [[said(flow, side) for side in (CLIENT, SERVER)] for flow in found]
    return streams_of([(one, two) for one, two in pieces], [(f.ends[0][1], f.ends[1][1]) for f in found])


def streams_of(pieces: list[tuple[bytes, bytes]], ports: list[tuple[int, int]] | None = None) -> Streams:
    """Rows of what client and server said."""
    lengths = np.array([[len(one), len(two)] for one, two in pieces], np.int64).reshape(-1, 2)
    behind = np.cumsum(lengths.ravel()).reshape(-1, 2)
    data = np.frombuffer(b"".join(each for pair in pieces for each in pair), np.uint8)
    given = np.array(ports or [(0, 0)] * len(pieces), np.int64).reshape(-1, 2)
    return Streams(data, behind - lengths, behind, given)


def datagrams(found: list[Flow]) -> Datagrams:
    """The rows of UDP flows, one after the other."""
    rows = [(number, side, payload) for number, flow in enumerate(found) for side, payload in flow.datagrams]
    ports = [(flow.ends[0][1], flow.ends[1][1]) for flow in found]
    return datagrams_of(rows, ports)


def datagrams_of(rows: list[tuple[int, int, bytes]], ports: list[tuple[int, int]] | None = None) -> Datagrams:
    """Rows of flow, side and payload; `ports` are those of each flow."""
    lengths = np.array([len(payload) for *_, payload in rows], np.int64)
    behind = np.cumsum(lengths)
    data = np.frombuffer(b"".join(payload for *_, payload in rows), np.uint8)
    flow = np.array([number for number, *_ in rows], np.int64)
    given = np.array(ports or [(0, 0)] * (int(flow.max()) + 1 if rows else 0), np.int64).reshape(-1, 2)
    side = np.array([side for _, side, _ in rows], np.int64)
    return Datagrams(data, behind - lengths, behind, flow, side, given[flow])
