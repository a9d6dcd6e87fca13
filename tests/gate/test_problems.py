"""Every error has one answer, and all answers look alike."""

import re
from html import escape

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from structlog.testing import capture_logs

from gate import problems
from gate.problems import PROBLEMS, BadRequest, NoPass
from gate.proxy import UpstreamRefused, UpstreamTimeout
from tests.gate.front import HTML, Answer, Front
from waitroom import errors


def answered(error: Exception, **headers: str) -> Answer:
    """What this error is answered with."""
    request = make_mocked_request("GET", "/", CIMultiDict(headers))
    response = problems.answer(request, error)
    assert isinstance(response.body, bytes)
    return Answer(response.status, response.headers.copy(), response.body)  # type: ignore[arg-type]


def test_the_table_is_in_order() -> None:
    """Slugs are lower case; no error is hidden by one of its own kind before it; none stands twice."""
    kinds = list(PROBLEMS)
    for index, kind in enumerate(kinds):
        assert not [before for before in kinds[:index] if issubclass(kind, before)]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.slug) for problem in PROBLEMS.values())
    assert len({problem.slug for problem in PROBLEMS.values()}) == len(PROBLEMS)


def test_every_refusal_has_an_answer_of_its_own() -> None:
    """No refusal of the waiting room becomes a fault."""
    told = {errors.Refused, errors.TokenInvalid, errors.StoreAway, errors.Conflict}
    kinds = {kind for each in told for kind in (each, *each.__subclasses__())} - {errors.Refused}
    for kind in kinds:
        assert any(issubclass(kind, known) for known in PROBLEMS), kind


@pytest.mark.parametrize(
    "error,expected,fields",
    [
        (BadRequest("say it so"), (400, "bad-request"), {"detail": "say it so"}),
        (errors.TokenExpired("pass", 5), (401, "token-expired"), {"purpose": "pass", "expired_at": 5}),
        (errors.TokenInvalid("ticket"), (401, "token-invalid"), {"purpose": "ticket"}),
        (errors.NotCalled(3), (425, "not-called"), {"ahead": 3}),
        (errors.NotOpen("paused"), (409, "not-open"), {"phase": "paused"}),
        (errors.NotJoinable("closed"), (409, "no-tickets"), {"phase": "closed"}),
        (errors.Conflict("too late"), (409, "conflict"), {"detail": "too late"}),
        (NoPass("/waitroom/a"), (429, "waiting-room"), {"waiting_room": "/waitroom/a"}),
        (UpstreamTimeout(), (504, "shop-timeout"), {}),
        (web.HTTPNotFound(text="not here"), (404, "not-found"), {"detail": "not here"}),
        (web.HTTPForbidden(text=""), (403, "forbidden"), {}),
    ],
)
def test_an_error_is_told_with_its_fields(
    error: Exception, expected: tuple[int, str], fields: dict[str, object]
) -> None:
    """The document names its type and carries what a page needs."""
    answer = answered(error)
    assert answer.problem == expected
    assert answer.document.items() >= fields.items()


def test_a_method_that_is_not_allowed_hears_which_are() -> None:
    """The header that HTTP asks for comes along."""
    answer = answered(web.HTTPMethodNotAllowed("PUT", {"GET", "HEAD"}))
    assert answer.problem == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET,HEAD"


def test_a_fault_tells_no_secrets_and_is_logged() -> None:
    """What nobody expected is 500, and its text stays within."""
    with capture_logs() as logs:
        answer = answered(ZeroDivisionError("a secret"))
    assert answer.problem == (500, "fault")
    assert "secret" not in answer.text
    assert [(log["event"], str(log["exc_info"])) for log in logs] == [("fault", "a secret")]


@pytest.mark.parametrize(
    "error, language, wanted",
    [
        (
            web.HTTPNotFound(text="there is nothing at this address"),
            "de",
            "Unter dieser Adresse gibt es nichts",
        ),
        (
            web.HTTPNotFound(text="there is nothing at this address"),
            "fr",
            "Il n\u2019y a rien à cette adresse",
        ),
        (BadRequest("say <it> so"), "de", "Das hat nicht geklappt"),
        (errors.StoreAway("gone"), "fr", "Cela n\u2019a pas fonctionné"),
        (ZeroDivisionError("a secret"), "en", "That did not work"),
    ],
)
def test_a_person_reads_what_is_wrong_in_their_language(error: Exception, language: str, wanted: str) -> None:
    """With a way back; what a programmer may want to know stands below, as it stands in the document."""
    page = answered(error, Accept=HTML["Accept"], **{"Accept-Language": language})
    document = answered(error)
    assert page.status == document.status
    assert f"<h1>{wanted}</h1>" in page.text
    assert '<a href="/">' in page.text
    assert page.headers.get("Retry-After") == document.headers.get("Retry-After")
    assert page.headers["Cache-Control"] == "no-store"
    is_said = document.document["detail"] == "there is nothing at this address"
    assert (escape(document.document["detail"]) in page.text) != is_said


def test_the_shops_trouble_is_a_page_for_browsers_alone() -> None:
    """A person reads that the place is safe; a script reads a document."""
    page = answered(UpstreamRefused(), Accept=HTML["Accept"])
    assert (page.status, page.headers["Retry-After"]) == (502, "5")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Your place and your visit are safe" in page.text
    assert answered(UpstreamRefused(), Accept="*/*").problem == (502, "shop-unreachable")


async def test_a_fault_in_a_handler_costs_one_request(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is answered as ever."""
    shopper = await front.in_line()
    monkeypatch.setattr(front.room.waiting, "position", lambda _: 1 / 0)
    with capture_logs():
        assert (await shopper.stand()).problem == (500, "fault")
    monkeypatch.undo()
    assert (await shopper.stand()).status == 200
