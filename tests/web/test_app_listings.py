"""The catalog, tags (distribution-spec, end-8) and referrers (end-12)."""

from __future__ import annotations

import re

from dregistry.auth import AccessControl, Policy, Rule
from dregistry.digest import Digest
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.storage import paths
from dregistry.web._listing import PAGE

from ..registry.support import CONFIG, LAYER, descriptor, image
from .app import Answer, AppCase, Doorkeeper, guarded

CATALOG = "/v2/_catalog"
TAGS = "/v2/a/b/tags/list"


class ListingCase(AppCase):
    def next(self, found: Answer) -> str | None:
        """Where the next page is."""
        if "link" not in found.headers:
            return None
        link = re.fullmatch(r'<(/v2/[^>]*)>; rel="next"', found.headers["link"])
        assert link is not None, found.headers["link"]
        return link[1]

    def pages(self, path: str, member: str) -> list[list[str]]:
        found = []
        following: str | None = path
        while following is not None:
            answer = self.ask("GET", following, 200)
            found.append(answer.json[member])
            following = self.next(answer)
        return found

    def tag(self, *tags: str) -> None:
        for tag in tags:
            self.put(paths.tag_current_link("a/b", tag), Digest.of(b""))

    def refuse_n(self, path: str, *numbers: str) -> None:
        for n in numbers:
            found = self.refuse("GET", f"{path}?n={n}", 400, "PAGINATION_NUMBER_INVALID")
            self.assertIn("n", found.json["errors"][0]["detail"])


class CatalogTests(ListingCase):
    def repositories(self, *names: str) -> None:
        for name in names:
            self.put(paths.revision_link(name, Digest.of(b"")), Digest.of(b""))

    def test_empty(self) -> None:
        found = self.ask("GET", CATALOG, 200)
        self.assertEqual((found.body, found.headers["content-type"]), (b'{"repositories":[]}\n', "application/json"))

    def test_pages(self) -> None:
        self.repositories("a", "a/b", "b", "c/d", "e")
        self.assertEqual(self.pages(CATALOG, "repositories"), [["a", "a/b", "b", "c/d", "e"]])
        self.assertEqual(self.pages(CATALOG + "?n=2", "repositories"), [["a", "a/b"], ["b", "c/d"], ["e"]])
        self.assertEqual(self.pages(CATALOG + "?n=5", "repositories"), [["a", "a/b", "b", "c/d", "e"]])
        self.assertEqual(self.pages(CATALOG + "?n=2&last=a%2Fz", "repositories"), [["b", "c/d"], ["e"]])
        self.assertEqual(self.pages(CATALOG + "?n=0", "repositories"), [[]])
        self.assertEqual(
            self.ask("GET", CATALOG + "?n=2", 200).headers["link"], '</v2/_catalog?last=a%2Fb&n=2>; rel="next"'
        )

    def test_what_one_may_pull(self) -> None:
        """Full pages of it, and no name of anything else, in no link either."""
        secret = [f"s{number:03}" for number in range(50)]
        self.repositories("a/1", "a/2", "a/3", "s000/1", "s025/1", "z", *secret)
        rules = (
            Rule(("a/*", "s*/1", "z"), frozenset({"alice"}), actions=frozenset({"pull"})),
            Rule(("a/*",), anonymous=True, actions=frozenset({"pull"})),
            Rule(("**",), frozenset({"root"}), actions=frozenset({"*"})),
        )
        self.serve(access=AccessControl([Doorkeeper()], Policy(rules)))
        for user, n, expected in (
            ("alice", 2, [["a/1", "a/2"], ["a/3", "s000/1"], ["s025/1", "z"]]),
            ("alice", 6, [["a/1", "a/2", "a/3", "s000/1", "s025/1", "z"]]),
            ("", 2, [["a/1", "a/2"], ["a/3"]]),
            ("bob", 2, [["a/1", "a/2"], ["a/3"]]),
        ):
            headers = {"authorization": user} if user else {}
            found, path = [], f"{CATALOG}?n={n}"
            while path:
                answer = self.ask("GET", path, 200, **headers)
                self.assertNotIn("s0", answer.headers.get("link", "").replace("s000%2F1", "").replace("s025%2F1", ""))
                found.append(answer.json["repositories"])
                path = self.next(answer) or ""
            self.assertEqual(found, expected, user)

    def test_nothing_for_nobody(self) -> None:
        self.repositories("a")
        self.serve(access=guarded(("a", "push")))
        self.refuse("GET", CATALOG, 401, "UNAUTHORIZED")
        self.assertEqual(self.ask("GET", CATALOG, 200, authorization="bob").json, {"repositories": []})

    def test_default(self) -> None:
        names = [f"r{number:03}" for number in range(150)]
        self.repositories(*names)
        self.assertEqual(self.pages(CATALOG, "repositories"), [names[:100], names[100:]])
        self.serve(catalog_limit=60)
        self.assertEqual(len(self.ask("GET", CATALOG, 200).json["repositories"]), 60)

    def test_refused(self) -> None:
        self.refuse_n(CATALOG, "-1", "x", "1.5", "%20", "1001", "1_0", "9" * 30, "%D9%A1")
        found = self.refuse("GET", CATALOG + "?n=1001", 400, "PAGINATION_NUMBER_INVALID")
        self.assertEqual(found.json["errors"][0]["detail"], {"n": 1001})
        found = self.refuse("GET", CATALOG + "?n=-1", 400, "PAGINATION_NUMBER_INVALID")
        self.assertEqual(found.json["errors"][0]["detail"], {"n": "-1"})


class TagsTests(ListingCase):
    def test_all(self) -> None:
        self.tag("b", "a", "C")
        found = self.ask("GET", TAGS, 200)
        self.assertEqual(found.body, b'{"name":"a/b","tags":["C","a","b"]}\n')
        self.assertEqual((found.length, found.headers["content-type"]), (len(found.body), "application/json"))
        self.assertEqual(self.ask("HEAD", TAGS, 200).body, b"")

    def test_pages(self) -> None:
        self.tag("a", "b", "c", "d")
        self.assertEqual(self.pages(TAGS + "?n=3", "tags"), [["a", "b", "c"], ["d"]])
        self.assertEqual(self.pages(TAGS + "?n=4", "tags"), [["a", "b", "c", "d"]])
        self.assertEqual(self.pages(TAGS + "?n=1&last=b", "tags"), [["c"], ["d"]])
        self.assertEqual(self.pages(TAGS + "?last=b", "tags"), [["c", "d"]])
        self.assertEqual(self.pages(TAGS + "?last=d", "tags"), [[]])
        self.assertEqual(self.pages(TAGS + "?n=0", "tags"), [[]])

    def test_limit(self) -> None:
        """More than the limit is not an error, and not given."""
        self.tag("a", "b", "c")
        self.serve(tags_limit=2)
        self.assertEqual(self.pages(TAGS + "?n=1000", "tags"), [["a", "b"], ["c"]])

    def test_refused(self) -> None:
        self.tag("a")
        self.refuse_n(TAGS, "-1", "x", "9" * 30)
        self.refuse("GET", "/v2/other/tags/list", 404, "NAME_UNKNOWN")

    def test_very_many(self) -> None:
        """Written as they are read."""
        for count in (PAGE, PAGE + 1):
            tags = [f"t{number:05}" for number in range(count)]
            self.tag(*tags[-1:] if count > PAGE else tags)
            self.assertEqual(self.ask("GET", TAGS, 200).json, {"name": "a/b", "tags": tags})
        self.assertEqual(self.ask("HEAD", TAGS, 200).body, b"")


class ReferrersTests(ListingCase):
    def setUp(self) -> None:
        super().setUp()
        self.subject = Digest.of(image())
        self.path = f"/v2/a/b/referrers/{self.subject}"

    def refer(self, number: int, artifact_type: str = "a/b") -> str:
        for content in (CONFIG, LAYER):
            self.upload(content)
        content = image(
            subject=descriptor(image(), OCI_MANIFEST), artifactType=artifact_type, annotations={"n": str(number)}
        )
        self.ask("PUT", f"/v2/a/b/manifests/{Digest.of(content)}", 201, content)
        return str(Digest.of(content))

    def digests(self, path: str) -> list[list[str]]:
        return [[entry["digest"] for entry in page] for page in self.pages(path, "manifests")]

    def test_none(self) -> None:
        """An empty list, also where there is no such repository."""
        found = self.ask("GET", self.path, 200)
        self.assertEqual(found.json, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
        self.assertEqual(found.headers["content-type"], OCI_INDEX)
        self.assertNotIn("oci-filters-applied", found.headers)

    def test_pages(self) -> None:
        digests = sorted(self.refer(number) for number in range(5))
        self.assertEqual(self.digests(self.path), [digests])
        self.assertEqual(self.digests(self.path + "?n=2"), [digests[:2], digests[2:4], digests[4:]])
        self.assertEqual(self.digests(self.path + "?n=0")[0], digests[:1])
        self.assertEqual(self.digests(f"{self.path}?last={digests[3]}"), [digests[4:]])

    def test_filter(self) -> None:
        wanted = sorted(self.refer(number, "application/x+y") for number in range(3))
        self.refer(9)
        query = "?artifactType=application%2Fx%2By"
        found = self.ask("GET", self.path + query, 200)
        self.assertEqual(found.headers["oci-filters-applied"], "artifactType")
        self.assertEqual(self.digests(self.path + query), [wanted])
        self.assertEqual(self.digests(self.path + query + "&n=2"), [wanted[:2], wanted[2:]])
        self.assertEqual(self.digests(self.path + "?artifactType=none"), [[]])

    def test_refused(self) -> None:
        self.refuse("GET", "/v2/a/b/referrers/v1", 400, "DIGEST_INVALID")
        self.refuse("GET", self.path + "?last=x", 400, "DIGEST_INVALID")
        self.refuse_n(self.path, "-1", "x")
