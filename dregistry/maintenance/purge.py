"""
Purging of uploads: sessions that nobody has finished.

Distribution's rule: a session goes when it *began* longer ago than the age, as its file ``startedat`` says. One
without that file distribution keeps for ever; here the time when its bytes last changed counts instead. A session
that a request is writing to stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import define, frozen

from ..storage import Tree, paths
from ._repositories import repositories
from .report import UPLOAD, Item, Watcher

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@define
class Purge:
    """
    :ivar sessions: that went, or in a dry run would have.
    :ivar size: bytes in them.
    :ivar remaining: sessions that did not.
    """

    sessions: int = 0
    size: int = 0
    remaining: int = 0


@frozen
class _Session:
    """:ivar since: seconds since the epoch; None if nothing tells."""

    repository: str
    uuid: str
    size: int
    since: float | None


def purge_uploads(tree: Tree, age: float, dry_run: bool, watcher: Watcher, now: float) -> Purge:
    """
    Remove the sessions that began longer ago than ``age`` seconds.

    :param now: seconds since the epoch.
    :raise StorageError: if the storage fails.
    """
    done = Purge()
    watcher.phase("purging uploads")
    for session in _sessions(tree):
        old = session.since is not None and now - session.since > age
        if not old or tree.in_use(paths.upload_data(session.repository, session.uuid)):
            done.remaining += 1
            continue
        if not dry_run:
            tree.delete([paths.upload(session.repository, session.uuid)])
        done.sessions += 1
        done.size += session.size
        reason = f"nobody has finished it since {datetime.fromtimestamp(session.since or 0, UTC):%Y-%m-%dT%H:%M:%SZ}"
        watcher.item(Item(UPLOAD, session.uuid, reason, not dry_run, session.repository, session.size))
        watcher.step()
    return done


def _sessions(tree: Tree) -> Iterator[_Session]:
    for place in repositories(tree):
        if "_uploads" in place.parts:
            for uuid in tree.names(paths.uploads(place.name)):
                if _UUID.fullmatch(uuid):
                    yield _session(tree, place.name, uuid)


def _session(tree: Tree, name: str, uuid: str) -> _Session:
    [started_at] = tree.contents([paths.upload_started_at(name, uuid)])
    files = (paths.upload_data(name, uuid), paths.upload_progress(name, uuid))
    data, *others = tree.stats([*files, paths.upload(name, uuid)])
    since = _time(started_at or b"")
    if since is None:
        since = max((info.modified for info in (data, *others) if info and info.modified is not None), default=None)
    return _Session(name, uuid, data.size if data else 0, since)


def _time(content: bytes) -> float | None:
    """What a ``startedat`` says, RFC 3339; None if a crash has left it torn."""
    try:
        found = datetime.fromisoformat(content.decode("ascii").strip())
        return found.timestamp() if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
