"""The pytest plugin as its users have it: projects of their own, run by a pytest of their own."""

import re
import tomllib
from pathlib import Path

import pytest

from cqlserver.query_log.habits import HABITS

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a schema and rows. The plugin is named, so that it does not hang on how this package is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(HOME))
    (pytester.path / "schema.cql").write_text("CREATE TABLE t (k int PRIMARY KEY, v text);")
    (pytester.path / "t.csv").write_text("k,v\n1,a\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "cqlserver.testing.plugin", *arguments, timeout=600)


def test_states_markers_and_kinds_of_tests(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\ncassandra_schema = schema.cql\n")
    project.makepyfile(
        """
        import asyncio, unittest
        import pytest

        def rows(server):
            return server.execute("SELECT k, v FROM test.t")

        @pytest.mark.parametrize("n", range(3))
        def test_each_begins_with_empty_tables(cassandra, cassandra_session, n):
            assert rows(cassandra) == []
            cassandra_session.execute("INSERT INTO t (k, v) VALUES (%s, 'x')", (n,))
            assert rows(cassandra) == [{"k": n, "v": "x"}]

        @pytest.mark.cassandra(data="t.csv")
        @pytest.mark.parametrize("n", range(2))
        def test_rows_come_back(cassandra, cassandra_keyspace, n):
            assert cassandra_keyspace == "test"
            assert rows(cassandra) == [{"k": 1, "v": "a"}]
            cassandra.execute("DELETE FROM test.t WHERE k = 1; CREATE TABLE IF NOT EXISTS test.more (k int PRIMARY KEY)")

        @pytest.mark.cassandra(data="t.csv", reset="all")
        @pytest.mark.parametrize("n", range(2))
        def test_the_schema_too(cassandra, n):
            if n == 0:
                assert cassandra.execute("SELECT * FROM test.more") == []  # the reset before was of the data
            cassandra.execute("CREATE TABLE test.other (k int PRIMARY KEY)")

        @pytest.mark.cassandra(reset="none")
        @pytest.mark.parametrize("n", range(2))
        def test_what_is_not_reset_stays(cassandra, n):
            assert len(rows(cassandra)) == n
            cassandra.execute(f"INSERT INTO test.t (k) VALUES ({n})")

        @pytest.mark.cassandra(schema=["schema.cql", "CREATE TABLE u (k int PRIMARY KEY)"])
        class TestOfAClass:
            def test_texts_of_cql(self, cassandra):
                assert cassandra.execute("SELECT * FROM u", keyspace="test") == []

        @pytest.mark.usefixtures("cassandra")
        class TestOfUnittest(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _server(self, cassandra):
                self.server = cassandra

            def test_it(self):
                assert rows(self.server) == []

        def test_of_asyncio(cassandra):
            async def main():
                return rows(cassandra)
            assert asyncio.run(main()) == []

        def test_the_session_keeps_no_settings(cassandra_session):
            from cassandra.query import dict_factory
            cassandra_session.row_factory = dict_factory
            cassandra_session.set_keyspace("system")

        def test_of_the_test_before(cassandra_session):
            assert cassandra_session.keyspace == "test"
            assert cassandra_session.execute("SELECT count(*) FROM t").one()[0] == 0
        """
    )
    run(project).assert_outcomes(passed=14)


def test_faults_are_told_and_servers_replaced(project: pytest.Pytester) -> None:
    (project.path / "wrong.cql").write_text("CREATE TABLE a (k int PRIMARY KEY);\n\nCREATE TABLE b (k int);\n")
    (project.path / "wrong").mkdir()
    (project.path / "wrong/t.csv").write_text("k,w\n1,a\n")
    project.makepyfile(
        """
        import pytest

        def test_kills(cassandra):
            cassandra.process.kill()

        @pytest.mark.cassandra(schema="schema.cql")
        def test_fails(cassandra, cassandra_session):
            for k in range(25):
                cassandra_session.execute("INSERT INTO t (k, v) VALUES (%s, 'x')", (k,))
            assert cassandra_session.execute("SELECT nope FROM t")

        @pytest.mark.cassandra(schema="wrong.cql")
        def test_wrong_schema(cassandra): pass

        @pytest.mark.cassandra(schema="schema.cql", data="wrong")
        def test_wrong_rows(cassandra): pass

        @pytest.mark.cassandra(schema="missing.cql")
        def test_missing(cassandra): pass

        @pytest.mark.cassandra(rest="all")
        def test_wrong_marker(cassandra): pass

        @pytest.mark.cassandra(reset="everything")
        def test_wrong_word(cassandra): pass

        @pytest.mark.cassandra(settings={"num_token": 3})
        def test_wrong_setting(cassandra): pass

        @pytest.mark.cassandra(allow=["full-scans"])
        def test_wrong_habit(cassandra): pass
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=1, errors=8)
    text = result.stdout.str()
    for told in (
        r"the test's server has died: the server at 127.0.0.1:\d+ \(pid \d+\) was killed by SIGKILL. Its log:",
        r"/wrong.cql:3: No PRIMARY KEY specifed for table 'b' \(exactly one required\)\n  in CREATE TABLE b \(k int\)",
        r"/wrong/t.csv:2: Undefined column name w in table test.t",
        r"the seed 'missing.cql' does not exist: there is no [^ ]*/missing.cql\n",
        r"@pytest.mark.cassandra takes no rest; it takes schema, data, settings, reset, allow",
        r"@pytest.mark.cassandra\(reset=...\) is 'everything', and none of data, all, none",
        r"cassandra.yaml knows no num_token",
        rf"@pytest.mark.cassandra\(allow=...\) is 'full-scans', and none of {', '.join(HABITS)}",
        r"-+ Cassandra: the test's last statements -+",
        r"INSERT INTO t \(k, v\) VALUES \(24, 'x'\) · \w+ · \d+ us · done",
        r"SELECT nope FROM t · \w+ · \d+ us · InvalidRequest: Undefined column name nope in table test.t",
    ):
        assert re.search(told, text), (told, text)
    assert text.count("INSERT INTO t (k, v) VALUES (") == 19 + text.count("VALUES (%s")
    assert "Traceback" not in text
    assert "Downgrading core protocol version" not in text


def test_strict_mode_fails_a_test_by_the_habits_name(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.cassandra(schema="schema.cql")

        def test_scans(cassandra, cassandra_session):
            cassandra_session.execute("SELECT * FROM t")

        @pytest.mark.cassandra(allow=["full-scan"])
        def test_may_scan(cassandra, cassandra_session):
            cassandra_session.execute("SELECT * FROM t")

        def test_is_good(cassandra, cassandra_session):
            cassandra_session.execute("SELECT * FROM t WHERE k = 1")
            with cassandra.assert_queries(2, table="t"):
                cassandra_session.execute("SELECT * FROM t WHERE k = 1")
                cassandra_session.execute("SELECT * FROM t WHERE k = 2")
        """
    )
    result = run(project, "--cassandra-strict", "fail")
    result.assert_outcomes(passed=3, errors=1)
    text = result.stdout.str()
    assert "\nfull-scan (Cassandra, strict mode)\n" in text
    assert "full-scan: it reads the whole table" in text
    assert "allowed by @pytest.mark.cassandra(allow=['full-scan'])" in text


@pytest.mark.parametrize("shared", [False, True])
def test_workers_of_xdist(project: pytest.Pytester, shared: bool) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.cassandra(schema="schema.cql")
        @pytest.mark.parametrize("n", range(8))
        def test_it(cassandra, cassandra_keyspace, n):
            table = f"{cassandra_keyspace}.t"
            assert cassandra.execute(f"SELECT * FROM {table}") == []
            cassandra.execute(f"INSERT INTO {table} (k) VALUES ({n})")
            assert len(cassandra.execute(f"SELECT * FROM {table}")) == 1
            print(cassandra_keyspace, cassandra.port)
        """
    )
    result = run(project, "-p", "xdist", "-n", "2", "-rA", *(["--cassandra-shared"] if shared else []))
    result.assert_outcomes(passed=8)
    told = set(re.findall(r"^(test\w*) (\d+)$", result.stdout.str(), re.MULTILINE))
    assert len({port for _, port in told}) == (1 if shared else 2)
    assert {keyspace for keyspace, _ in told} == ({"test_gw0", "test_gw1"} if shared else {"test"})


def test_a_real_cluster_that_is_not_there_or_must_not_be_touched(project: pytest.Pytester) -> None:
    import cqlserver

    project.makepyfile("def test_it(cassandra): pass")
    with cqlserver.start(settings={"cluster_name": "PRODUCTION eu"}) as server:
        refused = run(project, "--cassandra-real", server.contact)
        assert server.execute("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'test'") == []
    assert "is called 'PRODUCTION eu', which looks like one that tests must not touch" in refused.stdout.str()
    nobody = run(project, "--cassandra-real", server.contact)
    assert f"no Cassandra answers at {server.contact} (--cassandra-real)" in nobody.stdout.str()


def test_seeds_and_verbs_touch_nothing_of_others_on_a_real_cluster(project: pytest.Pytester) -> None:
    import cqlserver

    project.makepyfile(
        """
        import pytest

        REPLICATION = "replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        WRONG = ["INSERT INTO theirs.t (k) VALUES (2)", "DROP KEYSPACE theirs", "TRUNCATE TABLE theirs.t", "USE theirs",
                 f"CREATE KEYSPACE IF NOT EXISTS theirs WITH {REPLICATION}", "CREATE INDEX ON theirs.t (k)",
                 "BEGIN BATCH INSERT INTO t (k) VALUES (1); DELETE FROM theirs.t WHERE k = 1 APPLY BATCH",
                 'UPDATE "theirs" . t SET v = 1 WHERE k = 1', "CREATE ROLE other"]

        @pytest.mark.parametrize("text", WRONG)
        def test_it(cassandra, text):
            with pytest.raises(Exception, match="theirs .* is not one of|theirs exists|not the tests' own"):
                cassandra.execute(text)

        def test_in_use(cassandra):
            with pytest.raises(Exception, match="is not one of"):
                cassandra.execute("TRUNCATE t", keyspace="theirs")

        def test_of_the_query_log(cassandra):
            with cassandra.assert_queries(0):
                pass

        @pytest.mark.cassandra(schema="CREATE TABLE theirs.u (k int PRIMARY KEY)")
        def test_seed(cassandra): pass

        @pytest.mark.cassandra(schema="schema.cql", data="t.csv")
        def test_own(cassandra, cassandra_keyspace):
            assert cassandra.execute("SELECT k FROM t", keyspace=cassandra_keyspace) == [{"k": 1}]
            assert cassandra.execute("SELECT k FROM theirs.t") == [{"k": 1}]
        """
    )
    with cqlserver.start() as server:
        server.execute("CREATE KEYSPACE theirs WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        server.execute("CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t (k) VALUES (1)", keyspace="theirs")
        result = run(project, "--cassandra-real", server.contact)
        result.assert_outcomes(passed=11, skipped=1, errors=1)
        assert "the keyspace theirs on" in result.stdout.str()
        assert server.execute("SELECT * FROM theirs.t") == [{"k": 1}]
        (tables,) = server.execute("SELECT count(*) FROM system_schema.tables WHERE keyspace_name = 'theirs'")
        assert tables == {"count": 1}
        wrong = run(project, "--cassandra-real", "127.0.0.1:abc", "-k", "test_own")
        assert "--cassandra-real 127.0.0.1:abc: give HOST:PORT, like 127.0.0.1:9042" in wrong.stdout.str()
        wrong = run(project, "--cassandra-real", server.contact, "--cassandra-real-forbidden", "(", "-k", "test_own")
        assert "--cassandra-real-forbidden '(' is no regular expression" in wrong.stdout.str()


def test_the_keyspace_is_called_as_cql_has_its_name(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.cassandra(schema="schema.cql")
        def test_it(cassandra, cassandra_keyspace, cassandra_session):
            assert cassandra_keyspace == cassandra_session.keyspace == "shop"
            assert cassandra.execute(f"SELECT k FROM {cassandra_keyspace}.t") == []
        """
    )
    run(project, "--cassandra-keyspace", "Shop").assert_outcomes(passed=1)
    wrong = run(project, "--cassandra-keyspace", "my-shop")
    assert "cassandra_keyspace is 'my-shop': a name has letters, digits and _ alone" in wrong.stdout.str()


def test_a_start_of_pytest_pays_next_to_nothing(project: pytest.Pytester) -> None:
    """Nothing is imported but the plugin itself."""
    project.makepyfile(
        """
        import sys

        def test_it():
            ours = ("storage", "protocol", "grammar", "cluster", "trio")
            loaded = [name for name in sys.modules if name.split(".")[0] in ours]
            assert loaded == []
            assert sorted(name for name in sys.modules if name.startswith("cqlserver")) == [
                "cqlserver", "cqlserver.testing", "cqlserver.testing.plugin"
            ]
        """
    )
    run(project).assert_outcomes(passed=1)


def test_the_distribution_of_the_plugin_is_of_the_servers_version() -> None:
    server = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    plugin = tomllib.loads((HOME / "cqlserver/testing/pyproject.toml").read_text())["project"]
    assert plugin["version"] == server["version"]
    assert f"cqlserver=={server['version']}" in plugin["dependencies"]
    assert plugin["entry-points"]["pytest11"] == {"cqlserver": "cqlserver.testing.plugin"}
    assert "pytest11" not in server.get("entry-points", {})
