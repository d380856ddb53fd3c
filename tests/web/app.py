"""The whole app over ``treq.testing.StubTreq``: a plain Site, no sockets, a registry in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dregistry.auth import Access, AccessControl, Credential, Grant, IAccessController, Identity, Policy, Rule
from dregistry.digest import Digest
from dregistry.registry import Registry, Settings
from dregistry.web import Api
from dregistry.web._app import RegistryResource

from ..registry.support import CONFIG, LAYER, RegistryCase, image

BASE = "http://r.example"


@frozen
class Answer:
    """
    :ivar length: the value of Content-Length; None without one.
    :ivar headers: names in lower case; several values of one name are joined by a comma.
    """

    status: int
    length: int | None
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [entry["code"] for entry in self.json["errors"]]


@implementer(IAccessController)
class Doorkeeper:
    """Believes whoever gives a name as the scheme of ``Authorization``, and remembers what they wanted."""

    name = "doorkeeper"

    def __init__(self) -> None:
        self.asked: list[list[Access]] = []

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        self.asked.append(list(accesses))
        return Grant(Identity(credential.scheme)) if credential.scheme else None

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        return 'Basic realm="r"'


def guarded(*granted: tuple[str, str], keeper: Doorkeeper | None = None) -> AccessControl:
    """Everybody may do what is granted, pairs of repository and action, and nobody anything else."""
    rules = [Rule((name,), anonymous=True, actions=frozenset({action})) for name, action in granted]
    return AccessControl([keeper or Doorkeeper()], Policy(tuple(rules)))


class AppCase(RegistryCase):
    """
    A client of the app.

    :ivar api: what is served; :meth:`serve` sets others.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def serve(self, settings: Settings | None = None, driver: Any = None, **options: Any) -> None:
        self.api = Api(Registry(self.core(settings, driver)), **options)
        self._treq = StubTreq(RegistryResource(self.api))

    def start(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Deferred[Any]:
        found: Deferred[Any] = self._treq.request(
            method, BASE + path, headers=dict(headers), data=body, allow_redirects=False
        )
        return found

    def ask(self, method: str, path: str, status: int, body: bytes | None = None, **headers: str) -> Answer:
        """Make a request, whose answer must have that status; ``_`` in names of headers stands for a dash."""
        started = self.start(method, path, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        self._treq.flush()
        response = self.successResultOf(started)
        content = response.content()
        while not content.called:
            self._treq.flush()
        named = {
            name.decode().lower(): ",".join(value.decode("latin-1") for value in values)
            for name, values in response.headers.getAllRawHeaders()
        }
        length = named.pop("content-length", response.length)  # treq takes it out of the headers, but for HEAD
        found = Answer(
            response.code, int(length) if str(length).isdigit() else None, named, self.successResultOf(content)
        )
        self.assertEqual(found.status, status, found.body[:500])
        self.assertEqual(found.headers["docker-distribution-api-version"], "registry/2.0")
        return found

    def refuse(
        self, method: str, path: str, status: int, code: str, body: bytes | None = None, **headers: str
    ) -> Answer:
        """A request that is refused in the form of the API."""
        found = self.ask(method, path, status, body, **headers)
        self.assertEqual(found.headers["content-type"], "application/json")
        if method != "HEAD":
            self.assertEqual(found.codes[0], code, found.body)
        return found

    def upload(self, content: bytes, name: str = "a/b") -> Digest:
        digest = Digest.of(content)
        self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", 201, content)
        return digest

    def upload_image(self, reference: str = "v1", name: str = "a/b", **members: Any) -> Digest:
        for content in (CONFIG, LAYER):
            self.upload(content, name)
        content = image(**members)
        self.ask("PUT", f"/v2/{name}/manifests/{reference}", 201, content)
        return Digest.of(content)
