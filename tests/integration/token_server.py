"""
A token server as one runs beside a registry: not dregistry's own, and none that knows of the registry's policy.
"""

from __future__ import annotations

import json
import os
import threading
import time
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

SERVICE = "registry.example"
ISSUER = "issuer.example"


class TokenServer:
    """
    As a context manager: running inside. Whoever has a password gets what they ask for.

    :param folder: for the file with its public key.
    :param users: passwords by name.
    :param open_to_all: whether those without a password get to pull.
    """

    def __init__(self, folder: str, users: dict[str, str], open_to_all: bool = True) -> None:
        self._open = open_to_all
        self._key = generate_private_key(SECP256R1())
        self._users = users
        self.jwks = os.path.join(folder, "jwks.json")
        with open(self.jwks, "w", encoding="ascii") as file:
            json.dump({"keys": [{**ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "one"}]}, file)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def token(self, subject: str, *access: dict[str, Any], **changed: Any) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": subject, "nbf": now, "iat": now, "exp": now + 300}
        return jwt.encode({**claims, "access": access, **changed}, self._key, "ES256", {"kid": "one"})

    def answer(self, authorization: str | None, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        user = ""
        if authorization is not None:
            user, _, password = b64decode(authorization.partition(" ")[2]).decode().partition(":")
            if user and self._users.get(user) != password:
                return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}
        if not user and not self._open:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "password needed"}]}
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            type_, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [action for action in actions.split(",") if user or action == "pull"]
            access.append({"type": type_, "name": name, "actions": granted})
        return 200, {"token": self.token(user, *access), "expires_in": 300}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = answer(self.headers["Authorization"], parse_qs(urlsplit(self.path).query))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                """OAuth2 is not spoken here; clients go on with GET then."""
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.send_error(404)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
