"""JSON to a URL that may be a secret."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import urllib3

from batch_exports.automation.alerts.channel import SECONDS, Undelivered

_SHOWN = 100
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def url_problem(url: str) -> str | None:
    """What is wrong with it, without showing it. Only this machine may be reached without TLS."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "it is no URL"
    if parts.scheme == "http" and host in _LOOPBACK:
        return None
    if parts.scheme != "https" or not host:
        return "it does not begin with https:// and a host"
    return None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises `Undelivered` unless the answer is one of 200 to 299. Redirects are not followed."""
    if problem := url_problem(url):
        raise Undelivered(f"Of the URL: {problem}. Correct it.")
    context = ssl.create_default_context()
    with urllib3.PoolManager(ssl_context=context, retries=False) as pool:
        try:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=urllib3.Timeout(connect=SECONDS, read=SECONDS),
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # What they say holds the URL.
            raise Undelivered(f"No answer: {type(error).__name__}.") from None
    if not 200 <= answer.status < 300:
        text = answer.data[:_SHOWN].decode(errors="replace")
        raise Undelivered(f"The answer was {answer.status}: {text}")
