"""Tests of :mod:`dregistry.logs`: where lines go."""

from __future__ import annotations

import os

from twisted.application.service import Application, Service
from twisted.logger import ILogObserver
from twisted.trial.unittest import SynchronousTestCase

from dregistry.logs import FILE, AppendedFile, Descriptor, LoggingService, LogSettings, logs_of_child, logs_of_twistd

from ..storage.support import temporary_directory


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.path = os.path.join(self.folder, "log")

    def content(self, name: str = "log") -> str:
        with open(os.path.join(self.folder, name)) as file:
            return file.read()

    def opened(self) -> AppendedFile:
        found = AppendedFile(self.path)
        self.addCleanup(found.close)
        return found

    def test_shared(self) -> None:
        """By several processes."""
        one, other = self.opened(), self.opened()
        for number in range(3):
            one.write(f"a{number}")
            other.write(f"ä{number}\udc80")
        self.assertEqual(self.content(), "".join(f"a{n}\nä{n}\\udc80\n" for n in range(3)))
        self.assertEqual(os.stat(self.path).st_mode & 0o007, 0)

    def test_rotated(self) -> None:
        """Moved away, removed, or both and another in its place."""
        log = self.opened()
        log.write("1")
        os.rename(self.path, self.path + ".1")
        log.write("2")
        self.assertEqual((self.content("log.1"), self.content()), ("1\n", "2\n"))
        os.unlink(self.path)
        log.write("3")
        self.assertEqual(self.content(), "3\n")
        os.rename(self.path, self.path + ".2")
        other = self.opened()
        other.write("4")
        log.write("5")
        self.assertEqual(self.content(), "4\n5\n")

    def test_no_new_one(self) -> None:
        """Then the old one is written on."""
        log = self.opened()
        gone = self.folder + "-gone"
        os.rename(self.folder, gone)
        self.addCleanup(os.rename, gone, self.folder)
        log.write("1")
        self.assertEqual(self.content(os.path.join(gone, "log")), "1\n")
        self.assertRaises(OSError, AppendedFile, self.path)

    def test_full(self) -> None:
        """A line is lost, and no more."""
        log = AppendedFile("/dev/full")
        self.addCleanup(log.close)
        log.write("1")
        self.assertRaises(OSError, log.append, "2")

    def test_closed_pipe(self) -> None:
        reading, writing = os.pipe()
        output = Descriptor(writing)
        output.write("a")
        self.assertEqual(os.read(reading, 10), b"a\n")
        os.close(reading)
        output.write("b")
        os.close(writing)
        output.write("c")


class ChoiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(temporary_directory(self), "log")

    def test_of_twistd(self) -> None:
        for options, expected in (
            ({"nodaemon": 1}, "stdout"),
            ({"nodaemon": 1, "logfile": "-"}, "stdout"),
            ({"nodaemon": 1, "logfile": self.path}, self.path),
            ({"nodaemon": 0, "logfile": self.path}, self.path),
            ({"nodaemon": 1, "logger": lambda: None}, None),
            ({"nodaemon": 1, "syslog": True, "logfile": self.path}, None),
            ({"nodaemon": 0, "logfile": "-"}, None),
        ):
            found = logs_of_twistd(options, LogSettings(), "i")
            where = None if found is None else getattr(found.output, "path", "stdout")
            self.assertEqual(where, expected, options)
            if found is not None and isinstance(found.output, AppendedFile):
                found.output.close()

    def test_of_a_child(self) -> None:
        for environ, expected in (
            ({}, "stdout"),
            ({FILE: self.path}, self.path),
            ({FILE: os.path.join(self.path, "x")}, "stdout"),
        ):
            found = logs_of_child(environ, LogSettings(), "i")
            self.assertEqual(getattr(found.output, "path", "stdout"), expected)
            if isinstance(found.output, AppendedFile):
                found.output.close()

    def test_service(self) -> None:
        """twistd asks the application what to log through."""
        logs = logs_of_child({}, LogSettings(), "i")
        for found in (logs, None):
            service = LoggingService()
            service.logs = found
            application = Application("x")
            service.setServiceParent(application)
            self.assertIs(application.getComponent(ILogObserver, None), found)
            self.assertIsInstance(service, Service)
