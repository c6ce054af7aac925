// Checks through gocql, one line each: "ok name" or "FAIL name: why". Arguments: host, port, keyspace.
//
// Each check runs with every protocol version that the driver speaks, in tables of its own version; the keyspace is made and
// dropped here. The same checks are built twice, against the driver of today and its predecessor (test_go_drivers.py puts
// the predecessor's import path into this file); what only one of them can is in differences_*.go.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"
)

const (
	rows    = 250
	timeout = 20 * time.Second
)

type checks struct {
	session  *gocql.Session
	cluster  func(version int, compressor gocql.Compressor) *gocql.ClusterConfig
	protocol int
	version  string
	keyspace string
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	must(err)
	keyspace := os.Args[3]
	cluster := func(version int, compressor gocql.Compressor) *gocql.ClusterConfig {
		config := gocql.NewCluster(os.Args[1])
		config.Port = port
		config.ProtoVersion = version
		config.Compressor = compressor
		config.Timeout = timeout
		config.ConnectTimeout = timeout
		config.Consistency = gocql.One
		config.MaxWaitSchemaAgreement = timeout
		config.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
		return config
	}
	admin, err := cluster(versions[len(versions)-1], nil).CreateSession()
	must(err)
	must(admin.Query("CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").Exec())
	defer func() { must(admin.Query("DROP KEYSPACE " + keyspace).Exec()) }()
	must(admin.Query("CREATE TYPE " + keyspace + ".address (street text, zip int)").Exec())

	check("negotiation", func() {
		session, err := cluster(0, nil).CreateSession()
		must(err)
		defer session.Close()
		var release string
		must(session.Query("SELECT release_version FROM system.local").Scan(&release))
		same("5.0.8", release)
	})
	all(len(versions), func(i int) error { // side by side: the driver waits a second behind each change of the schema
		version := versions[i]
		run(checks{cluster: cluster, protocol: version, version: fmt.Sprintf("v%d", version), keyspace: keyspace}, nil)
		for name, compressor := range compressors(version) {
			run(checks{cluster: cluster, protocol: version, version: fmt.Sprintf("v%d_%s", version, name), keyspace: keyspace}, compressor)
		}
		return nil
	})
}

func run(c checks, compressor gocql.Compressor) {
	session, err := c.cluster(c.protocol, compressor).CreateSession()
	if err != nil {
		fmt.Printf("FAIL connect_%s: %v\n", c.version, err)
		return
	}
	defer session.Close()
	c.session = session
	check("connect_"+c.version, c.connected)
	check("values_"+c.version, c.bigValues)
	check("paging_"+c.version, c.paging)
	if compressor != nil {
		return
	}
	check("metadata_"+c.version, c.metadata)
	check("agreement_"+c.version, c.agreement)
	check("simple_"+c.version, c.simple)
	check("prepared_"+c.version, c.prepared)
	check("schema_change_of_prepared_"+c.version, c.changedSchema)
	check("at_once_"+c.version, c.atOnce)
	check("batch_"+c.version, c.batch)
	check("counter_batch_"+c.version, c.counters)
	check("lwt_"+c.version, c.lwt)
	check("native_types_"+c.version, c.nativeTypes)
	check("collections_"+c.version, c.collections)
	check("udt_tuple_"+c.version, c.udtTuple)
	check("errors_"+c.version, c.errors)
	check("warnings_"+c.version, c.warnings)
	check("tracing_"+c.version, c.tracing)
	check("custom_payload_"+c.version, c.customPayload)
	for name, one := range c.special() {
		check(name+"_"+c.version, one)
	}
}

func check(name string, run func()) {
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(failure), "\n", " "))
			return
		}
		fmt.Println("ok " + name)
	}()
	run()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(expected, found interface{}) {
	if !reflect.DeepEqual(expected, found) {
		panic(fmt.Sprintf("expected %v, found %v", expected, found))
	}
}

func holds(condition bool, what string) {
	if !condition {
		panic(what)
	}
}

// The error of a query, of the kind that `target` points to.
func raises(err error, target interface{}) {
	if !errors.As(err, target) {
		panic(fmt.Sprintf("expected %T, found %T %v", target, err, err))
	}
}

func (c checks) table(name string) string {
	return c.keyspace + "." + name + "_" + c.version
}

func (c checks) exec(text string, values ...interface{}) {
	must(c.session.Query(text, values...).Exec())
}

// connection

func (c checks) connected() {
	var cluster, release, partitioner, rack, center string
	must(c.session.Query("SELECT cluster_name, release_version, partitioner, rack, data_center FROM system.local").
		Scan(&cluster, &release, &partitioner, &rack, &center))
	same("5.0.8", release)
	same("org.apache.cassandra.dht.Murmur3Partitioner", partitioner)
	same("rack1", rack)
	same("datacenter1", center)
}

func (c checks) bigValues() {
	table := c.table("big")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v blob)")
	for number, size := range []int{0, 1, 1000, 131_071, 131_072, 1_048_576} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i*31 + i/257)
		}
		c.exec("INSERT INTO "+table+" (k, v) VALUES (?, ?)", number, value)
		var found []byte
		must(c.session.Query("SELECT v FROM "+table+" WHERE k = ?", number).Scan(&found))
		holds(bytes.Equal(value, found), fmt.Sprintf("%d bytes", size))
	}
}

func (c checks) metadata() {
	c.exec("CREATE TABLE " + c.table("events") +
		" (a uuid, b date, c timestamp, d int, s text STATIC, v map<text, frozen<list<int>>>, home frozen<address>," +
		" PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s'")
	var found *gocql.KeyspaceMetadata
	var events *gocql.TableMetadata
	for deadline := time.Now().Add(timeout); events == nil; { // the driver refreshes its picture a second after an event
		var err error
		found, err = c.session.KeyspaceMetadata(c.keyspace)
		must(err)
		events = found.Tables["events_"+c.version]
		holds(time.Now().Before(deadline), "the table")
		time.Sleep(5 * time.Millisecond)
	}
	same("org.apache.cassandra.locator.SimpleStrategy", found.StrategyClass)
	same(2, len(events.PartitionKey))
	same("a", events.PartitionKey[0].Name)
	same("b", events.PartitionKey[1].Name)
	same(2, len(events.ClusteringColumns))
	same("desc", strings.ToLower(events.ClusteringColumns[0].ClusteringOrder))
	same(gocql.DESC, events.ClusteringColumns[0].Order)
	same(gocql.ASC, events.ClusteringColumns[1].Order)
	same(gocql.ColumnStatic, events.Columns["s"].Kind)
	same(gocql.TypeMap, events.Columns["v"].Type.Type())
	address := found.UserTypes["address"]
	holds(address != nil, "the type")
	same([]string{"street", "zip"}, address.FieldNames)
}

// DDL waits until all nodes agree; the driver asks system.local and system.peers for it.
func (c checks) agreement() {
	c.exec("CREATE TABLE " + c.table("agreed") + " (k int PRIMARY KEY)")
	c.exec("ALTER TABLE " + c.table("agreed") + " ADD v int")
	must(c.session.AwaitSchemaAgreement(background))
	c.exec("INSERT INTO "+c.table("agreed")+" (k, v) VALUES (?, ?)", 1, 2)
	c.exec("TRUNCATE " + c.table("agreed"))
	c.exec("DROP TABLE " + c.table("agreed"))
}

// statements

func (c checks) simple() {
	table := c.table("simple")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v text, n bigint)")
	c.exec("INSERT INTO " + table + " (k, v) VALUES (1, 'one')")
	c.exec("INSERT INTO "+table+" (k, v) VALUES (?, ?)", 2, "two")
	c.exec("INSERT INTO "+table+" (k, v, n) VALUES (?, ?, ?)", 3, "three", int64(3))
	found := map[string]interface{}{}
	must(c.session.Query("SELECT * FROM " + table + " WHERE k = 3").MapScan(found))
	same(map[string]interface{}{"k": 3, "n": int64(3), "v": "three"}, found)
	iter := c.session.Query("SELECT count(*) AS total, max(k) FROM " + table).Iter()
	same("total", iter.Columns()[0].Name)
	same("system.max(k)", iter.Columns()[1].Name)
	var total int64
	var last int
	holds(iter.Scan(&total, &last), "a row")
	must(iter.Close())
	same(int64(3), total)
	must(c.session.Query("UPDATE " + table + " SET v = 'stamped' WHERE k = 4").WithTimestamp(1234).Exec())
	var stamp int64
	must(c.session.Query("SELECT writetime(v) FROM " + table + " WHERE k = 4").Scan(&stamp))
	same(int64(1234), stamp)
	same(gocql.ErrNotFound, c.session.Query("SELECT k FROM "+table+" WHERE k = ?", 99).Scan(&last))
}

func (c checks) prepared() {
	table := c.table("prepared")
	c.exec("CREATE TABLE " + table + " (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))")
	insert := "INSERT INTO " + table + " (v, c, b, a) VALUES (?, ?, ?, ?) USING TTL ?"
	c.exec(insert, "first", 1, "b", 1, 1000)
	c.exec(insert, nil, 2, "b", 1, 0)
	selected := "SELECT c, v, ttl(v) FROM " + table + " WHERE a = ? AND b = ? AND c IN ?"
	iter := c.session.Query(selected, 1, "b", []int{1, 2, 3}).Iter()
	var number int
	var value *string
	var ttl *int
	holds(iter.Scan(&number, &value, &ttl), "a row")
	same("first", *value)
	holds(*ttl > 900, "a ttl")
	holds(iter.Scan(&number, &value, &ttl), "two rows")
	holds(value == nil && ttl == nil, "null")
	holds(!iter.Scan(&number, &value, &ttl), "no third row")
	must(iter.Close())
	named := "UPDATE " + table + " SET v = :v WHERE a = :a AND b = :b AND c = :c"
	c.exec(named, gocql.NamedValue("v", "named"), gocql.NamedValue("a", 1), gocql.NamedValue("b", "b"), gocql.NamedValue("c", 2))
	must(c.session.Query(selected, 1, "b", []int{2}).Scan(&number, &value, &ttl))
	same("named", *value)
	if c.protocol >= 4 {
		c.exec(insert, gocql.UnsetValue, 1, "b", 1, 0)
		must(c.session.Query(selected, 1, "b", []int{1}).Scan(&number, &value, &ttl))
		same("first", *value)
	}
}

func (c checks) changedSchema() {
	table := c.table("changing")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, a int)")
	c.exec("INSERT INTO " + table + " (k, a) VALUES (1, 10)")
	selected := "SELECT a FROM " + table + " WHERE k = ?"
	var found int
	must(c.session.Query(selected, 1).Scan(&found))
	c.exec("ALTER TABLE " + table + " ADD b text")
	must(c.session.Query(selected, 1).Scan(&found))
	same(10, found)
	c.exec("DROP TABLE " + table)
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, a int)")
	// the server has forgotten the statement, the driver prepares it again
	same(gocql.ErrNotFound, c.session.Query(selected, 1).Scan(&found))
}

func (c checks) atOnce() {
	table := c.table("at_once")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v int)")
	all(1000, func(i int) error {
		return c.session.Query("INSERT INTO "+table+" (k, v) VALUES (?, ?)", i, i*i).Exec()
	})
	all(1000, func(i int) error {
		var found int
		if err := c.session.Query("SELECT v FROM "+table+" WHERE k = ?", i).Scan(&found); err != nil {
			return err
		}
		if found != i*i {
			return fmt.Errorf("%d: found %d", i, found)
		}
		return nil
	})
}

func all(count int, run func(i int) error) {
	failures := make([]error, count)
	var group sync.WaitGroup
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			failures[i] = run(i)
		}(i)
	}
	group.Wait()
	for _, failure := range failures {
		must(failure)
	}
}

func (c checks) batch() {
	table := c.table("batch")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v text)")
	for name, kind := range map[string]gocql.BatchType{"logged": gocql.LoggedBatch, "unlogged": gocql.UnloggedBatch} {
		batch := c.session.NewBatch(kind)
		batch.Query("INSERT INTO "+table+" (k, v) VALUES (?, ?)", 1, name)
		batch.Query("INSERT INTO " + table + " (k, v) VALUES (2, '" + name + "')")
		must(c.session.ExecuteBatch(batch))
		iter := c.session.Query("SELECT v FROM " + table).Iter()
		var found string
		count := 0
		for iter.Scan(&found) {
			same(name, found)
			count++
		}
		must(iter.Close())
		same(2, count)
	}
}

func (c checks) counters() {
	table := c.table("counters")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, n counter)")
	batch := c.session.NewBatch(gocql.CounterBatch)
	add := "UPDATE " + table + " SET n = n + ? WHERE k = ?"
	batch.Query(add, int64(5), 1)
	batch.Query(add, int64(-2), 1)
	batch.Query(add, int64(7), 2)
	must(c.session.ExecuteBatch(batch))
	var found int64
	must(c.session.Query("SELECT n FROM " + table + " WHERE k = 1").Scan(&found))
	same(int64(3), found)
	must(c.session.Query("SELECT n FROM "+table+" WHERE k = ?", 2).Scan(&found))
	same(int64(7), found)
}

func (c checks) lwt() {
	table := c.table("lwt")
	c.exec("CREATE TABLE " + table + " (k int, c int, v text, PRIMARY KEY (k, c))")
	insert := "INSERT INTO " + table + " (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS"
	seen := map[string]interface{}{}
	applied, err := c.session.Query(insert, 1, 1, "a").MapScanCAS(seen)
	must(err)
	holds(applied, "applied")
	seen = map[string]interface{}{}
	applied, err = c.session.Query(insert, 1, 1, "b").SerialConsistency(gocql.LocalSerial).MapScanCAS(seen)
	must(err)
	holds(!applied, "not applied")
	same(map[string]interface{}{"k": 1, "c": 1, "v": "a"}, seen)
	update := "UPDATE " + table + " SET v = ? WHERE k = ? AND c = ? IF v = ?"
	var found string
	applied, err = c.session.Query(update, "c", 1, 1, "a").ScanCAS(&found)
	must(err)
	holds(applied, "applied")
	applied, err = c.session.Query(update, "d", 1, 1, "a").ScanCAS(&found)
	must(err)
	holds(!applied, "not applied")
	same("c", found)
	batch := c.session.NewBatch(gocql.LoggedBatch)
	batch.Query(update, "e", 1, 1, "c")
	batch.Query(insert, 1, 2, "f")
	applied, _, err = c.session.MapExecuteBatchCAS(batch, map[string]interface{}{})
	must(err)
	holds(applied, "the batch applied")
	var lock sync.Mutex
	winners := 0
	all(10, func(i int) error {
		won, err := c.session.Query(insert, 2, 2, fmt.Sprint("racer ", i)).MapScanCAS(map[string]interface{}{})
		lock.Lock()
		defer lock.Unlock()
		if won {
			winners++
		}
		return err
	})
	same(1, winners)
}

func (c checks) paging() {
	table := c.table("paging")
	c.exec("CREATE TABLE " + table + " (k int, c int, PRIMARY KEY (k, c))")
	all(rows, func(i int) error { return c.session.Query("INSERT INTO "+table+" (k, c) VALUES (?, ?)", i%2, i).Exec() })
	iter := c.session.Query("SELECT c FROM "+table+" WHERE k = ?", 1).PageSize(20).Iter()
	expected, found := 1, 0
	for iter.Scan(&found) {
		same(expected, found)
		expected += 2
	}
	must(iter.Close())
	same(rows+1, expected)
	// page by page, as a web page would
	count, pages := 0, 0
	var state []byte
	for {
		iter = c.session.Query("SELECT c FROM " + table).PageSize(60).PageState(state).Iter()
		state = iter.PageState()
		count += iter.NumRows()
		pages++
		must(iter.Close())
		if len(state) == 0 {
			break
		}
	}
	same(rows, count)
	same(5, pages)
}

// types

func (c checks) nativeTypes() {
	precise, _ := new(inf.Dec).SetString("-12345678901234567890.123456789")
	whole, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	id, err := gocql.RandomUUID()
	must(err)
	type column struct {
		name  string
		value interface{}
	}
	columns := []column{
		{"ascii", "ascii"}, {"bigint", int64(-1 << 63)}, {"blob", []byte{0, 255}}, {"boolean", true}, {"decimal", precise},
		{"double", -0.5}, {"float", float32(1.25)}, {"inet", net.ParseIP("2001:db8::1")}, {"int", -1 << 31},
		{"text", "naïve 日本語 \U0001F600"}, {"timestamp", time.UnixMilli(-1).UTC()}, {"timeuuid", gocql.TimeUUID()},
		{"uuid", id}, {"varint", whole}, {"varchar", "varchar"},
	}
	if c.protocol >= 4 { // these have codes of their own since v4, the next one since v5
		columns = append(columns, column{"date", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)}, column{"smallint", int16(-300)},
			column{"time", 86_399_999_999_999 * time.Nanosecond}, column{"tinyint", int8(-7)})
	}
	if c.protocol >= 5 {
		columns = append(columns, column{"duration", gocql.Duration{Months: 1, Days: 2, Nanoseconds: 3}})
	}
	table := c.table("natives")
	var definitions, names string
	key, empty, targets := []interface{}{1}, []interface{}{2}, []interface{}{}
	for _, column := range columns {
		definitions += ", c_" + column.name + " " + column.name
		names += ", c_" + column.name
		key, empty = append(key, column.value), append(empty, nil)
		targets = append(targets, reflect.New(reflect.TypeOf(column.value)).Interface())
	}
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY" + definitions + ")")
	insert := "INSERT INTO " + table + " (k" + names + ") VALUES (?" + strings.Repeat(", ?", len(columns)) + ")"
	c.exec(insert, key...)
	c.exec(insert, empty...)
	selected := "SELECT " + names[2:] + " FROM " + table + " WHERE k = ?"
	must(c.session.Query(selected, 1).Scan(targets...))
	for i, column := range columns {
		found := reflect.ValueOf(targets[i]).Elem().Interface()
		if text, ok := column.value.(fmt.Stringer); ok { // big numbers are equal without being alike
			same(column.name+" "+text.String(), column.name+" "+found.(fmt.Stringer).String())
		} else {
			same(column.value, found)
		}
	}
	nulls := make([]interface{}, len(columns))
	for i, column := range columns {
		nulls[i] = reflect.New(reflect.PtrTo(reflect.TypeOf(column.value))).Interface()
	}
	must(c.session.Query(selected, 2).Scan(nulls...))
	for i := range nulls {
		holds(reflect.ValueOf(nulls[i]).Elem().IsNil(), columns[i].name+" is null")
	}
}

func (c checks) collections() {
	table := c.table("collections")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, n frozen<map<int, frozen<list<text>>>>)")
	c.exec("INSERT INTO "+table+" (k, l, s, m, n) VALUES (?, ?, ?, ?, ?)",
		1, []int{3, 1, 3}, []string{"b", "a"}, map[string]int64{"x": 1}, map[int][]string{1: {"p", "q"}})
	c.exec("UPDATE "+table+" SET l = l + ?, m[?] = ?, s = s - ? WHERE k = ?", []int{9}, "y", int64(2), []string{"b"}, 1)
	var list []int
	var set []string
	var counts map[string]int64
	var nested map[int][]string
	must(c.session.Query("SELECT l, s, m, n FROM "+table).Scan(&list, &set, &counts, &nested))
	same([]int{3, 1, 3, 9}, list)
	same([]string{"a"}, set)
	same(map[string]int64{"x": 1, "y": 2}, counts)
	same(map[int][]string{1: {"p", "q"}}, nested)
}

type address struct {
	Street string `cql:"street"`
	Zip    int    `cql:"zip"`
}

func (c checks) udtTuple() {
	table := c.table("structured")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, home frozen<address>, loose address, t tuple<int, text>, nested list<frozen<address>>)")
	home := address{"Main", 12}
	c.exec("INSERT INTO "+table+" (k, home, loose, t, nested) VALUES (?, ?, ?, (?, ?), ?)",
		1, home, map[string]interface{}{"street": "Side", "zip": nil}, 7, nil, []address{home})
	var found, loose address
	var number int
	var text *string
	var nested []address
	must(c.session.Query("SELECT home, loose, t, nested FROM "+table).Scan(&found, &loose, &number, &text, &nested))
	same(home, found)
	same(address{"Side", 0}, loose)
	same(7, number)
	holds(text == nil, "null in a tuple")
	same([]address{home}, nested)
}

// the rest

func (c checks) errors() {
	table := c.table("errors")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v int)")
	var failure gocql.RequestError
	raises(c.session.Query("SELEC * FROM "+table).Exec(), &failure)
	same(gocql.ErrCodeSyntax, failure.Code())
	raises(c.session.Query("SELECT nope FROM "+table).Exec(), &failure)
	same(gocql.ErrCodeInvalid, failure.Code())
	same("Undefined column name nope in table "+table, failure.Message())
	var exists *gocql.RequestErrAlreadyExists
	raises(c.session.Query("CREATE TABLE "+table+" (k int PRIMARY KEY)").Exec(), &exists)
	same(c.keyspace, exists.Keyspace)
	same("errors_"+c.version, exists.Table)
	var unavailable *gocql.RequestErrUnavailable
	raises(c.session.Query("SELECT * FROM "+table+" WHERE k = 1").Consistency(gocql.Three).Exec(), &unavailable)
	same(gocql.Three, unavailable.Consistency)
	same(3, unavailable.Required)
	same(1, unavailable.Alive)
	// the connection lives on
	c.exec("INSERT INTO " + table + " (k) VALUES (1)")
}

func (c checks) warnings() {
	c.exec("CREATE TABLE " + c.table("warned") + " (k int PRIMARY KEY)")
	iter := c.session.Query("SELECT count(*) FROM " + c.table("warned")).Iter()
	if c.protocol >= 4 {
		same([]string{"Aggregation query used without partition key"}, iter.Warnings())
	}
	must(iter.Close())
}

type traceIds struct{ ids [][]byte }

func (t *traceIds) Trace(id []byte) { t.ids = append(t.ids, id) }

func (c checks) tracing() {
	c.exec("CREATE TABLE " + c.table("traced") + " (k int PRIMARY KEY)")
	traces := &traceIds{}
	selected := "SELECT * FROM " + c.table("traced")
	must(c.session.Query(selected).Trace(traces).Exec())
	same(1, len(traces.ids))
	id, err := gocql.UUIDFromBytes(traces.ids[0])
	must(err)
	for deadline := time.Now().Add(timeout); ; { // a trace is written behind the answer
		var kind string
		var parameters map[string]string
		var duration int
		err := c.session.Query("SELECT request, parameters, duration FROM system_traces.sessions WHERE session_id = ?", id).
			Scan(&kind, &parameters, &duration)
		if err == nil && duration > 0 {
			same("Execute CQL3 prepared query", kind) // the driver prepares every SELECT
			same(selected, parameters["query"])
			break
		}
		holds(time.Now().Before(deadline), fmt.Sprint("a trace: ", err))
		time.Sleep(5 * time.Millisecond)
	}
	var text bytes.Buffer
	must(c.session.Query(selected).Trace(gocql.NewTraceWriter(c.session, &text)).Exec())
	holds(strings.Contains(text.String(), "Tracing session"), text.String())
}

// Nobody reads it here; it has to do no harm.
func (c checks) customPayload() {
	if c.protocol < 4 {
		return
	}
	payload := map[string][]byte{"key": []byte("value"), "empty": {}}
	iter := c.session.Query("SELECT release_version FROM system.local").CustomPayload(payload).Iter()
	same(1, iter.NumRows())
	same(0, len(iter.GetCustomPayload()))
	must(iter.Close())
	iter = c.session.Query("SELECT release_version FROM system.local WHERE key = ?", "local").CustomPayload(payload).Iter()
	same(1, iter.NumRows())
	must(iter.Close())
}
