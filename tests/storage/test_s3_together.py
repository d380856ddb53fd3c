"""Several drivers on one bucket, as several processes have them; and what they leave there."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from dregistry.storage import PathNotFound, StorageError, WriterBusy
from dregistry.storage.s3._habits import ABSENT
from dregistry.storage.s3._locking import _LEASE
from dregistry.testing._storage_case import at_once, pattern

from .s3_service import s3_driver, s3_settings

MIB = 1 << 20
CHUNK = 5 * MIB


class TogetherCase(TestCase):
    """:ivar drivers: of the same directory of the bucket."""

    def setUp(self) -> None:
        self.settings = s3_settings()
        self.drivers = [self.driver() for _ in range(2)]

    def driver(self, **options: Any) -> Any:
        return s3_driver(self, **{**self.settings, "chunksize": CHUNK, **options})

    async def left(self, path: str = "/") -> list[str]:
        """Keys of what is in the bucket, parts of uploads included."""
        bucket = self.drivers[0]._bucket
        prefix = self.drivers[0]._key(path)
        uploads = [f"{upload.key}?upload" for upload in await bucket.uploads(prefix)]
        return [found.key.removeprefix(prefix) for found in (await bucket.page(prefix)).objects] + uploads

    async def content(self, path: str) -> bytes:
        return b"".join([piece async for piece in self.drivers[0].read(path)])

    async def refused(self, expected: type[Exception], work: Any) -> None:
        try:
            await work
        except expected:
            return
        self.fail(f"no {expected.__name__}")

    async def write(self, writer: Any, content: bytes) -> None:
        for start in range(0, len(content), MIB):
            await writer.write(content[start : start + MIB])


class WriterTests(TogetherCase):
    async def begun(self, size: int) -> tuple[bytes, bytes]:
        """The state of a session, and its content."""
        content = pattern(size)
        writer = await self.drivers[0].writer("/u/data", create=True)
        await self.write(writer, content)
        await writer.close()
        return writer.state, content

    async def test_one_after_the_other(self) -> None:
        state, content = await self.begun(12 * MIB)
        more = pattern(9 * MIB, 7)
        writer = await self.drivers[1].writer("/u/data", state)
        await self.write(writer, more)
        await writer.close()
        writer = await self.drivers[0].writer("/u/data", writer.state)
        await writer.commit("/blob")
        self.assertEqual(await self.content("/blob"), content + more)
        self.assertEqual(await self.left(), ["blob"])

    async def test_two_at_once(self) -> None:
        """Whoever commits has committed what it wrote."""
        for before in (1000, 12 * MIB):
            state, content = await self.begun(before)
            writers = [await driver.writer("/u/data", state) for driver in self.drivers]
            more = [pattern(11 * MIB, seed) for seed in (1, 2)]
            await at_once(*(self.write(writer, each) for writer, each in zip(writers, more, strict=True)))
            ended = await at_once(*(writer.commit(f"/blob{n}") for n, writer in enumerate(writers)))
            for number, outcome in enumerate(ended):
                if outcome is None:
                    self.assertEqual(await self.content(f"/blob{number}"), content + more[number])
                else:
                    self.assertIsInstance(outcome, (WriterBusy, PathNotFound))
            self.assertTrue(all(isinstance(outcome, (type(None), StorageError)) for outcome in ended), ended)
            for writer in writers:
                await writer.cancel()
            await at_once(*(self.drivers[0].delete(path) for path in ("/u", "/blob0", "/blob1")))

    async def test_closed_by_both(self) -> None:
        """The later one learns that its bytes are not kept; the other's go on."""
        state, content = await self.begun(1000)
        writers = [await driver.writer("/u/data", state) for driver in self.drivers]
        for number, writer in enumerate(writers):
            await writer.write(b"%d" % number)
        await writers[0].close()
        await self.refused(WriterBusy, writers[1].close())
        writer = await self.drivers[1].writer("/u/data", writers[0].state)
        await writer.commit("/blob")
        self.assertEqual(await self.content("/blob"), content + b"0")

    async def test_first_by_both(self) -> None:
        writers = [await driver.writer("/u/data", create=True) for driver in self.drivers]
        for number, writer in enumerate(writers):
            await writer.write(b"%d" % number)
        await writers[0].close()
        await self.refused(WriterBusy, writers[1].close())

    async def test_parts_of_another(self) -> None:
        """They have the right numbers and sizes, but are not taken for its own."""
        state, content = await self.begun(11 * MIB)
        writers = [await self.driver().writer("/u/data", state) for _ in range(2)]
        more = [pattern(9 * MIB, seed) for seed in (1, 2)]
        for writer, each in zip(writers, more, strict=True):
            await self.write(writer, each)
        for writer in writers:
            await writer.close()
        for number, writer in enumerate(writers):
            with contextlib.suppress(WriterBusy, PathNotFound):
                again = await self.drivers[0].writer("/u/data", writer.state)
                await again.commit("/blob")
                self.assertEqual(await self.content("/blob"), content + more[number])

    async def test_crash(self) -> None:
        """Parts that are there are found by the state from the middle of it."""
        content = pattern(17 * MIB)
        driver = self.driver()
        writer = await driver.writer("/u/data", create=True)
        await self.write(writer, content)
        await writer._parts.settle()
        state = writer.state
        self.assertEqual(await self.drivers[0].written("/u/data", state), 15 * MIB)
        again = await self.drivers[0].writer("/u/data", state)
        self.assertEqual(again.size, 15 * MIB)
        await self.write(again, content[15 * MIB :])
        await again.commit("/blob")
        self.assertEqual(await self.content("/blob"), content)

    async def test_crash_after_a_resumption(self) -> None:
        """What followed the parts before is in the first of the new ones, or still beside them."""
        state, begin = await self.begun(11 * MIB)
        more = pattern(6 * MIB, 3)
        writer = await self.driver().writer("/u/data", state)
        await self.write(writer, more)
        await writer._parts.settle()
        for settled in (state, writer.state):
            again = await self.driver().writer("/u/data", settled)
            self.assertEqual(again.size, 11 * MIB if settled == state else 15 * MIB)
            found = b"".join([piece async for piece in again.read()])
            self.assertEqual(found, (begin + more)[: again.size])
            break  # to read puts the parts together

    async def test_deleted_by_another(self) -> None:
        for size in (100, 11 * MIB):
            state, _ = await self.begun(size)
            writer = await self.drivers[0].writer("/u/data", state)
            await self.drivers[1].delete("/u")
            await self.refused(PathNotFound, self.drivers[1].written("/u/data", state))
            await self.write(writer, b"x" * 6 * MIB)
            await self.refused((PathNotFound, WriterBusy), writer.commit("/blob"))  # type: ignore[arg-type]
            await writer.close()
            self.assertEqual(await self.left(), [])

    async def test_read_then_kept(self) -> None:
        """A state that names one whole object, to which more can be written."""
        state, content = await self.begun(23 * MIB)
        writer = await self.drivers[0].writer("/u/data", state)
        async for _ in writer.read():
            pass
        await writer.close()
        writer = await self.drivers[1].writer("/u/data", writer.state)
        self.assertEqual(writer.size, 23 * MIB)
        await writer.write(b"end")
        await writer.commit("/blob")
        self.assertEqual(await self.content("/blob"), content + b"end")
        self.assertEqual(await self.left(), ["blob"])

    async def test_nothing_is_left(self) -> None:
        for end in ("close", "cancel"):
            writer = await self.drivers[0].writer("/u/data", create=True, destination="/blob")
            await self.write(writer, b"x" * 11 * MIB)
            await getattr(writer, end)()
            self.assertEqual(await self.left(), [])
        writer = await self.drivers[0].writer("/u/data", create=True)
        await self.write(writer, b"x" * 11 * MIB)
        await writer.cancel()
        self.assertEqual(await self.left(), [])
        await self.begun(11 * MIB)
        await self.drivers[1].delete("/u")
        self.assertEqual(await self.left(), [])

    async def test_straight_to_its_place(self) -> None:
        """A blob that comes in one request is not copied, and what no more fits into a part takes one request."""
        driver = self.drivers[0]
        for size, expected in (
            (11 * MIB, {"CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1, "PutObject": 1}),
            (MIB, {"PutObject": 2}),
        ):
            driver.metrics.requests.clear()
            writer = await driver.writer("/u/data", create=True, destination="/blob")
            await self.write(writer, pattern(size))
            await writer.commit("/blob", [("/link", b"link")])
            asked = {name: count for (name, _), count in driver.metrics.requests.items()}
            asked.pop("HeadObject", None)  # where the answer to a completion has no ETag
            self.assertEqual(asked, expected)


class LockTests(TogetherCase):
    async def test_one_at_a_time(self) -> None:
        holders: list[int] = []

        async def hold(number: int) -> None:
            lock = await self.drivers[number % 2].lock(f"/a/{number // 2 * 0}")
            holders.append(number)
            self.assertEqual(len(holders), 1)
            await self.drivers[number % 2].put_content("/counted", b"%d" % number)
            holders.remove(number)
            lock.release()

        self.assertEqual(await at_once(*(hold(number) for number in range(2))), [None] * 2)
        for driver in self.drivers:
            await driver._locker.close()
        self.assertEqual(await self.left(), ["counted"])

    async def test_left_by_a_process_that_ended(self) -> None:
        driver = self.drivers[0]
        key = f"{driver._key('/.dregistry-locks')}/a"
        await driver._bucket.put(key, [b"of another"], ABSENT)
        real = driver._bucket.head

        async def later(key: str) -> Any:
            found = await real(key)
            object.__setattr__(found, "age", found.age + _LEASE + 1)
            return found

        self.patch(driver._bucket, "head", later)
        (await driver.lock("/a")).release()
        await driver._locker.close()
        self.assertEqual(await self.left(), [])


class RedirectTests(TogetherCase):
    async def test_leads_to_the_content(self) -> None:
        for options in ({}, {"v4auth": False}):
            driver = self.driver(**options)
            await driver.put_content("/a/b", b"content")
            for method, expected in (("GET", b"content"), ("HEAD", b"")):
                url = await driver.redirect_url("/a/b", method, "")
                self.assertEqual(await deferToThread(fetch, url, method), expected)
            with self.assertRaises(urllib.error.HTTPError):
                await deferToThread(fetch, url, "GET")

    async def test_another_endpoint(self) -> None:
        driver = self.driver(redirectendpoint="https://public.example.com")
        url = await driver.redirect_url("/a", "GET", "")
        self.assertTrue(url.startswith(f"https://public.example.com/{self.settings['bucket']}/"), url)


class VersionTwoTests(TogetherCase):
    async def test_signatures(self) -> None:
        driver = self.driver(v4auth=False)
        await driver.put_content("/a/b", b"content")
        self.assertEqual(await driver.get_content("/a/b"), b"content")
        self.assertEqual(await driver.children("/a"), ["b"])
        writer = await driver.writer("/u", create=True)
        await self.write(writer, pattern(11 * MIB))
        await writer.commit("/blob")
        self.assertEqual(await self.content("/blob"), pattern(11 * MIB))
        await driver.delete("/a")


def fetch(url: str, method: str) -> bytes:
    request = urllib.request.Request(url, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return bytes(answer.read())
