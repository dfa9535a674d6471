"""BTGym's actions: a dictionary with a value for each asset, and codes for a policy that wants a vector."""

import gymnasium

import vecbt
from vecbt.spaces import ActionDictSpace

data = {name: vecbt.data.synthetic_market(5_000, seed=seed) for seed, name in enumerate(("EURUSD", "GBPUSD"))}
space = ActionDictSpace(data, ("hold", "buy", "sell", "close"))
env = gymnasium.make("vecbt/Trading-v0", data=data, actions=space, order_size="40%", episode_steps=50)
observation, info = env.reset(seed=0)
env.action_space.seed(0)
action = space.get_initial_action()
ended = False
while not ended:
    code = space.encode(action)  # two bits for each asset
    observation, reward, terminated, truncated, info = env.step(space.decode(code))
    ended = terminated or truncated
    action = env.action_space.sample()
names = {asset: space.base_actions[number] for asset, number in space.decode(code).items()}
print("last action:", names, "its code:", code.tolist(), "one-hot:", space.one_hot_encode(space.decode(code)).tolist())
print(f"return after {info['episode_stats']['l']} steps: {info['episode_stats']['total_return']:+.4%}")
env.close()
