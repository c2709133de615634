"""Measure the house: how long its files, functions and classes are, and who reaches into whose private parts.

``python -m tests.sizes`` prints the table; ``test_sizes`` holds it. What is counted:

- a file: its lines, with docstrings and blank ones;
- a function: from ``def`` to its last line, decorators left out; one inside another counts for both;
- a class: the functions of its body, properties and private ones among them;
- a private reach: ``thing._name`` where the name is no part of the module it is used in (neither of its classes nor of
  itself), ``from module import _name``, and ``setattr(thing, "_name", …)``;
- a kernel: a function below ``@kernel``, ``@compiled``, ``@lean`` or ``@inlined``; of its parameters those of one
  letter, and those (or what it returns) that are ``Any``;
- a circle: modules of which each imports the next one, be it in a function or for its types alone: whoever reads one
  has to read them all.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 40
MOST_METHODS = 20
"""What the projects that we learn from keep: few of their files, functions and classes are longer."""

ROOT = Path(__file__).parents[1]
PRODUCT = ("config", "drivers", "dsp", "gateway", "importers", "simulators")
TESTS = "tests"
KERNELS = {"kernel", "compiled", "lean", "inlined"}

DOCUMENTED = {"_replace", "_asdict", "_fields", "_make", "_exit", "_missing_"}
"""Names with an underscore that Python documents: of named tuples, of ``os`` and of ``enum``."""
ATTRIBUTE_CALLS = {"setattr", "getattr", "delattr", "hasattr", "object"}
"""Calls whose second argument names an attribute; ``object`` is ``patch.object``."""

OLD_WORDS = {
    "carry_out", "decided", "lanes", "let_go", "passports", "push", "said", "say", "settle", "standing", "stubborn",
    "take", "tell", "told", "union", "walkers", "worn",
}  # fmt: skip
"""Words private to this code, as whole names or as parts between underscores."""


@cache
def sources(folder: str) -> tuple[Path, ...]:
    """Return the source files of a folder and of those in it."""
    return tuple(sorted((ROOT / folder).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    """Return a file's name as the tables have it: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def product() -> Iterator[Path]:
    """Yield every file of the product."""
    for folder in PRODUCT:
        yield from sources(folder)


def lines_of_files() -> dict[str, int]:
    """Return the lines of every file of the product."""
    return {name_of(path): len(path.read_text("utf-8").splitlines()) for path in product()}


def _named(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield classes and functions with the names of what they stand in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{within}.{node.name}" if within else node.name
            yield name, node
            yield from _named(node, name)
        else:
            yield from _named(node, within)


def lines_of_functions() -> dict[str, int]:
    """Return the lines of every function of the product, as ``file::Class.function``."""
    found: dict[str, int] = {}
    for path in product():
        for name, node in _named(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                key = f"{name_of(path)}::{name}"  # a property and its setter share a name: the longer one counts
                found[key] = max(found.get(key, 0), (node.end_lineno or 0) - node.lineno + 1)
    return found


def methods_of_classes() -> dict[str, int]:
    """Return how many methods every class of the product has, as ``file::Class``."""
    return {
        f"{name_of(path)}::{name}": sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in node.body)
        for path in product()
        for name, node in _named(tree_of(path))
        if isinstance(node, ast.ClassDef)
    }


def is_private(name: str) -> bool:
    """Whether a name says that it is nobody else's."""
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED and name != "_"


def own_private_names(tree: ast.Module) -> set[str]:
    """Return the private names that a module makes: of itself, of its classes, and on ``self`` of these."""
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            own.add(node.attr)
        if isinstance(node, ast.ClassDef):
            own.update(slots_of(node))
    return {name for name in own if is_private(name)}


def is_own(node: ast.expr) -> bool:
    """Whether an expression is the object itself, its class, or what it inherits."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"super", "type"}
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def private_reaches(tree: ast.Module) -> list[str]:
    """Return the private names of others that a module reaches for, each as often as it does."""
    own = own_private_names(tree)
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            found.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.extend(alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and (name := attribute_named(node)) is not None:
            found.append(name)
    return [name for name in found if is_private(name) and name not in own]


def attribute_named(call: ast.Call) -> str | None:
    """Return the private attribute that a call such as ``setattr(thing, "_name", …)`` names."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in ATTRIBUTE_CALLS or len(call.args) < 2:
        return None
    named = call.args[1]
    private = isinstance(named, ast.Constant) and isinstance(named.value, str) and is_private(named.value)
    return str(named.value) if private and isinstance(named, ast.Constant) else None


def slots_of(node: ast.ClassDef) -> Iterator[str]:
    """Yield what a class names in ``__slots__``."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and any(getattr(t, "id", "") == "__slots__" for t in statement.targets):
            yield from (str(n.value) for n in ast.walk(statement.value) if isinstance(n, ast.Constant))


def reaches(paths: Iterator[Path] | tuple[Path, ...]) -> dict[str, int]:
    """Return how often each file reaches for private names of others; files that do not are left out."""
    counts = {name_of(path): len(private_reaches(tree_of(path))) for path in paths}
    return {name: n for name, n in counts.items() if n}


def kernels() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the compiled functions with their names."""
    for path in sources("dsp"):
        for name, node in _named(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and any(_decorator(d) in KERNELS for d in node.decorator_list):
                yield f"{name_of(path)}::{name}", node


def _decorator(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _by_file(counts: Iterator[tuple[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for name, n in counts:
        total[name.partition("::")[0]] += n
    return {name: n for name, n in total.items() if n}


def letters_of_kernels() -> dict[str, int]:
    """Return the parameters of one letter of the kernels, by file."""
    return _by_file((name, sum(len(arg.arg) == 1 for arg in node.args.args)) for name, node in kernels())


def any_in_kernels() -> dict[str, int]:
    """Return the parameters and results of kernels that may be anything, by file."""
    return _by_file(
        (name, sum(of is not None and "Any" in ast.unparse(of) for of in [node.returns, *_types(node)]))
        for name, node in kernels()
    )


def _types(node: ast.FunctionDef) -> list[ast.expr | None]:
    return [arg.annotation for arg in node.args.args]


def modules() -> dict[str, Path]:
    """Return the files of the product by the names of their modules."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in product()
    }


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of ours that a module imports, wherever it does: in functions and for types alone too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if not isinstance(node, ast.ImportFrom):
            continue
        parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*parts, *([node.module] if node.module else [])])
        found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names)
    return (found & known.keys()) - {name}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that all lead to each other, the smallest first."""
    reached = {name: _reachable(name, graph) for name in graph}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other]) | {name}
        for name in graph
        if name in reached[name]
    }
    return sorted((sorted(group) for group in groups), key=lambda group: (len(group), group))


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    open_ = list(graph[start])
    while open_:
        name = open_.pop()
        if name not in seen:
            seen.add(name)
            open_.extend(graph[name])
    return seen


def import_circles() -> list[list[str]]:
    """Return the circles among the modules of the product."""
    known = modules()
    return circles({name: imported(name, path, known) for name, path in known.items()})


def files_of_folders() -> dict[str, int]:
    """Return how many modules each folder holds, its ``__init__`` left out."""
    return dict(Counter(name_of(path.parent) for path in product() if path.name != "__init__.py"))


def old_words() -> dict[str, int]:
    """Return the names that hold a word of the renaming list, by file: those that a file makes, each once."""
    counts = {name_of(path): len(names_with_old_words(tree_of(path))) for path in (*product(), *sources(TESTS))}
    return {name: n for name, n in counts.items() if n}


def names_with_old_words(tree: ast.Module) -> set[str]:
    """Return what a file names with a word of the renaming list: functions, classes, parameters, variables."""
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            named.add(node.name)
        elif isinstance(node, ast.arg):
            named.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            named.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            named.add(node.attr)
    return {name for name in named if OLD_WORDS & set(name.lower().split("_"))}


def table() -> str:
    """Return what the house measures, as a table of two columns."""
    folders, files, functions = files_of_folders(), lines_of_files(), lines_of_functions()
    methods, words = methods_of_classes(), old_words()
    in_tests = sum(n for name, n in words.items() if name.startswith(TESTS))

    def most(found: dict[str, int]) -> str:
        name = max(found, key=lambda key: found[key])
        return f"{found[name]} ({name})"

    rows = [
        ("files a folder, median", f"{statistics.median(folders.values()):g}"),
        ("files a folder, most", most(folders)),
        ("lines a file, median", f"{statistics.median(files.values()):g}"),
        ("longest file", most(files)),
        (
            f"files of more than {MOST_LINES_OF_A_FILE} lines",
            str(sum(n > MOST_LINES_OF_A_FILE for n in files.values())),
        ),
        ("lines a function, median", f"{statistics.median(functions.values()):g}"),
        ("longest function", most(functions)),
        (
            f"functions of more than {MOST_LINES_OF_A_FUNCTION} lines",
            str(sum(n > MOST_LINES_OF_A_FUNCTION for n in functions.values())),
        ),
        ("most methods in a class", most(methods)),
        (f"classes of more than {MOST_METHODS} methods", str(sum(n > MOST_METHODS for n in methods.values()))),
        ("private reach, product", str(sum(reaches(product()).values()))),
        ("private reach, tests", str(sum(reaches(sources(TESTS)).values()))),
        ("one-letter parameters of kernels", str(sum(letters_of_kernels().values()))),
        ("`Any` in kernels", str(sum(any_in_kernels().values()))),
        ("names with words of the renaming list, product", str(sum(words.values()) - in_tests)),
        ("names with words of the renaming list, tests", str(in_tests)),
        ("circles of imports", str(len(import_circles()))),
    ]
    return "\n".join(f"| {what} | {found} |" for what, found in [("what", "measured"), ("---", "---"), *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
