"""Child processes that never outlive the demo, and bounded waiting for them."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.1
END_SECONDS = 30
TAIL_LINES = 20


class Child:
    """A running process whose output goes to a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    def wait_until(
        self, condition: Callable[[], bool], seconds: float, goal: str
    ) -> None:
        """Polls `condition`; raises when the process ends or `seconds` pass first."""
        deadline = time.monotonic() + seconds
        while True:
            # Asked first: what the process did before it ended counts.
            exit_code = self._process.poll()
            if condition():
                return
            if exit_code is not None:
                raise RuntimeError(
                    f"{self.name} ended with {exit_code} before {goal}."
                    f" Its last lines:\n{self._tail()}"
                )
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.name}: {goal} did not come within {seconds:.0f} s."
                    f" Its last lines:\n{self._tail()}"
                )
            time.sleep(POLL_SECONDS)

    def end(self) -> None:
        """Asks the process to end in its own order, and waits for it."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass

    def kill(self) -> None:
        """Makes an end of the process, and of what it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


@contextmanager
def child(
    name: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    workdir: Path,
) -> Iterator[Child]:
    """Runs `command` in `workdir` until the end of the `with` block.

    It may end in its own order, unless an exception (Ctrl-C is one) ends the block.
    """
    log = workdir / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches the demo alone, which then stops its
        # children in order, and the whole group can be killed.
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**_base_environment(workdir), **environment},
            cwd=workdir,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Child(name, process, log)
    try:
        yield running
        running.end()
    finally:
        running.kill()


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _base_environment(workdir: Path) -> dict[str, str]:
    """Nothing of the user's AWS settings or proxies; temporary files in `workdir`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(workdir),
        "TMPDIR": str(workdir),
        "LANG": "C.UTF-8",
    }
