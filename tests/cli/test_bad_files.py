"""Files that nobody should start with: ``dregistry check-config`` says why, in words."""

from __future__ import annotations

import os

from ..storage.support import temporary_directory
from .running import CommandCase

HEAD = "version: 0.1\nstorage: inmemory\n"
BAD: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "an empty file": ("", ("line 1: expected a mapping of sections, not nothing",)),
    "a list": ("- version: 0.1\n", ("line 1: expected a mapping of sections, not a list",)),
    "a tab": ("version: 0.1\nstorage:\n\tinmemory:\n", ("line 3, column 1: a tab; YAML is indented by spaces",)),
    "a brace that is not closed": (
        "version: 0.1\nstorage: {inmemory: \n",
        ("line 3, column 1: did not find expected node content, while parsing a flow node",),
    ),
    "bytes": (b"\0\xff\xfe", ("file: not UTF-8 at line 1 (byte 1)",)),
    "Latin-1": (HEAD.encode() + b"x: caf\xe9\n", ("file: not UTF-8 at line 3 (byte 37)",)),
    "no version": ("storage: inmemory\n", ("version: missing; the first line should be version: 0.1",)),
    "another version": (
        HEAD.replace("0.1", "0.2"),
        ("version: unsupported version '0.2'; this registry reads version 0.1",),
    ),
    "no storage": (
        "version: 0.1\n",
        ("storage: no storage driver is named; name exactly one, such as filesystem",),
    ),
    "two drivers": (
        "version: 0.1\nstorage: {inmemory: , filesystem: }\n",
        (
            "storage: multiple storage drivers specified in configuration or environment: filesystem, inmemory; name"
            " exactly one",
        ),
    ),
    "a misspelt key beside the driver": (
        "version: 0.1\nstorage: {inmemory: , delet: {enabled: true}}\n",
        (
            "storage: multiple storage drivers specified in configuration or environment: delet, inmemory; name exactly"
            " one (perhaps delet is no driver but meant as delete)",
        ),
    ),
    "a list for a string": (HEAD + "http: {addr: [a]}\n", ("http.addr: expected a string, not a list",)),
    "a duration in words": (
        HEAD + "http: {draintimeout: 5 minutes}\n",
        ("http.draintimeout: '5 minutes' is not a duration such as 10s, 1h30m or 168h",),
    ),
    "no such level": (
        HEAD + "log: {level: inof}\n",
        ("log.level: must be one of error, warn, info, debug; not 'inof'",),
    ),
    "a header that is no list": (
        HEAD + "http: {headers: {X-A: b}}\n",
        ("http.headers.X-A: must be a list of strings: write X-A: [value]",),
    ),
    "a section twice": (
        HEAD + "log: {}\nlog: {}\n",
        ("log: given twice, at line 3 and at line 4",),
    ),
    "no expression": (
        HEAD + "validation: {manifests: {urls: {allow: ['(']}}}\n",
        (
            "validation.manifests.urls.allow[0]: '(' is not a regular expression: missing ), unterminated subpattern at"
            " position 0",
        ),
    ),
    "a controller without options": (
        HEAD + "auth: htpasswd\n",
        (
            "auth.htpasswd.realm: missing, and it has no default",
            "auth.htpasswd.path: missing, and it has no default",
        ),
    ),
    "passwords that are not there": (
        HEAD + "auth: {htpasswd: {realm: r, path: /nonexistent/users}}\n",
        ("auth.htpasswd.path: /nonexistent/users cannot be read: No such file or directory",),
    ),
    "a rule for nobody": (
        HEAD + "auth: {policy: [{repositories: [a], actions: [pull]}]}\n",
        ("auth.policy[0]: is for nobody: give users or groups, or anonymous: true",),
    ),
    "no processes": (HEAD + "http: {workers: 0}\n", ("http.workers: must be at least 1, not 0",)),
    "several processes of one memory": (
        HEAD + "http: {workers: 2}\n",
        ("http.workers: storage inmemory is of one process only: set it to 1",),
    ),
    "a relative prefix": (
        HEAD + "http: {prefix: registry}\n",
        ("http.prefix: must be a path that starts with a slash, such as /registry/",),
    ),
    "an endpoint without a URL": (
        HEAD + "notifications: {endpoints: [{name: a, url: listener}]}\n",
        ("notifications.endpoints[0].url: must be a whole URL, such as https://listener.example.com/events",),
    ),
    "an alias of nothing": (
        HEAD + "http: *nowhere\n",
        ("line 3, column 7: no anchor &nowhere stands before this alias",),
    ),
    "code": (
        "version: 0.1\nstorage: !!python/object/apply:os.system [id]\n",
        ("line 2, column 10: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported",),
    ),
    "a cache without its Redis": (
        "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: redis}}\n",
        ("redis.addr: missing: the HOST:PORT of the Redis that is to be the cache",),
    ),
}
MEANT = {
    "storage: {filesytem: {rootdirectory: /tmp}}": ("storage: no storage driver is named 'filesytem'", "filesystem"),
    "storage: inmemory\nauth: {htpaswd: {realm: r}}": (
        "auth.htpaswd: no access controller is named 'htpaswd'",
        "htpasswd",
    ),
    "storage: inmemory\nmiddleware: {storage: [{name: redirct}]}": (
        "middleware.storage[0]: no storage middleware is named 'redirct'",
        "redirect",
    ),
    "storage: inmemory\nnotifications: {endpoints: [{sink: webhok}]}": (
        "notifications.endpoints[0].sink: no notification sink is named 'webhok'",
        "webhook",
    ),
}


class BadFileTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(temporary_directory(self), "config.yml")

    def report(self, content: bytes) -> list[str]:
        """The lines of it after the first."""
        with open(self.path, "wb") as file:
            file.write(content)
        ran = self.run_command("check-config", self.path)
        self.assertEqual((ran.status, ran.output), (1, ""))
        heading, *lines = ran.errors.splitlines()
        plural = "" if len(lines) == 1 else "s"
        self.assertEqual(heading, f"{self.path}: {len(lines)} problem{plural}")
        return lines

    def test_table(self) -> None:
        """One report each: the path of what is wrong, and how it should be."""
        self.assertGreaterEqual(len(BAD), 20)
        for what, (content, expected) in BAD.items():
            lines = self.report(content if isinstance(content, bytes) else content.encode())
            self.assertEqual(lines, [f"  {line}" for line in expected], what)

    def test_misspelt(self) -> None:
        """What was meant, and all that there is."""
        for text, (said, meant) in MEANT.items():
            [line] = self.report(f"version: 0.1\n{text}\n".encode())
            self.assertTrue(line.startswith(f"  {said}; found: "), line)
            self.assertTrue(line.endswith(f"; did you mean {meant}?"), line)

    def test_directory(self) -> None:
        ran = self.run_command("check-config", os.path.dirname(self.path))
        self.assertEqual(ran.status, 1)
        self.assertTrue(ran.errors.endswith("1 problem\n  file: cannot be read: Is a directory\n"), ran.errors)
