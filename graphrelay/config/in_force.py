"""The configuration in effect, key by key: each value and where it comes from, for people to read.

No secret is ever in it, nor the password of a proxy.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from graphrelay.config.load import ConfigError, Files, dotted, read_files
from graphrelay.config.locate import Key, Places
from graphrelay.config.settings import Settings

_USER_INFO = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class KeyInForce:
    """One key of the configuration."""

    key: str
    value: str
    source: str


def in_force(
    settings: Settings, files: Files, environ: Mapping[str, str] = os.environ
) -> tuple[KeyInForce, ...]:
    """Every key, in the order of the settings; `files` are those that
    it was read from."""
    places = files.places
    variables = {name.upper() for name in environ}
    return tuple(
        KeyInForce(dotted(key), _shown(value), _source(key, given, places, variables))
        for key, value, given in _leaves((), settings, given=True)
    )


def read(path: Path | None) -> Files:
    """The files' text, or nothing where they cannot be read any more: then no line is named."""
    try:
        return read_files(path, may_be_missing=True) if path else Files("", ())
    except ConfigError:
        return Files("", ())


def _leaves(key: Key, value: Any, *, given: bool) -> Iterator[tuple[Key, Any, bool]]:
    """Keys that hold values; `given`: somebody wrote them."""
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                own = given and name in value.model_fields_set
                yield from _leaves((*key, name), getattr(value, name), given=own)
        case dict() if value and all(isinstance(one, BaseModel) for one in value.values()):
            for name, one in value.items():
                yield from _leaves((*key, name), one, given=given)
        case list() if value and isinstance(value[0], BaseModel):
            for number, one in enumerate(value):
                yield from _leaves((*key, number), one, given=given)
        case _:
            yield key, value, given


def _shown(value: Any) -> str:
    match value:
        case None:
            return "unset"
        case SecretStr():
            return "(a secret)"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:,}"
        case timedelta():
            return f"{value.total_seconds():,.10g} s"
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case dict():
            return json.dumps({str(name): str(one) for name, one in value.items()})
    return json.dumps(_USER_INFO.sub("//…@", str(value)), ensure_ascii=False)


def _source(key: Key, given: bool, places: Places, variables: set[str]) -> str:
    prefixes = ["__".join(map(str, key[:end])).upper() for end in range(1, len(key) + 1)]
    for prefix in prefixes:
        if f"GRAPHRELAY_{prefix}" in variables:
            return f"GRAPHRELAY_{prefix} of the environment"
    if not given:
        return "default"
    return str(places.of(key)) or "set"
