"""
What an upload session leaves for its next request, in whatever process that comes.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime

from attrs import field, frozen

from ..digest import CANONICAL
from ..errors import RangeInvalid
from ..storage import PathNotFound, paths
from ._core import Core


@frozen
class Ticket:
    """
    What a client holds of a session. Whoever may push to the repository may make one up: it is worth no more than the
    request that gave it.

    :ivar begins: the algorithm by which the client will name the blob, for a session that may have no bytes yet; None
        if it is known to have some.
    """

    uuid: str
    begins: str | None = None


@frozen
class Progress:
    """
    What a session has in storage besides its bytes.

    :ivar algorithm: that the client announced (distribution-spec, end-4c).
    :ivar offset: the bytes that ``digests`` are of.
    :ivar digests: algorithm to hexadecimal digest; empty if nobody has hashed them.
    :ivar state: of the last writer, see :class:`dregistry.storage.IWriter`.
    :ivar ended: whether the session was cancelled before it had any bytes.
    :ivar run: tells it from others of the same uuid, before it and in other repositories. What is known of the bytes
        of one run, in whatever process, does not count for another.
    """

    algorithm: str = CANONICAL
    offset: int = 0
    digests: dict[str, str] = field(factory=dict)
    state: bytes = b""
    ended: bool = False
    run: str = ""

    def encode(self) -> bytes:
        fields = {"algorithm": self.algorithm, "offset": self.offset, "digests": self.digests, "run": self.run}
        if self.state:
            fields["state"] = b64encode(self.state).decode("ascii")
        if self.ended:
            fields["ended"] = True
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, content: bytes) -> Progress:
        try:
            found = json.loads(content)
            state = b64decode(found.get("state", ""), validate=True)
            ended = bool(found.get("ended", False))
            run = str(found.get("run", ""))
            return cls(str(found["algorithm"]), int(found["offset"]), dict(found["digests"]), state, ended, run)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


async def begin(core: Core, name: str, uuid: str, progress: Progress) -> None:
    """Write the first progress of a session, and the time by which registries find forgotten ones."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await core.driver.put_content(paths.upload_started_at(name, uuid), now.encode("ascii"), durable=False)
    await save(core, name, uuid, progress)


async def load(core: Core, name: str, uuid: str) -> Progress | None:
    """None if nothing of the session is in storage."""
    try:
        return Progress.decode(await core.driver.get_content(paths.upload_progress(name, uuid)))
    except PathNotFound:
        return None


async def written(core: Core, name: str, uuid: str) -> int:
    """How many bytes a session has in storage, whoever wrote them."""
    progress = await load(core, name, uuid) or Progress()
    try:
        return await core.driver.written(paths.upload_data(name, uuid), progress.state)
    except PathNotFound:
        return 0


async def save(core: Core, name: str, uuid: str, progress: Progress) -> None:
    await core.driver.put_content(paths.upload_progress(name, uuid), progress.encode(), durable=False)


def busy(uuid: str, offset: int) -> RangeInvalid:
    return RangeInvalid("another request is writing to this upload", upload=uuid, offset=offset)
