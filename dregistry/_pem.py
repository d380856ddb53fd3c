"""
Certificates of authorities, out of files. To import this loads TLS.
"""

from __future__ import annotations

import re

from twisted.internet.ssl import Certificate

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + rb".+?" + _END, re.DOTALL)


def certificates(pem: bytes) -> list[Certificate]:
    """
    All that stand there, whatever stands between them.

    :raise ValueError: if there is none, or one is not whole.
    :raise OpenSSL.crypto.Error: if what looks like one is not.
    """
    found = _CERTIFICATE.findall(pem)
    if not found:
        raise ValueError("no certificates")
    if not pem.count(_BEGIN) == pem.count(_END) == len(found):
        raise ValueError("a certificate is not whole")
    return [Certificate.loadPEM(each) for each in found]
