"""Amplitude's Export API: zips of an hour or several, each on disk while it is read.

https://amplitude.com/docs/apis/analytics/export
"""

import tempfile
import time
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, Literal

import urllib3
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import Timeout, make_headers

from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.sources.amplitude.hours import HOUR

ENDPOINTS = {"us": "https://amplitude.com", "eu": "https://analytics.eu.amplitude.com"}

_PATH = "/api/2/export"
_PIECE_BYTES = 2**20
_CONNECT_SECONDS = 10
_LONGEST_PAUSE = 120.0
_OF_SOME_USE_LATER = (408, 425, 429)
_TOO_LARGE: Final = "too large"


@dataclass(frozen=True)
class Download:
    """The Export API of one project.

    Before anything comes, Amplitude gathers it: `timeout_seconds` is for how long nothing may
    come. What fails in a way that may pass is tried again after each of the `pauses`, in seconds,
    or after what the server asks for. Keys go into a header alone.
    """

    endpoint: str
    api_key: str
    secret_key: str
    timeout_seconds: float = 600
    pauses: tuple[float, ...] = (2, 8, 32)

    def __repr__(self) -> str:
        return f"Download({self.endpoint!r})"

    def archives(
        self, first: datetime, last: datetime
    ) -> Generator[tuple[IO[bytes], str], None, None]:
        """The zips of the hours from `first` to `last`, both inclusive, each with what to call it.

        A file is closed, and gone, when the next one is asked for. Hours without rows have none. A
        range that is too large for one zip is halved. Raises `Terminal` or `Transient`.
        """
        where = _shown(first, last)
        found = self._tried(first, last, where)
        if isinstance(found, str):
            middle = first + (last - first) // HOUR // 2 * HOUR
            yield from self.archives(first, middle)
            yield from self.archives(middle + HOUR, last)
        elif found is not None:
            with found as file:
                yield file, where

    def status(self, hour: datetime) -> int:
        """The status of the answer for an hour, whose zip is not fetched."""
        with self._answer(hour, hour, _shown(hour, hour)) as answer:
            return int(answer.status)

    def _tried(
        self, first: datetime, last: datetime, where: str
    ) -> IO[bytes] | Literal["too large"] | None:
        for pause in self.pauses:
            try:
                return self._fetched(first, last, where)
            except _Busy as error:
                time.sleep(min(pause if error.pause is None else error.pause, _LONGEST_PAUSE))
        return self._fetched(first, last, where)

    def _fetched(
        self, first: datetime, last: datetime, where: str
    ) -> IO[bytes] | Literal["too large"] | None:
        """The zip, `too large`, or None where there are no rows."""
        with self._answer(first, last, where) as answer:
            match answer.status:
                case 200:
                    return self._spooled(answer, where)
                case 404:
                    return None
                # A time-out is documented as that of too much data.
                case 400 | 504 if first < last:
                    return _TOO_LARGE
                case _:
                    raise refusal(answer.status, where, answer)

    def _spooled(self, answer: urllib3.BaseHTTPResponse, where: str) -> IO[bytes]:
        file: IO[bytes] = tempfile.TemporaryFile(prefix="amplitude-")  # noqa: SIM115
        try:
            for piece in answer.stream(_PIECE_BYTES):
                _write(file, piece, where)
            if not zipfile.is_zipfile(file):
                raise _Busy(f"{where} came as no whole zip.", remedy="It is tried again.")
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    @contextmanager
    def _answer(
        self, first: datetime, last: datetime, where: str
    ) -> Generator[urllib3.BaseHTTPResponse, None, None]:
        """An answer of which the head is read. What goes wrong on the way is `_Busy`."""
        with urllib3.PoolManager(cert_reqs="CERT_REQUIRED") as pool:
            try:
                answer = pool.request(
                    "GET",
                    f"{self.endpoint.rstrip('/')}{_PATH}",
                    fields={"start": f"{first:%Y%m%dT%H}", "end": f"{last:%Y%m%dT%H}"},
                    headers=make_headers(basic_auth=f"{self.api_key}:{self.secret_key}"),
                    timeout=Timeout(connect=_CONNECT_SECONDS, read=self.timeout_seconds),
                    preload_content=False,
                    redirect=False,
                    retries=False,
                )
                try:
                    yield answer
                finally:
                    answer.close()
            except SSLError as error:
                raise Terminal(
                    f"{where}: {self.endpoint} is not to be trusted: {error}.",
                    remedy="Correct endpoint_url, or the machine's certificates.",
                ) from error
            except HTTPError as error:
                raise _Busy(f"{where}: {error}.", remedy="It is tried again.") from error


def _write(file: IO[bytes], piece: bytes, where: str) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise Terminal(
            f"{where} finds no room in {tempfile.gettempdir()}: {error}.",
            remedy="Make room, or name a folder on a larger disk in TMPDIR.",
        ) from error


class _Busy(Transient):
    """What may pass; `pause` is for how many seconds the server asks."""

    def __init__(self, message: str, *, remedy: str, pause: float | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.pause = pause


def refusal(status: int, where: str, answer: Any = None) -> BatchExportError:
    """What an answer means that brings nothing. `answer` is read for what it says."""
    if status in (401, 403):
        return Terminal(
            f"{where}: the keys are refused ({status}).",
            remedy="Give the project's API key and secret key, and the region of the project.",
        )
    if status in _OF_SOME_USE_LATER or status >= 500:
        wait = answer.headers.get("Retry-After", "") if answer else ""
        return _Busy(
            f"{where}: the API answers {status}.",
            remedy="It is tried again. If it stays so, read archives of Amplitude's export to S3.",
            pause=float(wait) if wait.isdigit() else None,
        )
    said = answer.read(200).decode(errors="replace").strip() if answer else ""
    if status == 400:
        return Terminal(
            f"{where}: the API refuses even one hour (400: {said or 'no reason given'}).",
            remedy="An hour of more than 4 GB comes by Amplitude's export to S3 alone: set that "
            "up, and give the source its path.",
        )
    return Terminal(
        f"{where}: the API answers {status} ({said}).", remedy="Correct endpoint_url or region."
    )


def _shown(first: datetime, last: datetime) -> str:
    return f"Amplitude's Export API, {first:%Y-%m-%dT%H} to {last:%Y-%m-%dT%H}"
