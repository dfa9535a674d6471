"""What a parent has to tell its workers beyond the shared arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vecbt.arrays import BoolArray
from vecbt.shm.infos import Column

__all__ = ["News"]


class News:
    """What workers have to be told, and told again when one of them takes the place of another.

    Args:
        num_envs: Environments.
        groups: How many groups of them there are.
    """

    def __init__(self, num_envs: int, groups: int) -> None:
        self.columns: Sequence[Column] = ()
        self.has_news = False  # for the workers
        self._seeds: list[int | None] = [None] * num_envs
        self._choices: dict[int, Mapping[str, Any]] = {}
        self._outgoing: list[dict[str, Any]] = [{} for _ in range(groups)]

    def remember(self, seeds: Sequence[int | None], mask: BoolArray | None) -> None:
        """Note the seeds that environments are given."""
        for env, seed in enumerate(seeds):
            if seed is not None and (mask is None or mask[env]):
                self._seeds[env] = seed

    def choose(self, env: int, group: int, choice: Mapping[str, Any]) -> None:
        """Note what the next reset of an environment is to be given."""
        self._choices[env] = choice
        if choice["seed"] is not None:
            self._seeds[env] = choice["seed"]
        self.has_news = True
        self._outgoing[group].setdefault("choices", {})[env] = choice

    def teach(self, columns: Sequence[Column]) -> None:
        """Note new columns of infos."""
        if columns:
            self.has_news = True
            for outgoing in self._outgoing:
                outgoing.setdefault("columns", []).extend(columns)

    def outgoing(self, group: int) -> dict[str, Any] | None:
        """What the slices of a group (counted from 1; 0 for all) have not been told yet; None for nothing."""
        if group:
            return self._outgoing[group - 1] or None
        choices: dict[int, Mapping[str, Any]] = {}
        columns: dict[int, Column] = {}  # of which one group may know more than another
        for told in self._outgoing:
            choices |= told.get("choices", {})
            columns |= {column.number: column for column in told.get("columns", ())}
        if not choices and not columns:
            return None
        return {"choices": choices, "columns": [column for _, column in sorted(columns.items())]}

    def sent(self, group: int) -> None:
        """Forget what was outgoing: it is on its way. Not before, for what goes with it may be refused."""
        for number in [group - 1] if group else range(len(self._outgoing)):
            self._outgoing[number] = {}
        self.has_news = any(self._outgoing)

    def __call__(self, bounds: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """What the slices of a new process need to know; see `vecbt.shm.recovery.Recovery`."""
        return {"columns": list(self.columns), "seeds": self._seeds, "choices": self._choices}
