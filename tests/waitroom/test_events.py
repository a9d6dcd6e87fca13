"""What happens is told to whoever observes."""

from dataclasses import FrozenInstanceError

import pytest

from waitroom.events import Event, Left, StoreBack, fan_out, ignore


def test_every_observer_is_told_in_order() -> None:
    """One event reaches all of them, the first first."""
    heard: list[tuple[str, Event]] = []
    observe = fan_out(
        lambda event: heard.append(("a", event)), ignore, lambda event: heard.append(("b", event))
    )
    event = Left("mi-launch", 7)
    observe(event)
    assert heard == [("a", event), ("b", event)]


def test_an_event_cannot_be_changed() -> None:
    """What has happened has happened."""
    event = Left("mi-launch", 7)
    with pytest.raises(FrozenInstanceError):
        event.place = 8  # type: ignore[misc]
    assert StoreBack() == StoreBack()
