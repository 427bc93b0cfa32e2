"""The Export API: which hours are asked for, and what comes of each answer."""

import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.probe import Finding, probe
from batch_exports.sources.amplitude import Api
from batch_exports.sources.amplitude.download import Download
from batch_exports.sources.amplitude.probe import API_STEPS, ApiAttempt
from batch_exports_tests.sources.amplitude.played import HOURS, Amplitude, Fault, api, send
from batch_exports_tests.sources.amplitude.rows import (
    MERGED_IDS,
    events,
    minutes,
    name,
    read,
    uuids,
    zipped,
)


def answers(status: int, **headers: str) -> Fault:
    def fault(request: BaseHTTPRequestHandler) -> None:
        send(request, status, b"why", **headers)

    return fault


def cut(*, told: bool) -> Fault:
    """A body that ends half way, with its whole length told before or no length."""

    def fault(request: BaseHTTPRequestHandler) -> None:
        body = zipped({name(0): HOURS[0]})
        request.send_response(200)
        if told:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2])
        request.close_connection = True

    return fault


def silence(request: BaseHTTPRequestHandler) -> None:
    """A body that is told, and of which nothing comes as long as anybody waits for it."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.connection.recv(1)


@pytest.mark.parametrize(
    ("interval", "hours", "expected"),
    [
        (minutes(0, 60), (0, 0), [0, 30]),
        (minutes(0, 300), (0, 4), [0, 30, 60, 90, 120, 150, 240, 270]),
        (minutes(85, 95), (1, 1), [90]),
        (minutes(55, 65), (0, 1), [60]),
        (minutes(180, 240), (3, 3), []),
    ],
)
def test_rows_of_an_interval(
    amplitude: Amplitude, interval: DataInterval, hours: tuple[int, int], expected: list[float]
) -> None:
    assert uuids(api(amplitude), interval) == expected
    assert amplitude.requests == [hours, hours]  # to read, and to count


def test_what_is_to_be_downloaded_is_told_and_nothing_asked(amplitude: Amplitude) -> None:
    told = api(amplitude).describe(events(), minutes(55, 65))
    assert "from 2026-11-01T00 to 2026-11-01T01" in told.note
    assert told.uncounted
    assert "secret" not in str(told)
    assert amplitude.requests == []


def test_a_range_that_is_too_large_is_halved(amplitude: Amplitude) -> None:
    """ "If the size exceeds 4GB, the request returns a 400 response. In this case, choose a smaller
    time range": https://amplitude.com/docs/apis/analytics/export"""
    amplitude.most = 1
    with api(amplitude).read(events(), minutes(0, 300)) as batches:
        assert batches.read_all().num_rows == 8
    assert amplitude.requests == [(0, 4), (0, 2), (0, 1), (0, 0), (1, 1), (2, 2), (3, 4)]


def test_an_hour_that_is_too_large(amplitude: Amplitude) -> None:
    amplitude.most = 0
    with pytest.raises(Terminal, match=r"too large.*export to S3") as caught:
        api(amplitude).count(events(), minutes(0, 120))
    assert amplitude.requests == [(0, 1), (0, 0)]
    assert "secret" not in str(caught.value)


def test_a_time_out_of_several_hours_halves_them(amplitude: Amplitude) -> None:
    """504: "the amount of data is large causing a timeout"."""
    amplitude.faults = [answers(504)]
    assert api(amplitude).count(events(), minutes(0, 120)) == 4
    assert amplitude.requests == [(0, 1), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    "fault",
    [answers(504), answers(500), answers(429, Retry_After="0"), cut(told=True), cut(told=False)],
)
def test_what_may_pass_is_tried_again(amplitude: Amplitude, fault: Fault) -> None:
    amplitude.faults = [fault, fault]
    assert api(amplitude).count(events(), minutes(0, 60)) == 2
    assert amplitude.requests == [(0, 0)] * 3
    amplitude.faults = [fault] * 3
    with pytest.raises(Transient, match="2026-11-01T00"):
        api(amplitude).count(events(), minutes(0, 60))


def test_silence_is_no_answer(amplitude: Amplitude) -> None:
    amplitude.faults = [silence] * 3
    with pytest.raises(Transient, match="timed out"):
        api(amplitude, timeout_seconds=0.2).count(events(), minutes(0, 60))
    assert amplitude.faults == []


def test_the_pause_that_the_server_asks_for(amplitude: Amplitude) -> None:
    amplitude.faults = [answers(429, Retry_After="1")]
    began = time.monotonic()
    api(amplitude).count(events(), minutes(0, 60))
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("status", [401, 403, 302])
def test_refusals_are_told_at_once(amplitude: Amplitude, status: int) -> None:
    """A redirect would take the keys elsewhere."""
    amplitude.faults = [answers(status, Location="http://127.0.0.1:1/")]
    with pytest.raises(Terminal, match=str(status)):
        api(amplitude).count(events(), minutes(0, 60))
    assert len(amplitude.requests) == 1


def test_no_server() -> None:
    gone = Amplitude()
    gone.server.shutdown()
    gone.server.server_close()
    with pytest.raises(Transient, match="refused"):
        api(gone).count(events(), minutes(0, 60))


def test_certificates_are_verified(amplitude: Amplitude) -> None:
    """A server without TLS is as little trusted as one with a certificate of nobody's."""
    untrusted = Download(amplitude.endpoint.replace("http:", "https:"), "key", "secret")
    with pytest.raises(Terminal, match="not to be trusted"):
        Api(untrusted).count(events(), minutes(0, 60))


def test_a_full_disk_is_told(amplitude: Amplitude, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full.open("w+b", 0))
    with pytest.raises(Terminal, match="No space left on device"):
        api(amplitude).count(events(), minutes(0, 60))


def test_hours_are_there_two_hours_later(amplitude: Amplitude) -> None:
    now = datetime.now(UTC)
    late = DataInterval(now - timedelta(minutes=5), now)
    # The hour of the last moment within, whatever the time at which this runs.
    ready = (now - timedelta(microseconds=1)).replace(minute=0) + timedelta(hours=3)
    with (
        pytest.raises(Transient, match=f"from {ready:%Y-%m-%d %H:%M} UTC on"),
        api(amplitude).read(events(), late),
    ):
        pass
    assert amplitude.requests == []


def test_no_merged_ids(amplitude: Amplitude) -> None:
    with pytest.raises(Terminal, match="has no amplitude_merged_ids"):
        read(api(amplitude), MERGED_IDS, minutes(0, 60))


def test_keys_are_shown_nowhere(amplitude: Amplitude) -> None:
    assert "secret" not in repr(api(amplitude).download)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Finding("passed", "the keys are taken, and there are events")),
        (404, Finding("passed", "the keys are taken; yesterday's hour has no events")),
        (400, "warning"),
        (401, "failed"),
        (429, "failed"),
    ],
)
def test_probe(amplitude: Amplitude, status: int, expected: Finding | str) -> None:
    amplitude.faults = [answers(status)]
    found = [result.finding for result in probe(API_STEPS, ApiAttempt(lambda: api(amplitude)))]
    assert found[0] == Finding("passed", f"{amplitude.endpoint} answers")
    assert expected in (found[1], found[1].verdict)
    assert len(amplitude.requests) == 1


def test_probe_of_an_api_that_is_not_there() -> None:
    nowhere = Api(Download("http://127.0.0.1:1", "key", "secret"))
    found = [result.finding.verdict for result in probe(API_STEPS, ApiAttempt(lambda: nowhere))]
    assert found == ["failed", "skipped"]
