"""What the suite asks of every provider beside its code, and which providers have it.

``{}`` in a path is the provider's name; a file without it has a section for each provider.
"""

from functools import cache
from pathlib import Path
from typing import Any

from mockserver.files import strict_yaml
from mockserver.providers import discover, folder

TREE = Path(__file__).parents[2]
DOCUMENT = "mockserver/providers/{}/openapi.yaml"
DEFECTS = "contract_tests/defects/{}.yaml"
EXAMPLES = "fixtures/{}/examples.yaml"
ERRORS = "fixtures/{}/errors.yaml"
WORLD = "fixtures/worlds/default.yaml"
DEVIATIONS = "contract_tests/support/deviations.yaml"
EVIDENCE = {
    DOCUMENT: "the real API's document, by hand",
    "mockserver/providers/{}/facts.yaml": "each behaviour, with its source and its proof",
    DEFECTS: "for each documented fact one small defect",
    "contract_tests/checklist/{}.yaml": "where each line of the provider's page went",
    "contract_tests/clients/{}.py": "a small client as a careful user would write it",
    EXAMPLES: "documented answers, digit for digit",
    ERRORS: "the error table as bytes on the wire",
    WORLD: "a section with the key main",
    DEVIATIONS: "a section: what a signature covers, the statuses that are met",
    "contract_tests/project/instructions.yaml": "a limit: python -m benchmarks.instructions",
}


def complaint(provider: str, path: str) -> str:
    """Returns what to add for a provider, "" where nothing is missing."""
    if _is_there(provider, path):
        return ""
    to = "" if "{}" in path else "to "
    return f"providers/{provider}: add {to}{path.format(provider)}: {EVIDENCE[path]}"


def having(path: str) -> list[str]:
    """Returns the providers with a file, or with a section in it."""
    return [name for name in discover() if _is_there(name, path)]


def incomplete() -> list[str]:
    """Returns the providers that lack something."""
    return [name for name in discover() if any(complaint(name, path) for path in EVIDENCE)]


def _is_there(provider: str, path: str) -> bool:
    if path == WORLD:
        return "main" in _data(path).get(provider, {}).get("keys", {})
    if "{}" not in path:
        return provider in _data(path)
    if path.startswith("mockserver/providers/"):  # a test's own may lie elsewhere
        return (folder(provider) / Path(path).name).is_file()
    return (TREE / path.format(provider)).is_file()


@cache
def _data(path: str) -> Any:
    return strict_yaml.load((TREE / path).read_text(encoding="utf-8"))
