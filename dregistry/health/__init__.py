"""
Whether a registry is well, as distribution's ``health`` section says.

Checks run in each process that serves: it is that process's own driver and threads that are tried, what it answers
needs no word of another process, and nobody has to be running for it. For that the checks of N processes are N times as
many, which at one in ten seconds is little.
"""

from ._state import REASON, Health

__all__ = ["REASON", "Health"]
