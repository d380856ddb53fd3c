"""
``dregistry events``: what happens in a registry, as it answers at ``/v2/_dregistry/events``.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_PATIENCE = 60.0
"""Seconds without a byte, heartbeats included, after which a stream is taken for dead."""
_RETRY = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://localhost:5000", help="the registry's URL (%(default)s)")
    parser.add_argument("--follow", "-f", action="store_true", help="show events as they come, until interrupted")
    parser.add_argument(
        "--after", metavar="CURSOR", help="begin after that event; 0 for the oldest (with --follow: from now on)"
    )
    parser.add_argument(
        "--number", "-n", type=int, default=100, help="without --follow, the most to show (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one event's JSON in a line")
    parser.add_argument("--user", metavar="NAME", help="who asks; DREGISTRY_PASSWORD has the password")
    parser.epilog = "DREGISTRY_TOKEN has a bearer token, if the registry wants one."


def run(arguments: argparse.Namespace) -> int:
    show = _show_json if arguments.json else _show
    try:
        if arguments.follow:
            _follow(arguments, show)
        else:
            _page(arguments, show)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except HTTPError as error:
        sys.stderr.write(f"dregistry events: {_explain(error)}\n")
        return 1
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"dregistry events: {error}\n")
        return 1
    return 0


def _page(arguments: argparse.Namespace, show: Any) -> None:
    query = {"n": arguments.number, **({} if arguments.after is None else {"after": arguments.after})}
    with _open(arguments, query, {}) as answer:
        page = json.load(answer)
    if page["skipped"]:
        sys.stderr.write(f"{page['skipped']} earlier events are not kept any more\n")
    for event in page["events"]:
        show(event)
    sys.stderr.write(f"go on with --after {page['cursor']}\n")


def _follow(arguments: argparse.Namespace, show: Any) -> None:
    """A stream that breaks off is taken up where it was; the first must come about."""
    cursor = arguments.after
    begun = False
    while True:
        try:
            with _open(arguments, {}, _stream_headers(cursor)) as answer:
                begun = True
                for name, number, data in messages(answer):
                    cursor = number or cursor
                    if name == "skipped":
                        sys.stderr.write(f"{data['skipped']} events are not kept any more\n")
                    else:
                        show(data)
        except (OSError, http.client.HTTPException) as error:
            if not begun or (isinstance(error, HTTPError) and error.code < 500):
                raise
        time.sleep(_RETRY)


def _stream_headers(cursor: str | None) -> dict[str, str]:
    return {"Accept": "text/event-stream", **({} if cursor is None else {"Last-Event-ID": cursor})}


def messages(stream: BinaryIO) -> Iterator[tuple[str, str, Any]]:
    """Of an event stream: the name of each message, its id (empty without one) and its data."""
    fields: dict[str, str] = {}
    for line in stream:
        text = line.decode("utf-8").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])
            fields = {}


def _open(arguments: argparse.Namespace, query: dict[str, Any], headers: dict[str, str]) -> Any:
    url = f"{arguments.url.rstrip('/')}/v2/_dregistry/events"
    if not url.startswith(("http://", "https://")):
        raise ValueError("--url must be a whole URL, such as https://registry.example.com")
    return urlopen(  # noqa: S310  of those two schemes
        Request(f"{url}?{urlencode(query)}", headers={**headers, **_credentials(arguments)}),  # noqa: S310
        timeout=_PATIENCE,
    )


def _credentials(arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.user is not None:
        pair = f"{arguments.user}:{os.environ.get('DREGISTRY_PASSWORD', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")}
    token = os.environ.get("DREGISTRY_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _explain(error: HTTPError) -> str:
    try:
        [entry, *_] = json.load(error)["errors"]
        detail = f" ({entry['detail']})" if isinstance(entry.get("detail"), str) else ""
        return f"{error.code} {entry['message']}{detail}"
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


def _show_json(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), flush=True)  # noqa: T201


def _show(event: dict[str, Any]) -> None:
    target, request = event["target"], event["request"]
    what = target["repository"]
    what += f":{target['tag']}" if target.get("tag") else ""
    what += f"@{target['digest']}" if target.get("digest") else ""
    who = event["actor"].get("name") or "-"
    print(event["timestamp"], event["action"], what, who, request.get("addr", "-"), flush=True)  # noqa: T201
