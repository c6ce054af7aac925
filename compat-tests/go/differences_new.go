//go:build !old

package main

import (
	"context"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"
	"github.com/apache/cassandra-gocql-driver/v2/snappy"
)

var (
	versions   = []int{3, 4, 5}
	background = context.Background()
)

func compressors(version int) map[string]gocql.Compressor {
	if version == 5 {
		return map[string]gocql.Compressor{"lz4": lz4.LZ4Compressor{}}
	}
	return map[string]gocql.Compressor{"lz4": lz4.LZ4Compressor{}, "snappy": snappy.SnappyCompressor{}}
}

func (c checks) special() map[string]func() {
	return map[string]func(){
		"vector":               c.vector,
		"tokens":               c.tokens,
		"schema_events":        c.schemaEvents,
		"keyspace_per_request": c.keyspacePerRequest,
	}
}

func (c checks) vector() {
	table := c.table("vectors")
	c.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v vector<float, 3>, w vector<text, 2>)")
	c.exec("INSERT INTO "+table+" (k, v, w) VALUES (?, ?, ?)", 1, []float32{1, -2.5, 0}, []string{"", "long"})
	var found []float32
	var words []string
	must(c.session.Query("SELECT v, w FROM "+table).Scan(&found, &words))
	same([]float32{1, -2.5, 0}, found)
	same([]string{"", "long"}, words)
}

// Statements that are prepared tell the driver where they belong.
func (c checks) tokens() {
	table := c.table("tokens")
	c.exec("CREATE TABLE " + table + " (a text, b int, v int, PRIMARY KEY ((a, b)))")
	if c.protocol < 4 {
		return
	}
	found, err := c.session.StatementMetadata(background, "UPDATE "+table+" SET v = ? WHERE b = ? AND a = ?", c.keyspace)
	must(err)
	same(c.keyspace, found.Keyspace)
	same("tokens_"+c.version, found.Table)
	same(3, len(found.BindColumns))
	same([]int{2, 1}, found.PKBindColumnIndexes)
	hosts := c.session.GetHosts()
	same(1, len(hosts))
	same(16, len(hosts[0].Tokens()))
	same("v5.0.8", hosts[0].Version().String())
}

type watcher struct{ created, updated, dropped chan string }

func (w watcher) OnTableCreated(event gocql.OnTableCreatedEvent) { w.created <- event.Table.Name }
func (w watcher) OnTableUpdated(event gocql.OnTableUpdatedEvent) {
	if event.New.Columns["v"] != nil {
		w.updated <- event.New.Name
	}
}
func (w watcher) OnTableDropped(event gocql.OnTableDroppedEvent) { w.dropped <- event.Table.Name }

func (w watcher) next(events chan string, name string) {
	for {
		select {
		case found := <-events:
			if found == name { // other tables are others' business
				return
			}
		case <-time.After(timeout):
			panic("no event of " + name)
		}
	}
}

func (c checks) schemaEvents() {
	heard := watcher{make(chan string, 1000), make(chan string, 1000), make(chan string, 1000)}
	config := c.cluster(c.protocol, nil)
	config.Metadata.SchemaListener.TableChangeListener = heard
	session, err := config.CreateSession()
	must(err)
	defer session.Close()
	name := "watched_" + c.version
	c.exec("CREATE TABLE " + c.table("watched") + " (k int PRIMARY KEY)")
	heard.next(heard.created, name)
	c.exec("ALTER TABLE " + c.table("watched") + " ADD v int")
	heard.next(heard.updated, name)
	c.exec("DROP TABLE " + c.table("watched"))
	heard.next(heard.dropped, name)
}

func (c checks) keyspacePerRequest() {
	if c.protocol < 5 {
		return
	}
	c.exec("CREATE TABLE " + c.table("placed") + " (k int PRIMARY KEY, v int)")
	name := "placed_" + c.version
	insert := "INSERT INTO " + name + " (k, v) VALUES (?, ?) USING TTL 100"
	must(c.session.Query(insert, 1, 2).SetKeyspace(c.keyspace).WithNowInSeconds(2_000_000_000).Exec())
	selected := "SELECT ttl(v) FROM " + name + " WHERE k = ?"
	var left int
	must(c.session.Query(selected, 1).SetKeyspace(c.keyspace).WithNowInSeconds(2_000_000_040).Scan(&left))
	same(60, left)
	same(gocql.ErrNotFound, c.session.Query(selected, 1).SetKeyspace(c.keyspace).WithNowInSeconds(2_000_000_101).Scan(&left))
	batch := c.session.Batch(gocql.LoggedBatch).SetKeyspace(c.keyspace)
	batch.Query("INSERT INTO " + name + " (k, v) VALUES (3, 4)")
	must(batch.Exec())
}
