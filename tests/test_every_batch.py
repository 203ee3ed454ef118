"""An event is the same wherever the batches of its file begin and end."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_carriers import read
from test_sniff import LOGS, SAMPLES

from sensors import framing

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
