"""Runs a case in every engine and in stock Backtrader, and finds the first number that differs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

import vecbt
from tests.differential.cases import Case
from tests.differential.expected import Episode, Record
from tests.differential.stock import Follow, run_stock
from vecbt.config import EnvConfig

__all__ = ["ENGINES", "Call", "Difference", "Result", "compare_case", "compare_engines", "compare_with_stock", "drive"]

ENGINES = ("cerebro", "compiled")
"""All are compared with the first one, which is compared with stock Backtrader."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Where two runs of a case differ first.

    Attributes:
        case: The case.
        runs: What has been compared.
        env: Environment, -1 for something that is not an environment's own.
        bar: Row of the environment's bar, -1 where that is not known.
        call: Number of the reset or step.
        field: Name of what differs.
        expected: Its value in the first run.
        got: In the second.
    """

    case: Case
    runs: tuple[str, str]
    env: int
    bar: int
    call: int
    field: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        lines = [
            f"case {self.case.number}: {self.runs[1]} differs from {self.runs[0]}",
            f"  env {self.env}, bar {self.bar}, call {self.call} (0 is the reset), {self.field}",
            f"  {self.runs[0]:>8}: {_show(self.expected)}",
            f"  {self.runs[1]:>8}: {_show(self.got)}",
            f"  {self.case!r}",
        ]
        if self.case.number >= 0:
            lines.append(f"  again: python -m tests.differential --case {self.case.number}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Call:
    """Everything that a reset or step has returned, and the account rows behind it; nothing in it is a view."""

    observation: Any
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    infos: dict[str, Any]
    rows: np.ndarray
    reset: np.ndarray  # which environments `reset` was asked for


@dataclasses.dataclass
class Result:
    """What a case came to."""

    difference: Difference | None = None
    episodes: int = 0
    bars: int = 0
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)


def compare_case(case: Case, strategy: type[Follow] = Follow) -> Result:
    """Run a case everywhere and compare everything."""
    runs = {engine: drive(case, engine) for engine in ENGINES}
    reference = ENGINES[0]
    result = compare_with_stock(case, runs[reference], reference, strategy)
    for engine in ENGINES[1:]:
        if result.difference is None:
            result.difference = compare_engines(case, runs[reference], runs[engine], (reference, engine))
    return result


def drive(case: Case, engine: str) -> list[Call]:
    """Run a case in an engine: a reset, then all steps."""
    envs = vecbt.make_vec(
        case.market,
        num_envs=case.num_envs,
        engine=engine,
        num_workers=0,
        autoreset_mode=case.autoreset,
        **case.whole_config,
    )
    everything, nothing = np.ones(case.num_envs, bool), np.zeros(case.num_envs, bool)

    def call(observation: Any, rewards: Any, terminated: Any, truncated: Any, infos: Any, reset: np.ndarray) -> Call:
        rows = envs._batch.arrays["rows"]
        return Call(*(_copy(part) for part in (observation, rewards, terminated, truncated, infos, rows, reset)))

    try:
        observation, infos = envs.reset(seed=case.seed)
        calls = [call(observation, np.zeros(case.num_envs), nothing, nothing, infos, everything)]
        for actions in case.actions:
            calls.append(call(*envs.step(actions), nothing))
            ended = calls[-1].terminated | calls[-1].truncated
            if case.autoreset == "Disabled" and ended.any():
                observation, infos = envs.reset(options={"reset_mask": ended})
                calls.append(call(observation, np.zeros(case.num_envs), nothing, nothing, infos, ended))
    finally:
        envs.close()
    return calls


# -- with stock Backtrader ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Entry:
    """One record of one environment.

    Attributes:
        call: Number of the call.
        step: Number of the step whose actions come next.
        fresh: Whether an episode begins with it.
        record: What was returned.
    """

    call: int
    step: int
    fresh: bool
    record: Record


def entries(case: Case, calls: list[Call], env: int) -> Iterator[Entry]:
    """The records of one environment, one for each observation of an episode."""
    step, ended = 0, True
    for number, call in enumerate(calls):
        by_reset = bool(call.reset.any())
        if by_reset:
            if call.reset[env]:
                yield Entry(number, step, True, _record(call, env))
                ended = False
            continue
        step += 1
        if ended:  # NEXT_STEP: the step has only begun the next episode
            yield Entry(number, step, True, _record(call, env))
            ended = False
            continue
        ended = bool(call.terminated[env] or call.truncated[env])
        if ended and case.autoreset == "SameStep":
            yield Entry(number, step, False, _record(call, env, final=True))
            yield Entry(
                number,
                step,
                True,
                dataclasses.replace(_record(call, env), reward=0.0, terminated=False, truncated=False),
            )
            ended = False
        else:
            yield Entry(number, step, False, _record(call, env))


INFOS = (
    "cash", "value", "drawdown", "costs", "position", "position_price", "bar", "start", "timestamp", "order_status",
)  # fmt: skip


PER_ASSET = ("size", "price", "close", "status")


def _record(call: Call, env: int, final: bool = False) -> Record:
    infos = call.infos["final_info"] if final else call.infos
    observation = call.infos["final_obs"] if final else call.observation
    if not isinstance(observation, dict):
        observation = {"": observation}
    stats = None
    # In SAME_STEP they belong to the episode before, within final_info.
    if "episode_stats" in infos and infos["_episode_stats"][env]:
        stats = {name: column[env] for name, column in infos["episode_stats"].items() if not name.startswith("_")}
    return Record(
        observation={key: part[env] for key, part in observation.items()},
        reward=call.rewards[env],
        terminated=call.terminated[env],
        truncated=call.truncated[env],
        info={name: infos[name][env] for name in INFOS},
        row=None if final else tuple(call.rows[env].tolist()),  # the row is already that of the next episode
        stats=stats,
    )


def compare_with_stock(
    case: Case, calls: list[Call], engine: str, strategy: type[Follow] = Follow, feed: Any = None
) -> Result:
    """Play every episode again in stock Backtrader.

    Args:
        case: The case.
        calls: What an engine has returned of it.
        engine: Its name.
        strategy: The driver.
        feed: Makes a feed for an episode; None for the lists of `run_stock`.
    """
    result = Result()
    config = EnvConfig.of(case.whole_config)
    for env in range(case.num_envs):
        episode, expected, played = None, iter(()), 0
        for entry in entries(case, calls, env):
            if entry.fresh:
                actions = iter(case.actions[entry.step :, env])
                start = int(entry.record.info["start"])
                episode = Episode(config, case.market, start, played, actions)
                run_stock(episode, case.whole_config, result.outcomes, strategy, feed and feed(episode))
                expected, played = iter(episode.records), played + 1
                result.episodes += 1
                result.bars += episode.bar - start + 1
            wanted = next(expected, None)
            field = ("end of the episode", True, False) if wanted is None else _first_in_records(wanted, entry.record)
            if field:
                bar = int(entry.record.info["bar"])
                result.difference = Difference(case, ("stock", engine), env, bar, entry.call, *field)
                return result
    return result


def _first_in_records(expected: Record, got: Record) -> tuple[str, Any, Any] | None:
    row_names = ("cash", "value", "leverage", "costs", "fills", "trades", "wins", "realized", "gains")
    row_names += tuple(
        f"{column}[{asset}]"
        for asset in range((0 if got.row is None else len(got.row) - len(row_names)) // len(PER_ASSET))
        for column in PER_ASSET
    )
    for name in ("info", "terminated", "truncated", "reward", "row", "stats", "observation"):
        wanted, has = getattr(expected, name), getattr(got, name)
        if name == "row":
            if has is None:
                continue
            wanted, has = (dict(zip(row_names, row, strict=True)) for row in (wanted, has))
        if not isinstance(wanted, dict) or not isinstance(has, dict):
            if not _same(wanted, has):
                return name, wanted, has
            continue
        if wanted.keys() != has.keys():
            return f"{name}: keys", sorted(wanted), sorted(has)
        for key in wanted:
            if not _same(wanted[key], has[key]):
                return f"{name}: {key}", wanted[key], has[key]
    return None


# -- engine with engine ------------------------------------------------------------------------------------------------


def compare_engines(
    case: Case, expected: list[Call], got: list[Call], runs: tuple[str, str] = ENGINES[:1] * 2
) -> Difference | None:
    """The first difference of everything that two engines have returned."""
    for number, (one, other) in enumerate(zip(expected, got, strict=False)):
        for field in dataclasses.fields(Call):
            found = _first_in(getattr(one, field.name), getattr(other, field.name), field.name)
            if found:
                name, env, wanted, has = found
                bar = int(one.infos["bar"][env]) if env >= 0 else -1
                return Difference(case, runs, env, bar, number, name, wanted, has)
    if len(expected) != len(got):
        return Difference(case, runs, -1, -1, min(len(expected), len(got)), "calls", len(expected), len(got))
    return None


def _first_in(expected: Any, got: Any, path: str) -> tuple[str, int, Any, Any] | None:
    """Path, environment and values of the first difference in nested dictionaries of arrays over the batch."""
    if isinstance(expected, dict) and isinstance(got, dict):
        if list(expected) != list(got) and sorted(expected) != sorted(got):
            return f"{path}: keys", -1, sorted(expected), sorted(got)
        for key in expected:
            if found := _first_in(expected[key], got[key], f"{path}: {key}"):
                return found
        return None
    if _same(expected, got):
        return None
    one, other = np.asarray(expected), np.asarray(got)
    if (one.dtype, one.shape) != (other.dtype, other.shape) or one.ndim == 0:
        return path, -1, expected, got
    at = tuple(int(place) for place in np.argwhere(~_equal(one, other))[0])
    return f"{path}{list(at[1:]) or ''}", at[0], one[at], other[at]


# -- numbers -----------------------------------------------------------------------------------------------------------


def _equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two arrays are equal to the last bit: NaN is NaN, and 0.0 is not -0.0."""
    if one.dtype.kind != "f":
        return one == other
    both = np.isnan(one) & np.isnan(other)
    return both | ((one == other) & (np.signbit(one) == np.signbit(other)))


def _same(expected: Any, got: Any) -> bool:
    if expected is None or got is None:
        return expected is got
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        same_kind = (expected.dtype, expected.shape) == (got.dtype, got.shape)
        return same_kind and bool(_equal(expected, got).all())
    one, other = np.asarray(expected), np.asarray(got)
    # A Python number stands for one of any width of its kind.
    if one.shape != other.shape or {one.dtype.kind, other.dtype.kind} not in ({"f"}, {"i"}, {"b"}):
        return False
    return bool(_equal(one, other).all())


def _show(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tolist()!r}"
    if isinstance(value, float | np.floating):
        return f"{value!r} = {float(value).hex()}"
    return repr(value)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return np.array(value)
