//! Checks through the Rust driver, one line each: "ok name" or "FAIL name: why". Arguments: host, port, keyspace.
//!
//! The driver speaks protocol v4 alone. Connecting, big values and paging are also checked with compression; each run has
//! tables of its own, the keyspace is made and dropped here.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use bigdecimal::BigDecimal;
use futures::{future, StreamExt, TryStreamExt};
use num_bigint::BigInt;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::cluster::metadata::{ColumnType, NativeType, Strategy};
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::frame::Compression;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{Counter, CqlDate, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, MaybeUnset, Row};
use scylla::{DeserializeRow, DeserializeValue, SerializeRow, SerializeValue};
use uuid::Uuid;

const ROWS: i32 = 250;
const TIMEOUT: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn Error>>;

fn same<T: PartialEq + Debug>(expected: T, found: T) -> Outcome {
    holds(expected == found, &format!("expected {expected:?}, found {found:?}"))
}

fn holds(condition: bool, what: &str) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(what.into())
    }
}

async fn check(name: &str, run: impl Future<Output = Outcome>) {
    match run.await {
        Ok(()) => println!("ok {name}"),
        Err(error) => println!("FAIL {name}: {}", error.to_string().replace('\n', " ")),
    }
}

async fn connect(address: &str, compression: Option<Compression>) -> Result<Session, Box<dyn Error>> {
    Ok(SessionBuilder::new()
        .known_node(address)
        .compression(compression)
        .connection_timeout(TIMEOUT)
        .schema_agreement_interval(Duration::from_millis(5))
        .tracing_info_fetch_attempts(NonZeroU32::new(500).unwrap())
        .tracing_info_fetch_interval(Duration::from_millis(5))
        .build()
        .await?)
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = env::args().collect();
    let (address, keyspace) = (format!("{}:{}", arguments[1], arguments[2]), arguments[3].as_str());
    let admin = connect(&address, None).await?;
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    admin.query_unpaged(format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}"), ()).await?;
    admin.query_unpaged(format!("CREATE TYPE {keyspace}.address (street text, zip int)"), ()).await?;
    for (version, compression) in
        [("v4", None), ("v4_lz4", Some(Compression::Lz4)), ("v4_snappy", Some(Compression::Snappy))]
    {
        match connect(&address, compression).await {
            Ok(session) => Checks { session, version, keyspace }.all(compression.is_some()).await,
            Err(error) => println!("FAIL connect_{version}: {error}"),
        }
    }
    admin.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    Ok(())
}

struct Checks<'a> {
    session: Session,
    version: &'a str,
    keyspace: &'a str,
}

#[derive(Debug, Clone, PartialEq, SerializeValue, DeserializeValue)]
struct Address {
    street: Option<String>,
    zip: Option<i32>,
}

impl Checks<'_> {
    async fn all(&self, compressed: bool) {
        let version = self.version;
        check(&format!("connect_{version}"), self.connected()).await;
        check(&format!("values_{version}"), self.big_values()).await;
        check(&format!("paging_{version}"), self.paging()).await;
        if compressed {
            return;
        }
        check(&format!("metadata_{version}"), self.metadata()).await;
        check(&format!("tokens_{version}"), self.tokens()).await;
        check(&format!("simple_{version}"), self.simple()).await;
        check(&format!("prepared_{version}"), self.prepared()).await;
        check(&format!("schema_change_of_prepared_{version}"), self.changed_schema()).await;
        check(&format!("at_once_{version}"), self.at_once()).await;
        check(&format!("batch_{version}"), self.batch()).await;
        check(&format!("counter_batch_{version}"), self.counters()).await;
        check(&format!("lwt_{version}"), self.lwt()).await;
        check(&format!("native_types_{version}"), self.native_types()).await;
        check(&format!("collections_{version}"), self.collections()).await;
        check(&format!("udt_tuple_vector_{version}"), self.udt_tuple_vector()).await;
        check(&format!("errors_{version}"), self.errors()).await;
        check(&format!("warnings_{version}"), self.warnings()).await;
        check(&format!("tracing_{version}"), self.tracing()).await;
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{name}_{}", self.keyspace, self.version)
    }

    async fn run(&self, text: String) -> Outcome {
        self.session.query_unpaged(text, ()).await?;
        Ok(())
    }

    /// Prepares (once) and executes.
    async fn execute(&self, text: &str, values: impl SerializeRow) -> Outcome {
        let prepared = self.session.prepare(text).await?;
        self.session.execute_unpaged(&prepared, values).await?;
        Ok(())
    }

    async fn rows<R>(&self, text: &str, values: impl SerializeRow) -> Result<Vec<R>, Box<dyn Error>>
    where
        R: for<'frame, 'metadata> scylla::deserialize::row::DeserializeRow<'frame, 'metadata>,
    {
        let found = self.session.query_unpaged(text, values).await?.into_rows_result()?;
        let rows = found.rows::<R>()?.collect::<Result<Vec<R>, _>>()?;
        Ok(rows)
    }

    async fn failure(&self, statement: Statement) -> Result<(DbError, String), Box<dyn Error>> {
        match self.session.query_unpaged(statement, ()).await {
            Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(kind, message))) => Ok((kind, message)),
            other => Err(format!("expected an error of the server, found {other:?}").into()),
        }
    }

    // connection

    async fn connected(&self) -> Outcome {
        let state = self.session.get_cluster_state();
        same(1, state.get_nodes_info().len())?;
        let node = &state.get_nodes_info()[0];
        same(Some("datacenter1"), node.datacenter.as_deref())?;
        same(Some("rack1"), node.rack.as_deref())?;
        holds(self.session.check_schema_agreement().await?.is_some(), "schema agreement")?;
        let found: Vec<(String,)> = self.rows("SELECT release_version FROM system.local", ()).await?;
        same("5.0.8", &found[0].0)
    }

    async fn big_values(&self) -> Outcome {
        let table = self.table("big");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v blob)")).await?;
        for (number, size) in (0i32..).zip([0usize, 1, 1000, 131_071, 131_072, 1_048_576]) {
            let value: Vec<u8> = (0..size).map(|i| (i * 31 + i / 257) as u8).collect();
            self.execute(&format!("INSERT INTO {table} (k, v) VALUES (?, ?)"), (number, &value)).await?;
            let found: Vec<(Vec<u8>,)> = self.rows(&format!("SELECT v FROM {table} WHERE k = ?"), (number,)).await?;
            holds(found[0].0 == value, &format!("{size} bytes"))?;
        }
        Ok(())
    }

    async fn metadata(&self) -> Outcome {
        self.run(format!(
            "CREATE TABLE {} (a uuid, b date, c timestamp, d int, s text STATIC, v map<text, frozen<list<int>>>,
             home frozen<address>, PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)",
            self.table("events")
        ))
        .await?;
        self.session.refresh_metadata().await?;
        let state = self.session.get_cluster_state();
        let found = state.get_keyspace(self.keyspace).ok_or("the keyspace")?;
        holds(matches!(found.strategy, Strategy::SimpleStrategy { replication_factor: 1 }), "the strategy")?;
        let table = found.tables.get(&format!("events_{}", self.version)).ok_or("the table")?;
        same(vec!["a".to_string(), "b".to_string()], table.partition_key.clone())?;
        same(vec!["c".to_string(), "d".to_string()], table.clustering_key.clone())?;
        same(&ColumnType::Native(NativeType::Timestamp), &table.columns["c"].typ)?;
        holds(matches!(table.columns["v"].typ, ColumnType::Collection { frozen: false, .. }), "a map")?;
        holds(matches!(table.columns["home"].typ, ColumnType::UserDefinedType { frozen: true, .. }), "a frozen type")?;
        let address = found.user_defined_types.get("address").ok_or("the type")?;
        let names: Vec<&str> = address.field_types.iter().map(|(name, _)| name.as_ref()).collect();
        same(vec!["street", "zip"], names)
    }

    async fn tokens(&self) -> Outcome {
        let table = self.table("tokens");
        self.run(format!("CREATE TABLE {table} (a text, b int, v int, PRIMARY KEY ((a, b)))")).await?;
        let insert = self.session.prepare(format!("UPDATE {table} SET v = ? WHERE b = ? AND a = ?")).await?;
        holds(insert.is_token_aware(), "routed by its key")?;
        for (number, key) in (0i32..).zip(["", "a", "é", "0123456789abcdef", "0123456789abcdeé", "\u{1F600} long enough"])
        {
            self.session.execute_unpaged(&insert, (1, number, key)).await?;
            let local = insert.calculate_token(&(1, number, key))?.ok_or("a token")?;
            let found: Vec<(i64,)> =
                self.rows(&format!("SELECT token(a, b) FROM {table} WHERE a = ? AND b = ?"), (key, number)).await?;
            same(found[0].0, local.value())?;
        }
        Ok(())
    }

    // statements

    async fn simple(&self) -> Outcome {
        let table = self.table("simple");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v text, n bigint)")).await?;
        self.run(format!("INSERT INTO {table} (k, v) VALUES (1, 'one')")).await?;
        self.session.query_unpaged(format!("INSERT INTO {table} (k, v) VALUES (?, ?)"), (2, "two")).await?;
        let named = HashMap::from([
            ("key", CqlValue::Int(3)),
            ("value", CqlValue::Text("three".into())),
            ("n", CqlValue::BigInt(3)),
        ]);
        self.session.query_unpaged(format!("INSERT INTO {table} (k, v, n) VALUES (:key, :value, :n)"), named).await?;
        let found: Vec<(i32, Option<i64>, String)> = self.rows(&format!("SELECT * FROM {table} WHERE k = 3"), ()).await?;
        same(vec![(3, Some(3), "three".to_string())], found)?;
        let result = self.session.query_unpaged(format!("SELECT count(*) AS total, max(k) FROM {table}"), ()).await?;
        let totals = result.into_rows_result()?;
        let names: Vec<&str> = totals.column_specs().iter().map(|column| column.name()).collect();
        same(vec!["total", "system.max(k)"], names)?;
        same((3i64, 3i32), totals.single_row::<(i64, i32)>()?)?;
        let mut stamped = Statement::new(format!("UPDATE {table} SET v = 'stamped' WHERE k = 4"));
        stamped.set_timestamp(Some(1234));
        self.session.query_unpaged(stamped, ()).await?;
        let stamps: Vec<(i64,)> = self.rows(&format!("SELECT writetime(v) FROM {table} WHERE k = 4"), ()).await?;
        same(1234, stamps[0].0)?;
        // a session that uses the keyspace
        self.session.use_keyspace(self.keyspace, false).await?;
        let unqualified: Vec<(i32,)> = self.rows(&format!("SELECT k FROM simple_{}", self.version), ()).await?;
        same(4, unqualified.len())
    }

    async fn prepared(&self) -> Outcome {
        #[derive(SerializeRow)]
        struct Insert<'a> {
            a: i32,
            b: &'a str,
            c: i32,
            v: MaybeUnset<Option<&'a str>>,
            lifetime: i32,
        }
        #[derive(Debug, PartialEq, DeserializeRow)]
        struct Found {
            c: i32,
            v: Option<String>,
            left: Option<i32>,
        }
        let table = self.table("prepared");
        self.run(format!("CREATE TABLE {table} (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))")).await?;
        let insert = format!("INSERT INTO {table} (v, c, b, a) VALUES (:v, :c, :b, :a) USING TTL :lifetime");
        for (c, v, lifetime) in
            [(1, MaybeUnset::Set(Some("first")), 1000), (2, MaybeUnset::Set(None), 0), (1, MaybeUnset::Unset, 0)]
        {
            self.execute(&insert, Insert { a: 1, b: "b", c, v, lifetime }).await?;
        }
        let select = format!("SELECT c, v, ttl(v) AS left FROM {table} WHERE a = ? AND b = ? AND c IN ?");
        let prepared = self.session.prepare(select).await?;
        same(3, prepared.get_variable_col_specs().len())?;
        let result = self.session.execute_unpaged(&prepared, (1, "b", vec![1, 2, 3])).await?.into_rows_result()?;
        let rows = result.rows::<Found>()?.collect::<Result<Vec<_>, _>>()?;
        same(2, rows.len())?;
        same(Some("first"), rows[0].v.as_deref())?;
        holds(rows[0].left.unwrap_or(0) > 900, "a ttl")?;
        same(&Found { c: 2, v: None, left: None }, &rows[1])
    }

    async fn changed_schema(&self) -> Outcome {
        let table = self.table("changing");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, a int)")).await?;
        self.run(format!("INSERT INTO {table} (k, a) VALUES (1, 10)")).await?;
        let select = self.session.prepare(format!("SELECT a FROM {table} WHERE k = ?")).await?;
        same((10,), self.session.execute_unpaged(&select, (1,)).await?.into_rows_result()?.single_row::<(i32,)>()?)?;
        self.run(format!("ALTER TABLE {table} ADD b text")).await?;
        same((10,), self.session.execute_unpaged(&select, (1,)).await?.into_rows_result()?.single_row::<(i32,)>()?)?;
        self.run(format!("DROP TABLE {table}")).await?;
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, a int)")).await?;
        // the server has forgotten the statement, the driver prepares it again
        same(0, self.session.execute_unpaged(&select, (1,)).await?.into_rows_result()?.rows_num())
    }

    async fn at_once(&self) -> Outcome {
        let table = self.table("at_once");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v int)")).await?;
        let insert = self.session.prepare(format!("INSERT INTO {table} (k, v) VALUES (?, ?)")).await?;
        let select = self.session.prepare(format!("SELECT v FROM {table} WHERE k = ?")).await?;
        future::try_join_all((0..1000).map(|i| self.session.execute_unpaged(&insert, (i, i * i)))).await?;
        let found = future::try_join_all((0..1000).map(|i| self.session.execute_unpaged(&select, (i,)))).await?;
        for (i, result) in (0i32..).zip(found) {
            same((i * i,), result.into_rows_result()?.single_row::<(i32,)>()?)?;
        }
        Ok(())
    }

    async fn batch(&self) -> Outcome {
        let table = self.table("batch");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v text)")).await?;
        let insert = self.session.prepare(format!("INSERT INTO {table} (k, v) VALUES (?, ?)")).await?;
        for (kind, name) in [(BatchType::Logged, "logged"), (BatchType::Unlogged, "unlogged")] {
            let mut batch = Batch::new(kind);
            batch.set_consistency(Consistency::Quorum);
            batch.append_statement(insert.clone());
            batch.append_statement(format!("INSERT INTO {table} (k, v) VALUES (2, '{name}')").as_str());
            self.session.batch(&batch, ((1, name), ())).await?;
            let found: Vec<(String,)> = self.rows(&format!("SELECT v FROM {table}"), ()).await?;
            same(vec![(name.to_string(),), (name.to_string(),)], found)?;
        }
        Ok(())
    }

    async fn counters(&self) -> Outcome {
        let table = self.table("counters");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, n counter)")).await?;
        let add = self.session.prepare(format!("UPDATE {table} SET n = n + ? WHERE k = ?")).await?;
        let mut batch = Batch::new(BatchType::Counter);
        for _ in 0..3 {
            batch.append_statement(add.clone());
        }
        self.session.batch(&batch, ((Counter(5), 1), (Counter(-2), 1), (Counter(7), 2))).await?;
        let found: Vec<(Counter,)> = self.rows(&format!("SELECT n FROM {table} WHERE k IN (1, 2)"), ()).await?;
        same(vec![(Counter(3),), (Counter(7),)], found)
    }

    async fn lwt(&self) -> Outcome {
        let table = self.table("lwt");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v text)")).await?;
        let mut insert = self.session.prepare(format!("INSERT INTO {table} (k, v) VALUES (?, ?) IF NOT EXISTS")).await?;
        insert.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        let applied = |result: scylla::response::query_result::QueryResult| -> Result<bool, Box<dyn Error>> {
            let rows = result.into_rows_result()?;
            Ok(rows.single_row::<Row>()?.columns[0] == Some(CqlValue::Boolean(true)))
        };
        holds(applied(self.session.execute_unpaged(&insert, (1, "a")).await?)?, "applied")?;
        let refused = self.session.execute_unpaged(&insert, (1, "b")).await?.into_rows_result()?;
        let names: Vec<&str> = refused.column_specs().iter().map(|column| column.name()).collect();
        same(vec!["[applied]", "k", "v"], names)?;
        same((false, 1, "a"), refused.single_row::<(bool, i32, &str)>()?)?;
        let update = self.session.prepare(format!("UPDATE {table} SET v = ? WHERE k = ? IF v = ?")).await?;
        holds(applied(self.session.execute_unpaged(&update, ("c", 1, "a")).await?)?, "applied")?;
        holds(!applied(self.session.execute_unpaged(&update, ("d", 1, "a")).await?)?, "not applied")?;
        let racing = future::try_join_all((0..10).map(|_| self.session.execute_unpaged(&insert, (2, "racer")))).await?;
        let mut winners = 0;
        for result in racing {
            winners += i32::from(applied(result)?);
        }
        same(1, winners)
    }

    async fn paging(&self) -> Outcome {
        let table = self.table("paging");
        self.run(format!("CREATE TABLE {table} (k int, c int, PRIMARY KEY (k, c))")).await?;
        let insert = self.session.prepare(format!("INSERT INTO {table} (k, c) VALUES (?, ?)")).await?;
        future::try_join_all((0..ROWS).map(|c| self.session.execute_unpaged(&insert, (c % 2, c)))).await?;
        let mut select = self.session.prepare(format!("SELECT c FROM {table} WHERE k = ?")).await?;
        select.set_page_size(20);
        let pager = self.session.execute_iter(select.clone(), (1,)).await?;
        let found: Vec<(i32,)> = pager.rows_stream::<(i32,)>()?.try_collect().await?;
        same((0..ROWS / 2).map(|i| (2 * i + 1,)).collect::<Vec<_>>(), found)?;
        let (first, state) = self.session.execute_single_page(&select, (1,), PagingState::start()).await?;
        same(20, first.into_rows_result()?.rows_num())?;
        let PagingStateResponse::HasMorePages { state } = state else { return Err("no second page".into()) };
        let (second, _) = self.session.execute_single_page(&select, (1,), state).await?;
        same((41,), second.into_rows_result()?.first_row::<(i32,)>()?)?;
        let mut everything = Statement::new(format!("SELECT c FROM {table}"));
        everything.set_page_size(60);
        let rows = self.session.query_iter(everything, ()).await?.rows_stream::<(i32,)>()?;
        same(ROWS as usize, rows.count().await)
    }

    // types

    async fn native_types(&self) -> Outcome {
        let address: IpAddr = "2001:db8::1".parse()?;
        let precise: BigDecimal = "-12345678901234567890.123456789".parse()?;
        let whole: BigInt = "-123456789012345678901234567890".parse()?;
        let time_based = CqlTimeuuid::from(Uuid::now_v1(&[1, 2, 3, 4, 5, 6]));
        let values: Vec<(&str, CqlValue)> = vec![
            ("ascii", CqlValue::Ascii("ascii".into())),
            ("bigint", CqlValue::BigInt(i64::MIN)),
            ("blob", CqlValue::Blob(vec![0, 255])),
            ("boolean", CqlValue::Boolean(true)),
            ("date", CqlValue::Date(CqlDate((1 << 31) - 1))),
            ("decimal", CqlValue::Decimal(precise.try_into()?)),
            ("double", CqlValue::Double(-0.5)),
            ("duration", CqlValue::Duration(CqlDuration { months: 1, days: 2, nanoseconds: 3 })),
            ("float", CqlValue::Float(1.25)),
            ("inet", CqlValue::Inet(address)),
            ("int", CqlValue::Int(i32::MIN)),
            ("smallint", CqlValue::SmallInt(-300)),
            ("text", CqlValue::Text("naïve 日本語 \u{1F600}".into())),
            ("time", CqlValue::Time(CqlTime(86_399_999_999_999))),
            ("timestamp", CqlValue::Timestamp(CqlTimestamp(-1))),
            ("timeuuid", CqlValue::Timeuuid(time_based)),
            ("tinyint", CqlValue::TinyInt(-7)),
            ("uuid", CqlValue::Uuid(Uuid::new_v4())),
            ("varchar", CqlValue::Text("varchar".into())),
            ("varint", CqlValue::Varint(whole.into())),
        ];
        let table = self.table("natives");
        let definitions: String = values.iter().map(|(name, _)| format!(", c_{name} {name}")).collect();
        let names: Vec<String> = values.iter().map(|(name, _)| format!("c_{name}")).collect();
        let names = names.join(", ");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY{definitions})")).await?;
        let insert = format!("INSERT INTO {table} (k, {names}) VALUES (?{})", ", ?".repeat(values.len()));
        let with_key = |key: i32, rest: Vec<Option<CqlValue>>| {
            let mut row = vec![Some(CqlValue::Int(key))];
            row.extend(rest);
            row
        };
        self.execute(&insert, with_key(1, values.iter().map(|(_, value)| Some(value.clone())).collect())).await?;
        self.execute(&insert, with_key(2, vec![None; values.len()])).await?;
        let select = format!("SELECT {names} FROM {table} WHERE k = ?");
        let found: Vec<Row> = self.rows(&select, (1,)).await?;
        for ((_, value), column) in values.iter().zip(&found[0].columns) {
            same(Some(value), column.as_ref())?;
        }
        let empty: Vec<Row> = self.rows(&select, (2,)).await?;
        holds(empty[0].columns.iter().all(Option::is_none), "nulls")
    }

    async fn collections(&self) -> Outcome {
        type Found = (Vec<i32>, Vec<String>, HashMap<String, i64>, HashMap<i32, Vec<String>>);
        let table = self.table("collections");
        self.run(format!(
            "CREATE TABLE {table} (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>,
             n frozen<map<int, frozen<list<text>>>>)"
        ))
        .await?;
        let nested = HashMap::from([(1, vec!["p".to_string(), "q".to_string()])]);
        self.execute(
            &format!("INSERT INTO {table} (k, l, s, m, n) VALUES (?, ?, ?, ?, ?)"),
            (1, vec![3, 1, 3], vec!["b", "a"], HashMap::from([("x", 1i64)]), &nested),
        )
        .await?;
        let update = format!("UPDATE {table} SET l = l + ?, m[?] = ?, s = s - ? WHERE k = ?");
        self.execute(&update, (vec![9], "y", 2i64, vec!["b"], 1)).await?;
        let found: Vec<Found> = self.rows(&format!("SELECT l, s, m, n FROM {table}"), ()).await?;
        let counts = HashMap::from([("x".to_string(), 1), ("y".to_string(), 2)]);
        same(vec![(vec![3, 1, 3, 9], vec!["a".to_string()], counts, nested)], found)
    }

    async fn udt_tuple_vector(&self) -> Outcome {
        type Found = (Address, Address, (i32, Option<String>), Vec<f32>, Vec<String>, Vec<Address>);
        let table = self.table("structured");
        self.run(format!(
            "CREATE TABLE {table} (k int PRIMARY KEY, home frozen<address>, loose address, t tuple<int, text>,
             v vector<float, 3>, w vector<text, 2>, nested list<frozen<address>>)"
        ))
        .await?;
        let home = Address { street: Some("Main".into()), zip: Some(12) };
        let loose = Address { street: Some("Side".into()), zip: None };
        self.execute(
            &format!("INSERT INTO {table} (k, home, loose, t, v, w, nested) VALUES (?, ?, ?, ?, ?, ?, ?)"),
            (1, &home, &loose, (7, None::<&str>), vec![1.0f32, -2.5, 0.0], vec!["", "long"], vec![&home]),
        )
        .await?;
        let found: Vec<Found> = self.rows(&format!("SELECT home, loose, t, v, w, nested FROM {table}"), ()).await?;
        let words = vec![String::new(), "long".to_string()];
        same(vec![(home.clone(), loose, (7, None), vec![1.0, -2.5, 0.0], words, vec![home])], found)
    }

    // the rest

    async fn errors(&self) -> Outcome {
        let table = self.table("errors");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY, v int)")).await?;
        same(DbError::SyntaxError, self.failure(format!("SELEC * FROM {table}").into()).await?.0)?;
        let (kind, message) = self.failure(format!("SELECT nope FROM {table}").into()).await?;
        same((DbError::Invalid, format!("Undefined column name nope in table {table}")), (kind, message))?;
        let exists = DbError::AlreadyExists { keyspace: self.keyspace.into(), table: format!("errors_{}", self.version) };
        same(exists, self.failure(format!("CREATE TABLE {table} (k int PRIMARY KEY)").into()).await?.0)?;
        let mut three = Statement::new(format!("SELECT * FROM {table} WHERE k = 1"));
        three.set_consistency(Consistency::Three);
        let unavailable = DbError::Unavailable { consistency: Consistency::Three, required: 3, alive: 1 };
        same(unavailable, self.failure(three).await?.0)
    }

    async fn warnings(&self) -> Outcome {
        let table = self.table("warned");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY)")).await?;
        let result = self.session.query_unpaged(format!("SELECT count(*) FROM {table}"), ()).await?;
        same(vec!["Aggregation query used without partition key"], result.warnings().collect())
    }

    async fn tracing(&self) -> Outcome {
        let table = self.table("traced");
        self.run(format!("CREATE TABLE {table} (k int PRIMARY KEY)")).await?;
        let mut select = Statement::new(format!("SELECT * FROM {table}"));
        select.set_tracing(true);
        let result = self.session.query_unpaged(select, ()).await?;
        let id = result.tracing_id().ok_or("a tracing id")?;
        let trace = self.session.get_tracing_info(&id).await?;
        same(Some("Execute CQL3 query"), trace.request.as_deref())?;
        same(Some(&format!("SELECT * FROM {table}")), trace.parameters.unwrap_or_default().get("query"))?;
        holds(!trace.events.is_empty(), "events")
    }
}
