"""The house's imports run one way, and nerfstudio stays on the nerfstudio side."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = {
    "lca_shared": REPOSITORY / "shared/lca_shared",
    "lca_dataparsers": REPOSITORY / "plugins/lca_dataparsers/lca_dataparsers",
    "lca_method": REPOSITORY / "plugins/lca_method/lca_method",
    "genlca_method": REPOSITORY / "plugins/genlca_method/genlca_method",
}
ORDER = tuple(ROOTS)
NERFSTUDIO_SIDE = {
    "lca_dataparsers": ("lca_wild", "lca_studio"),
    "lca_method": (
        "lca_config",
        "lca_datamanager",
        "lca_model",
        "lca_pipeline",
        "lca_trainer",
        "lca_viewer",
    ),
    "genlca_method": (
        "genlca_config",
        "genlca_datamanager",
        "genlca_model",
        "genlca_pipeline",
        "genlca_trainer",
        "genlca_viewer",
    ),
}
SOURCES = [(package, path) for package, root in ROOTS.items() for path in sorted(root.rglob("*.py"))]


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(("package", "path"), SOURCES, ids=lambda value: getattr(value, "name", value))
def test_imports_run_one_way(package: str, path: Path) -> None:
    above = set(ORDER[ORDER.index(package) + 1 :])
    assert not imported_packages(path) & above


@pytest.mark.parametrize(("package", "path"), SOURCES, ids=lambda value: getattr(value, "name", value))
def test_nerfstudio_stays_on_its_side(package: str, path: Path) -> None:
    top = path.relative_to(ROOTS[package]).parts[0].removesuffix(".py")
    if not top.startswith(NERFSTUDIO_SIDE.get(package, ("-",))):
        assert "nerfstudio" not in imported_packages(path)
