"""Many clients at one repository: nothing is lost, and conditions hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.integration.client import (
    EXAMPLE_TYPE,
    OCI_MANIFEST,
    ApiCase,
    Response,
    descriptor,
    digest_of,
    encode,
    random_bytes,
)

COUNT = 12


class Concurrency(ApiCase):
    def together(self, calls: Iterable[Callable[[], Response]]) -> list[Response]:
        with ThreadPoolExecutor(COUNT) as pool:
            answers = [future.result() for future in [pool.submit(call) for call in calls]]
        for answer in answers:
            self.assertLess(answer.status, 500, repr(answer))
        return answers

    def statuses(self, calls: Iterable[Callable[[], Response]]) -> list[int]:
        return sorted(answer.status for answer in self.together(calls))

    def manifests(self) -> list[bytes]:
        image = self.client.image(self.repo)
        return [encode({**image, "annotations": {"number": str(number)}}) for number in range(COUNT)]

    def put(self, reference: str, content: bytes, **headers: str) -> Callable[[], Response]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return partial(self.client.put_manifest, self.repo, reference, content, headers=named)

    def url(self, reference: str) -> str:
        return f"/v2/{self.repo}/manifests/{reference}"

    def test_one_client_makes_a_new_tag(self) -> None:
        for tag in ("v1", "v2", "v3"):
            calls = [self.put(tag, content, If_None_Match="*") for content in self.manifests()]
            self.assertEqual(self.statuses(calls), [201] + [412] * (COUNT - 1))

    def test_one_client_replaces_what_it_has_seen(self) -> None:
        first, *others = self.manifests()
        for _ in range(3):
            self.assert_status(self.put("v1", first)(), 201)
            calls = [self.put("v1", content, If_Match=f'"{digest_of(first)}"') for content in others]
            self.assertEqual(self.statuses(calls), [201] + [412] * (COUNT - 2))

    def test_tag_is_one_of_those_pushed(self) -> None:
        contents = self.manifests()
        self.assertEqual(self.statuses(self.put("v1", content) for content in contents), [201] * COUNT)
        self.assertIn(self.client.get(self.url("v1")).body, contents)

    def test_many_tags(self) -> None:
        content, *_ = self.manifests()
        tags = [f"t{number:02}" for number in range(COUNT)]
        self.assertEqual(self.statuses(self.put(tag, content) for tag in tags), [201] * COUNT)
        self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], tags)
        self.assert_status(self.client.delete(self.url(digest_of(content))), 202)
        for tag in tags:
            self.assert_status(self.client.get(self.url(tag)), 404)

    def test_pulls_during_pushes_of_one_tag(self) -> None:
        contents = self.manifests()
        self.put("v1", contents[0])()
        pulls = [partial(self.client.get, self.url("v1"))] * (2 * COUNT)
        pushes = [self.put("v1", content) for content in contents]
        calls = [call for pair in zip(pulls[::2], pushes, pulls[1::2], strict=True) for call in pair]
        for answer in self.together(calls):
            if answer.status == 200:
                self.assertIn(answer.body, contents)
                self.assertEqual(answer["Docker-Content-Digest"], digest_of(answer.body))
            else:
                self.assert_status(answer, 201)

    def test_referrers(self) -> None:
        subject = descriptor(random_bytes(), OCI_MANIFEST)
        artifact = self.client.artifact(self.repo, subject=subject)
        contents = [encode({**artifact, "annotations": {"number": str(number)}}) for number in range(COUNT)]
        digests = [digest_of(content) for content in contents]
        calls = [self.put(digest, content) for digest, content in zip(digests, contents, strict=True)]
        self.assertEqual(self.statuses(calls), [201] * COUNT)
        url = f"/v2/{self.repo}/referrers/{subject['digest']}"
        listed = self.client.get(url, query={"artifactType": EXAMPLE_TYPE}).json()["manifests"]
        self.assertEqual(sorted(item["digest"] for item in listed), sorted(digests))
        deletions = [partial(self.client.delete, self.url(digest)) for digest in digests[1:]]
        self.assertEqual(self.statuses(deletions), [202] * (COUNT - 1))
        self.assertEqual([item["digest"] for item in self.client.get(url).json()["manifests"]], digests[:1])

    def test_one_deletion_succeeds(self) -> None:
        content, other, *_ = self.manifests()
        self.put("v1", content)()
        self.put("v2", other)()
        self.assertEqual(
            self.statuses([partial(self.client.delete, self.url("v1"))] * COUNT), [202] + [404] * (COUNT - 1)
        )
        self.assert_status(self.client.get(self.url("v2")), 200)

    def test_one_deletion_of_a_blob_succeeds(self) -> None:
        for _ in range(10):
            url = f"/v2/{self.repo}/blobs/{self.client.push_blob(self.repo, random_bytes())}"
            self.assertEqual(self.statuses([partial(self.client.delete, url)] * COUNT), [202] + [404] * (COUNT - 1))

    def test_deleting_and_pushing_a_manifest(self) -> None:
        """Whoever comes last is right; the tag never points into the void."""
        content, other, *_ = self.manifests()
        self.put("other", other)()
        digest = digest_of(content)
        for _ in range(5):
            self.together([self.put("v1", content), partial(self.client.delete, self.url(digest))] * (COUNT // 2))
            listed = self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"]
            by_tag, by_digest = self.client.get(self.url("v1")), self.client.get(self.url(digest))
            self.assertEqual("v1" in listed, by_tag.status == 200, (listed, by_tag))
            if by_tag.status == 200:
                self.assert_status(by_digest, 200)
            self.assert_status(self.put("v1", content)(), 201)
            self.assertEqual(self.client.get(self.url("v1")).body, content)

    def test_deleting_and_pushing_a_blob(self) -> None:
        content = random_bytes()
        digest = digest_of(content)
        url = f"/v2/{self.repo}/blobs/{digest}"
        push = partial(
            self.client.request, "POST", f"/v2/{self.repo}/blobs/uploads/", content, query={"digest": digest}
        )
        for _ in range(5):
            self.together([push, partial(self.client.delete, url)] * (COUNT // 2))
            head, got = self.client.head(url), self.client.get(url)
            self.assertEqual(head.status, got.status)
            self.assert_status(push(), 201)
            self.assert_blob(content, digest)

    def test_cancel_and_finish(self) -> None:
        for _ in range(5):
            content = random_bytes(100_000)
            digest = digest_of(content)
            location = self.client.start_upload(self.repo).location
            cancel = partial(self.client.delete, location)
            finished, cancelled = self.together([partial(self.client.finish, location, digest, content), cancel])
            self.assertIn((finished.status, cancelled.status), [(201, 404), (404, 204), (201, 204)])
            if finished.status == 201:
                self.assert_blob(content, digest)
            else:
                self.assert_no_blob(digest)
            self.assert_error(self.client.get(location), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_mounting_while_pushing(self) -> None:
        content = random_bytes()
        digest = self.client.push_blob(self.repo, content)
        targets = [f"{self.repo}/t{number}" for number in range(COUNT)]
        mounts = [partial(self.client.start_upload, target, mount=digest, **{"from": self.repo}) for target in targets]
        self.assertEqual(self.statuses(mounts), [201] * COUNT)
        for target in targets:
            self.assert_blob(content, digest, target)
