"""What the tests of Zeek's logs share: sources in memory, and events as rows."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis import intake
from sensors.sensor import HEAD_BYTES, Source
from sensors.zeek import SENSOR

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "zeek"
WHERE = ("log.file.path", "log.offset", "log.file.line", "molehunt.source.sha256")


def in_memory(content: bytes | str, name: str = "x.log", zone: str | None = None) -> Source:
    data = content.encode() if isinstance(content, str) else content
    return Source(
        path=name,
        name=name,
        sha256="0" * 64,
        head=data[:HEAD_BYTES],
        zone=ZoneInfo(zone or "UTC"),
        modified=datetime(2026, 11, 1, tzinfo=UTC),
        opener=lambda: io.BytesIO(data),
        zone_given=zone is not None,
    )


def read(source: Source) -> list[dict[str, Any]]:
    """Events as rows without nulls; a sensor that fails fails the test."""
    rows = [row for frame in intake.events(source, SENSOR) for row in frame.iter_rows(named=True)]
    assert not [each for each in source.unread if "defect" in each.reason], source.unread
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def contents(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in WHERE}


def header(path: str, **fields: str) -> str:
    lines = [
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        f"#path\t{path}",
    ]
    lines += ["#fields\t" + "\t".join(fields), "#types\t" + "\t".join(fields.values())]
    return "\n".join(lines) + "\n"


ENDS = {"uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port"}
CONN = header("conn", ts="time", **ENDS, proto="enum", conn_state="string")
ROW = "1791885601.25\tC1\t10.0.0.1\t1000\t10.0.0.2\t443\ttcp\tSF\n"
