"""Training configurations: TOML files, each table a dataclass with its defaults and its documentation."""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path

from training.categories.fitting import DecisionConfig, EnsembleConfig
from training.images.image_model import ImageConfig
from training.listings.datasets import DataConfig
from training.titles.title_config import TitleConfig


@dataclass(frozen=True)
class Config:
    """A whole training configuration.

    name, description: of the bundle; the description opens its model card. seed: of everything random.
    features: a bundle whose image model gives the features that prototypes of categories are made of; "": the model
    that is trained here. Training for classes on white ground unlearns what other photos need.
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


def load_config(path, kind=Config):
    """Read a configuration. kind: its dataclass.

    Raises
    ------
    ValueError
        The file is no TOML, has a key that no setting bears (the known ones are named), lacks one, or a value is of
        another type.
    """
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
        values.pop("variants", None)  # read by training.compare
        return _fill(kind, values, "the top level")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def change(settings, changes, where):
    """A copy of one of these dataclasses with some settings changed, given as TOML gives them.

    Raises
    ------
    ValueError
        No setting bears a name, or a value is of another type.
    """
    return dataclasses.replace(settings, **_converted(type(settings), changes, where))


def _fill(kind, values, where):
    """A dataclass from a dict, nested dataclasses and tuples included."""
    converted = _converted(kind, values, where)
    # A field without a default has both set to the same mark.
    missing = [each.name for each in dataclasses.fields(kind) if each.default is each.default_factory]
    missing = [name for name in missing if name not in converted]
    if missing:
        raise ValueError(f"no setting {missing[0]!r} in {where}, and it has no default")
    return kind(**converted)


def _converted(kind, values, where):
    """The values as the settings of a dataclass want them. → dict"""
    if not isinstance(values, dict):
        raise ValueError(f"{where} is {values!r}: expected a table of settings")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r} in {where}; known: {', '.join(hints)}")
    return {name: _convert(hints[name], value, name) for name, value in values.items()}


def _convert(hint, value, name):
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
