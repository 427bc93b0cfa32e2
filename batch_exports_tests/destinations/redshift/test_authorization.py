"""The clause of COPY that lets a cluster read: what stands in it, and what nobody is shown.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.destinations.redshift.authorization import (
    Authorization,
    ConnectionKeys,
    DefaultRole,
    Keys,
    Role,
)
from batch_exports.errors import Terminal

ARN = "arn:aws:iam::123456789012:role/copy"


@pytest.mark.parametrize(
    ("authorization", "clause"),
    [
        (Role(ARN), f"IAM_ROLE '{ARN}'"),
        # https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html
        (Role(f"{ARN},{ARN}2"), f"IAM_ROLE '{ARN},{ARN}2'"),
        (DefaultRole(), "IAM_ROLE default"),
        (Keys("AK", "s/+="), "ACCESS_KEY_ID 'AK' SECRET_ACCESS_KEY 's/+='"),
        (
            Keys("AK", "s", "t=="),
            "ACCESS_KEY_ID 'AK' SECRET_ACCESS_KEY 's' SESSION_TOKEN 't=='",
        ),
    ],
)
def test_a_clause(authorization: Authorization, clause: str) -> None:
    assert authorization.clause().as_string() == clause


def test_the_keys_of_a_connection_are_asked_for_anew() -> None:
    given_keys = iter([Keys("A", "1"), Keys("B", "2")])
    keys = ConnectionKeys("archive", lambda: next(given_keys))
    assert "'A'" in keys.clause().as_string()
    assert "'B'" in keys.clause().as_string()


@pytest.mark.parametrize(
    "keys",
    [
        Keys("planted", "planted", "planted"),
        ConnectionKeys("archive", lambda: Keys("planted", "planted")),
    ],
)
def test_no_secret_is_shown(keys: Authorization) -> None:
    assert "planted" not in f"{keys} {keys!r}"


@given(st.text(max_size=20))
def test_what_would_leave_its_quotes_is_refused(value: str) -> None:
    """Redshift reads a backslash in quotes as an escape, and knows no E'...'."""
    try:
        clause = Keys("AK", value).clause().as_string()
    except Terminal as error:
        assert "secret_access_key" in error.message
        assert "line break" in error.remedy
    else:
        assert clause == f"ACCESS_KEY_ID 'AK' SECRET_ACCESS_KEY '{value}'"
        assert not set(value) & set("'\\ \n\0")
