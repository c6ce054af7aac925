//go:build old

package main

import (
	"context"
	"encoding/binary"

	"github.com/gocql/gocql"
)

var (
	versions   = []int{3, 4}
	background = context.Background()
)

func compressors(_ int) map[string]gocql.Compressor {
	return map[string]gocql.Compressor{"snappy": gocql.SnappyCompressor{}}
}

func (c checks) special() map[string]func() {
	return map[string]func(){"tokens": c.tokens}
}

// Statements that are prepared tell the driver where they belong.
func (c checks) tokens() {
	if c.protocol < 4 {
		return
	}
	table := c.table("tokens")
	c.exec("CREATE TABLE " + table + " (a text, b int, v int, PRIMARY KEY ((a, b)))")
	query := c.session.Query("UPDATE "+table+" SET v = ? WHERE b = ? AND a = ?", 1, 2, "é")
	must(query.Exec())
	key, err := query.GetRoutingKey()
	must(err)
	expected := []byte{0, 2, 0xc3, 0xa9, 0, 0, 4}
	expected = append(binary.BigEndian.AppendUint32(expected, 2), 0)
	same(expected, key)
}
