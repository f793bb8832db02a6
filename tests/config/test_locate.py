"""The line of a key in a TOML file."""

from graphrelay.config.locate import Lines, Place, Places

TEXT = """state_directory = "x"
[smtp]
hostname = "h" # [not.a.table]
[[smtp.listeners]]
address = "a"
[[smtp.listeners]]
address = "b"
[accounts."web site"]
client_id = "c"
"""


def test_keys_are_found_in_their_tables() -> None:
    assert Lines(TEXT).of(("state_directory",)) == 1
    assert Lines(TEXT).of(("smtp", "hostname")) == 3
    assert Lines(TEXT).of(("smtp", "listeners", 1, "address")) == 7
    assert Lines(TEXT).of(("accounts", "web site", "client_id")) == 9


def test_a_key_that_is_not_there_is_answered_with_its_table() -> None:
    assert Lines(TEXT).of(("smtp", "listeners", 0, "tls")) == 4
    assert Lines(TEXT).of(("accounts", "other", "tenant")) == 0


def test_the_keys_of_an_account_with_a_file_of_its_own_are_there() -> None:
    own = "# By the console\n[accounts.other]\ntenant = 'contoso.com'\n"
    places = Places(TEXT, {"other": ("accounts.d/other.toml", own)})
    assert places.of(("accounts", "other", "tenant")) == Place(3, "accounts.d/other.toml")
    assert places.of(("smtp", "hostname")) == Place(3)
    assert str(places.of(("accounts", "other", "tenant"))) == "accounts.d/other.toml, line 3"
    assert str(places.of(("nowhere",))) == ""
