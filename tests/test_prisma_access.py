from __future__ import annotations

from audit_trails import claimed
from hypothesis import given, settings
from json_sensors import frame_of
from text_sensors import SAMPLES, accounted, broken_lines, events, source_of

from sensors import prisma_access

SAMPLE = SAMPLES / "prisma_access" / "lf.cef"
LINES = SAMPLE.read_text().splitlines()


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["prisma_access"]


def test_every_kind_of_log() -> None:
    made = source_of(SAMPLE.read_bytes())
    rows = events(prisma_access.SENSOR, made)
    assert not made.unread
    names = ("event.category", "event.action", "user.name", "source.ip", "source.nat.ip", "destination.ip")
    assert frame_of(rows, *names) == [
        (["network"], "allow", "dean", "10.4.0.9", "203.0.113.1", "198.51.100.7"),
        (["network"], "block-url", "dean", "10.4.0.9", None, "198.51.100.7"),
        (["network", "file"], "alert", None, "10.4.0.9", None, "198.51.100.7"),
        (["network"], "gateway-connected", "dean", "203.0.113.9", "10.99.0.5", None),
        (["authentication"], None, "dean", "2001:db8::9", None, None),
        (["configuration"], "commit-all", "rosa", "203.0.113.10", None, None),
        (["host"], None, "dean", "10.99.0.5", None, None),
        (["network"], "novel", None, "10.4.0.9", None, None),
    ]
    traffic, url, file, login, *_ = rows
    assert (traffic["source.bytes"], traffic["destination.bytes"]) == (82, 100)
    assert (traffic["source.mac"], traffic["event.duration"]) == ("83-91-47-44-99-05", 34_000_000_000)
    assert (traffic["source.user.domain"], traffic["rule.name"]) == ("corp", "allow-web")
    assert (url["url.path"], url["url.domain"]) == ("/up", "files.example.net")
    assert file["file.name"] == "ledger.zip"
    assert (login["event.outcome"], login["host.hostname"]) == ("success", "LT-DEAN")
    assert str(rows[5]["@timestamp"]) == "2026-07-04 09:06:59+00:00"
    assert "event.original" in rows[7]


@settings(deadline=None, max_examples=25)
@given(content=broken_lines(LINES))
def test_broken_lines_never_stop_and_never_vanish(content: str) -> None:
    accounted(prisma_access.SENSOR, content)
