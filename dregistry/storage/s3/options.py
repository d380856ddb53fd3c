"""
The options of the ``s3`` driver: distribution's names, defaults and bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

MIB = 1 << 20
SMALLEST_PART = 5 * MIB
"""Bytes of a part of a multipart upload at least, but for the last one; S3's rule."""
LARGEST_COPY = 5 << 30
"""Bytes that S3 copies in one request at most."""

StorageClass = Literal[
    "none",
    "standard",
    "reduced_redundancy",
    "standard_ia",
    "onezone_ia",
    "intelligent_tiering",
    "outposts",
    "glacier_ir",
    "express_onezone",
]
ObjectAcl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]
LogLevel = Literal[
    "off",
    "debug",
    "debugwithsigning",
    "debugwithhttpbody",
    "debugwithrequestretries",
    "debugwithrequesterrors",
    "debugwitheventstreambody",
]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_AMAZON_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")
_ROOT = re.compile(r"[A-Za-z0-9._/-]*")
_HEADER = re.compile(r"[ -~]*")


def _bounds(least: int, most: int | None = None) -> Callable[[Any, Attribute[int], int], None]:
    allowed = f"at least {least}" if most is None else f"from {least} to {most}"

    def check(_: Any, attribute: Attribute[int], value: int) -> None:
        if value < least or (most is not None and value > most):
            raise ValueError(f"{attribute.name} must be {allowed}, not {value}")

    return check


def _form(pattern: re.Pattern[str], message: str) -> Callable[[Any, Attribute[str], str], None]:
    def check(_: Any, attribute: Attribute[str], value: str) -> None:
        if value and pattern.fullmatch(value) is None:
            raise ValueError(f"{attribute.name} {message}")

    return check


def _check_endpoint(_: Any, attribute: Attribute[str], value: str) -> None:
    try:
        parts = urlsplit(value if "://" in value else f"https://{value}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and parts.port != 0
    except ValueError:
        usable = False
    if value and (not usable or parts.username):
        raise ValueError(f"{attribute.name} must be a URL or a host, such as https://s3.example.com")


@frozen
class S3Options:
    """
    :ivar accesskey: empty, with ``secretkey``, to use what the environment has: variables, files, the role of the
        machine.
    :ivar region: where the bucket is; without ``regionendpoint`` it says which endpoint of Amazon's is used.
    :ivar regionendpoint: the URL of another service that speaks S3's protocol.
    :ivar redirectendpoint: the URL to which clients are sent, if they reach the service elsewhere than we do.
    :ivar forcepathstyle: name the bucket in the path of the URL, not in its host.
    :ivar encrypt: have the service encrypt what it stores; by the key ``keyid`` if that is given.
    :ivar secure: TLS, where ``regionendpoint`` does not name a scheme.
    :ivar skipverify: trust any certificate.
    :ivar v4auth: sign by Signature Version 4; else by version 2, for old services.
    :ivar chunksize: bytes of a part of a multipart upload.
    :ivar multipartcopychunksize: bytes of a part of a copy in parts.
    :ivar multipartcopymaxconcurrency: parts of a copy that are asked for at once.
    :ivar multipartcopythresholdsize: bytes up to which content is copied by one request.
    :ivar rootdirectory: a prefix of all keys.
    :ivar storageclass: ``none`` for services that know none.
    :ivar useragent: added to the ``User-Agent`` header.
    :ivar loglevel: anything but ``off`` logs each request.
    :ivar conditionalwrites: make use of conditional writes, if the service has them.
    """

    accesskey: str = ""
    secretkey: str = field(default="", repr=False)
    sessiontoken: str = field(default="", repr=False)
    region: str = field(default="", validator=_form(_REGION, "is not the name of a region"))
    regionendpoint: str = field(default="", validator=_check_endpoint)
    redirectendpoint: str = field(default="", validator=_check_endpoint)
    forcepathstyle: bool = False
    bucket: str = field(default="", validator=_form(_BUCKET, "is not the name of a bucket"))
    encrypt: bool = False
    keyid: str = field(default="", validator=_form(_HEADER, "holds a character that no header field may hold"))
    secure: bool = True
    skipverify: bool = False
    v4auth: bool = True
    chunksize: int = field(default=10 * MIB, validator=_bounds(SMALLEST_PART, LARGEST_COPY))
    multipartcopychunksize: int = field(default=32 * MIB, validator=_bounds(SMALLEST_PART, LARGEST_COPY))
    multipartcopymaxconcurrency: int = field(default=100, validator=_bounds(1))
    multipartcopythresholdsize: int = field(default=32 * MIB, validator=_bounds(0, LARGEST_COPY))
    rootdirectory: str = field(default="", validator=_form(_ROOT, "may hold letters, digits and ._-/ only"))
    storageclass: StorageClass = "standard"
    useragent: str = field(default="", validator=_form(_HEADER, "holds a character that no header field may hold"))
    objectacl: ObjectAcl = "private"
    accelerate: bool = False
    usedualstack: bool = False
    usefipsendpoint: bool = False
    loglevel: LogLevel = "off"
    conditionalwrites: bool = True

    def __attrs_post_init__(self) -> None:
        if not self.bucket:
            raise ValueError("bucket is missing")
        if bool(self.accesskey) != bool(self.secretkey):
            raise ValueError("accesskey and secretkey go together: give both, or none for the credentials around")
        if not self.regionendpoint and _AMAZON_REGION.fullmatch(self.region) is None:
            raise ValueError("region must name a region of Amazon's, such as eu-west-1, unless regionendpoint is given")
        if not self.v4auth and not self.regionendpoint:
            raise ValueError("v4auth cannot be switched off for Amazon S3")
