"""Spaces of named parts, and actions by the names of assets."""

from vecbt.spaces.action_space import ActionDictSpace
from vecbt.spaces.dict_space import DictSpace

__all__ = ["ActionDictSpace", "DictSpace"]
