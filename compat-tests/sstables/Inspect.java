import java.io.BufferedReader;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Map;
import java.util.Set;

import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.Directories;
import org.apache.cassandra.db.Keyspace;
import org.apache.cassandra.db.marshal.TypeParser;
import org.apache.cassandra.io.sstable.Component;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.ISSTableScanner;
import org.apache.cassandra.io.sstable.IVerifier;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.tools.JsonTransformer;
import org.apache.cassandra.tools.NodeProbe;
import org.apache.cassandra.tools.Util;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.OutputHandler;
import org.apache.cassandra.utils.bytecomparable.ByteComparable;
import org.apache.cassandra.utils.bytecomparable.ByteSource;

/**
 * Cassandra's own eyes on SSTables, many in one process: what sstabledump and sstableverify -e do, asked for on the standard input.
 * A line is "dump FILE", "schema" (of the folder's system tables), "verify KEYSPACE TABLE" and "form 0xHEX TYPE", or, of a running node,
 * "flush PORT KEYSPACE", "refresh PORT KEYSPACE TABLE", "compact PORT KEYSPACE TABLE" and "compactfiles PORT FILE,FILE..."; the answer ends
 * with a line "." or "! reason".
 */
public class Inspect
{
    /** What was the standard output. Cassandra's log goes there too, in the middle of an answer: it gets the standard error instead. */
    private static PrintStream answers;
    private static NodeProbe probe;

    public static void main(String[] args) throws Exception
    {
        answers = System.out;
        System.setOut(System.err);
        Util.initDatabaseDescriptor();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        answers.println(".");
        answers.flush();
        for (String line = in.readLine(); line != null; line = in.readLine())
        {
            String[] words = line.split(" ");
            try
            {
                if (words[0].equals("dump"))
                    dump(words[1]);
                else if (words[0].equals("schema"))
                    Schema.instance.loadFromDisk();
                else if (words[0].equals("flush"))
                    probe(words[1]).forceKeyspaceFlush(words[2]);
                else if (words[0].equals("compact"))
                    probe(words[1]).forceKeyspaceCompaction(false, words[2], words[3]);
                else if (words[0].equals("compactfiles"))
                    probe(words[1]).forceUserDefinedCompaction(words[2]);
                else if (words[0].equals("refresh"))
                    probe(words[1]).loadNewSSTables(words[2], words[3]);
                else if (words[0].equals("verify"))
                    verify(words[1], words[2]);
                else if (words[0].equals("form"))
                    form(words[1].substring(2), line.substring(line.indexOf(words[1]) + words[1].length() + 1));
                answers.println();
                answers.println(".");
            }
            catch (Throwable error)
            {
                StringBuilder text = new StringBuilder();
                for (Throwable each = error; each != null; each = each.getCause())
                    text.append(each.toString().replace('\n', ' ')).append(" <- ");
                error.printStackTrace(System.err);
                answers.println();
                answers.println("! " + text);
            }
            answers.flush();
        }
        System.exit(0);
    }

    /** A connection is kept. */
    private static NodeProbe probe(String port) throws IOException
    {
        if (probe == null)
            probe = new NodeProbe("127.0.0.1", Integer.parseInt(port));
        return probe;
    }

    private static void dump(String path) throws Exception
    {
        Descriptor descriptor = Descriptor.fromFileWithComponent(new File(path), false).left;
        TableMetadata metadata = Util.metadataFromSSTable(descriptor);
        SSTableReader sstable = SSTableReader.openNoValidation(null, descriptor, TableMetadataRef.forOfflineTools(metadata));
        try (ISSTableScanner scanner = sstable.getScanner())
        {
            JsonTransformer.toJsonLines(scanner, Util.iterToStream(scanner), true, metadata, new Unclosed(answers));
        }
        finally
        {
            sstable.selfRef().release();
        }
    }

    /** A value in the form in which tries have it. */
    private static void form(String value, String type)
    {
        ByteSource source = TypeParser.parse(type).asComparableBytes(ByteBufferUtil.hexToBytes(value), ByteComparable.Version.OSS50);
        StringBuilder text = new StringBuilder(source == null ? "none" : "");
        for (int each = source == null ? -1 : source.next(); each >= 0; each = source.next())
            text.append(String.format("%02x", each));
        answers.print(text);
    }

    private static void verify(String keyspaceName, String table) throws Exception
    {
        Keyspace keyspace = Keyspace.openWithoutSSTables(keyspaceName);
        ColumnFamilyStore store = keyspace.getColumnFamilyStore(table);
        OutputHandler handler = new OutputHandler.SystemOutput(false, false);
        int count = 0;
        Directories.SSTableLister lister = store.getDirectories().sstableLister(Directories.OnTxnErr.THROW).skipTemporary(true);
        for (Map.Entry<Descriptor, Set<Component>> entry : lister.list().entrySet())
        {
            SSTableReader sstable = SSTableReader.openNoValidation(entry.getKey(), entry.getValue(), store);
            try (IVerifier verifier = sstable.getVerifier(store, handler, true,
                     IVerifier.options().invokeDiskFailurePolicy(false).extendedVerification(true).checkVersion(false)
                              .mutateRepairStatus(false).checkOwnsTokens(false).build()))
            {
                verifier.verify();
                count++;
            }
            finally
            {
                sstable.selfRef().release();
            }
        }
        answers.println("verified " + count);
    }

    /** The standard output, which the printer of JSON may not close. */
    private static final class Unclosed extends FilterOutputStream
    {
        Unclosed(OutputStream out)
        {
            super(out);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException
        {
            out.write(bytes, offset, length);
        }

        @Override
        public void close() throws IOException
        {
            flush();
        }
    }
}
