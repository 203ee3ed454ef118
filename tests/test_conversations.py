from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import protocols

SHORT = st.binary(max_size=6)


@given(st.lists(st.tuples(SHORT, SHORT), min_size=1, max_size=6), SHORT, st.integers(0, 3))
def test_bytes_and_beginnings_of_streams(pieces: list[tuple[bytes, bytes]], text: bytes, offset: int) -> None:
    streams = streams_of(pieces)
    for side in (CLIENT, SERVER):
        begins = [
            pair[side][offset:].startswith(text) and len(pair[side]) >= offset + len(text) for pair in pieces
        ]
        assert streams.begins(side, text, offset).tolist() == begins
        assert streams.byte(side, offset).tolist() == [([*pair[side], *[-1] * 9])[offset] for pair in pieces]
    only = streams.only(np.array([0]))
    assert (len(only), only.begins(CLIENT, pieces[0][0]).tolist()) == (1, [True])


@given(st.lists(SHORT, min_size=1, max_size=6), SHORT)
def test_bytes_and_beginnings_of_datagrams(pieces: list[bytes], text: bytes) -> None:
    datagrams = datagrams_of([(0, 0, piece) for piece in pieces], [(53, 1024)])
    assert datagrams.begins(text).tolist() == [piece.startswith(text) for piece in pieces]
    assert datagrams.size().tolist() == [len(piece) for piece in pieces]
    assert datagrams.byte(0).tolist() == [piece[0] if piece else -1 for piece in pieces]


def test_every_reader_has_a_name_of_its_own_transport() -> None:
    named = [(type(one), one.name) for one in protocols()]
    assert len(named) == len(set(named))
