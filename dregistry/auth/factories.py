"""
The factories of the controllers that ship with dregistry. A controller is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ._interfaces import API_VERSION, AuthContext, IAccessController, IAccessControllerFactory, ITokenIssuer


class _Factory:
    api_version = API_VERSION

    def needs_tls(self, options: Any) -> bool:
        """Not unless a subclass says so."""
        return False

    def check(self, options: Any) -> None:
        """Nothing, unless a subclass says so."""


@implementer(IPlugin, IAccessControllerFactory)
class SillyFactory(_Factory):
    name = "silly"
    help = "for tests: whoever brings any Authorization header is let in"

    @property
    def options(self) -> type:
        from .silly import SillyOptions

        return SillyOptions

    def build(self, options: Any, context: AuthContext) -> IAccessController:
        from .silly import Silly

        return Silly(options)


@implementer(IPlugin, IAccessControllerFactory)
class HtpasswdFactory(_Factory):
    name = "htpasswd"
    help = "names and passwords in a file, hashed by bcrypt"

    @property
    def options(self) -> type:
        from .htpasswd import HtpasswdOptions

        return HtpasswdOptions

    def check(self, options: Any) -> None:
        from .htpasswd import check

        check(options)

    def build(self, options: Any, context: AuthContext) -> IAccessController:
        from .htpasswd import Htpasswd

        return Htpasswd(options, context)


@implementer(IPlugin, IAccessControllerFactory)
class TokenFactory(_Factory):
    name = "token"
    help = "tokens that a token server elsewhere has signed"

    @property
    def options(self) -> type:
        from .token import TokenOptions

        return TokenOptions

    def needs_tls(self, options: Any) -> bool:
        from .token import is_remote

        return is_remote(options)

    def check(self, options: Any) -> None:
        from .token import check

        check(options)

    def build(self, options: Any, context: AuthContext) -> IAccessController:
        from .token import Token

        return Token(options, context)


@implementer(IPlugin, IAccessControllerFactory)
class TokenServerFactory(_Factory):
    name = "tokenserver"
    help = "tokens for the users of the other controllers, made here"

    @property
    def options(self) -> type:
        from .tokenserver import TokenServerOptions

        return TokenServerOptions

    def check(self, options: Any) -> None:
        from .tokenserver import check

        check(options)

    def build(self, options: Any, context: AuthContext) -> ITokenIssuer:
        from .tokenserver import TokenServer

        return TokenServer(options, context)


@implementer(IPlugin, IAccessControllerFactory)
class MtlsFactory(_Factory):
    name = "mtls"
    help = "clients that TLS knows by their certificate"

    @property
    def options(self) -> type:
        from .mtls import MtlsOptions

        return MtlsOptions

    def build(self, options: Any, context: AuthContext) -> IAccessController:
        from .mtls import Mtls

        return Mtls(options, context)
