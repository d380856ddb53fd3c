"""
Credentials, and their renewal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from .. import StorageUnavailable, Threads
from ._concurrent import Shared
from .options import S3Options

_SOON = 15 * 60
"""Seconds before they expire when credentials are renewed; requests still go on with them."""
_LATE = 60
"""Seconds before they expire when requests wait for new ones."""


class Credentials(Protocol):
    async def get(self) -> ReadOnlyCredentials:
        """
        To sign with now.

        :raise StorageUnavailable: if there are none.
        """

    def refused(self) -> None:
        """The service says that they are expired."""


class GivenCredentials:
    """Of the configuration; they never change."""

    def __init__(self, options: S3Options) -> None:
        self._given = ReadOnlyCredentials(options.accesskey, options.secretkey, options.sessiontoken or None)

    async def get(self) -> ReadOnlyCredentials:
        return self._given

    def refused(self) -> None:
        pass


class AmbientCredentials:
    """
    What botocore finds around the process: environment variables, its files, a web identity, the role of the
    container or of the machine. It asks over the network and waits, so it runs in threads.

    :param find: blocks; the botocore credentials, or None.
    """

    def __init__(self, threads: Threads, find: Callable[[], Any]) -> None:
        self._threads = threads
        self._find = find
        self._source: Any = None
        self._current: ReadOnlyCredentials | None = None
        self._renewed = Shared(self._renew)

    async def get(self) -> ReadOnlyCredentials:
        if self._current is None or self._expires_within(_LATE):
            await self._renewed.wait()
        elif self._expires_within(_SOON):
            self._renewed.start()
        assert self._current is not None
        return self._current

    def refused(self) -> None:
        self._source = self._current = None

    def _expires_within(self, seconds: int) -> bool:
        needed = getattr(self._source, "refresh_needed", None)
        return needed is not None and bool(needed(seconds))

    def _renew(self) -> Awaitable[None]:
        return self._threads.run(self._renew_in_thread)

    def _renew_in_thread(self) -> None:
        try:
            source = self._source or self._find()
            current = source and source.get_frozen_credentials()
        except (BotoCoreError, OSError, RuntimeError, ValueError) as error:
            raise StorageUnavailable(f"no credentials for S3: {error}") from error
        if current is None:
            raise StorageUnavailable(
                "no credentials for S3: give accesskey and secretkey, or have them in the environment"
            )
        self._source, self._current = source, current


def find_ambient() -> Any:
    """What botocore finds; it is loaded here only."""
    from botocore.session import Session  # noqa: PLC0415 -- megabytes that keys in the configuration do not need

    return Session().get_credentials()
