"""One request to a batch API, and what its answer says."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

import urllib3
from isal import igzip
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import Timeout, make_headers

from batch_exports.destinations.http.forms import Form
from batch_exports.errors import Terminal, Transient

_CONNECT_SECONDS = 10
_LEVEL = 1
_SAID_BYTES = 300


@dataclass(frozen=True)
class Answer:
    """`said` is the beginning of the body, `pause` for how many seconds the server asks.

    `is_page`: it is meant for people, so that no API gave it.
    """

    status: int
    said: str
    pause: float | None = None
    is_page: bool = False

    @property
    def is_good(self) -> bool:
        """Whether what was sent was taken."""
        return 200 <= self.status < 300 and not self.is_page

    def __str__(self) -> str:
        return f"{self.status}: {self.said or 'no reason given'}"


@dataclass(frozen=True)
class Endpoint:
    """A batch API at an address without its path, such as https://hosted.rudderlabs.com.

    The write key goes into a header or the body, and is never shown.
    """

    form: Form
    address: str
    write_key: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"{self.address.rstrip('/')}{self.form.path}"

    @contextmanager
    def connected(
        self, timeout_seconds: float, connections: int
    ) -> Generator["Connections", None, None]:
        """So many connections that are kept alive. `timeout_seconds` is for how long an answer
        may not come."""
        with urllib3.PoolManager(
            maxsize=connections,
            block=True,
            cert_reqs="CERT_REQUIRED",
            timeout=Timeout(connect=min(_CONNECT_SECONDS, timeout_seconds), read=timeout_seconds),
        ) as pool:
            yield Connections(self, pool)


@dataclass(frozen=True)
class Connections:
    """Connections to an endpoint, for several threads. Use `Endpoint.connected`."""

    endpoint: Endpoint
    pool: urllib3.PoolManager

    def post(self, body: bytes) -> Answer:
        """Send a body. Raises `Transient` where the line breaks or no answer comes, and `Terminal`
        where the server is not to be trusted."""
        return self._request("POST", self.endpoint.url, igzip.compress(body, _LEVEL))

    def greet(self) -> Answer:
        """Ask for the address itself, with no key. Raises as `post` does."""
        return self._request("GET", self.endpoint.address, None)

    def _request(self, method: str, url: str, body: bytes | None) -> Answer:
        try:
            answer = self.pool.request(
                method,
                url,
                body=body,
                headers=self._headers if body is not None else {},
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                said = answer.read(_SAID_BYTES, decode_content=True)
                if len(said) == _SAID_BYTES:
                    answer.close()  # there may be more, which nobody wants
            finally:
                answer.release_conn()
        except SSLError as error:
            raise Terminal(
                f"{self.endpoint.address} is not to be trusted: {error}.",
                remedy="Correct endpoint_url, or the machine's certificates.",
            ) from error
        except HTTPError as error:
            raise Transient(
                f"{self.endpoint.address} does not answer: {error}.", remedy="It is tried again."
            ) from error
        headers = answer.headers
        return Answer(
            answer.status,
            self._shown(said),
            pause_of(headers.get("Retry-After"), headers.get("Date")),
            headers.get("Content-Type", "").lower().startswith("text/html"),
        )

    def _shown(self, said: bytes) -> str:
        """On one line, and without the key, which some servers repeat."""
        text = said.decode(errors="replace").replace(self.endpoint.write_key, "***")
        return " ".join(text.split())

    @cached_property
    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "User-Agent": "batch_exports",
        }
        if not self.endpoint.form.key_in_body:
            headers |= make_headers(basic_auth=f"{self.endpoint.write_key}:")
        return headers


def pause_of(retry_after: str | None, date: str | None) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or a moment (RFC 9110 §10.2.3).

    A moment is compared with the answer's own `date`: clocks differ. None where it says nothing.
    """
    text = (retry_after or "").strip()
    if text.isdigit() and text.isascii():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None
