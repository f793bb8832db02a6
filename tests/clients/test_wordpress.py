"""WordPress: wp_mail through SMTP, as site owners set it up, and through mail(), as it comes."""

import re
from pathlib import Path

from tests.clients import letter, msmtp
from tests.clients.arrivals import Relay
from tests.clients.wordpress_site import Site

HEADERS = [
    f"From: Käthes Laden <{letter.SENDER}>",
    f"Cc: {letter.CC}",
    f"Bcc: {letter.BCC}",
    "Reply-To: Verkauf <sales@contoso.com>",
    "Content-Type: text/html; charset=UTF-8",
]


async def test_html_with_attachment_copies_and_reply_to_arrives(
    relay: Relay, wordpress: Site, tmp_path: Path
) -> None:
    smtp = (relay.smtp_host, relay.smtp_port)
    scan = str(letter.written(tmp_path))
    await wordpress.call(
        "wp_mail", letter.TO, letter.SUBJECT, letter.HTML, HEADERS, [scan], smtp=smtp
    )
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival, text="")
    assert arrival.html == letter.HTML
    assert arrival.header_addresses("Reply-To") == ["sales@contoso.com"]
    assert "Käthes Laden" in str(arrival.message["From"])


async def test_the_same_letter_arrives_through_php_mail(
    relay: Relay, wordpress: Site, tmp_path: Path
) -> None:
    sendmail = msmtp.sendmail(relay, tmp_path)
    scan = str(letter.written(tmp_path))
    await wordpress.call(
        "wp_mail", letter.TO, letter.SUBJECT, letter.HTML, HEADERS, [scan], sendmail=sendmail
    )
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival, text="")
    assert arrival.html == letter.HTML
    assert arrival.header_addresses("Reply-To") == ["sales@contoso.com"]


async def test_a_list_of_recipients_gets_one_message(relay: Relay, wordpress: Site) -> None:
    smtp = (relay.smtp_host, relay.smtp_port)
    people = [f"customer{number}@example.org" for number in range(60)]
    await wordpress.call("wp_mail", people, "Sale", "Ends on Sunday", HEADERS[:1], smtp=smtp)
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == tuple(sorted(people))
    assert arrival.header_addresses("To") == people
    assert arrival.text == "Ends on Sunday"


async def test_its_own_password_mail_reaches_the_owner(relay: Relay, wordpress: Site) -> None:
    """With the sender that WordPress invents, which no mailbox has: replies still go there."""
    smtp = (relay.smtp_host, relay.smtp_port)
    await wordpress.call("retrieve_password", "owner", smtp=smtp)
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == ("alice@contoso.com",)
    assert arrival.sender == letter.SENDER
    assert arrival.header_addresses("Reply-To") == ["wordpress@shop.contoso.com"]
    assert arrival.subject == "[Käthes Laden] Password Reset"
    assert re.search(r"http://shop\.contoso\.com/wp-login\.php\?\S*\baction=rp\b", arrival.text)
