"""What stands in which column of the arrays that brokers, kernels and buffers share.

`Row` is the account row: what a broker reports of one environment at the close of one bar, and what reward functions
are given. Columns that count or sum do so from the start of the episode.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "REWARD_STATE",
    "AccountFeature",
    "ActionKind",
    "Asset",
    "Autoreset",
    "Choice",
    "Clock",
    "Instruction",
    "OrderStatus",
    "Param",
    "Phase",
    "Reason",
    "RewardKind",
    "Row",
    "Section",
    "Setting",
    "Stat",
    "Track",
    "row_width",
    "track_width",
]


REWARD_STATE = 8
"""Numbers (float64) that a reward may keep from step to step of an episode."""


class Row(IntEnum):
    """Columns of an account row (float64). After them come `Asset` columns, a group of four for each asset."""

    CASH = 0  #: cash, in currency
    VALUE = 1  #: value of the account: cash and positions
    LEVERAGE = 2  #: value of the positions over the capital tied up in them; 0 when flat
    COSTS = 3  #: commission paid, sum
    FILLS = 4  #: executions, count
    TRADES = 5  #: trades closed (a trade lasts from flat to flat), count
    WINS = 6  #: trades closed with a profit after commission, count
    REALIZED = 7  #: profit of the closed trades after commission, sum
    GAINS = 8  #: the same, of those with a profit alone
    ASSETS = 9  #: where the first asset's columns begin


class Asset(IntEnum):
    """Columns of one asset within an account row: asset k's size is in ``Row.ASSETS + 4 * k + Asset.SIZE``."""

    SIZE = 0  #: position in units, negative when short
    PRICE = 1  #: average price of the position; 0 when flat
    CLOSE = 2  #: close of the bar
    STATUS = 3  #: worst `OrderStatus` since the step began


def row_width(assets: int) -> int:
    """Columns of an account row for so many assets."""
    return Row.ASSETS + assets * len(Asset)


class OrderStatus(IntEnum):
    """What became of an asset's orders since the last step, from good to bad; infos have the worst."""

    NONE = 0  #: no news
    COMPLETED = 1  #: filled
    PARTIAL = 2  #: filled in part
    CANCELED = 3
    EXPIRED = 4
    REFUSED = 5  #: by ``max_exposure``, before the broker
    MARGIN = 6  #: not enough cash
    REJECTED = 7  #: by the broker


class Instruction(IntEnum):
    """What an action asks a broker to do with one asset."""

    NONE = 0
    BUY = 1  #: so many units
    SELL = 2  #: so many units
    CLOSE = 3  #: the whole position
    TARGET_SIZE = 4  #: bring the position to so many units
    TARGET_PERCENT = 5  #: bring the position to this fraction of the account's value


class Phase(IntEnum):
    """Where an environment stands."""

    IDLE = 0  #: never reset
    RUNNING = 1
    CLOSING = 2  #: ended by a call, one more bar to close the positions
    ENDED = 3
    RESETTING = 4  #: being reset within the current step
    CUT = 5  #: its process has died within the episode; the next step says so


class Reason(IntEnum):
    """Why an episode ended; ``episode_stats["reason"]``."""

    NONE = 0
    DATA_END = 1  #: truncated: the trial's rows are used up
    STEP_LIMIT = 2  #: truncated: ``episode_steps``
    DRAWDOWN_CALL = 3  #: terminated
    TARGET_CALL = 4  #: terminated
    RUIN = 5  #: terminated: the account's value is not positive
    STRATEGY = 6  #: terminated by the strategy's ``get_done``
    WORKER_DEATH = 7  #: truncated: the worker process has died and been started again
    STOPPED = 8  #: by `vecbt.TradingVectorEnv.stop_episodes`; no step has shown it


class Clock(IntEnum):
    """Columns of the state that counts (int64): eight, a cache line for each environment."""

    PHASE = 0
    BAR = 1  #: row of the current bar in the table
    START = 2  #: row of the episode's first observation
    END = 3  #: row of its last bar
    STEP = 4  #: steps taken
    EPISODE = 5  #: number of the episode since the last seeding
    TRIAL = 6  #: row of the trial in the domain's table
    REASON = 7  #: `Reason`, once the episode ends


class Section(IntEnum):
    """The parts of a domain's trials."""

    SOURCE_TRAIN = 0
    SOURCE_TEST = 1
    TARGET_TRAIN = 2
    TARGET_TEST = 3


class Choice(IntEnum):
    """Columns of what the next episode is given instead of drawing it (int64); 0 where nothing is chosen."""

    SEED = 0  #: 1: the seed that waits in ``next_seeds``
    TRIAL = 1  #: number of the trial in the domain's list, counted from 1
    START = 2  #: row of the first observation, counted from 1


class Track(IntEnum):
    """Columns of the running statistics (float64).

    After them comes one column per asset: the bars that its position has been open, negative when short.
    """

    PEAK = 0  #: highest value so far
    DRAWDOWN = 1  #: below the peak, percent
    MAX_DRAWDOWN = 2  #: largest of these
    SETTLED = 3  #: value when the last trade was closed; start_cash before
    HIGHEST = 4  #: highest value since the account was last flat or settled
    LOWEST = 5  #: lowest value since then
    REWARD = 6  #: sum of rewards
    RETURNS = 7  #: sum of the bars' simple returns
    SQUARES = 8  #: sum of their squares
    BARS = 9  #: bars since the first observation
    EXPOSED = 10  #: bars with an open position at their close
    VALUE = 11  #: value at the last bar
    TRADES = 12  #: trades closed up to the last bar
    REALIZED = 13  #: profit of closed trades up to the last bar
    PROFIT = 14  #: profit of the trades closed on the last bar
    DURATIONS = 15  #: where the assets' columns begin


def track_width(assets: int) -> int:
    """Columns of the running statistics for so many assets."""
    return Track.DURATIONS + assets


class Param(IntEnum):
    """Settings that are real numbers (float64)."""

    START_CASH = 0
    DRAWDOWN_CALL = 1  #: percent; inf for none
    TARGET_VALUE = 2  #: value above which the episode ends; inf for none
    DRAWDOWN_SCALE = 3  #: percent; BTGym's 10 where there is no call
    TARGET_SCALE = 4  #: percent; BTGym's 10 where there is no call
    REWARD_SCALE = 5
    GAMMA = 6  #: discount of the potential that shapes BTGym's rewards
    LOT = 7
    YEAR = 8  #: bars in a year of these data
    TRIAL_ALPHA = 9  #: shapes of the Beta distributions of trials, then of episodes
    TRIAL_BETA = 10
    EPISODE_ALPHA = 11
    EPISODE_BETA = 12


class Setting(IntEnum):
    """Settings that are whole numbers (int64)."""

    WINDOW = 0
    ACTIONS = 1  #: `ActionKind`
    SKIP = 2  #: bars per step
    LATENCY = 3  #: bars between decision and order
    REWARD = 4  #: `RewardKind`
    CLOSE_OUT = 5
    AUTORESET = 6  #: `Autoreset`
    BARS = 7  #: bars of an episode; 0 for all that the trial has
    LOOKBACK = 8  #: rows before the first observation
    NORMALIZE = 9  #: 1: the window is normalized by itself
    SEQUENTIAL = 10  #: 1: trials are taken in turn
    ALIGNED = 11  #: 1: test episodes of target trials start as early as they may
    FLATTEN = 12  #: 1: the account's columns follow the window's in ``market``
    STORED = 13  #: rows of the data set; behind them are those of generated trials


class ActionKind(IntEnum):
    """How an action is written; see `vecbt.EnvConfig`."""

    DISCRETE = 0
    TARGET_POSITION = 1
    TARGET_PERCENT = 2


class RewardKind(IntEnum):
    """Which reward a step has."""

    EXTERNAL = 0  #: somebody else has written it
    LOG_RETURN = 1
    PNL = 2
    BTGYM = 3
    BTGYM_POTENTIAL = 4
    DIFFERENTIAL_SHARPE = 5


class Autoreset(IntEnum):
    """`gymnasium.vector.AutoresetMode` as a number."""

    NEXT_STEP = 0
    SAME_STEP = 1
    DISABLED = 2


class AccountFeature(IntEnum):
    """Columns that an agent can be shown of its account; the formulas are in `vecbt.kernels.observe`."""

    CASH = 0
    VALUE = 1
    EXPOSURE = 2
    DRAWDOWN = 3
    POS_DIRECTION = 4
    POS_DURATION = 5
    REALIZED_PNL = 6
    UNREALIZED_PNL = 7
    MIN_UNREALIZED_PNL = 8
    MAX_UNREALIZED_PNL = 9


class Stat(IntEnum):
    """Columns of the statistics of an ended episode (float64); the names are keys of ``infos["episode_stats"]``."""

    R = 0  #: sum of rewards
    L = 1  #: steps
    BARS = 2  #: bars
    VALUE = 3  #: final value, in currency
    TOTAL_RETURN = 4  #: value / start_cash - 1
    MAX_DRAWDOWN = 5  #: percent
    SHARPE = 6  #: mean over standard deviation of the bars' returns, times the root of the bars in a year
    TRADES = 7  #: closed trades
    WIN_RATE = 8  #: fraction of them with a profit after commission; NaN without trades
    PROFIT_FACTOR = 9  #: profits over losses of closed trades; NaN without trades, inf without losses
    EXPOSURE = 10  #: fraction of bars with a position
    COSTS = 11  #: commission paid
    OPEN = 12  #: 1 if a position is still open
    REASON = 13  #: `Reason`
    EPISODE = 14  #: number of the episode since the last seeding
    START = 15  #: row of the first observation, -1 in a generated trial
    END = 16  #: row of the last, likewise
    TRIAL = 17  #: number of the trial among those of its type; of a generated one the episode's
    TRIAL_TYPE = 18  #: 0 source, 1 target
    SAMPLE_TYPE = 19  #: 0 training rows, 1 test rows
