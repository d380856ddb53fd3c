"""The driver keeps to the contract, and to what its README adds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile

from dregistry_sqlite import SqliteDriver, SqliteOptions
from twisted.trial.unittest import TestCase

from dregistry.storage import StorageFull, WriterBusy
from dregistry.testing import InlineThreads, LockingSuite, StorageDriverSuite, pooled_threads


def temporary_folder(case):
    folder = tempfile.mkdtemp(prefix="dregistry-sqlite-")
    case.addCleanup(shutil.rmtree, folder)
    return folder


class SqliteDriverTests(StorageDriverSuite, LockingSuite, TestCase):
    def make_driver(self):
        self.filename = os.path.join(temporary_folder(self), "registry.sqlite")
        return SqliteDriver(SqliteOptions(self.filename), self.make_threads())

    def make_threads(self):
        return InlineThreads()

    async def test_small_rows(self):
        """Memory is bounded by the rows, whatever is written at once."""
        await self.write("/written", b"x" * ((3 << 20) + 1))
        await self.driver.put_content("/put", b"x" * ((2 << 20) + 1))
        with sqlite3.connect(self.filename) as database:
            [sizes] = database.execute("SELECT max(length(data)) FROM piece")
        self.assertEqual(sizes, (1 << 20,))

    async def test_nothing_is_left(self):
        await self.write("/folder/a", b"x")
        await self.write("/folder/b", b"x")
        await self.driver.move("/folder/a", "/folder/b")
        await self.driver.delete("/folder")
        with sqlite3.connect(self.filename) as database:
            for table in ("content", "piece"):
                self.assertEqual(database.execute(f"SELECT count(*) FROM {table}").fetchall(), [(0,)])

    async def test_another_process(self):
        """As far as locks and transactions can tell, another driver is one."""
        other = SqliteDriver(SqliteOptions(self.filename), InlineThreads())
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"one, ")
        self.assertEqual(await other.written("/file"), 5)
        await self.assert_refused(WriterBusy, other.writer, "/file")
        await self.assert_refused(WriterBusy, other.move, "/file", "/elsewhere")
        await writer.close()
        writer = await other.writer("/file", writer.state)
        await writer.write(b"two")
        await writer.commit("/destination")
        await self.assert_content("/destination", b"one, two")

    async def test_full(self):
        driver = SqliteDriver(SqliteOptions(self.filename, maxsize=3 << 20), InlineThreads())
        await driver.put_content("/kept", b"before")
        writer = await driver.writer("/uploads/data", create=True)
        for _ in range(2):
            await writer.write(b"x" * (1 << 20))
        await self.assert_refused(StorageFull, writer.write, b"x" * (2 << 20))
        await self.assert_refused(StorageFull, driver.put_content, "/kept", b"x" * (2 << 20))
        self.assertEqual(writer.size, 2 << 20)
        await self.assert_content("/kept", b"before")
        await writer.cancel()
        await driver.put_content("/kept", b"x" * (2 << 20))


class ThreadedSqliteDriverTests(SqliteDriverTests):
    """As it is served."""

    def make_threads(self):
        return pooled_threads(self)


class OpeningTests(TestCase):
    def test_no_database(self):
        """Whoever starts the registry is told."""
        filename = os.path.join(temporary_folder(self), "registry.sqlite")
        with open(filename, "w", encoding="ascii") as file:
            file.write("something else" * 100)
        error = self.assertRaises(OSError, SqliteDriver, SqliteOptions(filename), InlineThreads())
        self.assertIn(filename, str(error))
        self.assertRaises(OSError, SqliteDriver, SqliteOptions(f"{filename}/file"), InlineThreads())
