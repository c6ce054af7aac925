// Checks through the Node.js driver, one line each: "ok name" or "FAIL name: why". Arguments: host, port, keyspace.
//
// Each check runs with protocol v3 and v4 (the driver speaks no v5), in tables of its own version; the keyspace is made and
// dropped here.
"use strict";

const assert = require("assert");
const cassandra = require("cassandra-driver");

const { types, concurrent, errors } = cassandra;
const [host, port, keyspace] = process.argv.slice(2);
const ROWS = 250;
const TIMEOUT_MS = 20000;

const same = assert.deepStrictEqual;

async function connect(version, options = {}) {
  const client = new cassandra.Client({
    contactPoints: [host],
    localDataCenter: "datacenter1",
    protocolOptions: { port: Number(port), ...(version ? { maxVersion: version } : {}) },
    socketOptions: { readTimeout: TIMEOUT_MS, connectTimeout: TIMEOUT_MS },
    refreshSchemaDelay: 1,
    ...options,
  });
  await client.connect();
  return client;
}

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${String(error.stack || error).replaceAll("\n", " ")}`);
  }
}

async function raises(promise, code) {
  const error = await promise.then(
    () => assert.fail("expected an error"),
    (found) => (found instanceof errors.NoHostAvailableError ? Object.values(found.innerErrors)[0] : found),
  );
  assert.ok(error instanceof errors.ResponseError, String(error.stack));
  same(error.code, code);
  return error;
}

// What the driver's own timers are about to do.
async function until(condition, what) {
  for (const end = Date.now() + TIMEOUT_MS; ; ) {
    const found = await condition();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class Checks {
  constructor(client, version) {
    this.client = client;
    this.number = version;
    this.version = `v${version}`;
  }

  table(name) {
    return `${keyspace}.${name}_${this.version}`;
  }

  run(text, values, options) {
    return this.client.execute(text, values, { prepare: values !== undefined, ...options });
  }

  // connection

  async connected() {
    same(this.client.controlConnection.protocolVersion, this.number);
    same(this.client.hosts.length, 1);
    const node = this.client.hosts.values()[0];
    same(node.cassandraVersion, "5.0.8");
    same([node.datacenter, node.rack], ["datacenter1", "rack1"]);
    same(node.tokens.length, 16);
    assert.ok(node.hostId);
    assert.ok(await this.client.metadata.checkSchemaAgreement());
    const state = this.client.getState();
    assert.ok(state.getOpenConnections(node) >= 1);
  }

  async values() {
    const table = this.table("big");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v blob)`);
    for (const [number, size] of [0, 1, 1000, 131071, 131072, 1048576].entries()) {
      const value = Buffer.alloc(size).map((_, i) => (i * 31 + Math.floor(i / 257)) & 255);
      await this.run(`INSERT INTO ${table} (k, v) VALUES (?, ?)`, [number, value]);
      const found = await this.run(`SELECT v FROM ${table} WHERE k = ?`, [number]);
      assert.ok(value.equals(found.first().v), `${size} bytes`);
    }
  }

  async metadata() {
    const name = `events_${this.version}`;
    await this.run(
      `CREATE TABLE ${this.table("events")} (a uuid, b date, c timestamp, d int, s text STATIC,
         v map<text, frozen<list<int>>>, home frozen<address>, w vector<float, 3>, PRIMARY KEY ((a, b), c, d))
         WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s'`,
    );
    const table = await this.client.metadata.getTable(keyspace, name);
    same(table.partitionKeys.map((column) => column.name), ["a", "b"]);
    same(table.clusteringKeys.map((column) => column.name), ["c", "d"]);
    same(table.clusteringOrder, ["DESC", "ASC"]);
    same(table.comment, "it's");
    same(table.columnsByName.v.type.code, types.dataTypes.map);
    same(table.columnsByName.v.type.info[1].code, types.dataTypes.list);
    assert.ok(table.columnsByName.s.isStatic);
    const address = await this.client.metadata.getUdt(keyspace, "address");
    same(address.fields.map((field) => field.name), ["street", "zip"]);
    await this.client.metadata.refreshKeyspace(keyspace);
    same(this.client.metadata.keyspaces[keyspace].strategy, "org.apache.cassandra.locator.SimpleStrategy");
    same(await this.client.metadata.getTable(keyspace, "missing"), null);
  }

  async tokens() {
    const table = this.table("tokens");
    const { metadata } = this.client;
    await this.run(`CREATE TABLE ${table} (k text PRIMARY KEY)`);
    for (const key of ["a", "é", "0123456789abcdef", "0123456789abcdeé", "\u{1F600} long enough"]) {
      await this.run(`INSERT INTO ${table} (k) VALUES (?)`, [key]);
      const row = (await this.run(`SELECT token(k) AS t FROM ${table} WHERE k = ?`, [key])).first();
      same(metadata.newToken(Buffer.from(key)).toString(), row.t.toString());
      same(metadata.getReplicas(keyspace, Buffer.from(key)).length, 1);
    }
    same(metadata.getTokenRanges().size, 16);
  }

  // statements

  async simple() {
    const table = this.table("simple");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v text, n bigint)`);
    await this.run(`INSERT INTO ${table} (k, v) VALUES (1, 'one')`);
    await this.client.execute(`INSERT INTO ${table} (k, v) VALUES (?, ?)`, [2, "two"], { hints: ["int", "text"] });
    await this.client.execute(`INSERT INTO ${table} (k, v, n) VALUES (:key, :value, :n)`, { key: 3, value: "three", n: 3 },
      { hints: { key: "int", value: "text", n: "bigint" } });
    const row = (await this.run(`SELECT * FROM ${table} WHERE k = 3`)).first();
    same([row.k, row.v, row.n.toString()], [3, "three", "3"]);
    const totals = await this.run(`SELECT count(*) AS total, max(k) FROM ${table}`);
    same(totals.columns.map((column) => column.name), ["total", "system.max(k)"]);
    same(totals.first().total.toNumber(), 3);
    await this.run(`UPDATE ${table} SET v = 'stamped' WHERE k = 4`, undefined, { timestamp: 1234 });
    same((await this.run(`SELECT writetime(v) AS w FROM ${table} WHERE k = 4`)).first().w.toNumber(), 1234);
    const used = await connect(this.number, { keyspace });
    same((await used.execute(`SELECT k FROM simple_${this.version}`)).rowLength, 4);
    await used.shutdown();
  }

  async prepared() {
    const table = this.table("prepared");
    await this.run(`CREATE TABLE ${table} (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))`);
    const insert = `INSERT INTO ${table} (v, c, b, a) VALUES (:v, :c, :b, :a) USING TTL :ttl`;
    await this.run(insert, { a: 1, b: "b", c: 1, v: "first", ttl: 1000 });
    await this.run(insert, { a: 1, b: "b", c: 2, v: null, ttl: 0 });
    const select = `SELECT c, v, ttl(v) AS t FROM ${table} WHERE a = ? AND b = ? AND c IN ?`;
    const { rows } = await this.run(select, [1, "b", [1, 2, 3]]);
    same(rows.map((row) => row.v), ["first", null]);
    assert.ok(rows[0].t > 900);
    if (this.number >= 4) {
      await this.run(insert, { a: 1, b: "b", c: 1, v: types.unset, ttl: 0 });
      same((await this.run(select, [1, "b", [1]])).first().v, "first");
    }
  }

  async changedSchema() {
    const table = this.table("changing");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, a int)`);
    const select = `SELECT a FROM ${table} WHERE k = ?`;
    await this.run(`INSERT INTO ${table} (k, a) VALUES (1, 10)`);
    same((await this.run(select, [1])).first().a, 10);
    await this.run(`ALTER TABLE ${table} ADD b text`);
    same((await this.run(select, [1])).first().a, 10);
    await this.run(`DROP TABLE ${table}`);
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, a int)`);
    same((await this.run(select, [1])).rowLength, 0);
  }

  async atOnce() {
    const table = this.table("at_once");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v int)`);
    const values = Array.from({ length: 1000 }, (_, i) => [i, i * i]);
    await concurrent.executeConcurrent(this.client, `INSERT INTO ${table} (k, v) VALUES (?, ?)`, values, { concurrencyLevel: 256 });
    const found = await Promise.all(values.map(([k]) => this.run(`SELECT v FROM ${table} WHERE k = ?`, [k])));
    found.forEach((result, i) => same(result.first().v, i * i));
  }

  async batch() {
    const table = this.table("batch");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v text)`);
    for (const logged of [true, false]) {
      const name = `logged ${logged}`;
      const queries = [
        { query: `INSERT INTO ${table} (k, v) VALUES (?, ?)`, params: [1, name] },
        { query: `INSERT INTO ${table} (k, v) VALUES (2, ?)`, params: [name] },
      ];
      await this.client.batch(queries, { prepare: true, logged, consistency: types.consistencies.quorum });
      same((await this.run(`SELECT v FROM ${table}`)).rows.map((row) => row.v), [name, name]);
    }
    await this.client.batch([`DELETE FROM ${table} WHERE k = 1`, `DELETE FROM ${table} WHERE k = 2`], {});
    same((await this.run(`SELECT v FROM ${table}`)).rowLength, 0);
  }

  async counters() {
    const table = this.table("counters");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, n counter)`);
    const query = `UPDATE ${table} SET n = n + ? WHERE k = ?`;
    const queries = [[5, 1], [-2, 1], [7, 2]].map((params) => ({ query, params }));
    await this.client.batch(queries, { prepare: true, counter: true });
    same((await this.run(`SELECT n FROM ${table} WHERE k = 1`)).first().n.toNumber(), 3);
    same((await this.run(`SELECT n FROM ${table} WHERE k = ?`, [2])).first().n.toNumber(), 7);
  }

  async lwt() {
    const table = this.table("lwt");
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v text)`);
    const insert = `INSERT INTO ${table} (k, v) VALUES (?, ?) IF NOT EXISTS`;
    assert.ok((await this.run(insert, [1, "a"])).wasApplied());
    const refused = await this.run(insert, [1, "b"], { serialConsistency: types.consistencies.localSerial });
    assert.ok(!refused.wasApplied());
    same(refused.columns.map((column) => column.name), ["[applied]", "k", "v"]);
    same(refused.first().v, "a");
    const update = `UPDATE ${table} SET v = ? WHERE k = ? IF v = ?`;
    assert.ok((await this.run(update, ["c", 1, "a"])).wasApplied());
    assert.ok(!(await this.run(update, ["d", 1, "a"])).wasApplied());
    const racing = await Promise.all(Array.from({ length: 10 }, (_, i) => this.run(insert, [2, `racer ${i}`])));
    same(racing.filter((result) => result.wasApplied()).length, 1);
  }

  async paging() {
    const table = this.table("paging");
    await this.run(`CREATE TABLE ${table} (k int, c int, PRIMARY KEY (k, c))`);
    const values = Array.from({ length: ROWS }, (_, c) => [c % 2, c]);
    await concurrent.executeConcurrent(this.client, `INSERT INTO ${table} (k, c) VALUES (?, ?)`, values);
    const select = `SELECT c FROM ${table} WHERE k = ?`;
    const first = await this.run(select, [1], { fetchSize: 20 });
    same([first.rowLength, first.isPaged()], [20, true]);
    const second = await this.run(select, [1], { fetchSize: 20, pageState: first.pageState });
    same(second.first().c, 41);
    const found = [];
    for await (const row of await this.run(select, [1], { fetchSize: 20 })) {
      found.push(row.c);
    }
    same(found, values.filter(([k]) => k === 1).map(([, c]) => c));
    let count = 0;
    for await (const row of this.client.stream(`SELECT c FROM ${table}`, [], { prepare: true, fetchSize: 60 })) {
      count += row.c >= 0 ? 1 : 0;
    }
    same(count, ROWS);
  }

  // types

  async nativeTypes() {
    const values = {
      ascii: "ascii",
      bigint: types.Long.MIN_VALUE,
      blob: Buffer.from([0, 255]),
      boolean: true,
      decimal: types.BigDecimal.fromString("-12345678901234567890.123456789"),
      double: -0.5,
      float: 1.25,
      inet: types.InetAddress.fromString("2001:db8::1"),
      int: -(2 ** 31),
      text: "naïve 日本語 \u{1F600}",
      timestamp: new Date(-1),
      timeuuid: types.TimeUuid.now(),
      uuid: types.Uuid.random(),
      varint: types.Integer.fromString("-123456789012345678901234567890"),
      varchar: "varchar",
      duration: new types.Duration(1, 2, 3),
    };
    if (this.number >= 4) { // types with codes of their own since then
      values.date = new types.LocalDate(1969, 12, 31);
      values.smallint = -300;
      values.time = types.LocalTime.fromString("23:59:59.999999999");
      values.tinyint = -7;
    }
    const table = this.table("natives");
    const names = Object.keys(values);
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, ${names.map((name) => `c_${name} ${name}`).join(", ")})`);
    const columns = names.map((name) => `c_${name}`).join(", ");
    const insert = `INSERT INTO ${table} (k, ${columns}) VALUES (?${", ?".repeat(names.length)})`;
    await this.run(insert, [1, ...Object.values(values)]);
    await this.run(insert, [2, ...names.map(() => null)]);
    const row = (await this.run(`SELECT * FROM ${table} WHERE k = ?`, [1])).first();
    for (const name of names) {
      same(String(row[`c_${name}`]), String(values[name]));
      same(typeof row[`c_${name}`], typeof values[name]);
    }
    const empty = (await this.run(`SELECT ${columns} FROM ${table} WHERE k = ?`, [2])).first();
    same(empty.values(), names.map(() => null));
  }

  async collections() {
    const table = this.table("collections");
    await this.run(
      `CREATE TABLE ${table} (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>,
         n frozen<map<int, frozen<list<text>>>>)`,
    );
    const one = types.Long.fromNumber(1);
    const nested = { 1: ["p", "q"] };
    await this.run(`INSERT INTO ${table} (k, l, s, m, n) VALUES (?, ?, ?, ?, ?)`, [1, [3, 1, 3], ["b", "a"], { x: one }, nested]);
    await this.run(`UPDATE ${table} SET l = l + ?, m[?] = ?, s = s - ? WHERE k = ?`, [[9], "y", one, ["b"], 1]);
    const row = (await this.run(`SELECT * FROM ${table}`)).first();
    same([row.l, row.s, row.n], [[3, 1, 3, 9], ["a"], nested]);
    same(Object.entries(row.m).map(([key, value]) => `${key} ${value}`), ["x 1", "y 1"]);
  }

  async udtTupleVector() {
    const table = this.table("structured");
    await this.run(
      `CREATE TABLE ${table} (k int PRIMARY KEY, home frozen<address>, loose address, t tuple<int, text>,
         v vector<float, 3>, nested list<frozen<address>>)`,
    );
    const home = { street: "Main", zip: 12 };
    const vector = new types.Vector([1, -2.5, 0], "float");
    const values = [1, home, { street: "Side" }, new types.Tuple(7, null), vector, [home]];
    await this.run(`INSERT INTO ${table} (k, home, loose, t, v, nested) VALUES (?, ?, ?, ?, ?, ?)`, values);
    const row = (await this.run(`SELECT * FROM ${table}`)).first();
    same({ ...row.home }, home);
    same(row.loose.street, "Side");
    same(row.t.elements, [7, null]);
    same(Array.from(row.v), [1, -2.5, 0]);
    same({ ...row.nested[0] }, home);
  }

  async mapper() {
    const table = `mapped_${this.version}`;
    await this.run(`CREATE TABLE ${keyspace}.${table} (user_id uuid, seen timestamp, note text, PRIMARY KEY (user_id, seen))`);
    const mapping = new cassandra.mapping.Mapper(this.client, {
      models: { Visit: { tables: [table], keyspace, mappings: new cassandra.mapping.UnderscoreCqlToCamelCaseMappings() } },
    }).forModel("Visit");
    const userId = types.Uuid.random();
    await mapping.insert({ userId, seen: new Date(1), note: "one" });
    await mapping.insert({ userId, seen: new Date(2), note: "two" });
    await mapping.update({ userId, seen: new Date(2), note: "zwei" });
    const found = await mapping.find({ userId }, { orderBy: { seen: "desc" } });
    same(found.toArray().map((visit) => visit.note), ["zwei", "one"]);
    await mapping.remove({ userId, seen: new Date(1) });
    same((await mapping.find({ userId })).toArray().length, 1);
  }

  // the rest

  async schemaEvents() {
    const watcher = await connect(this.number);
    const name = `watched_${this.version}`;
    const columns = () => watcher.metadata.getTable(keyspace, name).then((table) => table && table.columns.length);
    await until(() => watcher.metadata.keyspaces[keyspace], "the keyspace");
    same(await columns(), null);
    await this.run(`CREATE TABLE ${keyspace}.${name} (k int PRIMARY KEY)`);
    await until(async () => (await columns()) === 1, "created");
    await this.run(`ALTER TABLE ${keyspace}.${name} ADD v int`);
    await until(async () => (await columns()) === 2, "updated"); // the driver keeps a table until it hears of a change
    await this.run(`DROP TABLE ${keyspace}.${name}`);
    await until(async () => (await columns()) === null, "dropped");
    await watcher.shutdown();
  }

  async errors() {
    const table = this.table("errors");
    const { responseErrorCodes: codes, consistencies } = types;
    await this.run(`CREATE TABLE ${table} (k int PRIMARY KEY, v int)`);
    await raises(this.run(`SELEC * FROM ${table}`), codes.syntaxError);
    const invalid = await raises(this.run(`SELECT nope FROM ${table}`), codes.invalid);
    same(invalid.message, `Undefined column name nope in table ${table}`);
    const exists = await raises(this.run(`CREATE TABLE ${table} (k int PRIMARY KEY)`), codes.alreadyExists);
    same([exists.keyspace, exists.table], [keyspace, `errors_${this.version}`]);
    const few = this.run(`SELECT * FROM ${table} WHERE k = 1`, undefined, { consistency: consistencies.three });
    const unavailable = await raises(few, codes.unavailableException);
    same([unavailable.consistencies, unavailable.required, unavailable.alive], [consistencies.three, 3, 1]);
    await this.run(`INSERT INTO ${table} (k) VALUES (1)`); // the connection lives on
  }

  async warnings() {
    await this.run(`CREATE TABLE ${this.table("warned")} (k int PRIMARY KEY)`);
    const { info } = await this.run(`SELECT count(*) FROM ${this.table("warned")}`);
    same(info.warnings, this.number >= 4 ? ["Aggregation query used without partition key"] : undefined);
  }

  async tracing() {
    const select = `SELECT * FROM ${this.table("traced")}`;
    await this.run(`CREATE TABLE ${this.table("traced")} (k int PRIMARY KEY)`);
    const { info } = await this.run(select, undefined, { traceQuery: true });
    const trace = await this.client.metadata.getTrace(info.traceId);
    same(trace.requestType, "Execute CQL3 query");
    same(trace.parameters.query, select);
    assert.ok(trace.duration > 0);
    assert.ok(trace.events.length > 0);
  }

  async customPayload() {
    if (this.number < 4) {
      return;
    }
    const customPayload = { key: Buffer.from("value"), empty: Buffer.alloc(0) };
    const select = "SELECT release_version FROM system.local WHERE key = ?";
    const { rows, info } = await this.run(select, ["local"], { customPayload }); // it has to do no harm
    same([rows.length, info.customPayload], [1, undefined]);
  }
}

const NAMES = {
  connect: "connected",
  values: "values",
  paging: "paging",
  metadata: "metadata",
  tokens: "tokens",
  simple: "simple",
  prepared: "prepared",
  schema_change_of_prepared: "changedSchema",
  at_once: "atOnce",
  batch: "batch",
  counter_batch: "counters",
  lwt: "lwt",
  native_types: "nativeTypes",
  collections: "collections",
  udt_tuple_vector: "udtTupleVector",
  mapper: "mapper",
  schema_events: "schemaEvents",
  errors: "errors",
  warnings: "warnings",
  tracing: "tracing",
  custom_payload: "customPayload",
};

async function main() {
  const admin = await connect();
  await check("negotiation", async () => {
    same(admin.controlConnection.protocolVersion, 4);
    same((await admin.execute("SELECT release_version FROM system.local")).first().release_version, "5.0.8");
  });
  await admin.execute(`CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`);
  try {
    await admin.execute(`CREATE TYPE ${keyspace}.address (street text, zip int)`);
    for (const version of [3, 4]) {
      const client = await connect(version);
      const checks = new Checks(client, version);
      for (const [name, method] of Object.entries(NAMES)) {
        await check(`${name}_v${version}`, () => checks[method]());
      }
      await client.shutdown();
    }
  } finally {
    await admin.execute(`DROP KEYSPACE ${keyspace}`);
    await admin.shutdown();
  }
}

main().catch((error) => {
  console.log(`FAIL main: ${String(error.stack || error).replaceAll("\n", " ")}`);
  process.exitCode = 1;
});
