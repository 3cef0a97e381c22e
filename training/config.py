"""Training configurations: TOML files, each table a dataclass with its defaults and its documentation."""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path

from training.categorizer import DecisionConfig, EnsembleConfig
from training.datasets import DataConfig
from training.image_model import ImageConfig
from training.title_model import TitleConfig


@dataclass(frozen=True)
class Config:
    """A whole training configuration.

    name, description: of the bundle; the description opens its model card. seed: of everything random.
    """

    name: str
    data: DataConfig
    image: ImageConfig = field(default_factory=ImageConfig)
    title: TitleConfig = field(default_factory=TitleConfig)
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    description: str = ""
    seed: int = 0


def load_config(path):
    """Read a configuration.

    Raises
    ------
    ValueError
        The file is no TOML, or has a key that no setting bears; the key and the known ones are named.
    """
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
        values.pop("variants", None)  # read by training.compare
        return _fill(Config, values, "the top level")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _fill(kind, values, where):
    """A dataclass from a dict, nested dataclasses and tuples included."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r} in {where}; known: {', '.join(hints)}")
    return kind(**{name: _convert(hints[name], value, name) for name, value in values.items()})


def _convert(hint, value, name):
    if dataclasses.is_dataclass(hint):
        return _fill(hint, value, f"[{name}]")
    if isinstance(hint, types.GenericAlias) and hint.__origin__ is tuple:
        return tuple(_convert(hint.__args__[0], each, name) for each in value)
    return value
