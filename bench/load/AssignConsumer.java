import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * AssignConsumer BOOTSTRAP TOPIC RECORDS SECONDS_MAX: reads a topic as kafka-consumer-perf-test does, with that
 * tool's settings, but by assign() instead of a group, so that it also measures brokers without coordinators.
 *
 * <p>Prints one line of JSON: records, bytes, seconds. The exit code is 1 if fewer records came in time.
 */
public final class AssignConsumer {
  public static void main(String[] arguments) {
    String topic = arguments[1];
    long wanted = Long.parseLong(arguments[2]);
    long limit = System.nanoTime() + Long.parseLong(arguments[3]) * 1_000_000_000L;
    Properties settings = new Properties();
    settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(ConsumerConfig.RECEIVE_BUFFER_CONFIG, 2 * 1024 * 1024);
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 1024 * 1024);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    settings.put(ConsumerConfig.CHECK_CRCS_CONFIG, false);
    settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    long records = 0;
    long bytes = 0;
    long begin = System.nanoTime();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      List<TopicPartition> partitions = new ArrayList<>();
      consumer.partitionsFor(topic).forEach(part -> partitions.add(new TopicPartition(topic, part.partition())));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      while (records < wanted && System.nanoTime() < limit) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          ++records;
          bytes += record.serializedValueSize() + Math.max(record.serializedKeySize(), 0);
        }
      }
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    System.out.printf(Locale.ROOT, "{\"records\": %d, \"bytes\": %d, \"seconds\": %.3f}%n", records, bytes, seconds);
    System.exit(records >= wanted ? 0 : 1);
  }
}
