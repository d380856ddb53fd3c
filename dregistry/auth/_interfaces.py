"""
Who makes a request: the contract of access controllers, and its terms.

A *credential* is what a request brings. A controller that recognises it answers with a *grant*: the *identity* of
whoever makes the request, and the *accesses* that the credential is limited to, if it limits them. What an identity
may do beyond that, the policy says (:mod:`dregistry.auth.policy`). A *challenge* tells a client which credential would
help.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from zope.interface import Attribute, Interface

from ..storage import Threads
from ._slowdown import Slowdown

API_VERSION = 1
"""Of the contract between the core and access controllers."""

REPOSITORY = "repository"
REGISTRY = "registry"
PULL = "pull"
PUSH = "push"
DELETE = "delete"
ANY = "*"
IMAGE = "image"
"""The class of content that a repository is for if nobody says otherwise."""


_LONGEST_NAME = 255


@frozen
class Access:
    """
    One action on one resource.

    :ivar type: REPOSITORY or REGISTRY.
    :ivar name: of the repository, or of a part of the registry such as ``catalog``.
    :ivar action: PULL, PUSH, DELETE or ANY.
    """

    type: str
    name: str
    action: str


@frozen
class Identity:
    """
    :ivar name: of the user; empty for nobody in particular.
    :ivar groups: that the credential says the user is in.
    """

    name: str = ""
    groups: frozenset[str] = frozenset()


@frozen
class Grant:
    """
    What a credential is good for.

    :ivar accesses: the only ones that it can be used for; None if it does not say.
    :ivar classes: the classes of content (IMAGE, ``plugin``) that it is for, by the name of the repository; no limit
        where a name is missing.
    """

    identity: Identity
    accesses: Container[Access] | None = None
    classes: Mapping[str, frozenset[str]] = field(factory=dict)


@frozen(eq=False)
class Credential:
    """
    What a request brings that can tell who makes it.

    :ivar scheme: of its ``Authorization`` header, in lower case; empty without one.
    :ivar parameter: the rest of that header.
    :ivar address: the IP address that it comes from; empty if it has none.
    :ivar certificate: DER of the certificate that TLS has verified the peer by; None without one.
    :ivar base_url: gives scheme and host by which the client reaches the registry.
    """

    scheme: str = ""
    parameter: str = field(default="", repr=False)
    address: str = ""
    certificate: bytes | None = field(default=None, repr=False)
    base_url: Callable[[], str] = field(default=lambda: "", repr=False)

    @classmethod
    def of_headers(cls, authorization: Sequence[str], **rest: Any) -> Credential:
        """
        :param authorization: the values of all headers of that name. More than one is a credential that nobody
            recognises: proxies and servers might not agree on which of them counts.
        """
        if len(authorization) > 1:
            return cls("ambiguous", **rest)
        scheme, _, parameter = authorization[0].strip().partition(" ") if authorization else ("", "", "")
        return cls(scheme.lower(), parameter.strip(), **rest)

    @property
    def is_absent(self) -> bool:
        """Whether the header says nothing. Some clients that have no password send an empty one."""
        return not self.scheme or (self.scheme == "basic" and self.parameter in ("", "Og=="))

    def password(self) -> tuple[str, bytes] | None:
        """
        User and password of a Basic credential (RFC 7617); None if it is of another scheme.

        :raise InvalidCredential: if it is malformed.
        """
        if self.scheme != "basic":
            return None
        try:
            user, colon, password = b64decode(self.parameter, validate=True).partition(b":")
            name = user.decode("utf-8")
        except ValueError:
            raise InvalidCredential("malformed") from None
        if not colon or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise InvalidCredential("malformed")
        return name, password


class InvalidCredential(Exception):
    """
    A credential that is not good.

    :param reason: a few words for the log, with nothing of the credential in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotRecognised(InvalidCredential):
    """The same of a credential that another controller may recognise."""


class OptionsInvalid(Exception):
    """
    Options that no controller can be built with.

    :param key: of the option that is at fault.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message


INVALID_TOKEN = "invalid_token"  # noqa: S105
INSUFFICIENT_SCOPE = "insufficient_scope"
"""Errors of RFC 6750, section 3.1."""


class IAccessController(Interface):
    """Tells who makes a request. Asked once for each, before its body is read."""

    name: str = Attribute("of its kind, as in the configuration")

    def authenticate(credential: Credential, accesses: Sequence[Access]) -> Awaitable[Grant | None]:
        """
        What the credential is good for; None if it is nothing for this controller, so that others are asked.

        For a name that it does not know, a controller returns None at once, and provides :class:`IDecoy`.

        :param accesses: those that the request needs; none if it only wants to know whether the credential is good.
        :raise NotRecognised: instead of None, where there is something to be said about it.
        :raise InvalidCredential: if it is of this controller, and not good. Nobody else is asked.
        :raise dregistry.errors.Unavailable: if it cannot tell now.
        """

    def challenge(credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        """
        The value of a ``WWW-Authenticate`` header; None if no header can ask for what this controller wants.

        :param credential: that the request brought, of whatever kind.
        :param error: INVALID_TOKEN, INSUFFICIENT_SCOPE, or empty if the request brought nothing.
        """


class IDecoy(Interface):
    """An ability of controllers that know names: to hide which ones."""

    def pretend(credential: Credential) -> Awaitable[None]:
        """Take as long, and slow the peer down as much, as if the name were known and the password wrong."""


class IStarting(Interface):
    """An ability of controllers that have something to do before the first request."""

    def start() -> None:
        """
        Called when a process is about to serve, by the user that it serves as. May block for a moment. What fails is
        logged, and makes requests fail.
        """


class IAccounts(Interface):
    """An ability of controllers whose users can change or lose their password."""

    def mark(name: str) -> Awaitable[str | None]:
        """
        A word that changes with the user's password, which cannot be guessed from it; None if there is no such user.
        """


@frozen
class IssuedToken:
    """
    :ivar token: for the registry, as a Bearer credential.
    :ivar issued: in seconds since the epoch.
    :ivar lifetime: in seconds.
    """

    token: str = field(repr=False)
    issued: float
    lifetime: float


@frozen
class Refreshable:
    """
    What a refresh token stands for.

    :ivar controller: the name of the one that knew the user's password.
    :ivar mark: what it said of the user then (:class:`IAccounts`); None if it cannot.
    """

    identity: Identity
    controller: str
    mark: str | None


class ITokenIssuer(IAccessController):
    """A controller that makes the tokens that it recognises, for users whom other controllers know."""

    path: str = Attribute("of the URL where clients ask for tokens")
    service: str = Attribute("the audience of the tokens")

    def issue(identity: Identity, accesses: Sequence[Access]) -> Awaitable[IssuedToken]:
        """A token that is good for these accesses, all of which have been granted."""

    def refresh_token(refreshable: Refreshable) -> Awaitable[str | None]:
        """By which its user gets further tokens without a password; None if there is no such thing."""

    def redeem(refresh_token: str) -> Awaitable[Refreshable]:
        """
        What a refresh token stands for. Whether that still holds is not checked here.

        :raise InvalidCredential: if it was not made here, or has expired.
        """


@frozen
class AuthContext:
    """
    What the core hands to a controller's factory.

    :ivar reactor: for the time.
    :ivar threads: few, for what takes long: hashing passwords, reading files.
    :ivar slowdown: to be asked before a password is checked, and told of wrong ones.
    """

    reactor: Any
    threads: Threads
    slowdown: Slowdown


class IAccessControllerFactory(Interface):
    """
    Builds a controller from its section of the configuration. Found as a twistd plugin: an object in
    ``twisted.plugins`` that provides this and :class:`twisted.plugin.IPlugin`.
    """

    name: str = Attribute("the key under ``auth:``")
    help: str = Attribute("one line for people")
    api_version: int = Attribute("the API_VERSION that it was written for")
    options: type = Attribute("an attrs class; the core fills it from the section and reports faults by path")
    needs_tls: Callable[[Any], bool] = Attribute("options -> whether it speaks TLS: OpenSSL is not loaded otherwise")

    def check(options: Any) -> None:
        """
        Look whether a controller can be built. Changes nothing, and may block.

        :raise OptionsInvalid:
        """

    def build(options: Any, context: AuthContext) -> Any:
        """An :class:`IAccessController`."""
