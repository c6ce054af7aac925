// Follows a cluster and does as it is told: a command a line, an answer a line. Arguments: host, port. Nodes are called by the
// last number of their address.
//
// hosts: "1=UP 2=DOWN"; told: what the policy heard, in order; insert KEYSPACE FIRST LAST: who was asked for each key, or
// "failed" and why.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

const timeout = 20 * time.Second

// told is a policy that remembers what it hears of hosts.
type told struct {
	gocql.HostSelectionPolicy
	lock   sync.Mutex
	events []string
	states map[int]string
}

func (t *told) hear(what string, host *gocql.HostInfo, state string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.events = append(t.events, what+strconv.Itoa(number(host)))
	if state == "" {
		delete(t.states, number(host))
	} else {
		t.states[number(host)] = state
	}
}

func (t *told) AddHost(host *gocql.HostInfo) {
	t.HostSelectionPolicy.AddHost(host)
	t.hear("add", host, "UP")
}

func (t *told) RemoveHost(host *gocql.HostInfo) {
	t.HostSelectionPolicy.RemoveHost(host)
	t.hear("remove", host, "")
}

func (t *told) HostUp(host *gocql.HostInfo) {
	t.HostSelectionPolicy.HostUp(host)
	t.hear("up", host, "UP")
}

func (t *told) HostDown(host *gocql.HostInfo) {
	t.HostSelectionPolicy.HostDown(host)
	t.hear("down", host, "DOWN")
}

// asked remembers the host of the last attempt.
type asked struct{ host int }

func (a *asked) ObserveQuery(_ context.Context, query gocql.ObservedQuery) {
	a.host = number(query.Host)
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	must(err)
	policy := &told{HostSelectionPolicy: gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy()), states: map[int]string{}}
	config := gocql.NewCluster(os.Args[1])
	config.Port = port
	config.Timeout = timeout
	config.ConnectTimeout = timeout
	config.Consistency = gocql.Quorum
	config.ReconnectInterval = 200 * time.Millisecond
	config.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 3, Interval: 200 * time.Millisecond}
	config.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 2}
	config.PoolConfig.HostSelectionPolicy = policy
	session, err := config.CreateSession()
	must(err)
	defer session.Close()
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		fmt.Println(answer(session, policy, strings.Fields(commands.Text())))
	}
}

func answer(session *gocql.Session, policy *told, words []string) string {
	switch words[0] {
	case "hosts":
		policy.lock.Lock()
		defer policy.lock.Unlock()
		found := []string{}
		for host, state := range policy.states {
			found = append(found, fmt.Sprintf("%d=%s", host, state))
		}
		sort.Strings(found)
		return strings.Join(found, " ")
	case "told":
		policy.lock.Lock()
		defer policy.lock.Unlock()
		return strings.Join(policy.events, " ")
	case "insert":
		first, err := strconv.Atoi(words[2])
		must(err)
		last, err := strconv.Atoi(words[3])
		must(err)
		return insert(session, words[1], first, last)
	}
	return "failed: no command " + words[0]
}

func insert(session *gocql.Session, keyspace string, first int, last int) string {
	found := []string{}
	for key := first; key < last; key++ {
		observer := &asked{}
		query := session.Query("INSERT INTO "+keyspace+".t (k, v) VALUES (?, ?)", key, key).Observer(observer)
		if err := query.Exec(); err != nil {
			return "failed: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		found = append(found, fmt.Sprintf("%d=%d", key, observer.host))
	}
	return strings.Join(found, " ")
}

func number(host *gocql.HostInfo) int {
	address := host.ConnectAddress().To4()
	if address == nil {
		return int(net.IPv6zero[15])
	}
	return int(address[3])
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
