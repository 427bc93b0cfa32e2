"""A request as ClickHouse's HTTP interface takes it.

https://clickhouse.com/docs/interfaces/http
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qsl, urlsplit

# Parameters of the interface itself. All others are settings, but those that begin with "param_".
_OWN = {
    "client_protocol_version",
    "compress",
    "database",
    "default_format",
    "password",
    "query",
    "query_id",
    "role",
    "session_id",
    "session_timeout",
    "user",
    "wait_end_of_query",
}
_PARAMETER = "param_"
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """`parameters` are the values that the query's `{name:Type}` stand for, as they came."""

    query: str
    format: str
    query_id: str
    database: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]


def parse(path: str, headers: Message, body: bytes) -> Request:
    """The query is what `query` and the body give together. A form's fields are parameters."""
    given = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    if headers.get_content_type() == "multipart/form-data":
        given |= _form(headers, body)
        body = b""
    query = f"{given.get('query', '')}\n{body.decode()}".strip().rstrip(";")
    written = _FORMAT.search(query)
    return Request(
        query=query[: written.start()] if written else query,
        format=written[1] if written else given.get("default_format", "TabSeparated"),
        query_id=given.get("query_id", ""),
        database=given.get("database", ""),
        parameters={
            name.removeprefix(_PARAMETER): value
            for name, value in given.items()
            if name.startswith(_PARAMETER)
        },
        settings={
            name: value
            for name, value in given.items()
            if name not in _OWN and not name.startswith(_PARAMETER)
        },
    )


def login(headers: Message) -> tuple[str, str]:
    """User and password of HTTP's basic authentication; empty without any."""
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")


def _form(headers: Message, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    fields = {}
    for part in BytesParser().parsebytes(head + body).get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        fields[str(part.get_param("name", header="content-disposition"))] = content.decode()
    return fields
