"""Executes the Dockerfile step by step, then the services of compose.yaml: no daemon is needed.

Run in a mount namespace of its own, as root. Each stage is an overlay over this machine's
own files, in the place of the base image; commands run in a chroot, those of the final stage as the
image's user, on a root that is read-only. Writes what it saw to stdout, as JSON.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SECONDS = 240
CLONE_NEWNET = 0x4000_0000


class Stage:
    """One stage: its root folder, and what ENV, WORKDIR and USER have set."""

    def __init__(self, folder: Path) -> None:
        self.changed, self.root = folder / "changed", folder / "root"
        for part in (self.changed, self.root, folder / "work"):
            part.mkdir(parents=True)
        options = f"lowerdir=/,upperdir={self.changed},workdir={folder / 'work'}"
        mount("-t", "overlay", "overlay", "-o", options, str(self.root))
        for part in ("dev", "proc"):
            mount("--bind", f"/{part}", str(self.root / part))
        home = Path(sys.base_prefix)
        for part in (home, *home.parents):  # anyone may read the base image's Python
            inside = self.root / str(part).lstrip("/")
            inside.chmod(inside.stat().st_mode | 0o055)
        self.env = {"PATH": f"/opt/base/bin:{os.environ['PATH']}", "HOME": "/root"}
        self.folder, self.user, self.labels = "/", "0:0", dict[str, Any]()
        self.run([f"{sys.base_prefix}/bin/python3", "-m", "venv", "/opt/base"])
        self.base = self.files()

    def command(self, words: list[str]) -> list[str]:
        return ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), "sh", "-c",
                f"cd {self.folder} && exec {shlex.join(words)}"]  # fmt: skip

    def run(self, words: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        env = self.env | settings.pop("env", {})
        done = subprocess.run(
            self.command(words),
            env=env,
            text=True,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{words}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def path(self, text: str) -> Path:
        return self.root / str(Path(self.folder) / text).lstrip("/")

    def step(self, word: str, rest: str) -> None:
        """Executes a step that concerns this stage alone."""
        match word:
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.env[name] = value.replace("$PATH", self.env["PATH"])
            case "WORKDIR":
                self.folder = rest
                self.path("").mkdir(parents=True, exist_ok=True)
            case "RUN":
                self.run(["sh", "-ec", rest])
            case "USER":
                self.user = rest
            case "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "EXPOSE":
                self.labels[word] = rest
            case _:
                sys.exit(f"no such step here: {word}")

    def files(self) -> dict[str, str]:
        """Returns the files that differ from the base image, by path, each with its digest."""
        found = [
            path for path in self.changed.rglob("*") if path.is_file() and not path.is_symlink()
        ]
        return {
            str(path.relative_to(self.changed)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in found
        }


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def instructions(text: str) -> list[tuple[str, str]]:
    """Parses a Dockerfile: lines that go on are joined, comments are dropped."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text)
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copy_context(target: Path) -> None:
    """Copies the files that Git knows and .dockerignore lets through."""
    kept = re.findall(r"(?m)^!(\S+)", (ROOT / ".dockerignore").read_text("utf-8"))
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *kept],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout  # fmt: skip
    for name in listed.splitlines():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def build(folder: Path, context: Path) -> Stage:
    """Executes every step; returns the final stage."""
    roots = {"": context}
    stage = Stage(folder / "first")
    steps = instructions((ROOT / "Dockerfile").read_text("utf-8"))
    for number, (word, rest) in enumerate(steps):
        if word == "FROM":
            stage = Stage(folder / str(number)) if number else stage
            roots[rest.split(" AS ")[-1]] = stage.root
        elif word == "COPY":
            copy_files(stage, shlex.split(rest), roots)
        else:
            stage.step(word, rest)
    return stage


def copy_files(stage: Stage, words: list[str], roots: dict[str, Path]) -> None:
    *sources, target = words
    option = sources.pop(0) if sources[0].startswith("--from=") else ""
    origin = roots[option.removeprefix("--from=")]
    for source in sources:
        copy(origin / source.lstrip("/"), stage.path(target), target.endswith("/"))


def copy(source: Path, target: Path, inside: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target / source.name if inside else target)


def words_of(stage: Stage, service: dict[str, Any]) -> list[str]:
    """Returns what a service runs: the image's entry point and its command, or its own."""
    entry = service.get("entrypoint") or json.loads(stage.labels["ENTRYPOINT"])
    return [*entry, *(service.get("command") or json.loads(stage.labels["CMD"]))]


@contextlib.contextmanager
def started(stage: Stage, service: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    env = stage.env | service.get("environment", {})
    file = Path("/tmp/service.log")
    log = file.open("wb")
    process = subprocess.Popen(
        stage.command(words_of(stage, service)), env=env, stdout=log, stderr=log
    )
    try:
        check = json.loads(stage.labels["HEALTHCHECK"].partition("CMD")[2])
        end = time.monotonic() + 60
        while subprocess.run(
            stage.command(check), env=env, capture_output=True, check=False
        ).returncode:
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"not healthy: {file.read_text('utf-8')}")
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def main(folder: Path) -> dict[str, Any]:
    context = folder / "context"
    copy_context(context)
    stage = build(folder / "first", context)
    files = {name: digest for name, digest in stage.files().items() if name not in stage.base}
    again = build(folder / "second", context)
    repeated = {name: digest for name, digest in again.files().items() if name not in again.base}

    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))
    services = compose["services"]
    aliases = services["mockserver"]["networks"]["default"]["aliases"]
    (stage.root / "etc/hosts").write_text(f"127.0.0.1 localhost {' '.join(aliases)}\n")
    secret = stage.root / "run/secrets/admin_token"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("a-token\n")
    for part in ("ca", "trust"):  # volumes start with what the image has there
        mount("--bind", str(stage.root / part), str(stage.root / part))
    mount("-t", "tmpfs", "tmpfs", str(stage.root / "tmp"), "-o", "mode=1777")
    mount("-o", "remount,bind,ro", str(stage.root))
    if ctypes.CDLL(None).unshare(CLONE_NEWNET):
        sys.exit("no network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")

    stage.run(words_of(stage, services["trust"]))
    with started(stage, services["mockserver"]) as server:
        client = services["client"]
        spoken = stage.run(words_of(stage, client), env=client["environment"]).stdout
        status = Path(f"/proc/{server.pid}/status").read_text("utf-8")
        writable = subprocess.run(
            stage.command(["touch", "/opt/x"]), capture_output=True, check=False
        )
        server.terminate()
        stopped = server.wait(30)
    trusted = {
        p.name: oct(p.stat().st_mode & 0o777) for p in stage.root.joinpath("trust").iterdir()
    }
    kept = {p.name: oct(p.stat().st_mode & 0o777) for p in stage.root.joinpath("ca").iterdir()}
    return {
        "client": spoken,
        "uid": re.search(r"Uid:\s+(\d+)", status)[1],
        "read_only": writable.returncode != 0,
        "stopped": stopped,
        "trust": trusted,
        "ca": kept,
        "user": stage.user,
        "programs": sorted(p.name for p in (stage.changed / "opt/mockserver/bin").iterdir()),
        "bytes": sum((stage.changed / name).stat().st_size for name in files),
        "differs": sorted(
            name for name in files.keys() | repeated.keys() if files.get(name) != repeated.get(name)
        ),
        "elsewhere": sorted(
            name for name in files if not name.startswith(("opt/", "etc/hosts", "run/"))
        ),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
