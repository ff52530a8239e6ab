// Writes golden_bodies.txt: Kafka's own serializers over the values that golden_values.py prints.
//
//   golden_values.py DIRECTORY < spec_fields.txt | java -cp JARS GoldenBodies.java > golden_bodies.txt
//
// JARS: kafka-clients 4.2, slf4j-api, jackson-core, jackson-databind, jackson-annotations.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

public class GoldenBodies {
  public static void main(String[] arguments) throws Exception {
    System.out.println("# Bodies of requests and responses as Kafka 4.2 writes them: message, version, which fill, bytes.");
    System.out.println("# The fills are those of PatternFiller in tests/support/message_filler.h; made by GoldenBodies.java.");
    ObjectMapper json = new ObjectMapper();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = input.readLine()) != null; ) {
      String[] columns = line.split("\t");
      short version = Short.parseShort(columns[1]);
      Class<?> converter =
          Class.forName("org.apache.kafka.common.message." + columns[0] + "DataJsonConverter");
      Message message = (Message) converter.getMethod("read", JsonNode.class, short.class)
          .invoke(null, json.readTree(columns[3]), version);
      ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, version).buffer();
      StringBuilder hex = new StringBuilder();
      while (bytes.hasRemaining()) hex.append(String.format("%02x", bytes.get()));
      System.out.println(columns[0] + " " + version + " " + columns[2] + " " + hex);
    }
  }
}
