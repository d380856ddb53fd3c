"""Tokens for users: distribution's "Token Authentication" (GET) and "OAuth2 Token Authentication" (POST)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs

from attrs import evolve

from ..auth import Access, Credential, TokenAnswer, TokenDesk, TokenRequest, parse_scopes
from ..errors import BadRequest
from ._api import Call
from ._body import request_body

_LARGEST = 1 << 16
"""Bytes of a form; a refresh token and some scopes need a few thousand."""


async def get(call: Call) -> bytes:
    """A token for whoever signs in by the request's own credential."""
    asked = TokenRequest(
        call.credential(),
        service=call.query("service") or "",
        accesses=parse_scopes(call.queries("scope")),
        offline=call.query("offline_token") == "true",
    )
    answer = await _desk(call).answer(asked)
    members = _members(answer)
    return _answered(call, {"token": answer.token.token, **members})


async def post(call: Call) -> bytes:
    """A token for a form: a user and a password, or a refresh token."""
    form = await _form(call)
    accesses = parse_scopes([form.get("scope", "")])
    asked = TokenRequest(
        evolve(call.credential(), scheme="", parameter=""), service=form.get("service", ""), accesses=accesses
    )
    match form.get("grant_type"):
        case "password":
            offline = form.get("access_type") == "offline"
            asked = evolve(asked, credential=_signed_in(asked.credential, form), offline=offline)
        case "refresh_token" if form.get("refresh_token"):
            asked = evolve(asked, refresh_token=form["refresh_token"])
        case _:
            raise BadRequest("grant_type is password, or refresh_token with one")
    answer = await _desk(call).answer(asked)
    return _answered(call, {**_members(answer), "scope": _scope(answer.accesses)})


def _desk(call: Call) -> TokenDesk:
    if call.api.limits is not None:
        call.api.limits.admit(call.client_address, "", writes=False)
    assert call.api.tokens is not None
    return call.api.tokens


def _signed_in(credential: Credential, form: dict[str, str]) -> Credential:
    text = f"{form.get('username', '')}:{form.get('password', '')}"
    return evolve(credential, scheme="basic", parameter=b64encode(text.encode("utf-8")).decode("ascii"))


def _members(answer: TokenAnswer) -> dict[str, str | int]:
    issued = datetime.fromtimestamp(int(answer.token.issued), UTC)
    members: dict[str, str | int] = {
        "access_token": answer.token.token,
        "expires_in": int(answer.token.lifetime),
        "issued_at": issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if answer.refresh_token is not None:
        members["refresh_token"] = answer.refresh_token
    return members


def _scope(accesses: Sequence[Access]) -> str:
    return " ".join(f"{access.type}:{access.name}:{access.action}" for access in accesses)


def _answered(call: Call, members: dict[str, str | int]) -> bytes:
    call.set_header(b"cache-control", b"no-store")
    return call.json(members)


async def _form(call: Call) -> dict[str, str]:
    """
    :raise BadRequest: if it is none, or too large.
    """
    media_type = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise BadRequest("a form is of the type application/x-www-form-urlencoded")
    pieces = bytearray()
    async for piece in request_body(call.request):
        pieces += piece
        if len(pieces) > _LARGEST:
            raise BadRequest(f"a form has at most {_LARGEST} bytes")
    try:
        fields = parse_qs(pieces.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise BadRequest("malformed form") from None
    return {name: values[0] for name, values in fields.items()}
