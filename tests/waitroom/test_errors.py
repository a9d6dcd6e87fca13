"""Errors carry what a page or a problem document needs, and say it in a sentence."""

import pytest

from waitroom import errors

TEXTS = {
    errors.IdentityNeeded(): "this room asks you to sign in at the shop first",
    errors.NotJoinable("closed"): "no tickets are issued while the room is closed",
    errors.NotOpen("paused"): "nobody enters while the room is paused",
    errors.NotCalled(7): "not called yet: 7 places come first",
    errors.Spent(): "this ticket is spent; join again for a new place at the end of the line",
    errors.OneVisitOnly(): "this room lets everyone in once, and your visit is over",
    errors.WorkNeeded("missing", "/waitroom/mi/challenge"): (
        "against programs, this room asks every browser for a little work before it joins, and here it is missing: "
        "get /waitroom/mi/challenge?for=<SHA-256 of your entropy>, solve it, and join again with it as work and with "
        "the same entropy; the waiting page does so by itself, and without JavaScript it waits instead"
    ),
    errors.TooManyJoins(7): (
        "many are joining from your network at once, and this room lets in only so many of them in a minute; "
        "ask again in 7 seconds, nothing else is needed"
    ),
    errors.TokenInvalid("pass"): "the pass is not valid: not signed by this waiting room",
    errors.TokenExpired("pass", 5): "the pass is not valid: its time is up",
}


@pytest.mark.parametrize("error", TEXTS, ids=lambda error: type(error).__name__)
def test_an_error_says_what_is_wrong(error: errors.WaitroomError) -> None:
    """One sentence, which the shopper may read."""
    assert str(error) == TEXTS[error]


def test_every_error_is_one_of_ours() -> None:
    """One base for all, and one for what a shopper is refused."""
    ladder = [each for each in vars(errors).values() if isinstance(each, type)]
    assert all(issubclass(each, errors.WaitroomError) for each in ladder)
    assert {each for each in ladder if issubclass(each, errors.Refused)} == {
        errors.Refused,
        errors.IdentityNeeded,
        errors.NotJoinable,
        errors.NotOpen,
        errors.NotCalled,
        errors.Spent,
        errors.Moved,
        errors.LinkUsed,
        errors.OtherAccount,
        errors.InShop,
        errors.VisitOver,
        errors.NoMoreTime,
        errors.OneVisitOnly,
        errors.WorkNeeded,
        errors.TooManyJoins,
    }
