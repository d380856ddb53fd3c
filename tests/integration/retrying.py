"""
A client that goes on through failures as container tools do, and remembers what was acknowledged.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import define, field, frozen

from .client import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, OCTETS, descriptor, digest_of, random_bytes

_TIMEOUT = 30.0
_PAUSE = 0.05
"""Seconds before something is tried again."""


class Failed(Exception):
    """No answer, or one of the server's failures: try again."""


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@define
class Acknowledged:
    """
    What servers have said to be stored.

    :ivar manifests: by repository and tag.
    :ivar blobs: by digest: a repository that holds it, and the content.
    """

    manifests: dict[tuple[str, str], bytes] = field(factory=dict)
    blobs: dict[str, tuple[str, bytes]] = field(factory=dict)
    changed: threading.Condition = field(factory=threading.Condition)

    def await_manifests(self, count: int, patience: float) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.manifests) >= count, patience), len(self.manifests)


class RetryingClient:
    """
    :param address: HOST:PORT.
    :param patience: seconds after which it gives up.
    """

    def __init__(self, address: str, acknowledged: Acknowledged, patience: float) -> None:
        self._address = address
        self._known = acknowledged
        self._deadline = time.monotonic() + patience

    def ask(self, method: str, url: str, body: bytes = b"", media_type: str = OCTETS) -> Answer:
        """:raise Failed:"""
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT)
        target = url if url.startswith("/") else "?".join(filter(None, urlsplit(url)[2:4]))
        try:
            connection.request(method, target, body or None, {"Content-Type": media_type} if body else {})
            found = connection.getresponse()
            answer = Answer(found.status, dict(found.headers), found.read())
        except (OSError, http.client.HTTPException) as error:
            raise Failed(repr(error)) from error
        finally:
            connection.close()
        if answer.status >= 500:
            raise Failed(str(answer.status))
        return answer

    def read(self, path: str) -> Answer:
        """A GET, made until it is answered."""
        while True:
            try:
                return self.ask("GET", path)
            except Failed as failure:
                self._before_again(failure)

    def push_image(self, repository: str, tag: str, *sizes: int) -> None:
        """An image of layers of those sizes."""
        config = b'{"tag": "%s"}' % tag.encode()
        layers = [random_bytes(size) for size in sizes]
        for content in (config, *layers):
            self._push_blob(repository, content)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(config, OCI_CONFIG),
                "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
            }
        ).encode()
        while True:
            try:
                answer = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, OCI_MANIFEST)
            except Failed as failure:
                self._before_again(failure)
            else:
                assert answer.status == 201, answer
                break
        with self._known.changed:
            self._known.manifests[repository, tag] = manifest
            self._known.changed.notify_all()

    def _push_blob(self, repository: str, content: bytes) -> None:
        while True:
            try:
                self._push_once(repository, content)
            except Failed as failure:
                self._before_again(failure)
            else:
                self._known.blobs[digest_of(content)] = (repository, content)
                return

    def _push_once(self, repository: str, content: bytes) -> None:
        """
        By POST, two PATCHes and PUT. Where a PATCH fails, the upload goes on from where it is.

        :raise Failed: if it has to be begun anew.
        """
        answer = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status == 202, answer
        location, offset = answer.headers["Location"], 0
        while offset < len(content):
            end = min(len(content), offset + max(1, len(content) // 2))
            try:
                answer = self.ask("PATCH", location, content[offset:end])
            except Failed as failure:
                self._before_again(failure)
                answer = self.ask("GET", location)
            if answer.status not in (202, 204):
                raise Failed(f"the upload cannot go on: {answer.status}")
            location = answer.headers["Location"]
            offset = _end_of(answer.headers["Range"])
        separator = "&" if "?" in location else "?"
        answer = self.ask("PUT", f"{location}{separator}digest={digest_of(content)}")
        if answer.status != 201:
            raise Failed(f"the upload cannot be ended: {answer.status}")

    def _before_again(self, failure: Failed) -> None:
        assert time.monotonic() < self._deadline, f"again and again: {failure}"
        time.sleep(_PAUSE)


def _end_of(span: str) -> int:
    """Bytes that an upload has. (One byte and none are said in the same way.)"""
    return 0 if span == "0-0" else int(span.partition("-")[2]) + 1
