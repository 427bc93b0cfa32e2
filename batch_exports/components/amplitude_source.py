"""Amplitude as a source: archives of its exports, or its Export API."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from batch_exports.components.errors import located
from batch_exports.components.files_place import check_connection, check_place, is_on_s3, opened
from batch_exports.components.secret import Secret, unset_variable
from batch_exports.components.source import Source
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.interval import Rhythm
from batch_exports.models import AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS, Model
from batch_exports.sources.amplitude import Api, Archives, api, archives
from batch_exports.sources.amplitude.download import ENDPOINTS, Download
from batch_exports.sources.amplitude.hours import HOUR

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class AmplitudeSource(Source):
    """Events and merged IDs as Amplitude exports them: archives under a path, or the Export API.

    A path is read whatever folders its archives lie in: files of Amplitude's export to S3, such as
    `187520_2020-01-25_17#1.json.gz` and `-189524_2020-01-25_17.json.gz`, and zips of its Export
    API. The API itself takes a project's keys, and has no merged IDs.
    """

    path: str | None = Field(
        None, description="The archives: a local folder, or s3://bucket/prefix."
    )
    connection: str | None = Field(
        None, description="The S3Connection to read s3:// with; AWS's default chain without one."
    )
    api_key: Secret | None = Field(None, description="API key of the project, as {env: NAME}.")
    secret_key: Secret | None = Field(
        None, description="Secret key of the project, as {env: NAME}."
    )
    region: Literal["us", "eu"] = Field("us", description="Where Amplitude keeps the project.")
    endpoint_url: str | None = Field(
        None, description="URL of the API, where a proxy stands before it; the region's without."
    )

    def check(self) -> None:
        super().check()
        for missing, given in (("secret_key", "api_key"), ("api_key", "secret_key")):
            if getattr(self, given) and not getattr(self, missing):
                raise ConfigurationError(
                    missing, "it is missing, while its counterpart is given.", remedy="Give both."
                )
        if (self.path is None) == (self.api_key is None):
            raise ConfigurationError(
                "path",
                "the source needs a path of archives, or keys of the API, and not both.",
                remedy="Give path, or api_key and secret_key.",
            )
        if self.path is not None:
            check_place(self.path, self.connection)
        elif self.connection:
            raise ConfigurationError(
                "connection", "it is of no use to the API.", remedy="Leave it out."
            )
        self._check_endpoint()

    def _check_endpoint(self) -> None:
        """Keys go over the network with each request."""
        if self.endpoint_url is None:
            return
        url = urlsplit(self.endpoint_url)
        if url.scheme != "https" and (url.scheme != "http" or url.hostname not in _LOOPBACK):
            raise ConfigurationError(
                "endpoint_url",
                f"{url.scheme}://{url.hostname} is not encrypted, or no URL.",
                remedy="Begin it with https://.",
            )
        if url.username or url.password:
            problem = "it has credentials."
            remedy = "Give api_key and secret_key."
            error = ConfigurationError("endpoint_url", problem, remedy=remedy)
            raise located(self._context, error, excerpt=False)

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        check_connection(context, self.connection)

    def check_export(self, export: Export) -> None:
        super().check_export(export)
        if self.path is None and export.shards > 1:
            raise ConfigurationError(
                "shards",
                "each would download all of the interval, and Amplitude limits what the source "
                f"{self.name!r} may ask for.",
                remedy="Leave it out, or let the source read Amplitude's archives: give its path.",
            )
        least = (archives.LAG if self.path else api.LAG) + _rest_of_hour(export.rhythm)
        if export.delay < least:
            raise ConfigurationError(
                "delay_seconds",
                f"{export.delay.total_seconds():.0f} is too soon: Amplitude exports whole hours, "
                f"and the source {self.name!r} has one up to {least} after an interval's end.",
                remedy=f"Give {least.total_seconds():.0f} or more.",
            )

    @property
    def models(self) -> Sequence[Model]:
        return (AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS) if self.path else (AMPLITUDE_EVENTS,)

    @property
    def kinds(self) -> set[str]:
        if self.path is None:
            return {"api"}
        return {"s3" if is_on_s3(self.path) else "file"}

    def uri(self, model: Model) -> str:
        return self.path or self._endpoint

    @property
    def _endpoint(self) -> str:
        return self.endpoint_url or ENDPOINTS[self.region]

    def reader(self) -> dg.ResourceDefinition:
        return self._of_api() if self.path is None else self._of_archives(self.path)

    def _of_archives(self, path: str) -> dg.ResourceDefinition:
        connection = self.connection

        @dg.resource(
            description=f"Reads archives of Amplitude's under {path}.",
            required_resource_keys={connection} if connection else set(),
        )
        def amplitude(context: dg.InitResourceContext) -> Archives:
            return Archives(*opened(path, connection, context), shown_as=path)

        return amplitude

    def _of_api(self) -> dg.ResourceDefinition:
        endpoint, api_key, secret_key = self._endpoint, self.api_key, self.secret_key
        assert api_key and secret_key

        @dg.resource(description=f"Asks {endpoint} for events.")
        def amplitude(context: dg.InitResourceContext) -> Api:
            keys = (_value("api_key", api_key), _value("secret_key", secret_key))
            return Api(Download(endpoint, *keys))

        return amplitude


def _value(field: str, secret: Secret) -> str:
    value = secret.variable().get_value()
    if not value:
        raise unset_variable(field, secret.env)
    return value


def _rest_of_hour(rhythm: Rhythm) -> timedelta:
    """How long an hour may go on after the end of an interval of that rhythm. Cron expressions may
    end one anywhere: a run that comes too early is told so by the source."""
    first = rhythm.begins % 60 or (rhythm.every if rhythm.unit == "minute" else 60)
    return HOUR - timedelta(minutes=first)
