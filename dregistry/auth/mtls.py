"""
Clients that TLS knows by their certificate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID
from zope.interface import implementer

from ..config import about
from ._interfaces import (
    Access,
    AuthContext,
    Credential,
    Grant,
    IAccessController,
    Identity,
    NotRecognised,
)
from ._remembered import Remembered

Attribute: TypeAlias = Literal["commonname", "uri", "dns", "email"]
_REMEMBERED = 1024
_TRUSTED_FOR = 3600.0


def _some(value: tuple[Attribute, ...]) -> str | None:
    return None if value else "name at least one of commonname, uri, dns, email"


@frozen
class MtlsOptions:
    """
    :ivar identity: where the name of the user stands; the first of these that a certificate has.
    :ivar pattern: what of it is the name: the first group, or all that is matched. One that does not match is not
        taken.
    """

    identity: tuple[Attribute, ...] = field(default=("commonname",), metadata=about(check=_some))
    pattern: re.Pattern[str] = re.compile(r".+")


@implementer(IAccessController)
class Mtls:
    name = "mtls"

    def __init__(self, options: MtlsOptions, context: AuthContext) -> None:
        self._options = options
        self._seconds = context.reactor.seconds
        self._known = Remembered[Grant](_REMEMBERED)

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        certificate = credential.certificate
        if certificate is None:
            return None
        key = sha256(certificate).digest()
        found = self._known.get(key, self._seconds())
        if found is None:
            found = Grant(Identity(self._name(certificate)))
            self._known.put(key, found, self._seconds() + _TRUSTED_FOR)
        return found

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        """TLS has asked already."""
        return None

    def _name(self, der: bytes) -> str:
        try:
            certificate = x509.load_der_x509_certificate(der)
            candidates = [name for attribute in self._options.identity for name in names(certificate, attribute)]
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
            raise NotRecognised("malformed certificate") from None
        for candidate in candidates:
            match = self._options.pattern.fullmatch(candidate)
            if match is not None:
                name = match[1] if match.re.groups else match[0]
                if name and name.isprintable():
                    return name
        raise NotRecognised("certificate without a name that identifies")


def names(certificate: x509.Certificate, attribute: Attribute) -> Sequence[str]:
    """All values of an attribute, in their order."""
    if attribute == "commonname":
        return [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    kinds: dict[str, Any] = {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName, "email": x509.RFC822Name}
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each) for each in alternatives.get_values_for_type(kinds[attribute])]
