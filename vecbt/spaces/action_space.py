"""Actions by the names of assets: one of some base actions for each, or a weight for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from vecbt.arrays import AnyArray
from vecbt.errors import ActionError, ConfigError
from vecbt.spaces.codes import DigitCode
from vecbt.spaces.dict_space import DictSpace

__all__ = ["ActionDictSpace"]

_MOST_CLASSES = 1 << 20
"""Classes of a one-hot code: 4 MiB for each action, and a policy has as many outputs."""


class ActionDictSpace(DictSpace):
    """Actions for several assets at once, as a dictionary with a value for each.

    *Discrete*, with ``base_actions``: each value is the number of one of them. The code of an action is the number of
    its row in the lexicographic product over the sorted assets, in bits, the highest first.

    *Continuous*, without: each value is a weight in [0, 1], float32 (1,). The code of an action is the vector of its
    weights in the order of the sorted names, and so is its one-hot code.

    All conversions take a batch as well: the actions of N environments as one dictionary of arrays, int64 (N,) or
    float32 (N, 1), as a sample of the vector environment's action space is; codes are then (N, depth). They compute
    with the K values at hand: nothing is as large as the number of combinations but a one-hot code.

    Args:
        assets: Names of the assets. Continuous actions may have ``cash`` among them, the share that is in no asset.
        base_actions: Names of what may be done with an asset, the first of which is to do nothing; None or empty for
            weights.
        cash: The name that stands for cash.
        seed: As Gymnasium's.

    Attributes:
        assets: The names, sorted.
        base_actions: The names; empty for weights.
        cash: The name of the cash.
        cardinality: How many different actions there are; None for weights.
        encoded_depth: Length of a code.

    Raises:
        ConfigError: If names are missing, repeated, or none.

    Example:
        >>> space = ActionDictSpace(["GBP", "EUR"], ("hold", "buy", "sell", "close"))
        >>> space.get_initial_action() == {"EUR": 0, "GBP": 0}
        True
        >>> code = space.encode({"EUR": 3, "GBP": 1})
        >>> code.tolist()
        [1.0, 1.0, 0.0, 1.0]
        >>> space.decode(code) == {"EUR": 3, "GBP": 1}
        True
        >>> weights = ActionDictSpace(["EUR", "default_cash"])
        >>> weights.encode(weights.get_initial_action()).tolist()
        [0.0, 1.0]
    """

    def __init__(
        self,
        assets: Iterable[str],
        base_actions: Iterable[str] | None = None,
        *,
        cash: str = "default_cash",
        seed: dict[str, Any] | int | np.random.Generator | None = None,
    ) -> None:
        self.assets = tuple(sorted(_names("assets", assets)))
        if not self.assets:
            raise ConfigError("an ActionDictSpace needs the name of one asset at least")
        self.base_actions = _names("base_actions", () if base_actions is None else base_actions)
        (self.cash,) = _names("cash", [cash])
        self._code = DigitCode(len(self.base_actions), len(self.assets)) if self.base_actions else None
        self.cardinality: int | None = self._code.cardinality if self._code else None
        self.encoded_depth = self._code.depth if self._code else len(self.assets)
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.Discrete(len(self.base_actions)) if self._code else spaces.Box(0.0, 1.0, (1,), np.float32)
            for name in self.assets
        }
        super().__init__(parts, seed)

    @property
    def is_discrete(self) -> bool:
        """Whether actions are base actions rather than weights."""
        return self._code is not None

    @property
    def one_hot_depth(self) -> int:
        """Length of a one-hot code."""
        return self.encoded_depth if self.cardinality is None else self.cardinality

    def get_initial_action(self, num_envs: int | None = None) -> dict[str, Any]:
        """The action that does nothing: the first base action for every asset, or everything in cash.

        Args:
            num_envs: Of so many environments, as a batch; None for that of one.
        """
        batch = () if num_envs is None else (num_envs,)
        if self._code is None:
            return {name: np.full((*batch, 1), name == self.cash, np.float32) for name in self.assets}
        return {name: np.zeros(batch, np.int64)[()] for name in self.assets}

    def encode(self, action: Mapping[str, Any]) -> AnyArray:
        """The code of an action, or of each action of a batch.

        Returns:
            float32 (depth,) or (N, depth), numbers in [0, 1]; depth is ``encoded_depth``.

        Raises:
            ActionError: If the action is not in the space; names the asset, and the environment of a batch.
        """
        values = self.values_of(action)
        return values if self._code is None else self._code.bits(self._code.row(values))

    def decode(self, code: Any) -> dict[str, Any]:
        """The action of a code, or the batch of actions of a batch of codes.

        Raises:
            ActionError: If no action has that code: its shape is another, its numbers are neither 0 nor 1 (for
                weights: not in [0, 1]), or they are bits of a number that no combination has.
        """
        given = self._checked(code, self.encoded_depth)
        if self._code is None:
            if not ((given >= 0) & (given <= 1)).all():
                raise ActionError(f"a code of weights has numbers from 0 to 1, got {code!r}")
            weights = given.astype(np.float32)
            return {name: weights[..., place, None] for place, name in enumerate(self.assets)}
        ones = given == 1
        if np.count_nonzero(ones) != np.count_nonzero(given):
            raise ActionError(f"a code of {self.encoded_depth} bits has 0 and 1 alone, got {code!r}")
        row = self._code.row_of_bits(ones)
        if self.cardinality != 1 << self.encoded_depth and (row >= self.cardinality).any():
            number = int(np.max(row))
            raise ActionError(f"a code is the number of one of {self.cardinality} actions, got the bits of {number}")
        return self._by_name(self._code.digits(row))

    def one_hot_encode(self, action: Mapping[str, Any]) -> AnyArray:
        """The one-hot code of an action, or of each action of a batch; of weights, the weights.

        Returns:
            float32 (cardinality,) or (N, cardinality).

        Raises:
            ActionError: As `encode`.
            ConfigError: If there are more than 2 ** 20 different actions.
        """
        values = self.values_of(action)
        if self._code is None:
            return values
        row = self._code.row(values)
        code = np.zeros((*row.shape, self._classes()), np.float32)
        np.put_along_axis(code, row[..., None], 1.0, -1)
        return code

    def one_hot_decode(self, code: Any) -> dict[str, Any]:
        """The action of a one-hot code, or the batch of actions of a batch of codes.

        Raises:
            ActionError: If the code has another shape, or is not one 1 among zeros.
            ConfigError: If there are more than 2 ** 20 different actions.
        """
        if self._code is None:
            return self.decode(code)
        given = self._checked(code, self._classes())
        hot = given == 1
        if not ((np.count_nonzero(hot, -1) == 1) & (np.count_nonzero(given, -1) == 1)).all():
            raise ActionError(f"a one-hot code of {self.cardinality} actions is one 1 among zeros, got {code!r}")
        return self._by_name(self._code.digits(hot.argmax(-1)))

    def values_of(self, action: Mapping[str, Any]) -> AnyArray:
        """The values of an action, or of each of a batch, in the order of ``assets``.

        Returns:
            int64 or float32, (K,) or (N, K).

        Raises:
            ActionError: If the action is not in the space.
        """
        try:
            values: Any = np.array([action[name] for name in self.assets])
        except (KeyError, TypeError, IndexError):
            values = None
        except ValueError:
            raise ActionError(f"an action has values of one shape for all assets, got {action!r}") from None
        if values is None or len(action) != len(self.assets):
            got = repr(sorted(map(str, action))) if isinstance(action, Mapping) else repr(action)
            raise ActionError(f"an action is a dictionary with a value for each of {list(self.assets)}, got {got}")
        if self._code is None and values.ndim > 1:
            if values.shape[-1] != 1:
                raise ActionError(f"a weight has the shape (1,), in a batch (N, 1), got {values.shape[1:]}")
            values = values[..., 0]
        expected = f"0 to {len(self.base_actions) - 1}" if self._code else "0 to 1"
        kinds = "iu" if self._code else "fiu"
        if values.dtype.kind not in kinds or values.ndim > 2:
            kind = "a whole number" if self._code else "a number"
            raise ActionError(f"the value of an asset is {kind} from {expected}, got {action!r}")
        values = values.T  # what a batch has of an asset is a row so far
        if self._code:
            values = values.astype(np.int64, copy=False)
            wrong = values.view(np.uint64) >= len(self.base_actions)
        else:
            wrong = ~((values >= 0.0) & (values <= 1.0))
        if np.count_nonzero(wrong):  # a quarter of the time of any()
            place = tuple(np.argwhere(wrong)[0])
            of = f" of environment {place[0]}" if len(place) > 1 else ""
            raise ActionError(
                f"action {values[place].item()!r}{of}, asset {self.assets[place[-1]]!r}, is not in {expected}"
            )
        found: AnyArray = values if self._code else values.astype(np.float32, copy=False)
        return found

    def _checked(self, code: Any, depth: int) -> AnyArray:
        given = np.asarray(code)
        if given.dtype.kind not in "biuf" or given.ndim not in (1, 2) or given.shape[-1] != depth:
            raise ActionError(
                f"a code has the shape ({depth},), in a batch (N, {depth}), and numbers from 0 to 1, got "
                f"{given.dtype} {given.shape}"
            )
        return given

    def _classes(self) -> int:
        count = self.one_hot_depth
        if count > _MOST_CLASSES:
            raise ConfigError(
                f"a one-hot code would have {len(self.base_actions)}**{len(self.assets)} = {count} numbers "
                f"for each action, more than 2**20: take encode and decode, whose codes have {self.encoded_depth} bits"
            )
        return count

    def _by_name(self, values: AnyArray) -> dict[str, Any]:
        return dict(zip(self.assets, values.T, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActionDictSpace):
            return super().__eq__(other)
        return (self.assets, self.base_actions, self.cash) == (other.assets, other.base_actions, other.cash)

    def __hash__(self) -> int:
        return hash((self.assets, self.base_actions, self.cash))

    def __repr__(self) -> str:
        given = [repr(list(self.assets))]
        if self.base_actions:
            given.append(f"base_actions={self.base_actions!r}")
        if self.cash != "default_cash":
            given.append(f"cash={self.cash!r}")
        return f"ActionDictSpace({', '.join(given)})"


def _names(what: str, given: Iterable[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{what} must be names, such as ('EURUSD', 'GBPUSD'), got {given!r}")
    if len(set(names)) != len(names):
        raise ConfigError(f"{what} must be different names, got {given!r}")
    return names
