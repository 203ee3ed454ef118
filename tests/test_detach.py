from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis.detach import detached

REPO = Path(__file__).resolve().parents[1]

KEPT = """
import re
from pathlib import Path
import polars as pl
from analysis.detach import detached
kept = []
for number in range(24):
    text = pl.Series([f"{number}-{row}-" + "x" * 200 for row in range(100_000)])  # 20 MB
    batch = pl.DataFrame({"key": pl.int_range(100_000, eager=True) % 50, "text": text})
    kept.append(detached(batch.sort("key").filter(pl.int_range(pl.len()).over("key") < 3)))
peak = re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(sum(frame.height for frame in kept), peak)
"""


def test_the_rows_are_the_same() -> None:
    frame = pl.DataFrame(
        {
            "@timestamp": [datetime(2026, 10, 12, tzinfo=UTC), None, datetime(2026, 1, 1, tzinfo=UTC)],
            "text": ["a", None, ""],
            "many": [["x", "y"], [], None],
            "number": [1, None, -3],
        }
    )
    assert_frame_equal(detached(frame.filter(pl.col("number").is_null())), frame[1:2])
    assert_frame_equal(detached(frame), frame)
    assert detached(frame.clear()).schema == frame.schema


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads its peak of memory from Linux' /proc"
)
def test_what_is_kept_of_batches_does_not_keep_the_batches() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], cwd=REPO, capture_output=True, text=True, check=True)
    rows, kibibytes = map(int, done.stdout.split())
    assert rows == 3600
    assert kibibytes < 400 * 1024  # all batches are 480 MB, two at a time are 40
