"""
What ``log`` says of the log itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from .. import __version__


@frozen
class LogSettings:
    """
    :ivar level: ``error``, ``warn``, ``info`` or ``debug``: the least that is logged.
    :ivar formatter: ``text``, ``json`` or ``logstash``.
    :ivar fields: of every record.
    :ivar report_caller: name the place in the source in every record.
    """

    level: str = "info"
    formatter: str = "text"
    fields: Mapping[str, Any] = field(factory=dict)
    report_caller: bool = False

    @classmethod
    def of(cls, section: Any) -> LogSettings:
        """:param section: a :class:`dregistry.config.Log`."""
        return cls(section.level, section.formatter, section.fields, section.reportcaller)

    def constant_fields(self, instance: str) -> dict[str, Any]:
        """
        The fields that all records have.

        :param instance: tells this registry from others, and from itself before a restart.
        """
        found: dict[str, Any] = {"instance.id": instance, "version": __version__}
        found.update((str(name), _plain(value)) for name, value in self.fields.items())
        return found


def _plain(value: Any) -> Any:
    """What YAML can hold, as JSON can."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
