"""The server that plays Amplitude's."""

from collections.abc import Iterator

import pytest

from batch_exports_tests.sources.amplitude.played import Amplitude


@pytest.fixture
def amplitude() -> Iterator[Amplitude]:
    played = Amplitude()
    yield played
    played.server.shutdown()
    played.server.server_close()
