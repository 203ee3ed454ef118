"""An event is the same wherever the batches of its file begin and end."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_carriers import read
from test_sniff import LOGS, SAMPLES
from text_sensors import source_of

from analysis import intake
from sensors.reading import framing
from sensors.sensor import Unread

SMALL = [path for path in LOGS if "scenario" not in path.parts and path.stat().st_size < 200_000]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_small_batches_give_the_same_events(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = path.read_bytes()
    whole = read(path.name, content)
    monkeypatch.setattr(framing, "CHUNK_BYTES", 1_500)
    pieces = read(path.name, content)
    for at, (one, other) in enumerate(zip(pieces[1], whole[1], strict=True)):
        assert one == other, f"event {at}"
    assert pieces[2] == whole[2]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_the_same_records_again_and_a_record_alone_fail_no_sensor(path: Path) -> None:
    """A batch of several records without a field is another one than a batch of one."""
    content = path.read_bytes()
    lines = [line for line in content.split(b"\n") if line.strip()]
    name = read(path.name, content)[0]
    for again in (
        (content.rstrip(b"\n") + b"\n") * 3,
        *(line * 2 for line in (lines[0] + b"\n", lines[-1] + b"\n")),
    ):
        taken = intake.claimed(source_of(again), ())
        if isinstance(taken, Unread) or taken[1].name != name:
            continue  # half a record of a format of several lines
        source, sensor = taken
        for _ in intake.events(source, sensor):
            pass
        assert not [each for each in source.unread if "defect" in each.reason]
