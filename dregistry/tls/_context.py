"""
From the files that ``http.tls`` names to a context of OpenSSL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL, crypto

from ..config import ConfigError, Problem, Tls
from ..config._ciphers import SUITES, TLS13_SUITES

_T = TypeVar("_T")

_PARTIAL_WRITE = 1
"""``SSL_MODE_ENABLE_PARTIAL_WRITE``, which pyOpenSSL sets: a write would stop after each record of 16 KiB."""
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_HTTP = b"http/1.1"
_CLIENT_CERTIFICATES = {
    "request-client-cert": (SSL.VERIFY_PEER, False),
    "require-any-client-cert": (SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, False),
    "verify-client-cert-if-given": (SSL.VERIFY_PEER, True),
    "require-and-verify-client-cert": (SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, True),
}
"""What is asked of a client, and whether what it shows must be good."""


def make_context(tls: Tls, source: str) -> SSL.Context:
    """
    A context for the server's side of connections.

    :param source: the name of the configuration file, for the report.
    :raise ConfigError: if a file cannot be read, or does not hold what it should.
    """
    problems: list[Problem] = []

    def loaded(key: str, path: str, load: Callable[[bytes], _T]) -> _T | None:
        try:
            with open(path, "rb") as file:
                return load(file.read())
        except OSError as error:
            problems.append(Problem(f"http.tls.{key}", f"{path} cannot be read: {error.strerror}"))
        except (ValueError, TypeError, UnsupportedAlgorithm, SSL.Error) as error:
            problems.append(Problem(f"http.tls.{key}", f"{path}: {_fault(key, error)}"))
        return None

    chain = loaded("certificate", tls.certificate, x509.load_pem_x509_certificates)
    key: Any = loaded("key", tls.key, lambda data: load_pem_private_key(data, None))
    authorities = [
        authority
        for index, path in enumerate(tls.clientcas)
        for authority in loaded(f"clientcas[{index}]", path, x509.load_pem_x509_certificates) or ()
    ]
    if chain and key is not None and _public(chain[0]) != _public(key):
        wrong = f"{tls.key} is not the key of the first certificate in {tls.certificate}"
        problems.append(Problem("http.tls.key", wrong))
    if problems or not chain:
        raise ConfigError(problems, source=source)
    context = _new_context(tls)
    try:
        context.use_certificate(chain[0])
        context.use_privatekey(key)
        for each in chain[1:]:
            context.add_extra_chain_cert(each)
        _choose_suites(context, tls.ciphersuites)
    except SSL.Error as error:
        problem = Problem("http.tls", f"OpenSSL does not take the certificate, key or cipher suites: {reason(error)}")
        raise ConfigError([problem], source=source) from None
    if authorities:
        _ask_for_certificates(context, tls.clientauth, authorities)
    return context


def _fault(key: str, error: Exception) -> str:
    """What is wrong with a file, without what is in it."""
    if key != "key":
        return "no certificate in PEM"
    return "the key is encrypted; it must not be" if isinstance(error, TypeError) else "no key in PEM"


def _public(owner: Any) -> bytes:
    found: bytes = owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _new_context(tls: Tls) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION if tls.minimumtls == "tls1.3" else SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
    context.clear_mode(_PARTIAL_WRITE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # clients keep their sessions, in tickets
    context.set_session_id(b"dregistry")
    context.set_alpn_select_callback(_choose_protocol)
    return context


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return _HTTP if _HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _choose_suites(context: SSL.Context, names: Sequence[str]) -> None:
    """Those of TLS 1.3 are always on; AES of 128 bits first, which costs least."""
    context.set_tls13_ciphersuites(":".join(TLS13_SUITES).encode("ascii"))
    chosen = [SUITES[name] for name in names if name in SUITES]
    if names and not chosen:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
    else:
        context.set_cipher_list((":".join(chosen) or _SUITES).encode("ascii"))


def _ask_for_certificates(context: SSL.Context, mode: str, authorities: Sequence[x509.Certificate]) -> None:
    store = context.get_cert_store()
    assert store is not None
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(authority)
    wanted, verified = _CLIENT_CERTIFICATES[mode]
    context.set_verify(wanted, lambda *found: bool(found[-1]) or not verified)
    context.set_options(SSL.OP_NO_TICKET)  # a certificate is looked at for each connection


def reason(error: SSL.Error) -> str:
    """What OpenSSL says of an error, last thing first; nothing of a connection that just ends."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(str(entry[-1]) for entry in reversed(queue))
