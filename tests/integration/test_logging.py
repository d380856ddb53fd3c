"""What a running registry logs: formats, levels, files, the audit log, and what never stands in any of them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import bcrypt
import yaml
from twisted.trial.unittest import SynchronousTestCase

from ..storage.support import temporary_directory
from .client import Client, digest_of, random_bytes
from .raw import Peer
from .server import RunningRegistry

PATIENCE = 20.0
CANARY = "canary-4711"
COMBINED = re.compile(
    r"127\.0\.0\.1 - (\S+) \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"([A-Z]+) (\S+) HTTP/1\.1" (\d{3}) (\d+) "" "(.*)"'
)
OUTCOME = re.compile(r'time="[\d:.TZ-]+" level=(\w+) msg=')


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")}


class LoggingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)

    def serve(self, log: dict[str, Any], options: tuple[str, ...] = (), **settings: Any) -> RunningRegistry:
        registry = _Registry({"log": {"accesslog": {"disabled": False}, **log}, **settings}, options)
        self.addCleanup(registry.__exit__, None, None, None)
        registry.start()
        self.client = Client(registry.address)
        return registry

    def until(self, true: Callable[[], Any], registry: RunningRegistry) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := true()):
            self.assertLess(time.monotonic(), deadline, registry.read_log())
            time.sleep(0.02)
        return found

    def content(self, path: str) -> str:
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def reload(self, registry: RunningRegistry, log: dict[str, Any]) -> None:
        """Change the configuration; all goes by it when a new worker answers."""
        path = os.path.join(registry.folder, "config.yml")
        with open(path) as file:
            config = yaml.safe_load(file)
        config["log"].update(log)
        with open(path, "w") as file:
            yaml.safe_dump(config, file)
        os.kill(registry.pid, signal.SIGHUP)


class _Registry(RunningRegistry):
    def __init__(self, settings: dict[str, Any], options: tuple[str, ...]) -> None:
        super().__init__(settings)
        self._options = options

    def _command(self) -> list[str]:
        command = super()._command()
        at = command.index("dregistry")
        return [*command[:at], *self._options, *command[at:]]


class FormatTests(LoggingCase):
    """By all processes of a registry, each line in one piece and in one of two forms."""

    def test_text(self) -> None:
        registry = self.serve({"fields": {"service": "r"}}, http={"workers": 2})
        self.client.get("/v2/a/manifests/v1")
        registry.stop()
        lines = registry.read_log().splitlines()
        access = [found for line in lines if (found := COMBINED.fullmatch(line))]
        others = [line for line in lines if not COMBINED.fullmatch(line)]
        self.assertIn(("-", "GET", "/v2/a/manifests/v1", "404"), [found.groups()[:4] for found in access])
        for line in others:
            self.assertRegex(line, OUTCOME)
            self.assertRegex(line, r" instance\.id=[0-9a-f-]{36} .*service=r .*version=")
        self.assertEqual(len({re.findall(r"instance\.id=(\S+)", line)[0] for line in others}), 1)
        [failed] = [line for line in others if "response completed with error" in line]
        self.assertIn(' level=info msg="response completed with error" err.code="manifest unknown" ', failed)
        self.assertIn(" vars.name=a vars.reference=v1 ", failed)

    def test_json(self) -> None:
        for workers in (1, 2):
            registry = self.serve(
                {"formatter": "json", "accesslog": {"disabled": True}, "responses": "all", "reportcaller": True},
                http={"workers": workers},
            )
            self.client.request("GET", "/v2/", headers={"X-Request-Id": "r1"})
            registry.stop()
            records = [json.loads(line) for line in registry.read_log().splitlines()]
            for record in records:
                self.assertLessEqual({"time", "level", "msg", "instance.id", "version"}, set(record))
            [answered] = [record for record in records if record.get("http.request.id") == "r1"]
            self.assertEqual((answered["msg"], answered["http.response.status"]), ("response completed", 200))
            self.assertTrue(answered["file"].partition(":")[0].endswith("/web/_responselog.py"))

    def test_logstash(self) -> None:
        registry = self.serve({"formatter": "logstash", "accesslog": {"disabled": True}}, http={"workers": 1})
        registry.stop()
        for line in registry.read_log().splitlines():
            record = json.loads(line)
            self.assertEqual(record["@version"], "1")
            self.assertLessEqual({"@timestamp", "message", "level"}, set(record))

    def test_level(self) -> None:
        """Changed while it runs."""
        registry = self.serve({"level": "error"}, http={"workers": 2})
        self.client.get("/v2/a/manifests/v1")
        self.until(lambda: '"GET /v2/a/manifests/v1 HTTP/1.1" 404 ' in registry.read_log(), registry)
        self.assertNotIn(" level=", registry.read_log())
        self.reload(registry, {"level": "info"})

        def heard() -> bool:
            Client(registry.address).get("/v2/a/manifests/v1")
            return "response completed with error" in registry.read_log()

        self.until(heard, registry)
        self.assertIn('msg="reloaded: ', registry.read_log())

    def test_skipped(self) -> None:
        registry = self.serve({"accesslog": {"skip": ["/v2/", "/"]}}, http={"workers": 1})
        self.client.get("/v2/")
        self.client.get("/v2/_catalog")
        registry.stop()
        asked = [found[3] for line in registry.read_log().splitlines() if (found := COMBINED.fullmatch(line))]
        self.assertEqual(asked, ["/v2/_catalog"])

    def test_behind_a_proxy(self) -> None:
        registry = self.serve({}, http={"workers": 1, "trustedproxies": ["127.0.0.0/8"]})
        self.client.request("GET", "/v2/", headers={"X-Forwarded-For": "203.0.113.9"})
        registry.stop()
        self.assertRegex(registry.read_log(), r'(?m)^203\.0\.113\.9 - - \[.*"GET /v2/ HTTP/1.1" 200 2 "" ""$')


class FileTests(LoggingCase):
    def test_logfile(self) -> None:
        """twistd's option, for all processes; what rotates the file moves it away."""
        for workers in (1, 2):
            path = os.path.join(self.folder, f"log{workers}")
            registry = self.serve({}, ("--logfile", path), http={"workers": workers})
            self.client.get("/v2/")
            self.until(lambda path=path: '"GET /v2/ HTTP/1.1" 200 2 ' in self.content(path), registry)
            os.rename(path, path + ".1")
            self.client.get("/v2/a/manifests/v1")
            registry.stop()
            self.assertEqual(registry.read_log(), "")
            self.assertIn("/v2/a/manifests/v1", self.content(path))
            self.assertNotIn("/v2/a/manifests/v1", self.content(path + ".1"))
            self.assertIn(' msg="Server Shut Down." ', self.content(path))

    def test_logger(self) -> None:
        """twistd's other option: an observer that gets all, and no format of ours."""
        for workers in (1, 2):
            registry = self.serve(
                {"formatter": "json"}, ("--logger", "twisted.logger.STDLibLogObserver"), http={"workers": workers}
            )
            self.client.get("/v2/a/manifests/v1")
            registry.stop()
            self.assertNotIn('{"', registry.read_log())


class AuditTests(LoggingCase):
    def test_audit(self) -> None:
        """By all workers into one file, which may be rotated, and without what only reads."""
        path = os.path.join(self.folder, "audit.log")
        registry = self.serve({"audit": {"file": path}}, http={"workers": 2})
        digests = [Client(registry.address).push_blob("a/b", random_bytes()) for _ in range(10)]
        os.rename(path, path + ".1")
        self.client.delete(f"/v2/a/b/blobs/{digests[0]}")
        self.client.get("/v2/a/b/tags/list")
        registry.stop()
        before = [json.loads(line) for line in self.content(path + ".1").splitlines()]
        self.assertEqual(sorted(line["digest"] for line in before), sorted(digests))
        self.assertEqual(
            {(line["action"], line["outcome"], line["client"]) for line in before}, {("push", "done", "127.0.0.1")}
        )
        [line] = [json.loads(line) for line in self.content(path).splitlines()]
        self.assertEqual((line["action"], line["kind"], line["digest"]), ("delete", "blob", digests[0]))

    def test_unusable(self) -> None:
        registry = _Registry({"log": {"audit": {"file": "/dev/null/x"}}, "http": {"workers": 1}}, ())
        self.addCleanup(registry.__exit__, None, None, None)
        self.assertRaises(AssertionError, registry.start)
        self.assertIn("log.audit.file: cannot be opened", registry.read_log())
        self.assertNotIn("Traceback", registry.read_log())


class SecretTests(LoggingCase):
    """Whatever clients send that may be secret, in all places where they may send it."""

    def test_canary(self) -> None:
        users, audit = os.path.join(self.folder, "users"), os.path.join(self.folder, "audit.log")
        with open(users, "wb") as file:
            file.write(b"alice:" + bcrypt.hashpw(CANARY.encode(), bcrypt.gensalt(4)) + b"\n")
        registry = self.serve(
            {"audit": {"file": audit}, "responses": "all", "level": "debug"},
            http={"workers": 2, "secret": CANARY},
            auth={
                "htpasswd": {"realm": "r", "path": users},
                "tokenserver": {"keys": os.path.join(self.folder, "keys"), "service": "s"},
            },
        )
        right, wrong = basic("alice", CANARY), basic("alice", CANARY + "-wrong")
        token = self.client.get("/auth/token?service=s&scope=repository:a:*", right).json()["token"]
        hidden = [CANARY, b64encode(CANARY.encode()).decode()[:12], right["Authorization"][6:], token]
        for credential in (right, wrong, {"Authorization": f"Bearer {CANARY}"}, {"Authorization": f"Bearer {token}"}):
            for method, target in (
                ("GET", "/v2/"),
                ("POST", f"/v2/a/blobs/uploads/?token={CANARY}"),
                ("PATCH", f"/v2/a/blobs/uploads/u?_state={CANARY}"),
                ("PUT", f"/v2/a/blobs/uploads/u?%5Fstate={CANARY}&digest=x"),
                ("PUT", f"/v2/a/manifests/v1?access_token={CANARY}"),
                ("DELETE", f"/v2/a/manifests/v1?password={CANARY}"),
                ("GET", f"/auth/token?service=s&refresh_token={CANARY}"),
                ("OPTIONS", f"/v2/?secret={CANARY}"),
                ("GET", f"/nowhere?x=1&X-Amz-Signature={CANARY}"),
                ("GET", f"http://alice:{CANARY}@r.example/v2/"),
            ):
                with Peer(registry.port) as peer:
                    more = {"Referer": f"http://alice:{CANARY}@x/?token={CANARY}", "User-Agent": f"Bearer {CANARY}"}
                    peer.ask(method, target, b"" if method in ("GET", "OPTIONS") else b"x", **credential, **more)
        self.sign_in(registry)
        started = self.client.request("POST", "/v2/a/blobs/uploads/", headers=right)
        hidden.append("_state=" + started["Location"].partition("_state=")[2])
        content = random_bytes()
        self.client.request(
            "PUT", f"{started['Location']}&digest={digest_of(content)}", content, {**right, "User-Agent": "c/1"}
        )
        registry.stop()
        for log in (registry.read_log(), self.content(audit)):
            self.assertIn(digest_of(content), log)
            for secret in hidden:
                self.assertFalse(secret in log, secret)
        self.assertNotIn("Traceback", registry.read_log())
        self.assertRegex(
            registry.read_log(), r'(?m)^127\.0\.0\.1 - alice \[.*"PUT /v2/a/blobs/uploads/.*" 201 0 "" "c/1"$'
        )

    def sign_in(self, registry: RunningRegistry) -> None:
        """By a form."""
        for password in (CANARY, CANARY + "-wrong"):
            form = f"grant_type=password&service=s&username=alice&password={password}&refresh_token={CANARY}"
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            self.client.request("POST", "/auth/token", form.encode(), kind)
