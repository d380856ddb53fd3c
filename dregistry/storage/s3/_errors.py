"""
What the service says when it refuses, in words that name the option to look at.
"""

from __future__ import annotations

from xml.etree import ElementTree

from attrs import define, frozen

from .. import StorageUnavailable

_PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "XAmzContentSHA256Mismatch",
    }
)
_PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_SLOW = frozenset({429, 503})
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull"})
_WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})


@define(str=False)
class Refused(StorageUnavailable):
    """
    The service has answered that it will not.

    :ivar code: S3's, empty if it gave none.
    """

    status: int
    code: str

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status in _PASSING_STATUSES or self.code in _PASSING

    @property
    def throttled(self) -> bool:
        return self.status in _SLOW or "Throttl" in self.code or self.code.startswith("SlowDown")

    @property
    def full(self) -> bool:
        return self.status == 507 or self.code in _FULL

    @property
    def expired(self) -> bool:
        """Whether other credentials would do."""
        return self.code in _EXPIRED

    def __str__(self) -> str:
        return self.reason


@frozen
class Circumstances:
    """
    What an explanation needs to know of a request and its answer.

    :ivar found_region: where the answer's headers say that the bucket is.
    :ivar there: the date of the answer.
    :ivar here: our date.
    """

    operation: str
    where: str
    bucket: str
    region: str
    found_region: str = ""
    there: str = ""
    here: str = ""


def refusal(status: int, body: bytes, about: Circumstances) -> Refused:
    """
    The error of an answer.

    :param body: S3's XML, or anything.
    """
    fields = error_fields(body)
    code = fields.get("Code", "")
    return Refused(f"{about.operation} {about.where}: {_explain(status, code, fields, about)}", status, code)


def error_fields(body: bytes) -> dict[str, str]:
    """Of an XML document whose root is ``Error``; none if the body is something else."""
    if b"<Error" not in body[:400]:
        return {}
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 -- of the service that is configured
    except ElementTree.ParseError:
        return {}
    if root.tag.rpartition("}")[2] != "Error":
        return {}
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}


def _explain(status: int, code: str, fields: dict[str, str], about: Circumstances) -> str:
    region = fields.get("Region") or about.found_region
    if code in _WRONG_REGION or (region and region != about.region and status in (301, 307, 400)):
        elsewhere = f"in {region}" if region else "elsewhere"
        return f"the bucket {about.bucket!r} is {elsewhere}, not in {about.region}: check region and regionendpoint"
    if code in _ADVICE:
        return _ADVICE[code].format(bucket=about.bucket, there=about.there, here=about.here)
    said = " ".join(fields.get("Message", "").split())
    return f"{status} {code}".rstrip() + (f": {said[:300]}" if said else "") + _BY_STATUS.get(status, "")


_ADVICE = {
    "AccessDenied": "access denied: the policy of these credentials does not allow it",
    "AccountProblem": "the account of these credentials is suspended or not paid for",
    "ExpiredToken": "the session token has expired: check sessiontoken",
    "InvalidAccessKeyId": "the service does not know the access key: check accesskey",
    "InvalidBucketName": "{bucket!r} is no name of a bucket: check bucket",
    "InvalidToken": "the session token is not valid: check sessiontoken",
    "NoSuchBucket": "there is no bucket {bucket!r}: check bucket and regionendpoint, or create it",
    "RequestTimeTooSkewed": "the clocks differ too much: there it is {there}, here {here}: set this machine's clock",
    "SignatureDoesNotMatch": "the signature does not match: check secretkey, and that region is what the service has",
}
_BY_STATUS = {
    301: ": the service is elsewhere: check region and regionendpoint",
    403: " (access denied: check accesskey, secretkey, and the policy that they have)",
}
