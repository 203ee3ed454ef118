"""Trellix: what the events of EDR are, by their types."""

from __future__ import annotations

import pytest
from text_sensors import Row, events, sample_lines, source_of

from sensors.trellix import SENSOR

ROWS = {row["event.id"]: row for row in events(SENSOR, source_of("\n".join(sample_lines("trellix"))))}


@pytest.mark.parametrize(
    ("number", "category", "kind"),
    [
        (1, "file", "creation"), (2, "file", "deletion"), (3, "network", "info"), (4, "network", "info"),
        (5, "registry", "change"), (6, "process", "info"), (7, "configuration", "creation"),
        (9, "process", "info"), (10, "authentication", "info"), (11, "network", "access"),
        (12, "api", "info"), (13, "file", "change"),
    ],
)  # fmt: skip
def test_events_are_told_by_their_types(number: int, category: str, kind: str) -> None:
    row = ROWS[f"675-{number}"]
    assert (row["event.category"], row["event.type"]) == ([category], [kind])


def test_hosts_bytes_and_kinds_of_files() -> None:
    wanted: Row = {"host.name": "desktop-7q2lm0.corp.example", "source.bytes": 812}
    assert {name: ROWS["675-11"].get(name) for name in wanted} == wanted
    assert ROWS["675-13"]["file.type"] == "zip"


def test_threats_name_both_hosts_and_hashes_by_length() -> None:
    wanted: Row = {
        "destination.domain": "files-2.corp.example",
        "file.path": "C:\\Temp\\rustdesk.exe",
        "process.hash.sha256": "3f" * 32,
        "process.hash.md5": None,
        "file.hash.md5": "5e" * 16,
        "source.user.name": None,
        "related.hash": ["3f" * 32, "5e" * 16],
    }
    assert {name: ROWS["epo-2"].get(name) for name in wanted} == wanted
