"""Tests of :mod:`dregistry.health.section`: what is wrong is said at the start."""

from __future__ import annotations

from dregistry.config import ConfigError
from dregistry.health.section import check_health

from ..config._loading import MINIMAL, LoadingTestCase


class CheckTests(LoadingTestCase):
    def problems(self, text: str) -> list[str]:
        try:
            check_health(self.config(MINIMAL + text), "r.yml")
        except ConfigError as error:
            return [problem.path for problem in error.problems]
        return []

    def test_good(self) -> None:
        self.assertEqual(
            self.problems(
                "health: {file: [{file: a}], tcp: [{addr: ':1'}, {addr: '[::1]:80'}],"
                " http: [{uri: 'https://a:1/b?c', headers: {A: [b]}}]}\n"
                "http: {debug: {addr: ':5001', prometheus: {enabled: true, path: /m}}}"
            ),
            [],
        )

    def test_bad(self) -> None:
        self.assertEqual(
            self.problems(
                "health: {file: [{interval: 1s}], tcp: [{addr: a}, {addr: 'a:70000'}, {}],"
                " http: [{uri: a}, {uri: 'ftp://a'}, {uri: 'http://a b'}, {}, {uri: 'http://a', headers: {A: [é]}}]}\n"
                "http: {debug: {prometheus: {path: m}}}"
            ),
            [
                "http.debug.prometheus.path",
                "health.file[0].file",
                "health.tcp[0].addr",
                "health.tcp[1].addr",
                "health.tcp[2].addr",
                "health.http[0].uri",
                "health.http[1].uri",
                "health.http[2].uri",
                "health.http[3].uri",
                "health.http[4].headers.A",
            ],
        )
