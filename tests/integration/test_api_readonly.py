"""A registry that is in read-only mode."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.client import OCI_MANIFEST, ApiCase, Client, digest_of, encode
from tests.integration.server import RunningRegistry

DIGEST = digest_of(b"nothing")


class ReadOnly(ApiCase):
    """A registry whose ``storage.maintenance.readonly`` is on, with content of before."""

    settings: ClassVar[dict[str, Any]] = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}
    repo = "kept/image"
    session: ClassVar[str]
    image: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        writable = RunningRegistry()
        cls.addClassCleanup(writable.__exit__, None, None, None)
        writable.start()
        client = Client(writable.address)
        cls.image = client.push_manifest(cls.repo, client.image(cls.repo), "v1")
        cls.session = client.patch(client.start_upload(cls.repo).location, b"begun").location.rsplit("/", 1)[1]
        writable.stop()
        cls.server = RunningRegistry(cls.settings, data=writable.data)
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.server.start()
        cls.client = Client(cls.server.address)

    def setUp(self) -> None:
        """The repository is the same for all."""

    def test_reading(self) -> None:
        base = f"/v2/{self.repo}"
        manifest = self.assert_status(self.client.get(f"{base}/manifests/v1"), 200).json()
        for descriptor in (manifest["config"], *manifest["layers"]):
            self.assert_status(self.client.get(f"{base}/blobs/{descriptor['digest']}"), 200)
        for path in (f"{base}/tags/list", f"{base}/referrers/{DIGEST}", "/v2/_catalog", "/v2/"):
            self.assert_status(self.client.get(path), 200)

    def test_writing(self) -> None:
        base = f"/v2/{self.repo}"
        content = encode({"schemaVersion": 2})
        for method, path in (
            ("POST", f"{base}/blobs/uploads/"),
            ("POST", f"{base}/blobs/uploads/?digest={digest_of(content)}"),
            ("POST", f"{base}/blobs/uploads/?mount={DIGEST}&from=a"),
            ("PATCH", f"{base}/blobs/uploads/{self.session}"),
            ("PUT", f"{base}/blobs/uploads/{self.session}?digest={digest_of(content)}"),
            ("DELETE", f"{base}/blobs/uploads/{self.session}"),
            ("PUT", f"{base}/manifests/v2"),
            ("PUT", f"{base}/manifests/{digest_of(content)}"),
            ("DELETE", f"{base}/manifests/v1"),
            ("DELETE", f"{base}/manifests/{self.image['digest']}"),
            ("DELETE", f"{base}/blobs/{DIGEST}"),
        ):
            with self.subTest(path, method=method):
                answer = self.client.request(method, path, content, {"Content-Type": OCI_MANIFEST})
                self.assert_error(answer, 405, "UNSUPPORTED")
                self.assertEqual(answer["Allow"], "GET, HEAD", repr(answer))
                self.assertTrue(answer["Retry-After"], repr(answer))
        self.assert_status(self.client.get(f"{base}/manifests/v1"), 200)
