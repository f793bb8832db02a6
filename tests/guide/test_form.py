"""The questions as a form: all of them at once, each with what is wrong."""

from pathlib import Path

import pytest

from graphrelay.config.settings import CloudTable
from graphrelay.guide.form import FormField, FormQuestions
from graphrelay.guide.interview import interview_about_account

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
USER = {"scenario": "user", "tenant": "contoso.com", "username": "wp@contoso.com"}


def asked(answers: dict[str, str]) -> FormQuestions:
    questions = FormQuestions(Path("/etc/graphrelay/accounts.d/x.toml"), answers)
    interview_about_account(questions, CloudTable(), others=False)
    return questions


def fields(answers: dict[str, str]) -> dict[str, FormField]:
    return {one.key: one for one in asked(answers).fields}


@pytest.mark.parametrize(
    ("answers", "keys"),
    [
        (
            {"scenario": "user"},
            "scenario account tenant username address mailboxes large_messages exact_once "
            "client_id",
        ),
        (
            {"scenario": "personal"},
            "scenario account username address large_messages exact_once client_id",
        ),
        (
            {"scenario": "any-user", "credential": "secret"},
            "scenario credential account tenant mailboxes large_messages exact_once client_id "
            "client_secret client_secret_expires",
        ),
        (
            {"scenario": "scoped-users"},
            "scenario credential account tenant mailboxes certificate_file large_messages "
            "exact_once client_id",
        ),
    ],
)
def test_every_question_of_a_scenario_is_found_before_anything_is_answered(
    answers: dict[str, str], keys: str
) -> None:
    assert list(fields(answers)) == keys.split()


def test_the_form_is_complete_when_nothing_is_missing_or_wrong() -> None:
    assert not asked(USER).complete
    assert fields(USER)["client_id"].missing
    assert asked({**USER, "client_id": CLIENT}).complete


def test_a_wrong_answer_says_what_is_wrong_and_hides_no_other_question() -> None:
    found = fields({**USER, "tenant": "contoso", "client_id": "x"})
    assert found["tenant"].problem.startswith("must be a domain such as contoso.com")
    assert found["tenant"].answer == "contoso"
    assert found["client_id"].problem.startswith("must be an id such as")
    assert not found["username"].problem


def test_the_primary_address_is_the_user_name_unless_somebody_says_otherwise() -> None:
    found = fields({**USER, "username": "joe@contoso.com"})["address"]
    assert (found.answer, found.example, found.optional) == ("", "joe@contoso.com", True)
    assert fields({**USER, "address": "web@contoso.com"})["address"].answer == "web@contoso.com"


def test_an_example_is_never_an_answer() -> None:
    for scenario in ("user", "personal", "any-user", "scoped-users"):
        for one in fields({"scenario": scenario}).values():
            assert one.kind == "choice" or not one.answer, one


def test_a_secret_is_in_no_field() -> None:
    answers = {"scenario": "any-user", "credential": "secret", "client_secret": "geheim"}
    found = fields(answers)
    assert not found["client_secret"].missing
    assert "geheim" not in str(found)


def test_the_id_of_a_secret_is_refused_in_its_place() -> None:
    answers = {"scenario": "any-user", "credential": "secret", "client_secret": CLIENT}
    assert fields(answers)["client_secret"].problem == (
        "this is the secret's ID, but its value is needed"
    )


def test_an_unknown_scenario_is_the_recommended_one() -> None:
    assert fields({"scenario": "everything"})["scenario"].answer == "user"
