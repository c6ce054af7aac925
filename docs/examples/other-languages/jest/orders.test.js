const { Client } = require('cassandra-driver');

const env = process.env;
const client = new Client({
  contactPoints: [`${env.CASSANDRA_CONTACT_POINTS}:${env.CASSANDRA_PORT}`],
  localDataCenter: env.CASSANDRA_LOCAL_DC,
  keyspace: env.CASSANDRA_KEYSPACE,
});

afterEach(() => fetch(`http://127.0.0.1:${env.CQLSERVER_CONTROL_PORT}/reset`, { method: 'POST' }));
afterAll(() => client.shutdown());

test.each(['first', 'again, with empty tables'])('an order is kept: %s', async () => {
  expect((await client.execute('SELECT item FROM orders')).rowLength).toBe(0);
  await client.execute("INSERT INTO orders (id, item) VALUES (1, 'tea')");
  expect((await client.execute('SELECT item FROM orders')).first().item).toBe('tea');
});
