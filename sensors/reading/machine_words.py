"""What the byte loops take from the machine: many bytes in one step, at an address.

Numba has no names for these; each is one or a few instructions. An address is an array's `ctypes.data` plus a
place in it, and nothing checks it: callers see to it that the bytes are there.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDE: Final = 32  # bytes that `marks` looks at

_BYTES: Final = ir.VectorType(ir.IntType(8), WIDE)
_WORD: Final = ir.IntType(64)

Function = TypeVar("Function", bound="Callable[..., Any]")


def _operation(result: Any, argument: Any, code: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:  # noqa: ANN401 - Numba's types
    """A function for kernels: what `code` builds, given llvmlite's builder and the argument."""

    @intrinsic
    def operation(_typing: Any, _argument: Any) -> Any:  # noqa: ANN401
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
            return code(builder, arguments[0])

        return result(argument), generate

    return cast("Callable[[Any], Any]", operation)


def _loaded(builder: Any, address: Any, kind: Any) -> Any:  # noqa: ANN401 - llvmlite says nothing of its types
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1, typ=kind)


def _marks(members: bytes) -> Callable[[Any], Any]:
    """A function of an address: which of the `WIDE` bytes there are `members`, a bit each."""

    def code(builder: Any, address: Any) -> Any:  # noqa: ANN401
        found = _loaded(builder, address, _BYTES)
        hits = [builder.icmp_unsigned("==", found, ir.Constant(_BYTES, [each] * WIDE)) for each in members]
        return builder.zext(builder.bitcast(reduce(builder.or_, hits), ir.IntType(WIDE)), _WORD)

    return _operation(types.uint64, types.uintp, code)


string_marks: Final = _marks(b'"\\\n\0')  # what a JSON string does not simply go on through
line_marks: Final = _marks(b"\n")
colon_marks: Final = _marks(b":")
nul_marks: Final = _marks(b"\0")
page_marks: Final = _marks(b"}[")  # where one record may follow another, or an array of them begin

# The eight bytes at an address as a number, the first one the lowest; the byte at an address.
load: Final = _operation(types.uint64, types.uintp, lambda builder, address: _loaded(builder, address, _WORD))
byte: Final = _operation(
    types.uint8, types.uintp, lambda builder, address: _loaded(builder, address, ir.IntType(8))
)
# Number of the lowest bit set, 64 if none is; how many are set.
first: Final = _operation(
    types.int64, types.uint64, lambda builder, bits: builder.cttz(bits, ir.Constant(ir.IntType(1), 0))
)
count: Final = _operation(types.int64, types.uint64, lambda builder, bits: builder.ctpop(bits))
# An address as a pointer to hand to a C function.
pointer: Final = _operation(
    types.voidptr, types.uintp, lambda builder, address: builder.inttoptr(address, ir.IntType(8).as_pointer())
)


def members(octets: bytes) -> NDArray[np.bool_]:
    """A table of 256 booleans, for kernels: whether a byte is one of `octets`."""
    table = np.zeros(256, np.bool_)
    table[list(octets)] = True
    return table
