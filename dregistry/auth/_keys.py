"""
Keys by which tokens are verified: out of JSON Web Key Sets (RFC 7517) and of PEM bundles of certificates.
"""

from __future__ import annotations

import json
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import jwt
from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PublicKey: TypeAlias = "RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey"

SYMMETRIC = ("HS256", "HS384", "HS512")
ASYMMETRIC = ("EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_SMALLEST_RSA = 2048
_SYMMETRIC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
_MOST_KEYS = 1000


@frozen
class VerificationKey:
    """
    :ivar kid: by which tokens name it.
    :ivar key: the public key, or the bytes of a shared one.
    :ivar algorithms: that it may be used with.
    """

    kid: str
    key: PublicKey | bytes = field(repr=False)
    algorithms: frozenset[str]


@frozen
class KeySet:
    """
    :ivar keys: by ``kid``.
    :ivar roots: certificates that may vouch for others in tokens.
    """

    keys: Mapping[str, VerificationKey] = field(factory=dict)
    roots: Sequence[x509.Certificate] = ()


def read_bundle(path: str) -> KeySet:
    """
    The certificates of a PEM file. Each is a root, and its key can be named by its thumbprint.

    :raise OSError:
    :raise ValueError: if there is none, or if one cannot be parsed.
    """
    with open(path, "rb") as file:
        roots = x509.load_pem_x509_certificates(file.read())
    keys: dict[str, VerificationKey] = {}
    for root in roots:
        key = public_key(root)
        if key is not None:
            keys.update({kid: VerificationKey(kid, key, algorithms_of(key)) for kid in certificate_kids(key)})
    return KeySet(keys, roots)


def read_jwks(path: str) -> KeySet:
    """
    The keys of a file with a JSON Web Key Set.

    :raise OSError:
    :raise ValueError:
    """
    with open(path, "rb") as file:
        return parse_jwks(file.read())


def parse_jwks(content: bytes) -> KeySet:
    """
    Keys for other uses, of other kinds, or too weak are left out.

    :raise ValueError: if it is no set of keys, or if none of them can be used.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError(f"not a JSON Web Key Set of at most {_MOST_KEYS} keys")
    keys = {key.kid: key for each in listed if (key := _from_jwk(each)) is not None}
    if not keys:
        raise ValueError("none of its keys can verify a signature")
    return KeySet(keys)


def merged(sets: Iterable[KeySet]) -> KeySet:
    keys: dict[str, VerificationKey] = {}
    roots: list[x509.Certificate] = []
    for each in sets:
        keys.update(each.keys)
        roots.extend(each.roots)
    return KeySet(keys, roots)


def _from_jwk(jwk: Any) -> VerificationKey | None:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict({**jwk, "alg": None}).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, AttributeError, UnsupportedAlgorithm):
        return None
    if hasattr(key, "public_key"):
        key = key.public_key()
    algorithms = algorithms_of(key)
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    kid = jwk.get("kid") or (None if isinstance(key, bytes) else thumbprint(key))
    if not algorithms or not isinstance(kid, str):
        return None
    return VerificationKey(kid, key, frozenset(algorithms))


def algorithms_of(key: Any) -> frozenset[str]:
    """What a key may be used with; nothing if it is too weak or of another kind."""
    if isinstance(key, bytes):
        return frozenset(name for name, size in _SYMMETRIC_BYTES.items() if len(key) >= size)
    if isinstance(key, RSAPublicKey):
        strong = key.key_size >= _SMALLEST_RSA
        return frozenset(name for name in ASYMMETRIC if name[:2] in ("RS", "PS") and strong)
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]} if key.curve.name in _CURVES else ())
    return frozenset({"EdDSA"} if isinstance(key, Ed25519PublicKey) else ())


def public_key(certificate: x509.Certificate) -> PublicKey | None:
    """The key of a certificate; None if it is of no kind that signs tokens."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, (RSAPublicKey, EllipticCurvePublicKey, Ed25519PublicKey)) else None


def thumbprint(key: PublicKey) -> str:
    """RFC 7638."""
    return _thumbprint(_members(key))


def certificate_kids(key: PublicKey) -> Iterator[str]:
    """
    The names by which registry:3 and registry:2 know the key of a certificate in their bundle: its thumbprint, and
    libtrust's fingerprint. registry:3 computes the thumbprint of every elliptic key of a curve from the base point of
    that curve, and token servers do so after it.
    """
    members = _members(key)
    yield _thumbprint(members)
    if isinstance(key, EllipticCurvePublicKey):
        base = derive_private_key(1, key.curve).public_key().public_numbers()
        x, y = (_encoded(each.to_bytes((each.bit_length() + 7) // 8, "big")) for each in (base.x, base.y))
        yield _thumbprint({**members, "x": x, "y": y})
    digest = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    text = b32encode(digest[:30]).decode("ascii")
    yield ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _members(key: PublicKey) -> dict[str, str]:
    if isinstance(key, RSAPublicKey):
        found = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, EllipticCurvePublicKey):
        found = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        found = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: found[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in found}


def _thumbprint(members: dict[str, str]) -> str:
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return _encoded(sha256(text.encode("ascii")).digest())


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
