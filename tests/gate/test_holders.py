"""What the holder of a ticket may ask beyond waiting and knocking: to come later."""

from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, Answer, Shopper


async def put_off(shopper: Shopper) -> Answer:
    """Not now."""
    return await shopper.send("POST", f"{BASE}/ticket/defer")


def ticket_of(shopper: Shopper) -> dict[str, str]:
    """The cookie that holds a shopper's ticket."""
    return {name: value for name, value in shopper.cookies.items() if "ticket" in name}


# ---- Not now


async def test_whoever_lets_others_by_keeps_the_place(front_with: OpenFront) -> None:
    """204, as often as it is asked; the ticket stays called, and knocks when its holder likes."""
    front = await front_with(capacity=1)
    first, shopper = await front.in_shop(), await front.in_line()
    await front.later(1000)
    assert (await shopper.knock()).status == 202
    for _ in range(2):
        answer = await put_off(shopper)
        assert (answer.status, answer.headers["Cache-Control"], answer.body) == (204, "no-store", b"")
    await first.send("DELETE", f"{BASE}/pass")
    await front.later(60_000)
    standing = (await shopper.stand()).document
    assert (standing["place"], standing["called"], standing["next"]) == (1, True, "knock")
    assert (await shopper.knock()).status == 201


async def test_what_cannot_be_put_off_is_told_as_it_is(front_with: OpenFront) -> None:
    """425 before the turn; 409 in the shop and after it; 401 without a ticket."""
    front = await front_with(capacity=1)
    inside = await front.in_shop()
    assert (await put_off(await front.in_line())).problem == (425, "not-called")
    assert (await put_off(inside)).problem == (409, "in-shop")
    assert (await put_off(front.shopper())).problem == (401, "token-invalid")
    await front.later(600_000)
    assert (await put_off(inside)).problem == (409, "spent")


async def test_nobody_puts_off_the_turn_of_another_account(front_with: OpenFront) -> None:
    """In a room with identities the ticket's own must ask."""
    front = await front_with(identity=True)
    anna = front.shopper("anna")
    await anna.join(1)
    await front.later(250)
    assert (await put_off(front.shopper("bert", **ticket_of(anna)))).problem == (401, "token-invalid")
    assert (await put_off(front.shopper(**ticket_of(anna)))).problem == (401, "sign-in-needed")
    assert (await put_off(anna)).status == 204
