"""
The client's side of TLS. Imported only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL.crypto import FILETYPE_PEM, Error, load_privatekey
from twisted.internet.ssl import (
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from .._pem import certificates
from ..config import ConfigError, Problem
from ._options import RedisTls


def tls_factory(host: str, tls: RedisTls, factory: Any, source: str) -> Any:
    """
    The factory of connections by TLS, to a server that must prove to be ``host``, around that of what they carry.

    :param source: the name of the configuration file, for the report.
    :raise ConfigError: if a file does not hold what it should.
    """
    trust, own = platformTrust(), None
    if tls.roots:
        roots = [
            root
            for index, name in enumerate(tls.roots)
            for root in _loaded(f"redis.tls.rootcas[{index}]", name, certificates, source)
        ]
        trust = trustRootFromCertificates(roots)
    if tls.certificate:
        [certificate, *_] = _loaded("redis.tls.certificate", tls.certificate, certificates, source)
        key = _loaded("redis.tls.key", tls.key, _key, source)
        own = PrivateCertificate.fromCertificateAndKeyPair(certificate, key)
    return TLSMemoryBIOFactory(optionsForClientTLS(host, trust, own), True, factory)


def _key(data: bytes) -> Any:
    return KeyPair(load_privatekey(FILETYPE_PEM, data, b""))  # nobody is there to ask for a passphrase


def _loaded(path: str, name: str, load: Callable[[bytes], Any], source: str) -> Any:
    try:
        with open(name, "rb") as file:
            return load(file.read())
    except OSError as error:
        raise ConfigError([Problem(path, f"{name} cannot be read: {error.strerror}")], source=source) from None
    except (ValueError, Error) as error:
        kind = "key" if path.endswith("key") else "certificate"
        raise ConfigError([Problem(path, f"no {kind} in PEM in {name}")], source=source) from error
