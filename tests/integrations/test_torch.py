"""Gymnasium's wrapper that hands tensors to an agent."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers.vector import NumpyToTorch

import vecbt
from tests.envs import MARKET, make

SETTINGS = {"window": 4, "episode_steps": 5, "account_features": ("value",)}


def test_numpy_to_torch_gives_what_it_gives_of_single_environments() -> None:
    ours = NumpyToTorch(make(3, **SETTINGS))
    theirs = NumpyToTorch(SyncVectorEnv([lambda: vecbt.TradingEnv(MARKET, **SETTINGS)] * 3))
    observations, _ = ours.reset(seed=3)
    expected, _ = theirs.reset(seed=3)
    for step in range(13):
        assert observations.keys() == expected.keys()
        for key, tensor in observations.items():
            assert isinstance(tensor, torch.Tensor)
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, expected[key])
        actions = torch.tensor([step % 4, (step + 1) % 4, 0])
        observations, rewards, terminations, truncations, infos = ours.step(actions)
        expected, *others, expected_infos = theirs.step(actions)
        assert all(map(torch.equal, (rewards, terminations, truncations), others))
        assert torch.equal(infos["value"], torch.as_tensor(np.asarray(expected_infos["value"])))
    ours.close()
    theirs.close()
