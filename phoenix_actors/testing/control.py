"""The control routes: HTTP under /control, for tests outside the server's process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from phoenix_actors.testing.http_messages import HttpResponse
from phoenix_actors.testing.options import seconds
from phoenix_actors.testing.query import decode_query
from phoenix_actors.testing.wire import Unencodable

if TYPE_CHECKING:
    from phoenix_actors.testing.endpoint import Endpoint
    from phoenix_actors.testing.http_messages import HttpRequest

__all__ = ["NOT_FOUND", "answer"]

NOT_FOUND = HttpResponse.text(404, "not found")


def answer(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    """Carries out a control request; a wrong one is answered with 400 and what is wrong."""
    try:
        match request.method:
            case "GET":
                return _get(request, endpoint)
            case "POST":
                return _post(request.path, _body(request), endpoint)
            case _:
                return NOT_FOUND
    except ValueError as error:
        return HttpResponse.json({"error": str(error)}, 400)


def _get(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    match request.path:
        case "/control/stats":
            return HttpResponse.json(endpoint.stats())
        case "/control/dump":
            topic = _word(decode_query(request.query), "topic")
            try:
                return HttpResponse.json({"items": endpoint.dump(topic)})
            except TypeError as error:
                raise ValueError("the topic recorded bytes, which JSON cannot hold") from error
        case _:
            return NOT_FOUND


def _post(path: str, body: dict[str, Any], endpoint: Endpoint) -> HttpResponse:
    match path:
        case "/control/kill_sockets":
            return HttpResponse.json({"killed": endpoint.kill_sockets()})
        case "/control/kill_channels":
            topic = _word(body, "topic") if body.get("topic") is not None else None
            return HttpResponse.json({"killed": endpoint.kill_channels(topic)})
        case "/control/freeze":
            duration = seconds(body.get("ms", ""), "ms") / 1000
            return HttpResponse.json({"frozen": endpoint.freeze(duration)})
        case "/control/broadcast":
            try:
                endpoint.broadcast(
                    _word(body, "topic"), _word(body, "event"), body.get("payload", {})
                )
            except Unencodable as error:
                raise ValueError(str(error)) from error
        case "/control/disconnect":
            endpoint.disconnect(_word(body, "user_id"))
        case "/control/reset":
            endpoint.reset()
        case _:
            return NOT_FOUND
    return HttpResponse.json({"ok": True})


def _body(request: HttpRequest) -> dict[str, Any]:
    if not request.body:
        return {}
    kind = (request.header("content-type") or "").partition(";")[0].strip()
    if kind != "application/json":
        raise ValueError("send the body as JSON, with content-type: application/json")
    value = json.loads(request.body)
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")
    return value


def _word(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or is not a string")
    return value
