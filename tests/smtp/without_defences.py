"""Removes each defence in a copy of the tree, and checks that its test fails.

    python -m tests.smtp.without_defences [WORD]      those with WORD in their names; else all

A test that passes without the defence that it is named for tests nothing. The exit status is 1 if
there is one, or if a defence is no longer where this list says.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Defence:
    """`what` in `file` prevents `attack`; with `without` in its place, `test` must fail."""

    attack: str
    file: str
    what: str
    without: str
    test: str


SMTP = "graphrelay/smtp/"
DIALOG = "tests/smtp/test_dialogs.py -k "
TALK = "tests/smtp/session/test_conversation.py -k "
SERVER = "tests/smtp/test_server.py -k "
SESSION = "tests/smtp/session/test_session.py -k "
MAIL = "tests/smtp/session/test_transaction.py -k "
LOGIN = "tests/smtp/access/test_login.py -k "
DEFENCES = (
    Defence(
        "open relay refused at start",
        SMTP + "server.py",
        "problem = mistake(listener) or strangers_can_reach(listener)",
        "problem = mistake(listener)",
        SERVER + "said_in_a_sentence",
    ),
    Defence(
        "client outside allow_from",
        SMTP + "session/conversation.py",
        "if session.client != LOCAL and not is_among(session.client, session.listener.allow_from):",
        "if False:",
        SERVER + "of_another_network",
    ),
    Defence(
        "smuggling: LF . LF and its like",
        SMTP + "grammar/data.py",
        "if dotted and (end := stream.find(_END, dotted.start())) >= 0:\n"
        "            stuffed = dotted.start() < end",
        'if (end := stream.replace(b"\\n.\\n", b"\\n.\\r\\n").find(b"\\n.\\r\\n") - 1) >= 0:\n'
        "            stuffed = dotted is not None",
        DIALOG + "smuggling",
    ),
    Defence(
        "smuggling: any split of the end",
        SMTP + "grammar/data.py",
        'self._held = still_open.group() if still_open else b""\n        text',
        'self._held = b""\n        text',
        "tests/smtp/grammar/test_data.py",
    ),
    Defence(
        "commands ahead of STARTTLS",
        SMTP + "session/tls_and_auth.py",
        "elif session.buffer.has_more:",
        "elif False:",
        DIALOG + "starttls-injection",
    ),
    Defence(
        "what was said before STARTTLS counts for nothing",
        SMTP + "session/tls_and_auth.py",
        "session.helo = session.login = None",
        "pass",
        DIALOG + "starttls",
    ),
    Defence(
        "plain text where TLS was agreed",
        SMTP + "session/tls_and_auth.py",
        "raise LostInHandshake from error",
        "session.tls = None",
        "tests/smtp/session/test_tls_and_auth.py",
    ),
    Defence(
        "password in clear from another machine",
        SMTP + "session/tls_and_auth.py",
        "session.tls is not None or listener.auth_in_clear or _is_this_machine(session.client)",
        "True",
        "tests/smtp/session/test_tls_and_auth.py",
    ),
    Defence(
        "bare LF ends a command",
        SMTP + "session/conversation.py",
        'if line[-2:] != b"\\r\\n":',
        'line = line.rstrip(b"\\r\\n") + b"\\r\\n"\n        if False:',
        DIALOG + "bare-line-feed-behind",
    ),
    Defence(
        "NUL and control characters in a command",
        SMTP + "session/conversation.py",
        "if _CONTROL.search(octets):",
        "if False:",
        DIALOG + "control-characters",
    ),
    Defence(
        "line breaks and controls in an address",
        SMTP + "grammar/arguments.py",
        "if not text.isascii() and not text.isprintable():",
        "if False:",
        "tests/smtp/grammar/test_arguments.py",
    ),
    Defence(
        "line breaks in a reply of ours",
        SMTP + "grammar/replies.py",
        "text = one_line(reply.text)",
        "text = reply.text",
        "tests/smtp/grammar/test_replies.py",
    ),
    Defence(
        "line breaks in a parameter that a report repeats",
        SMTP + "grammar/arguments.py",
        'return text if text.isprintable() and len(text) <= _LONGEST_ORIGINAL else ""',
        "return text",
        "tests/smtp/grammar/test_arguments.py",
    ),
    Defence(
        "over-long command",
        SMTP + "connection/buffer.py",
        "if len(self._buffer) - self._at > LONGEST_LINE:",
        "if False:",
        TALK + "a_line_without_an_end",
    ),
    Defence(
        "data without line ends over the limit",
        SMTP + "session/receive.py",
        "if body.size + len(octets) <= limit:",
        "if True:",
        "tests/smtp/session/test_receive.py -k a_stream_without_line_ends",
    ),
    Defence(
        "10,000 recipients: limit",
        SMTP + "session/transaction.py",
        "elif len(transaction.recipients) >= self._server.limits.max_recipients:",
        "elif False:",
        MAIL + "recipient_limit",
    ),
    Defence(
        "10,000 recipients: patience",
        SMTP + "session/transaction.py",
        "        self._session.reply(reply)\n        self._session.spend(1)",
        "        self._session.reply(reply)",
        MAIL + "recipient_limit",
    ),
    Defence(
        "100,000 header lines off the loop",
        "graphrelay/mime/reading.py",
        "if octets <= AT_ONCE:",
        "if True:",
        "tests/relay/accept/test_reception.py -k hostile_header",
    ),
    Defence(
        "large header sections take all threads",
        "graphrelay/mime/reading.py",
        "threads = _LARGE_ONES if octets > LARGE else _SMALL_ONES",
        "threads = _SMALL_ONES",
        "tests/mime/test_reading.py",
    ),
    Defence(
        "header section of any length",
        "graphrelay/mime/header.py",
        "LIMIT = 1 << 18",
        "LIMIT = 1 << 20",
        "tests/relay/accept/test_reception.py -k endless_header",
    ),
    Defence(
        "a label of punycode of any length",
        "graphrelay/model/address.py",
        " and len(label) <= _LONGEST_LABEL:",
        ":",
        "tests/model/test_address.py -k longer_than",
    ),
    Defence(
        "an address of any length in a plain list",
        "graphrelay/mime/address_list.py",
        "if len(local) + 1 + len(domain) > LONGEST_ADDRESS:",
        "if False:",
        "tests/mime/test_address_list.py -k longer_than",
    ),
    Defence(
        "an address of any length in any other list",
        "graphrelay/mime/address_list.py",
        "short = len(octets) <= LONGEST_ADDRESS",
        "short = True",
        "tests/mime/test_address_list.py -k longer_than",
    ),
    Defence(
        "a quoted string with a lone backslash",
        "graphrelay/mime/address_list.py",
        '"((?:[^"\\\\]|\\\\.)*+)\\\\?(?:"|\\Z)',
        '"((?:[^"\\\\]|\\\\.)*+)(?:"|\\Z)',
        "tests/test_growth.py -k display",
    ),
    Defence(
        "an argument of any length",
        SMTP + "grammar/arguments.py",
        "if len(argument) > _LONGEST_ARGUMENT:",
        "if False:",
        "tests/smtp/grammar/test_arguments.py -k longer_than",
    ),
    Defence(
        "conditions that look at whole fields",
        "graphrelay/relay/accept/reception.py",
        "section.unfolded(found)[:LONGEST_JUDGED]",
        "section.unfolded(found)",
        "tests/relay/accept/test_reception.py -k beginning_of_a_field",
    ),
    Defence(
        "a message that no process survives",
        "graphrelay/spool/sqlite/statements/begin_reading.py",
        " AND starts < {MOST_STARTS}",
        "",
        "tests/spool/contract/test_begin_reading.py -k three_processes",
    ),
    Defence(
        "slow command",
        SMTP + "connection/buffer.py",
        "if waited.in_all > patience.overall + pace:",
        "if False:",
        TALK + "a_command_that_drips_in",
    ),
    Defence(
        "slow message",
        SMTP + "context.py",
        "return Patience(MESSAGE, limits.data_timeout, limits.data_timeout, _SLOWEST)",
        "return Patience(MESSAGE, limits.data_timeout, 100 * limits.data_timeout, _SLOWEST)",
        TALK + "a_message_that_drips_in",
    ),
    Defence(
        "silent client",
        SMTP + "connection/buffer.py",
        "if waited.now > patience.idle:",
        "if False:",
        TALK + "a_silent_client",
    ),
    Defence(
        "client that never reads",
        SMTP + "connection/buffer.py",
        "            if self._dismissal is not None:\n                self._transport.abort()",
        "            if False:\n                self._transport.abort()",
        TALK + "never_reads",
    ),
    Defence(
        "slow TLS handshake",
        SMTP + "connection/buffer.py",
        "ssl_handshake_timeout=timeout.total_seconds(),",
        "",
        "tests/smtp/session/test_tls_and_auth.py",
    ),
    Defence(
        "too many connections",
        SMTP + "access/admission.py",
        "if self._total >= self.limits.max_connections:",
        "if False:",
        SERVER + "too_many_connections",
    ),
    Defence(
        "too many connections of one client",
        SMTP + "access/admission.py",
        "if self._inside[client] >= allowed:",
        "if False:",
        SERVER + "too_many_connections",
    ),
    Defence(
        "one user takes all places of a Unix socket",
        SMTP + "access/admission.py",
        "if client.startswith(LOCAL):",
        "if False:",
        SERVER + "one_user_of_a_unix_socket",
    ),
    Defence(
        "a refused client fills the log",
        SMTP + "access/admission.py",
        "if since is not None and now - since < _QUIET_FOR:",
        "if False:",
        SERVER + "of_another_network",
    ),
    Defence(
        "wrong commands without end",
        SMTP + "session/session.py",
        "if self._patience <= 0:",
        "if False:",
        SESSION + "gets_everything_wrong",
    ),
    Defence(
        "small talk without end",
        SMTP + "session/session.py",
        "if self._small_talk > _SMALL_TALK:",
        "if False:",
        SESSION + "small_talk",
    ),
    Defence(
        "chunks of nothing without end",
        SMTP + "session/transaction.py",
        "if command.octets < _TINY and not command.last:",
        "if False:",
        MAIL + "next_to_nothing",
    ),
    Defence(
        "password guessing: delay",
        SMTP + "access/login.py",
        "await self._clock.sleep(guesses.delay(now))",
        "pass",
        LOGIN + "slower",
    ),
    Defence(
        "password guessing: lock",
        SMTP + "access/login.py",
        "if guesses.is_locked(now):",
        "if False:",
        LOGIN + "locked_out",
    ),
    Defence(
        "password guessing: in parallel",
        SMTP + "access/login.py",
        "async with guesses.turn:",
        "if True:",
        LOGIN + "parallel_guesses",
    ),
    Defence(
        "real users locked out by a guesser",
        SMTP + "access/login.py",
        "if login and self._is_remembered(token):",
        "if False:",
        LOGIN + "right_a_moment_ago",
    ),
    Defence(
        "names found out by time",
        SMTP + "access/login.py",
        "login, scrypt = self._logins.get(name, (None, self._nobody))",
        "login, scrypt = self._logins.get(name, (None, None))\n"
        "        if scrypt is None:\n            return WrongPassword()",
        LOGIN + "unknown_name",
    ),
    Defence(
        "sender of another login",
        "graphrelay/relay/policy/sender.py",
        "if not address.matches(allowed):",
        "if False:",
        "tests/e2e/test_senders.py -k judged_alike",
    ),
    Defence(
        "PROXY header from anybody",
        SMTP + "session/conversation.py",
        "if is_among(session.client, session.listener.proxy_from):",
        'if await self.buffer.first_octet() in b"P\\r":',
        "tests/smtp/connection/test_proxy.py",
    ),
    Defence(
        "HTTP to a mail port",
        SMTP + "session/conversation.py",
        "if verb in _HTTP:",
        "if False:",
        DIALOG + "http",
    ),
    Defence(
        "a message sent without waiting is taken for commands",
        SMTP + "session/transaction.py",
        "if self._buffer.has_more:",
        "if False:",
        DIALOG + "without-waiting",
    ),
    Defence(
        "passwords in a transcript",
        SMTP + "connection/transcript.py",
        'text = _LOGIN.sub(_masked, text, count=1) if verb == "AUTH" else text',
        "pass",
        "tests/smtp/connection/test_transcript.py",
    ),
    Defence(
        "field begun by a lone LF in a binary message",
        SMTP + "grammar/data.py",
        "return with_line_ends(head) + rest",
        "return head + rest",
        DIALOG + "binary",
    ),
    Defence(
        "MIME bomb: nothing is parsed to take a message",
        "graphrelay/relay/accept/reception.py",
        "        parsed = decided.parsed\n",
        "        parsed = decided.parsed\n"
        "        import email\n\n        email.message_from_bytes(await body.head(body.size))\n",
        "tests/relay/accept/test_reception.py -k bomb",
    ),
    Defence(
        "2,000 idle connections",
        SMTP + "access/admission.py",
        "if self._total >= self.limits.max_connections:",
        "if False:",
        "tests/smtp/test_attacks.py -k idle",
    ),
)

DRAFTING = "tests/relay/deliver/test_by_draft.py -k "
CLIENT = "tests/graph/test_client.py -k "
ENTRA = "tests/oauth/entra/test_msal_http.py -k "
AUTHORIZE = "tests/oauth/sign_in/test_authorizer.py -k "
BOUNDS = (
    Defence(
        "mail fails for a code that nobody knows",
        "graphrelay/graph/outcome.py",
        'return _Later("4.3.0", f"Graph refused it',
        'return _Never("5.0.0", f"Graph refused it',
        "tests/graph/test_outcome.py -k nobody_knows",
    ),
    Defence(
        "upload address that cannot be used",
        "graphrelay/graph/attachments.py",
        "if isinstance(url, str) and upload_url(url) is not None:",
        "if isinstance(url, str):",
        DRAFTING + "not_stored",
    ),
    Defence(
        "upload address that leads nowhere",
        "graphrelay/relay/deliver/by_draft.py",
        "if times >= UNREACHABLE:",
        "if False:",
        DRAFTING + "leads_nowhere",
    ),
    Defence(
        "upload session that has expired",
        "graphrelay/relay/deliver/by_draft.py",
        "if expires is not None and expires <= self.clock.now():",
        "if False:",
        DRAFTING + "expired_by",
    ),
    Defence(
        "doubles from a replica that is behind",
        "graphrelay/relay/deliver/dispatcher.py",
        "case NotThere() if doubt and not doubt.looked and (doubt.draft or submission.draft):",
        "case NotThere() if doubt and False:",
        "tests/relay/deliver/test_dispatcher.py -k makes_no_double",
    ),
    Defence(
        "answer of Graph without an end",
        "graphrelay/graph/http/exchange.py",
        "while len(self._kept) < self._longest and",
        "while",
        CLIENT + "body_without_an_end",
    ),
    Defence(
        "informational answers of Graph without an end",
        "graphrelay/graph/http/connection.py",
        "self._head_left -= len(data)",
        "pass",
        CLIENT + "informational_answers_without_an_end_are",
    ),
    Defence(
        "answer of Graph that nobody asked for, while idle",
        "graphrelay/graph/http/connection.py",
        "if data and self._is_answered and (self._payload is None or self._payload.is_eof()):",
        "if False:",
        CLIENT + "comes_after_the_answer",
    ),
    Defence(
        "success of Graph before it has the message",
        "graphrelay/graph/http/connection.py",
        "if 200 <= status < 300 and not self._is_sent and not self._is_answered:",
        "if False:",
        CLIENT + "success_while",
    ),
    Defence(
        "request to Graph made twice by the HTTP client",
        "graphrelay/graph/http/exchange.py",
        "except aiohttp.ServerDisconnectedError as error:",
        "except ZeroDivisionError as error:",
        CLIENT + "made_twice",
    ),
    Defence(
        "redirect that takes the token elsewhere",
        "graphrelay/graph/http/exchange.py",
        "allow_redirects=False",
        "allow_redirects=True",
        CLIENT + "redirect_is_not_followed",
    ),
    Defence(
        "message sent in part taken for one sent whole",
        "graphrelay/graph/http/exchange.py",
        "            self.begun = True\n",
        "            self.begun = self._whole = True\n",
        CLIENT + "middle_of_the_body",
    ),
    Defence(
        "compressed error of Graph: bomb",
        "graphrelay/graph/http/exchange.py",
        "decompress(body, longest)",
        "decompress(body)",
        CLIENT + "64_kb",
    ),
    Defence(
        "answer of Entra without an end",
        "graphrelay/oauth/entra/msal_http.py",
        "if self._octets > LONGEST_ANSWER:",
        "if False:",
        ENTRA + "64_kb",
    ),
    Defence(
        "answer of Entra that drips in",
        "graphrelay/oauth/entra/msal_http.py",
        "left = self.until - time.monotonic()",
        "left = 60.0",
        ENTRA + "drips",
    ),
    Defence(
        "compressed answer of Entra",
        "graphrelay/oauth/entra/msal_http.py",
        'if (encoding := headers.get("Content-Encoding", "identity").strip()) != "identity":',
        'if (encoding := "") != "":',
        ENTRA + "compressed_is_not_unpacked",
    ),
    Defence(
        "device authorization without a code",
        "graphrelay/oauth/entra/grants.py",
        "if not isinstance(text, str) or not text or not text.isprintable():",
        "if False:",
        AUTHORIZE + "without_what_it_needs",
    ),
    Defence(
        "malformed answer while a person signs in",
        "graphrelay/oauth/sign_in/authorizer.py",
        "case EntraUnreachable(malformed=False):",
        "case EntraUnreachable():",
        AUTHORIZE + "malformed",
    ),
    Defence(
        "scopes and refresh tokens that are not text",
        "graphrelay/oauth/entra/grants.py",
        "if wrong := not_text(answer):",
        'if wrong := "":',
        AUTHORIZE + "malformed",
    ),
    Defence(
        "ID token of another tenant",
        "graphrelay/oauth/sign_in/authorizer.py",
        "if response.tenant_id and tenant != response.tenant_id:",
        "if False:",
        AUTHORIZE + "another_tenant",
    ),
    Defence(
        "ID token that names the user by email alone",
        "graphrelay/oauth/sign_in/authorizer.py",
        'for claim in ("preferred_username", "upn"):',
        'for claim in ("preferred_username", "upn", "email"):',
        AUTHORIZE + "by_email",
    ),
    Defence(
        "a sender for each message takes all turns",
        "graphrelay/relay/queue/fair_order.py",
        "return entry.login, entry.client, entry.sender, is_large(entry)",
        'return "", "", entry.sender, is_large(entry)',
        "tests/relay/queue/test_fair_order.py",
    ),
    Defence(
        "a reverse path for each message takes all turns",
        "graphrelay/model/message.py",
        'submission.origin.author or (path.key if path else "")',
        'path.key if path else ""',
        "tests/relay/accept/test_reception.py -k no_more_turns",
    ),
    Defence(
        "a message that no process survives, and those read beside it",
        "graphrelay/relay/deliver/courier.py",
        "async with self._suspect if waiting.suspect else nullcontext():",
        "async with nullcontext():",
        "tests/relay/deliver/test_courier.py -k one_by_one",
    ),
    Defence(
        "commands keep the daemon from starting",
        "graphrelay/spool/sqlite/files/lock.py",
        "            _give_way(directory)\n",
        "",
        "tests/spool/sqlite/files/test_lock.py",
    ),
    Defence(
        "a report for each of 1,000 recipients",
        "graphrelay/relay/reports/reporter.py",
        'minute = self._minutes.get(name) if content.action == "failed" else None',
        "minute = None",
        "tests/relay/reports/test_reporter.py -k within_a_minute",
    ),
    Defence(
        "reports without end to one address",
        "graphrelay/relay/reports/reporter.py",
        "if self._counts[recipient.key] < MOST_PER_HOUR:",
        "if True:",
        "tests/relay/reports/test_reporter.py -k share_of_an_hour",
    ),
    Defence(
        "charset looked for anew in each field",
        "graphrelay/mime/header.py",
        "    @cached_property\n    def charset(self) -> str:",
        "    @property\n    def charset(self) -> str:",
        "tests/relay/outgoing/test_charset.py -k looked_for_once",
    ),
    Defence(
        "parameters of any length",
        "graphrelay/mime/parameters.py",
        "found, octets = _split(octets[:LONGEST])",
        "found, octets = _split(octets[:])",
        "tests/mime/test_parameters.py -k longer_than_any_field",
    ),
    Defence(
        "tenant that is a URL",
        "graphrelay/config/units.py",
        "        return host_name(value)\n    except ValueError as error:",
        "        return str(value)\n    except ValueError as error:",
        "tests/config/test_load.py -k names-and-references",
    ),
    Defence(
        "mailbox that Exchange cannot have",
        "graphrelay/config/units.py",
        "and is_mailbox(value) and not _NOT_OF_EXCHANGE.search(value)",
        "and is_mailbox(value)",
        "tests/config/test_load.py -k names-and-references",
    ),
    Defence(
        "duration of which the beginning alone is one",
        "graphrelay/config/units.py",
        "_DURATION.fullmatch(value) if",
        "_DURATION.match(value) if",
        "tests/config/test_units.py -k duration_without_a_unit",
    ),
    Defence(
        "size of which the beginning alone is one",
        "graphrelay/config/units.py",
        "fits = not isinstance(value, str) or _SIZE.fullmatch(value)",
        "fits = True",
        "tests/config/test_units.py -k a_size_that_is_none",
    ),
    Defence(
        "50,000 dotted keys: one deep key",
        "graphrelay/toml_file.py",
        "if deep := _DEEP.search(text):",
        'if deep := re.search("(?!)", text):',
        "tests/config/test_load.py -k many_parts",
    ),
    Defence(
        "account name that cannot be kept",
        "graphrelay/config/units.py",
        'and len(quote(value, safe="")) <= LONGEST_NAME',
        "",
        "tests/config/test_load.py -k name_of_an_account",
    ),
    Defence(
        "routes for logins and listeners that there are not",
        "graphrelay/config/load.py",
        "if isinstance(name, str) and name not in there:",
        "if False:",
        "tests/config/test_load.py -k names-and-references",
    ),
)


def main() -> int:
    chosen = [one for one in (*DEFENCES, *BOUNDS) if not sys.argv[1:] or sys.argv[1] in one.attack]
    weak = 0
    with TemporaryDirectory(prefix="graphrelay-defences-") as folder:
        copy = Path(folder, "tree")
        ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for defence in chosen:
            outcome = _try(defence, copy)
            weak += outcome != "red"
            print(f"{outcome:8} {defence.attack}", flush=True)
    print(f"{len(chosen) - weak} of {len(chosen)} tests go red without their defence")
    return 1 if weak else 0


def _try(defence: Defence, copy: Path) -> str:
    file = copy / defence.file
    before = file.read_text(encoding="utf-8")
    if before.count(defence.what) != 1:
        return "missing"
    file.write_text(before.replace(defence.what, defence.without), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["--timeout", "25", *defence.test.split()]
        ended = subprocess.run(command, cwd=copy, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return "red"  # what should have been cut off continues for ever
    finally:
        file.write_text(before, encoding="utf-8")
    return {0: "GREEN", 1: "red"}.get(ended.returncode, f"exit {ended.returncode}")


if __name__ == "__main__":
    sys.exit(main())
