"""The recipes for a shop in another language do what they say: each is run as it stands in the docs."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from playwright._impl._driver import compute_driver_executable

from tests.conftest import NOON, SECRETS
from waitroom.tickets import Identity, Pass, Tokens

DOCS = (Path(__file__).parents[1] / "docs" / "shop.md").read_text()
TOKENS = Tokens(SECRETS)
GRANTED = Pass("mi-launch", 7, 9, NOON, NOON + 60_000, "mi-fan")

PROGRAMS = {  # what runs it, and what it runs: the recipe, and a call whose answer is printed as JSON
    "js": (
        compute_driver_executable()[0],  # the node that comes along with playwright
        """
        const [call, ...args] = JSON.parse(process.argv[2]);
        console.log(JSON.stringify({ read_pass: readPass, sign_identity: signIdentity }[call](...args)));
        """,
    ),
    "php": (
        "php",
        """
        $args = json_decode($argv[1]);
        echo json_encode(array_shift($args)(...$args));
        """,
    ),
}
ENDINGS = {"js": ".mjs", "php": ".php"}


@dataclass
class Shop:
    """A program with the recipe in it."""

    command: list[str]

    def ask(self, *call: object) -> object:
        """What a function of the recipe answers."""
        command = [*self.command, json.dumps(call)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        assert done.stderr == ""
        return json.loads(done.stdout)


@pytest.fixture(params=PROGRAMS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    """A shop in one of the languages."""
    recipe = re.search(rf"```{request.param}\n(.*?)```", DOCS, re.DOTALL)
    assert recipe
    interpreter, calling = PROGRAMS[request.param]
    program = tmp_path / f"shop{ENDINGS[request.param]}"
    program.write_text(recipe[1] + dedent(calling))
    return Shop([str(interpreter), str(program)])


def test_a_pass_is_read_with_any_of_the_secrets(shop: Shop) -> None:
    """Signed with the newest or with one from before the keys were changed."""
    for secrets in (SECRETS, SECRETS[:1]):
        token = Tokens(secrets).sign_pass(GRANTED)
        answer = shop.ask("read_pass", token, "mi-launch", SECRETS, NOON)
        assert answer == {"place": 7, "number": 9, "identity": "mi-fan"}


@pytest.mark.parametrize(
    "token, room, now",
    [
        (TOKENS.sign_pass(GRANTED), "tea", NOON),
        (TOKENS.sign_pass(GRANTED), "mi-launch", NOON - 1),
        (TOKENS.sign_pass(GRANTED), "mi-launch", NOON + 60_000),
        (TOKENS.sign_pass(GRANTED).replace(".7.", ".6."), "mi-launch", NOON),
        (Tokens(["a secret of somebody else's"]).sign_pass(GRANTED), "mi-launch", NOON),
        (TOKENS.sign_identity(Identity("mi-launch", NOON + 60_000)), "mi-launch", NOON),
        ("", "mi-launch", NOON),
        ("mi-launch.7.9.0.9999999999999.", "mi-launch", NOON),
    ],
)
def test_nothing_else_is_a_pass(shop: Shop, token: str, room: str, now: int) -> None:
    """Another room's, too early, over, edited, foreign, of another purpose, or no token at all."""
    assert shop.ask("read_pass", token, room, SECRETS, now) is None


def test_the_gate_knows_an_identity_that_the_recipe_has_signed(shop: Shop) -> None:
    """As if the shop that comes along had."""
    token = shop.ask("sign_identity", "customer-17", NOON + 60_000, SECRETS)
    assert TOKENS.read_identity(str(token), NOON) == Identity("customer-17", NOON + 60_000)
