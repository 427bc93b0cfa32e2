"""Secrets: named in the file, read from the environment when a run needs them."""

import os
import re
from collections.abc import Mapping

import dagster as dg
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from batch_exports.errors import ConfigurationError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret(dg.Model, dg.Resolvable):
    """A secret in the environment: `{env: NAME}`. Its value is read when a run needs it."""

    env: str

    def variable(self) -> dg.EnvVar:
        return dg.EnvVar(self.env)


def is_secret(field: FieldInfo, *inner: str) -> bool:
    """Whether the field is one, or the one within it that the path `inner` leads to, in which
    pydantic puts names of its own between those of fields."""
    kinds = getattr(field.annotation, "__args__", (field.annotation,))
    if Secret in kinds:
        return True
    for kind in kinds:
        within = getattr(kind, "model_fields", {})
        at = next((number for number, name in enumerate(inner) if name in within), None)
        if at is not None and is_secret(within[inner[at]], *inner[at + 1 :]):
            return True
    return False


def literal_secret(field: str) -> ConfigurationError:
    """What to say of a secret that stands in the file, without showing it."""
    return ConfigurationError(
        field,
        "a secret must not stand in the file, nor be rendered into it.",
        remedy="Put it into an environment variable, and write {env: ITS_NAME}.",
    )


def unset_variable(field: str, variable: str) -> ConfigurationError:
    hint = " (batch-exports local up prepares it)" if "BATCH_EXPORTS_LOCAL" in variable else ""
    return ConfigurationError(
        field,
        f"the environment variable {variable} is not set.",
        remedy=f"Set it where Dagster's processes start{hint}.",
    )


def refuse_bad_secrets(fields: Mapping[str, FieldInfo], written: BaseModel) -> None:
    """Raises `ConfigurationError` for a secret that is no name of a variable that is set."""
    for field, info in fields.items():
        if not is_secret(info) or field not in written.model_fields_set:
            continue
        value = getattr(written, field)
        if value is None:
            continue
        name = getattr(value, "env", None)
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise literal_secret(field)
        if name not in os.environ:
            raise unset_variable(field, name)
