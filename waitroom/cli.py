"""The command ``waitroom``: run a sale, start its store, sign the operator in."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from honcho.printer import Printer  # type: ignore[import-untyped]
from rich.console import Console

from waitroom.clock import Clock
from waitroom.embedded import become_store, server_binary
from waitroom.errors import BadSettings, WaitroomError
from waitroom.preflight import check_ports, check_store
from waitroom.processes import Processes, Say, read_procfile
from waitroom.settings import Settings, load_secrets, load_settings
from waitroom.verify.command import verify as verify_sale
from waitroom.welcome import banner, check_operator, sign_in_link, wait_until_ready

PROCFILE = Path("Procfile")

app = typer.Typer(
    help="A virtual waiting room for flash sales.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold secrets
)


@app.command()
def run() -> None:
    """Start store, gate and shop, and say where they are; Ctrl-C stops them."""
    with _errors_in_one_line():
        settings = load_settings()
        processes = Processes(_commands(settings), _environ(), Printer(sys.stdout))
        check_store(settings)
        check_ports(settings)
        secrets = load_secrets(settings)

        def greet(say: Say, stopping: Event) -> None:
            if wait_until_ready(settings, say, stopping):
                console = Console(highlight=False, soft_wrap=True)
                with console.capture() as text:
                    console.print(banner(settings, secrets, Clock()))
                say(text.get())

        if wrong := processes.run(greet):
            raise WaitroomError(wrong)
        typer.echo(f"stopped; the data is in {settings.data}/")


@app.command()
def store() -> None:
    """Become the store that comes along: on STORE_PORT of this machine, with its data in WAITROOM_DATA."""
    with _errors_in_one_line():
        settings = load_settings()
        if settings.redis_url:
            raise BadSettings("REDIS_URL names the store to use, so none is started here")
        directory = settings.data / "store"
        server = server_binary().name
        typer.echo(f"{server} on port {settings.store_port}, data and log in {directory}")
        become_store(directory, port=settings.store_port)


@app.command()
def operator() -> None:
    """Print a fresh link that signs the operator in: good once, for ten minutes."""
    with _errors_in_one_line():
        settings = load_settings()
        check_operator(settings)
        typer.echo(sign_in_link(settings, load_secrets(settings), Clock()))


@app.command()
def rehearse(
    shoppers: Annotated[int, typer.Option(min=1, max=100_000, help="How many to play.")] = 1000,
    gate: Annotated[str, typer.Option(help="Address of the gate; this machine's if left out.")] = "",
    room: Annotated[str, typer.Option(help="The room; the first of the settings if left out.")] = "",
    seed: Annotated[int | None, typer.Option(help="Of all that is left to chance.")] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop so long after the opening, or the start if it is open.")
    ] = 3,
) -> None:
    """Play a whole sale against the system that runs, and judge it by what the shoppers saw."""
    from waitroom.rehearsal import command  # noqa: PLC0415 - the other commands need no HTTP client

    with _errors_in_one_line():
        settings = load_settings()
        kept = command.rehearse(
            settings,
            Console(),
            shoppers=shoppers,
            gate=gate or settings.address(settings.gate_port),
            room=room or next(iter(settings.rooms)),
            seed=seed,
            longest_s=60 * minutes,
        )
    if not kept:
        raise typer.Exit(1)


@app.command()
def verify(
    where: Annotated[str, typer.Argument(help="A gate's address, or a folder of downloaded documents.")],
    receipt: Annotated[Path | None, typer.Option(help="A shopper's receipt, as the page saves it.")] = None,
    room: Annotated[str, typer.Option(help="The room, where the address names none.")] = "mi-launch",
    download: Annotated[Path | None, typer.Option(help="Keep the documents in this folder.")] = None,
    places: Annotated[Path | None, typer.Option(help="Write everyone's place to this file.")] = None,
) -> None:
    """Check a sale from its public documents alone: the draw, the record, and a receipt."""
    with _errors_in_one_line():
        console = Console(highlight=False, soft_wrap=True)
        if not verify_sale(where, room, console, receipt=receipt, download=download, places=places):
            raise typer.Exit(1)


def _commands(settings: Settings) -> dict[str, str]:
    """The Procfile's commands, without those whose part somebody else plays."""
    elsewhere = {"store": settings.redis_url, "shop": settings.upstream}
    return {name: line for name, line in read_procfile(PROCFILE).items() if not elsewhere.get(name)}


def _environ() -> dict[str, str]:
    """Ours, in which ``python`` and ``waitroom`` are those that run now, and lines come unbuffered."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except WaitroomError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"waitroom: {error}", markup=False, style="red"
        )
        raise typer.Exit(2 if isinstance(error, BadSettings) else 1) from None
