import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * What group_member.py is, on Apache Kafka's own client: the same options, and the same history, in which a line is written before
 * the next step is taken. Runs until SIGTERM.
 */
public final class GroupMember {
  private static final int WORK_MS = 150;

  private final Map<String, String> options = new HashMap<>();
  private final FileOutputStream history;
  private final KafkaConsumer<String, String> consumer;
  private volatile boolean running = true;
  private int commits = 0;

  private GroupMember(String[] arguments) throws IOException {
    for (int i = 0; i + 1 < arguments.length; i += 2) options.put(arguments[i].substring(2), arguments[i + 1]);
    history = new FileOutputStream(options.get("history"), true);
    consumer = new KafkaConsumer<>(settings(), new StringDeserializer(), new StringDeserializer());
  }

  private Map<String, Object> settings() {
    Map<String, Object> settings = new HashMap<>(Map.of(
        "bootstrap.servers", options.get("bootstrap"), "group.id", options.get("group"), "enable.auto.commit", false,
        "auto.offset.reset", "earliest", "fetch.max.wait.ms", 50, "reconnect.backoff.ms", 10,
        "reconnect.backoff.max.ms", 100, "retry.backoff.ms", 50, "request.timeout.ms", 9_000,
        "default.api.timeout.ms", 10_000));
    settings.put("group.protocol", options.get("protocol"));
    if (options.containsKey("instance")) settings.put("group.instance.id", options.get("instance"));
    if (options.get("protocol").equals("classic")) {
      settings.put("session.timeout.ms", Integer.parseInt(options.get("session-ms")));
      settings.put("heartbeat.interval.ms", 300);
    }
    return settings;
  }

  public static void main(String[] arguments) throws Exception {
    GroupMember member = new GroupMember(arguments);
    Thread worker = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      member.running = false;
      member.consumer.wakeup();
      try {
        worker.join(10_000);
      } catch (InterruptedException ignored) {
        // The process ends all the same.
      }
    }));
    try {
      member.work();
    } catch (FencedInstanceIdException | UnreleasedInstanceIdException error) {
      // Its former self is still a member: it is started again until that has been given up.
      System.err.println("fatal: " + error);
      Runtime.getRuntime().halt(1);
    } catch (Throwable error) {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  private void add(List<String> lines) throws IOException {
    if (!lines.isEmpty()) history.write((String.join("\n", lines) + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  private void work() throws Exception {
    consumer.subscribe(List.of(options.get("topic")), new ConsumerRebalanceListener() {
      @Override
      public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        try {
          add(partitions.stream().map(one -> "assigned " + System.nanoTime() + " " + one.partition()).toList());
        } catch (IOException error) {
          throw new KafkaException(error);
        }
      }

      @Override
      public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
    });
    try {
      while (running) processAndCommit(consumer.poll(Duration.ofMillis(200)));
    } catch (WakeupException ending) {
      if (running) throw ending;
    } finally {
      consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
    }
  }

  private void processAndCommit(ConsumerRecords<String, String> records) throws Exception {
    List<String> processed = new ArrayList<>();
    Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
    for (ConsumerRecord<String, String> record : records) {
      String[] words = record.value().split(" ", 3);
      if (Integer.parseInt(words[0]) != record.partition()) throw new IllegalStateException("a record of partition " + words[0]);
      processed.add("processed " + System.nanoTime() + " " + record.partition() + " " + record.offset() + " " + words[1]);
      next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
    }
    add(processed);
    if (next.isEmpty()) return;
    Thread.sleep(ThreadLocalRandom.current().nextInt(WORK_MS)); // so that kills come between work and its commit
    ++commits;
    add(lines("committing", next));
    try {
      consumer.commitSync(next);
    } catch (FencedInstanceIdException | UnreleasedInstanceIdException | WakeupException error) {
      throw error;
    } catch (KafkaException error) {
      return; // what the coordinator does not acknowledge is left to the next commit
    }
    add(lines("committed", next));
  }

  private List<String> lines(String word, Map<TopicPartition, OffsetAndMetadata> next) {
    String start = word + " " + System.nanoTime() + " " + ProcessHandle.current().pid() + "." + commits + " ";
    return next.entrySet().stream()
        .map(entry -> start + entry.getKey().partition() + " " + entry.getValue().offset()).toList();
  }
}
