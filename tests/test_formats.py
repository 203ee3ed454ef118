"""What `molehunt sensors` says of how well each sensor is tested is what the samples say.

`REWRITE_TESTED=1 pytest tests/test_formats.py` counts anew.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from test_sniff import LOGS, SAMPLES

from analysis import formats, intake

KEPT = Path(formats.__file__).with_name("tested.json")
SMALL = 40_000  # bytes; larger samples are counted, but not again by every run
Kind = tuple[str, str, str]


@cache
def counted(path: Path) -> dict[str, tuple[int, frozenset[Kind]]]:
    """By sensor: the events of a file, and their kinds."""
    found: dict[str, tuple[int, frozenset[Kind]]] = {}
    for item in intake.found([path], lambda _path: None):
        if not isinstance(item, tuple):
            continue
        source, sensor = item
        count, kinds = 0, set[Kind]()
        for frame in intake.events(source, sensor):
            count += frame.height
            told = [name for name in ("event.dataset", "event.action", "event.code") if name in frame.columns]
            kinds |= {(*map(str, row), *[""] * (3 - len(told))) for row in frame.select(told).unique().rows()}
        before = found.get(sensor.name, (0, frozenset()))
        found[sensor.name] = (before[0] + count, before[1] | kinds)
    return found


def tally(paths: list[Path]) -> dict[str, dict[str, int]]:
    """Samples, events and kinds by sensor."""
    files: dict[str, int] = defaultdict(int)
    events: dict[str, int] = defaultdict(int)
    kinds: dict[str, set[Kind]] = defaultdict(set)
    for path in paths:
        for name, (count, told) in counted(path).items():
            files[name] += 1
            events[name] += count
            kinds[name] |= told
    return {
        name: {"samples": files[name], "events": events[name], "kinds": len(kinds[name])}
        for name in sorted(files)
    }


def own_samples() -> list[Path]:
    """Samples of sensors, without the scenario: a story says nothing of how well a format is covered."""
    return [path for path in LOGS if "scenario" not in path.relative_to(SAMPLES).parts]


def test_what_is_said_is_counted() -> None:
    if os.environ.get("REWRITE_TESTED"):
        KEPT.write_text(json.dumps(tally(own_samples()), indent=1) + "\n", "utf-8")
        pytest.fail("the counts were written; look at them and run again without REWRITE_TESTED")
    said = json.loads(KEPT.read_text("utf-8"))
    folders: dict[str, list[Path]] = defaultdict(list)
    for path in own_samples():
        folders[path.relative_to(SAMPLES).parts[0]].append(path)
    checked = 0
    for name, told in said.items():
        paths = folders.get(name, [])
        if not paths or len(paths) != told["samples"] or sum(path.stat().st_size for path in paths) > SMALL:
            continue
        found = tally(paths).get(name)
        assert found is not None, name
        assert found["events"] >= told["events"], name
        assert found["kinds"] >= told["kinds"], name
        checked += 1
    assert checked > len(said) // 3


def test_every_sensor_says_how_well_it_is_tested() -> None:
    found = formats.formats()
    for name, each in found.items():
        assert each.reads, name
        assert each.tested.document in {"named", "in part", "none"}
    assert found["okta"].tested.samples > 0
    assert found["okta"].tested.document == "named"
    assert found["logmein"].tested.document == "in part"
