"""What ``waitroom rehearse`` does."""

import random

import uvloop
from rich.console import Console

from waitroom.errors import BadSettings
from waitroom.rehearsal.crowd import Crowd
from waitroom.rehearsal.findings import counted
from waitroom.rehearsal.progress import Progress
from waitroom.rehearsal.report import report
from waitroom.rehearsal.verdict import judge
from waitroom.settings import Settings


def rehearse(
    settings: Settings,
    console: Console,
    *,
    shoppers: int,
    gate: str,
    room: str,
    seed: int | None,
    longest_s: float,
) -> bool:
    """Play a sale with so many shoppers and print the verdict; whether every promise was kept.

    Raises:
        WaitroomError: there is no sale to rehearse.
    """
    if room not in settings.rooms:
        raise BadSettings(f"--room {room}: the rooms in waitroom.toml are {', '.join(settings.rooms)}")
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - a play, no secret
    console.print(
        f"{counted(shoppers, 'shopper')} for the room {room} at {gate}, --seed {seed}", highlight=False
    )
    crowd = Crowd(gate.rstrip("/"), room, seed)
    with Progress(console, shoppers) as progress:
        evidence = uvloop.run(crowd.play(shoppers, progress, longest_s=longest_s))
    return report(console, evidence, judge(evidence))
