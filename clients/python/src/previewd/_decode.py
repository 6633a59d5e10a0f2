"""JSON of the server into the dataclasses of ``models``."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


class MalformedAnswer(ValueError):
    """The answer is not what the model says; the message names the member, not its content."""


def decode(model: type[T], value: Any) -> T:
    """Makes a ``model`` of parsed JSON. Members that the model lacks are left out.

    Raises ``MalformedAnswer`` where one is missing or of another type.
    """
    return typing.cast(T, _decode(model, value, model.__name__))


def _decode(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        (inner,) = (item for item in typing.get_args(hint) if item is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is list:
        (inner,) = typing.get_args(hint)
        items = _expect(list, value, where)
        return [_decode(inner, item, f"{where}[{index}]") for index, item in enumerate(items)]
    if origin is dict:
        return _expect(dict, value, where)
    if dataclasses.is_dataclass(hint):
        return _decode_members(typing.cast(type, hint), _expect(dict, value, where), where)
    return _expect((int, float) if hint is float else hint, value, where)


def _decode_members(model: type, value: dict[str, Any], where: str) -> Any:
    known: dict[str, Any] = {}
    for name, key, hint, is_required in _members(model):
        if key in value:
            known[name] = _decode(hint, value[key], f"{where}.{key}")
        elif is_required:
            raise MalformedAnswer(f"{where}.{key} is missing")
    return model(**known)


@functools.lru_cache(maxsize=64)
def _members(model: type) -> list[tuple[str, str, Any, bool]]:
    hints = typing.get_type_hints(model)
    return [
        (
            member.name,
            to_camel(member.name),
            hints[member.name],
            member.default is dataclasses.MISSING and member.default_factory is dataclasses.MISSING,
        )
        for member in dataclasses.fields(model)
    ]


def _expect(kind: Any, value: Any, where: str) -> Any:
    is_stray_bool = isinstance(value, bool) and kind is not bool
    if isinstance(value, kind) and not is_stray_bool:
        return value
    raise MalformedAnswer(f"{where} is of the type {type(value).__name__}")


def to_camel(name: str) -> str:
    """``build_id`` to ``buildId``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
