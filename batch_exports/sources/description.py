"""What a read of an interval would take from a source, for people to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyarrow import fs


@dataclass(frozen=True)
class SourceFile:
    """A file that a read looks into. `bytes` is its size; None where that is not known."""

    uri: str
    bytes: int | None


@dataclass(frozen=True)
class Description:
    """`place` is where rows come from. `query` has the interval's bounds in it, and no secret.

    `files` are those that are looked into, whatever of them is read. `note` is what there is to
    know beside, in a sentence. `uncounted` says why counting the rows would read, or change, more
    than it is worth; None where they may be counted.
    """

    place: str
    query: str | None = None
    files: Sequence[SourceFile] = ()
    note: str = ""
    uncounted: str | None = None


def sizes(filesystem: fs.FileSystem, uris: dict[str, str]) -> list[SourceFile]:
    """The files at these paths, whose values are how they are shown. Raises as Arrow does."""
    if not uris:
        return []
    infos = filesystem.get_file_info(list(uris))
    return [SourceFile(uris[info.path], info.size) for info in infos]
