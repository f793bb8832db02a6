"""A client that sends one message after the other, each on a connection of its own, until its
standard input ends, and then prints how many seconds the slowest of them took.

    python -m tests.e2e.patience 2525
"""

import smtplib
import sys
import threading
import time

LETTER = "From: wp@contoso.com\r\nTo: anna@example.org\r\nSubject: alarm\r\n\r\nIt burns.\r\n"


def transaction(port: int) -> float:
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail("", ["anna@example.org"], LETTER)
    return time.monotonic() - began


def main() -> None:
    port, over = int(sys.argv[1]), threading.Event()

    def hear() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=hear, daemon=True).start()
    transaction(port)
    print("ready", flush=True)
    longest, count = 0.0, 0
    while not over.wait(0.1) or not count:
        longest, count = max(longest, transaction(port)), count + 1
    print(longest, count, flush=True)


if __name__ == "__main__":
    main()
