"""The gate behind a real nginx that ends https and keeps the state for a second, as in the field."""

import asyncio
import getpass
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import BASE, HOST, Process, WholeSale, free_ports
from tests.whole_sale.shoppers import now_ms

SITE = "shop.example"
CONFIG = """
user {user};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=state:1m;
    upstream gate {{ server {gate}; keepalive 16; }}
    server {{
        listen {host}:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto https;
        location / {{ proxy_pass http://gate; }}
        location ~ ^/waitroom/[^/]+/state$ {{
            proxy_pass http://gate;
            proxy_cache state;
            proxy_cache_lock on;
            proxy_cache_use_stale updating;
        }}
    }}
}}
"""


def _nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail("nginx must be installed where CI runs")
    pytest.skip("no nginx on this machine")


@asynccontextmanager
async def _front(sale: WholeSale, folder: Path) -> AsyncIterator[str]:
    """An nginx in front of the sale's gate; gives its address."""
    (port,) = free_ports(1)
    config = folder / "nginx.conf"
    gate = sale.url.removeprefix("http://")
    config.write_text(CONFIG.format(user=getpass.getuser(), folder=folder, gate=gate, host=HOST, port=port))
    url = f"http://{HOST}:{port}"
    nginx = Process([_nginx(), "-c", str(config)], sale.environ, folder / "said.log", f"{url}{BASE}/state")
    try:
        await nginx.start(sale.session)
        yield url
    finally:
        nginx.tell(signal.SIGTERM)
        assert await nginx.ended() == 0


TRUSTING = {"WAITROOM_TRUSTED_PROXIES": f"{HOST}/32"}


async def test_cookies_of_gate_and_shop_are_secure_behind_https(begin: Begin, tmp_path: Path) -> None:
    """What nginx says of scheme and host reaches gate and shop: a form of this site is taken, cookies are Secure."""
    sale = await begin(shop=True, environ=TRUSTING, identity=True)
    async with _front(sale, tmp_path) as url:
        headers = {"Host": SITE, "Origin": f"https://{SITE}", "Accept": "application/json"}
        account = {"email": "ann@example.org", "password": "correct horse battery"}
        assert (await _post(sale, f"{url}/account/register", headers, account)).status == 202
        signed_in = await _post(sale, f"{url}/account/sign-in", headers, account)
        assert signed_in.status == 200
        cookies = [signed_in.cookies, (await _join(sale, url, headers, signed_in)).cookies]
        given = {name: cookie for each in cookies for name, cookie in each.items()}
        assert {"waitroom_identity", "waitroom_ticket_mi-launch"} <= set(given)
        assert all(cookie["secure"] for cookie in given.values())
        plain = await _join(sale, sale.url, headers, signed_in)
        assert not plain.cookies["waitroom_ticket_mi-launch"]["secure"]


async def test_many_polls_cost_the_gate_one_a_second(begin: Begin, tmp_path: Path) -> None:
    """The state comes from the cache of nginx, seconds old at most; tickets are never kept there."""
    sale = await begin(environ=TRUSTING)
    async with _front(sale, tmp_path) as url:
        before, started = await _asked_for_state(sale), time.monotonic()
        polls, seen = 0, set[int]()
        while len(seen) < 3:
            states = await asyncio.gather(*(_poll(sale, url) for _ in range(50)))
            assert all(now_ms() - state["now"] < 5_000 for state in states)
            seen |= {state["now"] for state in states}
            polls += len(states)
        took = time.monotonic() - started
        assert polls >= 100
        assert await _asked_for_state(sale) - before <= took + 2
        tickets = [await _post(sale, f"{url}{BASE}/ticket", {}, {"entropy": f"{n:064x}"}) for n in range(2)]
        assert [(await ticket.json())["number"] for ticket in tickets] == [0, 1]


async def _poll(sale: WholeSale, url: str) -> dict[str, int]:
    async with sale.session.get(f"{url}{BASE}/state") as answer:
        assert answer.status == 200
        document: dict[str, int] = await answer.json()
        return document


async def _join(
    sale: WholeSale, url: str, headers: dict[str, str], signed_in: aiohttp.ClientResponse
) -> aiohttp.ClientResponse:
    identity = signed_in.cookies["waitroom_identity"].value
    headers = {**headers, "Cookie": f"waitroom_identity={identity}"}
    joined = await _post(sale, f"{url}{BASE}/ticket", headers, {"entropy": "ab" * 32})
    assert joined.status in {200, 201}
    return joined


async def _post(
    sale: WholeSale, address: str, headers: dict[str, str], document: object
) -> aiohttp.ClientResponse:
    async with sale.session.post(address, json=document, headers=headers) as answer:
        await answer.read()
        return answer


async def _asked_for_state(sale: WholeSale) -> float:
    """How often the gate itself was asked for the state."""
    async with sale.session.get(f"{sale.gates[0].operator_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("gate_requests_total{") and 'route="state"' in line
    )
