"""Limits of how often a client may ask, with clients that heed them; and what browsers ask."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth._slowdown import FREE_BY_USER

from ..auth.support import hashed
from ..storage.support import temporary_directory
from .client import Client, Response
from .container_tools import PLAIN, ContainerTools
from .images import Layout, blobs_of, noise
from .server import RunningRegistry
from .test_logging import basic


def all_of(answer: Response, name: str) -> list[str]:
    """The members of a header that is a list, in one line or in several."""
    return [member.strip() for line in answer.headers.get_all(name, []) for member in line.split(",")]


class RateLimitTests(SynchronousTestCase):
    """skopeo and podman ask again after as many seconds as ``Retry-After`` says."""

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.tools = ContainerTools(self.folder)

    def serve(self, **limits: Any) -> RunningRegistry:
        settings = {"log": {"accesslog": {"disabled": False}}, "http": {"workers": 1, "ratelimit": limits}}
        return self.enterContext(RunningRegistry(settings))

    def test_pushed_and_pulled(self) -> None:
        self.tools.use_storage()
        layout = Layout(os.path.join(self.folder, "source"))
        source = layout.tag("v1", layout.image({"data": noise(1 << 20)}, {"more": noise(1 << 10, 1)}))
        registry = self.serve(rate=4, burst=3)
        target = f"{registry.address}/some/image:v1"
        self.tools.copy(source, f"docker://{target}")
        self.tools.copy(f"docker://{target}", f"oci:{self.folder}/copy:v1")
        self.assertEqual(blobs_of(layout.folder), blobs_of(os.path.join(self.folder, "copy")))
        self.tools.podman("pull", "--quiet", PLAIN, target)
        refused = [line for line in registry.read_log().splitlines() if '" 429 ' in line]
        self.assertTrue(any("containers/" in line for line in refused), registry.read_log())

    def test_one_client(self) -> None:
        """The others, behind the same proxy, are not held up; who is exempt never is."""
        settings = {
            "workers": 1,
            "trustedproxies": ["127.0.0.1"],
            "ratelimit": {"rate": 0.001, "burst": 2, "writes": {"rate": 0.001, "burst": 1}, "exempt": ["10.0.0.0/8"]},
        }
        client = Client(self.enterContext(RunningRegistry({"http": settings})).address)

        def statuses(method: str, path: str, address: str) -> list[int]:
            headers = {"X-Forwarded-For": address}
            return [client.request(method, path, headers=headers).status for _ in range(3)]

        self.assertEqual(statuses("GET", "/v2/", "203.0.113.1"), [200, 200, 429])
        self.assertEqual(statuses("POST", "/v2/a/blobs/uploads/", "203.0.113.1"), [202, 429, 429])
        self.assertEqual(statuses("GET", "/v2/", "203.0.113.2"), [200, 200, 429])
        self.assertEqual(statuses("GET", "/v2/", "10.1.2.3"), [200, 200, 200])
        self.assertEqual(
            client.request("GET", "/v2/", headers={"X-Forwarded-For": "203.0.113.1"})["Retry-After"], "1000"
        )


class BehindProxyTests(SynchronousTestCase):
    def test_guesses(self) -> None:
        """Of one client of a proxy do not slow down another, who has the same name wrong."""
        users = os.path.join(temporary_directory(self), "users")
        with open(users, "w") as file:
            file.write(f"alice:{hashed('right')}\n")
        settings = {
            "auth": {"htpasswd": {"realm": "r", "path": users}},
            "http": {"workers": 1, "trustedproxies": ["127.0.0.1"]},
        }
        registry = self.enterContext(RunningRegistry(settings))

        def ask(password: str, address: str) -> int:
            headers = {**basic("alice", password), "X-Forwarded-For": address}
            return Client(registry.address).request("GET", "/v2/", headers=headers).status

        for number in range(FREE_BY_USER):
            self.assertEqual(ask(f"wrong{number}", "203.0.113.1"), 401)
        self.assertEqual(ask("right", "203.0.113.2"), 200)
        self.assertIn("a credential from 203.0.113.1 is not good", registry.read_log())


class BrowserTests(SynchronousTestCase):
    """As a registry UI on another site needs it, for a registry with passwords."""

    def test_by_headers(self) -> None:
        """The way that is documented for distribution."""
        users = os.path.join(temporary_directory(self), "users")
        with open(users, "w") as file:
            file.write(f"alice:{hashed('right')}\n")
        headers = {
            "Access-Control-Allow-Origin": ["https://ui.example.com"],
            "Access-Control-Allow-Methods": ["HEAD", "GET", "OPTIONS", "DELETE"],
            "Access-Control-Allow-Headers": ["Authorization", "Accept", "Cache-Control"],
            "Access-Control-Expose-Headers": ["Docker-Content-Digest"],
            "Access-Control-Allow-Credentials": ["true"],
            "X-Content-Type-Options": ["nosniff"],
            "X-Note": ["ä"],
        }
        auth = {"htpasswd": {"realm": "r", "path": users}}
        registry = self.enterContext(RunningRegistry({"auth": auth, "http": {"workers": 1, "headers": headers}}))
        self.look(registry, "https://ui.example.com")

    def test_by_origin(self) -> None:
        users = os.path.join(temporary_directory(self), "users")
        with open(users, "w") as file:
            file.write(f"alice:{hashed('right')}\n")
        cors = {"origins": ["https://ui.example.com"], "credentials": True}
        auth = {"htpasswd": {"realm": "r", "path": users}}
        registry = self.enterContext(RunningRegistry({"auth": auth, "http": {"workers": 1, "cors": cors}}))
        self.look(registry, "https://ui.example.com")
        found = Client(registry.address).request("OPTIONS", "/v2/", headers={"Origin": "https://other.example"})
        self.assertIsNone(found["Access-Control-Allow-Origin"])

    def look(self, registry: RunningRegistry, origin: str) -> None:
        """What a browser does before and for a deletion."""
        client = Client(registry.address)
        asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        for path in ("/v2/", "/v2/_catalog", "/v2/a/manifests/sha256:" + "0" * 64):
            found = client.request(
                "OPTIONS", path, headers={**asked, "Access-Control-Request-Headers": "authorization"}
            )
            self.assertEqual((found.status, found["Access-Control-Allow-Origin"]), (200, origin))
            self.assertIn("DELETE", all_of(found, "Access-Control-Allow-Methods"))
            self.assertIn("Authorization", all_of(found, "Access-Control-Allow-Headers"))
        for headers, status in (({}, 401), (basic("alice", "right"), 200)):
            found = client.request("GET", "/v2/", headers={"Origin": origin, **headers})
            self.assertEqual((found.status, found["Access-Control-Allow-Origin"]), (status, origin))
            self.assertEqual(found["Access-Control-Allow-Credentials"], "true")
            self.assertIn("Docker-Content-Digest", all_of(found, "Access-Control-Expose-Headers"))
