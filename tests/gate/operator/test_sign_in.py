"""Signing in: links that are good once, sessions that end, and what other sites' pages may not do."""

import re
from collections.abc import Callable

import pytest
from redis import Redis

from gate.operator.session import SESSION_S
from tests.gate.operator.conftest import HTML, Answer, Desk
from waitroom.clock import ManualClock
from waitroom.tickets import Identity, Operator, Pass, Ticket


async def test_a_link_leads_to_a_session(desk: Desk, cookie_of: Callable[[Answer], str]) -> None:
    """The button of the sign-in page sets a strict cookie that opens the console."""
    page = await desk.send("GET", f"/sign-in?code={desk.link()}", headers=HTML)
    assert (page.status, desk.link() in page.text) == (200, True)
    answer = await desk.send("POST", "/sign-in", data={"code": desk.link(), "name": "Anna"})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    attributes = answer.headers["Set-Cookie"].split("; ")[1:]
    assert attributes == ["Path=/", f"Max-Age={SESSION_S}", "HttpOnly", "SameSite=Strict"]
    console = await desk.send("GET", "/", headers=HTML | {"Cookie": f"waitroom_operator={cookie_of(answer)}"})
    assert (console.status, "Mi Launch" in console.text) == (200, True)


async def test_looking_at_a_link_does_not_spend_it(desk: Desk) -> None:
    """A preview of the link, by whatever program, leaves it good."""
    for _ in range(3):
        assert (await desk.send("GET", f"/sign-in?code={desk.link()}")).status == 200
    assert (await desk.send("POST", "/sign-in", json={"code": desk.link()})).status == 200


async def test_a_link_signs_in_once(desk: Desk) -> None:
    """The second use of a link is refused, in words for people and as a problem for scripts."""
    assert (await desk.send("POST", "/sign-in", data={"code": desk.link()})).status == 303
    again = await desk.send("POST", "/sign-in", data={"code": desk.link()})
    assert (again.status, "This link was used before" in again.text) == (401, True)
    assert "Set-Cookie" not in again.headers
    shown = await desk.send("GET", f"/sign-in?code={desk.link()}")
    assert (shown.status, "This link was used before" in shown.text) == (401, True), "before a name is typed"
    script = await desk.send("POST", "/sign-in", json={"code": desk.link()})
    assert (script.status, script.document["type"]) == (401, "/waitroom/problems/token-invalid")


async def test_a_used_link_is_forgotten_when_it_would_have_expired(desk: Desk, redis: Redis) -> None:
    """What remembers a link's use goes away with the link, so the store does not fill up."""
    await desk.sign_in()
    seconds = redis.ttl("waitroom:operator:link-of-a-script")
    assert isinstance(seconds, int)
    assert 595 <= seconds <= 601


async def test_an_old_link_is_refused(desk: Desk, clock: ManualClock) -> None:
    """A link has a time of its own; the page says how to make another."""
    code = desk.link()
    clock.advance(600_000)
    for answer in (
        await desk.send("GET", f"/sign-in?code={code}"),
        await desk.send("POST", "/sign-in", data={"code": code}),
    ):
        assert (answer.status, "Your time is up" in answer.text) == (401, True)
        assert "waitroom operator" in answer.text


async def test_a_session_ends_after_twelve_hours(anna: Desk, clock: ManualClock) -> None:
    """From then on the API asks for a sign-in again."""
    clock.advance(SESSION_S * 1000 - 1)
    assert (await anna.send("GET", "/api/rooms")).status == 200
    clock.advance(1)
    answer = await anna.send("GET", "/api/rooms")
    assert (answer.status, answer.document["purpose"]) == (401, "operator")


@pytest.mark.parametrize(
    "kind", ["nothing", "noise", "link", "ticket", "pass", "identity", "edited", "foreign"]
)
async def test_only_a_session_opens_the_api(anna: Desk, kind: str) -> None:
    """Links, shoppers' tokens, edited tokens and those of another waiting room open nothing."""
    later = anna.gate.clock.now_ms() + 60_000
    tokens = anna.gate.tokens
    foreign = type(tokens)(["a secret of somebody else's"])
    anna.token = {
        "nothing": "",
        "noise": "x" * 50,
        "link": anna.link(),
        "ticket": tokens.sign_ticket(Ticket("mi-launch", 0, b"i" * 16)),
        "pass": tokens.sign_pass(Pass("mi-launch", 0, 0, 0, later)),
        "identity": tokens.sign_identity(Identity("session", later)),
        "edited": anna.token[:3] + "AAAA" + anna.token[7:],
        "foreign": foreign.sign_operator(Operator("session", "eve", later)),
    }[kind]
    for method, path in (
        ("GET", "/api/rooms"),
        ("POST", "/api/rooms/mi-launch/hold"),
        ("GET", "/api/rooms/x"),
    ):
        answer = await anna.send(method, path)
        assert (answer.status, answer.document["type"]) == (401, "/waitroom/problems/token-invalid")


async def test_a_browser_without_a_session_is_told_how_to_get_one(desk: Desk) -> None:
    """The console answers people with a page and scripts with a problem document."""
    page = await desk.send("GET", "/", headers=HTML)
    assert (page.status, "waitroom operator" in page.text) == (401, True)
    assert (await desk.send("GET", "/")).document["status"] == 401
    assert (await desk.send("GET", "/sign-in", headers=HTML)).status == 401


async def test_signing_out_forgets_the_cookie(anna: Desk) -> None:
    """The browser is told to drop its session."""
    answer = await anna.send("POST", "/sign-out")
    assert (answer.status, "Max-Age=0" in answer.headers["Set-Cookie"]) == (303, True)


async def test_behind_https_the_session_never_travels_in_the_clear(desk: Desk) -> None:
    """Where a trusted proxy says that it speaks https, the cookie is Secure, and the proxy's name is fine."""
    trusting = desk.gate.settings.model_validate(
        {**dict(desk.gate.settings), "trusted_proxies": ["127.0.0.1/32"]}
    )
    desk.gate.settings = trusting
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ops.example.org", "Host": "ops.example.org"}
    answer = await desk.send(
        "POST",
        "/sign-in",
        data={"code": desk.link()},
        headers=headers | {"Origin": "https://ops.example.org"},
    )
    assert (answer.status, answer.headers["Set-Cookie"].endswith("; Secure")) == (303, True)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "https://evil.example", "null"])
async def test_another_sites_page_changes_nothing(anna: Desk, origin: str) -> None:
    """A change that comes from a page of another origin is refused, even from the gate's own port next door."""
    hold = {"action": "close"}
    answer = await anna.send("POST", "/api/rooms/mi-launch/hold", json=hold, headers={"Origin": origin})
    assert (answer.status, (await anna.room())["phase"]) == (403, "open")


async def test_our_own_page_may_change_things(anna: Desk) -> None:
    """A change that comes from this listener's own page is done."""
    answer = await anna.send(
        "POST", "/api/rooms/mi-launch/hold", json={"action": "pause"}, headers={"Origin": anna.url}
    )
    assert (answer.status, answer.document["phase"]) == (200, "paused")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8001", "[", "localhost.evil.example", ""])
async def test_another_name_for_this_machine_is_refused(anna: Desk, host: str) -> None:
    """A listener for this machine alone answers to its own names, so that no other site's name can lead here."""
    assert (await anna.send("GET", "/api/rooms", headers={"Host": host})).status in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "localhost:8001", "[::1]:8001", "127.0.0.1", "ops.localhost"])
async def test_this_machine_has_several_names(anna: Desk, host: str) -> None:
    """Every name and address that always means this machine is fine."""
    assert (await anna.send("GET", "/api/rooms", headers={"Host": host})).status == 200


async def test_a_listener_for_a_network_answers_to_any_name(anna: Desk) -> None:
    """Where an operator has opened the listener to a network, its names are theirs; the sign-in guards it."""
    anna.gate.settings = anna.gate.settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 - not listened on
    assert (await anna.send("GET", "/metrics", headers={"Host": "gate.internal:8001"})).status == 200


async def test_a_link_of_another_waiting_room_is_not_called_used(desk: Desk) -> None:
    """Whoever opens a broken or foreign link is told that, on both steps of the sign-in."""
    code = desk.link()[:-3]
    for answer in (
        await desk.send("GET", f"/sign-in?code={code}"),
        await desk.send("POST", "/sign-in", data={"code": code}),
    ):
        assert (answer.status, "was not made by this waiting room" in answer.text) == (401, True)


@pytest.mark.parametrize(
    "name, shown",
    [
        ("Zoë M. Weber-李", "Zoë M. Weber-李"),
        ("", "operator"),
        ("Anna\r\n<b>\x1b[2J" + "x" * 100, "Anna b 2J" + "x" * 31),
    ],
)
async def test_a_name_is_one_line_of_letters(desk: Desk, name: str, shown: str) -> None:
    """What somebody wants to be called stands in the audit in their own letters, and cannot draw over it."""
    await desk.sign_in(name)
    await desk.send("POST", "/api/rooms/mi-launch/hold", json={"action": "pause"})
    by = (await desk.send("GET", "/api/rooms/mi-launch/audit")).document["entries"][0]["by"]
    assert re.fullmatch(re.escape(shown) + " [0-9a-f]{6}", by)
