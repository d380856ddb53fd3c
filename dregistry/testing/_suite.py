"""
What all suites share.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.trial import unittest

if TYPE_CHECKING:  # trial's, at run time; its base has the annotations
    from unittest import TestCase as _Base
else:
    _Base = object


class Suite(_Base):
    """A mixin of trial's ``TestCase``."""

    def setUp(self) -> Any:
        if not isinstance(self, unittest.TestCase):
            raise TypeError(f"{type(self).__name__} must also be a twisted.trial.unittest.TestCase")
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        """Before each test."""


async def settled(value: Any) -> Any:
    """A value, or what an awaitable gives: authors of plugins return either."""
    return await value if isawaitable(value) else value
