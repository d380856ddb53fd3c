"""Files that hold what no registry has written there."""

from __future__ import annotations

import os

from .raw import OCI_MANIFEST, Peer, WellTestCase, closing, descriptor, image, path_of, sha256
from .server import RunningRegistry


class TornFilesTests(WellTestCase):
    """What a crash of the whole machine may leave where directories outlive the bytes of files."""

    def overwrite(self, served: RunningRegistry, names: tuple[str, ...], junk: bytes) -> None:
        """Below the repositories; the server is started anew, so that it remembers nothing."""
        served.kill()
        count = 0
        for folder, _, files in os.walk(os.path.join(served.data, "docker/registry/v2/repositories")):
            for name in names:
                if name in files:
                    count += 1
                    with open(os.path.join(folder, name), "wb") as file:
                        file.write(junk)
        self.assertGreater(count, 0)
        served.start()

    def test_links(self) -> None:
        with RunningRegistry() as served:
            with Peer(served.port) as peer:
                digest = peer.push_blob("torn", b"{}")
                content = image(b"{}")
                peer.push_manifest("torn", "t", content)
            for junk in (b"", b"sha256:" + b"0" * 63 + b"\xff"):
                self.overwrite(served, ("link",), junk)
                with Peer(served.port) as peer:
                    for target in ("manifests/t", f"manifests/{sha256(content)}", f"blobs/{digest}"):
                        self.assertEqual(peer.ask("GET", f"/v2/torn/{target}").status, 404)
                    self.assertEqual(peer.ask("GET", "/v2/torn/tags/list").status, 200)
                    self.assertEqual(peer.ask("GET", f"/v2/torn/referrers/{digest}").status, 200)
                    self.assertEqual(peer.ask("DELETE", f"/v2/torn/manifests/{sha256(content)}").status, 404)
                    peer.push_blob("torn", b"{}")
                    self.assertEqual(peer.push_manifest("torn", "t", content).status, 201)
                    self.assertEqual(peer.ask("GET", "/v2/torn/manifests/t").body, content)
            self.assert_clean(served.read_log())

    def test_what_is_not_flushed(self) -> None:
        """The registry writes these without waiting for the disk."""
        with RunningRegistry() as served:
            for junk in (b"", b"null", b'{"algorithm":1,"offset":"x","digests":[]}'):
                with Peer(served.port) as peer:
                    digest = peer.push_blob("torn", b"{}")
                    content = image(b"{}", subject=descriptor(digest, 2, OCI_MANIFEST))
                    peer.push_manifest("torn", "t", content)
                    peer.ask("GET", f"/v2/torn/referrers/{digest}")
                    place = path_of(peer.ask("PATCH", peer.start("torn"), b"abc"))
                self.overwrite(served, ("scanned", "progress", "startedat"), junk)
                with Peer(served.port) as peer:
                    found = peer.ask("GET", f"/v2/torn/referrers/{digest}")
                    self.assertEqual((found.status, len(found.json()["manifests"])), (200, 1), junk)
                    found = peer.ask("PUT", closing(place, sha256(b"abcd")), b"d")
                    self.assertEqual(found.status, 201, junk)
            self.assert_clean(served.read_log())

    def test_descriptors_of_referrers(self) -> None:
        with RunningRegistry() as served:
            with Peer(served.port) as peer:
                digest = peer.push_blob("torn", b"{}")
                content = image(b"{}", subject=descriptor(digest, 2, OCI_MANIFEST))
                peer.push_manifest("torn", "t", content)
            for junk in (b"", b"[]"):
                self.overwrite(served, ("descriptor",), junk)
                with Peer(served.port) as peer:
                    self.assertEqual(peer.ask("GET", f"/v2/torn/referrers/{digest}").status, 200, junk)
            self.assert_clean(served.read_log())
