"""Blob uploads: ``/v2/<name>/blobs/uploads/`` (distribution-spec, end-4 to end-6, end-11 to end-14)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..digest import CANONICAL, Digest
from ..errors import BadRequest, BlobUnknown, DigestInvalid, NameInvalid, RangeInvalid, RegistryError, SizeInvalid
from ..reference import parse_name
from ..registry.uploads import Ticket, UploadSession
from ._api import Call
from ._body import request_body
from ._range import sent_range


async def start(call: Call) -> bytes:
    """Mount a blob, or take one whole, or begin an upload session."""
    mounted = call.query("mount")
    if mounted is not None:
        with suppress(BlobUnknown, DigestInvalid, NameInvalid):  # then the client uploads it
            return await _mount(call, Digest.parse(mounted))
    digest = call.query("digest")
    if digest is not None and mounted is None:
        return await _take_whole(call, Digest.parse(digest))
    ticket = await call.repository.uploads.start(call.query("digest-algorithm") or CANONICAL)
    return _session(call, 202, ticket, 0)


async def status(call: Call, uuid: str) -> bytes:
    ticket = _ticket(call, uuid)
    return _session(call, 204, ticket, await call.repository.uploads.offset(ticket))


async def patch(call: Call, uuid: str) -> bytes:
    """Append a chunk, or a stream without an announced end."""
    media_type = (call.header(b"content-type") or "application/octet-stream").partition(";")[0].strip().lower()
    if media_type != "application/octet-stream":
        raise BadRequest(f"a chunk's Content-Type is application/octet-stream, not {media_type[:80]!r}")
    with _telling_where(call, uuid):
        async with await _open(call, uuid) as session:
            await _append_body(call, session)
    return _session(call, 202, session.ticket, session.offset)


async def close(call: Call, uuid: str) -> bytes:
    """Append the last chunk, if there is one, and make a blob of it all."""
    text = call.query("digest")
    if text is None:
        raise DigestInvalid("the query parameter digest is missing")
    digest = Digest.parse(text)
    with _telling_where(call, uuid):
        async with await _open(call, uuid, digest) as session:
            await _append_body(call, session)
            await session.commit(digest)
    return _created(call, digest)


async def cancel(call: Call, uuid: str) -> bytes:
    await call.repository.uploads.cancel(_ticket(call, uuid))
    return call.empty(204)


async def _mount(call: Call, digest: Digest) -> bytes:
    source = call.query("from")
    if source:
        if not call.may_pull(parse_name(source)):
            raise BlobUnknown(str(digest))  # as if there were none
        await call.repository.blobs.mount(digest, source)
    else:
        await call.repository.blobs.mount_from_any(digest, call.may_pull)
    return _created(call, digest)


async def _take_whole(call: Call, digest: Digest) -> bytes:
    uploads = call.repository.uploads
    session = await uploads.open(await uploads.start(digest.algorithm), digest)
    try:
        async for piece in request_body(call.request):
            await session.append(piece)
        await session.commit(digest)
    except RegistryError:
        await session.discard()  # nobody knows the session, so nobody will go on with it
        raise
    return _created(call, digest)


async def _open(call: Call, uuid: str, digest: Digest | None = None) -> UploadSession:
    return await call.repository.uploads.open(_ticket(call, uuid), digest)


@contextmanager
def _telling_where(call: Call, uuid: str) -> Iterator[None]:
    """When another request writes to the session, tell the client where to go on, and by which URL."""
    try:
        yield
    except RangeInvalid as error:
        if error.upload is not None:
            _session_headers(call, _ticket(call, uuid), error.offset)
        raise


async def _append_body(call: Call, session: UploadSession) -> None:
    """
    Append what the request brings. Bytes beyond an announced range are not kept.

    :raise RangeInvalid: if its ``Content-Range`` does not start where the session stands.
    :raise SizeInvalid: if it brings more or fewer bytes than its ``Content-Range`` says.
    """
    body = request_body(call.request)
    try:
        announced = sent_range(call.header(b"content-range"))
        if announced is not None and announced.start != session.offset:
            raise RangeInvalid(f"the upload stands at {session.offset}, the chunk starts at {announced.start}")
    except RangeInvalid:
        _session_headers(call, session.ticket, session.offset)
        raise
    if announced is None:
        async for piece in body:
            await session.append(piece)
        return
    if body.length is not None and body.length != announced.length:
        raise SizeInvalid(f"Content-Length is {body.length}, but Content-Range is of {announced.length} bytes")
    missing = announced.length
    async for piece in body:
        await session.append(piece[:missing])
        missing -= len(piece)
        if missing < 0:
            break
    if missing != 0:
        raise SizeInvalid(f"the body does not have the {announced.length} bytes that Content-Range says")


def _ticket(call: Call, uuid: str) -> Ticket:
    return Ticket(uuid, call.query("_state"))


def _session(call: Call, status: int, ticket: Ticket, offset: int) -> bytes:
    _session_headers(call, ticket, offset)
    return call.empty(status)


def _session_headers(call: Call, ticket: Ticket, offset: int) -> None:
    location = call.api.links.upload(call.request, call.name, ticket.uuid)
    if ticket.begins is not None:
        location += b"?_state=" + ticket.begins.encode("ascii")
    call.set_header(b"location", location)
    call.set_header(b"range", f"0-{max(offset - 1, 0)}")
    call.set_header(b"docker-upload-uuid", ticket.uuid)


def _created(call: Call, digest: Digest) -> bytes:
    call.set_header(b"location", call.api.links.blob(call.request, call.name, digest))
    call.set_header(b"docker-content-digest", str(digest))
    return call.empty(201)
