"""Events to a report: which accounts look like an embedded worker, why, and what they took."""

from __future__ import annotations

import os
from typing import Final

# Polars has its allocator give freed memory back after half a second, and takes it anew for the next batch: a
# fifth of a night's CPU went into that. Ten seconds keep it from one batch to the next. The setting is read
# when Polars is first imported (https://jemalloc.net/jemalloc.3.html#opt.dirty_decay_ms).
ALLOCATOR: Final = "dirty_decay_ms:10000,muzzy_decay_ms:-1"
os.environ.setdefault("_RJEM_MALLOC_CONF", ALLOCATOR)
