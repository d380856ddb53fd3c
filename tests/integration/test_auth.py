"""Access control as a running server with several workers has it."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import ssl
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, ClassVar

import trustme
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth._slowdown import FREE_BY_USER

from ..auth.support import hashed, jwk, jwks, token
from .client import OCI_CONFIG, OCI_MANIFEST, ApiCase, Response, descriptor, digest_of, encode, random_bytes
from .raw import Peer, request
from .server import RunningRegistry

PATIENCE = 20.0
POLICY = [
    {"repositories": ["**", "public/**"], "users": ["alice"], "actions": ["*"]},
    {"repositories": ["public/**"], "anonymous": True, "actions": ["pull"]},
    {"repositories": ["team/**"], "users": ["bob"], "actions": ["pull", "push"]},
    {"repositories": ["team/secret"], "users": ["alice"], "actions": ["*"]},
]


def password(user: str, text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{text}".encode()).decode("ascii")}


ALICE = password("alice", "alice's")
BOB = password("bob", "bob's")


class ServedCase(ApiCase):
    folder: ClassVar[str]
    users: ClassVar[dict[str, str]]
    workers = 3

    @classmethod
    def section(cls) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.users = {}
        cls.write_users(alice="alice's", bob="bob's")
        cls.settings = {"auth": cls.section(), "http": {"workers": cls.workers}}
        super().setUpClass()

    @classmethod
    def write_users(cls, **passwords: str) -> None:
        """Give these users these passwords."""
        cls.users.update(passwords)
        path = os.path.join(cls.folder, "users")
        with open(path + "~", "w") as file:
            file.write("".join(f"{name}:{hashed(text)}\n" for name, text in cls.users.items()))
        os.replace(path + "~", path)

    @classmethod
    def htpasswd(cls) -> dict[str, Any]:
        return {"realm": "r", "path": os.path.join(cls.folder, "users")}

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, self.server.read_log())
            time.sleep(0.05)

    def statuses(self, headers: dict[str, str], path: str = "/v2/", times: int = 12) -> set[int]:
        """Over as many connections, so that every worker is asked."""
        return {self.client.get(path, headers).status for _ in range(times)}


class PolicyTests(ServedCase):
    @classmethod
    def section(cls) -> dict[str, Any]:
        return {"htpasswd": cls.htpasswd(), "policy": POLICY}

    def ask(self, path: str, headers: dict[str, str], method: str = "GET") -> int:
        return self.client.request(method, path, headers=headers).status

    def test_spellings_of_a_name(self) -> None:
        """However a path is written, what is decided on is the repository that would be served."""
        tail = "/manifests/none"
        for path, alice, bob in (
            (f"/v2/team/secret{tail}", 404, 403),
            (f"/v2/team%2Fsecret{tail}", 404, 403),
            (f"/v2/team%2fsecret{tail}", 404, 403),
            (f"/v2/%74eam/secre%74{tail}", 404, 403),
            (f"/v2/team/secret{tail}?x=/v2/team/open", 404, 403),
            (f"/v2/team/secret{tail};x=/team/open", 404, 404),
            (f"/v2/team/open{tail}", 403, 404),
            (f"/v2/team/open%2F..%2Fsecret{tail}", 400, 400),
            (f"/v2/team/open/../secret{tail}", 400, 400),
            (f"/v2/team/./secret{tail}", 400, 400),
            (f"/v2/team//secret{tail}", 400, 400),
            (f"/v2/./team/secret{tail}", 400, 400),
            (f"/v2/team/secret/{tail}", 400, 400),
            (f"/v2/team/Secret{tail}", 400, 400),
            (f"/v2/TEAM/secret{tail}", 400, 400),
            (f"/v2/team%252Fsecret{tail}", 400, 400),
            (f"/v2/team/secret%00{tail}", 400, 400),
            (f"/v2/team/secret%20{tail}", 400, 400),
            (f"/v2/team%5Csecret{tail}", 400, 400),
            (f"/V2/team/secret{tail}", 404, 404),
            (f"//v2/team/secret{tail}", 404, 403),
            ("/v2/team/secret/MANIFESTS/none", 404, 404),
        ):
            self.assertEqual((self.ask(path, ALICE), self.ask(path, BOB)), (alice, bob), path)

    def test_spellings_of_a_method(self) -> None:
        for method in ("put", "Put", "pUT"):
            self.assertEqual(self.ask("/v2/team/secret/manifests/v1", BOB, method), 400)
        self.assertEqual(self.ask("/v2/team/secret/manifests/v1", BOB, "HEAD"), 403)
        for header in ("X-HTTP-Method-Override", "X-Method-Override"):
            self.assertEqual(self.ask("/v2/public/a/manifests/v1", {header: "DELETE"}), 404)

    def test_mount(self) -> None:
        """What one may not pull cannot be had by a mount, named or not; whether it is there, nobody learns."""
        secret = random_bytes()
        digest = digest_of(secret)
        start = self.client.request("POST", "/v2/team/secret/blobs/uploads/", headers=ALICE)
        self.assert_status(self.client.request("PUT", start.location, secret, ALICE, {"digest": digest}), 201)
        uploads = "/v2/team/open/blobs/uploads/"
        for mount, source in ((digest, "team/secret"), (digest, None), (digest_of(b"no"), "team/secret")):
            query = {"mount": mount, **({} if source is None else {"from": source})}
            answer = self.client.request("POST", uploads, headers=BOB, query=query)
            self.assert_status(answer, 202)
        self.assertEqual(self.ask(f"/v2/team/open/blobs/{digest}", BOB), 404)
        self.assertEqual(self.ask(f"/v2/team/secret/blobs/{digest}", BOB), 403)

    def test_catalog(self) -> None:
        for name in ("public/one", "team/one", "team/secret"):
            self.push(name)
        for headers, names in (
            ({}, ["public/one"]),
            (BOB, ["public/one", "team/one"]),
            (ALICE, ["public/one", "team/secret"]),
        ):
            self.assertEqual(self.client.get("/v2/_catalog", headers).json()["repositories"], names)

    def push(self, name: str) -> None:
        """An image, by whoever may."""
        headers = BOB if name == "team/one" else ALICE
        start = self.client.request("POST", f"/v2/{name}/blobs/uploads/", headers=headers)
        self.assert_status(
            self.client.request("PUT", start.location, b"{}", headers, {"digest": digest_of(b"{}")}), 201
        )
        manifest = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(b"{}", OCI_CONFIG), "layers": [],
        }  # fmt: skip
        answer = self.client.request(
            "PUT", f"/v2/{name}/manifests/v1", encode(manifest), {**headers, "Content-Type": OCI_MANIFEST}
        )
        self.assert_status(answer, 201)

    def test_liveness(self) -> None:
        """Load balancers have no password."""
        self.assertEqual(self.client.get("/").status, 200)

    def test_refused_before_the_body(self) -> None:
        """A client that waits for 100 gets 401 instead, and need not send what nobody will take."""
        with Peer(self.server.port, PATIENCE) as peer:
            peer.send(
                b"PUT /v2/team/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            head = peer.socket.recv(1 << 16)
        self.assertTrue(head.startswith(b"HTTP/1.1 401 "), head)


class ChangeTests(ServedCase):
    """Without a restart, in every worker."""

    @classmethod
    def section(cls) -> dict[str, Any]:
        return {"htpasswd": cls.htpasswd(), "tokenserver": {"keys": os.path.join(cls.folder, "keys")}}

    def token(self, headers: dict[str, str], **query: str) -> Any:
        return self.assert_status(self.client.get("/auth/token", headers, query), 200).json()

    def test_password(self) -> None:
        old, new = password("bob", "bob's"), password("bob", "new")
        self.assertEqual(self.statuses(old), {200})
        self.write_users(bob="new")
        self.until(lambda: self.statuses(old, times=1) == {401} and self.statuses(new) == {200})
        self.assertEqual(self.statuses(ALICE), {200})

    def test_tokens_of_all_workers(self) -> None:
        """Each is good in every other."""
        for _ in range(6):
            found = self.token(ALICE, scope="repository:a/b:pull")["token"]
            self.assertEqual(self.statuses({"Authorization": f"Bearer {found}"}, "/v2/a/b/tags/list", 6), {404})

    def test_withdrawn_key(self) -> None:
        """Its tokens are refused within seconds, and new ones are made with a new key."""
        found = {"Authorization": f"Bearer {self.token(ALICE)['token']}"}
        keys = os.path.join(self.folder, "keys")
        for name in os.listdir(keys):
            if name.endswith(".pem"):
                os.unlink(os.path.join(keys, name))
        self.until(lambda: self.statuses(found) == {401})
        self.assertEqual(self.statuses({"Authorization": f"Bearer {self.token(ALICE)['token']}"}), {200})

    def test_refresh_token(self) -> None:
        """Good in any worker, until the password changes."""
        self.write_users(carol="carol's")
        carol = password("carol", "carol's")
        self.until(lambda: self.statuses(carol, times=1) == {200} and self.statuses(carol) == {200})
        refresh_token = self.token(carol, offline_token="true")["refresh_token"]
        self.until(lambda: {self.refresh(refresh_token).status for _ in range(6)} == {200})
        self.write_users(carol="new")
        self.until(lambda: {self.refresh(refresh_token).status for _ in range(6)} == {401})

    def refresh(self, refresh_token: str) -> Response:
        body = f"grant_type=refresh_token&refresh_token={refresh_token}".encode()
        return self.client.request("POST", "/auth/token", body, {"Content-Type": "application/x-www-form-urlencoded"})

    def test_keys_are_private(self) -> None:
        keys = os.path.join(self.folder, "keys")
        self.token(ALICE)
        self.assertEqual(os.stat(keys).st_mode & 0o777, 0o700)
        for name in os.listdir(keys):
            self.assertEqual(os.stat(os.path.join(keys, name)).st_mode & 0o777, 0o600)


class GuessingTests(ServedCase):
    """One worker, so that all attempts are counted in the same place."""

    workers = 1

    @classmethod
    def section(cls) -> dict[str, Any]:
        return {"htpasswd": cls.htpasswd()}

    def test_told_to_come_back(self) -> None:
        """Many attempts at once: some are answered, the rest would have to wait for too long."""
        answers: list[Response] = []

        def attempt(number: int) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):  # one that waits when the server ends
                answers.append(self.client.get("/v2/", password("nobody", f"guess-{number}")))

        threads = [threading.Thread(target=attempt, args=(number,), daemon=True) for number in range(40)]
        for thread in threads:
            thread.start()
        self.until(lambda: len(answers) >= 40 - 8)  # those that wait for their turn may do so when this is over
        found = [answer.status for answer in list(answers)]
        self.assertGreaterEqual(found.count(401), FREE_BY_USER)
        self.assertGreater(found.count(429), 20)
        late = next(answer for answer in list(answers) if answer.status == 429)
        self.assertEqual(late.codes, ["TOOMANYREQUESTS"])
        self.assertGreater(int(str(late["Retry-After"])), 0)
        self.assertEqual(self.client.get("/v2/", ALICE).status, 200)  # nobody else is slowed down

    def test_nothing_of_it_is_logged(self) -> None:
        self.client.get("/v2/", password("alice", "a-secret-guess"))
        self.client.get("/v2/", {"Authorization": "Bearer a-secret-guess"})
        log = self.server.read_log()
        self.assertNotIn("a-secret-guess", log)
        self.assertNotIn(b64encode(b"alice:a-secret-guess").decode(), log)
        self.assertIn("a credential from 127.0.0.1 is not good: wrong name or password", log)


class KeySource:
    """As a context manager: an https server that has a set of keys."""

    def __init__(self, authority: trustme.CA) -> None:
        self.content = jwks(jwk("P-256", "k"))
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = source.content.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}/jwks"

    def __enter__(self) -> KeySource:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class FetchedKeysTests(SynchronousTestCase):
    """Keys of a URL: the only thing here for which a server speaks TLS."""

    workers = 2

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        authority = trustme.CA()
        self.roots = os.path.join(self.folder, "roots.pem")
        authority.cert_pem.write_to_path(self.roots)
        self.source = self.enterContext(KeySource(authority))

    def section(self, **options: Any) -> dict[str, Any]:
        found = {"realm": "https://t.example/", "service": "s", "issuer": "i", "jwks": self.source.url, **options}
        return {"auth": {"token": found}, "http": {"workers": self.workers}}

    def bearer(self, kind: str = "P-256", kid: str = "k") -> dict[str, str]:
        now = int(time.time())
        made = token(kind, headers={"kid": kid}, iss="i", aud="s", exp=now + 600, nbf=now, iat=now)
        return {"Authorization": f"Bearer {made}"}

    def ask(self, registry: RunningRegistry, headers: dict[str, str]) -> int:
        with Peer(registry.port, PATIENCE) as peer:
            peer.send(request("GET", "/v2/", None, connection="close", **headers))
            received = b""
            while piece := peer.socket.recv(1 << 16):
                received += piece
        return int(received.split(b" ", 2)[1])

    def test_fetched(self) -> None:
        with RunningRegistry(self.section(jwksroots=self.roots)) as registry:
            for _ in range(6):
                self.assertEqual(self.ask(registry, self.bearer()), 200)
                self.assertEqual(self.ask(registry, self.bearer("P-256-2")), 401)
            self.assertNotIn("Traceback", registry.read_log())

    def test_one_process(self) -> None:
        self.workers = 1
        self.test_fetched()

    def test_untrusted(self) -> None:
        """No keys, so no verdict; and the log has a reason."""
        with RunningRegistry(self.section()) as registry:
            self.assertEqual(self.ask(registry, self.bearer()), 503)
            self.assertIn("no keys", registry.read_log())


class ProcessTests(SynchronousTestCase):
    """What is loaded for whom."""

    def modules(self, auth: dict[str, Any]) -> set[str]:
        """Of those that cost memory, the ones that a worker has mapped from their files."""
        found: set[str] = set()
        with RunningRegistry({"auth": auth, "http": {"workers": 1}}) as registry:
            with open(f"/proc/{registry.pid}/maps", encoding="utf-8") as file:
                maps = file.read()
        for library in ("bcrypt", "cryptography"):
            if f"/{library}" in maps:
                found.add(library)
        return found

    def test_each(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            users = os.path.join(folder, "users")
            with open(users, "w") as file:
                file.write(f"alice:{hashed('x')}\n")
            self.assertEqual(self.modules({}), set())
            self.assertEqual(self.modules({"silly": {"realm": "r", "service": "s"}}), set())
            self.assertEqual(self.modules({"htpasswd": {"realm": "r", "path": users}}), {"bcrypt"})
