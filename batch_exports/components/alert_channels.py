"""The ways by which alerts go out, as users write them."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

import dagster as dg
from dagster_shared.record import copy
from pydantic import BaseModel, Field

from batch_exports.automation.alerts.channel import Undelivered
from batch_exports.automation.alerts.mail import Mail
from batch_exports.automation.alerts.post import url_problem
from batch_exports.automation.alerts.slack import Slack
from batch_exports.automation.alerts.webhook import Webhook
from batch_exports.components.errors import located
from batch_exports.components.secret import Secret, refuse_bad_secrets
from batch_exports.components.server_fields import check_host, check_most
from batch_exports.components.yaml_component import YamlModel
from batch_exports.errors import ConfigurationError

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class _Channel(YamlModel):
    """A mapping with secrets of its own."""

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        try:
            if not isinstance(model, BaseModel):  # such as the URL alone, which is a secret
                *outer, field = context.path
                context = copy(context, path=outer)
                names = ", ".join(info.alias or name for name, info in cls.model_fields.items())
                remedy = f"Write it as {{field: value}}; the fields are {names}."
                raise ConfigurationError(str(field), "it is no mapping.", remedy=remedy)
            refuse_bad_secrets(cls.model_fields, model)
        except ConfigurationError as error:
            raise located(context, error, excerpt=False) from None
        return super().resolve_from_model(context, model)


class SlackModel(_Channel):
    """A channel of Slack."""

    webhook_url: Secret = Field(
        description="URL of an incoming webhook of the channel, as {env: NAME}: whoever has it may "
        "post."
    )

    def channel(self) -> Slack:
        return Slack(lambda: value_of(self.webhook_url))


class EmailModel(_Channel):
    """Mail, by a server that takes it over TLS."""

    host: str = Field(description="Name of the server, which its certificate has to bear.")
    port: int = Field(587, description="587 is usual for starttls, 465 for implicit.")
    tls: Literal["starttls", "implicit"] = Field(
        "starttls",
        description="implicit: encrypted from the first byte; starttls: the server is asked to, "
        "and nothing is sent to one that does not.",
    )
    user: str | None = Field(None, description="Who logs in; nobody without it.")
    password: Secret | None = Field(None, description="The user's password, as {env: NAME}.")
    sender: str = Field(alias="from", description="Address of the sender.")
    to: list[str] = Field(description="Addresses that get each message.")

    def check(self) -> None:
        """Raises `ConfigurationError`, whose fields begin with `email`."""
        try:
            check_host(self.host)
            check_most("port", self.port, 65535)
        except ConfigurationError as error:
            field = f"email.{error.field}"
            raise ConfigurationError(field, error.problem, remedy=error.remedy) from None
        if (self.user is None) != (self.password is None):
            raise ConfigurationError(
                "email.user",
                "user and password belong together.",
                remedy="Give both, or neither for a server that asks for no login.",
            )
        if not self.to:
            raise ConfigurationError("email.to", "it is empty.", remedy="Give an address.")
        for field, address in [
            ("email.from", self.sender),
            *(("email.to", one) for one in self.to),
        ]:
            if not _ADDRESS.fullmatch(address):
                raise ConfigurationError(
                    field,
                    f"{address!r} is not an address.",
                    remedy="Write it as somebody@example.com.",
                )

    def channel(self) -> Mail:
        password = self.password
        return Mail(
            self.host,
            self.port,
            self.tls,
            self.sender,
            self.to,
            self.user,
            None if password is None else lambda: value_of(password),
        )


class WebhookModel(_Channel):
    """A program that takes JSON."""

    url: str = Field(
        description="Where messages are posted to; https:// unless it is this machine."
    )
    secret: Secret | None = Field(
        None, description="By which calls are signed, as {env: NAME}; see the how-to."
    )

    def check(self) -> None:
        """Raises `ConfigurationError`, whose fields begin with `webhook`."""
        if problem := url_problem(self.url):
            raise ConfigurationError("webhook.url", f"{problem}.", remedy="Correct it.")
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigurationError(
                "webhook.url",
                "it has credentials, a query or a fragment.",
                remedy="Give the address alone; calls can be signed by a secret.",
            )

    def channel(self) -> Webhook:
        secret = self.secret
        return Webhook(lambda: self.url, None if secret is None else lambda: value_of(secret))


def value_of(secret: Secret) -> str:
    """What the environment holds now. Raises `Undelivered` where it holds nothing."""
    value = secret.variable().get_value()
    if not value:
        raise Undelivered(f"The environment variable {secret.env} is not set.")
    return value.strip()
