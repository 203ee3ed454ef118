"""What a killed run left on disk goes with the next run; what a living one has there stays."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_sigma_correlate_chain import burst

from analysis.sigma.correlations import scratch

REPO = Path(__file__).parents[1]
SPILLING = """
import sys, tempfile
from pathlib import Path

sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from test_sigma_correlate_chain import burst

tempfile.tempdir = sys.argv[2]
kept = burst(Path(sys.argv[3]), memory=1)
print("spilled", flush=True)
sys.stdin.read()
"""


def spilling(folder: Path, rules: Path) -> subprocess.Popen[str]:
    """Another process, whose matched events wait in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", SPILLING, str(REPO), str(folder), str(rules)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "spilled\n"
    return process


def folders(parent: Path) -> set[str]:
    return {path.name for path in parent.iterdir() if path.name.startswith(scratch.PREFIX)}


def test_what_a_killed_run_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rules = tmp_path / "rules"
    rules.mkdir()
    process = spilling(tmp_path, rules)
    try:
        (theirs,) = folders(tmp_path)
        assert any((tmp_path / theirs).iterdir())
        living = burst(rules, memory=1)
        assert theirs in folders(tmp_path)
        assert len(folders(tmp_path)) == 2
    finally:
        process.kill()
        process.communicate()
    assert theirs in folders(tmp_path)
    later = burst(rules, memory=1)
    assert theirs not in folders(tmp_path)
    assert len(folders(tmp_path)) == 2  # those of this process stay
    assert [finding.count for run in (living, later) for finding in run.find()] == [100, 100]


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make links there")
def test_what_is_not_ours_to_remove_stays(tmp_path: Path) -> None:
    beginning = tmp_path / f"{scratch.PREFIX}beginning"  # its owner's file has no name yet
    beginning.mkdir()
    (beginning / "owner.new").touch()
    other = tmp_path / "other"
    other.mkdir()
    (other / "owner").touch()
    link = tmp_path / f"{scratch.PREFIX}link"
    link.symlink_to(other, target_is_directory=True)
    file = tmp_path / f"{scratch.PREFIX}file"
    file.touch()
    scratch.sweep(tmp_path)
    assert all(path.exists() for path in (beginning, other / "owner", link, file))
    dead = tmp_path / f"{scratch.PREFIX}dead"
    dead.mkdir()
    (dead / "owner").touch()
    scratch.sweep(tmp_path)
    assert not dead.exists()
    scratch.sweep(tmp_path / "not there")
