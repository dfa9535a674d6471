"""How workers end: asked to, else by force, within about two seconds."""

from __future__ import annotations

import logging
import time

from vecbt.arrays import IntArray
from vecbt.shm.control import Op, asleep_word, operation_word, ticket_word
from vecbt.shm.member import Member
from vecbt.shm.words import post

__all__ = ["shut_down"]

logger = logging.getLogger("vecbt")


def shut_down(members: list[Member], words: IntArray) -> None:
    """End the workers; runs once, at close, when the pool is collected, or at the interpreter's exit."""
    try:
        _ask_to_end(members, words)
        _join(members, 1.0)
        for member in members:
            if member.is_alive:
                member.process.terminate()
        _join(members, 0.4)
    finally:  # Ctrl-C may have cut the waiting short; who is stopped heeds nothing else
        for member in members:
            if member.is_alive:
                member.process.kill()
        _join(members, 0.4)
        for member in members:
            for report in member.last_words():
                logger.warning("%s raised when it was closed: %s: %s", str(member), report.kind, report.message)
            member.release()
        members.clear()


def _ask_to_end(members: list[Member], words: IntArray) -> None:
    """Post a ticket to those that are idle; those that are still at work may be at it for ever."""
    for member in members:
        ticket = int(words[ticket_word(member.number)])
        if member.started and member.done == ticket:
            words[operation_word(member.number, ticket + 1)] = Op.CLOSE
            post(words, ticket_word(member.number), ticket + 1, asleep_word(member.number))
        else:
            member.process.terminate()


def _join(members: list[Member], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for member in members:
        member.process.join(max(0.0, deadline - time.monotonic()))
