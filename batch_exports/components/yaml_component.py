"""The base of components: errors name file, line, field, value and remedy."""

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import dagster as dg
from dagster_shared.record import copy
from pydantic import BaseModel, PrivateAttr, ValidationError

from batch_exports.components.errors import located, misfit
from batch_exports.components.secret import refuse_bad_secrets, unset_variable
from batch_exports.errors import ConfigurationError

# Variables without a default: {{ env.NAME }} and {{ env("NAME") }}.
_TEMPLATE = re.compile(r"\{\{[^}]*?\benv(?:\.(\w+)|\(\s*['\"](\w+)['\"]\s*\))")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class YamlModel(dg.Model, dg.Resolvable):
    """What stands in YAML: whatever does not fit is told with its place in the file."""

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        if not isinstance(model, BaseModel):  # Dagster lets text stand for any field: a template
            *outer, field = context.path
            problem = f"{model!r} does not fit: it is no mapping."
            remedy = f"Write it as {{field: value}}; the fields are {', '.join(cls.model_fields)}."
            error = ConfigurationError(str(field), problem, remedy=remedy)
            raise located(copy(context, path=outer), error)
        try:
            resolved: Self = super().resolve_from_model(context, model)
        except ValidationError as error:
            raise located(context, misfit(error)) from None
        return resolved


class YamlComponent(dg.Component, YamlModel):
    """A component that remembers where it was written."""

    name: str

    namespace: ClassVar[str] = ""
    """Components of one namespace each have a name of their own."""

    _context: dg.ResolutionContext | None = PrivateAttr(default=None)

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        try:
            refuse_bad_secrets(cls.model_fields, model)
        except ConfigurationError as error:
            raise located(context, error, excerpt=False) from None
        for path, text in _texts(model.model_dump(by_alias=True, exclude_unset=True)):
            for dotted, called in _TEMPLATE.findall(text):
                if (dotted or called) not in os.environ:
                    raise located(context, unset_variable(path, dotted or called))
        component: Self = super().resolve_from_model(context, model)
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

    def check_least(self, field: str, least: int) -> None:
        """A bound on a number; one in the field itself would be applied to templates as well."""
        value = getattr(self, field)
        if value < least:
            raise ConfigurationError(
                field, f"{value} is too small.", remedy=f"Give {least} or more."
            )

    @contextmanager
    def located(self) -> Generator[None, None, None]:
        """Give configuration errors their place in the component's file."""
        try:
            yield
        except ConfigurationError as error:
            raise located(self._context, error) from None

    @property
    def place(self) -> str:
        """File and line of its name; empty for one that stands in no file."""
        tree = self._context.source_position_tree if self._context else None
        position = tree.lookup(["attributes", "name"]) if tree else None
        return str(position) if position else ""


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each text in nested lists and dicts, with its path."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _texts(item, f"{path}.{key}" if path else str(key))
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _texts(item, f"{path}.{number}")
