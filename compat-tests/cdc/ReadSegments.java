import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.db.Mutation;
import org.apache.cassandra.db.commitlog.CommitLogDescriptor;
import org.apache.cassandra.db.commitlog.CommitLogReadHandler;
import org.apache.cassandra.db.commitlog.CommitLogReader;
import org.apache.cassandra.db.partitions.PartitionUpdate;
import org.apache.cassandra.io.util.DataOutputBuffer;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.KeyspaceMetadata;
import org.apache.cassandra.schema.KeyspaceParams;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.schema.SchemaTransformations;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.Types;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Reads segments of cdc_raw with Cassandra's own CommitLogReader, and prints what it finds:
 *
 *     ReadSegments SCHEMA SEGMENT...
 *
 * SCHEMA has a line "keyspace TAB table id TAB CREATE TABLE ..." for each table, "keyspace TAB type TAB CREATE TYPE ..." for each
 * type, those first. Of each mutation a line tells the offset behind
 * it, and the bytes with which Cassandra writes it; lines before it tell what Cassandra makes of its updates. A line "error" is
 * printed for what can't be read.
 */
public class ReadSegments
{
    public static void main(String[] arguments) throws Exception
    {
        DatabaseDescriptor.toolInitialization();
        for (String line : Files.readAllLines(Path.of(arguments[0])))
        {
            String[] parts = line.split("\t", 3);
            Schema.instance.transform(SchemaTransformations.addKeyspace(KeyspaceMetadata.create(parts[0], KeyspaceParams.simple(1)), true));
            if (parts[1].equals("type"))
            {
                Types.RawBuilder types = Types.rawBuilder(parts[0]);
                for (String statement : parts[2].split(";"))
                    CQLFragmentParser.parseAny(CqlParser::createTypeStatement, statement, "CREATE TYPE").addToRawBuilder(types);
                Schema.instance.transform(SchemaTransformations.addTypes(types.build(), true));
                continue;
            }
            Types types = Schema.instance.getKeyspaceMetadata(parts[0]).types;
            Schema.instance.transform(SchemaTransformations.addTable(
                CQLFragmentParser.parseAny(CqlParser::createTableStatement, parts[2], "CREATE TABLE").keyspace(parts[0])
                                 .prepare(null).builder(types).id(TableId.fromString(parts[1])).build(), true));
        }
        for (String name : List.of(arguments).subList(1, arguments.length))
        {
            System.out.println("segment\t" + Path.of(name).getFileName());
            new CommitLogReader().readCommitLogSegment(new Printer(), new File(name), CommitLogReader.ALL_MUTATIONS, false);
        }
        System.exit(0);
    }

    private static class Printer implements CommitLogReadHandler
    {
        public boolean shouldSkipSegmentOnError(CommitLogReadException exception) throws IOException
        {
            System.out.println("error\t" + exception.getMessage());
            return true;
        }

        public void handleUnrecoverableError(CommitLogReadException exception) throws IOException
        {
            System.out.println("error\t" + exception.getMessage());
        }

        public void handleMutation(Mutation mutation, int size, int entryLocation, CommitLogDescriptor descriptor)
        {
            try (DataOutputBuffer out = new DataOutputBuffer())
            {
                if (Boolean.getBoolean("texts")) // of some values Cassandra has none, of others one that fills the memory
                    for (PartitionUpdate update : mutation.getPartitionUpdates())
                        System.out.println("update\t" + update.toString().replace("\n", "\\n"));
                // the mutation keeps the bytes that it was read from: the updates are written anew
                int version = descriptor.getMessagingVersion();
                out.writeUnsignedVInt32(mutation.getPartitionUpdates().size());
                for (PartitionUpdate update : mutation.getPartitionUpdates())
                    PartitionUpdate.serializer.serialize(update, out, version);
                ByteBuffer bytes = out.buffer();
                System.out.println("mutation\t" + mutation.getKeyspaceName() + "\t" + entryLocation + "\t"
                                   + ByteBufferUtil.bytesToHex(bytes));
            }
            catch (IOException e)
            {
                throw new RuntimeException(e);
            }
        }
    }
}
