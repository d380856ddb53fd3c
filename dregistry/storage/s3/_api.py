"""
S3's operations on the objects of one bucket.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from .. import StorageUnavailable
from ._client import Client, Request
from ._documents import bare, continues_at, document_of, md5_of, query_of, seconds_of, text_of
from ._errors import Refused
from ._objects import Changed, NoUpload, Page, Part, Stored, Upload
from ._transport import Head

MOST = 1000
"""Keys of one listing, or of one deletion, at most."""
_NO_UPLOAD = b"<Code>NoSuchUpload<"
_LONG = 300.0
"""Seconds that the service has to put parts together, or to copy."""


class Bucket:
    """
    :param headers: what every new object gets: its type, storage class, encryption ...
    """

    def __init__(self, client: Client, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def get(self, key: str) -> bytes | None:
        """All of a small object; None if there is none."""
        answer = await self._client.call(Request("GetObject", "GET", key), (404,))
        return None if answer.status == 404 else answer.body

    async def open(self, key: str, first: int, last: int, etag: str = "", held: int | None = None) -> Head:
        """
        The bytes of an object from ``first`` to ``last``, both included. The status is 206, or 200 for all of it, or
        404, or 412 if its ETag is another, or 416 if it ends before.
        """
        headers = {"Range": f"bytes={first}-{last}"}
        if etag:
            headers["If-Match"] = etag
        return await self._client.open(Request("GetObject", "GET", key, headers=headers), (404, 412, 416), held)

    async def head(self, key: str) -> Stored | None:
        answer = await self._client.call(Request("HeadObject", "HEAD", key), (404,))
        if answer.status == 404:
            return None
        modified, now = seconds_of(answer.header("last-modified")), seconds_of(answer.header("date"))
        age = None if modified is None or now is None else now - modified
        size = int(answer.header("content-length") or 0)
        return Stored(key, size, bare(answer.header("etag")), modified, age)

    async def put(self, key: str, pieces: Sequence[bytes], condition: Mapping[str, str] | None = None) -> str:
        """
        Make an object.

        :param condition: header fields that have to hold of what is there.
        :return: its ETag.
        :raise Changed: if the condition does not hold.
        """
        request = Request("PutObject", "PUT", key, headers={**self._headers, **(condition or {})}, body=pieces)
        answer = await self._client.call(request, (409, 412) if condition else ())
        if answer.status < 400:
            return bare(answer.header("etag"))
        there = await self.head(key) if answer.again else None
        if there is None or there.etag != md5_of(pieces):
            raise Changed
        return there.etag  # the first of several equal requests did it

    async def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        await self._client.call(Request("DeleteObject", "DELETE", key), (404,))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Remove up to 1000 objects."""
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        checksum = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        headers = {"Content-MD5": checksum, "Content-Type": "application/xml"}
        answer = await self._client.call(Request("DeleteObjects", "POST", "", "delete", headers, [body]))
        for error in document_of(answer).iterfind("Error"):
            raise StorageUnavailable(f"DeleteObjects {text_of(error, 'Key')}: {text_of(error, 'Code')}")

    async def page(self, prefix: str, delimiter: str = "", after: str = "", token: str = "", limit: int = MOST) -> Page:
        """
        Objects whose keys begin with ``prefix``, up to 1000 of them.

        :param delimiter: keys that have it after the prefix are put together.
        :param after: only keys that sort after this one.
        :param token: of the page before, see :attr:`Page.next`.
        """
        query = {"list-type": "2", "prefix": prefix}
        if delimiter:
            query["delimiter"] = delimiter
        if after:
            query["start-after"] = after
        if token:
            query["continuation-token"] = token
        if limit < MOST:
            query["max-keys"] = str(limit)
        root = await self._ask("ListObjectsV2", query)
        objects = [
            Stored(text_of(each, "Key"), int(text_of(each, "Size") or 0), bare(text_of(each, "ETag")))
            for each in root.iterfind("Contents")
        ]
        prefixes = [text_of(each, "Prefix") for each in root.iterfind("CommonPrefixes")]
        return Page(objects, prefixes, continues_at(root, "NextContinuationToken"))

    async def copy(self, source: Stored, key: str) -> str:
        """
        Copy an object of 5 GiB at most.

        :return: the new ETag.
        :raise Changed:
        """
        headers = {**self._headers, **self._source(source), "x-amz-metadata-directive": "REPLACE"}
        request = Request("CopyObject", "PUT", key, headers=headers, patience=_LONG, late_error=True)
        answer = await self._client.call(request, (404, 412))
        if answer.status >= 400:
            raise Changed
        return bare(text_of(document_of(answer), "ETag"))

    async def create_upload(self, key: str) -> Upload:
        request = Request("CreateMultipartUpload", "POST", key, "uploads", self._headers)
        found = text_of(document_of(await self._client.call(request)), "UploadId")
        if not found:
            raise StorageUnavailable(f"CreateMultipartUpload {key}: the answer names no upload")
        return Upload(key, found)

    async def upload_part(self, upload: Upload, number: int, pieces: Sequence[bytes]) -> Part:
        """:raise NoUpload:"""
        query = query_of(partNumber=number, uploadId=upload.id)
        answer = await self._client.call(Request("UploadPart", "PUT", upload.key, query, body=pieces), (404,))
        if answer.status == 404:
            raise NoUpload(answer.again)
        return Part(number, bare(answer.header("etag")), sum(map(len, pieces)))

    async def copy_part(self, upload: Upload, number: int, source: Stored, first: int, last: int) -> Part:
        """
        Make a part of another object's bytes, from ``first`` to ``last``, both included.

        :raise NoUpload:
        :raise Changed:
        """
        headers = {**self._source(source), "x-amz-copy-source-range": f"bytes={first}-{last}"}
        query = query_of(partNumber=number, uploadId=upload.id)
        request = Request("UploadPartCopy", "PUT", upload.key, query, headers, patience=_LONG, late_error=True)
        answer = await self._client.call(request, (404, 412))
        if answer.status == 404 and _NO_UPLOAD in answer.body:
            raise NoUpload(answer.again)
        if answer.status >= 400:
            raise Changed
        return Part(number, bare(text_of(document_of(answer), "ETag")), last - first + 1)

    async def complete(self, upload: Upload, parts: Sequence[Part]) -> str:
        """
        Put the parts together, in one step.

        :return: the ETag of the object.
        :raise NoUpload:
        :raise Changed: if a part is another by now.
        """
        listed = "".join(
            f'<Part><PartNumber>{part.number}</PartNumber><ETag>"{part.etag}"</ETag></Part>' for part in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        query = query_of(uploadId=upload.id)
        request = Request(
            "CompleteMultipartUpload", "POST", upload.key, query, headers, [body], patience=_LONG, late_error=True
        )
        try:
            answer = await self._client.call(request, (404,))
        except Refused as refused:
            if refused.code in ("InvalidPart", "InvalidPartOrder"):
                raise Changed from refused
            raise
        if answer.status == 404:
            raise NoUpload(answer.again)
        etag = bare(text_of(document_of(answer), "ETag"))
        if not etag:  # as by Ceph
            there = await self.head(upload.key)
            etag = there.etag if there is not None else ""
        return etag

    async def abort(self, upload: Upload) -> None:
        """Drop its parts, if it is there."""
        request = Request("AbortMultipartUpload", "DELETE", upload.key, query_of(uploadId=upload.id))
        await self._client.call(request, (404,))

    async def parts(self, upload: Upload) -> Sequence[Part] | None:
        """
        In order of their numbers; None if the upload is not there. SeaweedFS lists a part that was sent again twice;
        that it takes the one that completion names is enough.
        """
        found: list[Part] = []
        marker = ""
        while True:
            query = {"uploadId": upload.id, **({"part-number-marker": marker} if marker else {})}
            request = Request("ListParts", "GET", upload.key, urlencode(query))
            answer = await self._client.call(request, (404,))
            if answer.status == 404:
                return None
            root = document_of(answer)
            found += [
                Part(int(text_of(each, "PartNumber")), bare(text_of(each, "ETag")), int(text_of(each, "Size")))
                for each in root.iterfind("Part")
            ]
            marker = continues_at(root, "NextPartNumberMarker")
            if not marker:
                return [part for _, part in sorted({part.number: part for part in found}.items())]

    async def uploads(self, prefix: str) -> Sequence[Upload]:
        """The multipart uploads under way whose keys begin with ``prefix``."""
        found: list[Upload] = []
        marker: dict[str, str] = {}
        while True:
            root = await self._ask("ListMultipartUploads", {"prefix": prefix, **marker}, "uploads&")
            found += [Upload(text_of(each, "Key"), text_of(each, "UploadId")) for each in root.iterfind("Upload")]
            key = continues_at(root, "NextKeyMarker")
            if not key:
                return found
            marker = {"key-marker": key, "upload-id-marker": text_of(root, "NextUploadIdMarker")}

    async def _ask(self, operation: str, query: Mapping[str, str], first: str = "") -> Any:
        request = Request(operation, "GET", "", first + urlencode(query, quote_via=quote))
        return document_of(await self._client.call(request))

    def _source(self, source: Stored) -> Mapping[str, str]:
        where = quote(f"/{self._client.bucket}/{source.key}", safe="/~")
        return {"x-amz-copy-source": where, "x-amz-copy-source-if-match": source.etag}
