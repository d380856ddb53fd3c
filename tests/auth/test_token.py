"""Tests of :mod:`dregistry.auth.token`: what is taken, and where keys come from. For what is not, see ``hostile``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from dregistry.auth import (
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    PULL,
    REGISTRY,
    REPOSITORY,
    Access,
    AuthContext,
    Credential,
    Grant,
    InvalidCredential,
    NotRecognised,
    OptionsInvalid,
)
from dregistry.auth import _verify as verify
from dregistry.auth._keys import certificate_kids, thumbprint
from dregistry.auth.token import Token, TokenOptions, check
from dregistry.errors import Unavailable
from dregistry.testing import AccessControllerSuite

from ..storage.support import temporary_directory
from .support import (
    ISSUER,
    NOW,
    PULL_AB,
    PUSH_AB,
    SERVICE,
    AuthCase,
    bearer,
    certificate,
    claims,
    jwk,
    jwks,
    key,
    pem,
    signed,
    token,
    x5c,
)

REALM = "https://t.example/token"


class TokenTests(AccessControllerSuite, TestCase):
    user = "alice"

    def make_controller(self, context: AuthContext) -> Token:
        path = os.path.join(temporary_directory(self), "file")
        with open(path, "w") as file:
            file.write(jwks(jwk("P-256", "k"), jwk("rsa", "r")))
        return Token(TokenOptions(REALM, SERVICE, ISSUER, jwks=path), context)

    def good(self) -> Credential:
        return bearer(token())

    def bad(self) -> Sequence[Credential]:
        return [
            bearer(token(exp=int(NOW) - 3600)),
            bearer(token(aud="another")),
            bearer(token("P-256-2")),
            bearer(token()[:-4]),
            bearer(token(iss="another")),
        ]


class TokenCase(AuthCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("jwks", jwks(jwk("P-256", "k")))
        self.serve(jwks=self.path("jwks"))

    def serve(self, **options: Any) -> None:
        self.options = TokenOptions(REALM, SERVICE, ISSUER, **options)
        check(self.options)
        self.token = Token(self.options, self.context)

    def ask(self, text: str) -> Grant:
        found = self.do(self.token.authenticate(bearer(text), ()))
        assert isinstance(found, Grant)
        return found

    def refuse(self, text: str, reason: str = "") -> None:
        error = self.refused(InvalidCredential, self.token.authenticate(bearer(text), ()))
        self.assertIn(reason, error.reason)


class ClaimTests(TokenCase):
    def test_accesses(self) -> None:
        accesses = self.ask(token()).accesses
        assert accesses is not None
        self.assertIn(PULL_AB, accesses)
        self.assertIn(PUSH_AB, accesses)
        self.assertNotIn(Access(REPOSITORY, "a/b", "delete"), accesses)
        self.assertNotIn(Access(REPOSITORY, "a", PULL), accesses)
        self.assertNotIn(Access(REGISTRY, "a/b", PULL), accesses)
        self.assertNotIn("pull", accesses)

    def test_wildcard(self) -> None:
        accesses = self.ask(token(access=[{"type": "repository", "name": "a", "actions": ["*"]}])).accesses
        assert accesses is not None
        for action in ("pull", "push", "delete", "*"):
            self.assertIn(Access(REPOSITORY, "a", action), accesses)
        self.assertNotIn(Access(REPOSITORY, "*", PULL), accesses)

    def test_no_wildcard_in_names(self) -> None:
        """A name means one repository, whatever is in it."""
        accesses = self.ask(token(access=[{"type": "repository", "name": "*", "actions": ["*"]}])).accesses
        assert accesses is not None
        self.assertNotIn(PULL_AB, accesses)

    def test_the_same_resource_twice(self) -> None:
        entries = [{"type": "repository", "name": "a/b", "actions": [each]} for each in ("pull", "push")]
        accesses = self.ask(token(access=entries)).accesses
        assert accesses is not None
        self.assertTrue(PULL_AB in accesses and PUSH_AB in accesses)

    def test_nothing_granted(self) -> None:
        for access in (None, []):
            grant = self.ask(token(access=access))
            assert grant.accesses is not None
            self.assertNotIn(PULL_AB, grant.accesses)

    def test_classes(self) -> None:
        def classes(*entries: dict[str, Any]) -> dict[str, frozenset[str]]:
            listed = [{"type": "repository", "name": "a", "actions": ["push"], **entry} for entry in entries]
            return dict(self.ask(token(access=listed)).classes)

        self.assertEqual(classes({}), {"a": {"image"}})
        self.assertEqual(classes({"class": "plugin"}), {"a": {"plugin"}})
        self.assertEqual(classes({"type": "repository(plugin)"}), {"a": {"plugin"}})
        self.assertEqual(classes({"class": "plugin"}, {}), {"a": {"plugin", "image"}})
        accesses = self.ask(token(access=[{"type": "repository(plugin)", "name": "a/b", "actions": ["pull"]}])).accesses
        assert accesses is not None
        self.assertIn(PULL_AB, accesses)

    def test_audiences(self) -> None:
        self.ask(token(aud=[SERVICE]))
        self.ask(token(aud=["another", SERVICE]))
        self.refuse(token(aud=["another"]), "audience")
        self.refuse(token(aud=[]), "audience")

    def test_subject(self) -> None:
        """Nobody in particular is a subject, too."""
        self.assertEqual(self.ask(token(sub="")).identity.name, "")
        self.assertEqual(self.ask(token(sub=None)).identity.name, "")

    def test_groups(self) -> None:
        self.assertEqual(self.ask(token(groups=["a", "b"])).identity.groups, {"a", "b"})
        for other in ("a", {"a": 1}, [1], 5, None):
            self.assertEqual(self.ask(token(groups=other)).identity.groups, frozenset())

    def test_times(self) -> None:
        """A minute of leeway, either way; fractions are fine, and no start is a start long ago."""
        self.ask(token(exp=NOW - 59.5))
        self.refuse(token(exp=int(NOW) - 60), "expired")
        self.ask(token(nbf=NOW + 60))
        self.refuse(token(nbf=int(NOW) + 61), "not valid yet")
        self.ask(token(nbf=None, iat=None))

    def test_leeway(self) -> None:
        self.serve(jwks=self.path("jwks"), leeway=0.0)
        self.ask(token(exp=NOW + 0.5))
        self.refuse(token(exp=int(NOW)), "expired")


class CacheTests(TokenCase):
    def setUp(self) -> None:
        super().setUp()
        self.verified = 0
        original = verify._jws.decode_complete

        def decode_complete(*args: Any, **kwargs: Any) -> Any:
            self.verified += 1
            return original(*args, **kwargs)

        self.patch(verify._jws, "decode_complete", decode_complete)

    def test_once(self) -> None:
        for _ in range(5):
            self.ask(token(exp=int(NOW) + 10))
        self.assertEqual(self.verified, 5)  # each is another one: the signature is never the same
        again = token(exp=int(NOW) + 10)
        for _ in range(5):
            self.ask(again)
        self.assertEqual(self.verified, 6)

    def test_until_it_expires(self) -> None:
        text = token(exp=int(NOW) + 10)
        self.ask(text)
        self.clock.advance(69)
        self.ask(text)
        self.clock.advance(1)
        self.refuse(text, "expired")
        self.assertEqual(self.verified, 2)

    def test_until_the_keys_change(self) -> None:
        """A key that is gone is gone for what it has signed before."""
        text = token()
        self.ask(text)
        self.write("jwks", jwks(jwk("P-256-2", "k2")))
        self.clock.advance(1)
        self.refuse(text, "unknown key")

    def test_not_the_bad_ones(self) -> None:
        text = token("P-256-2")
        for count in (1, 2):
            self.refuse(text, "signature")
            self.assertEqual(self.verified, count)

    def test_bounded_and_without_tokens(self) -> None:
        self.patch(self.token._verifier, "_verified", verify.Remembered(3))
        texts = [token(sub=f"user-{number}") for number in range(10)]
        for text in texts:
            self.ask(text)
        kept = self.token._verifier._verified._values
        self.assertEqual(len(kept), 3)
        self.assertFalse(any(text in repr(kept) for text in texts))


class AlgorithmTests(TokenCase):
    ALL = (
        ("rsa", ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("P-256", ("ES256",)),
        ("P-384", ("ES384",)),
        ("P-521", ("ES512",)),
        ("ed", ("EdDSA",)),
    )

    def test_all(self) -> None:
        self.write("jwks", jwks(*(jwk(kind, kind) for kind, _ in self.ALL)))
        self.clock.advance(1)
        for kind, algorithms in self.ALL:
            for algorithm in algorithms:
                self.assertEqual(self.ask(token(kind, algorithm, {"kid": kind})).identity.name, "alice")

    def test_only_those_listed(self) -> None:
        self.write("jwks", jwks(jwk("rsa", "k")))
        self.serve(jwks=self.path("jwks"), signingalgorithms=("RS512",))
        self.ask(token("rsa", "RS512"))
        self.refuse(token("rsa", "RS256"), "algorithm")

    def test_shared_keys(self) -> None:
        """Only if they are asked for by name, and only with keys that are long enough."""
        secrets = {"kty": "oct", "kid": "k", "k": "A" * 43}, {"kty": "oct", "kid": "short", "k": "A" * 22}
        text = token_of_secret(b"\0" * 32, "k")
        self.write("jwks", jwks(*secrets))
        self.serve(jwks=self.path("jwks"))
        self.refuse(text, "algorithm")
        self.serve(jwks=self.path("jwks"), signingalgorithms=("HS256", "HS512"))
        self.ask(text)
        self.refuse(token_of_secret(b"\0" * 16, "short"), "unknown key")
        self.refuse(token_of_secret(b"\0" * 32, "k", "HS512"), "algorithm")


def token_of_secret(secret: bytes, kid: str, algorithm: str = "HS256") -> str:
    return signed(json.dumps(claims()).encode(), secret, algorithm, {"kid": kid})


class KeyTests(TokenCase):
    def test_without_a_name(self) -> None:
        """A key of a set that has none is known by its thumbprint (RFC 7638)."""
        self.write("jwks", jwks(jwk("rsa")))
        self.clock.advance(1)
        self.ask(token("rsa", "RS256", {"kid": thumbprint(key("rsa").public_key())}))

    def test_rotation(self) -> None:
        """A new key is known a second after it is in the file, an old one while it is."""
        self.refuse(token("P-256-2", headers={"kid": "k2"}), "unknown key")
        self.write("jwks", jwks(jwk("P-256", "k"), jwk("P-256-2", "k2")))
        self.clock.advance(1)
        self.ask(token("P-256-2", headers={"kid": "k2"}))
        self.ask(token())
        self.write("jwks", jwks(jwk("P-256-2", "k2")))
        self.clock.advance(1)
        self.refuse(token(), "unknown key")

    def test_a_broken_file(self) -> None:
        """The last keys remain while there are no new ones."""
        self.ask(token())
        for content in ("", "{", "[]", '{"keys": 1}', jwks(), jwks({"kty": "RSA"})):
            self.write("jwks", content)
            self.clock.advance(1)
            self.ask(token())
        os.unlink(self.path("jwks"))
        self.clock.advance(1)
        self.ask(token())
        self.flushLoggedErrors()

    def test_never_readable(self) -> None:
        os.unlink(self.path("jwks"))
        self.refused(Unavailable, self.token.authenticate(bearer(token()), ()))

    def test_unusable_keys(self) -> None:
        """Of other uses and kinds, malformed, weak: left out, whatever else is in the set."""
        others: tuple[Any, ...] = (
            jwk("rsa", "k", use="enc"),
            jwk("rsa", "k", alg="RSA-OAEP"),
            jwk("rsa", "k", alg=5),
            jwk("weak", "k"),
            {**jwk("P-256", "k"), "crv": "secp256k1"},
            {**jwk("P-256", "k"), "crv": "P-384"},
            {**jwk("P-256", "k"), "x": "AAAA"},
            {**jwk("rsa", "k"), "n": 5},
            {**jwk("rsa", "k"), "e": "AA"},
            {**jwk("rsa", "k"), "e": None},
            {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "k"},
            {"kty": "none", "kid": "k"},
            {"kid": "k"},
            jwk("P-256", 5),  # type: ignore[arg-type]
            None,
            "k",
            ["k"],
        )
        for other in others:
            self.write("jwks", jwks(other, jwk("P-256-2", "k2")))
            self.serve(jwks=self.path("jwks"))
            self.ask(token("P-256-2", headers={"kid": "k2"}))
            self.refuse(token(), "unknown key")

    def test_private_keys(self) -> None:
        """By mistake: only their public part is used."""
        from jwt.algorithms import ECAlgorithm

        self.write("jwks", jwks({**ECAlgorithm.to_jwk(key("P-256"), as_dict=True), "kid": "k"}))
        self.serve(jwks=self.path("jwks"))
        self.ask(token())

    def test_check(self) -> None:
        for options, wrong in (
            ({}, "rootcertbundle"),
            ({"jwks": self.path("missing")}, "jwks"),
            ({"jwks": self.write("empty", "")}, "jwks"),
            ({"rootcertbundle": self.path("missing")}, "rootcertbundle"),
            ({"rootcertbundle": self.write("text", "hello")}, "rootcertbundle"),
            ({"jwks": "https://x.example/", "jwksroots": self.path("text")}, "jwksroots"),
        ):
            error = self.assertRaises(OptionsInvalid, check, TokenOptions(REALM, SERVICE, ISSUER, **options))
            self.assertEqual(error.key, wrong)
        check(TokenOptions(REALM, SERVICE, ISSUER, jwks="https://x.example/"))


class CertificateTests(TokenCase):
    """``rootcertbundle``: keys by the names that token servers of registry:2 and registry:3 give them, and chains."""

    def bundle(self, *certificates: Any) -> None:
        self.serve(rootcertbundle=self.write("bundle", pem(*certificates)))

    def test_names(self) -> None:
        for kind, algorithm in (("rsa", "RS256"), ("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512")):
            self.bundle(certificate(kind))
            kids = list(certificate_kids(key(kind).public_key()))
            self.assertEqual(len(set(kids)), 2 if kind == "rsa" else 3)
            for kid in kids:
                self.ask(token(kind, algorithm, {"kid": kid}))

    def test_known_names(self) -> None:
        """As other programs compute them."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
        from jwt.utils import from_base64url_uint

        n = (  # RFC 7638, section 3.1
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4"
            "n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zg"
            "dAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC"
            "ur-kEgU8awapJzKnqDKgw"
        )
        public = RSAPublicNumbers(65537, from_base64url_uint(n)).public_key()
        self.assertEqual(thumbprint(public), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")

    def test_chain(self) -> None:
        """The leaf may be for whatever use; authorities must be authorities."""
        root = certificate("P-256", authority=True)
        middle = certificate("rsa", ("P-256", "P-256"), "middle", authority=True)
        leaf = certificate("P-256-2", ("rsa", "middle"))
        self.bundle(root)
        self.ask(token("P-256-2", headers={"x5c": x5c(leaf, middle)}))
        self.ask(token("P-256-2", headers={"x5c": x5c(leaf, middle), "kid": "something"}))
        self.ask(token("P-256-2", headers={"jwk": {**jwk("P-256-2", "any"), "x5c": x5c(leaf, middle)}}))

    def test_the_root_itself(self) -> None:
        """A self-signed certificate in the bundle, as token servers of small shops have it; an authority or none."""
        for authority in (True, False):
            root = certificate("rsa", authority=authority)
            self.bundle(root)
            self.ask(token("rsa", "RS256", {"x5c": x5c(root)}))

    def test_untrusted(self) -> None:
        root = certificate("P-256", authority=True)
        stranger = certificate("P-256-2", name="P-256", authority=True)
        no_authority = certificate("rsa", ("P-256", "P-256"), "middle")
        none_at_all = certificate("rsa", ("P-256", "P-256"), "middle", constraints=True)
        self.bundle(root)
        for chain, reason in (
            ([stranger], "vouches"),
            ([certificate("P-256-3", ("P-256-2", "P-256")), stranger], "vouches"),
            ([certificate("P-256-3", ("rsa", "middle")), no_authority], "vouches"),
            ([certificate("P-256-3", ("rsa", "middle")), none_at_all], "vouches"),
            ([certificate("P-256-3", ("P-256", "P-256"), days=0.5)], "vouches"),
            ([certificate("P-256-3", ("P-256", "P-256"), starts=1)], "vouches"),
            ([certificate("P-256-3", ("rsa", "middle"))], "vouches"),
        ):
            self.refuse(token("P-256-3" if len(chain) > 1 else "P-256-2", headers={"x5c": x5c(*chain)}), reason)

    def test_expired_root(self) -> None:
        root = certificate("P-256", days=0.5)
        self.bundle(root)
        self.refuse(token(headers={"x5c": x5c(root)}), "not valid now")

    def test_the_signature_counts(self) -> None:
        """That a chain is good says nothing of who sends it."""
        root = certificate("P-256", authority=True)
        self.bundle(root)
        self.refuse(token("P-256-2", headers={"x5c": x5c(root)}), "signature")

    def test_unfit_keys(self) -> None:
        """That a root vouches for a key does not make it strong."""
        for kind in ("weak", "koblitz"):
            root = certificate(kind)
            self.bundle(root, certificate("P-256"))
            self.refuse(token(headers={"x5c": x5c(root)}), "unfit key")

    def test_malformed(self) -> None:
        self.bundle(certificate("P-256", authority=True))
        for chain in ("", [], [""], ["AAAA"], ["!"], [5], {}, "AAAA", ["AAAA"] * 100):
            self.refuse(token(headers={"x5c": chain}), "certificate")

    def test_without_roots(self) -> None:
        self.serve(jwks=self.path("jwks"))
        self.refuse(token(headers={"x5c": x5c(certificate("P-256"))}), "no root")

    def test_both(self) -> None:
        self.serve(rootcertbundle=self.write("bundle", pem(certificate("rsa"))), jwks=self.path("jwks"))
        self.ask(token())
        self.ask(token("rsa", "RS256", {"kid": thumbprint(key("rsa").public_key())}))

    def test_new_bundle(self) -> None:
        self.bundle(certificate("rsa"))
        text = token("P-256", headers={"kid": thumbprint(key("P-256").public_key())})
        self.refuse(text, "unknown key")
        self.write("bundle", pem(certificate("rsa"), certificate("P-256")))
        self.clock.advance(1)
        self.ask(text)


class RecognitionTests(TokenCase):
    """What is another controller's is left to it."""

    def test_other_issuers_and_forms(self) -> None:
        for text in (token(iss="another"), token(iss=None), token(iss=["x"]), "an-api-key", "a.b", "a.b.c.d"):
            self.refused(NotRecognised, self.token.authenticate(bearer(text), ()))

    def test_embedded_key(self) -> None:
        """A ``jwk`` in the token is good for its name only."""
        self.ask(token(headers={"jwk": jwk("P-256", "k")}))
        self.ask(token(headers={"jwk": {"kid": "k"}}))
        self.refuse(token("P-256-2", headers={"jwk": jwk("P-256-2", "k")}), "signature")
        self.refuse(token("P-256-2", headers={"jwk": jwk("P-256-2", "new")}), "unknown key")


class ChallengeTests(TokenCase):
    def challenge(self, accesses: Sequence[Access] = (), error: str = "", base: str = "") -> str | None:
        scheme = "bearer" if error else ""
        return self.token.challenge(Credential(scheme, base_url=lambda: base), accesses, error)

    def test_another_scheme(self) -> None:
        """No token was wrong: there was none."""
        challenge = self.token.challenge(Credential("basic", "YTpi"), (), INVALID_TOKEN)
        self.assertEqual(challenge, f'Bearer realm="{REALM}",service="{SERVICE}"')

    def test_form(self) -> None:
        """Distribution's, letter by letter: a scope for each resource, with all its actions."""
        base = f'Bearer realm="{REALM}",service="{SERVICE}"'
        other = Access(REPOSITORY, "c", PULL)
        for accesses, error, rest in (
            ((), "", ""),
            ((PULL_AB,), "", ',scope="repository:a/b:pull"'),
            ((PULL_AB, PUSH_AB), "", ',scope="repository:a/b:pull,push"'),
            ((PULL_AB, PUSH_AB, other), "", ',scope="repository:a/b:pull,push repository:c:pull"'),
            ((Access(REGISTRY, "catalog", "*"),), "", ',scope="registry:catalog:*"'),
            ((PULL_AB,), INVALID_TOKEN, ',scope="repository:a/b:pull",error="invalid_token"'),
            ((), INSUFFICIENT_SCOPE, ',error="insufficient_scope"'),
        ):
            self.assertEqual(self.challenge(accesses, error), base + rest)

    def test_redirection(self) -> None:
        self.serve(jwks=self.path("jwks"), autoredirect=True)
        self.assertEqual(
            self.challenge(base="https://r.example"), f'Bearer realm="https://r.example/auth/token",service="{SERVICE}"'
        )
        self.serve(jwks=self.path("jwks"), autoredirect=True, autoredirectpath="/t")
        self.assertIn('realm="https://r.example/t"', str(self.challenge(base="https://r.example")))

    def test_quoting(self) -> None:
        self.options = TokenOptions('a"b\\c', SERVICE, ISSUER, jwks=self.path("jwks"))
        self.token = Token(self.options, self.context)
        self.assertIn('realm="a\\"b\\\\c"', str(self.challenge()))
