"""Overrides of a project's Config are typed, and a wrong one explains itself."""

from dataclasses import dataclass
from typing import Literal

import pytest

from common.config import ConfigError, from_dict, override, to_dict


@dataclass(frozen=True)
class Config:
    data: str = "digits"
    hidden_sizes: tuple[int, ...] = (500,)
    learning_rate: float = 1e-3
    direct: bool = True
    patience: int | None = None
    decoder: Literal["bernoulli", "gaussian"] = "bernoulli"

    def __post_init__(self):
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}, expected a positive number.")


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("data=mnist", "data", "mnist"),
        ("hidden_sizes=256", "hidden_sizes", (256,)),
        ("hidden_sizes=(8, 9)", "hidden_sizes", (8, 9)),
        ("learning_rate=1e-2", "learning_rate", 0.01),
        ("direct=no", "direct", False),
        ("patience=30", "patience", 30),
        ("patience=none", "patience", None),
        ("decoder=gaussian", "decoder", "gaussian"),
    ],
)
def test_a_field_is_parsed_by_its_type(text, field, value):
    changed = getattr(override(Config(), [text]), field)
    assert changed == value
    assert type(changed) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("learning_rate=fast", "learning_rate"),
        ("learning_rate=-1", "positive"),
        ("direct=maybe", "bool"),
        ("hidden_sizes=a,b", "tuple[int, ...]"),
        ("decoder=poisson", "one of bernoulli, gaussian"),
        ("patience", "FIELD=VALUE"),
    ],
)
def test_a_bad_value_says_what_was_expected(text, told):
    with pytest.raises(ConfigError, match=told.replace("[", r"\[").replace(".", r"\.")):
        override(Config(), [text])


def test_an_unknown_field_names_the_nearest_and_all_others():
    with pytest.raises(ConfigError) as caught:
        override(Config(), ["hiden_sizes=3"])
    assert "Did you mean 'hidden_sizes'?" in str(caught.value)
    assert "learning_rate" in str(caught.value)
    assert "float = 0.001" in str(caught.value)


def test_first_words_name_a_field_where_only_one_begins_with_them():
    assert override(Config(), ["hidden=256"]).hidden_sizes == (256,)
    assert override(Config(), ["learning=0.5"]).learning_rate == 0.5
    with pytest.raises(ConfigError, match="no field 'l'"):
        override(Config(), ["l=1"])


def test_a_config_survives_json():
    config = override(Config(), ["hidden_sizes=3,4", "patience=2"])
    assert from_dict(Config, to_dict(config)) == config


def test_a_stored_config_with_a_field_that_is_gone_is_refused():
    with pytest.raises(ConfigError, match="width"):
        from_dict(Config, {"width": 3})
