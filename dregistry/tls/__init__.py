"""
TLS to clients: ``http.tls``.

What is imported from here does not load OpenSSL. :mod:`._certificates` and :mod:`._transport` do: they are for
processes that speak TLS.
"""

from ._check import check_tls

__all__ = ["check_tls"]
