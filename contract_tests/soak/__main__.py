"""``make soak ARGS="--minutes 10"``: what must hold for a team's server over a long time.

Threads make sandboxes, use and delete them; every so often a process is killed. Each answer is
checked; only the sandboxes of a killed process may be lost.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from contract_tests.soak.visit import Visit
from mockserver.client.remote import RemoteServer

MIB = 1 << 20
BUDGET = 64  # MiB of journals and stored responses of a process
MEMORY_MAX = 512  # MiB resident, of a process: code, budget and caches
FILES_MORE = 200  # descriptors above the first look
LOOK = 5.0  # seconds between two looks at the processes
GRACE = 2.0  # seconds from a kill until the process is started again


class Soak:
    """The run: its processes, its threads, and what they found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json"]
        command += ["--processes", str(options.processes), "--memory-budget", f"{BUDGET}MiB"]
        self.running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self.running.stdout.readline() if self.running.stdout else ""
        self.gateway: str = json.loads(line)["gateway"]
        self.end = time.monotonic() + options.minutes * 60
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.killed: dict[str, list[float]] = {}  # by the gateway's port of the process
        self.memory = self.files = self.first_files = 0

    def run(self) -> int:
        """Runs and prints a summary; returns the exit status."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._visits, args=(n,)) for n in range(self.options.threads)
        ]
        try:
            for thread in threads:
                thread.start()
            self._watch()
            for thread in threads:
                thread.join()
        finally:
            self.running.send_signal(signal.SIGTERM)
            self.running.wait(30)
        self._print(time.monotonic() - began)
        return 1 if self.wrong else 0

    def _visits(self, thread: int) -> None:
        counts: Counter[str] = Counter()
        remote = RemoteServer(self.gateway)
        n = 0
        while time.monotonic() < self.end and len(self.wrong) < 20:
            visit = Visit(remote, f"soak-{self.options.seed}-{thread}-{n}", counts)
            n += 1
            began = time.monotonic()
            try:
                visit.run()
            except Exception as error:
                if self._was_killed(visit.owner, began):
                    counts["lost with a killed process"] += 1
                else:
                    self.wrong.append(f"{type(error).__name__}: {error}")
        self.counts.update(counts)

    def _was_killed(self, owner: str, began: float) -> bool:
        """Returns whether the owner, or any process if it is not known, was killed since."""
        base = str(int(owner) - int(owner) % 100) if owner else ""
        moments = [t for port, times in self.killed.items() if base in ("", port) for t in times]
        return any(moment > began - GRACE for moment in moments)

    def _watch(self) -> None:
        kill_at = time.monotonic() + self.options.kill_every
        while time.monotonic() < self.end and len(self.wrong) < 20:
            time.sleep(LOOK)
            processes = self._processes()
            self._look(processes)
            if (
                time.monotonic() >= kill_at
                and time.monotonic() + self.options.kill_every < self.end
            ):
                pid, port = processes[self.counts["killed processes"] % len(processes)]
                self.killed.setdefault(port, []).append(time.monotonic())
                os.kill(pid, signal.SIGKILL)
                self.counts["killed processes"] += 1
                kill_at += self.options.kill_every

    def _processes(self) -> list[tuple[int, str]]:
        """Returns process ids and the ports of their gateways."""
        found = []
        children = Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children")
        for pid in map(int, children.read_text().split()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if "--advertise" in words:
                found.append((pid, words[words.index("--advertise") + 1].rpartition(":")[2]))
        return sorted(found, key=lambda row: row[1])

    def _look(self, processes: list[tuple[int, str]]) -> None:
        for pid, _ in processes:
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except OSError:
                continue  # it was just killed
            self.memory = max(self.memory, pages * os.sysconf("SC_PAGE_SIZE") // MIB)
            self.files = max(self.files, files)
            self.first_files = self.first_files or files
        if self.memory > MEMORY_MAX:
            self.wrong.append(f"a process takes {self.memory} MiB, at most {MEMORY_MAX}")
        if self.files > self.first_files + FILES_MORE:
            self.wrong.append(f"open files grew from {self.first_files} to {self.files}")

    def _print(self, seconds: float) -> None:
        options = self.options
        print(f"soak: {seconds / 60:.1f} min, {options.processes} processes, seed {options.seed}")
        for name, count in sorted(self.counts.items()):
            print(f"  {name:<28}{count:>10,}")
        print(f"  {'memory, the largest process':<28}{self.memory:>6} MiB")
        print(f"  {'open files, at most':<28}{self.files:>10,}")
        for line in self.wrong[:20]:
            print(f"WRONG {line}")
        print(
            "failed"
            if self.wrong
            else "passed: nothing lost, no other sandbox's data, all bounds held"
        )


def main() -> int:
    """Runs a soak."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=490)
    parser.add_argument("--kill-every", type=float, default=60, help="seconds")
    return Soak(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
