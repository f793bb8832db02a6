"""What a client hears, and what the reception gets."""

from graphrelay.model import Address, Envelope
from tests.smtp.reception import serving


async def test_a_message_goes_through() -> None:
    async with serving() as house, await house.greeted() as client:
        assert await client.ask("MAIL FROM:<a@b.example>") == "250 2.1.0 Sender ok"
        assert await client.ask("RCPT TO:<c@d.example>") == "250 2.1.5 Recipient ok"
        assert await client.ask("DATA") == "354 End data with <CR><LF>.<CR><LF>"
        assert await client.ask("Subject: x", "", "..dot", ".") == "250 2.0.0 Ok: queued as Q1"
        assert await client.ask("QUIT") == "221 2.0.0 Bye"
        assert await client.is_closed()
        (message,) = house.reception.received
        assert message.envelope == Envelope(Address("a", "b.example"), (Address("c", "d.example"),))
        assert message.octets == b"Subject: x\r\n\r\n.dot\r\n"
        assert message.origin.client == "127.0.0.1"
        assert message.origin.helo == "client.example"
