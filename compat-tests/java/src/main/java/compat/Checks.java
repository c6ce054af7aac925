package compat;

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.DefaultProtocolVersion;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.config.ProgrammaticDriverConfigLoaderBuilder;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.ExecutionInfo;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.QueryTrace;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.data.CqlDuration;
import com.datastax.oss.driver.api.core.data.CqlVector;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.schema.ClusteringOrder;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.SchemaChangeListenerBase;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.metadata.token.Token;
import com.datastax.oss.driver.api.core.servererrors.AlreadyExistsException;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.SyntaxError;
import com.datastax.oss.driver.api.core.servererrors.UnavailableException;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.datastax.oss.driver.api.core.type.codec.TypeCodecs;
import com.datastax.oss.driver.api.core.uuid.Uuids;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/**
 * Checks through the Java driver, one line each: "ok name" or "FAIL name: why". Arguments: host, port, keyspace.
 *
 * <p>Each check runs with protocol v3, v4 and v5, in tables of its own version; the keyspace is made and dropped here.
 */
public final class Checks {
  private static final int ROWS = 250;
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final CqlSession session;
  private final String version;
  private final String keyspace;

  private Checks(CqlSession session, String version, String keyspace) {
    this.session = session;
    this.version = version;
    this.keyspace = keyspace;
  }

  private interface Check {
    void run() throws Exception;
  }

  public static void main(String[] arguments) {
    InetSocketAddress address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
    String keyspace = arguments[2];
    check("negotiation", () -> negotiation(address));
    CqlSession session = connect(address, "V5", "none");
    session.execute(
        "CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    try {
      session.execute("CREATE TYPE " + keyspace + ".address (street text, zip int)");
      for (String[] choice :
          new String[][] {{"V3", "none"}, {"V4", "none"}, {"V5", "none"}, {"V4", "lz4"}, {"V5", "lz4"}, {"V4", "snappy"}}) {
        boolean compressed = !choice[1].equals("none");
        String version = choice[0].toLowerCase() + (compressed ? "_" + choice[1] : "");
        try {
          new Checks(connect(address, choice[0], choice[1]), version, keyspace).all(compressed);
        } catch (RuntimeException error) {
          System.out.println("FAIL connect_" + version + ": " + error);
        }
      }
    } finally {
      session.execute("DROP KEYSPACE " + keyspace);
    }
    System.exit(0); // closing a session waits for two seconds of silence
  }

  /** A session; without a version the driver and the server agree on one. */
  private static CqlSession connect(InetSocketAddress address, String version, String compression) {
    ProgrammaticDriverConfigLoaderBuilder options =
        DriverConfigLoader.programmaticBuilder()
            .withString(DefaultDriverOption.PROTOCOL_COMPRESSION, compression)
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_REQUEST_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.HEARTBEAT_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(1));
    if (version != null) {
      options.withString(DefaultDriverOption.PROTOCOL_VERSION, version);
    }
    return CqlSession.builder()
        .addContactPoint(address)
        .withLocalDatacenter("datacenter1")
        .withConfigLoader(options.build())
        .build();
  }

  private static void check(String name, Check check) {
    try {
      check.run();
      System.out.println("ok " + name);
    } catch (Exception | AssertionError error) {
      System.out.println("FAIL " + name + ": " + String.valueOf(error).replace('\n', ' '));
    }
  }

  private static void same(Object expected, Object found) {
    if (!Objects.equals(expected, found)) {
      throw new AssertionError("expected " + expected + ", found " + found);
    }
  }

  private static void holds(boolean condition, String what) {
    if (!condition) {
      throw new AssertionError(what);
    }
  }

  private static <E extends Throwable> E raises(Class<E> kind, Check check) throws Exception {
    try {
      check.run();
    } catch (Throwable error) {
      if (kind.isInstance(error)) {
        return kind.cast(error);
      }
      throw new AssertionError("expected " + kind.getSimpleName() + ", found " + error);
    }
    throw new AssertionError("expected " + kind.getSimpleName() + ", found nothing");
  }

  private void all(boolean compressed) {
    check("connect_" + version, this::connected);
    check("values_" + version, this::bigValues);
    check("paging_" + version, this::paging);
    if (compressed) {
      return;
    }
    check("metadata_" + version, this::metadata);
    check("tokens_" + version, this::tokens);
    check("simple_" + version, this::simple);
    check("prepared_" + version, this::prepared);
    check("schema_change_of_prepared_" + version, this::changedSchema);
    check("async_" + version, this::async);
    check("batch_" + version, this::batch);
    check("counter_batch_" + version, this::counters);
    check("lwt_" + version, this::lwt);
    check("native_types_" + version, this::nativeTypes);
    check("collections_" + version, this::collections);
    check("udt_tuple_vector_" + version, this::udtTupleVector);
    check("schema_events_" + version, this::schemaEvents);
    check("errors_" + version, this::errors);
    check("warnings_" + version, this::warnings);
    check("tracing_" + version, this::tracing);
    check("keyspace_per_request_" + version, this::keyspacePerRequest);
  }

  private String table(String name) {
    return keyspace + "." + name + "_" + version;
  }

  // connection

  private static void negotiation(InetSocketAddress address) {
    CqlSession session = connect(address, null, "none");
    same(DefaultProtocolVersion.V5, session.getContext().getProtocolVersion());
    same("5.0.8", session.execute("SELECT release_version FROM system.local").one().getString(0));
    session.forceCloseAsync();
  }

  private void connected() {
    same(version.substring(0, 2).toUpperCase(), session.getContext().getProtocolVersion().name());
    same(1, session.getMetadata().getNodes().size());
    Node node = session.getMetadata().getNodes().values().iterator().next();
    same("5.0.8", String.valueOf(node.getCassandraVersion()));
    same("datacenter1", node.getDatacenter());
    same("rack1", node.getRack());
    holds(node.getHostId() != null, "a host id");
    holds(node.getSchemaVersion() != null, "a schema version");
    holds(session.checkSchemaAgreement(), "schema agreement");
  }

  private void bigValues() {
    session.execute("CREATE TABLE " + table("big") + " (k int PRIMARY KEY, v blob)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table("big") + " (k, v) VALUES (?, ?)");
    PreparedStatement select = session.prepare("SELECT v FROM " + table("big") + " WHERE k = ?");
    int number = 0;
    for (int size : new int[] {0, 1, 1000, 131_071, 131_072, 1_048_576}) {
      byte[] bytes = new byte[size];
      for (int i = 0; i < size; i++) {
        bytes[i] = (byte) (i * 31 + i / 257);
      }
      session.execute(insert.bind(number, ByteBuffer.wrap(bytes)));
      same(ByteBuffer.wrap(bytes), session.execute(select.bind(number)).one().getByteBuffer(0));
      number++;
    }
  }

  private void metadata() {
    session.execute(
        "CREATE TABLE "
            + table("events")
            + " (a uuid, b date, c timestamp, d int, s text STATIC, v map<text, frozen<list<int>>>, home frozen<address>,"
            + " PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s'");
    KeyspaceMetadata found = session.getMetadata().getKeyspace(keyspace).orElseThrow();
    same("org.apache.cassandra.locator.SimpleStrategy", found.getReplication().get("class"));
    TableMetadata events = found.getTable("events_" + version).orElseThrow();
    same("[a, b]", events.getPartitionKey().stream().map(column -> column.getName().asInternal()).toList().toString());
    same(
        List.of(ClusteringOrder.DESC, ClusteringOrder.ASC), List.copyOf(events.getClusteringColumns().values()));
    same(
        DataTypes.mapOf(DataTypes.TEXT, DataTypes.frozenListOf(DataTypes.INT)),
        events.getColumn("v").orElseThrow().getType());
    holds(events.getColumn("s").orElseThrow().isStatic(), "a static column");
    same("it's", events.getOptions().get(CqlIdentifier.fromInternal("comment")));
    UserDefinedType address = found.getUserDefinedType("address").orElseThrow();
    same("[street, zip]", address.getFieldNames().stream().map(CqlIdentifier::asInternal).toList().toString());
    String described = events.describe(false);
    holds(described.contains("PRIMARY KEY ((\"a\", \"b\"), \"c\", \"d\")"), described);
    KeyspaceMetadata views = session.getMetadata().getKeyspace("system_views").orElse(null);
    if (views != null) {
      holds(views.isVirtual(), "system_views is virtual");
    }
  }

  private void tokens() {
    session.execute("CREATE TABLE " + table("tokens") + " (k text PRIMARY KEY)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table("tokens") + " (k) VALUES (?)");
    TokenMap map = session.getMetadata().getTokenMap().orElseThrow();
    same("org.apache.cassandra.dht.Murmur3Partitioner", map.getPartitionerName());
    for (String key : new String[] {"", "a", "é", "0123456789abcdef", "0123456789abcdeé", "\uD83D\uDE00 long enough"}) {
      if (key.isEmpty()) {
        continue; // a partition key may not be empty
      }
      BoundStatement bound = insert.bind(key);
      session.execute(bound);
      Token local = map.newToken(bound.getRoutingKey());
      Row row =
          session
              .execute(SimpleStatement.newInstance("SELECT token(k) FROM " + table("tokens") + " WHERE k = ?", key))
              .one();
      same(local, row.getToken(0));
      same(1, map.getReplicas(CqlIdentifier.fromInternal(keyspace), bound.getRoutingKey()).size());
    }
    holds(!map.getTokenRanges().isEmpty(), "token ranges");
  }

  // statements

  private void simple() {
    String table = table("simple");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, v text, n bigint)");
    session.execute("INSERT INTO " + table + " (k, v) VALUES (1, 'one')");
    session.execute(SimpleStatement.newInstance("INSERT INTO " + table + " (k, v) VALUES (?, ?)", 2, "two"));
    session.execute(
        SimpleStatement.newInstance(
            "INSERT INTO " + table + " (k, v, n) VALUES (:key, :value, :n)", Map.of("key", 3, "value", "three", "n", 3L)));
    Row row = session.execute("SELECT * FROM " + table + " WHERE k = 3").one();
    same("three", row.getString("v"));
    same(3L, row.getLong("n"));
    same(3, session.execute("SELECT k FROM " + table).all().size());
    ResultSet named = session.execute("SELECT count(*) AS total, max(k) FROM " + table);
    same("[total, system.max(k)]", names(named));
    same(3L, named.one().getLong("total"));
    SimpleStatement stamped =
        SimpleStatement.newInstance("UPDATE " + table + " SET v = 'stamped' WHERE k = 4").setQueryTimestamp(1234);
    session.execute(stamped);
    same(1234L, session.execute("SELECT writetime(v) FROM " + table + " WHERE k = 4").one().getLong(0));
  }

  private static String names(ResultSet result) {
    List<String> names = new ArrayList<>();
    result.getColumnDefinitions().forEach(definition -> names.add(definition.getName().asInternal()));
    return names.toString();
  }

  private void prepared() {
    String table = table("prepared");
    session.execute("CREATE TABLE " + table + " (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))");
    PreparedStatement insert =
        session.prepare("INSERT INTO " + table + " (v, c, b, a) VALUES (:v, :c, :b, :a) USING TTL :ttl");
    same(List.of(3, 2), insert.getPartitionKeyIndices());
    same(5, insert.getVariableDefinitions().size());
    session.execute(insert.bind("first", 1, "b", 1, 1000));
    BoundStatement bound =
        insert.boundStatementBuilder().setInt("a", 1).setString("b", "b").setInt("c", 2).setToNull("v").setInt("ttl", 0).build();
    session.execute(bound);
    PreparedStatement select = session.prepare("SELECT c, v, ttl(v) FROM " + table + " WHERE a = ? AND b = ? AND c IN ?");
    List<Row> rows = session.execute(select.bind(1, "b", List.of(1, 2, 3))).all();
    same(2, rows.size());
    same("first", rows.get(0).getString("v"));
    holds(rows.get(0).getInt(2) > 900, "a ttl");
    holds(rows.get(1).isNull("v"), "null");
    if (!version.equals("v3")) {
      BoundStatement unset =
          insert.boundStatementBuilder().setInt("a", 1).setString("b", "b").setInt("c", 1).unset("v").setInt("ttl", 0).build();
      session.execute(unset);
      same("first", session.execute(select.bind(1, "b", List.of(1))).one().getString("v"));
    }
  }

  private void changedSchema() {
    String table = table("changing");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, a int)");
    PreparedStatement select = session.prepare("SELECT * FROM " + table + " WHERE k = ?");
    session.execute("INSERT INTO " + table + " (k, a) VALUES (1, 10)");
    same(2, session.execute(select.bind(1)).getColumnDefinitions().size());
    session.execute("ALTER TABLE " + table + " ADD b text");
    session.execute("UPDATE " + table + " SET b = 'new' WHERE k = 1");
    ResultSet found = session.execute(select.bind(1));
    if (version.equals("v5")) {
      same("[k, a, b]", names(found));
      same("new", found.one().getString("b"));
    }
    session.execute("DROP TABLE " + table);
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, a int)");
    same(0, session.execute(select.bind(1)).all().size());
  }

  private void async() throws Exception {
    String table = table("async");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, v int)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table + " (k, v) VALUES (?, ?)");
    PreparedStatement select = session.prepare("SELECT v FROM " + table + " WHERE k = ?");
    List<CompletionStage<AsyncResultSet>> running = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      running.add(session.executeAsync(insert.bind(i, i * i)));
    }
    for (CompletionStage<AsyncResultSet> stage : running) {
      stage.toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
    running.clear();
    for (int i = 0; i < 1000; i++) {
      running.add(session.executeAsync(select.bind(i)));
    }
    for (int i = 0; i < 1000; i++) {
      same(i * i, running.get(i).toCompletableFuture().get(20, TimeUnit.SECONDS).one().getInt(0));
    }
  }

  private void batch() {
    String table = table("batch");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, v text)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table + " (k, v) VALUES (?, ?)");
    for (DefaultBatchType type : new DefaultBatchType[] {DefaultBatchType.LOGGED, DefaultBatchType.UNLOGGED}) {
      session.execute(
          BatchStatement.newInstance(
                  type,
                  insert.bind(1, type.name()),
                  SimpleStatement.newInstance("INSERT INTO " + table + " (k, v) VALUES (2, ?)", type.name()))
              .setConsistencyLevel(ConsistencyLevel.QUORUM));
      for (Row row : session.execute("SELECT v FROM " + table)) {
        same(type.name(), row.getString(0));
      }
    }
    same(2, session.execute("SELECT * FROM " + table).all().size());
  }

  private void counters() {
    String table = table("counters");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, n counter)");
    PreparedStatement add = session.prepare("UPDATE " + table + " SET n = n + ? WHERE k = ?");
    session.execute(BatchStatement.newInstance(DefaultBatchType.COUNTER, add.bind(5L, 1), add.bind(-2L, 1), add.bind(7L, 2)));
    same(3L, session.execute("SELECT n FROM " + table + " WHERE k = 1").one().getLong(0));
    same(7L, session.execute("SELECT n FROM " + table + " WHERE k = 2").one().getLong("n"));
  }

  private void lwt() throws Exception {
    String table = table("lwt");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, v text)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table + " (k, v) VALUES (?, ?) IF NOT EXISTS");
    holds(session.execute(insert.bind(1, "a")).wasApplied(), "applied");
    ResultSet refused = session.execute(insert.bind(1, "b"));
    holds(!refused.wasApplied(), "not applied");
    same("[[applied], k, v]", names(refused));
    same("a", refused.one().getString("v"));
    PreparedStatement update = session.prepare("UPDATE " + table + " SET v = ? WHERE k = ? IF v = ?");
    holds(session.execute(update.bind("c", 1, "a")).wasApplied(), "applied");
    holds(!session.execute(update.bind("d", 1, "a")).wasApplied(), "not applied");
    List<CompletableFuture<AsyncResultSet>> racing = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      racing.add(session.executeAsync(insert.bind(2, "racer " + i)).toCompletableFuture());
    }
    int winners = 0;
    for (CompletableFuture<AsyncResultSet> racer : racing) {
      winners += racer.get(20, TimeUnit.SECONDS).wasApplied() ? 1 : 0;
    }
    same(1, winners);
  }

  private void paging() throws Exception {
    String table = table("paging");
    session.execute("CREATE TABLE " + table + " (k int, c int, PRIMARY KEY (k, c))");
    PreparedStatement insert = session.prepare("INSERT INTO " + table + " (k, c) VALUES (?, ?)");
    List<CompletionStage<AsyncResultSet>> running = new ArrayList<>();
    for (int c = 0; c < ROWS; c++) {
      running.add(session.executeAsync(insert.bind(c % 2, c)));
    }
    for (CompletionStage<AsyncResultSet> stage : running) {
      stage.toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
    SimpleStatement paged = SimpleStatement.newInstance("SELECT c FROM " + table + " WHERE k = 1").setPageSize(20);
    int expected = 1;
    for (Row row : session.execute(paged)) {
      same(expected, row.getInt(0));
      expected += 2;
    }
    same(ROWS + 1, expected);
    ResultSet first = session.execute(paged);
    same(20, first.getAvailableWithoutFetching());
    ByteBuffer state = first.getExecutionInfo().getPagingState();
    same(41, session.execute(paged.setPagingState(state)).one().getInt(0));
    PreparedStatement select = session.prepare("SELECT c FROM " + table);
    AsyncResultSet page =
        session.executeAsync(select.bind().setPageSize(60)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    int count = 0;
    while (true) {
      for (Row ignored : page.currentPage()) {
        count++;
      }
      if (!page.hasMorePages()) {
        break;
      }
      page = page.fetchNextPage().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
    same(ROWS, count);
  }

  // types

  private void nativeTypes() throws Exception {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("ascii", "ascii");
    values.put("bigint", Long.MIN_VALUE);
    values.put("blob", ByteBuffer.wrap(new byte[] {0, -1}));
    values.put("boolean", true);
    values.put("decimal", new BigDecimal("-12345678901234567890.123456789"));
    values.put("double", -0.5d);
    values.put("float", 1.25f);
    values.put("inet", InetAddress.getByName("2001:db8::1"));
    values.put("int", Integer.MIN_VALUE);
    values.put("text", "naïve 日本語 \uD83D\uDE00");
    values.put("timestamp", Instant.ofEpochMilli(-1));
    values.put("timeuuid", Uuids.timeBased());
    values.put("uuid", UUID.randomUUID());
    values.put("varint", new BigInteger("-123456789012345678901234567890"));
    if (!version.equals("v3")) { // the driver knows these since v4
      values.put("date", LocalDate.of(1969, 12, 31));
      values.put("smallint", (short) -300);
      values.put("time", LocalTime.ofNanoOfDay(86_399_999_999_999L));
      values.put("tinyint", (byte) -7);
      values.put("duration", CqlDuration.from("1mo2d3ns"));
    }
    String table = table("natives");
    List<String> columns = values.keySet().stream().map(type -> "c_" + type).toList();
    String definitions = String.join(", ", values.keySet().stream().map(type -> "c_" + type + " " + type).toList());
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, " + definitions + ")");
    String names = String.join(", ", columns);
    PreparedStatement insert =
        session.prepare("INSERT INTO " + table + " (k, " + names + ") VALUES (?" + ", ?".repeat(columns.size()) + ")");
    PreparedStatement select = session.prepare("SELECT k, " + names + " FROM " + table + " WHERE k = ?");
    List<Object> bound = new ArrayList<>(values.values());
    bound.add(0, 1);
    session.execute(insert.bind(bound.toArray()));
    Row row = session.execute(select.bind(1)).one();
    for (int i = 0; i < bound.size(); i++) {
      same(bound.get(i), row.getObject(i));
    }
    Object[] nulls = new Object[bound.size()];
    nulls[0] = 2;
    session.execute(insert.bind(nulls));
    row = session.execute(select.bind(2)).one();
    for (int i = 1; i < nulls.length; i++) {
      same(null, row.getObject(i));
    }
  }

  private void collections() {
    String table = table("collections");
    session.execute(
        "CREATE TABLE "
            + table
            + " (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, n frozen<map<int, frozen<list<text>>>>)");
    PreparedStatement insert = session.prepare("INSERT INTO " + table + " (k, l, s, m, n) VALUES (?, ?, ?, ?, ?)");
    session.execute(insert.bind(1, List.of(3, 1, 3), Set.of("a", "b"), Map.of("x", 1L), Map.of(1, List.of("p", "q"))));
    session.execute(session.prepare("UPDATE " + table + " SET l = l + ?, m[?] = ? WHERE k = 1").bind(List.of(9), "y", 2L));
    Row row = session.execute("SELECT * FROM " + table).one();
    same(List.of(3, 1, 3, 9), row.getList("l", Integer.class));
    same(Set.of("a", "b"), row.getSet("s", String.class));
    same(Map.of("x", 1L, "y", 2L), row.getMap("m", String.class, Long.class));
    same(Map.of(1, List.of("p", "q")), row.getObject("n"));
  }

  private void udtTupleVector() {
    String table = table("structured");
    session.execute(
        "CREATE TABLE "
            + table
            + " (k int PRIMARY KEY, home frozen<address>, loose address, t tuple<int, text>, v vector<float, 3>,"
            + " nested list<frozen<address>>)");
    UserDefinedType type =
        session.getMetadata().getKeyspace(keyspace).flatMap(found -> found.getUserDefinedType("address")).orElseThrow();
    UdtValue home = type.newValue("Main", 12);
    TupleType pair = DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT);
    TupleValue tuple = pair.newValue(7, null);
    CqlVector<Float> vector = CqlVector.newInstance(1.0f, -2.5f, 0f);
    PreparedStatement insert =
        session.prepare("INSERT INTO " + table + " (k, home, loose, t, v, nested) VALUES (?, ?, ?, ?, ?, ?)");
    session.execute(
        insert.boundStatementBuilder()
            .setInt(0, 1)
            .setUdtValue(1, home)
            .setUdtValue(2, home)
            .setTupleValue(3, tuple)
            .set(4, vector, TypeCodecs.vectorOf(3, TypeCodecs.FLOAT))
            .setList(5, List.of(home), UdtValue.class)
            .build());
    Row row = session.execute("SELECT * FROM " + table).one();
    same("Main", row.getUdtValue("home").getString("street"));
    same(12, row.getUdtValue("loose").getInt("zip"));
    same(7, row.getTupleValue("t").getInt(0));
    same(null, row.getTupleValue("t").getString(1));
    same(vector, row.get("v", TypeCodecs.vectorOf(3, TypeCodecs.FLOAT)));
    same("Main", row.getList("nested", UdtValue.class).get(0).getString("street"));
  }

  // the rest

  private void schemaEvents() throws Exception {
    CompletableFuture<String> created = new CompletableFuture<>();
    CompletableFuture<String> updated = new CompletableFuture<>();
    CompletableFuture<String> dropped = new CompletableFuture<>();
    String watched = "watched_" + version;
    InetSocketAddress address =
        (InetSocketAddress) session.getMetadata().getNodes().values().iterator().next().getEndPoint().resolve();
    CqlSession watcher =
        CqlSession.builder()
            .addContactPoint(address)
            .withLocalDatacenter("datacenter1")
            .withConfigLoader(
                DriverConfigLoader.programmaticBuilder()
                    .withString(DefaultDriverOption.PROTOCOL_VERSION, version.toUpperCase())
                    .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(1))
                    .build())
            .addSchemaChangeListener(
                new SchemaChangeListenerBase() {
                  @Override
                  public void onTableCreated(TableMetadata table) {
                    if (table.getName().asInternal().equals(watched)) {
                      created.complete(table.getName().asInternal());
                    }
                  }

                  @Override
                  public void onTableUpdated(TableMetadata current, TableMetadata previous) {
                    if (current.getName().asInternal().equals(watched) && current.getColumn("v").isPresent()) {
                      updated.complete(current.getName().asInternal());
                    }
                  }

                  @Override
                  public void onTableDropped(TableMetadata table) {
                    if (table.getName().asInternal().equals(watched)) {
                      dropped.complete(table.getName().asInternal());
                    }
                  }
                })
            .build();
    session.execute("CREATE TABLE " + table("watched") + " (k int PRIMARY KEY)");
    same(watched, created.get(20, TimeUnit.SECONDS));
    session.execute("ALTER TABLE " + table("watched") + " ADD v int");
    same(watched, updated.get(20, TimeUnit.SECONDS));
    session.execute("DROP TABLE " + table("watched"));
    same(watched, dropped.get(20, TimeUnit.SECONDS));
    holds(watcher.getMetadata().getKeyspace(keyspace).isPresent(), "the keyspace");
    watcher.forceCloseAsync();
  }

  private void errors() throws Exception {
    String table = table("errors");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY, v int)");
    raises(SyntaxError.class, () -> session.execute("SELEC * FROM " + table));
    InvalidQueryException invalid =
        raises(InvalidQueryException.class, () -> session.execute("SELECT nope FROM " + table));
    same("Undefined column name nope in table " + table, invalid.getMessage());
    AlreadyExistsException exists =
        raises(AlreadyExistsException.class, () -> session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY)"));
    holds(exists.getMessage().contains("already exists"), exists.getMessage());
    AllNodesFailedException failed =
        raises(
            AllNodesFailedException.class,
            () ->
                session.execute(
                    SimpleStatement.newInstance("SELECT * FROM " + table + " WHERE k = 1")
                        .setConsistencyLevel(DefaultConsistencyLevel.THREE)));
    UnavailableException unavailable =
        (UnavailableException) failed.getAllErrors().values().iterator().next().get(0);
    same(DefaultConsistencyLevel.THREE, unavailable.getConsistencyLevel());
    same(3, unavailable.getRequired());
    same(1, unavailable.getAlive());
  }

  private void warnings() {
    String table = table("warned");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY)");
    ExecutionInfo info = session.execute("SELECT count(*) FROM " + table).getExecutionInfo();
    if (!version.equals("v3")) {
      same(List.of("Aggregation query used without partition key"), info.getWarnings());
    }
  }

  private void tracing() {
    String table = table("traced");
    session.execute("CREATE TABLE " + table + " (k int PRIMARY KEY)");
    ExecutionInfo info =
        session.execute(SimpleStatement.newInstance("SELECT * FROM " + table).setTracing(true)).getExecutionInfo();
    holds(info.getTracingId() != null, "a tracing id");
    QueryTrace trace = info.getQueryTrace();
    same("Execute CQL3 query", trace.getRequestType());
    same("SELECT * FROM " + table, trace.getParameters().get("query"));
    holds(!trace.getEvents().isEmpty(), "events");
    holds(trace.getDurationMicros() > 0, "a duration");
  }

  private void keyspacePerRequest() {
    if (!version.equals("v5")) {
      return; // the protocol has it since v5
    }
    session.execute("CREATE TABLE " + table("placed") + " (k int PRIMARY KEY)");
    SimpleStatement insert =
        SimpleStatement.newInstance("INSERT INTO placed_" + version + " (k) VALUES (1)")
            .setKeyspace(keyspace)
            .setNowInSeconds(1_600_000_000);
    session.execute(insert);
    PreparedStatement select =
        session.prepare(SimpleStatement.newInstance("SELECT * FROM placed_" + version).setKeyspace(keyspace));
    same(1, session.execute(select.bind()).all().size());
  }
}
