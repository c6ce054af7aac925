package orders

import (
	"net/http"
	"os"
	"strconv"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func session(t *testing.T) *gocql.Session {
	cluster := gocql.NewCluster(os.Getenv("CASSANDRA_CONTACT_POINTS"))
	cluster.Port, _ = strconv.Atoi(os.Getenv("CASSANDRA_PORT"))
	cluster.Keyspace = os.Getenv("CASSANDRA_KEYSPACE")
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		reset := "http://127.0.0.1:" + os.Getenv("CQLSERVER_CONTROL_PORT") + "/reset"
		if _, err := http.Post(reset, "application/json", nil); err != nil {
			t.Fatal(err)
		}
	})
	return session
}

func TestAnOrderIsKept(t *testing.T) {
	s := session(t)
	if err := s.Query("INSERT INTO orders (id, item) VALUES (?, ?)", 1, "tea").Exec(); err != nil {
		t.Fatal(err)
	}
	var item string
	if err := s.Query("SELECT item FROM orders WHERE id = ?", 1).Scan(&item); err != nil || item != "tea" {
		t.Fatal(item, err)
	}
}

func TestTheNextTestBeginsWithEmptyTables(t *testing.T) {
	var count int
	if err := session(t).Query("SELECT count(*) FROM orders").Scan(&count); err != nil || count != 0 {
		t.Fatal(count, err)
	}
}
