"""
Guessing passwords made slow.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Any

from attrs import define
from twisted.internet.task import deferLater

from ..errors import TooManyRequests

FREE_BY_USER = 5
"""Wrong passwords for one user from one address that cost nothing: people mistype."""
FREE_BY_ADDRESS = 30
"""Wrong passwords from one address, whomever they are for."""
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 15.0
_LONGEST_WAIT = 30.0
"""Seconds for which a request waits for its turn; one that would wait longer is refused."""
_MEMORY = 900.0
"""Seconds without another wrong password after which all is forgotten."""
_REMEMBERED = 10_000
"""Addresses, and users at addresses, that are remembered; the ones that were quiet longest are forgotten first."""

_Key = tuple[str, str]


@define
class _Record:
    attempts: int = 0
    last: float = 0.0
    next_turn: float = 0.0

    def delay(self, free: int) -> float:
        """Seconds until the next attempt."""
        excess = self.attempts - free
        return 0.0 if excess < 0 else min(_FIRST_DELAY * 2.0 ** min(excess, 10), _LONGEST_DELAY)


class Slowdown:
    """
    Lets whoever sent wrong passwords try again only so often: after some that cost nothing, with pauses that double
    from half a second to 15, for each address and for each user at an address. Of one process: several that serve an
    address each count for themselves.

    Peers without an address or with this machine's own are clients of a proxy: they are told apart by user only.

    :param reactor: for the time, and to wait.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._records: OrderedDict[_Key, _Record] = OrderedDict()

    async def attempt(self, address: str, user: str) -> None:
        """
        Wait until a password may be checked. It counts as a wrong one until :meth:`succeeded` is called, so that many
        attempts at the same time gain nothing.

        :raise TooManyRequests: if it would have to wait too long; it does not count then.
        """
        now = self._reactor.seconds()
        records = [(self._fresh(key, now) or _Record(), key, free) for key, free in _keys(address, user)]
        turn = max(now, *(record.next_turn for record, _, _ in records))
        if turn - now > _LONGEST_WAIT:
            raise TooManyRequests("too many wrong passwords", ceil(turn - now))
        for record, key, free in records:
            record.attempts += 1
            record.last = now
            if record.delay(free):
                record.next_turn = turn + record.delay(free)
            self._records[key] = record
            self._records.move_to_end(key)
        while len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        if turn > now:
            await deferLater(self._reactor, turn - now)

    def succeeded(self, address: str, user: str) -> None:
        """
        The password was right: forget the user's wrong ones. Those of the address for others still count, or whoever
        has an account could guess on for ever.
        """
        network = _network(address)
        self._records.pop((network, user), None)
        record = self._records.get((network, ""))
        if record is not None:
            record.attempts = max(record.attempts - 1, 0)

    def _fresh(self, key: _Key, now: float) -> _Record | None:
        record = self._records.get(key)
        if record is not None and now - record.last > _MEMORY:
            del self._records[key]
            return None
        return record


def _keys(address: str, user: str) -> list[tuple[_Key, int]]:
    network = _network(address)
    by_user = ((network, user), FREE_BY_USER)
    return [by_user, ((network, ""), FREE_BY_ADDRESS)] if network else [by_user]


def _network(address: str) -> str:
    """What one peer can choose its address from: an IPv6 network of 64 bits; empty for this machine."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    return found.exploded[:19] if isinstance(found, IPv6Address) else str(found)
