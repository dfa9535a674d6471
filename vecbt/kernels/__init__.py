"""Compiled functions that the engines share."""
