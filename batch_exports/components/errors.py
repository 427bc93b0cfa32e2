"""What is wrong with a component, in terms of what the user wrote: place, value, remedy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import dagster as dg
from dagster.components.resolved.errors import ResolutionException
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

import batch_exports
from batch_exports.components.secret import is_secret, literal_secret
from batch_exports.errors import ConfigurationError

_TYPE = re.compile(r"type:\s*['\"]?([\w.]+)")
_NEXT_DOCUMENT = re.compile(r"\n *\d+ \| ---")


class InvalidComponent(ResolutionException):
    """A component that cannot be loaded; the message says where, what, and what to do.

    It is one of Dagster's own kind, which passes through its resolvers as it is.
    """


def located(
    context: dg.ResolutionContext | None, error: ConfigurationError, *, excerpt: bool = True
) -> InvalidComponent:
    """The error with its file and line, and an excerpt unless that would show a secret.

    The error's field may be a path, such as `filters.0.operator`.
    """
    tree = context.source_position_tree if context else None
    if context is None or tree is None:
        return InvalidComponent(str(error))
    source = tree.source_error(
        yaml_path=[*context.path, *_parts(error.field)],
        inline_error_message=error.problem,
        value_error=True,
    )
    lines = [f"{source.file_name}:{source.start_line_no} - {source.location}", str(error)]
    if excerpt:
        # The document that follows may hold a secret that is not refused yet.
        before, pointer, after = source.snippet.partition(f"^ {error.problem}")
        lines.append(before + pointer + _NEXT_DOCUMENT.split(after)[0])
    return InvalidComponent("\n".join(lines))


def misfit(error: ValidationError) -> ConfigurationError:
    """Pydantic's first complaint about a component whose templates are rendered."""
    first = error.errors(include_url=False)[0]
    return _misfit(".".join(str(part) for part in first["loc"]), first)


def explained(error: BaseException, folder: Path) -> InvalidComponent | None:
    """What the user has to know of an error in loading the components of `folder`.

    Dagster wraps it several times over, and shows values that may be secrets. None for an error
    that no component is to blame for.
    """
    for cause in _causes(error):
        match cause:
            case InvalidComponent():
                return cause
            case ValidationError():
                return InvalidComponent("\n".join(_complaints(cause)))
            case ResolutionException():
                return InvalidComponent(str(cause))
    return _unknown_type(folder)


def _parts(path: str) -> Sequence[str | int]:
    return [int(part) if part.isdigit() else part for part in path.split(".")]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _complaints(error: ValidationError) -> Iterator[str]:
    """What Dagster found in a document, one complaint a field; it tells the place as text."""
    component = getattr(batch_exports, error.title.removesuffix("Model"), None)
    fields = {i.alias or n: i for n, i in component.model_fields.items()} if component else {}
    told = set[str]()
    # A misspelt name says more than that the right one is missing, and both say more than that a
    # mapping is no text.
    for found in sorted(error.errors(include_url=False), key=_says_little):
        path, _, place = str(found["loc"][0]).rpartition(" at ")
        path = path.removeprefix("attributes.")
        field = path.partition(".")[0]
        # Dagster takes text for every field, since that may be a template: what it says next
        # about the same field is that it is no text either.
        if field not in told:
            told.add(field)
            yield f"{place} - attributes.{field}\n{_complaint(path, field, found, fields)}"


def _says_little(found: ErrorDetails) -> int:
    if found["type"] == "string_type" and isinstance(found["input"], dict):
        return 2
    return int(found["type"] == "missing")


def _complaint(
    path: str, field: str, found: ErrorDetails, fields: Mapping[str, FieldInfo]
) -> ConfigurationError:
    if field in fields and is_secret(fields[field], *path.split(".")[1:]):
        return literal_secret(field)
    inner = path.rpartition(".")[2]
    subject = "it" if path == field else repr(inner)
    match found["type"]:
        case "missing":
            meaning = fields[field].description if path == field in fields else None
            remedy = f"Add it: {meaning}" if meaning else "Add it."
            return ConfigurationError(field, f"{subject} is missing.", remedy=remedy)
        case "extra_forbidden":  # the value of a field that is no field may be a secret
            near = get_close_matches(inner, fields, n=1) if path == field else []
            known = ", ".join(fields) if path == field else ""
            remedy = f"Did you mean {near[0]}?" if near else f"The fields are {known}."
            return ConfigurationError(
                field,
                f"{subject} is not a field.",
                remedy=remedy if known else "Correct or remove it.",
            )
    return _misfit(field, found)


def _misfit(field: str, found: ErrorDetails) -> ConfigurationError:
    given = found["input"]
    hint = " Without quotes, YAML reads on, off, yes and no as true and false."
    return ConfigurationError(
        field,
        f"{given!r} does not fit: {found['msg']}.",
        remedy=f"Correct the value.{hint if isinstance(given, bool) else ''}",
    )


def _unknown_type(folder: Path) -> InvalidComponent | None:
    """The first component type in the folder's files that cannot be imported."""
    for path in sorted(folder.rglob("*.yaml")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            written = _TYPE.match(line)
            if not written or _exists(written[1]):
                continue
            known = ", ".join(f"batch_exports.{name}" for name in batch_exports.COMPONENTS)
            problem = f"there is no component {written[1]!r}."
            error = ConfigurationError("type", problem, remedy=f"This project has {known}.")
            return InvalidComponent(f"{path}:{number} - type\n{error}")
    return None


def _exists(component: str) -> bool:
    module, _, name = component.rpartition(".")
    try:
        return hasattr(import_module(module), name)
    except (ImportError, ValueError):
        return False
