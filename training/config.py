"""Reads training configurations: TOML files in which each table fills a dataclass.

The docstrings and defaults of the dataclasses document the settings.
"""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training.categories.fitting import DecisionConfig, EnsembleConfig
from training.images.image_model import ImageConfig
from training.listings.datasets import DataConfig
from training.titles.title_config import TitleConfig

Settings = TypeVar("Settings")
"""A dataclass of settings."""


@dataclass(frozen=True)
class Config:
    """A whole training configuration.

    name, description: of the bundle; the description opens its model card. seed: of everything random.
    features: a bundle whose image model gives the features for prototypes of categories; "": the model that is trained
    here. A network that learns classes on white ground unlearns what other photos need.
    """

    name: str
    data: DataConfig
    image: ImageConfig = field(default_factory=ImageConfig)
    title: TitleConfig = field(default_factory=TitleConfig)
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    description: str = ""
    features: str = ""
    seed: int = 0


def load_config(path: Path, kind: type[Settings]) -> Settings:
    """Read a configuration. kind : a dataclass, such as `Config`

    Raises
    ------
    ValueError
        The file is not TOML, lacks a setting, has a key that is not a setting (the known ones are named), or has a
        value of another type.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        values.pop("variants", None)  # read by training.compare
        return _fill(kind, values, "the top level")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def change(settings: ImageConfig, changes: dict[str, Any], where: str) -> ImageConfig:
    """Copy settings, with some of them changed. changes : as TOML gives them

    Raises
    ------
    ValueError
        A name is not a setting, or a value is of another type.
    """
    return dataclasses.replace(settings, **_converted(type(settings), changes, where))


def _fill(kind: Any, values: object, where: str) -> Any:
    """Make a dataclass of a dict, with nested dataclasses and tuples."""
    converted = _converted(kind, values, where)
    for each in dataclasses.fields(kind):
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        if required and each.name not in converted:
            raise ValueError(f"no setting {each.name!r} in {where}, and it has no default")
    return kind(**converted)


def _converted(kind: Any, values: object, where: str) -> dict[str, Any]:
    """Convert values to the types that the fields of a dataclass have."""
    if not isinstance(values, dict):
        raise ValueError(f"{where} is {values!r}: expected a table of settings")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r} in {where}; known: {', '.join(hints)}")
    return {name: _convert(hints[name], value, name) for name, value in values.items()}


def _convert(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _fill(hint, value, f"[{name}]")
    if isinstance(hint, types.GenericAlias):
        kind, *rest = typing.get_args(hint)
        if not isinstance(value, list) or (rest != [...] and len(value) != 1 + len(rest)):
            amount = "" if rest == [...] else f" of {1 + len(rest)}"
            raise ValueError(f"{name} = {value!r}: expected a list{amount}")
        return tuple(_convert(kind, each, name) for each in value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{name} = {value!r}: expected {hint.__name__}, not {type(value).__name__}")
    return value
