"""Does a vectorized environment keep to Gymnasium's contract? Gymnasium itself has a checker for single ones only."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from gymnasium.vector import VectorEnv

from vecbt.errors import ConfigError
from vecbt.testing.vector_checks.autoreset import check_autoreset
from vecbt.testing.vector_checks.closing import check_close
from vecbt.testing.vector_checks.partial import check_partial_reset
from vecbt.testing.vector_checks.probe import Probe
from vecbt.testing.vector_checks.returned import check_attributes
from vecbt.testing.vector_checks.rules import RULES, STRICT, Ledger
from vecbt.testing.vector_checks.seeding import check_seeding

__all__ = ["VectorCheck", "check_vector_env"]


@dataclasses.dataclass(frozen=True)
class VectorCheck:
    """What `check_vector_env` has done. Every rule is in one of the two.

    Attributes:
        tried: Names of the rules that were tried; all of them hold.
        untried: Names of the rules that could not be tried or were not asked for, and why.
    """

    tried: tuple[str, ...]
    untried: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{name}: holds. {RULES[name]}." for name in self.tried]
        return "\n".join([*lines, *(f"{name}: not tried, {why}" for name, why in self.untried.items())])


def check_vector_env(
    envs: VectorEnv[Any, Any, Any],
    *,
    seed: int = 0,
    steps: int = 200,
    copies: bool = True,
    strict: bool = False,
    close: bool = True,
) -> VectorCheck:
    """Check that a vectorized environment, of whatever origin, keeps to Gymnasium's contract.

    Looked at are its attributes and spaces, the form of all that it returns, seeds, what happens at the end of an
    episode in the autoreset mode that it declares, masks of infos, partial resets, who owns what is returned or given,
    and closing. The rollouts are of random actions; values are compared to the last bit.

    A wrapper that goes on learning over resets, such as ``NormalizeObservation``, does not repeat a rollout: check what
    it wraps. All that is returned is kept, so a handful of environments is a better subject than thousands.

    Args:
        envs: The environments; any state, since they are reset first.
        seed: Of the rollouts; environment *i* gets ``seed + i``.
        steps: Steps of a rollout; there are about ten of them. Episodes should end within.
        copies: Whether observations and infos are to be the caller's. False for environments that are made to return
            views (``copy=False``).
        strict: Try the rules too that Gymnasium leaves open and some of its own environments break: float64 rewards,
            masks within nested infos, infos that repeat, the caller's options left alone, errors for wrong masks and
            for steps of ended and closed environments; seeds for each environment, and partial resets in every mode.
        close: Close the environments at the end, and try that. An error leaves them open.

    Returns:
        The rules that were tried, and those that were not with the reason: an environment whose episodes do not end
        within ``steps`` has not been tried for what happens then.

    Raises:
        ConformanceError: If a rule is violated. The message names the rule, what was expected, what came, the
            environment and the call.
        ConfigError: If ``steps`` is not 1 or more.

    Example:
        >>> import gymnasium
        >>> import vecbt
        >>> envs = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync")
        >>> check = vecbt.check_vector_env(envs, steps=50)
        >>> "next_step" in check.tried
        True
        >>> check.untried["same_step"]
        'the autoreset mode is NEXT_STEP'
    """
    if steps < 1:
        raise ConfigError(f"steps must be 1 or more, got {steps}")
    ledger = Ledger()
    check_attributes(envs)
    ledger.tried("attributes", "autoreset_mode")
    space = copy.deepcopy(envs.action_space)  # the caller's draws stay as they are
    space.seed(seed)
    actions = [space.sample() for _ in range(steps)]
    probe = Probe(envs, seed=seed, actions=actions, copies=copies, strict=strict, ledger=ledger)
    reference = probe.rollout(seed)
    check_seeding(probe, reference)
    check_autoreset(probe, reference)
    check_partial_reset(probe, reference)
    probe.settle()
    if close:
        check_close(probe)
    if not strict:
        ledger.skip("Gymnasium does not ask for it: strict=True tries it", *STRICT)
    ledger.skip("infos were empty", "infos")
    ledger.skip("no infos within infos", "nested_masks")
    ledger.skip("close is False", "close", "closed")
    return VectorCheck(ledger.names, ledger.untried)
