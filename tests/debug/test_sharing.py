"""Tests of who makes what for the debug server, and of what is not imported without one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from dregistry import listen
from dregistry.debug import MEMORY_VARIABLE, NoDebug, shared_debug, worker_debug
from dregistry.debug.sharing import DebugSharing, started
from dregistry.metrics._memory import SharedMemory
from dregistry.metrics.families import MAINTENANCE_LAST, MAINTENANCE_RUNS, WORKER_EXITS
from dregistry.purging import UploadPurging

_IMPORTS = """
import sys
from dregistry._tls import without_tls
with without_tls():
    import dregistry.worker, dregistry.server, dregistry.service, dregistry.workers
print([name for name in sys.modules if name.startswith(("dregistry.debug.", "dregistry.metrics", "prometheus_client"))])
"""


class SharingTests(SynchronousTestCase):
    def test_without(self) -> None:
        self.assertIsInstance(shared_debug("", None), NoDebug)
        self.assertFalse(NoDebug().listen())
        self.assertNotIn(MEMORY_VARIABLE, os.environ)
        self.assertIsNone(worker_debug())

    def test_imports(self) -> None:
        """A registry without a debug server pays nothing for it."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run([sys.executable, "-c", _IMPORTS], env=environ, capture_output=True, check=True)
        self.assertEqual(done.stdout, b"[]\n")

    def test_counts(self) -> None:
        """What only the supervisor knows: before it listens it is not yet the one that will supervise."""
        purging = UploadPurging("/r.yml", None, None)
        sharing = shared_debug("127.0.0.1:0", purging)
        assert isinstance(sharing, DebugSharing)
        [descriptor] = sharing.descriptors.values()
        self.addCleanup(os.close, descriptor)
        assert purging.tell is not None
        sharing.ended()
        purging.tell("purge-uploads", True)
        memory = SharedMemory(descriptor)
        self.assertEqual(memory.read(), [])
        [listening] = sharing.listen()
        self.addCleanup(listening.close)
        sharing.ended()
        purging.tell("purge-uploads", False)
        purging.tell("purge-uploads", True)
        purging.tell("purge-uploads", True)
        [seat] = memory.read()
        values = {(each.family, each.labels): each.values[0] for each in seat.series}
        self.assertEqual(values[WORKER_EXITS, ()], 1)
        self.assertEqual(values[MAINTENANCE_RUNS, ("purge-uploads", "failure")], 1)
        self.assertEqual(values[MAINTENANCE_RUNS, ("purge-uploads", "success")], 2)
        memory._own = memory._seats[0]  # locks of one process do not exclude one another
        [seat] = memory.read()
        self.assertEqual((seat.pid, seat.state), (os.getpid(), {"role": "supervisor"}))
        self.assertIn(MAINTENANCE_LAST, {each.family for each in seat.series})

    def test_command(self) -> None:
        self.patch(sys, "argv", ["twistd", "--config", "a b"])
        sharing = DebugSharing("127.0.0.1:0")
        self.addCleanup(os.close, *sharing.descriptors.values())
        command, when = started(sharing.environ)
        self.assertEqual(command, ["twistd", "--config", "a b"])
        self.assertGreater(when, 0)

    def test_address(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for address in (f"127.0.0.1:{taken.getsockname()[1]}", "nonsense"):
                sharing = DebugSharing(address)
                self.addCleanup(os.close, *sharing.descriptors.values())
                self.patch(listen, "PATIENCE", 0.0)
                error = self.assertRaises(SystemExit, sharing.listen)
                self.assertIn(f"http.debug.addr: cannot listen on '{address}'", str(error))
