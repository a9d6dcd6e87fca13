"""Names of keys."""

from waitroom.keys import Keys


def test_all_keys_of_a_room_share_one_slot_of_a_cluster() -> None:
    """The room's name in braces is the only hash tag, in keys that are all different."""
    keys = Keys("mi-launch")
    names = [*vars(keys).values(), keys.retry(b"\x00" * 32), keys.retry(b"\x01" * 32)]
    names.remove("waitroom:{mi-launch}:")
    assert all(name.startswith("waitroom:{mi-launch}:") for name in names)
    assert len(set(names)) == len(names) == 17


def test_rooms_have_no_key_in_common() -> None:
    """Not even where one room's name begins another's."""
    assert not set(vars(Keys("mi")).values()) & set(vars(Keys("mi-launch")).values())
