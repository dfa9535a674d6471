"""Backtrader's broker, compiled."""
