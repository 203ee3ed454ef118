from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
CALLER = """
from sensors.compiled import kernel
from made_other import BEYOND, inner
import made_other

@kernel
def outer(number):
    return later(number) + BEYOND

@kernel
def later(number):
    return inner(number) + made_other.MORE
"""
OTHER = """
from sensors.compiled import kernel
BEYOND, MORE = {}, {}

@kernel
def inner(number):
    return number * {}
"""


def ran(folder: Path) -> tuple[int, int]:
    """What the compiled function says of 5, and how many functions were compiled for it."""
    code = (
        "import numba, made_caller as m; print(m.outer(5), sum(sum(d.stats.cache_misses.values()) "
        "for d in (m.outer, m.later, m.made_other.inner)))"
    )
    path = os.pathsep.join((str(folder), str(REPO)))
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(folder / "kept")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # what is as long and as old would pass for the same
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    one, two = done.stdout.split()
    return int(one), int(two)


def test_what_is_kept_is_made_anew_when_anything_below_it_changes(tmp_path: Path) -> None:
    (tmp_path / "made_caller.py").write_text(CALLER)
    other = tmp_path / "made_other.py"
    said = []
    for numbers in ((1, 2, 3), (1, 2, 3), (1, 2, 4), (9, 7, 4)):
        other.write_text(OTHER.format(*numbers))
        said.append(ran(tmp_path))
    assert [answer for answer, _ in said] == [18, 18, 23, 36]
    assert said[0][1] > 0
    assert said[1][1] == 0, "nothing had changed, and it was compiled again"
