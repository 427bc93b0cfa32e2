"""Files are looked up before their turn, in order, and no further than need be."""

import threading
from contextlib import closing

import pytest

from batch_exports.sources.lake.ahead import prepared_ahead


def test_several_are_prepared_at_once_and_come_in_order() -> None:
    both = threading.Barrier(2, timeout=30)

    def prepare(path: str) -> str:
        both.wait()  # nobody passes alone
        return path.upper()

    paths = [f"file {number}" for number in range(30)]
    found = [(path, file.result()) for path, file in prepared_ahead(prepare, paths)]
    assert found == [(path, path.upper()) for path in paths]


def test_an_error_is_that_of_its_file() -> None:
    def prepare(path: str) -> str:
        if path == "bad":
            raise OSError("no footer")
        return path

    found = dict(prepared_ahead(prepare, ["good", "bad", "last"]))
    assert [found["good"].result(), found["last"].result()] == ["good", "last"]
    with pytest.raises(OSError, match="no footer"):
        found["bad"].result()


def test_who_stops_leaves_the_rest_alone() -> None:
    prepared = []
    with closing(prepared_ahead(prepared.append, [str(n) for n in range(100)])) as files:
        next(files)
    assert len(prepared) < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]
