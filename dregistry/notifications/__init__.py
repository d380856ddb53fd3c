"""Events of the registry, on their way to those who want to know."""

from ._interfaces import (
    API_VERSION,
    EndpointSettings,
    INotificationSink,
    INotificationSinkFactory,
    Notification,
    Refused,
    SinkContext,
)
from .envelope import Encoded

__all__ = [
    "API_VERSION",
    "Encoded",
    "EndpointSettings",
    "INotificationSink",
    "INotificationSinkFactory",
    "Notification",
    "Refused",
    "SinkContext",
]
