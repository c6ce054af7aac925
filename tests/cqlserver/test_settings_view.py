"""system_views.settings: what is told of settings that mean something here."""

import pytest

from cqlserver.program.config import Config, apply_setting
from cqlserver.system.settings import setting_rows, warn_of_names


def shown(*given: str) -> dict[str, str | None]:
    config = Config(data=None)
    for text in given:
        config = apply_setting(config, text)
    rows = [(row["name"], row["value"]) for row in setting_rows(config)]
    assert len(dict(rows)) == len(rows)
    return {str(name): value for name, value in rows}


def test_what_is_on_is_told_to_be_on_by_both_of_its_names() -> None:
    assert shown()["materialized_views_enabled"] == shown()["enable_materialized_views"] == "true"
    off = shown("materialized_views_enabled=false")
    assert off["materialized_views_enabled"] == off["enable_materialized_views"] == "false"


def test_amounts_are_shown_as_they_were_written() -> None:
    assert shown()["roles_validity"] == "2s"
    found = shown("roles_validity=3000ms", "native_transport_max_request_data_in_flight=32MiB")
    assert found["roles_validity"] == "3000ms"
    assert found["native_transport_max_request_data_in_flight"] == "32MiB"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("authorizer", "authorizer.class_name"),
        ("audit_logging_options_logger", "audit_logging_options.logger.class_name"),
        ("server_encryption_options_optional", "server_encryption_options.optional"),
        ("server_encryption_options_nosuch", None),
        ("authorizer.class_name", None),
        ("num_tokens", None),
    ],
)
def test_names_of_old_are_warned_of(name: str, written: str | None) -> None:
    warnings: list[str] = []
    warn_of_names((name.encode(),), warnings.append)
    assert warnings == ([] if written is None else [f"key '{name}' is deprecated; should switch to '{written}'"])
