"""Lists of tags and of repositories: order, pages, and links to the byte."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.integration.client import OCI_MANIFEST, ApiCase, Response, digest_of, encode

BAD_COUNTS = ("-1", "-0x1", "junk", "1.5", "1_0", "1e1", "0x10", "%D9%A3", "--2", "1%2C2")


class TagLists(ApiCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = f"/v2/{self.repo}/tags/list"
        self.content = encode(self.client.image(self.repo))

    def push(self, *tags: str) -> None:
        for tag in tags:
            self.assert_status(self.client.put_manifest(self.repo, tag, self.content), 201)

    def tags(self, query: str = "") -> list[str]:
        return self.assert_status(self.client.get(self.url + query), 200).json()["tags"]

    def pages(self, query: str) -> list[list[str]]:
        """Every page, by the links."""
        pages, link = [], self.url + query
        while link:
            answer = self.assert_status(self.client.get(link), 200)
            pages.append(answer.json()["tags"])
            self.assertLess(len(pages), 100)
            link = (answer["Link"] or "").removesuffix('>; rel="next"').removeprefix("<")
        return pages

    def test_body(self) -> None:
        self.push("v1", "v2")
        answer = self.assert_status(self.client.get(self.url), 200)
        self.assertEqual(answer["Content-Type"], "application/json")
        self.assertEqual(answer.body, b'{"name":"%b","tags":["v1","v2"]}\n' % self.repo.encode())
        self.assertIsNone(answer["Link"])

    def test_order_is_of_bytes(self) -> None:
        tags = ["v1.10", "v1.9", "V1", "_a", "a", "B", "0", "10", "9", "v1", "v1-rc", "v1.", "v1_", "v10", "latest"]
        self.push(*tags)
        self.assertEqual(self.tags(), sorted(tags))
        self.assertEqual([tag for page in self.pages("?n=4") for tag in page], sorted(tags))
        for tag in [*tags, "", "a0", "zz", "~"]:
            with self.subTest(tag):
                self.assertEqual(self.tags(f"?last={tag}"), sorted(other for other in tags if other > tag))

    def test_link(self) -> None:
        self.push("v1", "v2", "v3")
        for query in ("?n=1", "?n=1&last=v0", "?last=&n=1", "?n=1&other=x", "?n=%2B1", "?n=01"):
            with self.subTest(query):
                answer = self.assert_status(self.client.get(self.url + query), 200)
                self.assertEqual(answer["Link"], f'<{self.url}?last=v1&n=1>; rel="next"')
                self.assertEqual(answer.json()["tags"], ["v1"])

    def test_pages(self) -> None:
        self.push(*"abcde")
        for count, pages in {
            1: [["a"], ["b"], ["c"], ["d"], ["e"]],
            2: [["a", "b"], ["c", "d"], ["e"]],
            4: [["a", "b", "c", "d"], ["e"]],
            5: [["a", "b", "c", "d", "e"]],
            1000: [["a", "b", "c", "d", "e"]],
            5000: [["a", "b", "c", "d", "e"]],
        }.items():
            with self.subTest(count):
                self.assertEqual(self.pages(f"?n={count}"), pages)

    def test_none(self) -> None:
        self.push("v1", "v2")
        for query in ("?n=0", "?n=0&last=v1", "?last=v2", "?last=v2&n=5", "?last=zzz"):
            with self.subTest(query):
                answer = self.assert_status(self.client.get(self.url + query), 200)
                self.assertEqual(answer.json()["tags"], [])
                self.assertIsNone(answer["Link"])

    def test_empty_count_is_none_given(self) -> None:
        self.push("v1", "v2")
        self.assertEqual(self.tags("?n="), ["v1", "v2"])

    def test_bad_count(self) -> None:
        self.push("v1")
        for count in BAD_COUNTS:
            with self.subTest(count):
                answer = self.client.get(f"{self.url}?n={count}")
                self.assert_error(answer, 400, "PAGINATION_NUMBER_INVALID")
        answer = self.client.get(f"{self.url}?n=-1")
        self.assertEqual(answer.json()["errors"][0]["detail"], {"n": -1})

    def test_enormous_count(self) -> None:
        self.push("v1")
        answer = self.client.get(f"{self.url}?n={'9' * 5000}")
        self.assertIn(answer.status, (200, 400), repr(answer))

    def test_junk_in_last(self) -> None:
        self.push("v1", "v2")
        for last in ("%FF", "%00", "..%2F..", "%C3%A9", "a" * 5000, "%22%3E"):
            with self.subTest(last):
                self.assertLess(self.client.get(f"{self.url}?n=1&last={last}").status, 500)

    def test_head(self) -> None:
        self.push("v1", "v2")
        for query in ("", "?n=1"):
            got, head = self.client.get(self.url + query), self.client.head(self.url + query)
            self.assert_status(head, 200)
            self.assertEqual(head.body, b"")
            for name in ("Content-Length", "Content-Type", "Link"):
                self.assertEqual(head[name], got[name], name)

    def test_unknown_repository(self) -> None:
        answer = self.assert_error(self.client.get("/v2/no/such/tags/list"), 404, "NAME_UNKNOWN")
        self.assertEqual(answer.json()["errors"][0]["detail"], {"name": "no/such"})
        self.assert_status(self.client.head("/v2/no/such/tags/list"), 404)

    def test_manifests_without_tags(self) -> None:
        self.client.push_manifest(self.repo, self.content)
        self.assertEqual(self.client.get(self.url).body, b'{"name":"%b","tags":[]}\n' % self.repo.encode())
        self.push("v1")
        self.client.delete(f"/v2/{self.repo}/manifests/v1")
        self.assertEqual(self.tags(), [])

    def test_deleted_tags_are_gone_at_once(self) -> None:
        self.client.push_manifest(self.repo, self.client.image(self.repo))
        self.push("v1", "v2", "v3")
        self.client.delete(f"/v2/{self.repo}/manifests/v2")
        self.assertEqual(self.tags(), ["v1", "v3"])
        self.assertEqual(self.pages("?n=1"), [["v1"], ["v3"]])
        self.client.delete(f"/v2/{self.repo}/manifests/{digest_of(self.content)}")
        self.assertEqual(self.tags(), [])


class SmallPages(ApiCase):
    settings = {"tags": {"maxtags": 3}, "catalog": {"maxentries": 3}}
    tag_list: ClassVar[str] = "/v2/many/tags/list"

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        content = encode(cls.client.image("many"))
        for number in range(5):
            cls.client.put_manifest("many", f"v{number}", content, OCI_MANIFEST)
        for name in ("a", "b", "c"):
            cls.client.push_manifest(name, cls.client.image(name), "v1")

    def test_tags_are_clamped(self) -> None:
        for count in (3, 4, 1000, 10**9):
            with self.subTest(count):
                answer = self.assert_status(self.client.get(f"{self.tag_list}?n={count}"), 200)
                self.assertEqual(answer.json()["tags"], ["v0", "v1", "v2"])
                self.assertEqual(answer["Link"], f'<{self.tag_list}?last=v2&n=3>; rel="next"')

    def test_all_tags_without_a_count(self) -> None:
        answer = self.assert_status(self.client.get(self.tag_list), 200)
        self.assertEqual(len(answer.json()["tags"]), 5)
        self.assertIsNone(answer["Link"])

    def test_catalog_is_not_clamped(self) -> None:
        answer = self.client.get("/v2/_catalog?n=4")
        self.assert_error(answer, 400, "PAGINATION_NUMBER_INVALID")
        self.assertEqual(answer.json()["errors"][0]["detail"], {"n": 4})
        self.assert_status(self.client.get("/v2/_catalog?n=3"), 200)

    def test_default_page_of_the_catalog(self) -> None:
        answer = self.assert_status(self.client.get("/v2/_catalog"), 200)
        self.assertEqual(answer.json()["repositories"], ["a", "b", "c"])
        self.assertEqual(answer["Link"], '</v2/_catalog?last=c&n=3>; rel="next"')
        answer = self.assert_status(self.client.get("/v2/_catalog?last=c&n=3"), 200)
        self.assertEqual(answer.json()["repositories"], ["many"])
        self.assertIsNone(answer["Link"])


class Catalog(ApiCase):
    names: ClassVar[list[str]] = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "b/blobs/uploads/x", "x/manifests/y"]
    images: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for name in reversed(cls.names):
            cls.images[name] = cls.client.push_manifest(name, cls.client.image(name), "v1")

    def list(self, query: str = "") -> Response:
        return self.assert_status(self.client.get("/v2/_catalog" + query), 200)

    def test_body(self) -> None:
        answer = self.list()
        self.assertEqual(answer["Content-Type"], "application/json")
        self.assertTrue(answer.body.startswith(b'{"repositories":["a","a-b","a.b","a/b",'), answer.body)
        self.assertEqual(answer.json(), {"repositories": self.names})
        self.assertIsNone(answer["Link"])

    def test_pages(self) -> None:
        for count in range(1, len(self.names) + 2):
            with self.subTest(count):
                names, link = [], f"/v2/_catalog?n={count}"
                for _ in range(len(self.names) + 1):
                    answer = self.assert_status(self.client.get(link), 200)
                    names += answer.json()["repositories"]
                    if answer["Link"] is None:
                        break
                    link = answer["Link"].removesuffix('>; rel="next"').removeprefix("<")
                self.assertEqual(names, self.names)
                self.assertIsNone(answer["Link"])

    def test_link_is_escaped(self) -> None:
        self.assertEqual(self.list("?n=4")["Link"], '</v2/_catalog?last=a%2Fb&n=4>; rel="next"')
        self.assertEqual(self.list("?n=1&last=a/b")["Link"], '</v2/_catalog?last=a%2Fb%2Fc&n=1>; rel="next"')

    def test_last_need_not_exist(self) -> None:
        for last in ("", "a!", "a/", "a/a", "a/b/", "a/zzz", "zzz", "A"):
            with self.subTest(last):
                names = self.list(f"?last={last}").json()["repositories"]
                self.assertEqual(names, [name for name in self.names if name > last])

    def test_none(self) -> None:
        answer = self.list("?n=0")
        self.assertEqual(answer.json(), {"repositories": []})
        self.assertIsNone(answer["Link"])

    def test_bad_count(self) -> None:
        for count in (*BAD_COUNTS, "1001"):
            with self.subTest(count):
                self.assert_error(self.client.get(f"/v2/_catalog?n={count}"), 400, "PAGINATION_NUMBER_INVALID")
        for count in ("-1", "junk"):
            answer = self.client.get(f"/v2/_catalog?n={count}")
            self.assertEqual(answer.json()["errors"][0]["detail"], {"n": count})

    def test_head(self) -> None:
        got, head = self.list("?n=2"), self.client.head("/v2/_catalog?n=2")
        self.assert_status(head, 200)
        for name in ("Content-Length", "Content-Type", "Link"):
            self.assertEqual(head[name], got[name], name)

    def test_repository_without_manifests_is_not_listed(self) -> None:
        image = self.client.push_manifest("gone", self.client.image("gone"), "v1")
        self.assertIn("gone", self.list().json()["repositories"])
        self.assert_status(self.client.delete(f"/v2/gone/manifests/{image['digest']}"), 202)
        self.assertNotIn("gone", self.list().json()["repositories"])


class EmptyRegistry(ApiCase):
    def test_catalog(self) -> None:
        self.assertEqual(self.client.get("/v2/_catalog").body, b'{"repositories":[]}\n')
