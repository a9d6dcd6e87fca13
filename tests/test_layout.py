"""The project's shape: which way imports go, who may look at the clock, who may speak to the store."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("waitroom", "gate", "shop_backend")
LONGEST_FILE = 450
KINDS = {".py", ".lua", ".js", ".css", ".html"}

OF_THE_SHOP = {
    "waitroom.clock",
    "waitroom.errors",
    "waitroom.languages",
    "waitroom.settings",
    "waitroom.tickets",
}
PURE = ("room", "draw", "tree", "record", "pace", "forecast", "model", "model_holders", "trouble")
DOES_IO = {
    "aiohttp",
    "asyncio",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "redis",
    "secrets",
    "shutil",
    "socket",
    "sqlalchemy",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}


def sources(package: str) -> list[Path]:
    """The Python files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    """Everything a file imports, by its full name; ``from a import b`` is ``a.b``."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    """``a.b.c`` as written; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def top(name: str) -> str:
    """The package at the top of a name."""
    return name.partition(".")[0]


each_file = pytest.mark.parametrize(
    "file",
    [file for package in PACKAGES for file in sources(package)],
    ids=lambda file: str(file.relative_to(ROOT)),
)


@each_file
def test_imports_go_one_way(file: Path) -> None:
    """Gate → waitroom ← shop_backend; the gate and the shop never import each other."""
    package = file.relative_to(ROOT).parts[0]
    allowed = {package, "waitroom"}
    wrong = {name for name in imports(file) if top(name) in PACKAGES and top(name) not in allowed}
    assert not wrong


@pytest.mark.parametrize("file", sources("shop_backend"), ids=lambda file: file.name)
def test_the_shop_needs_little_of_the_waiting_room(file: Path) -> None:
    """What verifies passes, signs identities and reads settings; nothing that knows of the line."""
    used = {".".join(name.split(".")[:2]) for name in imports(file) if top(name) == "waitroom"}
    assert used <= OF_THE_SHOP


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_io(name: str) -> None:
    """Neither themselves nor through another module of the waiting room."""
    seen: set[str] = set()
    todo = {f"waitroom.{name}"}
    while todo:
        module = todo.pop()
        seen.add(module)
        for imported in imports(ROOT / (module.replace(".", "/") + ".py")):
            assert top(imported) not in DOES_IO, f"{module} imports {imported}"
            if top(imported) == "waitroom":
                parts = imported.split(".")
                one = imported if (ROOT / "waitroom" / f"{parts[-1]}.py").exists() else ".".join(parts[:2])
                todo |= {one} - seen
    assert seen <= {f"waitroom.{each}" for each in PURE}


@each_file
def test_only_the_store_module_speaks_to_the_store(file: Path) -> None:
    """Everything else asks it."""
    speaks = any(top(name) in {"redis", "valkey"} for name in imports(file))
    assert speaks == (file == ROOT / "waitroom" / "store.py")


@each_file
def test_only_the_clock_module_looks_at_the_time(file: Path) -> None:
    """Everything else is told, so that tests choose the time and gates agree on it."""
    if file == ROOT / "waitroom" / "clock.py":
        return
    tree = ast.parse(file.read_text())
    called = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    looks = {name for name in called if ".".join(name.split(".")[-2:]) in CLOCKS}
    assert not looks
    assert not {name for name in imports(file) if name in CLOCKS}


@pytest.mark.parametrize("file", sources("waitroom"), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_waiting_room_knows_no_web_framework(file: Path) -> None:
    """Neither a server nor templates; the rehearsal's shoppers are clients."""
    wrong = {"aiohttp.web", "jinja2", "flask", "starlette", "fastapi"}
    assert not {name for name in imports(file) if name in wrong or top(name) in wrong}


@pytest.mark.parametrize("folder", [*PACKAGES, "templates"])
def test_no_file_is_too_long_to_read(folder: str) -> None:
    """A reader holds a file in the head."""
    files = [file for file in (ROOT / folder).rglob("*") if file.suffix in KINDS]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


SCRIPTS = sorted((ROOT / "waitroom" / "lua").glob("*.lua"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_opens_with_what_it_takes_and_answers(script: Path) -> None:
    """The header names the verb and what it does, KEYS, ARGV and, but for the prelude, the answer."""
    header = []
    for line in script.read_text().splitlines():
        if not line.startswith("--"):
            break
        header.append(line)
    if script.stem == "room":
        assert header[0].startswith("-- The prelude")
    else:
        assert header[0].startswith(f"-- {script.stem}: ")
        assert any(line.startswith("-- answer") for line in header)
    assert any(line.startswith("-- KEYS") for line in header)
    assert any(line.startswith("-- ARGV") for line in header)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_is_told_the_time(script: Path) -> None:
    """None asks the store for it, and none draws lots."""
    code = "\n".join(line.partition("--")[0] for line in script.read_text().splitlines())
    assert "'TIME'" not in code
    assert "math.random" not in code
    assert "os.time" not in code


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_uses_no_more_keys_and_arguments_than_its_header_names(script: Path) -> None:
    """And names all it uses."""
    text = script.read_text()
    lines = text.splitlines()
    header = "\n".join(line for line in lines if line.startswith("--"))
    code = "\n".join(line.partition("--")[0] for line in lines)
    for table in ("KEYS", "ARGV"):
        used = {int(number) for number in _between(code, f"{table}[", "]") if number.isdecimal()}
        start = header.index(f"-- {table}")
        named = header[start : header.find("answer", start)]
        for number in used:
            assert f"{number} " in named or f"[{number}]" in named, f"{table}[{number}]"


def _between(text: str, start: str, end: str) -> list[str]:
    return [part.partition(end)[0] for part in text.split(start)[1:]]
