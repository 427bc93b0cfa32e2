"""The base of components: errors name file, line, field, value and remedy."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

import dagster as dg
from pydantic import BaseModel, PrivateAttr, ValidationError

from batch_exports.errors import ConfigurationError

_TEMPLATE = re.compile(r"\{\{\s*env(?:\.(\w+)|\(\s*['\"](\w+)['\"])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class InvalidComponent(dg.DagsterError):
    """A component that cannot be loaded; the message says where, what, and what to do."""


class Secret(dg.Model, dg.Resolvable):
    """A secret in the environment: `{env: NAME}`. Its value is read when a run needs it."""

    env: str

    def variable(self) -> dg.EnvVar:
        return dg.EnvVar(self.env)


class YamlComponent(dg.Component, dg.Model, dg.Resolvable):
    """A component that remembers where it was written."""

    name: str

    _context: dg.ResolutionContext | None = PrivateAttr(default=None)

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        cls._check_secrets(context, model)
        try:
            component: Self = super().resolve_from_model(context, model)
        except ValidationError as error:
            raise cls._explained(context, model, error) from None
        component._context = context
        with component.located():
            component.check()
        return component

    def check(self) -> None:
        """What can be known to be wrong without the other components. Raises
        `ConfigurationError`, which gets its place in the file."""
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                "name",
                f"{self.name!r} is not a name.",
                remedy="Use letters, digits and underscores, a letter first.",
            )

    @contextmanager
    def located(self) -> Generator[None, None, None]:
        """Give configuration errors their place in the component's file."""
        try:
            yield
        except ConfigurationError as error:
            raise _located(self._context, error) from error

    @classmethod
    def _check_secrets(cls, context: dg.ResolutionContext, model: BaseModel) -> None:
        """Refuse secrets that stand in the file or would be rendered into it."""
        for field, info in cls.model_fields.items():
            if Secret not in getattr(info.annotation, "__args__", (info.annotation,)):
                continue
            if field not in model.model_fields_set:
                continue
            value = getattr(model, field)
            if isinstance(value, str):
                error = ConfigurationError(
                    field,
                    "a secret must not stand in the file, nor be rendered into it.",
                    remedy="Put it into an environment variable, and write {env: ITS_NAME}.",
                )
                raise _located(context, error, excerpt=False)
            name = getattr(value, "env", None)
            if isinstance(name, str) and name not in os.environ:
                raise _located(context, _unset(field, name))

    @classmethod
    def _explained(
        cls, context: dg.ResolutionContext, model: BaseModel, error: ValidationError
    ) -> InvalidComponent:
        """Pydantic's first complaint, in terms of what the user wrote."""
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        field = path[0] if path else "attributes"
        written = getattr(model, _python_name(cls, field), None)
        if isinstance(written, str) and (template := _TEMPLATE.search(written)):
            variable = template[1] or template[2]
            if variable not in os.environ:
                return _located(context, _unset(field, variable))
        given = first.get("input")
        return _located(
            context,
            ConfigurationError(
                field, f"{given!r} does not fit: {first['msg']}.", remedy="Correct the value."
            ),
        )


def _unset(field: str, variable: str) -> ConfigurationError:
    hint = " (batch-exports local up prepares it)" if "BATCH_EXPORTS_LOCAL" in variable else ""
    return ConfigurationError(
        field,
        f"the environment variable {variable} is not set.",
        remedy=f"Set it where Dagster's processes start{hint}.",
    )


def _python_name(cls: type[BaseModel], field: str) -> str:
    return next((name for name, info in cls.model_fields.items() if info.alias == field), field)


def _located(
    context: dg.ResolutionContext | None, error: ConfigurationError, *, excerpt: bool = True
) -> InvalidComponent:
    """The error with its file and line, and an excerpt unless that would show a secret."""
    tree = context.source_position_tree if context else None
    if context is None or tree is None:
        return InvalidComponent(str(error))
    source = tree.source_error(
        yaml_path=[*context.path, error.field],
        inline_error_message=error.problem,
        value_error=True,
    )
    place = f"{source.file_name}:{source.start_line_no} - {source.location}"
    return InvalidComponent(f"{place}\n{error}\n{source.snippet if excerpt else ''}")
