"""A batch API and its write key, defined once and shared by name."""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import dagster as dg
from pydantic import Field

from batch_exports.components.errors import located
from batch_exports.components.secret import Secret, unset_variable
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.destinations.http.endpoint import Endpoint
from batch_exports.destinations.http.forms import FORMS
from batch_exports.errors import ConfigurationError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KEY = re.compile(r"[!-~]+")


class HttpConnection(YamlComponent):
    """The batch API of RudderStack, Segment or PostHog, or of what takes calls in their form."""

    name: str = Field(description="The name that exports give as their connection.")
    form: Literal["rudderstack", "segment", "posthog"] = Field(
        description="In which form calls are sent."
    )
    endpoint_url: str = Field(
        description="URL without the API's path: RudderStack's data plane, "
        "https://api.segment.io or https://events.eu1.segmentapis.com, https://us.i.posthog.com "
        "or https://eu.i.posthog.com."
    )
    write_key: Secret = Field(
        description="Write key of the source, or API key of PostHog's project, as {env: NAME}."
    )

    def check(self) -> None:
        super().check()
        try:
            url = urlsplit(self.endpoint_url)
        except ValueError as error:
            raise ConfigurationError(
                "endpoint_url", f"it is no URL ({error}).", remedy="Correct it."
            ) from None
        if url.username or url.password or url.query or url.fragment:
            problem = "it has credentials, a query or a fragment."
            remedy = "Give the address alone, and the key as write_key."
            misfit = ConfigurationError("endpoint_url", problem, remedy=remedy)
            raise located(self._context, misfit, excerpt=False)
        self._check_address(url)

    def _check_address(self, url: SplitResult) -> None:
        loopback = url.scheme == "http" and url.hostname in _LOOPBACK
        if not url.hostname or (url.scheme != "https" and not loopback):
            raise ConfigurationError(
                "endpoint_url",
                f"{self.endpoint_url!r} is not encrypted, or no URL.",
                remedy="Begin it with https://.",
            )
        path = FORMS[self.form].path.strip("/")
        if url.path.strip("/").endswith(path):
            raise ConfigurationError(
                "endpoint_url",
                f"{self.endpoint_url!r} ends in the API's path.",
                remedy=f"Leave out /{path}.",
            )

    @property
    def url(self) -> str:
        """Where calls are sent."""
        return Endpoint(FORMS[self.form], self.endpoint_url, "").url

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return dg.Definitions(resources={self.name: self.resource()})

    def resource(self) -> dg.ResourceDefinition:
        form, address, write_key = FORMS[self.form], self.endpoint_url, self.write_key

        @dg.resource(description=f"Sends calls to {address}.")
        def endpoint(context: dg.InitResourceContext) -> Endpoint:
            return Endpoint(form, address, _value(write_key))

        return endpoint


def _value(secret: Secret) -> str:
    """Raises `ConfigurationError`, without showing it, for what cannot be a key."""
    value = secret.variable().get_value()
    if not value:
        raise unset_variable("write_key", secret.env)
    if not _KEY.fullmatch(value):
        raise ConfigurationError(
            "write_key",
            f"{secret.env} has characters that no key has, such as spaces and line breaks.",
            remedy="Correct the variable: a line break at its end belongs to it.",
        )
    return value
