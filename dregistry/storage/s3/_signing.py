"""
Signatures, by botocore.

Only its signers are used, not its client: they take some 50 microseconds for a request.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Protocol

from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

EMPTY = sha256().hexdigest()
"""What stands for no body."""
UNSIGNED = "UNSIGNED-PAYLOAD"
"""What stands for a body that the signature does not cover."""


class Signer(Protocol):
    def sign(
        self, credentials: ReadOnlyCredentials, method: str, url: str, headers: dict[str, str], payload: str
    ) -> dict[str, str]:
        """
        The headers of a request, those of its signature added.

        :param payload: the SHA-256 of its body in hexadecimal, or :data:`UNSIGNED`.
        """

    def presign(self, credentials: ReadOnlyCredentials, method: str, url: str, seconds: int) -> str:
        """The URL by which anybody may make the request for some time."""


class _V4(S3SigV4Auth):
    """botocore's, but for the key, which is the same for a whole day, and the digest of the body, which is given."""

    _key: tuple[tuple[str, str], bytes] | None = None

    def payload(self, request: Any) -> str:
        return str(request.context["payload"])

    def signature(self, string_to_sign: str, request: Any) -> str:
        made_of = (self.credentials.secret_key, request.context["timestamp"][:8])
        if self._key is None or self._key[0] != made_of:
            key = f"AWS4{made_of[0]}".encode()
            for word in (made_of[1], self._region_name, self._service_name, "aws4_request"):
                key = self._sign(key, word)
            self._key = (made_of, key)
        return str(self._sign(self._key[1], string_to_sign, hex=True))


class SignerV4:
    """Signature Version 4."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._auth = _V4(None, "s3", region)

    def sign(
        self, credentials: ReadOnlyCredentials, method: str, url: str, headers: dict[str, str], payload: str
    ) -> dict[str, str]:
        request = AWSRequest(method=method, url=url, headers=headers)
        request.context["payload"] = payload
        self._auth.credentials = credentials
        self._auth.add_auth(request)
        return dict(request.headers.items())

    def presign(self, credentials: ReadOnlyCredentials, method: str, url: str, seconds: int) -> str:
        request = AWSRequest(method=method, url=url)
        S3SigV4QueryAuth(credentials, "s3", self._region, expires=seconds).add_auth(request)
        return str(request.url)


class SignerV2:
    """
    Signature Version 2, of old services.

    :param bucket_path: of the bucket, if the host of URLs names it; the signature covers it nonetheless.
    """

    def __init__(self, bucket_path: str) -> None:
        self._bucket_path = bucket_path

    def sign(
        self, credentials: ReadOnlyCredentials, method: str, url: str, headers: dict[str, str], payload: str
    ) -> dict[str, str]:
        request = self._request(method, url, headers)
        HmacV1Auth(credentials).add_auth(request)
        return dict(request.headers.items())

    def presign(self, credentials: ReadOnlyCredentials, method: str, url: str, seconds: int) -> str:
        request = self._request(method, url, {})
        HmacV1QueryAuth(credentials, expires=seconds).add_auth(request)
        return str(request.url)

    def _request(self, method: str, url: str, headers: dict[str, str]) -> AWSRequest:
        request = AWSRequest(method=method, url=url, headers=headers)
        if self._bucket_path:
            request.auth_path = self._bucket_path + "/" + url.split("/", 3)[3].partition("?")[0]
        return request
