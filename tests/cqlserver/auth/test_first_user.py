"""The superuser that is there before the port opens."""

from dataclasses import replace

import pytest
from auth_server import SETTINGS, AuthSession, auth_node

from cqlserver.__main__ import configure
from cqlserver.program.config import ConfigError
from protocol.responses import Error


def test_a_user_of_ones_own_takes_the_place_of_cassandra() -> None:
    node = auth_node(replace(SETTINGS, first_user=("app", "secret")))
    app = AuthSession(node, "app", "secret")
    app.done("CREATE ROLE other WITH SUPERUSER = true")
    assert isinstance(AuthSession(node).log_in("cassandra", "cassandra"), Error)


def test_the_command_line() -> None:
    auth = configure(["--user", "app:se:cret"]).auth
    assert (auth.requires_login, auth.authorizes, auth.first_user) == (True, True, ("app", "se:cret"))
    assert configure(["--auth"]).auth.first_user is None
    assert not configure([]).auth.requires_login
    tls = configure(["--tls", "cert.pem:key.pem"]).tls
    assert tls is not None
    assert (str(tls.keystore), str(tls.key_file)) == ("cert.pem", "key.pem")
    for arguments in (["--user", "app"], ["--user", ":x"], ["--tls", "cert.pem"]):
        with pytest.raises(ConfigError, match="takes"):
            configure(arguments)
