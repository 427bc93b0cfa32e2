"""Who is told of failures, and how."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dagster as dg
from pydantic import BaseModel, Field

from batch_exports.automation.alerts.channel import Channel
from batch_exports.automation.alerts.redaction import redactor
from batch_exports.automation.alerts.sensor import build_alert_sensor
from batch_exports.automation.digest_schedule import build_digest
from batch_exports.components.alert_channels import EmailModel, SlackModel, WebhookModel
from batch_exports.components.batch_export import BatchExport
from batch_exports.components.errors import located
from batch_exports.components.references import find
from batch_exports.components.secret import Secret
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.time_of_day import parse_time_of_day

# Dagster finds subclasses by their base, which mypy wants to be concrete.
_ANY_EXPORT: Any = BatchExport
_ANY_COMPONENT: Any = YamlComponent
# What AWS's default chain reads without a component that names it.
_AWS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Alerts(YamlComponent):
    """People who are told when an export fails, is paused, late, or has a red check, and when that
    is over; once each, by Slack, e-mail or a webhook. With a digest once a day, if wanted.
    """

    namespace: ClassVar[str] = "alerts"

    name: str = Field(
        description="Names the sensor, `<name>_alerts`, and the schedule, `<name>_digest`."
    )
    slack: SlackModel | None = Field(None, description="A channel of Slack, see below.")
    email: EmailModel | None = Field(None, description="Mail, see below.")
    webhook: WebhookModel | None = Field(None, description="A program that takes JSON, see below.")
    exports: list[str] = Field([], description="Names of exports; empty means all.")
    ui_url: str | None = Field(
        None, description="URL of the Dagster UI, for links to runs; without it IDs are told."
    )
    digest: str | int | None = Field(
        None, description='Time of day at which the digest is sent, such as "08:00".'
    )
    timezone: str = Field("UTC", description="IANA time zone of the digest.")

    def check(self) -> None:
        super().check()
        if not (self.slack or self.email or self.webhook):
            raise ConfigurationError(
                "slack",
                "there is no way to tell anybody.",
                remedy="Give one or more of slack, email and webhook.",
            )
        if self.email is not None:
            self.email.check()
        try:
            if self.webhook is not None:
                self.webhook.check()
            self._check_ui_url()
        except ConfigurationError as error:  # a URL that is wrong may hold a secret
            raise located(self._context, error, excerpt=False) from None
        self._cron()
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ConfigurationError(
                "timezone",
                f"{self.timezone!r} is not a time zone.",
                remedy="Give an IANA name such as Europe/Berlin.",
            ) from None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            for name in self.exports:
                find(context, _ANY_EXPORT, "exports", name)
        tree, channels = context.component_tree, self.channels()
        exports = self._exports(tree)

        def redact() -> Callable[[str], str]:
            return redactor(secret_variables(tree))

        sensor = build_alert_sensor(
            self.name, exports, channels, ui_url=self.ui_url, redactor=redact
        )
        alerts = dg.Definitions(sensors=[sensor])
        if (cron := self._cron()) is None:
            return alerts
        digest = build_digest(
            self.name, exports, channels, cron=cron, timezone=self.timezone,
            ui_url=self.ui_url, redactor=redact,
        )  # fmt: skip
        return dg.Definitions.merge(alerts, digest)

    def channels(self) -> list[Channel]:
        parts = (self.slack, self.email, self.webhook)
        return [part.channel() for part in parts if part is not None]

    def _exports(self, tree: dg.ComponentTree) -> Callable[[], Mapping[str, Export]]:
        """An export may refer to others: it is known when all are loaded."""

        @cache
        def exports() -> Mapping[str, Export]:
            components: list[BatchExport] = tree.get_all_components(_ANY_EXPORT)
            return {
                component.name: component.export()
                for component in components
                if not self.exports or component.name in self.exports
            }

        return exports

    def _cron(self) -> str | None:
        if self.digest is None:
            return None
        at = parse_time_of_day("digest", self.digest)
        return f"{at.minute} {at.hour} * * *"

    def _check_ui_url(self) -> None:
        if self.ui_url is None:
            return
        try:
            parts = urlsplit(self.ui_url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigurationError(
                "ui_url",
                "it is no URL, or has credentials.",
                remedy="Write it as https://dagster.example.com.",
            )


def secret_variables(tree: dg.ComponentTree) -> set[str]:
    """The environment variables that any component of the deployment names as a secret."""
    components: list[YamlComponent] = tree.get_all_components(_ANY_COMPONENT)
    return {*_AWS, *(secret.env for one in components for secret in _secrets(one))}


def _secrets(value: Any) -> Iterator[Secret]:
    match value:
        case Secret():
            yield value
        case BaseModel():
            for _, item in value:
                yield from _secrets(item)
        case dict():
            for item in value.values():
                yield from _secrets(item)
        case list() | tuple():
            for item in value:
                yield from _secrets(item)
