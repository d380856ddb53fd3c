"""Signing in, pushing and pulling by the clients that people use, with each access controller."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, ClassVar

import bcrypt
from twisted.trial.unittest import SynchronousTestCase

from dregistry.testing._images import make_archive

from .client import DOCKER_MANIFEST, Client
from .container_tools import PLAIN, ContainerTools
from .docker_daemon import DockerDaemon
from .images import Layout, blobs_of, noise
from .server import RunningRegistry
from .token_server import ISSUER, SERVICE, TokenServer

USERS = {"alice": "correct horse", "bob": "battery staple"}
POLICY = [
    {"repositories": ["**", "public/**"], "users": ["alice", "silly"], "actions": ["*"]},
    {"repositories": ["public/**"], "anonymous": True, "actions": ["pull"]},
    {"repositories": ["closed/**"], "users": ["alice", "silly"], "actions": ["pull"]},
]
REFUSED = "denied|unauthorized|authentication required|invalid username/password|401 Unauthorized|403 .Forbidden"


def htpasswd(folder: str) -> str:
    """The path of a file with all users."""
    path = os.path.join(folder, "users")
    with open(path, "w", encoding="ascii") as file:
        for user, password in USERS.items():
            file.write(f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(6)).decode('ascii')}\n")
    return path


class AuthCase(SynchronousTestCase):
    """A registry with access control for the whole class; for each test nobody is signed in."""

    server: ClassVar[RunningRegistry]
    folder: ClassVar[str]
    section: ClassVar[Callable[[Any], dict[str, Any]]]
    """``auth``, but for the policy."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.mkdtemp(prefix="dregistry-auth-clients-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        auth = {**cls.section(cls), "policy": POLICY}
        settings = {"auth": auth, "log": {"accesslog": {"disabled": False}}, "http": {"workers": 2}}
        cls.server = cls.enterClassContext(RunningRegistry(settings))

    def tearDown(self) -> None:
        """Nothing that anybody keeps secret is in the log."""
        log = self.server.read_log()
        for password in USERS.values():
            self.assertNotIn(password, log)
        self.assertNotIn("Traceback", log)
        self.assertNotIn("eyJ", log)


def silly(case: Any) -> dict[str, Any]:
    """With a token server, since it asks for tokens; it takes any."""
    tokens = case.enterClassContext(TokenServer(case.folder, USERS, open_to_all=False))
    return {"silly": {"realm": tokens.realm, "service": SERVICE}}


def passwords(case: Any) -> dict[str, Any]:
    return {"htpasswd": {"realm": "Registry", "path": htpasswd(case.folder)}}


def foreign_tokens(case: Any) -> dict[str, Any]:
    tokens = case.enterClassContext(TokenServer(case.folder, USERS))
    return {"token": {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER, "jwks": tokens.jwks}}


def own_tokens(case: Any) -> dict[str, Any]:
    return {**passwords(case), "tokenserver": {"keys": os.path.join(case.folder, "keys")}}


def several(case: Any) -> dict[str, Any]:
    """Passwords for some, tokens from elsewhere for others."""
    return {"controllers": [passwords(case), foreign_tokens(case)]}


class ToolsCase(AuthCase):
    tools: ClassVar[ContainerTools]
    lets_anybody_pull = True

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.tools = ContainerTools(cls.folder)

    def setUp(self) -> None:
        self.here = self.enterContext(tempfile.TemporaryDirectory())

    def tearDown(self) -> None:
        super().tearDown()
        self.tools.skopeo("logout", "--all")

    def login(self, user: str = "alice", password: str | None = None) -> None:
        self.tools.skopeo(
            "login", PLAIN, "--username", user, "--password", password or USERS[user], self.server.address
        )

    def logout(self) -> None:
        self.tools.skopeo("logout", self.server.address)

    def remote(self, repository: str, tag: str = "v1") -> str:
        return f"docker://{self.server.address}/{repository}:{tag}"

    def refuse(self, command: Any, *arguments: str) -> None:
        with self.assertRaisesRegex(AssertionError, REFUSED):
            command(*arguments)


class SkopeoTests(ToolsCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(os.path.join(self.here, "source"))
        self.source = self.layout.tag("one", self.layout.image({"data": noise(100_000, 1)}))

    def test_round(self) -> None:
        """In, up and down again."""
        repository = f"tests/{type(self).__name__.lower()}"
        self.login()
        self.tools.copy(self.source, self.remote(repository))
        self.tools.copy(self.remote(repository), f"oci:{self.here}/copy:one")
        self.assertEqual(blobs_of(self.layout.folder), blobs_of(f"{self.here}/copy"))

    def test_mount(self) -> None:
        """Between repositories, the layers are not sent again: the token is for both of them."""
        self.login()
        self.tools.copy(self.source, self.remote("mount/source"))
        self.tools.copy(self.remote("mount/source"), self.remote("mount/target"))
        mounts = [line for line in self.server.read_log().splitlines() if "/v2/mount/target/" in line]
        self.assertIn("mount=", " ".join(line for line in mounts if '" 201 ' in line))

    def test_refused_push(self) -> None:
        """Signed in, to where nobody may push; not signed in, to anywhere."""
        self.refuse(self.tools.copy, self.source, self.remote("tests/anywhere"))
        self.login()
        self.refuse(self.tools.copy, self.source, self.remote("closed/x"))

    def test_refused_login(self) -> None:
        self.refuse(self.login, "bob", "wrong")
        self.refuse(self.login, "nobody", "wrong")

    def test_refused_pull(self) -> None:
        self.login()
        self.tools.copy(self.source, self.remote("private/image"))
        self.logout()
        self.refuse(self.tools.skopeo, "inspect", PLAIN, self.remote("private/image"))

    def test_delete(self) -> None:
        self.login()
        self.tools.copy(self.source, self.remote("tests/deleted"))
        self.tools.skopeo("delete", PLAIN, self.remote("tests/deleted"))

    def test_anonymous_pull(self) -> None:
        """What is for everybody needs no login; pushing there does."""
        if not self.lets_anybody_pull:
            return self.refuse(self.tools.skopeo, "inspect", PLAIN, self.remote("public/image"))
        self.login()
        self.tools.copy(self.source, self.remote("public/image"))
        self.logout()
        self.tools.copy(self.remote("public/image"), f"oci:{self.here}/copy:one")
        self.refuse(self.tools.copy, self.source, self.remote("public/image"))


class PodmanTests(ToolsCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.tools.use_storage()

    def test_all(self) -> None:
        """Login, push, pull, refused pushes, and a pull of what is for everybody."""
        podman, address = self.tools.podman, self.server.address
        name = f"localhost/{type(self).__name__.lower()}:built"
        container = self.tools.buildah("from", "scratch").strip()
        self.addCleanup(self.tools.buildah, "rm", container)
        self.tools.buildah("config", "--label", "a=b", container)
        self.tools.buildah("commit", "--quiet", container, name)
        self.refuse(podman, "push", PLAIN, name, f"{address}/tests/podman:v1")
        podman("login", PLAIN, "--username", "alice", "--password", USERS["alice"], address)
        for repository in ("tests/podman", "public/podman"):
            podman("push", PLAIN, name, f"{address}/{repository}:v1")
        podman("pull", PLAIN, f"{address}/tests/podman:v1")
        self.refuse(podman, "push", PLAIN, name, f"{address}/closed/podman:v1")
        podman("logout", address)
        podman("rmi", "--all", "--force")
        self.refuse(podman, "pull", PLAIN, f"{address}/tests/podman:v1")
        if self.lets_anybody_pull:
            podman("pull", PLAIN, f"{address}/public/podman:v1")
            self.refuse(podman, "push", PLAIN, f"{address}/public/podman:v1", f"{address}/public/podman:v2")


class SillySkopeoTests(SkopeoTests):
    section = staticmethod(silly)
    lets_anybody_pull = False


class HtpasswdSkopeoTests(SkopeoTests):
    section = staticmethod(passwords)


class TokenSkopeoTests(SkopeoTests):
    section = staticmethod(foreign_tokens)


class TokenServerSkopeoTests(SkopeoTests):
    section = staticmethod(own_tokens)


class SeveralSkopeoTests(SkopeoTests):
    section = staticmethod(several)


class SillyPodmanTests(PodmanTests):
    section = staticmethod(silly)
    lets_anybody_pull = False


class HtpasswdPodmanTests(PodmanTests):
    section = staticmethod(passwords)


class TokenPodmanTests(PodmanTests):
    section = staticmethod(foreign_tokens)


class TokenServerPodmanTests(PodmanTests):
    section = staticmethod(own_tokens)


del SkopeoTests, PodmanTests  # they are of no controller


class DockerCase(AuthCase):
    docker: ClassVar[DockerDaemon]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.docker = cls.enterClassContext(DockerDaemon(cls.folder))

    def setUp(self) -> None:
        self.addCleanup(self.docker.logout)

    def login(self, user: str = "alice") -> dict[str, str]:
        return self.docker.login(f"http://{self.server.address}", user, USERS[user])

    def name(self, repository: str) -> str:
        return f"{self.server.address}/{repository}"

    def push(self, repository: str) -> None:
        self.docker.import_archive(make_archive({"content": repository.encode()}), self.name(repository), "v1")
        self.addCleanup(self.forget, f"{self.name(repository)}:v1")
        self.docker.push(self.name(repository), "v1")

    def forget(self, image: str) -> None:
        with contextlib.suppress(AssertionError):  # it is gone already
            self.docker.remove(image)

    def pull(self, repository: str) -> None:
        self.docker.pull(self.name(repository), "v1")

    def refuse(self, call: Any, *arguments: str) -> None:
        with self.assertRaisesRegex(AssertionError, REFUSED + "|no basic auth credentials"):
            call(*arguments)


class HtpasswdDockerTests(DockerCase):
    section = staticmethod(passwords)

    def test_round(self) -> None:
        self.assertEqual(self.login()["Status"], "Login Succeeded")
        self.push("tests/docker")
        self.pull("tests/docker")
        client = Client(self.server.address)
        self.assertEqual(client.head("/v2/tests/docker/manifests/v1", {"Accept": DOCKER_MANIFEST}).status, 401)
        self.refuse(self.push, "closed/docker")
        self.docker.logout()
        self.refuse(self.push, "tests/docker")

    def test_wrong(self) -> None:
        self.refuse(self.docker.login, f"http://{self.server.address}", "alice", "wrong")

    def test_anonymous_pull(self) -> None:
        """The daemon's own image store gives up where it is asked for a password; the token server is for that."""
        self.login()
        self.push("public/docker")
        self.docker.logout()
        self.refuse(self.pull, "public/docker")


class TokenServerDockerTests(DockerCase):
    section = staticmethod(own_tokens)

    def test_round(self) -> None:
        """By a refresh token, which docker keeps in place of the password."""
        answer = self.login()
        self.assertEqual(answer["Status"], "Login Succeeded")
        self.assertTrue(answer["IdentityToken"])
        self.push("tests/docker")
        self.pull("tests/docker")
        self.refuse(self.push, "closed/docker")
        self.assertIn('"POST /auth/token ', self.server.read_log())

    def test_wrong(self) -> None:
        self.refuse(self.docker.login, f"http://{self.server.address}", "alice", "wrong")

    def test_anonymous_pull(self) -> None:
        self.login()
        self.push("public/docker")
        self.push("private/docker")
        self.docker.logout()
        self.pull("public/docker")
        self.refuse(self.pull, "private/docker")
        self.refuse(self.docker.push, self.name("public/docker"), "v1")


class TokenDockerTests(DockerCase):
    section = staticmethod(foreign_tokens)

    def test_round(self) -> None:
        self.assertEqual(self.login()["Status"], "Login Succeeded")
        self.push("tests/docker")
        self.pull("tests/docker")
        self.refuse(self.push, "closed/docker")
        self.push("public/docker")
        self.docker.logout()
        self.pull("public/docker")
        self.refuse(self.pull, "tests/docker")
