"""Programs to automata: one table look-up a byte, and a note taken only where a group begins or ends.

A tagged automaton with one character of look-ahead, after Laurikari ("NFAs with Tagged Transitions", 2000)
and Trofimovich ("Tagged Deterministic Finite Automata with Lookahead", 2017). A state is the threads of a
program that are alive, the preferred one first, each with the registers that hold where its groups were;
going on with a character, registers move. States are made when a text first needs them: logs need few of
those there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.reading.patterns import grammar
from sensors.reading.patterns.grammar import ALL, CHAR, MATCH, SAVE, SPLIT, WORD, Program, UnknownError

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

NOW, UNSET, SLOTS = 0, 1, 2  # cells; what a slot holds is a cell's number
DEAD, NEW = -1, -2  # states of no threads, and one that is still to be made
REGISTERS: Final = 256
_STATES: Final = 2_000
_NEWLINE: Final = 10

Slots = tuple[int, ...]
Threads = tuple[tuple[int, Slots], ...]


class Automaton:
    """The states of a program that were needed so far, as tables for a kernel.

    Attributes:
        width: how many kinds of characters there are, as a power of two: a row of `table` is so long.
        kinds: the kind of each ASCII character: those of one kind are in the same sets.
        table: by state and kind, one row after another, twice the beginning of the next state's row (or
            `DEAD`, or `NEW`), and 1 more if there are moves.
        moves: as long, where in `orders` the moves begin.
        ends: for each state where in `orders` the moves of a match at the end of the text begin; 0: no match.
        orders: after how many there are, pairs of cells: where to and where from, in this order. Cells are:
            `NOW`, the place of the character; `UNSET`; from `SLOTS` on the slots of the match; whether there
            is a match; registers.
        cells: how many there are.
        through: for each state whether only a line break leads out of it (1), or nothing (2), or more (0).
    """

    def __init__(self, program: Program) -> None:
        """An automaton with its first state."""
        self._program = program
        self.names = program.names
        self.kinds, self._examples = _kinds(program)
        self.width = (len(self._examples) - 1).bit_length()
        self._first = SLOTS + 2 * len(program.names) + 1
        self.cells = self._first + REGISTERS + 1
        self._states: list[tuple[Threads, bool, bool]] = []
        self._numbers: dict[tuple[Threads, bool, bool], int] = {}
        self._pool: dict[tuple[int, ...], int] = {(): 0}
        self._list: list[int] = [0]
        self.table = np.empty(0, np.int32)
        self.moves = np.empty(0, np.int32)
        self.ends = np.empty(0, np.int32)
        self.through = np.empty(0, np.uint8)
        self.orders = np.zeros(1, np.int32)
        self._state((((0, (UNSET,) * (2 * len(program.names))),), False, True))

    def need(self, state: int, kind: int) -> None:
        """Make what comes after a state with a character of a kind."""
        threads, word, begin = self._states[state]
        byte = self._examples[kind]
        there: dict[int, Slots] = {}
        accepted = self._walk(threads, word, begin, byte, there)
        values: dict[int, int] = {}
        renamed = tuple(
            (at, tuple(self._register(value, values) for value in slots)) for at, slots in there.items()
        )
        orders = {register: value for value, register in values.items()}
        if accepted is not None:
            orders |= self._of_match(accepted)
        if len(values) > REGISTERS:
            raise UnknownError("too many places at once")
        after = DEAD
        if renamed:
            edges = self._program.edges and bool(WORD >> byte & 1)
            after = self._state((renamed, edges, False)) << self.width
        where = self._ordered(orders)
        self.moves[(state << self.width) + kind] = where
        self.table[(state << self.width) + kind] = 2 * after + (where > 0)

    def _state(self, key: tuple[Threads, bool, bool]) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._states)
            self._states.append(key)
            if number >= _STATES:
                raise UnknownError("too many states")
            if number >= len(self.ends):
                self._grow(max(16, 2 * number))
            there: dict[int, Slots] = {}
            accepted = self._walk(*key, None, there)
            if accepted is not None:
                self.ends[number] = self._ordered(self._of_match(accepted))
            self._see_through(number)
        return number

    def _see_through(self, number: int) -> None:
        """Whether a state is left by line breaks alone or not at all, as that of `.*` at the end is."""
        threads, _, begin = self._states[number]
        if len(threads) > 1 or begin or self._program.edges:
            return
        steps, at = self._program.steps, threads[0][0]
        while steps[at].does == SPLIT and steps[at].first != at + 1:
            at = steps[at].first
        at += steps[at].does == SPLIT
        if at + 1 != threads[0][0] or steps[at].does != CHAR or steps[at].first | 1 << _NEWLINE != ALL:
            return
        newline = self.kinds[_NEWLINE]
        out = []
        for kind in range(len(self._examples)):
            self.need(number, kind)
            here = number << self.width
            out += [kind] if self.table[here + kind] != 2 * here else []
        if not out:
            self.through[number] = 2
        elif out == [newline] and self._alone(int(newline)):
            self.through[number] = 1

    def _alone(self, kind: int) -> bool:
        return int((self.kinds == kind).sum()) == 1

    def _walk(
        self,
        threads: Threads,
        word: bool,  # noqa: FBT001 - parts of a state
        begin: bool,  # noqa: FBT001
        byte: int | None,
        there: dict[int, Slots],
    ) -> Slots | None:
        """Put into `there` where threads are behind a character; the slots of a match before it.

        Args:
            threads: in order of preference.
            word: whether the character before is one of a word.
            begin: whether there is none.
            byte: the character; None at the end of the text.
            there: filled by place; a thread that comes late to a place would do the same as the one there.
        """
        steps = self._program.steps
        is_word = byte is not None and bool(WORD >> byte & 1)
        seen: set[int] = set()
        for thread in threads:
            stack = [thread]
            while stack:
                at, slots = stack.pop()
                if at in seen:
                    continue
                seen.add(at)
                does, first, second = steps[at]
                if does == CHAR:
                    if byte is not None and first >> byte & 1:
                        there[at + 1] = slots
                elif does == SPLIT:
                    stack.append((second, slots))
                    stack.append((first, slots))
                elif does == SAVE:
                    stack.append((at + 1, (*slots[:first], NOW, *slots[first + 1 :])))
                elif does == MATCH:
                    return slots
                elif (
                    begin if first == grammar.BEGIN
                    else byte is None if first == grammar.END
                    else (word != is_word) == (first == grammar.EDGE)
                ):  # fmt: skip
                    stack.append((at + 1, slots))
        return None

    def _register(self, value: int, values: dict[int, int]) -> int:
        """The register of the next state for what a slot holds now; each value has one."""
        return value if value == UNSET else values.setdefault(value, self._first + len(values))

    def _of_match(self, slots: Slots) -> dict[int, int]:
        """What the slots of a match are taken from, and that there is one."""
        return {SLOTS + slot: value for slot, value in enumerate((*slots, NOW))}

    def _ordered(self, orders: dict[int, int]) -> int:
        """Where in `orders` these stand, in an order in which none takes what another has overwritten."""
        left = {to: source for to, source in orders.items() if to != source}
        flat: list[int] = []
        while left:
            needed = set(left.values())
            to = next((to for to in left if to not in needed), None)
            if to is None:  # all wait for each other: one is held in the last cell
                to = next(iter(left))
                flat += [self.cells - 1, to]
                left = {each: self.cells - 1 if what == to else what for each, what in left.items()}
            flat += [to, left.pop(to)]
        key = tuple(flat)
        where = self._pool.get(key)
        if where is None:
            where = self._pool[key] = len(self._list)
            self._list += [len(flat) // 2, *flat]
            self.orders = np.array(self._list, np.int32)
        return where

    def _grow(self, room: int) -> None:
        by_kind = room << self.width
        for name, size, empty in (
            ("table", by_kind, 2 * NEW), ("moves", by_kind, 0), ("ends", room, 0), ("through", room, 0),
        ):  # fmt: skip
            old = getattr(self, name)
            new = np.full(size, empty, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


def _kinds(program: Program) -> tuple[Array, list[int]]:
    """The kind of each ASCII character, and a character of each kind."""
    sets = list(dict.fromkeys(step.first for step in program.steps if step.does == CHAR))
    if program.edges:
        sets.append(WORD)
    apart = [ALL]
    for members in sets:
        apart = [part for whole in apart for part in (whole & members, whole & ~members) if part]
    kinds = np.zeros(128, np.uint8)
    for number, part in enumerate(apart):
        kinds[[character for character in range(128) if part >> character & 1]] = number
    return kinds, [(part & -part).bit_length() - 1 for part in apart]
