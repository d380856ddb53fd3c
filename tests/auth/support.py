"""What the tests of access control share: people with passwords, keys, and tokens that they sign."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import bcrypt
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth import PULL, PUSH, REPOSITORY, Access, AuthContext, Credential, Slowdown
from dregistry.testing import InlineThreads

NOW = 1_800_000_000.0
PULL_AB = Access(REPOSITORY, "a/b", PULL)
PUSH_AB = Access(REPOSITORY, "a/b", PUSH)
ISSUER = "issuer.example"
SERVICE = "registry.example"


@cache
def hashed(password: str) -> str:
    """By bcrypt, as cheap as it gets."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode("ascii")


def basic(user: str, password: str | bytes, **more: Any) -> Credential:
    secret = password.encode() if isinstance(password, str) else password
    return Credential("basic", b64encode(user.encode() + b":" + secret).decode("ascii"), **more)


def bearer(token: str) -> Credential:
    return Credential("bearer", token)


class AuthCase(SynchronousTestCase):
    """A clock, and a folder."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.slowdown = Slowdown(self.clock)
        self.context = AuthContext(self.clock, InlineThreads(), self.slowdown)
        self.folder = tempfile.mkdtemp(prefix="dregistry-auth-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, content: str | bytes) -> str:
        """A file that replaces the one of that name; its path."""
        path = self.path(name)
        with open(path + "~", "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.replace(path + "~", path)
        return path

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, expected: type[Exception], work: Coroutine[Any, Any, Any]) -> Any:
        return self.failureResultOf(Deferred.fromCoroutine(work), expected).value


@cache
def key(kind: str) -> Any:
    """A private key of that kind, the same each time; with a number at its end, another one."""
    name = kind.rstrip("0123456789") if kind[:2] != "P-" else kind[:5]
    if name == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if name == "weak":
        return rsa.generate_private_key(65537, 1024)
    if name == "ed":
        return ed25519.Ed25519PrivateKey.generate()
    if name == "koblitz":
        return ec.generate_private_key(ec.SECP256K1())
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[name])


def jwk(kind: str, kid: str | None = None, **more: Any) -> dict[str, Any]:
    """The public part of :func:`key`."""
    public = key(kind).public_key()
    algorithm = {"rs": RSAAlgorithm, "we": RSAAlgorithm, "ed": OKPAlgorithm, "P-": ECAlgorithm}[kind[:2]]
    found: dict[str, Any] = algorithm.to_jwk(public, as_dict=True)
    found.pop("key_ops", None)
    return {**found, **({} if kid is None else {"kid": kid}), **more}


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


def claims(**more: Any) -> dict[str, Any]:
    """Of a good token; None leaves a claim out."""
    found = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": SERVICE,
        "exp": int(NOW) + 300,
        "nbf": int(NOW),
        "iat": int(NOW),
        "access": [{"type": "repository", "name": "a/b", "actions": ["pull", "push"]}],
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


def token(kind: str = "P-256", algorithm: str = "ES256", headers: dict[str, Any] | None = None, **changed: Any) -> str:
    """A good token of the key ``k``, but for what is said to be other."""
    return signed(json.dumps(claims(**changed)).encode(), key(kind), algorithm, headers)


def signed(payload: bytes, secret: Any, algorithm: str, headers: dict[str, Any] | None = None) -> str:
    """
    A token that says whatever it is to say.

    :param headers: beside ``kid``, which is ``k``; None leaves one out.
    """
    members = {"alg": algorithm, "typ": "JWT", "kid": "k", **(headers or {})}
    header = encoded({name: value for name, value in members.items() if value is not None})
    content = f"{header}.{encoded(payload)}"
    method = jwt.get_algorithm_by_name(algorithm)
    return f"{content}.{encoded(method.sign(content.encode(), secret))}"


def encoded(value: Any) -> str:
    """JSON, or bytes as they are, as a part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def certificate(
    kind: str, issuer: tuple[str, str] | None = None, name: str = "", authority: bool = False, **more: Any
) -> x509.Certificate:
    """
    A certificate of :func:`key`.

    :param issuer: kind of the key and name of who signs it; None for itself.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or kind)])
    signer, signer_name = issuer or (kind, name or kind)
    start = datetime.fromtimestamp(NOW, UTC) + timedelta(days=more.get("starts", -1))
    found = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer_name)]))
        .public_key(key(kind).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=more.get("days", 30)))
    )
    if authority or "constraints" in more:
        found = found.add_extension(x509.BasicConstraints(authority, None), True)
    if "alternatives" in more:
        found = found.add_extension(x509.SubjectAlternativeName(more["alternatives"]), False)
    return found.sign(key(signer), None if signer.startswith("ed") else hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def x5c(*certificates: x509.Certificate) -> list[str]:
    return [b64encode(each.public_bytes(Encoding.DER)).decode("ascii") for each in certificates]
