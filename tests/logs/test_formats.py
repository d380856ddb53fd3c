"""Tests of :mod:`dregistry.logs`: from events to lines."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dregistry import __version__
from dregistry.logs import Logs, LogSettings

NOW = 1795528800.123456
TIME = "2026-11-24T14:00:00.123456Z"
OURS = f"instance.id=i version={__version__}"
ANYTHING = st.text(alphabet=st.characters(codec=None, exclude_categories=()))


class Lines(list[str]):
    def write(self, line: str) -> None:
        self.append(line)


class LogsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines = Lines()

    def logs(self, **settings: Any) -> Logs:
        return Logs(LogSettings(**settings), self.lines, "i")

    def line(self, text: str = "hello", level: LogLevel = LogLevel.info, logs: Logs | None = None, **event: Any) -> str:
        found = {"log_level": level, "log_time": NOW, "log_format": "{text}", "text": text, **event}
        (logs or self.logs())(found)
        return self.lines.pop()

    def json(self, formatter: str = "json", **event: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line(logs=self.logs(formatter=formatter), **event))
        return found


class TextTests(LogsCase):
    """As logrus writes to what is no terminal."""

    def test_observer(self) -> None:
        verifyObject(ILogObserver, self.logs())

    def test_fields(self) -> None:
        line = self.line("it's there", fields={"vars.name": "a/b", "http.request.host": "h:5000", "z": 3, "b": True})
        self.assertEqual(
            line,
            f'time="{TIME}" level=info msg="it\'s there" b=true http.request.host="h:5000" instance.id=i '
            f"vars.name=a/b version={__version__} z=3",
        )

    def test_bare(self) -> None:
        """What logrus does not quote."""
        for text in ("hello", "a-b._/@^+1", ""):
            self.assertEqual(self.line(text), f'time="{TIME}" level=info msg={text} {OURS}')

    def test_quoted(self) -> None:
        for text, quoted in (
            ("a b", "a b"),
            ('a"b\\', 'a\\"b\\\\'),
            ("a\nb\tc\x00", "a\\nb\\tc\\u0000"),
            ("ä=", "ä="),
            ("a\u2028\u202e\x9b", "a\\u2028\\u202e\\u009b"),
            ("\udc80", "\\udc80"),
        ):
            self.assertEqual(self.line(text), f'time="{TIME}" level=info msg="{quoted}" {OURS}')

    @given(ANYTHING, ANYTHING)
    def test_one_line(self, text: str, value: str) -> None:
        line = self.line(text, fields={"f": value})
        self.assertEqual(len(line.splitlines()), 1)
        self.assertTrue(line.isprintable(), repr(line))
        line.encode("utf-8", "strict")

    def test_configured_fields(self) -> None:
        logs = self.logs(fields={"service": "r", "level": "x", "nested": {"a": [1, None]}})
        self.assertEqual(
            self.line(logs=logs),
            f'time="{TIME}" level=info msg=hello fields.level=x instance.id=i nested="{{\\"a\\":[1,null]}}" '
            f"service=r version={__version__}",
        )

    def test_failure(self) -> None:
        """In one line, with its traceback."""
        line = self.line("oops", LogLevel.critical, log_failure=Failure(KeyError("x")))
        self.assertTrue(line.startswith(f'time="{TIME}" level=error msg=oops error="KeyError: \'x\'" '), line)
        self.assertIn(' stack="Traceback', line)

    def test_legacy(self) -> None:
        self.logs()({"message": ("a", "b"), "isError": 0, "log_time": NOW, "time": NOW, "system": "-"})
        self.assertIn(" level=info ", self.lines.pop())


class LevelTests(LogsCase):
    LEVELS = (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)

    def written(self, logs: Logs) -> list[str]:
        for level in self.LEVELS:
            logs({"log_level": level, "log_time": NOW, "log_format": "x"})
        found = [line.split(" level=")[1].split()[0] for line in self.lines]
        self.lines.clear()
        return found

    def test_each(self) -> None:
        names = ["debug", "info", "warning", "error", "error"]
        for count, level in enumerate(("debug", "info", "warn", "error")):
            self.assertEqual(self.written(self.logs(level=level)), names[count:])

    def test_changed(self) -> None:
        logs = self.logs(level="error")
        logs.go_by(LogSettings(level="debug", fields={"a": "b"}))
        self.assertEqual(len(self.written(logs)), 5)
        self.assertIn(" a=b ", self.line(logs=logs))


class JSONTests(LogsCase):
    def test_json(self) -> None:
        line = self.line("ä <b>", LogLevel.warn, self.logs(formatter="json"), fields={"n": 1})
        self.assertEqual(
            line,
            f'{{"instance.id":"i","level":"warning","msg":"ä <b>","n":1,"time":"{TIME}","version":"{__version__}"}}',
        )

    def test_logstash(self) -> None:
        self.assertEqual(
            self.json("logstash", fields={"message": "other"}),
            {
                "@timestamp": TIME,
                "@version": "1",
                "instance.id": "i",
                "level": "info",
                "message": "hello",
                "version": __version__,
            },
        )

    def test_clashes(self) -> None:
        found = self.json(fields={"msg": "other", "time": 1, "level": 2})
        self.assertEqual((found["msg"], found["fields.msg"], found["fields.time"]), ("hello", "other", 1))

    @given(ANYTHING, st.dictionaries(ANYTHING, ANYTHING))
    def test_anything(self, text: str, fields: dict[str, str]) -> None:
        for formatter in ("json", "logstash"):
            line = self.line(text, logs=self.logs(formatter=formatter), fields=fields)
            self.assertEqual(len(line.splitlines()), 1)
            self.assertEqual(json.loads(line)["level"], "info")


class CallerTests(LogsCase):
    def test_caller(self) -> None:
        log = Logger(observer=self.logs(report_caller=True, formatter="json"))
        log.info("x")
        found = json.loads(self.lines.pop())
        self.assertEqual(found["func"], f"{__name__}.CallerTests.test_caller")
        self.assertRegex(found["file"], re.escape(__file__) + r":\d+$")

    def test_nobody_asks(self) -> None:
        self.assertNotIn("func", self.json())


class SecretTests(LogsCase):
    def test_masked(self) -> None:
        for text, shown in (
            ("GET /v2/?_state=abc&n=1 failed", "GET /v2/?_state=*&n=1 failed"),
            ("https://u:p@host/x", "https://*@host/x"),
            ("Authorization: Basic YWxpY2U6eA==", "Authorization: Basic *"),
            ("bearer eyJhbGciOi.J9.x", "bearer *"),
            ('Basic realm="r"', 'Basic realm="r"'),
            ("refresh_token=x", "refresh_token=x"),
            ("?a=b&refresh_token=x'", "?a=b&refresh_token=*'"),
            ("nothing of it", "nothing of it"),
        ):
            found = self.json(text=text, fields={"f": text}, log_failure=Failure(ValueError(text)))
            self.assertEqual((found["msg"], found["f"], found["error"]), (shown, shown, f"ValueError: {shown}"))
