"""Compiles everything that is compiled, so that nobody has to wait for it later."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from vecbt.arrays import AnyArray
from vecbt.brokers.cerebro.loops import compile_loops
from vecbt.brokers.compiled.crew import compile_crew
from vecbt.data.clock import GlobalTime
from vecbt.data.features import compile_features
from vecbt.data.functions import FUNCTIONS, Function
from vecbt.data.generated.domain import GeneratedDomain
from vecbt.data.generators import BlockBootstrap, GeometricBrownianMotion, OrnsteinUhlenbeck, RegimeSwitching
from vecbt.data.synthetic import synthetic_market
from vecbt.kernels._jit import Compiled
from vecbt.kernels.dates import date_numbers
from vecbt.kernels.sampling import draw_start, draw_trial
from vecbt.kernels.take import take_codes, take_weights
from vecbt.shm.pool import compile_waits
from vecbt.vector import make_vec

__all__ = ["WarmUp", "warm_up"]


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """What `warm_up` has done.

    Attributes:
        seconds: How long it took.
        compiled: The functions that had to be compiled, once for every kind of arguments; all others were in the cache.
    """

    seconds: float
    compiled: tuple[str, ...]


def warm_up(progress: str | None = None) -> WarmUp:
    """Compile what both engines, the data and the sampling consist of, or load it from numba's cache on disk.

    Not among it are a user's own reward function and the compiled engine's loop over several assets: they are compiled
    when an environment is made with them.

    Args:
        progress: Title of a progress bar; None for none.
    """
    begun, before = time.perf_counter(), len(Compiled.names)
    Compiled.announced = True  # the bar says so, or the caller knows
    with tqdm(total=len(_PARTS), desc=progress, unit="part", disable=None if progress else True) as bar:
        for title, compile_part in _PARTS.items():
            bar.set_postfix_str(title)
            compile_part()
            bar.update()
    return WarmUp(time.perf_counter() - begun, tuple(Compiled.names[before:]))


def _kinds(dtype: str) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Arrays that numba tells apart: one of the caller's, a read-only one, and one with gaps."""
    frozen = np.zeros(2, dtype)
    frozen.setflags(write=False)
    return np.zeros(2, dtype), frozen, np.zeros(4, dtype)[::2]


def _compile_engine() -> None:
    compile_crew()
    # What calls the crew is compiled with its first call.
    envs = make_vec(synthetic_market(100), engine="compiled", order_size=1.0, episode_steps=10)
    envs.reset(seed=0)
    envs.close()


def _compile_dates() -> None:
    for stamps in _kinds("int64")[:2]:
        date_numbers(stamps)


def _compile_indicators() -> None:
    bars = synthetic_market(100)
    for function in FUNCTIONS.values():
        # A column of the data is read-only, the result of an expression is not.
        for argument in ("close", "close + 1") if function.takes_expression else ("",):
            compile_features([_call(function, argument)], bars)


def _call(function: Function, argument: str) -> str:
    parameters = ["2" if p.default is None else f"{p.default:g}" for p in function.parameters]
    return f"{function.name}({', '.join([argument, *parameters] if argument else parameters)})"


def _compile_sampling() -> None:
    key, nothing = np.uint64(0), np.zeros(0, np.int64)
    draw_trial(key, key, 0, 0, 1, 1.0, 1.0)
    draw_start(key, key, 0, np.array([[0, 9, 0]]), 0, nothing, nothing, 1.0, 1.0, 0, 5, False)
    clock = GlobalTime.starting_at(0)
    clock.restart(clock.advance(1))


def _compile_generated() -> None:
    for generator in (OrnsteinUhlenbeck(), RegimeSwitching(), BlockBootstrap(synthetic_market(100))):
        generator.generate(np.random.default_rng(0), 4)
    domain = GeneratedDomain(GeometricBrownianMotion(), bars=20)
    envs = make_vec(domain, num_workers=0, engine="compiled", order_size=1.0, window=5, episode_steps=10)
    envs.reset(seed=0)
    envs.close()


def _compile_actions() -> None:
    buffer = np.zeros(2)
    for codes in _kinds("int64"):
        take_codes(codes, buffer, 1)
    for weights in _kinds("float64"):
        take_weights(weights, buffer)


_PARTS: dict[str, Callable[[], None]] = {
    "compiled engine": _compile_engine,
    "Cerebro engine": compile_loops,
    "waiting": compile_waits,
    "actions": _compile_actions,
    "dates": _compile_dates,
    "sampling": _compile_sampling,
    "generated trials": _compile_generated,
    "indicators": _compile_indicators,
}
