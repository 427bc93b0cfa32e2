"""What users write of alerts: errors tell the place and the remedy, and never a secret."""

from pathlib import Path

import pytest

from batch_exports.components.alerts import secret_variables
from batch_exports.components.errors import InvalidComponent
from batch_exports.definitions import component_tree
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

SECRET = "https://hooks.slack.com/services/T0/B0/secret"
SLACK = "slack: {webhook_url: {env: TEST_SLACK}}"
MAIL = "host: mail.example.com, from: a@example.com, to: [b@example.com]"


def define(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> set[str]:
    """The names of sensors and schedules beside the exports' own."""
    monkeypatch.setenv("TEST_SLACK", SECRET)
    monkeypatch.setenv("TEST_MAIL", "a password")
    monkeypatch.setenv("TEST_SHARED", "shared")
    text = "type: batch_exports.Alerts\nattributes:\n  name: oncall\n"
    text += "".join(f"  {line}\n" for line in lines)
    documents = "---\n".join([CONNECTION, LAKE, EXPORT, text])
    definitions = load(folder, {"a/defs.yaml": documents}, monkeypatch)
    found = [*(definitions.sensors or []), *(definitions.schedules or [])]
    return {one.name for one in found if one.name.startswith("oncall")}


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = define(
        tmp_path,
        monkeypatch,
        SLACK,
        f"email: {{{MAIL}, user: a, password: {{env: TEST_MAIL}}, tls: implicit, port: 465}}",
        "webhook: {url: https://hooks.example.com/a, secret: {env: TEST_SHARED}}",
        "exports: [events_archive]",
        "ui_url: https://dagster.example.com",
        'digest: "22:05"',
        "timezone: Europe/Berlin",
    )
    assert found == {"oncall_alerts", "oncall_digest"}
    assert secret_variables(component_tree()) >= {"TEST_SLACK", "TEST_MAIL", "TEST_SHARED"}


def test_without_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert define(tmp_path, monkeypatch, SLACK) == {"oncall_alerts"}


@pytest.mark.parametrize(
    ("lines", "field", "told"),
    [
        (["digest: '08:00'"], "slack", "one or more of slack, email and webhook"),
        ([SLACK, "digest: 22:00"], "digest", 'such as "22:00"'),
        ([SLACK, "digest: 25 o'clock"], "digest", "00:00 to 23:59"),
        ([SLACK, "timezone: Europe/Berln"], "timezone", "'Europe/Berln' is not a time zone"),
        ([SLACK, "exports: [events_archiv]"], "exports", "There is: events_archive."),
        ([SLACK, "ui_url: dagster"], "ui_url", "https://dagster.example.com"),
        ([f"email: {{{MAIL}, tls: none}}"], "email.tls", "'starttls' or 'implicit'"),
        ([f"email: {{{MAIL}, user: me}}"], "email.user", "Give both, or neither"),
        ([f"email: {{{MAIL.replace('b@', 'b')}}}"], "email.to", "somebody@example.com"),
        ([f"email: {{{MAIL.replace('[b@example.com]', '[]')}}}"], "email.to", "Give an address"),
        ([f"email: {{{MAIL.replace('mail.', 'smtp://mail.')}}}"], "email.host", "is not a host"),
        ([f"email: {{{MAIL}, port: 99999}}"], "email.port", "65535 or less"),
        (["webhook: {url: http://hooks.example.com}"], "webhook.url", "https://"),
        (["slack: {webhook_url: {env: TEST_UNSET}}"], "slack.webhook_url", "is not set"),
    ],
)
def test_errors(
    lines: list[str],
    field: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InvalidComponent) as caught:
        define(tmp_path, monkeypatch, *lines)
    assert told in str(caught.value)
    assert f"attributes.{field}\n" in str(caught.value)
    assert "a/defs.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        f"slack: {{webhook_url: {SECRET}}}",
        f"slack: {{webhook_url: [{SECRET}]}}",
        f"slack: {{webhook_url: {{url: {SECRET}}}}}",
        f"slack: {{webhook: {SECRET}}}",
        f"slack: {SECRET}",
        'slack: {webhook_url: "{{ env.TEST_SLACK }}"}',
        f"webhook: {{url: https://me:{SECRET[-6:]}@hooks.example.com}}",
        f"webhook: {{url: 'https://hooks.example.com?key={SECRET}'}}",
        f"webhook: {{url: https://hooks.example.com, secret: {SECRET}}}",
        f"email: {{{MAIL}, user: me, password: {SECRET}}}",
        f"ui_url: https://me:{SECRET[-6:]}@dagster.example.com",
    ],
)
def test_no_error_shows_a_secret(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line] if line.startswith(("slack", "webhook", "email")) else [SLACK, line]
    with pytest.raises(InvalidComponent) as caught:
        define(tmp_path, monkeypatch, *lines)
    text = str(caught.value)
    assert "a/defs.yaml:" in text
    for hidden in ("T0/B0/secret", "me:secret"):
        assert hidden not in text
