"""``docs/openapi.yaml`` is the truth: it knows every address, and the running gate answers as it says."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml  # type: ignore[import-untyped]
from aiohttp import web
from hypothesis import HealthCheck, settings
from redis import Redis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gate.app import build_public_app
from gate.operator.app import build_operator_app
from gate.problems import PROBLEMS, TYPES
from tests.conftest import NOON, ROOM
from tests.gate.front import BASE, Front, open_front, pass_of, serve, token_of
from waitroom.clock import ManualClock
from waitroom.tickets import Operator

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PARTS = {"room": ROOM, "face": "waiting", "number": "0"}
METHODS = {"get", "post", "put", "patch", "delete"}

schema = schemathesis.openapi.from_dict(DOCUMENT)
few = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Running:
    """A gate in a thread of its own, for a client that waits for answers."""

    public: str
    operator: str
    tokens: str
    session: str


@pytest.fixture(scope="module")
def running(store_url: str) -> Iterator[Running]:
    """Both listeners, with somebody in the shop and an operator at work."""
    with Redis.from_url(store_url) as redis:
        redis.flushall()
    ready: list[Running] = []
    opened, over = threading.Event(), threading.Event()

    async def run() -> None:
        async with AsyncExitStack() as closing:
            front = await closing.enter_async_context(open_front(store_url, ManualClock(NOON)))
            operator = await serve(build_operator_app(front.gate), closing)
            visitor = await front.in_shop()
            session = front.tokens.sign_operator(Operator("session", "QW5uYQ", NOON + 1_000_000))
            tokens = f"Waitroom {token_of(visitor)}, {pass_of(visitor)}"
            ready.append(Running(front.url, operator, tokens, f"Bearer {session}"))
            opened.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert opened.wait(30)
    yield ready[0]
    over.set()
    thread.join()


@schema.include(path_regex="^/waitroom/").parametrize()
@few
def test_the_public_addresses_answer_as_documented(case: schemathesis.Case[Any], running: Running) -> None:
    """Whatever is sent, with tokens and without: no fault, and an answer that the document knows."""
    case.path_parameters = case.path_parameters | {"room": ROOM}
    for headers in ({}, {"Authorization": running.tokens}):
        case.call_and_validate(base_url=running.public, headers=headers, checks=CHECKS, allow_redirects=False)


@schema.exclude(path_regex="^/waitroom/").parametrize()
@few
def test_the_operators_addresses_answer_as_documented(case: schemathesis.Case[Any], running: Running) -> None:
    """With a session and without."""
    if case.path_parameters:
        case.path_parameters = {name: PARTS[name] for name in case.path_parameters}
    # A service that is not ready says so by a status of 500 and more, and is right.
    checks = CHECKS[1:] if case.path == "/readyz" else CHECKS
    for headers in ({}, {"Authorization": running.session}):
        case.call_and_validate(
            base_url=running.operator, headers=headers, checks=checks, allow_redirects=False
        )


def _documented(operator: bool) -> set[tuple[str, str]]:  # noqa: FBT001 - which of two listeners
    return {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        if ("servers" in item) is operator
        for method in item.keys() & METHODS
    }


async def _served(app: web.Application, url: str, front: Front) -> set[tuple[str, str]]:
    """Every address of an application with the methods it takes, as it says itself."""
    found = set()
    for resource in app.router.resources():
        path = resource.canonical
        if "{path" in path or "{face}/" in path or not list(resource):
            continue  # what a preview's page asks for is the public document of a made-up room
        if isinstance(resource, web.StaticResource):
            continue
        asked = url + path.format_map(PARTS)
        async with front.session.request("OPTIONS", asked) as answer:
            allowed = answer.headers["Allow"].split(",")
        found |= {(path.replace(BASE, "/waitroom/{room}"), method) for method in allowed if method != "HEAD"}
    return found


async def test_every_address_is_documented_and_every_documented_one_is_there(front: Front) -> None:
    """Paths and methods of both listeners, in both directions."""
    async with AsyncExitStack() as closing:
        app = build_operator_app(front.gate)
        url = await serve(app, closing)
        assert await _served(app, url, front) == _documented(operator=True)
    assert await _served(build_public_app(front.gate), front.url, front) == _documented(operator=False)


def test_every_type_of_problem_is_documented() -> None:
    """The list in the document is the table in the code."""
    slugs = {problem.slug for problem in PROBLEMS.values()} | {"fault"}
    assert set(SCHEMAS["Problem"]["properties"]["type"]["enum"]) == {TYPES + slug for slug in slugs}


@pytest.mark.parametrize("name", [name for name, each in SCHEMAS.items() if each.get("type") == "object"])
def test_every_object_has_an_example_that_fits(name: str) -> None:
    """Examples are checked against their schema, so that they stay true."""
    root = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(root).validate(SCHEMAS[name]["example"])


def test_the_document_is_an_openapi_document() -> None:
    """It loads, every operation has a name of its own and a summary, and nothing is declared in vain."""
    operations = [item[method] for item in DOCUMENT["paths"].values() for method in item.keys() & METHODS]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["tags"] for operation in operations)
    text = str(DOCUMENT)
    for kind in ("schemas", "responses", "parameters", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in text, name
