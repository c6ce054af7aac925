import java.io.BufferedReader;
import java.io.InputStreamReader;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * Has a running Cassandra flush and compact tables, many times over one connection: its argument is the JMX port. A line of the standard
 * input is "flush KEYSPACE TABLE" or "compact KEYSPACE TABLE"; the answer is a line "." or "! reason".
 */
public class Storing
{
    private static final String[] SIGNATURE = { "java.lang.String", "[Ljava.lang.String;" };
    private static final String[] SPLITTING_SIGNATURE = { "boolean", "java.lang.String", "[Ljava.lang.String;" };

    public static void main(String[] args) throws Exception
    {
        JMXServiceURL url = new JMXServiceURL("service:jmx:rmi:///jndi/rmi://127.0.0.1:" + args[0] + "/jmxrmi");
        MBeanServerConnection cassandra = JMXConnectorFactory.connect(url).getMBeanServerConnection();
        ObjectName storage = new ObjectName("org.apache.cassandra.db:type=StorageService");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        System.out.println(".");
        for (String line = in.readLine(); line != null; line = in.readLine())
        {
            String[] words = line.split(" ");
            String[] tables = { words[2] };
            try
            {
                if (words[0].equals("flush"))
                    cassandra.invoke(storage, "forceKeyspaceFlush", new Object[] { words[1], tables }, SIGNATURE);
                else
                    cassandra.invoke(storage, "forceKeyspaceCompaction", new Object[] { false, words[1], tables }, SPLITTING_SIGNATURE);
                System.out.println(".");
            }
            catch (Exception error)
            {
                System.out.println("! " + (error + " " + error.getCause()).replace('\n', ' '));
            }
        }
    }
}
