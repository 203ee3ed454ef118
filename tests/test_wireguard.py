"""WireGuard's kernel lines, Windows log and wg-quick: samples, meaning, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.sensor import claims
from sensors.wireguard import SENSOR

KERNEL = (SAMPLES / "wireguard" / "kern.log").read_text("utf-8")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "wireguard").iterdir():
        assert [s.name for s in claims(path.read_bytes(), "x.log")] == ["wireguard"], path


def test_every_wording_of_the_sample_is_known() -> None:
    rows = events(SENSOR, KERNEL)
    assert len(rows) == len(KERNEL.splitlines())
    assert not [row for row in rows if "event.original" in row]


def test_handshakes_say_from_where_and_how_they_ended() -> None:
    rows = {row["log.file.line"]: row for row in events(SENSOR, KERNEL)}
    assert (rows[7]["source.ip"], rows[7]["source.port"]) == ("198.51.100.23", 51820)
    assert rows[7]["observer.ingress.interface.name"] == "wg0"
    assert rows[11]["wireguard.inner_address"] == "10.9.0.77"
    assert (rows[12]["source.ip"], rows[12]["event.outcome"]) == ("2001:db8::77", "failure")
    assert rows[15]["event.action"] == "handshake-given-up"
    assert rows[17]["event.type"] == ["connection", "end"]
    assert rows[1]["event.action"] == "interface-created"
    assert rows[1]["process.command_line"] == "ip link add wg0 type wireguard"
    assert rows[1]["host.name"] == "gw1"


def test_the_windows_service() -> None:
    rows = events(SENSOR, (SAMPLES / "wireguard" / "windows.log").read_text("utf-8"))
    assert rows[2]["event.action"] == "handshake-completed"
    assert rows[2]["source.ip"] == "198.51.100.1"
    assert rows[2]["observer.ingress.interface.name"] == "office"
    assert "event.original" in rows[5]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("wireguard")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
