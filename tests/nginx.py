"""The system's nginx with the site of config/deploy/nginx.conf, or as it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import READY_S, accepts, missing, wait_until

SITE = Path(__file__).parents[1] / "config" / "deploy" / "nginx.conf"
AROUND = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; {temporary} types {{ }} default_type application/octet-stream;
{server}
}}
"""
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def documented(port: int, upstream: int, cert: Path, key: Path) -> str:
    """Return the site as we document it, with only its port, its certificate and the dashboard's port put in."""
    text = SITE.read_text("utf-8")
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("server_name ward.example", "server_name localhost"),
        ("/etc/ssl/certs/ward.example.pem", str(cert)), ("/etc/ssl/private/ward.example.key", str(key)),
        ("http://127.0.0.1:8080;", f"http://127.0.0.1:{upstream};"),
    ):  # fmt: skip
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def in_folder(site: str, folder: str) -> str:
    """Return a documented site as one that serves the dashboard under a path, as the comment in it says."""
    site, places = re.subn(r"location / \{", f"location {folder}/ {{", site)
    site, passes = re.subn(r"(proxy_pass http://[\d.:]+);", r"\1/;", site)
    assert (places, passes) == (1, 1)
    return site


def as_installed(port: int, upstream: int) -> str:
    """Return the shortest way to pass something on, with nothing of what we document."""
    return f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}"


@contextmanager
def nginx(folder: Path, port: int, server: str) -> Iterator[None]:
    """Run nginx with a server until left."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        missing("nginx-light")
    assert program
    folder.mkdir(exist_ok=True)
    temporary = " ".join(f"{place}_temp_path {folder}/{place};" for place in PLACES)
    configuration = folder / "nginx.conf"
    configuration.write_text(AROUND.format(folder=folder, temporary=temporary, server=server))
    command = [program, "-e", f"{folder}/error.log", "-c", str(configuration)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or accepts(port), READY_S)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(READY_S)
