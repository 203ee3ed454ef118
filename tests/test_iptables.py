"""Packets of netfilter: sample, meaning, hostile lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors import journald
from sensors.iptables import SENSOR
from sensors.sensor import claims

KERNEL = (SAMPLES / "iptables" / "kern.log").read_text("utf-8")


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert [s.name for s in claims(KERNEL.encode(), "x.log")] == ["iptables"]


def test_packets() -> None:
    rows = events(SENSOR, KERNEL)
    assert len(rows) == len(KERNEL.splitlines())
    first = rows[0]
    assert (first["source.ip"], first["source.port"]) == ("203.0.113.9", 8080)
    assert (first["destination.ip"], first["destination.port"]) == ("192.0.2.1", 3389)
    assert (first["source.mac"], first["destination.mac"]) == ("00-00-5E-00-53-99", "00-00-5E-00-53-01")
    assert (first["network.transport"], first["event.type"]) == ("tcp", ["connection"])
    said = [(row.get("event.action"), row.get("event.type", [None])[0]) for row in rows]
    assert said == [
        (None, "connection"),
        ("drop_input", "denied"),
        ("ufw block", "denied"),
        ("accept", "allowed"),
        ("drop", "denied"),
        (None, "connection"),
        (None, None),
        (None, None),
        ("drop_input", "denied"),
        ("ssh_login", "info"),
        ("ssh_login", "info"),
        (None, None),
    ]
    assert rows[2]["network.bytes"] == 76
    assert (rows[4]["rule.name"], rows[4]["rule.id"]) == ("wan-local", "default")
    assert (rows[4]["observer.ingress.zone"], rows[4]["network.iana_number"]) == ("wan", "1")
    assert (rows[5]["source.ip"], rows[5]["network.transport"]) == ("2001:db8::1", "ipv6-icmp")
    assert (rows[6]["source.port"], rows[6]["host.name"]) == (59344, "gw1")
    assert (rows[7]["process.name"], rows[7].get("event.category")) == ("kernel", None)
    assert (rows[8]["observer.name"], rows[8]["destination.mac"]) == ("udm", "01-00-5E-00-00-01")
    assert "source.mac" not in rows[8]


def test_what_other_programs_wrote_between_the_packets() -> None:
    rows = events(SENSOR, KERNEL)
    login, quoted, session = (row for row in rows if row.get("process.pid"))
    assert (login["user.name"], login["source.ip"], login["event.outcome"]) == (
        "root", "203.0.113.7", "failure",
    )  # fmt: skip
    assert (login["host.name"], login["event.dataset"]) == ("udm", "system.auth")
    assert (quoted["source.ip"], quoted["process.name"]) == ("203.0.113.7", "sshd")
    assert (session["process.name"], session["message"]) == ("systemd", "Started Session 5 of user anna.")


@pytest.mark.parametrize("folder", ["linux", "unix_syslog"])
def test_packets_in_the_files_of_others(folder: str) -> None:
    path = SAMPLES / folder / ("auth.log" if folder == "linux" else "applications.log")
    first = KERNEL.splitlines()[2]
    text = "\n".join([*path.read_text("utf-8").splitlines()[:8], first, ""])
    (one,) = claims(text.encode(), path.name)
    row = events(one, text)[-1]
    assert one.name != "iptables"
    assert (row["source.ip"], row["event.action"]) == ("203.0.113.10", "ufw block")
    assert row["event.dataset"] == "iptables.log"


def test_packets_in_the_journal() -> None:
    packet = KERNEL.splitlines()[2].split("kernel: ")[1]
    entries = [
        {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1791208801000000", "SYSLOG_IDENTIFIER": "kernel"}
        | {"_HOSTNAME": "gw", "MESSAGE": message, "_TRANSPORT": "kernel", "PRIORITY": "4"}
        for message in (packet, "IN=eth0 OUT= SRC=192.0.2.4", "device eth0 entered promiscuous mode")
    ]
    for text in (
        "".join(json.dumps(entry) + "\n" for entry in entries),
        "".join("".join(f"{key}={value}\n" for key, value in entry.items()) + "\n" for entry in entries),
    ):
        first, second, third = events(journald.SENSOR, text)
        assert (first["source.ip"], first["event.action"]) == ("203.0.113.10", "ufw block")
        assert (first["host.name"], first["system.journald.cursor"]) == ("gw", "s=1")
        assert second["source.ip"] == "192.0.2.4"
        assert (third["process.name"], third.get("event.category")) == ("kernel", None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("iptables")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
