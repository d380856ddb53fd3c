"""Tokens that somebody made up, or had once, or changed: each is refused, for the reason that is meant."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth import AccessControl, AuthContext, InvalidCredential, Slowdown
from dregistry.auth._verify import LARGEST
from dregistry.auth.token import Token, TokenOptions
from dregistry.testing import InlineThreads

from ..storage.support import temporary_directory
from ..web.app import AppCase
from .support import (
    ISSUER,
    NOW,
    SERVICE,
    AuthCase,
    bearer,
    certificate,
    claims,
    encoded,
    jwk,
    jwks,
    key,
    pem,
    signed,
    token,
    x5c,
)

GOOD = json.dumps(claims()).encode()
HEAD, BODY, SIGNATURE = token().split(".")
ROOT = certificate("rsa", authority=True)
PUBLIC = {
    "PEM": key("rsa").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": key("rsa").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "the bundle": pem(ROOT),
    "the key as JSON": json.dumps(jwk("rsa", "r")).encode(),
    "its modulus": jwk("rsa")["n"].encode(),
    "nothing": b"",
    "its name": b"r",
}


def head(**headers: Any) -> str:
    members = {"alg": "ES256", "typ": "JWT", "kid": "k", **headers}
    return encoded({name: value for name, value in members.items() if value is not None})


def der_signature() -> str:
    content = f"{HEAD}.{BODY}"
    return f"{content}.{encoded(key('P-256').sign(content.encode(), ECDSA(hashes.SHA256())))}"


def raw(payload: bytes) -> str:
    """Signed by the right key, whatever it says."""
    return signed(payload, key("P-256"), "ES256")


def numbers() -> dict[str, str]:
    """JSON has no such numbers, Python's reader takes them."""
    return {
        name: raw(GOOD.replace(b'"exp": %d' % (int(NOW) + 300), b'"exp": ' + value))
        for name, value in (
            ("exp NaN", b"NaN"),
            ("exp Infinity", b"Infinity"),
            ("exp 1e999", b"1e999"),
            ("exp of 500 digits", b"9" * 500),
            ("exp of 5000 digits", b"9" * 5000),
        )
    }


NOT_A_TOKEN = "three parts"
FORBIDDEN = "header that is not allowed"
ALGORITHM = "algorithm that is not allowed"
NOT_THE_KEYS = "algorithm that is not its key's"
WRONG = "wrong signature"
TIMES = "malformed times"
CLAIMS = "malformed claims"
HEADER = "malformed header"

HOSTILE: dict[str, tuple[str, str]] = {
    # no signature, or none that counts
    "alg none, no signature": (f"{head(alg='none')}.{BODY}.", NOT_A_TOKEN),
    "alg none": (f"{head(alg='none')}.{BODY}.AA", ALGORITHM),
    "alg None": (f"{head(alg='None')}.{BODY}.AA", ALGORITHM),
    "alg nOnE, with a good signature": (f"{head(alg='nOnE')}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg empty": (f"{head(alg='')}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg missing": (f"{head(alg=None)}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg a list": (f"{head(alg=['ES256'])}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg an object": (f"{head(alg={'ES256': 1})}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg in lower case": (f"{head(alg='es256')}.{BODY}.{SIGNATURE}", ALGORITHM),
    "alg of another curve": (f"{head(alg='ES384')}.{BODY}.{SIGNATURE}", NOT_THE_KEYS),
    "alg that nobody lists": (f"{head(alg='ES256K')}.{BODY}.{SIGNATURE}", ALGORITHM),
    "signature of another key": (token("P-256-2"), WRONG),
    "signature of zeros": (f"{HEAD}.{BODY}.{encoded(bytes(64))}", WRONG),
    "signature in DER": (der_signature(), WRONG),
    "signature cut off": (f"{HEAD}.{BODY}.{SIGNATURE[:40]}", WRONG),
    "signature with more to it": (f"{HEAD}.{BODY}.{SIGNATURE}AAAA", WRONG),
    "signature of one letter": (f"{HEAD}.{BODY}.A", ""),
    "claims changed": (f"{HEAD}.{encoded(claims(sub='root'))}.{SIGNATURE}", WRONG),
    "claims of another token": (f"{HEAD}.{token(sub='root').split('.')[1]}.{SIGNATURE}", WRONG),
    "header changed": (f"{head(typ='JOSE')}.{BODY}.{SIGNATURE}", WRONG),
    # the wrong key, or one that the token brings along
    "an RSA token under an elliptic key": (token("rsa", "RS256"), NOT_THE_KEYS),
    "an elliptic token under an RSA key": (token("P-256", "ES256", {"kid": "r"}), NOT_THE_KEYS),
    "kid missing": (token(headers={"kid": None}), "names no key"),
    "kid empty": (token(headers={"kid": ""}), "names no key"),
    "kid a number": (token(headers={"kid": 7}), HEADER),
    "kid a list": (token(headers={"kid": ["k"]}), HEADER),
    "kid unknown": (token(headers={"kid": "K"}), "unknown key"),
    "kid a path": (token(headers={"kid": "../../../dev/null"}), "unknown key"),
    "kid a statement": (token(headers={"kid": "k' OR '1'='1"}), "unknown key"),
    "jku": (token(headers={"jku": "https://evil.example/jwks"}), FORBIDDEN),
    "x5u": (token(headers={"x5u": "https://evil.example/chain"}), FORBIDDEN),
    "jwk of the sender": (token("P-256-2", headers={"kid": None, "jwk": jwk("P-256-2")}), "names no key"),
    "jwk of the sender, by a known name": (token("P-256-2", headers={"jwk": jwk("P-256-2", "k")}), WRONG),
    "jwk no object": (token(headers={"jwk": "k"}), HEADER),
    "x5c of the sender": (token("P-256-2", headers={"x5c": x5c(certificate("P-256-2"))}), "vouches"),
    "x5c of a root, signed by another": (token("P-256-2", headers={"x5c": x5c(ROOT)}), NOT_THE_KEYS),
    "x5c malformed": (token(headers={"x5c": ["AAAA"]}), "malformed certificate"),
    "x5c empty": (token(headers={"x5c": []}), "malformed chain"),
    "crit": (token(headers={"crit": ["exp"], "exp": 1}), "header"),
    "b64 false": (token(headers={"b64": False}), "header"),
    "zip": (token(headers={"zip": "DEF"}), FORBIDDEN),
    # not now, not here
    "expired": (token(exp=int(NOW) - 61), "expired"),
    "exp missing": (token(exp=None), TIMES),
    "exp text": (token(exp=str(int(NOW) + 300)), TIMES),
    "exp true": (token(exp=True), TIMES),
    "exp negative": (token(exp=-1), "expired"),
    "exp a list": (token(exp=[int(NOW) + 300]), TIMES),
    "not yet": (token(nbf=int(NOW) + 61), "not valid yet"),
    "nbf text": (token(nbf="now"), TIMES),
    "another audience": (token(aud="another"), "audience"),
    "the audience in another case": (token(aud=SERVICE.upper()), "audience"),
    "aud missing": (token(aud=None), "audience"),
    "aud an object": (token(aud={SERVICE: 1}), "audience"),
    "another issuer": (token(iss="another"), "issuer"),
    "iss missing": (token(iss=None), "issuer"),
    "iss a list": (token(iss=[ISSUER]), "issuer"),
    # nonsense, rightly signed
    "sub a number": (token(sub=5), CLAIMS),
    "sub of two lines": (token(sub="alice\n2026-01-01 all is well"), CLAIMS),
    "access text": (token(access="repository:a/b:pull"), CLAIMS),
    "access of text": (token(access=["repository:a/b:pull"]), CLAIMS),
    "actions text": (token(access=[{"type": "repository", "name": "a/b", "actions": "pull"}]), CLAIMS),
    "actions of numbers": (token(access=[{"type": "repository", "name": "a/b", "actions": [1]}]), CLAIMS),
    "name a list": (token(access=[{"type": "repository", "name": ["a/b"], "actions": ["pull"]}]), CLAIMS),
    "claims a list": (raw(b"[]"), CLAIMS),
    "claims null": (raw(b"null"), CLAIMS),
    "claims no JSON": (raw(b"exp=1"), CLAIMS),
    "claims not UTF-8": (raw(b'{"iss": "\xff"}'), CLAIMS),
    "claims very deep": (raw(b"[" * 5000), CLAIMS),
    "header a list": (f"{encoded([])}.{BODY}.{SIGNATURE}", HEADER),
    "header no JSON": (f"{encoded(b'alg=ES256')}.{BODY}.{SIGNATURE}", HEADER),
    "header very deep": (f"{encoded(b'[' * 5000)}.{BODY}.{SIGNATURE}", HEADER),
    # not even that
    "too large": (f"{HEAD}.{BODY}.{'A' * LARGEST}", "too large"),
    "two parts": (f"{HEAD}.{BODY}", NOT_A_TOKEN),
    "five parts": (f"{HEAD}.{BODY}.{SIGNATURE}.{BODY}.{BODY}", NOT_A_TOKEN),
    "two tokens": (f"{token()} {token()}", NOT_A_TOKEN),
    "padding": (f"{HEAD}.{BODY}.{SIGNATURE}==", NOT_A_TOKEN),
    "letters of another base64": (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}+", NOT_A_TOKEN),
    "letters of no base64": (f"{HEAD}.{BODY}.{SIGNATURE}!", NOT_A_TOKEN),
    "a line feed": (f"{HEAD}.{BODY}.\n{SIGNATURE}", NOT_A_TOKEN),
    "a letter beyond ASCII": (f"{HEAD}.{BODY}.{SIGNATURE}\u00e4", NOT_A_TOKEN),
    **{
        f"key confusion: HS256 with {name}": (signed(GOOD, secret, "HS256", {"kid": "r"}), ALGORITHM)
        for name, secret in PUBLIC.items()
    },
    **{name: (text, "") for name, text in numbers().items()},
}
"""Tokens, and a part of what the log says of them."""


def make(folder: str, clock: Clock, **options: Any) -> Token:
    for name, content in (("jwks", jwks(jwk("P-256", "k"), jwk("rsa", "r")).encode()), ("bundle", pem(ROOT))):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(content)
    found = TokenOptions("https://t.example/token", SERVICE, ISSUER, f"{folder}/bundle", f"{folder}/jwks", **options)
    return Token(found, AuthContext(clock, InlineThreads(), Slowdown(clock)))


class HostileTests(AuthCase):
    def setUp(self) -> None:
        super().setUp()
        self.token = make(self.folder, self.clock)

    def test_the_good_one(self) -> None:
        """What all of these were made of is good."""
        self.assertEqual(self.do(self.token.authenticate(bearer(token()), ())).identity.name, "alice")
        self.assertEqual(self.do(self.token.authenticate(bearer(raw(GOOD)), ())).identity.name, "alice")

    def test_each(self) -> None:
        for name, (text, reason) in HOSTILE.items():
            error = self.refused(InvalidCredential, self.token.authenticate(bearer(text), ()))
            self.assertIn(reason, error.reason, name)

    def test_with_shared_keys_allowed(self) -> None:
        """Nor does it help that HS256 may be used: a public key is not a shared one."""
        algorithms = ("ES256", "RS256", "HS256")
        self.token = make(self.folder, self.clock, signingalgorithms=algorithms)
        for name, (text, _) in HOSTILE.items():
            self.refused(InvalidCredential, self.token.authenticate(bearer(text), ()))
            if name.startswith("key confusion"):
                error = self.refused(InvalidCredential, self.token.authenticate(bearer(text), ()))
                self.assertIn(NOT_THE_KEYS, error.reason, name)

    def test_after_the_good_one(self) -> None:
        """What is remembered of a good token is of no use to another."""
        self.do(self.token.authenticate(bearer(token()), ()))
        self.test_each()


class HostileRequestTests(AppCase):
    """The same as requests."""

    def setUp(self) -> None:
        super().setUp()
        clock = Clock()
        clock.advance(NOW)
        folder = temporary_directory(self)
        self.serve(access=AccessControl([make(folder, clock)]))
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def test_each(self) -> None:
        """401 with a challenge that says why, a line in the log that says a little more, and nothing of the token."""
        self.refuse("GET", "/v2/a/b/manifests/v1", 404, "MANIFEST_UNKNOWN", authorization=f"Bearer {token()}")
        for name, (text, _) in HOSTILE.items():
            if text.isascii() and "\n" not in text:
                found = self.refuse("GET", "/v2/a/b/manifests/v1", 401, "UNAUTHORIZED", authorization=f"Bearer {text}")
                challenge = found.headers["www-authenticate"]
                self.assertTrue(challenge.endswith(',scope="repository:a/b:pull",error="invalid_token"'), name)
        said = repr(self.events)
        self.assertNotIn("Traceback", said)
        self.assertNotIn(SIGNATURE, said)
        self.assertNotIn(BODY, said)

    def test_insufficient(self) -> None:
        """A good token for something else: another one may help."""
        mount = f"/v2/a/b/blobs/uploads/?mount=sha256:{'0' * 64}&from=c"
        for method, path, scope in (
            ("GET", "/v2/other/tags/list", "repository:other:pull"),
            ("DELETE", "/v2/a/b/manifests/v1", "repository:a/b:delete"),
            ("GET", "/v2/_catalog", "registry:catalog:*"),
            ("POST", mount, "repository:a/b:pull,push repository:c:pull"),
        ):
            found = self.refuse(method, path, 401, "UNAUTHORIZED", authorization=f"Bearer {token()}")
            challenge = found.headers["www-authenticate"]
            self.assertTrue(challenge.endswith(f',scope="{scope}",error="insufficient_scope"'), challenge)

    def test_two_headers(self) -> None:
        """Whichever of them is good: who knows which one others look at."""
        headers = {"authorization": f"Bearer {token()}"}
        self.refuse("GET", "/v2/a/b/manifests/v1", 404, "MANIFEST_UNKNOWN", **headers)
        started = self._treq.request(
            "GET", "http://r.example/v2/a/b/manifests/v1",
            headers={"Authorization": [f"Bearer {token()}", f"Bearer {token()}"]},
        )  # fmt: skip
        self._treq.flush()
        self.assertEqual(self.successResultOf(started).code, 401)


class CountTests(SynchronousTestCase):
    def test_some_thirty(self) -> None:
        self.assertGreater(len(HOSTILE), 30)
