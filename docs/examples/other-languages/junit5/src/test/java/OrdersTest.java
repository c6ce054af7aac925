import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.datastax.oss.driver.api.core.CqlSession;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;

class OrdersTest {
    static final int PORT = Integer.parseInt(System.getenv("CASSANDRA_PORT"));
    static final URI RESET = URI.create("http://127.0.0.1:" + System.getenv("CQLSERVER_CONTROL_PORT") + "/reset");
    static CqlSession session;

    @BeforeAll
    static void connect() {
        session = CqlSession.builder()
            .addContactPoint(new InetSocketAddress(System.getenv("CASSANDRA_CONTACT_POINTS"), PORT))
            .withLocalDatacenter(System.getenv("CASSANDRA_LOCAL_DC"))
            .withKeyspace(System.getenv("CASSANDRA_KEYSPACE"))
            .build();
    }

    @AfterEach
    void reset() throws Exception {
        HttpClient.newHttpClient().send(
            HttpRequest.newBuilder(RESET).POST(HttpRequest.BodyPublishers.noBody()).build(),
            HttpResponse.BodyHandlers.discarding());
    }

    @AfterAll
    static void close() {
        session.close();
    }

    @RepeatedTest(2)
    void anOrderIsKept() {
        assertNull(session.execute("SELECT item FROM orders").one());
        session.execute("INSERT INTO orders (id, item) VALUES (1, 'tea')");
        assertEquals("tea", session.execute("SELECT item FROM orders").one().getString("item"));
    }
}
