"""What a room may ask of whoever joins."""

import pytest

from waitroom.friction import NO_FRICTION, FrictionSettings
from waitroom.settings import RoomSettings


def test_nothing_is_asked_by_default() -> None:
    """Neither work nor a limit."""
    assert RoomSettings().friction is NO_FRICTION
    assert not NO_FRICTION.asks


@pytest.mark.parametrize("asked", [{"work": 1}, {"joins_per_minute": 0.1}])
def test_each_is_asked_for_by_itself(asked: dict[str, float]) -> None:
    """Either is enough to ask for something; a burst or a wait alone asks for nothing."""
    assert FrictionSettings.model_validate(asked).asks
    assert not FrictionSettings(joins_burst=1, wait_seconds=1).asks
