"""Passwords in the texts of statements: what is left out, and what is not."""

import pytest

from cqlserver.password_obfuscator import may_have_password, obfuscated, obfuscated_message


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CREATE ROLE r WITH PASSWORD = 'abc' AND LOGIN = true", "CREATE ROLE r WITH PASSWORD = '*******' AND LOGIN = true"),
        ("alter  user u with password 'it''s' superuser", "alter  user u with password '*******' superuser"),
        ("CREATE USER u WITH HASHED PASSWORD '$2a$10$x'", "CREATE USER u WITH HASHED PASSWORD '*******'"),
        ("ALTER ROLE r WITH HASHED\nPASSWORD\n=$$a'b$$;", "ALTER ROLE r WITH HASHED\nPASSWORD\n='*******';"),
        (
            "/* a */ CREATE -- ROLE x\n ROLE password WITH LOGIN = true AND PASSWORD /* = 'b' */ = 'abc'",
            "/* a */ CREATE -- ROLE x\n ROLE password WITH LOGIN = true AND PASSWORD /* = 'b' */ = '*******'",
        ),
        ("CREATE ROLE r WITH PASSWORD = 'abc", "CREATE ROLE r WITH PASSWORD = '*******'"),
    ],
)
def test_of_a_role_the_password_alone_is_left_out(text: str, kept: str) -> None:
    assert obfuscated(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO users (name, password) VALUES ('a', 'abc')",
        "CREATE TABLE role (password text PRIMARY KEY)",
        "SELECT password FROM role WHERE user = 'alter user'",
        "CREATE ROLE r WITH LOGIN = true",
        "",
        "-- password",
    ],
)
def test_what_is_not_about_roles_is_kept(text: str) -> None:
    assert obfuscated(text) == text


def test_of_what_is_no_statement_all_behind_the_word_is_left_out() -> None:
    assert obfuscated("CREAT ROLE r WITH Password = 'abc'", is_unparsed=True) == "CREAT ROLE r WITH Password *******"
    assert obfuscated("SELEC abc", is_unparsed=True) == "SELEC abc"


def test_a_syntax_error_does_not_quote_a_password() -> None:
    message = "line 1:28 mismatched input 'abc'"
    told = obfuscated_message(message, "CREATE ROLE r WITH PASSWORD abc")
    assert told == "Syntax Exception. Obscured for security reasons."
    assert obfuscated_message(message, "CREATE ROLE r WITH LOGIN abc") == message


def test_a_long_text_takes_linear_time() -> None:
    text = "CREATE ROLE r WITH PASSWORD = 'a' " + "-- -- /* // " * 50_000
    assert obfuscated(text).startswith("CREATE ROLE r WITH PASSWORD = '*******' --")
    assert len(obfuscated("CREATE " + "/**/ -- x" * 50_000 + " password")) > 50_000


def test_messages_that_may_have_one() -> None:
    assert may_have_password(b"\0\0PassWord\xff")
    assert not may_have_password(b"pass word")
