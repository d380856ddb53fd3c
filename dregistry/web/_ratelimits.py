"""
How often one client may ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from math import ceil

from attrs import frozen

from ..errors import TooManyRequests

_REMEMBERED = 20_000
"""Clients that are remembered; those that asked longest ago are forgotten first."""
_OVERDRAFT = 100
"""Tokens that requests which cannot be repeated may take from an empty bucket."""


@frozen
class Bucket:
    """
    :ivar interval: seconds in which it gains a token; each request takes one.
    :ivar burst: the most tokens that it holds.
    """

    interval: float
    burst: int

    @classmethod
    def of(cls, rate: float, burst: int) -> Bucket | None:
        """
        :param rate: tokens a second; 0 for no limit, which is None.
        :param burst: 0 for as many as come in a second, and at least one.
        """
        return cls(1 / rate, burst or max(1, int(rate))) if rate > 0 else None


class RateLimits:
    """
    Token buckets, of one process: several that serve an address each have their own.

    All that is kept of a bucket is the time at which it will be full again.

    :param seconds: a clock.
    :param every: for all requests that ``writes`` is not for; None for no limit.
    :param writes: for those that are to change something; None if they are like the others.
    :param by_user: whether each user has buckets, from wherever; else each address.
    :param exempt: networks of clients without limit.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        every: Bucket | None,
        writes: Bucket | None = None,
        by_user: bool = False,
        exempt: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self.by_user = by_user
        self._seconds = seconds
        self._every = every
        self._writes = writes
        self._exempt = exempt
        self._full: OrderedDict[tuple[str, bool], float] = OrderedDict()

    def admit(self, address: str, user: str, writes: bool, repeatable: bool = True) -> None:
        """
        Take a token.

        :param address: of the client; empty if it has none.
        :param user: empty for nobody in particular, or if users do not count.
        :param repeatable: whether clients ask again when they are refused. Most do not when they have sent a body, so
            that a whole push would fail for it: such a request is let pass, and the next one waits for longer.
        :raise TooManyRequests: if there is none.
        """
        bucket = self._every
        apart = writes and self._writes is not None
        if apart:
            bucket = self._writes
        if bucket is None:
            return
        client, is_exempt = _client(address, tuple(self._exempt))
        if is_exempt:
            return
        key = (f"user {user}" if user else client, apart)
        now = self._seconds()
        full = max(self._full.get(key, now), now)
        wait = full + bucket.interval - bucket.burst * bucket.interval - now
        if wait > (1e-9 if repeatable else _OVERDRAFT * bucket.interval):
            raise TooManyRequests(f"more requests than this registry takes from one {self._whose()}", ceil(wait))
        self._full[key] = full + bucket.interval
        self._full.move_to_end(key)
        if len(self._full) > _REMEMBERED:
            self._full.popitem(last=False)

    def _whose(self) -> str:
        return "user" if self.by_user else "address"


@lru_cache(maxsize=1024)
def _client(address: str, exempt: tuple[IPv4Network | IPv6Network, ...]) -> tuple[str, bool]:
    """What one client can choose its address from (an IPv6 network of 64 bits), and whether that is exempt."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address, False
    is_exempt = any(found in network for network in exempt)
    return (found.exploded[:19] if isinstance(found, IPv6Address) else address), is_exempt
