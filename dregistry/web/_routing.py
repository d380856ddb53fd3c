"""
Klein's router for a registry: names that span slashes, and paths that are asked for again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from klein import Klein
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule

_REMEMBERED = 4096
"""Paths whose route is remembered."""


class NameConverter(BaseConverter):
    """
    A repository name in a path. It spans slashes and takes as much as it can: what is no name is told so later, by
    :func:`dregistry.reference.parse_name`.
    """

    regex = "(?s:.+)"
    part_isolating = False


class RouteMap(Map):
    """
    werkzeug's map of routes, which remembers where the last paths led: the route of a path never changes, and clients
    ask for the same ones. Hosts take no part in routing.
    """

    def __init__(self) -> None:
        super().__init__(converters={"name": NameConverter}, merge_slashes=False)
        self.remembered: dict[tuple[str, str], tuple[Rule, Mapping[str, Any]]] = {}

    def bind(
        self,
        server_name: str,
        script_name: str | None = None,
        subdomain: str | None = None,
        url_scheme: str = "http",
        default_method: str = "GET",
        path_info: str | None = None,
        query_args: Mapping[str, Any] | str | None = None,
    ) -> MapAdapter:
        return _Adapter(
            self, server_name, script_name or "/", "", url_scheme, path_info or "/", default_method, query_args
        )


class _Adapter(MapAdapter):
    map: RouteMap

    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: bool = False,
        query_args: Mapping[str, Any] | str | None = None,
        websocket: bool | None = None,
    ) -> tuple[Any, Mapping[str, Any]]:
        key = (self.path_info if path_info is None else path_info, method or self.default_method)
        found = self.map.remembered.get(key)
        if found is None:
            found = super().match(path_info, method, True, query_args, websocket)
            if len(self.map.remembered) >= _REMEMBERED:
                self.map.remembered.clear()
            self.map.remembered[key] = found
        rule, arguments = found
        return (rule if return_rule else rule.endpoint), dict(arguments)


class RegistryApp(Klein):
    """Klein, routing by a :class:`RouteMap`."""

    def __init__(self) -> None:
        super().__init__()
        self._url_map = RouteMap()
