"""
The registry and its repositories: where the web layer enters the domain.
"""

from __future__ import annotations

from ..storage import paths
from ._core import Core
from ._guard import guarded
from .blobs import Blobs
from .catalog import Selection, find_repositories, select_repositories
from .listener import OriginSource
from .manifests import Manifests
from .referrers import Referrers
from .tags import Tags
from .uploads import Uploads


class Registry:
    """
    All repositories of one storage.

    :ivar redirects: whether clients may be sent elsewhere for blobs (:meth:`Blobs.redirection`).
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.redirects = core.redirecting is not None

    def repository(self, name: str, origin: OriginSource) -> Repository:
        """
        The repository of a checked name, existing or not, for one request.

        :param origin: tells who asks; events carry it.
        """
        return Repository(self._core, name, origin)

    @guarded
    async def catalog(self, after: str, limit: int, selection: Selection | None = None) -> list[str]:
        """
        The names of repositories with manifests, those that sort after ``after``, the first ``limit`` of them.

        :param selection: only those that are in it; None for all.
        """
        driver = self._core.driver
        if selection is None:
            return await find_repositories(driver, paths.MANIFESTS_DIRECTORY, after, limit)
        return await select_repositories(driver, paths.MANIFESTS_DIRECTORY, after, limit, selection)


class Repository:
    """One repository, as one request sees it. Its parts cost next to nothing to make."""

    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self.name = name
        self._core = core
        self._origin = origin

    @property
    def blobs(self) -> Blobs:
        return Blobs(self._core, self.name, self._origin)

    @property
    def uploads(self) -> Uploads:
        return Uploads(self._core, self.name, self._origin)

    @property
    def tags(self) -> Tags:
        return Tags(self._core, self.name, self._origin)

    @property
    def referrers(self) -> Referrers:
        return Referrers(self._core, self.name)

    @property
    def manifests(self) -> Manifests:
        return Manifests(self._core, self.name, self._origin, self.tags, self.referrers)
