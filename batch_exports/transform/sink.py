"""Where encoded bytes go, and how Arrow writes there."""

from typing import Protocol

import pyarrow as pa


class Sink(Protocol):
    """Takes a file's bytes in order."""

    def write(self, data: bytes | pa.Buffer, /) -> int: ...


def arrow_file(sink: Sink) -> pa.NativeFile:
    """The sink as Arrow's writers want it. Closing it leaves the sink open."""
    return pa.PythonFile(_Uncloseable(sink), "w")


class _Uncloseable:
    closed = False

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
