"""
Which certificates are trusted. To import this loads TLS.
"""

from __future__ import annotations

import os
from typing import Any

from OpenSSL.SSL import Connection
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, trustRootFromCertificates
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..._pem import certificates

_BUNDLE = "AWS_CA_BUNDLE"
"""As for all clients of Amazon's: a file of certificates to trust instead of those of the system."""


def make_policy(verify: bool) -> Any:
    """
    :param verify: whether certificates are looked at at all.
    :raise ValueError: if the file that the environment names cannot be used.
    """
    if not verify:
        return _UnverifiedPolicy()
    bundle = os.environ.get(_BUNDLE)
    if not bundle:
        return BrowserLikePolicyForHTTPS()
    try:
        with open(bundle, "rb") as file:
            trusted = trustRootFromCertificates(certificates(file.read()))
    except Exception as error:
        raise ValueError(f"{_BUNDLE}={bundle}: {error}") from error
    return BrowserLikePolicyForHTTPS(trustRoot=trusted)


@implementer(IPolicyForHTTPS)
class _UnverifiedPolicy:
    def creatorForNetloc(self, hostname: bytes, port: int) -> _UnverifiedCreator:
        return _UnverifiedCreator(hostname)


@implementer(IOpenSSLClientConnectionCreator)
class _UnverifiedCreator:
    def __init__(self, hostname: bytes) -> None:
        self._hostname = hostname
        self._context = CertificateOptions(verify=False).getContext()

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        connection = Connection(self._context, None)
        connection.set_tlsext_host_name(self._hostname)
        return connection
