"""What the ``s3`` driver does when the service or the way to it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from dregistry.storage import PathNotFound, StorageFull, StorageUnavailable, WriterBusy
from dregistry.storage.s3._objects import Part
from dregistry.storage.s3._parts import etag_of

from .scripted_s3 import ScriptedService, Step, cut, drop, error, reply, scripted_driver, stall

CONTENT = bytes(range(256)) * 4000
CREATED = reply(200, "<InitiateMultipartUploadResult><UploadId>up</UploadId></InitiateMultipartUploadResult>")
TAG = "0123456789abcdef0123456789abcdef"
PART = reply(200, ETag=f'"{TAG}"')
NO_UPLOAD = error(404, "NoSuchUpload")
WHOLE = {"ETag": '"tag"', "Content_Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}


def part_of(start: int) -> Step:
    span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return reply(206, CONTENT[start:], ETag='"tag"', Content_Range=span)


def whole_of(count: int) -> str:
    """The ETag of so many parts put together."""
    return etag_of([Part(number + 1, TAG, 0) for number in range(count)])


def completed(count: int) -> Step:
    return reply(
        200,
        f"<CompleteMultipartUploadResult><ETag>&quot;{whole_of(count)}&quot;</ETag></CompleteMultipartUploadResult>",
    )


async def all_of(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


class ScriptedCase(TestCase):
    service: ScriptedService
    driver: Any

    def setUp(self) -> None:
        self.service, self.driver = scripted_driver(self, forcepathstyle=True)

    async def refused(self, expected: type[Exception], work: Any) -> Any:
        """What is raised, and nothing is left to be asked."""
        try:
            await work
        except expected as raised:
            self.assertEqual(self.service.steps, [])
            return raised
        self.fail(f"no {expected.__name__}")


class AgainTests(ScriptedCase):
    """Requests that are sent again."""

    async def test_throttled(self) -> None:
        self.service.start(error(503, "SlowDown"), error(429, "TooManyRequests"), reply(200, ETag='"a"'))
        await self.driver.put_content("/a/b", b"content")
        self.assertEqual([asked.body for asked in self.service.asked], [b"content"] * 3)
        self.assertEqual(self.driver.metrics.retries["PutObject"], 2)
        self.assertEqual(
            dict(self.driver.metrics.requests),
            {("PutObject", "503"): 1, ("PutObject", "429"): 1, ("PutObject", "200"): 1},
        )

    async def test_each_passing_failure(self) -> None:
        for step in (
            drop,
            cut(4, 200, b"content"),
            error(500, "InternalError"),
            reply(502, "<html>bad gateway</html>"),
            reply(504),
            error(400, "RequestTimeout"),
            error(409, "OperationAborted"),
        ):
            self.service.start(step, reply(200, b"content"))
            self.assertEqual(await self.driver.get_content("/a"), b"content")
            self.assertEqual(len(self.service.asked), 2)

    async def test_no_end(self) -> None:
        self.service.start(*[error(503, "SlowDown")] * 6)
        raised = await self.refused(StorageUnavailable, self.driver.get_content("/a"))
        self.assertIn("503 SlowDown", raised.reason)
        self.service.start(*[drop] * 6)
        raised = await self.refused(StorageUnavailable, self.driver.get_content("/a"))
        self.assertIn("tried 6 times", raised.reason)
        self.assertIn("/bucket/a", raised.reason)

    async def test_not_again(self) -> None:
        for status, code in ((400, "InvalidRequest"), (403, "AccessDenied"), (501, "NotImplemented")):
            self.service.start(error(status, code))
            await self.refused(StorageUnavailable, self.driver.put_content("/a", b""))

    async def test_waits_longer_each_time(self) -> None:
        """Up to some seconds, and longer when the service is overloaded."""
        for step, expected in ((error(500, "x"), [0.1, 0.2, 0.4, 0.8, 1.6]), (error(503, "x"), [0.5, 1, 2, 4, 8])):
            waits: list[float] = []
            service, driver = scripted_driver(self, forcepathstyle=True)
            object.__setattr__(driver._client, "jitter", lambda longest, waits=waits: waits.append(longest) or 0.0)
            service.start(*[step] * 6)
            try:
                await driver.get_content("/a")
            except StorageUnavailable:
                self.assertEqual(waits, expected)

    async def test_error_of_a_success(self) -> None:
        """S3 may say 200 before it knows."""
        head = {"ETag": '"tag"', "Content_Length": "7"}
        failed = reply(200, "<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>")
        copied = reply(200, "<CopyObjectResult><ETag>&quot;new&quot;</ETag></CopyObjectResult>")
        probe = (reply(200, ETag='"probe"'), error(412, "PreconditionFailed"), reply(204))
        self.service.start(reply(200, **head), *probe, failed, copied, reply(204))
        await self.driver.move("/a", "/b")
        self.assertEqual(len(self.service.asked), 7)
        self.service.start(reply(200, **head), reply(200, "<Error><Code>AccessDenied</Code></Error>"))
        await self.refused(StorageUnavailable, self.driver.move("/a", "/b"))

    async def test_copy_where_conditions_are_ignored(self) -> None:
        """As of old by Ceph: then in parts, and once the source is looked at again they are put together."""
        for tag in ("tag", "another"):
            service, driver = scripted_driver(self, forcepathstyle=True)
            head = reply(200, ETag='"tag"', Content_Length="7")
            copied = reply(200, f"<CopyResult><ETag>&quot;{TAG}&quot;</ETag></CopyResult>")
            probe = (reply(200, ETag='"probe"'), copied, reply(204), reply(204))
            again = reply(200, ETag=f'"{tag}"', Content_Length="7")
            end = (completed(1), reply(204)) if tag == "tag" else (reply(204),)
            service.start(head, *probe, CREATED, copied, again, *end)
            if tag == "tag":
                await driver.move("/a", "/b")
            else:
                await self.refused(PathNotFound, driver.move("/a", "/b"))
            self.assertEqual(service.steps, [])
            self.assertEqual(service.asked[6].headers["x-amz-copy-source-range"], "bytes=0-6")

    async def test_answer_of_a_conditional_write_is_lost(self) -> None:
        """That it is refused the second time is the first one's doing."""
        service, driver = scripted_driver(self, forcepathstyle=True, conditionalwrites=True)
        tag = '"9a0364b9e99bb480dd25e1f0284c8555"'  # of "content"
        probe = [reply(200, ETag='"a"'), error(412, "PreconditionFailed"), reply(204)]
        service.start(error(404, "NoSuchKey"), *probe, drop, error(412, "PreconditionFailed"), reply(200, ETag=tag))
        writer = await driver.writer("/a", create=True)
        await writer.write(b"content")
        await writer.close()
        self.assertEqual(service.steps, [])
        self.assertIn(b"9a0364b9e99bb480dd25e1f0284c8555", writer.state)


class ReadTests(ScriptedCase):
    async def test_broken_in_the_middle(self) -> None:
        """It goes on where it broke off, in the same object."""
        self.service.start(cut(300_000, 206, CONTENT, **WHOLE), cut(100_000, 206, CONTENT[300_000:]), part_of(400_000))
        self.assertEqual(await all_of(self.driver.read("/a")), CONTENT)
        ranges = [asked.headers["range"] for asked in self.service.asked]
        end = len(CONTENT) - 1
        self.assertEqual(ranges[0], f"bytes=0-{(12 << 20) - 1}")
        self.assertEqual(ranges[1:], [f"bytes=300000-{end}", f"bytes=400000-{end}"])
        self.assertEqual([asked.headers.get("if-match") for asked in self.service.asked], [None, "tag", "tag"])

    async def test_broken_again_and_again(self) -> None:
        self.service.start(cut(300_000, 206, CONTENT, **WHOLE), *[cut(0, 206, CONTENT[300_000:])] * 5)
        raised = await self.refused(StorageUnavailable, all_of(self.driver.read("/a")))
        self.assertIn("again and again", raised.reason)

    async def test_replaced_in_the_middle(self) -> None:
        for step in (error(412, "PreconditionFailed"), error(404, "NoSuchKey")):
            self.service.start(cut(300_000, 206, CONTENT, **WHOLE), step)
            raised = await self.refused(StorageUnavailable, all_of(self.driver.read("/a")))
            self.assertIn("replaced or deleted", raised.reason)

    async def test_no_ranges(self) -> None:
        """All of it will do from the beginning on."""
        self.service.start(reply(200, CONTENT, ETag='"tag"'))
        self.assertEqual(await all_of(self.driver.read("/a")), CONTENT)
        self.service.start(reply(200, CONTENT, ETag='"tag"'))
        raised = await self.refused(StorageUnavailable, all_of(self.driver.read("/a", 5)))
        self.assertIn("ranges", raised.reason)

    async def test_throttled(self) -> None:
        self.service.start(error(503, "SlowDown"), reply(206, CONTENT, **WHOLE))
        self.assertEqual(await all_of(self.driver.read("/a")), CONTENT)

    async def test_closed_in_the_middle(self) -> None:
        """The connection is not used any more, and the next request finds another."""
        self.service.start(reply(206, CONTENT * 8, **{**WHOLE, "Content_Range": "bytes 0-8191999/8192000"}))
        stream = self.driver.read("/a")
        await anext(stream)
        await stream.aclose()
        self.service.start(reply(200, b"content"))
        self.assertEqual(await self.driver.get_content("/a"), b"content")


class ExplainedTests(ScriptedCase):
    """A wrong configuration, in words."""

    async def assert_said(self, step: Step, *words: str) -> None:
        self.service.start(step)
        raised = await self.refused(StorageUnavailable, self.driver.get_content("/a"))
        for word in words:
            self.assertIn(word, str(raised))
        for secret in ("secret-key", "access-key"):
            self.assertNotIn(secret, repr(raised) + str(raised))

    async def test_keys(self) -> None:
        await self.assert_said(error(403, "InvalidAccessKeyId"), "check accesskey")
        await self.assert_said(error(403, "SignatureDoesNotMatch"), "check secretkey")
        await self.assert_said(error(403, "AccessDenied"), "policy")
        self.service.start(error(400, "ExpiredToken"), error(400, "ExpiredToken"))
        raised = await self.refused(StorageUnavailable, self.driver.get_content("/a"))
        self.assertIn("check sessiontoken", str(raised))

    async def test_clock(self) -> None:
        there = "Mon, 23 Nov 2020 01:02:03 GMT"
        await self.assert_said(error(403, "RequestTimeTooSkewed", Date=there), there, "clock", " GMT")

    async def test_region(self) -> None:
        moved = error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1")
        await self.assert_said(moved, "'bucket' is in eu-west-1, not in us-east-1", "check region")
        malformed = error(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>")
        await self.assert_said(malformed, "eu-north-1", "check region")
        await self.assert_said(reply(307, x_amz_bucket_region="ap-south-1"), "ap-south-1")

    async def test_bucket(self) -> None:
        await self.assert_said(error(404, "NoSuchBucket"), "there is no bucket 'bucket'")
        self.service.start(error(404, "NoSuchBucket"))
        await self.refused(StorageUnavailable, all_of(self.driver.read("/a")))

    async def test_other(self) -> None:
        await self.assert_said(error(400, "Odd", "<Message>very\n odd</Message>"), "400 Odd: very odd")
        await self.assert_said(reply(403, "<html>no"), "403 (access denied")

    async def test_head(self) -> None:
        """It has no body: another request asks why."""
        self.service.start(reply(403), error(403, "SignatureDoesNotMatch"))
        raised = await self.refused(StorageUnavailable, self.driver.stat("/a"))
        self.assertIn("check secretkey", str(raised))
        self.assertEqual([asked.method for asked in self.service.asked], ["HEAD", "GET"])

    async def test_what_is_no_xml(self) -> None:
        for body in ("", "<html>", "{}"):
            self.service.start(reply(200, body))
            raised = await self.refused(StorageUnavailable, self.driver.children("/a"))
            self.assertIn("no XML", raised.reason)

    async def test_full(self) -> None:
        for step in (error(403, "QuotaExceeded"), reply(507), error(507, "XMinioStorageFull")):
            self.service.start(step)
            await self.refused(StorageFull, self.driver.put_content("/a", b""))

    async def test_nobody_there(self) -> None:
        service, driver = scripted_driver(self)
        await service.stop()
        try:
            await driver.get_content("/a")
        except StorageUnavailable as raised:
            self.assertIn("tried 6 times", raised.reason)
        else:
            self.fail("there is an answer")


class MultipartTests(ScriptedCase):
    """Parts, as the service answers."""

    async def written(self, *steps: Step, count: int = 11) -> Any:
        """A writer that goes straight to its destination, in parts of 5 MiB, and has written that many MiB."""
        self.service, self.driver = scripted_driver(self, forcepathstyle=True, chunksize=5 << 20)
        self.service.start(CREATED, *steps)
        writer = await self.driver.writer("/u", create=True, destination="/d")
        for _ in range(count):
            await writer.write(b"x" * (1 << 20))
        return writer

    async def test_part_again(self) -> None:
        writer = await self.written(error(503, "SlowDown"), PART, drop, PART, PART, completed(3))
        await writer.commit("/d")
        self.assertEqual(self.service.steps, [])
        self.assertEqual(self.service.asked[-1].body.count(b"<PartNumber>"), 3)
        parts = [target for target in self.service.targets() if "partNumber" in target]
        self.assertEqual((len(parts), len(set(parts))), (5, 3))

    async def test_part_that_fails_for_good(self) -> None:
        """It is there to be sent again."""
        writer = await self.written(error(403, "AccessDenied"), count=5)
        await self.refused(StorageUnavailable, writer.commit("/d"))
        await writer.write(b"end")
        self.service.start(PART, PART, completed(2))
        await writer.commit("/d")
        self.assertEqual(self.service.steps, [])
        sizes = [len(asked.body) for asked in self.service.asked if "partNumber" in asked.target]
        self.assertEqual(sorted(sizes), [3, 5 << 20])

    async def test_part_of_another(self) -> None:
        """The other one's are left alone."""
        writer = await self.written(PART, PART, PART, error(400, "InvalidPart"))
        await self.refused(WriterBusy, writer.commit("/d"))
        await writer.cancel()
        self.assertNotIn("DELETE", [asked.method for asked in self.service.asked])

    async def test_aborted_by_another(self) -> None:
        for steps in ((PART, PART, PART, NO_UPLOAD), (NO_UPLOAD, NO_UPLOAD, NO_UPLOAD)):
            writer = await self.written(*steps)
            await self.refused(PathNotFound, writer.commit("/d"))

    async def test_answer_of_completion_is_lost(self) -> None:
        """That the upload is gone the second time is the first one's doing."""
        there = reply(200, ETag=f'"{whole_of(3)}"', Content_Length=str(11 << 20))
        writer = await self.written(PART, PART, PART, drop, NO_UPLOAD, there)
        await writer.commit("/d")
        self.assertEqual(self.service.steps, [])
        other = reply(200, ETag='"another"', Content_Length="5")
        writer = await self.written(PART, PART, PART, drop, NO_UPLOAD, other)
        await self.refused(PathNotFound, writer.commit("/d"))

    async def test_completed_by_another(self) -> None:
        """A service that says so of other parts, and whose ETags tell."""
        probe = (CREATED, PART, completed(1), reply(204))
        writer = await self.written(PART, PART, PART, completed(2), *probe)
        await self.refused(WriterBusy, writer.commit("/d"))

    async def test_other_etags(self) -> None:
        """Of a service whose ETags are something else, as with a key for encryption."""
        probe = (CREATED, PART, completed(2), reply(204))
        writer = await self.written(PART, PART, PART, completed(5), *probe)
        await writer.commit("/d")
        self.assertEqual(self.service.steps, [])

    async def test_cancelled(self) -> None:
        """What is on its way is not waited for, and the parts are dropped."""
        writer = await self.written(stall, stall, count=10)
        while len(self.service.asked) < 3:
            await deferLater(reactor, 0.001)
        self.service.start(reply(204))
        await writer.cancel()
        self.assertEqual(self.service.asked[-1].method, "DELETE")
        self.assertIn("uploadId=up", self.service.asked[-1].target)

    async def test_cancelled_at_once(self) -> None:
        """While connections are made."""
        writer = await self.written(count=10)
        self.service.start(*[reply(204)] * 3)
        await writer.cancel()
        self.assertEqual(self.service.asked[-1].method, "DELETE")
