"""
Certificates that come with a token, up to a root that is trusted.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ._interfaces import InvalidCredential
from ._keys import VerificationKey, algorithms_of, public_key

_LONGEST = 8


def verified_leaf(x5c: Any, roots: Sequence[x509.Certificate], now: float) -> VerificationKey:
    """
    The key of the first certificate of an ``x5c`` header (RFC 7515, section 4.1.6).

    It may be for any use, as with distribution, but those that vouch for it must be authorities.

    :param now: seconds since the epoch.
    :raise InvalidCredential: if no root vouches for it, or it is not valid now.
    """
    leaf, *others = _parsed(x5c)
    time = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    if leaf in roots:
        if not leaf.not_valid_before_utc.timestamp() <= now <= leaf.not_valid_after_utc.timestamp():
            raise InvalidCredential("certificate not valid now")
    elif not roots:
        raise InvalidCredential("certificate, but no root is trusted")
    else:
        _verify(leaf, others, roots, time)
    key = public_key(leaf)
    algorithms = frozenset[str]() if key is None else algorithms_of(key)
    if key is None or not algorithms:
        raise InvalidCredential("certificate of an unfit key")
    return VerificationKey("", key, algorithms)


def _parsed(x5c: Any) -> list[x509.Certificate]:
    if not isinstance(x5c, list) or not 0 < len(x5c) <= _LONGEST or not all(isinstance(each, str) for each in x5c):
        raise InvalidCredential("malformed chain of certificates")
    try:
        return [x509.load_der_x509_certificate(b64decode(each, validate=True)) for each in x5c]
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidCredential("malformed certificate") from None


def _verify(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], time: datetime
) -> None:
    authorities = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority
    )
    policy = PolicyBuilder().store(Store(list(roots))).time(time).max_chain_depth(_LONGEST)
    policy = policy.extension_policies(ca_policy=authorities, ee_policy=ExtensionPolicy.permit_all())
    try:
        policy.build_client_verifier().verify(leaf, list(others))
    except (VerificationError, ValueError, UnsupportedAlgorithm):
        raise InvalidCredential("no trusted root vouches for the certificate") from None


def _is_authority(_policy: Any, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("not an authority")
