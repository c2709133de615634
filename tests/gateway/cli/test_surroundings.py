"""The machine as it may be: no home, no name, no UTF-8, nobody who reads, files from Windows, odd folders."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gateway.dashboard.users import Users
from tests.servers import free_port

ROOT = Path(__file__).parents[3]
NOBODY = 54321  # a user id that no passwd has
BOM = b"\xef\xbb\xbf"
WARD = """\
[site]
data = "{folder}/data"
[broker]
embedded = false
port = {port}
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody without a name")


def rehab_gateway(
    *arguments: str, stdin: bytes = b"", through: str = "", user: int | None = None, **environment: str | None
) -> subprocess.CompletedProcess[bytes]:
    """Run the program; ``through`` is what a shell makes of its output, None takes a variable away."""
    variables = {"COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), **environment}
    given = {**os.environ, **variables}
    command = [sys.executable, "-m", "gateway", *arguments]
    if through:
        command = ["bash", "-c", f'"$@" {through}', "bash", *command]
    return subprocess.run(
        command, input=stdin, capture_output=True, check=False, timeout=100, cwd="/", user=user, group=user,
        extra_groups=[] if user else None, env={name: value for name, value in given.items() if value is not None},
    )  # fmt: skip


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(WARD.format(folder=tmp_path, port=free_port()), "utf-8")
    return path


def in_one_sentence(done: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether what is wrong is said in one line that calls it no defect."""
    output = done.stderr.decode("utf-8", "replace")
    return output.startswith("rehab-gateway: ") and output.count("\n") == 1 and "defect" not in output


HEART = ("decode", "heart_rate", "16", "4b", "00", "04")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_output_that_is_not_utf8_gets_stand_ins(ward: Path, encoding: str) -> None:
    done = rehab_gateway("status", str(ward), PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    output = done.stdout.decode(encoding)
    assert output.startswith(f"! The broker at 127.0.0.1:{ward.read_text().split()[-1]} cannot be reached")
    assert b"defect" not in done.stderr
    for command in (("check", str(ward)), HEART, ("doctor",), ("--help",), ("demo", "--for", "1", "--port", "1")):
        done = rehab_gateway(*command, PYTHONIOENCODING=encoding)
        assert b"defect" not in done.stderr + done.stdout, command
        done.stdout.decode(encoding)


def test_a_locale_without_letters_is_no_reason(ward: Path) -> None:
    odd = ward.with_name("Wärd.toml")
    odd.write_bytes(ward.read_bytes())
    for locale in ("C", "POSIX", "xx_XX.nothing"):
        done = rehab_gateway("check", str(odd), LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
        assert done.returncode == 0, done.stderr
        assert b"is right" in b" ".join(done.stdout.split())


@pytest.mark.parametrize("through", [">&-", "2>&-", "<&- >&- 2>&-", "| head -c 1", "| true"])
def test_nobody_who_reads_is_no_failure(ward: Path, through: str) -> None:
    for command in (("check", str(ward)), HEART, (*HEART, "--json"), ("version",), ("doctor", "--json"), ("--help",)):
        done = rehab_gateway(*command, through=through)
        assert done.stderr == b"", command


def test_a_full_disk_behind_the_output_is_one_sentence(ward: Path) -> None:
    done = rehab_gateway("check", str(ward), through="> /dev/full")
    assert done.returncode == 1
    assert done.stderr == b"rehab-gateway: No space left on device\n"


@as_root
@pytest.mark.parametrize("home", [None, "/nonexistent", "/proc/nowhere", ""])
def test_without_a_home_and_a_name_everything_works(ward: Path, home: str | None) -> None:
    (ward.parent / "data").mkdir(mode=0o777)
    for folder in (ward.parent, *ward.parents[1:4]):
        if folder != Path("/tmp"):  # noqa: S108 - where pytest's folders are made
            folder.chmod(0o755)
    ward.chmod(0o644)
    (ward.parent / "data").chmod(0o777)  # mkdir heeds the umask
    python = Path(sys.executable).resolve()
    if not os.access(python, os.X_OK) or "/root/" in str(python):
        python = Path("/usr/bin", f"python3.{sys.version_info[1]}")
        if not python.exists():
            pytest.skip("needs a Python that others may use")
    shared = {"HOME": home, "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None, "TMPDIR": None}
    path = f"{ROOT}:{sysconfig.get_path('purelib')}"
    for command, status, word in (
        ("check", 0, "is right"), ("doctor", None, "kernel cache  warn"), ("status", 1, "cannot be reached"),
        ("version", 0, "rehab-gateway"),
    ):  # fmt: skip
        done = subprocess.run(
            [str(python), "-m", "gateway", command, *([] if command == "version" else [str(ward)])],
            capture_output=True, check=False, timeout=100, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[],
            env={**{k: v for k, v in shared.items() if v is not None}, "PYTHONPATH": path, "COLUMNS": "100",
                 "PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert status is None or done.returncode == status, (command, done.stderr)
        assert word in done.stdout.decode(), (command, done.stdout, done.stderr)
        assert b"defect" not in done.stderr


@pytest.mark.parametrize("base", [{"NUMBA_CACHE_DIR": "/proc/kernels"}, {"NUMBA_CACHE_DIR": "/dev/full/kernels"}])
def test_kernels_that_cannot_be_kept_are_compiled_in_memory_and_it_is_reported(base: dict[str, str]) -> None:
    """numba would write them into the folders of the code, without a word, or refuse to start."""
    before = set(ROOT.glob("*/__pycache__/*.nbi"))
    code = (
        "from dsp.kernel_cache import not_kept\n"
        "from gateway.analysis.warm_up import PARTS\n"
        "PARTS['axes']()\n"
        "print(not_kept())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, **base},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert base["NUMBA_CACHE_DIR"] in done.stdout
    assert set(ROOT.glob("*/__pycache__/*.nbi")) == before


def test_a_cache_that_was_cut_off_by_a_power_cut_is_made_anew(tmp_path: Path) -> None:
    lines = ("from gateway.analysis.warm_up import PARTS", "from dsp.kernel_cache import not_kept", "PARTS['axes']()")
    code = "\n".join([*lines, "print(not_kept())"])

    def start() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert start() == "\n"
    for kept in tmp_path.rglob("*.nb?"):
        kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    assert start() == "\n"
    for kept in tmp_path.rglob("*.nbi"):
        kept.write_bytes(b"")
    assert start() == "\n"


def test_what_shows_and_stores_needs_no_compiler() -> None:
    code = (
        "import sys\n"
        "import gateway.dashboard.server, gateway.historian.historian, gateway.cli.status, gateway.cli.audit\n"
        "print([name for name in ('numba', 'llvmlite', 'dsp.kernel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_files_from_windows(tmp_path: Path, ends: bytes) -> None:
    """A byte order mark and its line ends are no part of what a person wrote."""
    notes = BOM + b"# at rest" + ends + b"16 4b 00 04" + ends
    (tmp_path / "notes.txt").write_bytes(notes)
    for arguments, stdin in ((str(tmp_path / "notes.txt"), b""), ("-", notes)):
        done = rehab_gateway("decode", "heart_rate", "--json", "--file", arguments, stdin=stdin)
        assert (done.returncode, done.stdout.count(b"\n")) == (0, 2), done.stderr
    users = tmp_path / "users.jsonl"
    typed = BOM + b"correct horse battery staple" + ends
    done = rehab_gateway("user", "add", str(users), "wall", "--role", "viewer", stdin=typed)
    assert done.returncode == 0, done.stderr
    assert Users(users).verify("wall", "correct horse battery staple")
    (tmp_path / "ward.toml").write_bytes(BOM + b"[site]" + ends + b'data = "x"' + ends)
    assert rehab_gateway("check", str(tmp_path / "ward.toml")).returncode == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused_with_what_to_do(tmp_path: Path, encoding: str) -> None:
    for name, text in (("ward.toml", '[site]\ndata = "x"\n'), ("notes.txt", "16 4b 00 04\n")):
        (tmp_path / name).write_bytes(text.encode(encoding))
    for done in (
        rehab_gateway("check", str(tmp_path / "ward.toml")),
        rehab_gateway("decode", "heart_rate", "--file", str(tmp_path / "notes.txt")),
        rehab_gateway(
            "user", "add", str(tmp_path / "u"), "wall", "--role", "viewer", stdin="correct horse\n".encode("utf-16")
        ),
    ):
        assert done.returncode == 2
        assert in_one_sentence(done), done.stderr
        assert b"UTF-" in done.stderr


def test_a_database_of_another_user_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()  # for root, whom no mode stops
    (tmp_path / "ward.toml").write_text(f'[site]\ndata = "{tmp_path}"\n[broker]\nport = {free_port()}\n', "utf-8")
    done = rehab_gateway("historian", str(tmp_path / "ward.toml"))
    assert done.returncode == 1
    assert in_one_sentence(done), done.stderr


def test_no_folder_for_temporary_files_is_one_sentence() -> None:
    code = (
        "import sys, tempfile\nsys.argv = ['rehab-gateway', 'demo', '--for', '1']\n"
        "tempfile._candidate_tempdir_list = lambda: ['/proc/x']\nfrom gateway.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert in_one_sentence(done), done.stderr


def test_a_home_that_nobody_knows_is_reported_of_a_path_that_needs_it(
    ward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.errors import ConfigError
    from config.loader import load

    ward.write_text('[site]\ndata = "~someone-who-is-not-here/data"\n', "utf-8")
    with pytest.raises(ConfigError, match="no home folder: write the whole path"):
        load(ward)


def test_text_is_read_and_written_in_one_encoding_on_every_machine() -> None:
    """Without its name, an encoding is that of the locale: a machine set to ISO-8859-1 could not read our own files."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("config", "drivers", "dsp", "gateway", "simulators")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _guesses_the_encoding(node)
    ]
    assert found == []


def _guesses_the_encoding(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    return name == "open" and any(mode in {"r", "w", "a", "x", "rt", "wt"} for mode in modes)
