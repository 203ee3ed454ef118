"""The sample scenario is what its generator writes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file, and every member of an archive, by name: deflate's output may differ between its makers."""
    found: dict[str, bytes] = {}
    for path in sorted(p for p in (folder / "scenario").rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".gz":
            assert path.read_bytes()[4:8] == b"\0\0\0\0", f"{name} carries the time of its making"
            found[name] = gzip.decompress(path.read_bytes())
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    found[f"{name}!{info.filename} of {info.date_time}"] = archive.read(info)
        else:
            found[name] = path.read_bytes()
    found["scenario_truth.json"] = (folder / "scenario_truth.json").read_bytes()
    return found


def test_the_generator_writes_what_is_committed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "samples.scenario_maker", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Pacific/Apia"}
    subprocess.run(command, cwd=ROOT, check=True, env=environment)
    made, committed = _contents(tmp_path), _contents(ROOT / "samples")
    assert sorted(made) == sorted(committed)
    different = [name for name, data in made.items() if data != committed[name]]
    assert different == []
