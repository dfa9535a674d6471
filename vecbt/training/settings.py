"""What a training run is: every setting, validated."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from pathlib import Path
from typing import Any

from vecbt.config import ENGINES
from vecbt.errors import ConfigError, UnknownNameError
from vecbt.settings import check_choice, check_integer, check_number

__all__ = ["ENV_DEFAULTS", "TrainSettings"]

ENV_DEFAULTS: dict[str, Any] = {
    "window": 30,
    "features": ("log_return", "close / sma(20) - 1", "close / sma(120) - 1", "rsi(14)"),
    "normalize": "train",
    "account_features": ("pos_direction", "unrealized_pnl"),
    "flatten": True,
    "actions": "target_position",
    "commission": 0.0001,
    "max_exposure": 1.0,
    "reward_scale": 100.0,
    "episode_steps": 500,
}
"""What differs from the defaults of `vecbt.EnvConfig`: features without a scale, targets, costs, rewards in percent."""


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """The settings of a run.

    Raises:
        ConfigError: If a value is out of range.
        UnknownNameError: If a name is not known.

    Example:
        >>> TrainSettings(steps=100_000, env={"commission": 0.0002}).steps
        100000
    """

    data: tuple[str, ...] = ()
    """Files of bars, one for each asset; none for a made-up market of 50,000 bars."""

    test: float | None = None
    """Share of the bars that are for test, the last ones; by default 0.2, with walk-forward 0.5."""

    walk_forward: int = 1
    """Folds: the test bars in so many parts, of which each is trained up to and then tested on."""

    steps: int = 2_000_000
    """Steps of training in each fold."""

    seed: int = 0
    """Seed of the market, the episodes, the network and everything that is drawn."""

    engine: str = "auto"
    """auto, compiled or cerebro."""

    num_envs: int = 256
    """Environments that are stepped together."""

    num_workers: int | None = None
    """Worker processes, and at most so many threads; by default as many as there are cores."""

    strategy: str | None = None
    """A strategy for the Cerebro engine: package.module:Class or file.py:Class."""

    threads: int = 1
    """Threads of PyTorch. With networks as small as these a second one gains a third on an idle machine, and on a
    busy one loses nearly everything; with one, results do not depend on the number of cores."""

    update_steps: int = 16_384
    """Steps from one update of the policy to the next, of all environments together."""

    batch_size: int = 4_096
    """Steps of a minibatch."""

    epochs: int = 4
    """How often an update goes through its steps."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    gamma: float = 0.99
    """Discount of rewards."""

    gae_lambda: float = 0.95
    """Lambda of the advantages' estimate."""

    entropy: float = 0.001
    """Weight of the policy's entropy in the loss."""

    network: tuple[int, ...] = (64, 64)
    """Widths of the layers of policy and value function, which have their own."""

    evaluations: int = 20
    """How often the policy is tried on the validation bars, which lie before the test bars, and a checkpoint kept."""

    patience: int | None = 10
    """Evaluations without a better one after which a fold's training ends; none for never."""

    random_agents: int = 5
    """Agents that act at random, to compare with."""

    env: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of vecbt.EnvConfig that are not the defaults of training."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> TrainSettings:
        """Settings by name, as JSON and TOML give them.

        Raises:
            UnknownNameError: For a name that is none; the nearest one is suggested.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise UnknownNameError(f"unknown training setting {name!r}: {hint}Known: {', '.join(known)}")
        given = dict(values)
        if isinstance(given.get("data"), str):
            given["data"] = (given["data"],)
        for name in ("data", "network"):
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        return cls(**given)

    @classmethod
    def read(cls, path: Path) -> TrainSettings:
        """Settings from a TOML file, whose table ``[env]`` has the environment's.

        Raises:
            ConfigError: If the file cannot be read; also as the class.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: the settings cannot be read: {error}") from error
        try:
            return cls.of(values)
        except ConfigError as error:
            raise type(error)(f"{path}: {error}") from error

    def __post_init__(self) -> None:
        for name in (
            "walk_forward",
            "steps",
            "num_envs",
            "threads",
            "update_steps",
            "batch_size",
            "epochs",
            "evaluations",
        ):
            check_integer(name, getattr(self, name), low=1)
        for name in ("seed", "random_agents"):
            check_integer(name, getattr(self, name), low=0)
        if self.seed >= 2**31:
            raise ConfigError(f"seed must be less than 2**31, got {self.seed}")
        for name in ("num_workers", "patience"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=int(name == "patience"))
        check_choice("engine", self.engine, ENGINES)
        check_number("learning_rate", self.learning_rate, low=0.0, open_low=True)
        for name in ("gamma", "gae_lambda"):
            check_number(name, getattr(self, name), low=0.0, high=1.0)
        check_number("entropy", self.entropy, low=0.0)
        if not isinstance(self.network, tuple) or not self.network:
            raise ConfigError(f"network must be the widths of at least one layer, got {self.network!r}")
        for width in self.network:
            check_integer("network", width, low=1)
        if not isinstance(self.data, tuple) or not all(isinstance(path, str) for path in self.data):
            raise ConfigError(f"data must be paths of files, got {self.data!r}")
        if not isinstance(self.env, dict):
            raise ConfigError(f"env must be settings by name, got {self.env!r}")
        if self.test is not None:
            check_number("test", self.test, low=0.0, high=0.9, open_low=True)
        if "episode_steps" in self.env and self.env["episode_steps"] is None:
            raise ConfigError("env episode_steps=None: training needs episodes of a length; give a number")
        self._check_strategy()

    def _check_strategy(self) -> None:
        for name in ("strategy", "cerebro", "infos", "copy"):
            if name in self.env:
                raise ConfigError(f"env {name!r} is not for training's settings to say")
        if self.strategy is not None:
            if not isinstance(self.strategy, str) or ":" not in self.strategy:
                raise ConfigError(f"strategy must be package.module:Class or file.py:Class, got {self.strategy!r}")
            if self.engine == "compiled":
                raise ConfigError("a strategy needs engine='cerebro', got 'compiled'")

    @property
    def test_share(self) -> float:
        """Share of the bars that are for test."""
        if self.test is not None:
            return self.test
        return 0.2 if self.walk_forward == 1 else 0.5

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as JSON keeps them; `of` takes them back."""
        return dataclasses.asdict(self)
