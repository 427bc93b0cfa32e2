"""How a run's process keeps its memory flat."""

import pyarrow as pa

# Long enough for the next batch to find the last one's pages still there, which is cheaper than
# asking the system for new ones; short enough for what is held beyond need to stay small.
_DECAY_MILLISECONDS = 100


def return_freed_memory() -> None:
    """Let Arrow give memory back soon after it is freed; what it is free to keep adds up otherwise.

    Does nothing where Arrow was built without jemalloc.
    """
    try:
        pool = pa.jemalloc_memory_pool()
    except NotImplementedError:
        return
    pa.jemalloc_set_decay_ms(_DECAY_MILLISECONDS)
    pa.set_memory_pool(pool)
