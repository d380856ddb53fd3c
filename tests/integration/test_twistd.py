"""What operators expect of any service that twistd starts: a daemon, its pid file and log, and another user."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .requirements import root
from .server import free_port

PATIENCE = 30.0
DEBIAN = "/usr/bin/python3"
NOBODY = 65534
CHECKOUT = str(Path(__file__).parents[2])
TWISTD = "from twisted.scripts.twistd import run; run()"


class TwistdTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        self.pid_file = os.path.join(self.folder, "pid")
        self.log = os.path.join(self.folder, "log")
        self.address = f"127.0.0.1:{free_port()}"

    def write(self, workers: int) -> str:
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": self.data}},
            "http": {"addr": self.address, "workers": workers},
            "notifications": {"events": {"record": True}},
        }
        path = os.path.join(self.folder, "config.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        return path

    def daemon(self, workers: int, *options: str, python: str = sys.executable) -> int:
        """Start one; its process, when it answers."""
        command = [python, "-c", TWISTD, f"--pidfile={self.pid_file}", f"--logfile={self.log}", *options]
        path = os.pathsep.join([CHECKOUT, *dict.fromkeys(sysconfig.get_path(each) for each in ("purelib", "platlib"))])
        done = subprocess.run(
            [*command, "dregistry", "--config", self.write(workers)],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        pid = int(Path(self.pid_file).read_text(encoding="ascii"))
        self.addCleanup(self.kill, pid)
        self.until(self.answers)
        return pid

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, self.read_log())
            time.sleep(0.05)

    def read_log(self) -> str:
        try:
            return Path(self.log).read_text(encoding="utf-8")
        except OSError:
            return ""

    def assert_works(self, pid: int) -> None:
        """Content and events are kept, reloads are heard, what all processes say is in the log, and it ends."""
        client = Client(self.address)
        client.push_manifest("a", client.image("a"), "v1")
        events = client.get("/v2/_dregistry/events").json()["events"]
        self.assertEqual(events[-1]["target"]["repository"], "a")
        os.kill(pid, signal.SIGHUP)
        self.until(lambda: "reloaded: " in self.read_log())
        self.until(lambda: '"PUT /v2/a/manifests/v1' in self.read_log())
        os.kill(pid, signal.SIGTERM)
        self.until(lambda: "Server Shut Down." in self.read_log())
        self.assertNotIn("Traceback", self.read_log())

    def test_daemon(self) -> None:
        """One process, and a supervisor with two; the pid file goes with it."""
        for workers in (1, 2):
            self.assert_works(self.daemon(workers))
            self.until(lambda: not os.path.exists(self.pid_file))
            os.unlink(self.log)

    def test_another_user(self) -> None:
        """All that is written is that user's, whoever started it."""
        root("another user")
        for path in (sys.prefix, CHECKOUT, sysconfig.get_path("purelib")):
            self.assert_open(path)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}\n"
        ask = [DEBIAN, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        found = subprocess.run(ask, capture_output=True, text=True, check=True)
        if found.stdout != version:
            self.skipTest(f"{DEBIAN} is not {version.strip()}, whose packages are here")
        for workers in (1, 2):
            os.makedirs(self.data, exist_ok=True)
            os.chown(self.data, NOBODY, NOBODY)
            pid = self.daemon(workers, f"--uid={NOBODY}", f"--gid={NOBODY}", python=DEBIAN)
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, NOBODY)
            self.assert_works(pid)
            for folder, folders, files in os.walk(self.data):
                for name in (*folders, *files):
                    self.assertEqual(os.stat(os.path.join(folder, name)).st_uid, NOBODY, name)
            os.unlink(self.log)
            os.unlink(self.pid_file)

    def assert_open(self, path: str) -> None:
        for each in (Path(path), *Path(path).parents):
            if not os.stat(each).st_mode & stat.S_IXOTH:
                self.skipTest(f"{each} is not open to other users")
