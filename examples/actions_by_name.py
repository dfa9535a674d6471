"""BTGym's actions: a dictionary with a value for each asset, and codes for a policy that wants a vector."""

import gymnasium

import vecbt
from vecbt.spaces import ActionDictSpace

space = ActionDictSpace(["default_asset"], ("hold", "buy", "sell", "close"))
bars = vecbt.data.synthetic_market(5_000, seed=0)
env = gymnasium.make("vecbt/Trading-v0", data=bars, actions=space, episode_steps=50, commission=0.0001)
observation, info = env.reset(seed=0)
env.action_space.seed(0)
action = space.get_initial_action()
ended = False
while not ended:
    code = space.encode(action)  # two bits
    observation, reward, terminated, truncated, info = env.step(space.decode(code))
    ended = terminated or truncated
    action = env.action_space.sample()
print("last action:", dict(action), "its one-hot code:", space.one_hot_encode(action).tolist())
print(f"return after {info['episode_stats']['l']} steps: {info['episode_stats']['total_return']:+.4%}")
env.close()
