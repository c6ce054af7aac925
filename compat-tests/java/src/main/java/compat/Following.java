package compat;

import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.NodeStateListener;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Follows a cluster and does as it is told: a command a line, an answer a line. Arguments: host, port. Nodes are called by the last
 * number of their address.
 *
 * <p>hosts: "1=UP 2=DOWN"; told: what the listener heard, in order; insert KEYSPACE FIRST LAST: who was asked for each key, or "failed"
 * and why.
 */
public final class Following {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private Following() {}

  public static void main(String[] arguments) throws IOException {
    InetSocketAddress address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
    Told told = new Told();
    DriverConfigLoader config =
        DriverConfigLoader.programmaticBuilder()
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, TIMEOUT)
            .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, TIMEOUT)
            .withString(DefaultDriverOption.RECONNECTION_POLICY_CLASS, "ConstantReconnectionPolicy")
            .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(200))
            .build();
    try (CqlSession session =
            CqlSession.builder()
                .addContactPoint(address)
                .withLocalDatacenter("datacenter1")
                .withConfigLoader(config)
                .withNodeStateListener(told)
                .build();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      String line;
      while ((line = commands.readLine()) != null) {
        System.out.println(answer(session, told, line.split(" ")));
        System.out.flush();
      }
    }
  }

  private static String answer(CqlSession session, Told told, String[] words) {
    switch (words[0]) {
      case "hosts":
        TreeMap<Integer, String> hosts = new TreeMap<>();
        session.getMetadata().getNodes().values().forEach(node -> hosts.put(number(node), node.getState().name()));
        List<String> found = new ArrayList<>();
        hosts.forEach((number, state) -> found.add(number + "=" + state));
        return String.join(" ", found);
      case "told":
        return String.join(" ", told.events);
      case "insert":
        return insert(session, words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
      default:
        return "failed: no command " + words[0];
    }
  }

  private static String insert(CqlSession session, String keyspace, int first, int last) {
    List<String> asked = new ArrayList<>();
    try {
      PreparedStatement prepared = session.prepare("INSERT INTO " + keyspace + ".t (k, v) VALUES (?, ?)");
      for (int key = first; key < last; key++) {
        Node node =
            session
                .execute(prepared.bind(key, key).setConsistencyLevel(ConsistencyLevel.QUORUM))
                .getExecutionInfo()
                .getCoordinator();
        asked.add(key + "=" + number(node));
      }
    } catch (RuntimeException error) {
      return "failed: " + error.getMessage().replace('\n', ' ');
    }
    return String.join(" ", asked);
  }

  private static int number(Node node) {
    byte[] address = ((InetSocketAddress) node.getEndPoint().resolve()).getAddress().getAddress();
    return address[address.length - 1];
  }

  private static final class Told implements NodeStateListener {
    private final List<String> events = new CopyOnWriteArrayList<>();

    @Override
    public void onAdd(Node node) {
      events.add("add" + number(node));
    }

    @Override
    public void onUp(Node node) {
      events.add("up" + number(node));
    }

    @Override
    public void onDown(Node node) {
      events.add("down" + number(node));
    }

    @Override
    public void onRemove(Node node) {
      events.add("remove" + number(node));
    }

    @Override
    public void close() {}
  }
}
