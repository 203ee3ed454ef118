"""Tools named by evidence, in the columns of any sensor."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.tools import COLUMNS, load, named

TABLE = load()
SUFFIXES = {name: fact.tool for fact in TABLE.of("names") for name in fact.values}
TOR = {"tls.server.subject": "CN=www.abcdefgh2345.net", "tls.server.issuer": "CN=www.zyxwvuts7654.com"}


def told(event: dict[str, Any]) -> tuple[str | None, ...]:
    found = named(pl.DataFrame([event], infer_schema_length=None), TABLE)
    assert found.columns == list(COLUMNS)
    return tuple(found.row(0))


@pytest.mark.parametrize(
    ("event", "tool", "kind", "confidence"),
    [
        ({"event.dataset": "capture.rustdesk"}, "RustDesk", "remote_access", "handshake seen"),
        ({"event.dataset": "capture.esp"}, "IPsec", "vpn", "handshake seen"),
        (
            {"event.dataset": "capture.wireguard", "capture.wireguard.form": "standard"},
            "WireGuard",
            "vpn",
            "handshake seen",
        ),
        (
            {"event.dataset": "capture.wireguard", "capture.wireguard.form": "cloudflare"},
            "Cloudflare WARP",
            "vpn",
            "handshake seen",
        ),
        ({"event.dataset": "suricata.eve", "network.protocol": "ike"}, "IPsec", "vpn", "handshake seen"),
        ({"network.protocol": "rdp"}, "Remote Desktop", "remote_access", "handshake seen"),
        ({"http.request.method": "SSTP_DUPLEX_POST"}, "SSTP", "vpn", "handshake seen"),
        (
            {"http.request.method": "CONNECT", "url.original": "/CSCOSSLC/tunnel"},
            "Cisco AnyConnect or OpenConnect",
            "vpn",
            "handshake seen",
        ),
        (
            {"capture.tls.client.next_protocols": ["anydesk/6.2.0/linux"]},
            "AnyDesk",
            "remote_access",
            "handshake seen",
        ),
        ({"tls.client.subject": "CN=AnyDesk Client"}, "AnyDesk", "remote_access", "handshake seen"),
        ({"tls.next_protocol": "argotunnel"}, "Cloudflare Tunnel", "tunnel", "handshake seen"),
        (
            {"tls.server.issuer": "CN=AnyNet Root CA,O=philandro Software GmbH,C=DE"},
            "AnyDesk",
            "remote_access",
            "handshake seen",
        ),
        (
            {"tls.server.subject": "C=DE, O=philandro Software GmbH, CN=AnyNet Relay"},
            "AnyDesk",
            "remote_access",
            "handshake seen",
        ),
        (
            {
                "file.x509.subject.distinguished_name": "C=US/O=PiKVM/OU=PiKVM/CN=localhost",
                "file.x509.issuer.distinguished_name": None,
            },
            "PiKVM",
            "ip_kvm",
            "handshake seen",
        ),
        (TOR, "Tor", "vpn", "handshake seen"),
        (
            {"tls.client.server_name": "relay-0a1b2c3d.net.anydesk.com"},
            "AnyDesk",
            "remote_access",
            "name seen",
        ),
        ({"dns.question.name": "ANYDESK.COM."}, "AnyDesk", "remote_access", "name seen"),
        ({"url.domain": "agents.action1.com:443"}, "Action1", "rmm", "name seen"),
        ({"destination.domain": "abc.trycloudflare.com"}, "Cloudflare Tunnel", "tunnel", "name seen"),
        (
            {"capture.mdns.services": ["_http._tcp.local", "_pikvm._tcp.local"]},
            "PiKVM",
            "ip_kvm",
            "name seen",
        ),
        ({"capture.http.title": "TinyPilot - Log In"}, "TinyPilot", "ip_kvm", "name seen"),
        ({"user_agent.original": "AnyDesk/8.0.2"}, "AnyDesk", "remote_access", "name seen"),
        ({"host.hostname": "JetKVM-1a2b3c"}, "JetKVM", "ip_kvm", "name seen"),
        ({"zeek.dhcp.hostname": "glkvm.lan"}, "GL.iNet Comet", "ip_kvm", "name seen"),
        ({"source.mac": "30:52:53:00:11:22"}, "JetKVM", "ip_kvm", "name seen"),
        ({"host.mac": ["04-C9-8B-10-22-33"]}, "TinyPilot", "ip_kvm", "name seen"),
        (
            {
                "tls.client.server_name": "host.example",
                "capture.tls.ja4": "t13d880900_fcb5b95cb75a_b0d3b4ac2a14",
            },
            "SoftEther",
            "vpn",
            "name seen",
        ),
        ({"network.transport": "tcp", "destination.port": 5938}, "TeamViewer", "remote_access", "port only"),
        ({"network.transport": "UDP", "destination.port": 41641}, "Tailscale", "vpn", "port only"),
    ],
)
def test_a_tool_is_named_with_its_evidence(
    event: dict[str, Any], tool: str, kind: str, confidence: str
) -> None:
    name, said, evidence, sure = told(event)
    assert (name, said, sure) == (tool, kind, confidence)
    assert evidence


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event.dataset": "capture.tls"},
        {"tls.client.server_name": "notanydesk.com"},
        {"tls.client.server_name": "anydesk.com.example"},
        {"dns.question.name": "s3.amazonaws.com"},
        {"dns.question.name": "www.googleapis.com"},
        {"url.domain": "www.cloudflare.com"},
        {"dns.question.name": "com"},
        {"dns.question.name": ""},
        {"capture.tls.client.next_protocols": ["h2", "http/1.1"]},
        {"tls.server.issuer": "CN=AnyNet Root CA, O=Somebody Else"},
        {"tls.server.subject": "O=philandro Software GmbH Fans, CN=AnyNet Relay"},
        {**TOR, "tls.server.issuer": "CN=www.example.com, O=Authority"},
        {"host.hostname": "pikvmlike"},
        {"source.mac": "94:83:C4:00:11:22"},
        {"capture.http.title": "About TinyPilot"},
        {"network.transport": "udp", "destination.port": 5900},
        {"network.transport": "tcp", "destination.port": 5938, "network.protocol": "http"},
        {"http.request.method": "CONNECT", "url.original": "/other"},
    ],
)
def test_what_only_looks_like_a_tool_is_none(event: dict[str, Any]) -> None:
    assert told({"message": "x", **event}) == (None, None, None, None)


def test_the_strongest_fact_says_and_rows_keep_their_order() -> None:
    events = pl.DataFrame(
        {
            "tls.client.server_name": [None, "web.parsec.app", "mail.example", "web.parsec.app"],
            "tls.server.issuer": [None, "CN=R3", None, "CN=AnyNet Root CA, O=philandro Software GmbH"],
            "network.transport": ["tcp"] * 4,
            "destination.port": [4899, 4899, 443, 4899],
        }
    )
    found = named(events, TABLE)
    assert found["molehunt.tool.name"].to_list() == ["Radmin", "Parsec", None, "AnyDesk"]
    assert found["molehunt.tool.confidence"].to_list() == ["port only", "name seen", None, "handshake seen"]
    assert found["molehunt.tool.evidence"][1] == "name parsec.app"


def test_of_names_the_longest_says(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's own
    for tool, name in (("Short", "tool.example"), ("Long", "far.tool.example")):
        fact = f"  - names: [{name}]\n    basis: x\n    date: 2026-11-22\n"
        (tmp_path / f"{tool}.yml").write_text(f"tool: {tool}\nkind: rmm\nfacts:\n{fact}")
    found = named(pl.DataFrame({"url.domain": ["a.far.tool.example", "b.tool.example"]}), load(tmp_path))
    assert found["molehunt.tool.name"].to_list() == ["Long", "Short"]


def test_columns_of_any_name_do_no_harm() -> None:
    events = pl.DataFrame(
        {"url.domain": ["anydesk.com"], "row": [7], "tool": ["x"], "value": ["y"], "order": [1]}
    )
    assert named(events, TABLE)["molehunt.tool.name"].to_list() == ["AnyDesk"]


def test_frames_without_rows_or_facts_are_named_too(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's own
    empty = pl.DataFrame(schema={"dns.question.name": pl.String, "host.mac": pl.List(pl.String)})
    assert named(empty, TABLE).schema == dict.fromkeys(COLUMNS, pl.String)
    assert named(pl.DataFrame({"url.domain": ["anydesk.com"]}), load(tmp_path))[
        "molehunt.tool.name"
    ].to_list() == [None]


LABELS = st.sampled_from(
    ["a", "anydesk", "com", "net", "parsec", "app", "zoho", "assist", "www", "action1", "", "-"]
)


@given(st.lists(st.lists(LABELS, max_size=6).map(".".join), min_size=1, max_size=20))
def test_names_are_matched_as_one_by_one(names: list[str]) -> None:
    def slowly(name: str) -> str | None:
        labels = name.strip(".").split(".")
        ends = [".".join(labels[at:]) for at in range(len(labels))]
        return next((SUFFIXES[end] for end in ends if end in SUFFIXES), None)

    found = named(pl.DataFrame({"dns.question.name": names}), TABLE)
    assert found["molehunt.tool.name"].to_list() == [slowly(name) for name in names]
