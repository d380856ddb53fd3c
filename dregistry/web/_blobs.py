"""Blobs: ``/v2/<name>/blobs/<digest>`` (distribution-spec, end-2 and end-10)."""

from __future__ import annotations

from ..digest import Digest
from ..errors import PreconditionFailed
from ..manifest import OCTET_STREAM
from ..registry.blobs import Blob
from ._api import Call
from ._conditional import match, none_match, range_applies
from ._local import local_chunks
from ._range import ByteRange, requested_range
from ._sendfile import send_chunks, send_file
from ._transport import IEncrypting, plain_tcp


async def head(call: Call, digest: str) -> bytes:
    if call.api.registry.redirects and await _redirected(call, Digest.parse(digest)):
        return call.empty(307)
    blobs = call.repository.blobs
    blob = await blobs.stat(Digest.parse(digest))
    if not call.api.only_get_pulls:
        await blobs.pulled(blob.digest, blob.size)
    if not _proceeds(call, blob.digest):
        return call.empty(304)
    call.set_header(b"content-length", blob.size)
    return b""


async def get(call: Call, digest: str) -> bytes | None:
    if call.api.registry.redirects and await _redirected(call, Digest.parse(digest)):
        return call.empty(307)
    blobs = call.repository.blobs
    blob = await blobs.open(Digest.parse(digest))
    try:
        if not call.api.only_get_pulls:
            await blobs.pulled(blob.digest, blob.size)
        if not _proceeds(call, blob.digest):
            return call.empty(304)
        part = _part(call, blob)
        if call.api.only_get_pulls:
            await blobs.pulled(blob.digest, blob.size)
        call.set_header(b"content-length", part.length)
        return await _send(call, blob, part)
    finally:
        blob.close()


async def delete(call: Call, digest: str) -> bytes:
    await call.repository.blobs.delete(Digest.parse(digest))
    return call.empty(202)


async def _redirected(call: Call, digest: Digest) -> bool:
    """
    Whether the client is sent elsewhere; then the headers of that answer are set.

    Preconditions and ranges are for whoever gives the content (RFC 9110, section 13.2.1). The answer must not be kept:
    the URL may be good for minutes only.
    """
    method = call.request.method.decode("ascii")
    found = await call.repository.blobs.redirection(digest, method, call.client_address)
    if found is None:
        return False
    if not call.api.only_get_pulls or call.request.method == b"GET":
        await call.repository.blobs.pulled(digest, found.size)
    call.set_header(b"docker-content-digest", str(digest))
    call.set_header(b"location", found.url)
    return True


def _proceeds(call: Call, digest: Digest) -> bool:
    """Set the headers that every answer about the blob has, and evaluate the preconditions."""
    if not match(call.header_list(b"if-match"), str(digest)):
        raise PreconditionFailed(f"the blob's entity tag is {digest}")
    call.set_header(b"docker-content-digest", str(digest))
    call.set_header(b"etag", f'"{digest}"')
    call.set_header(b"cache-control", b"max-age=31536000")
    call.set_header(b"accept-ranges", b"bytes")
    call.set_header(b"content-type", OCTET_STREAM)
    return none_match(call.header_list(b"if-none-match"), str(digest))


def _part(call: Call, blob: Blob) -> ByteRange:
    """What of the blob is asked for; for a part of it, the status and ``Content-Range`` are set."""
    part = None
    if range_applies(call.header(b"if-range"), str(blob.digest)):
        part = requested_range(call.header(b"range"), blob.size)
    if part is None:
        return ByteRange(0, blob.size - 1)
    call.request.setResponseCode(206)
    call.set_header(b"content-range", f"bytes {part.start}-{part.end}/{blob.size}")
    return part


async def _send(call: Call, blob: Blob, part: ByteRange) -> bytes | None:
    if blob.content is not None:
        return blob.content[part.start : part.end + 1]
    channel = call.request.channel
    transport = plain_tcp(channel.transport) if channel is not None else None
    if blob.file is not None and transport is not None:
        await send_file(call.request, transport, blob.file, part.start, part.length)
    elif blob.file is not None and channel is not None and IEncrypting.providedBy(channel.transport):
        chunks = local_chunks(blob.file, part.start, part.length, blob.chunks, channel.callLater)
        await send_chunks(call.request, chunks)
    else:
        await send_chunks(call.request, blob.chunks(part.start, part.length))
    return None
