"""Tests of the maintenance commands: :mod:`dregistry.cli.garbage_collect`, ``.scrub`` and ``.purge_uploads``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from typing import Any

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from dregistry.cli import garbage_collect, main, scrub
from dregistry.digest import Digest
from dregistry.storage import paths

from ..maintenance.support import NAME, InFiles, subject
from ..plugin_folder import PluginFolder
from ..storage.support import inline_driver, temporary_directory

UUID = "0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e"
LOOSE = Digest.of(b"loose")


@frozen
class Ran:
    status: Any
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class CommandCase(SynchronousTestCase):
    command: str

    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data)
        self.storage = InFiles(self.data)
        self.config = self.configure()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        self.patch(os, "environ", environ)

    def configure(self, more: str = "") -> str:
        path = os.path.join(self.folder, "config.yml")
        with open(path, "w") as file:
            file.write(f"version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {self.data}}}\n{more}")
        return path

    def run_command(self, *arguments: str, terminal: bool = False) -> Ran:
        output, errors = StringIO(), Terminal() if terminal else StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        try:
            status: Any = main([self.command, *arguments])
        except SystemExit as ended:
            status = ended.code
        return Ran(status, output.getvalue(), errors.getvalue())


class GarbageCollectTests(CommandCase):
    command = "garbage-collect"

    def setUp(self) -> None:
        super().setUp()
        self.tagged = self.storage.image("a", "v1")
        self.untagged = self.storage.image("b")
        self.storage.blob(b"loose")

    def test_as_distribution_prints(self) -> None:
        linked = self.storage.layer(b"linked")
        ran = self.run_command(self.config)
        self.assertEqual((ran.status, ran.errors), (0, ""))
        first, second = sorted(map(str, (self.tagged, self.untagged)))
        self.assertEqual(ran.lines[0], NAME)
        self.assertEqual(ran.lines[1], f"{NAME}: marking manifest {first} ")
        self.assertEqual(ran.lines[4], f"{NAME}: marking manifest {second} ")
        self.assertRegex(ran.lines[2], f"^{NAME}: marking blob sha256:[0-9a-f]{{64}}$")
        self.assertEqual(ran.lines[7:9], ["", "6 blobs marked, 2 blobs and 0 manifests eligible for deletion"])
        self.assertEqual(ran.lines[9], f"{NAME}: layer link eligible for deletion: {linked}")
        blobs = sorted(map(str, (LOOSE, linked)))
        self.assertEqual(ran.lines[10:12], [f"blob eligible for deletion: {blob}" for blob in blobs])
        self.assertEqual(ran.lines[12:], ["freed 11 B"])
        self.assertNotIn(paths.blob_data(LOOSE), self.storage.all())

    def test_flags(self) -> None:
        """Each in both spellings."""
        before = self.storage.all()
        for dry_run in ("-d", "--dry-run"):
            for untagged in ("-m", "--delete-untagged"):
                ran = self.run_command(dry_run, untagged, self.config)
                self.assertIn(f"manifest eligible for deletion: {self.untagged}", ran.lines)
                self.assertEqual(ran.lines[-1], f"would free {self.untagged_size() + 5} B")
        for quiet in ("-q", "--quiet"):
            self.assertEqual(self.run_command("-d", quiet, self.config), Ran(0, "", ""))
        self.assertEqual(self.storage.all(), before)

    def untagged_size(self) -> int:
        content = self.storage.all()
        return sum(
            len(content[paths.blob_data(digest)])
            for digest in (self.untagged, Digest.of(b"config b"), Digest.of(b"layer b"))
        )

    def test_json(self) -> None:
        kept = self.storage.image("signature", subject=subject(self.tagged))
        objects = self.run_command("--json", "-m", self.config).objects
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for each in objects:
            by_kind.setdefault(each.pop("kind"), []).append(each)
        self.assertEqual(
            by_kind["manifest"],
            [
                {
                    "name": str(self.untagged),
                    "repository": NAME,
                    "bytes": 0,
                    "removed": True,
                    "reason": "no tag points at it, no index that stays lists it, and no subject of it stays",
                }
            ],
        )
        self.assertEqual(by_kind["kept"][0]["name"], str(kept))
        [loose] = [each for each in by_kind["blob"] if each["name"] == str(LOOSE)]
        self.assertEqual(
            loose, {"name": str(LOOSE), "repository": "", "bytes": 5, "removed": True, "reason": "no manifest needs it"}
        )
        [summary] = by_kind["summary"]
        self.assertEqual((summary["blobs"], summary["links"], summary["manifests"]), (4, 2, 1))
        self.assertEqual(summary["size"], sum(each["bytes"] for each in by_kind["blob"]))

    def test_faults(self) -> None:
        self.storage.manifest(b"{", "broken")
        for arguments in ((), ("-q",)):
            ran = self.run_command(*arguments, self.config)
            self.assertEqual(ran.status, 1)
            self.assertEqual(ran.errors.count("\n"), 1)
            self.assertIn(f"{NAME}: {Digest.of(b'{')}: it is not JSON: all that its repository holds stays", ran.errors)
        [fault] = [each for each in self.run_command("--json", self.config).objects if each["kind"] == "fault"]
        self.assertEqual((fault["name"], fault["repository"]), (str(Digest.of(b"{")), NAME))

    def test_repositories(self) -> None:
        self.storage.image("c", name="other")
        ran = self.run_command("-m", "--repo", "oth*", "--repo", "x", self.config)
        self.assertEqual(ran.output.count("manifest eligible"), 1)

    def test_leftovers(self) -> None:
        path = f"{paths.tag(NAME, 'v1')}/current/.link.0123456789abcdef~"
        self.storage.put(path, b"x")
        self.patch(garbage_collect.collect.__globals__["time"], "time", lambda: 4e9)
        self.assertNotIn("leftover", self.run_command(self.config).output)
        self.assertIn(
            f"leftover eligible for deletion: {path}", self.run_command("--all-leftovers", self.config).output
        )

    def test_while_it_is_served(self) -> None:
        """Not while anybody may write; a dry run at any time."""
        before = self.storage.all()
        lock: Any = inline_driver(self.data).attend()
        ran = self.run_command(self.config)
        self.assertEqual((ran.status, ran.output), (1, ""))
        self.assertIn("a registry serves this storage and takes writes", ran.errors)
        self.assertEqual(self.run_command("-d", self.config).status, 0)
        self.assertEqual(self.storage.all(), before)
        lock.release()
        self.assertEqual(self.run_command(self.config).status, 0)
        self.assertIsNotNone(inline_driver(self.data).attend())

    def test_nobody_may_write_meanwhile(self) -> None:
        attended: list[Any] = []

        class Watching(garbage_collect._Text):
            def repository(inner, name: str) -> None:  # noqa: N805
                attended.append(inline_driver(self.data).attend())

        self.patch(garbage_collect, "_Text", Watching)
        self.run_command(self.config)
        self.assertEqual(attended, [None])

    def test_progress(self) -> None:
        """On a terminal, where lines do not go."""
        ran = self.run_command(self.config, terminal=True)
        self.assertIn("marking 1", ran.errors)
        self.assertTrue(ran.errors.endswith("\r\x1b[K"))
        self.assertNotIn("\r", ran.output)

    def test_wrong_usage(self) -> None:
        self.assertEqual(self.run_command("--nonsense", self.config).status, 2)
        ran = self.run_command()
        self.assertEqual(ran.status, 2)
        self.assertIn("REGISTRY_CONFIGURATION_PATH", ran.errors)

    def test_configuration(self) -> None:
        os.environ["REGISTRY_CONFIGURATION_PATH"] = self.config
        self.assertEqual(self.run_command("-d").status, 0)
        for path, says in ((self.config + ".missing", "cannot be read"), (self.configure("nonsense: ["), "problem")):
            ran = self.run_command(path)
            self.assertEqual((ran.status, ran.output), (1, ""))
            self.assertIn(says, ran.errors)
            self.assertNotIn("Traceback", ran.errors)

    def test_storage_fails(self) -> None:
        os.rename(self.data + paths.BLOBS, self.data + "/x")
        with open(self.data + paths.BLOBS, "w"):
            pass
        os.symlink("loop", self.data + paths.REPOSITORIES + "/loop")
        ran = self.run_command(self.config)
        self.assertEqual(ran.status, 1)
        self.assertIn("the storage failed", ran.errors)
        self.assertNotIn("Traceback", ran.errors)


class ScrubTests(CommandCase):
    command = "scrub"

    def setUp(self) -> None:
        super().setUp()
        self.storage.image("a", "v1")

    def corrupt(self) -> Digest:
        digest = self.storage.blob(b"content")
        self.storage.put(paths.blob_data(digest), b"contend")
        return digest

    def test_sound(self) -> None:
        ran = self.run_command(self.config)
        self.assertEqual((ran.status, ran.errors), (0, ""))
        self.assertRegex(ran.output, r"^3 blobs \(.+\) verified: 0 corrupt, 0 quarantined\n$")

    def test_corrupt(self) -> None:
        digest = self.corrupt()
        ran = self.run_command(self.config)
        self.assertEqual(ran.status, 1)
        self.assertEqual(
            ran.lines[0], f"blob {digest}: it is corrupt: its content has the digest {Digest.of(b'contend')}"
        )
        self.assertIn(paths.blob_data(digest), self.storage.all())

    def test_quarantine_and_restore(self) -> None:
        digest = self.corrupt()
        ran = self.run_command("--quarantine", "--json", "--threads", "2", self.config)
        self.assertEqual(ran.status, 1)
        item, summary = ran.objects
        self.assertEqual((item["name"], item["bytes"], item["removed"]), (str(digest), 7, True))
        self.assertEqual((summary["blobs"], summary["corrupt"], summary["quarantined"]), (4, 1, 1))
        self.assertEqual(self.run_command(self.config).status, 0)
        ran = self.run_command("--restore", str(digest), self.config)
        self.assertEqual((ran.status, ran.errors), (1, f"{digest} stays in the quarantine: it is still corrupt\n"))
        self.storage.put(paths.quarantined(digest), b"content")
        self.assertEqual(self.run_command("--restore", str(digest), self.config), Ran(0, "", ""))
        self.assertIn(paths.blob_data(digest), self.storage.all())
        ran = self.run_command("--restore", str(digest), self.config)
        self.assertEqual((ran.status, ran.errors), (1, f"{digest} is not in the quarantine\n"))

    def test_rate(self) -> None:
        for text, rate in (
            ("1", 1),
            ("5k", 5000),
            ("1.5MB", 1_500_000),
            ("2MiB", 2 << 20),
            ("1GB", 10**9),
            ("3kib", 3072),
        ):
            self.assertEqual(scrub._rate(text), rate)
        for text in ("", "fast", "-1", "0", "1TB2", "MB"):
            ran = self.run_command("--rate", text, self.config)
            self.assertEqual(ran.status, 2, text)
        self.assertEqual(self.run_command("--rate", "1GB", self.config).status, 0)

    def test_resume(self) -> None:
        self.storage.put(paths.SCRUB, b"sha256/ff")
        self.assertIn("0 blobs", self.run_command("--resume", self.config).output)
        self.assertIn("3 blobs", self.run_command("--resume", self.config).output)

    def test_wrong_usage(self) -> None:
        for arguments in (("--restore", "nonsense"), ("--threads", "many"), ("--nonsense",)):
            self.assertEqual(self.run_command(*arguments, self.config).status, 2)

    def test_progress(self) -> None:
        ran = self.run_command("-q", self.config, terminal=True)
        self.assertRegex(ran.errors, r"verifying \[#*-*\] \d+%")


class PurgeUploadsTests(CommandCase):
    command = "purge-uploads"

    def setUp(self) -> None:
        super().setUp()
        self.storage.put(paths.upload_data(NAME, UUID), b"some")
        self.storage.put(paths.upload_started_at(NAME, UUID), b"2001-09-09T01:46:40Z")

    def remains(self) -> bool:
        return paths.upload_data(NAME, UUID) in self.storage.all()

    def test_purge(self) -> None:
        ran = self.run_command("--dry-run", self.config)
        self.assertEqual((ran.status, ran.errors), (0, ""))
        self.assertEqual(
            ran.lines,
            [
                f"{NAME}: upload {UUID}: nobody has finished it since 2001-09-09T01:46:40Z",
                "1 uploads would be purged (4 B), 0 remain",
            ],
        )
        self.assertTrue(self.remains())
        self.assertEqual(self.run_command(self.config).lines[-1], "1 uploads purged (4 B), 0 remain")
        self.assertFalse(self.remains())

    def test_json(self) -> None:
        item, summary = self.run_command("--json", self.config).objects
        self.assertEqual((item["kind"], item["name"], item["repository"], item["bytes"]), ("upload", UUID, NAME, 4))
        self.assertEqual(summary, {"kind": "summary", "sessions": 1, "size": 4, "remaining": 0})

    def test_age(self) -> None:
        self.configure("  maintenance: {uploadpurging: {age: 1000000h}}\n")
        self.run_command(self.config)
        self.assertTrue(self.remains())
        self.run_command("--age", "1h", self.config)
        self.assertFalse(self.remains())
        self.assertEqual(self.run_command("--age", "a week", self.config).status, 2)

    def test_by_hand_it_does_what_it_is_told(self) -> None:
        self.configure("  maintenance: {uploadpurging: {enabled: false, dryrun: true}}\n")
        self.run_command(self.config)
        self.assertFalse(self.remains())

    def test_scheduled(self) -> None:
        for rules in ("enabled: false", "dryrun: true", "age: 1000000h"):
            self.configure(f"  maintenance: {{uploadpurging: {{{rules}}}}}\n")
            self.assertEqual(self.run_command("--scheduled", self.config).status, 0)
            self.assertTrue(self.remains(), rules)
        self.configure()
        self.run_command("--scheduled", self.config)
        self.assertFalse(self.remains())


PLAIN = """
from zope.interface import classImplementsOnly
from dregistry.storage import IStorageDriver
from dregistry.storage.filesystem import FilesystemDriver

class Plain(FilesystemDriver):
    pass

classImplementsOnly(Plain, IStorageDriver)
Factory.build = lambda self, options, context: Plain({root!r}, context.threads)
"""


class OtherDriverTests(CommandCase):
    """A driver that cannot be gone through without a reactor: the commands run beside one."""

    def setUp(self) -> None:
        super().setUp()
        self.plugins = PluginFolder(self)
        self.plugins.driver("dregistry_test_plain", "plain", more=PLAIN.format(root=self.data))
        with open(self.config, "w") as file:
            file.write("version: 0.1\nstorage: plain\n")

    def in_process(self, *arguments: str) -> Ran:
        command = [sys.executable, "-m", "dregistry.cli", *arguments, self.config]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([self.plugins.path, *filter(None, sys.path)])}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
        return Ran(done.returncode, done.stdout, done.stderr)

    def test_garbage_collect(self) -> None:
        for number in range(40):
            self.storage.image(f"a{number}", f"v{number}", name=f"team/{number}")
        untagged, loose = self.storage.image("b"), self.storage.blob(b"loose")
        ran = self.in_process("garbage-collect", "-m", "--json")
        self.assertEqual((ran.status, ran.errors), (0, ""))
        gone = {each["name"] for each in ran.objects if each["kind"] in ("blob", "manifest")}
        self.assertEqual(gone, {str(each) for each in (untagged, loose, Digest.of(b"config b"), Digest.of(b"layer b"))})
        left = {path.split("/")[-2] for path in self.storage.all() if path.startswith(paths.BLOBS)}
        self.assertEqual(len(left), 120)
        self.assertFalse(left & {name.removeprefix("sha256:") for name in gone})

    def test_scrub(self) -> None:
        self.storage.image("a", "v1")
        digest = self.storage.blob(b"content")
        self.storage.put(paths.blob_data(digest), b"contend")
        self.assertEqual(self.in_process("scrub", "--quarantine", "-q").status, 1)
        self.assertIn(paths.quarantined(digest), self.storage.all())
        self.assertEqual(self.in_process("scrub").lines[-1][:8], "3 blobs ")

    def test_purge_uploads(self) -> None:
        self.storage.put(paths.upload_started_at(NAME, UUID), b"2001-09-09T01:46:40Z")
        self.assertEqual(self.in_process("purge-uploads").lines[-1], "1 uploads purged (0 B), 0 remain")
        self.assertEqual(self.storage.all(), {})

    def test_failure(self) -> None:
        os.mkdir(self.data + "/docker")
        os.symlink("registry", self.data + "/docker/registry")
        ran = self.in_process("garbage-collect")
        self.assertEqual(ran.status, 1)
        self.assertIn("the storage failed", ran.errors)
        self.assertNotIn("Traceback", ran.errors)
