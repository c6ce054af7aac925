"""Every example of docs/testing.md, run as it stands there."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[2]
PAGE = (HOME / "docs/testing.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_examples_for_pytest_and_unittest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(HOME))
    (pytester.path / "schema.cql").write_text(blocks("cql")[0])
    (pytester.path / "orders.csv").write_text('id,item,tags\n1,tea,"[""hot""]"\n')
    tests = [block for block in blocks("python") if re.search(r"def test_", block)]
    assert len(tests) == 4
    for number, block in enumerate(tests):
        head = "" if "import " in block.split("@")[0].split("def ")[0] else "import pytest\n"
        (pytester.path / f"test_{number}.py").write_text(head + block)
    result = pytester.runpytest_subprocess("-p", "cqlserver.testing.plugin", timeout=600)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("start", ["with cqlserver.start()", "with cqlserver.start(mtls=True)"])
def test_an_example_that_starts_a_server(start: str) -> None:
    example = next(block for block in blocks("python") if start in block)
    exec(example, {})  # the page is ours


def test_the_table_of_verbs_names_methods_and_commands() -> None:
    from cqlserver import Running
    from cqlserver.commands import COMMANDS

    for method in re.findall(r"`server\.(\w+)\(", PAGE):
        assert callable(getattr(Running, method)), method
    for command in re.findall(r"`cqlserver (\w+)", PAGE):
        assert command in COMMANDS, command


def test_every_habit_is_told_of() -> None:
    from cqlserver.query_log.habits import HABITS

    section = PAGE[PAGE.index("## Strict mode") : PAGE.index("## Several workers")]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(HABITS)
