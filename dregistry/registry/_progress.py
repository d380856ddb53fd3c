"""
What an upload session leaves in storage for its next request, in whatever process that comes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from attrs import field, frozen

from ..digest import CANONICAL
from ..errors import RangeInvalid
from ..storage import paths
from ._core import Core


@frozen
class Progress:
    """
    What a session leaves for its next request.

    :ivar algorithm: that the client announced (distribution-spec, end-4c).
    :ivar offset: the bytes that ``digests`` are of.
    :ivar digests: algorithm to hexadecimal digest; empty if nobody has hashed them.
    """

    algorithm: str = CANONICAL
    offset: int = 0
    digests: dict[str, str] = field(factory=dict)

    def encode(self) -> bytes:
        return json.dumps({"algorithm": self.algorithm, "offset": self.offset, "digests": self.digests}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Progress:
        try:
            found = json.loads(content)
            return cls(str(found["algorithm"]), int(found["offset"]), dict(found["digests"]))
        except (ValueError, KeyError, TypeError):
            return cls()


async def save(core: Core, name: str, uuid: str, progress: Progress, again: bool = False) -> None:
    """Write a session's progress; with the first one goes the time by which registries find forgotten sessions."""
    await core.driver.put_content(paths.upload_progress(name, uuid), progress.encode(), durable=False)
    if not again:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        await core.driver.put_content(paths.upload_started_at(name, uuid), now.encode("ascii"), durable=False)


def busy(uuid: str, offset: int) -> RangeInvalid:
    return RangeInvalid("another request is writing to this upload", upload=uuid, offset=offset)
