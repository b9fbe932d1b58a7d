"""pydantic's validation errors in the words of the person who wrote the spec: field, what is wrong, what to do.

Never the value itself: pydantic's `input` is dropped here, since a licence key may be in it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SUBFIELD = re.compile(r"^([a-z][a-z0-9_]*): (.+)$", re.DOTALL)
_PLACES = ("body", "query", "path", "header")
"""Where FastAPI says a value came from; pydantic alone says nothing, which means the body."""
_UNKNOWN_NAME_LENGTH = 60


def field_errors(errors: Iterable[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[dict[str, str]]:
    """One `{field, message, remedy}` per field; `errors` is pydantic's `ValidationError.errors()`.

    `model` is what the body was read as: it tells fields from the names of union branches in pydantic's locations.
    """
    found: dict[str, dict[str, str]] = {}
    for error in errors:
        one = _field_error(error, model)
        found.setdefault(one["field"], one)
    return list(found.values())


def _field_error(error: Mapping[str, Any], model: type[BaseModel] | None) -> dict[str, str]:
    place, *path = error["loc"] if error["loc"] and error["loc"][0] in _PLACES else ("body", *error["loc"])
    model = model if place == "body" else None
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "malformed")
        return _error("", f"The body is not JSON: {reason}.", "Send one JSON object.")
    fields, info, owner = _walk(path, model)
    if error["type"] == "extra_forbidden":
        name = str(path[-1])[:_UNKNOWN_NAME_LENGTH]
        return _error(_join([*fields, name]), "There is no field of this name.", _did_you_mean(name, owner))
    if error["type"] == "missing":
        name = _join(fields) or "body"
        return _error(name, "This is required.", f"Add {name}{_example(info)}.")
    message, remedy = _reason(str(error["msg"]))
    nested = _SUBFIELD.match(message)
    if nested and owner is not None and nested[1] in owner.model_fields:
        fields, message, info = [*fields, nested[1]], nested[2], owner.model_fields[nested[1]]
    return _error(_join(fields), _sentence(message), _sentence(remedy) if remedy else _expectation(info))


def _error(field: str, message: str, remedy: str) -> dict[str, str]:
    return {"field": field, "message": message, "remedy": remedy}


def _walk(
    path: Sequence[str | int], model: type[BaseModel] | None
) -> tuple[list[str | int], FieldInfo | None, type[BaseModel] | None]:
    """The path's parts that are fields or indexes, the last one's definition, and the model it ends in."""
    if model is None:
        return list(path), None, None
    fields: list[str | int] = []
    info: FieldInfo | None = None
    owner: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            fields.append(part)
        elif owner is not None and part in owner.model_fields:
            fields.append(part)
            info = owner.model_fields[part]
            owner = _model_in(info.annotation)
    return fields, info, owner


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field of this type holds, looking into `X | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _reason(message: str) -> tuple[str, str]:
    """The message and, where ours has one behind a semicolon, its remedy."""
    message = message.removeprefix("Value error, ")
    head, _, tail = message.partition("; ")
    return head, tail


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _did_you_mean(name: str, owner: type[BaseModel] | None) -> str:
    known = list(owner.model_fields) if owner is not None else []
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}? Otherwise remove it."
    return f"Remove it; the fields here are {', '.join(known)}." if known else "Remove it."


def _example(info: FieldInfo | None) -> str:
    return f", for example {info.examples[0]}" if info is not None and info.examples else ""


def _expectation(info: FieldInfo | None) -> str:
    """What the field is for: its description and example, since pydantic's message says only what does not fit."""
    if info is None or not info.description:
        return "See the JSON Schema (podium schema)."
    return f"Expected: {info.description.rstrip('.')}{_example(info)}."


def _join(parts: Sequence[str | int]) -> str:
    return ".".join(map(str, parts))
