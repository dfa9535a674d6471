"""Opens a batch: the data, the plan, and the engine that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.batch import Batch
from vecbt.brokers.compiled.outputs import OutputSet
from vecbt.brokers.compiled.subset import outside_subset
from vecbt.config import ENGINES, EnvConfig
from vecbt.data.generated.domain import GeneratedDomain
from vecbt.data.generated.feed import TrialFeed
from vecbt.data.generated.filler import Filler
from vecbt.data.shared import DataTable
from vecbt.data.store import DataStore, TableRequest
from vecbt.dataserver import DataFeedServer
from vecbt.errors import ConfigError, UnknownNameError
from vecbt.feed.client import DataFeedClient
from vecbt.kernels.layout import Autoreset
from vecbt.plan import Plan, make_plan
from vecbt.shm.options import WorkerOptions
from vecbt.shm.pool import WorkerPool

__all__ = ["open_batch"]


class _CerebroRunner:
    """Workers with Backtrader, and the data server they read from if the batch has started it."""

    fresh = False
    sets: tuple[OutputSet, ...] = ()

    def __init__(self, pool: WorkerPool, source: DataStore | DataFeedClient, owned: bool) -> None:
        self._pool, self.source, self._owned = pool, source, owned
        self.settle = pool.settle
        self._deaths = 0
        self.outputs: Mapping[str, AnyArray] = pool.arrays

    def reset(self) -> None:
        self._pool.reset()

    def step(self) -> None:
        self._pool.step()

    def take_restarted(self) -> BoolArray | None:
        if self._deaths == self._pool.deaths:
            return None
        self._deaths = self._pool.deaths
        restarted = self.outputs["restarted"].copy()
        self.outputs["restarted"][:] = False
        return restarted

    def outcomes(self, env: int | None) -> list[Any]:
        return [outcome for part in self._pool.call("outcomes", env) for outcome in part]

    def conclude(self, envs: IntArray) -> None:
        self._pool.call("conclude", envs.tolist())

    @property
    def pids(self) -> tuple[int, ...]:
        return self._pool.pids

    def close(self) -> None:
        try:
            self._pool.close()
        finally:
            if self._owned:
                self.source.stop()


def open_batch(
    data: Any,
    *,
    num_envs: int,
    engine: str,
    autoreset: Autoreset,
    workers: WorkerOptions,
    settings: Mapping[str, Any],
) -> Batch:
    """Make a batch of environments; the arguments are those of `vecbt.make_vec`.

    Raises:
        VecbtError: If the configuration or the data are not usable.
    """
    if type(num_envs) is not int or num_envs < 1:
        raise ConfigError(f"num_envs must be a whole number of at least 1, got {num_envs!r}")
    if engine not in ENGINES:
        raise UnknownNameError.of("engine", engine, ENGINES)
    config = EnvConfig.of(dict(settings))
    engine = _choose(engine, config)
    open_engine = _open_compiled if engine == "compiled" else _open_cerebro
    source, owned = _open_source(data, engine, workers)
    try:
        return open_engine(config, source, owned, num_envs, autoreset, workers)
    except BaseException:
        if owned:
            source.stop()
        raise


def _choose(engine: str, config: EnvConfig) -> str:
    """The engine for a configuration: the compiled one wherever it can do what is asked for.

    Raises:
        ConfigError: If it is asked for by name and cannot.
    """
    if engine == "cerebro":
        return engine
    reasons = outside_subset(config)
    if not reasons:
        return "compiled"
    if engine == "compiled":
        raise ConfigError(f"engine='compiled' cannot do this; take engine='cerebro', or change: {'; '.join(reasons)}")
    return "cerebro"


def _request(config: EnvConfig) -> TableRequest:
    return TableRequest(
        tuple(config.features),
        config.normalize,
        config.window,
        1,
        config.episode_steps,
        config.skip_frame,
    )


def _open_compiled(
    config: EnvConfig,
    source: DataStore | DataFeedClient,
    owned: bool,
    num_envs: int,
    autoreset: Autoreset,
    workers: WorkerOptions,
) -> Batch:
    with _open_table(source, _request(config), num_envs) as (table, filler):
        plan = make_plan(config, table, autoreset)
        from vecbt.brokers.compiled.runner import CompiledRunner

        runner = CompiledRunner(plan, num_envs, workers.num_workers)
        feed = _make_feed(plan, runner.arrays, source, filler, owned, workers)
        return Batch(plan, num_envs, runner, runner.arrays, feed)


def _open_source(data: Any, engine: str, workers: WorkerOptions) -> tuple[DataStore | DataFeedClient, bool]:
    """Who answers for the data, and whether the batch has to stop it."""
    if isinstance(data, DataFeedClient):
        return data, False
    # The compiled engine reads stored data itself; to generate them takes a process of its own to be quick.
    if workers.processes == 0 or (engine == "compiled" and not isinstance(data, GeneratedDomain)):
        return DataStore(data), True
    return DataFeedServer(data, context=workers.context).start(listen=False), True


@contextlib.contextmanager
def _open_table(
    source: DataStore | DataFeedClient, request: TableRequest, num_envs: int
) -> Iterator[tuple[DataTable, Filler | None]]:
    """The table of a batch, whose slots are let go if the batch cannot be made."""
    table, filler = source.open(request, num_envs)
    try:
        yield table, filler
    except BaseException:
        table.slots.close()
        raise


def _make_feed(
    plan: Plan,
    arrays: Mapping[str, AnyArray],
    source: DataStore | DataFeedClient,
    filler: Filler | None,
    owned: bool,
    workers: WorkerOptions,
) -> TrialFeed | None:
    """What provides generated trials; None where all are stored."""
    if not plan.table.slots.count:
        return None
    release = source.stop if owned else (lambda: None)
    return TrialFeed(plan.table, arrays, plan.autoreset, filler, source.check_alive, workers.timeout, release)


def _open_cerebro(
    config: EnvConfig,
    source: DataStore | DataFeedClient,
    owned: bool,
    num_envs: int,
    autoreset: Autoreset,
    workers: WorkerOptions,
) -> Batch:
    # Backtrader is imported while the data server loads.
    import vecbt.brokers.cerebro.pickling  # noqa: F401  (so that strategies travel)
    from vecbt.brokers.cerebro.loops import compile_loops
    from vecbt.brokers.cerebro.probe import probe
    from vecbt.brokers.cerebro.slice import MakeCerebroSlice
    from vecbt.kernels.own_reward import compile_reward

    request = _request(config)
    table = source.table(request)
    needs = probe(config, table)
    warmup = needs.warmup
    if warmup - 1 > table.trials.lookback:
        request = TableRequest(**{**vars(request), "warmup": warmup})
    with _open_table(source, request, num_envs) as (table, filler):
        plan = make_plan(config, table, autoreset, needs.state_shape, needs.info_keys, needs.rewards)
        compile_loops()  # before there are workers, which must not all compile
        if plan.own_reward is not None and workers.processes:
            compile_reward(plan.own_reward)  # each worker has to do so itself; what is wrong with it is said here
        make_slice = MakeCerebroSlice(plan, warmup, own_process=workers.processes > 0)
        pool = WorkerPool(
            make_slice,
            plan.specs(num_envs),
            num_envs,
            workers.processes,
            context=workers.context,
            parent_share=workers.parent_share,
            timeout=workers.timeout,
            recovery=workers.recovery(plan.state_names(num_envs), lambda bounds: None),
        )
        feed = _make_feed(plan, pool.arrays, source, filler, owned, workers)
        return Batch(plan, num_envs, _CerebroRunner(pool, source, owned), pool.arrays, feed)
