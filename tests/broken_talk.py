"""What tests of readers over TCP share: talk that is cut and spoilt, and kernels as Python."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from slow_conversations import streams_of

from sensors import schema

if TYPE_CHECKING:
    from types import ModuleType

    import pytest

    from sensors.capture.conversations import OverTcp

Pair = tuple[bytes, bytes]
few = settings(max_examples=25, deadline=None)


@st.composite
def broken(draw: st.DrawFn, talks: list[Pair]) -> Pair:
    """One of the talks, its sides cut, and some bytes of them other ones."""
    sides = []
    for side in draw(st.sampled_from(talks)):
        whole = bytearray(side[: draw(st.integers(0, len(side)))] if draw(st.booleans()) else side)
        for _ in range(draw(st.integers(0, 4)) if whole else 0):
            whole[draw(st.integers(0, len(whole) - 1))] = draw(st.integers(0, 255))
        sides.append(bytes(whole))
    return sides[0], sides[1]


def events_of(reader: OverTcp, pieces: list[Pair]) -> list[dict[str, Any]]:
    """What a reader says of those that fit it, in the types of the schema; `row` is of the pieces."""
    streams = streams_of(pieces)
    fits = reader.fits(streams)
    if not fits.any():
        return []
    frame = reader.events(streams.only(fits))
    rows = fits.nonzero()[0]
    told = schema.conform(frame.drop("row", "side", "at"))
    places = frame.select("row", "side", "at").to_dicts()
    return [
        {"row": int(rows[place["row"]]), "side": place["side"], "at": place["at"]}
        | {name: value for name, value in event.items() if value is not None}
        for place, event in zip(places, told.to_dicts(), strict=True)
    ]


@cache
def _alone(reader: OverTcp, neighbour: Pair) -> list[dict[str, Any]]:
    return [event | {"row": 1} for event in events_of(reader, [neighbour])]


def survives(reader: OverTcp, talk: Pair, neighbour: Pair) -> None:
    """Broken talk raises nothing and changes nothing of what the next row says."""
    alone = _alone(reader, neighbour)
    both = events_of(reader, [talk, neighbour])
    assert [event for event in both if event["row"] == 1] == alone
    for event in both:
        assert 0 <= event["at"] <= len(talk[event["side"]] if event["row"] == 0 else neighbour[event["side"]])


def kernels_as_python(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Replace kernels by what they were made of, so that a place out of bounds is an IndexError."""
    for module in modules:
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)
