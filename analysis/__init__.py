"""Events to a report: which accounts look like an embedded worker, why, and what they took."""

from __future__ import annotations

import os
from typing import Final

# Polars has its allocator give freed memory back after half a second, and takes it anew for the next batch:
# a fifth of a night's CPU went into that. Ten seconds keep it from one batch to the next. It is kept by
# arena, of which there are four a core, and one cannot have what another keeps: with one for two cores the
# same work takes a fifth less memory. The settings are read when Polars is first imported
# (https://jemalloc.net/jemalloc.3.html#opt.dirty_decay_ms and #opt.narenas).
_ARENAS: Final = max(1, (os.cpu_count() or 1) // 2)
ALLOCATOR: Final = f"dirty_decay_ms:10000,muzzy_decay_ms:-1,narenas:{_ARENAS}"
os.environ.setdefault("_RJEM_MALLOC_CONF", ALLOCATOR)
