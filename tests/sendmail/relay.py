"""A relay on a Unix socket that answers from a script, in a thread because its clients block."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HELLO = "250-relay.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN"
HANGS_UP = ""
"""An answer: the connection ends instead."""


class Scripted:
    """Answers a command that begins with a key of `answers` with its value, and any other with
    success."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.target = ""
        self.heard: list[str] = []
        self.messages: list[bytes] = []
        self._answers = {"": "220 relay.example", "EHLO": HELLO, "DATA": "354 go on"} | answers

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            if not self._say(connection, self._answers[""]):
                return
            for line in lines:
                command = line.decode().removesuffix("\r\n")
                self.heard.append(command)
                answer = self._answer(command)
                if not self._say(connection, answer) or command == "QUIT":
                    return
                if command == "DATA" and answer.startswith("354"):
                    self.messages.append(_until_dot(lines))
                    if not self._say(connection, self._answers.get(".", "250 2.0.0 Ok: queued")):
                        return

    def _answer(self, command: str) -> str:
        keys = [key for key in self._answers if key and command.startswith(key)]
        return self._answers[max(keys, key=len)] if keys else "250 2.1.0 Ok"

    def _say(self, connection: socket.socket, answer: str) -> bool:
        connection.sendall(f"{answer}\r\n".encode() if answer else b"")
        return bool(answer)


@contextmanager
def scripted(folder: Path, **answers: str) -> Iterator[Scripted]:
    """`scripted(tmp_path, MAIL="550 5.7.1 no")`; `greeting` and `dot` are the replies to no
    command, and underscores stand for spaces."""
    names = {"greeting": "", "dot": "."}
    relay = Scripted({names.get(key, key.replace("_", " ")): said for key, said in answers.items()})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "smtp.sock"))
        listening.listen()
        relay.target = f"unix:{folder / 'smtp.sock'}"
        thread = threading.Thread(target=_accept, args=(listening, relay))
        thread.start()
        yield relay
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _accept(listening: socket.socket, relay: Scripted) -> None:
    with suppress(OSError):
        while True:
            relay.serve(listening.accept()[0])


def _until_dot(lines: Iterator[bytes]) -> bytes:
    return b"".join(iter(lambda: next(lines), b".\r\n"))
