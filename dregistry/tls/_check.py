"""
Whether ``http.tls`` can be used.
"""

from __future__ import annotations

from ..config import ConfigError, Configuration, Problem

_WITHOUT_CERTIFICATE = "is of no use without http.tls.certificate, and without TLS everything travels in clear text"


def check_tls(config: Configuration, source: str) -> None:
    """
    Read the files of ``http.tls``, as a process that serves will. Only then OpenSSL is loaded.

    :param source: the name of the configuration file, for the report.
    :raise ConfigError: with all that is wrong with the section.
    """
    tls = config.http.tls
    if not tls.enabled:
        keys = [key for key in ("key", "clientcas") if getattr(tls, key)]
        if keys:
            raise ConfigError([Problem(f"http.tls.{key}", _WITHOUT_CERTIFICATE) for key in keys], source=source)
        return
    if not tls.key:
        raise ConfigError([Problem("http.tls.key", "missing: the file that has the certificate's key")], source=source)
    from ._context import make_context  # noqa: PLC0415  # it loads OpenSSL

    make_context(tls, source)
