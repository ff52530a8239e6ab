import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

/**
 * JavaClient BOOTSTRAP PREFIX: uses a broker as a program on Apache Kafka's own Java client does.
 *
 * <p>Covers the admin client, the producer with every codec and acks setting, and the consumer with assign() and
 * seek().
 */
public final class JavaClient extends Checks {
  private static final int MESSAGES = 300;
  /** An hour ago: recent enough that no broker's retention removes the records. */
  private static final long FIRST_TIMESTAMP = System.currentTimeMillis() - 3_600_000;
  private static final long STEP_MS = 1_000;

  private JavaClient(String bootstrap, String prefix) {
    super(bootstrap, prefix);
  }

  public static void main(String[] arguments) {
    JavaClient client = new JavaClient(arguments[0], arguments[1]);
    client.checkCluster();
    client.checkTopics();
    client.checkConfigs();
    client.checkProduceAndConsume();
    client.checkOffsets();
    client.checkProducerState();
    client.checkErrors();
    client.checkDeleteRecords();
    client.checkLogDirs();
    client.checkDeleteTopics();
    client.end();
  }

  private String topic(String name) {
    return prefix + "-" + name;
  }

  /** Creates a topic and waits until the broker knows and serves its partitions. */
  private String create(String name, int partitions, Map<String, String> configs) throws Exception {
    String topic = topic(name);
    get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all());
    awaitPartitions(topic, partitions);
    return topic;
  }

  /**
   * Creates a topic with settings that a broker may not support: null where it refused them as it should, with
   * INVALID_CONFIG and a message that names the setting.
   */
  private String createIfSupported(String name, String key, String value) throws Exception {
    try {
      return create(name, 1, Map.of(key, value));
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof InvalidConfigurationException)) throw error;
      require(error.getCause().getMessage().contains(key), "the refusal does not name " + key);
      note = "not supported: " + key + "=" + value;
      return null;
    }
  }

  private void awaitPartitions(String topic, int wanted) throws Exception {
    for (int attempt = 0; attempt < 100; ++attempt) {
      try {
        TopicDescription description = get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
        boolean led = description.partitions().stream().allMatch(part -> part.leader() != null);
        if (description.partitions().size() == wanted && led) {
          Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
          for (int i = 0; i < wanted; ++i) ends.put(new TopicPartition(topic, i), OffsetSpec.latest());
          get(admin.listOffsets(ends).all());
          return;
        }
      } catch (ExecutionException error) {
        if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) throw error;
      }
      Thread.sleep(50);
    }
    throw new AssertionError(topic + " never had " + wanted + " partitions with leaders");
  }

  private void checkCluster() {
    check("describe_cluster", () -> {
      DescribeClusterResult cluster = admin.describeCluster();
      same(get(cluster.nodes()).size(), 1, "nodes");
      require(get(cluster.controller()) != null, "no controller");
      require(!get(cluster.clusterId()).isEmpty(), "no cluster id");
      Node node = get(cluster.nodes()).iterator().next();
      same(node.host() + ":" + node.port(), bootstrap, "advertised address");
    });
    check("describe_features", () -> {
      FeatureMetadata features = get(admin.describeFeatures().featureMetadata());
      require(features.supportedFeatures().containsKey("metadata.version"), "no metadata.version: " + features);
      require(features.finalizedFeatures().containsKey("metadata.version"), "metadata.version not finalized");
    });
    check("describe_quorum", () -> {
      QuorumInfo quorum = get(admin.describeMetadataQuorum().quorumInfo());
      same(quorum.voters().size(), 1, "voters");
      same(quorum.leaderId(), quorum.voters().get(0).replicaId(), "leader");
      require(quorum.highWatermark() > 0, "high watermark " + quorum.highWatermark());
    });
    check("list_config_resources", () -> get(admin.listConfigResources().all()));
    check("broker_configs", () -> {
      int node = get(admin.describeCluster().nodes()).iterator().next().id();
      ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(node));
      Config config = get(admin.describeConfigs(List.of(broker)).all()).get(broker);
      require(config.get("log.retention.hours") != null || config.get("log.retention.ms") != null, "no retention");
      same(config.get("log.dirs") != null, true, "log.dirs listed");
    });
  }

  private void checkTopics() {
    check("create_topics", () -> {
      CreateTopicsResult result = admin.createTopics(
          List.of(new NewTopic(topic("a"), 3, (short) 1), new NewTopic(topic("b"), Optional.empty(), Optional.empty())));
      get(result.all());
      same(get(result.numPartitions(topic("a"))), 3, "partitions");
      same(get(result.replicationFactor(topic("a"))), 1, "replication factor");
      require(!get(result.topicId(topic("a"))).equals(Uuid.ZERO_UUID), "zero topic id");
      require(get(result.config(topic("a"))).get("retention.ms") != null, "no configs in the answer");
      awaitPartitions(topic("a"), 3);
    });
    check("create_topic_with_assignment", () -> {
      int node = get(admin.describeCluster().nodes()).iterator().next().id();
      get(admin.createTopics(List.of(new NewTopic(topic("c"), Map.of(0, List.of(node), 1, List.of(node))))).all());
      awaitPartitions(topic("c"), 2);
    });
    check("create_topics_validate_only", () -> {
      get(admin.createTopics(List.of(new NewTopic(topic("never"), 1, (short) 1)),
          new CreateTopicsOptions().validateOnly(true)).all());
      require(!get(admin.listTopics().names()).contains(topic("never")), "was created");
    });
    check("create_topic_again_is_refused", () -> fails(TopicExistsException.class,
        () -> get(admin.createTopics(List.of(new NewTopic(topic("a"), 3, (short) 1))).all())));
    check("invalid_topic_name_is_refused", () -> fails(InvalidTopicException.class,
        () -> get(admin.createTopics(List.of(new NewTopic("no spaces please", 1, (short) 1))).all())));
    check("too_many_replicas_is_refused", () -> fails(InvalidReplicationFactorException.class,
        () -> get(admin.createTopics(List.of(new NewTopic(topic("r"), 1, (short) 5))).all())));
    check("zero_partitions_is_refused", () -> fails(InvalidPartitionsException.class,
        () -> get(admin.createTopics(List.of(new NewTopic(topic("z"), 0, (short) 1))).all())));
    check("list_topics", () -> {
      Set<String> names = get(admin.listTopics().names());
      require(names.containsAll(List.of(topic("a"), topic("b"), topic("c"))), "got " + names);
    });
    check("describe_topic_by_name_and_id", () -> {
      TopicDescription byName = get(admin.describeTopics(List.of(topic("a"))).allTopicNames()).get(topic("a"));
      TopicDescription byId = get(admin.describeTopics(TopicCollection.ofTopicIds(List.of(byName.topicId())))
          .allTopicIds()).get(byName.topicId());
      same(byId.name(), topic("a"), "name");
      same(byId.partitions().size(), 3, "partitions");
      for (TopicPartitionInfo part : byName.partitions()) {
        same(part.isr().size(), 1, "isr");
        same(part.replicas().size(), 1, "replicas");
      }
    });
    check("describe_unknown_topic", () -> fails(UnknownTopicOrPartitionException.class,
        () -> get(admin.describeTopics(List.of(topic("unknown"))).allTopicNames())));
    check("create_partitions", () -> {
      get(admin.createPartitions(Map.of(topic("a"), NewPartitions.increaseTo(6))).all());
      awaitPartitions(topic("a"), 6);
    });
    check("fewer_partitions_is_refused", () -> fails(InvalidPartitionsException.class,
        () -> get(admin.createPartitions(Map.of(topic("a"), NewPartitions.increaseTo(2))).all())));
  }

  private void alter(ConfigResource resource, AlterConfigOp... operations) throws Exception {
    get(admin.incrementalAlterConfigs(Map.of(resource, List.of(operations))).all());
  }

  private ConfigEntry await(ConfigResource resource, String key, String wanted) throws Exception {
    ConfigEntry entry = null;
    for (int attempt = 0; attempt < 60; ++attempt) {
      entry = get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(key);
      if (entry != null && wanted.equals(entry.value())) return entry;
      Thread.sleep(50);
    }
    throw new AssertionError(key + " is " + entry + ", wanted " + wanted);
  }

  private static AlterConfigOp operation(String key, String value, AlterConfigOp.OpType type) {
    return new AlterConfigOp(new ConfigEntry(key, value), type);
  }

  private void checkConfigs() {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic("configured"));
    check("create_topic_with_configs", () -> {
      create("configured", 1, Map.of("retention.ms", "3600000", "leader.replication.throttled.replicas", "0:1"));
      ConfigEntry entry = await(resource, "retention.ms", "3600000");
      same(entry.source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
      same(entry.isDefault(), false, "is default");
    });
    check("default_config_is_described", () -> {
      ConfigEntry entry = get(admin.describeConfigs(List.of(resource)).all()).get(resource).get("segment.bytes");
      same(entry.value(), "1073741824", "segment.bytes");
    });
    check("config_set", () -> {
      alter(resource, operation("max.message.bytes", "54321", AlterConfigOp.OpType.SET));
      await(resource, "max.message.bytes", "54321");
    });
    check("config_append_and_subtract", () -> {
      String key = "leader.replication.throttled.replicas";
      alter(resource, operation(key, "1:1", AlterConfigOp.OpType.APPEND));
      await(resource, key, "0:1,1:1");
      alter(resource, operation(key, "0:1", AlterConfigOp.OpType.SUBTRACT));
      await(resource, key, "1:1");
    });
    check("config_delete", () -> {
      alter(resource, operation("retention.ms", "", AlterConfigOp.OpType.DELETE));
      same(await(resource, "retention.ms", "604800000").source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
          false, "still a topic's own setting");
    });
    check("bad_config_value_is_refused", () -> fails(InvalidConfigurationException.class,
        () -> alter(resource, operation("retention.ms", "soon", AlterConfigOp.OpType.SET))));
    check("unknown_config_is_refused", () -> fails(InvalidConfigurationException.class,
        () -> alter(resource, operation("no.such.setting", "1", AlterConfigOp.OpType.SET))));
    check("config_of_unknown_topic", () -> fails(UnknownTopicOrPartitionException.class, () -> get(admin.describeConfigs(
        List.of(new ConfigResource(ConfigResource.Type.TOPIC, topic("unknown")))).all())));
    check("synonyms_are_described", () -> {
      Config config = get(admin.describeConfigs(List.of(resource),
          new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all()).get(resource);
      require(!config.get("max.message.bytes").synonyms().isEmpty(), "no synonyms");
      same(config.get("max.message.bytes").type(), ConfigEntry.ConfigType.INT, "type");
    });
  }

  private KafkaProducer<String, String> producer(Map<String, Object> extra) {
    Map<String, Object> settings = new HashMap<>();
    settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 20_000);
    settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
    settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 15_000);
    settings.put(ProducerConfig.BATCH_SIZE_CONFIG, 4_000);
    settings.putAll(extra);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  private KafkaConsumer<String, String> consumer(Map<String, Object> extra) {
    Map<String, Object> settings = new HashMap<>();
    settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 20_000);
    settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100);
    settings.putAll(extra);
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static ProducerRecord<String, String> record(String topic, String label, int index) {
    String value = label + "-" + index + "-" + "y".repeat(index % 120);
    ProducerRecord<String, String> record =
        new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP + index * STEP_MS, index % 5 == 0 ? null : "k" + index, value);
    record.headers().add("note", ("h" + index).getBytes(StandardCharsets.UTF_8));
    return record;
  }

  private void produce(String topic, String label, Map<String, Object> settings, boolean offsetsKnown) throws Exception {
    try (KafkaProducer<String, String> producer = producer(settings)) {
      List<Future<RecordMetadata>> answers = new ArrayList<>();
      for (int i = 0; i < MESSAGES; ++i) answers.add(producer.send(record(topic, label, i)));
      producer.flush();
      for (int i = 0; i < MESSAGES; ++i) {
        RecordMetadata answer = answers.get(i).get(TIMEOUT_S, TimeUnit.SECONDS);
        same(answer.offset(), offsetsKnown ? (long) i : -1L, "offset of record " + i);
      }
    }
  }

  private List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> consumer, int wanted) {
    List<ConsumerRecord<String, String>> records = new ArrayList<>();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S);
    while (records.size() < wanted && System.nanoTime() < deadline) {
      consumer.poll(Duration.ofMillis(200)).forEach(records::add);
    }
    return records;
  }

  private static void compare(List<ConsumerRecord<String, String>> records, String label, int first) {
    same(records.size(), MESSAGES - first, "records");
    for (int i = first; i < MESSAGES; ++i) {
      ConsumerRecord<String, String> got = records.get(i - first);
      ProducerRecord<String, String> wanted = record("t", label, i);
      same(got.offset(), (long) i, "offset");
      same(got.key(), wanted.key(), "key of " + i);
      same(got.value(), wanted.value(), "value of " + i);
      same(got.timestamp(), wanted.timestamp(), "timestamp of " + i);
      Header header = got.headers().lastHeader("note");
      same(new String(header.value(), StandardCharsets.UTF_8), "h" + i, "header of " + i);
    }
  }

  private void readAndCompare(String topic, String label, int first, Map<String, Object> settings) {
    try (KafkaConsumer<String, String> consumer = consumer(settings)) {
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seek(partition, first);
      compare(read(consumer, MESSAGES - first), label, first);
    }
  }

  private void round(String label, Map<String, Object> settings, boolean offsetsKnown) {
    check("produce_" + label, () -> produce(create(label, 1, Map.of()), label, settings, offsetsKnown));
    check("consume_" + label, () -> readAndCompare(topic(label), label, 0, Map.of()));
  }

  private void checkProduceAndConsume() {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      round("all_" + codec, Map.of("acks", "all", "enable.idempotence", false, "compression.type", codec), true);
      round("idempotent_" + codec, Map.of("enable.idempotence", true, "compression.type", codec), true);
    }
    round("acks_1", Map.of("acks", "1", "enable.idempotence", false), true);
    round("acks_0", Map.of("acks", "0", "enable.idempotence", false), false);
    check("produce_creates_the_topic", () -> {
      produce(topic("automatic"), "automatic", Map.of("acks", "all"), true);
      readAndCompare(topic("automatic"), "automatic", 0, Map.of());
    });
    check("log_append_time", () -> {
      String topic = create("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
      long before = System.currentTimeMillis();
      produce(topic, "x", Map.of("compression.type", "lz4"), true);
      try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        for (ConsumerRecord<String, String> record : read(consumer, MESSAGES)) {
          require(record.timestamp() >= before - 1000, "timestamp " + record.timestamp());
        }
      }
    });
    check("topic_compression_type", () -> {
      String topic = createIfSupported("recompressed", "compression.type", "zstd");
      if (topic == null) return;
      produce(topic, "recompressed", Map.of("compression.type", "gzip"), true);
      readAndCompare(topic, "recompressed", 0, Map.of());
    });
    check("read_committed_reads_plain_records",
        () -> readAndCompare(topic("all_none"), "all_none", 0, Map.of("isolation.level", "read_committed")));
    check("tiny_fetches_read_everything", () -> readAndCompare(topic("all_none"), "all_none", 0,
        Map.of("fetch.max.bytes", 1, "max.partition.fetch.bytes", 1)));
  }

  private void checkOffsets() {
    String topic = topic("all_zstd");
    TopicPartition partition = new TopicPartition(topic, 0);
    check("seek_to_offset", () -> readAndCompare(topic, "all_zstd", 211, Map.of()));
    check("seek_to_beginning_and_end", () -> {
      try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
        consumer.assign(List.of(partition));
        consumer.seekToEnd(List.of(partition));
        same(consumer.position(partition), (long) MESSAGES, "end");
        consumer.seekToBeginning(List.of(partition));
        same(consumer.position(partition), 0L, "beginning");
        same(consumer.beginningOffsets(List.of(partition)).get(partition), 0L, "beginningOffsets");
        same(consumer.endOffsets(List.of(partition)).get(partition), (long) MESSAGES, "endOffsets");
        compare(read(consumer, MESSAGES), "all_zstd", 0);
      }
    });
    check("offset_out_of_range_resets", () -> {
      try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
        consumer.assign(List.of(partition));
        consumer.seek(partition, 1_000_000);
        compare(read(consumer, MESSAGES), "all_zstd", 0);
      }
    });
    check("offsets_for_times", () -> {
      try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
        consumer.assign(List.of(partition));
        long[][] cases = {{FIRST_TIMESTAMP + 70 * STEP_MS, 70}, {FIRST_TIMESTAMP + 70 * STEP_MS + 1, 71}, {0, 0}};
        for (long[] one : cases) {
          OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, one[0])).get(partition);
          same(found.offset(), one[1], "offset for " + one[0]);
          same(found.timestamp(), FIRST_TIMESTAMP + one[1] * STEP_MS, "timestamp for " + one[0]);
          consumer.seek(partition, found.offset());
          compare(read(consumer, MESSAGES - (int) one[1]), "all_zstd", (int) one[1]);
        }
        same(consumer.offsetsForTimes(Map.of(partition, FIRST_TIMESTAMP * 2)).get(partition), null, "after the end");
      }
    });
    check("admin_list_offsets", () -> {
      same(listOffset(partition, OffsetSpec.earliest()).offset(), 0L, "earliest");
      same(listOffset(partition, OffsetSpec.latest()).offset(), (long) MESSAGES, "latest");
      ListOffsetsResult.ListOffsetsResultInfo largest = listOffset(partition, OffsetSpec.maxTimestamp());
      same(largest.offset(), MESSAGES - 1L, "offset of the largest timestamp");
      same(largest.timestamp(), FIRST_TIMESTAMP + (MESSAGES - 1) * STEP_MS, "largest timestamp");
      same(listOffset(partition, OffsetSpec.forTimestamp(FIRST_TIMESTAMP + 5)).offset(), 1L, "by timestamp");
    });
    check("list_offsets_of_unknown_topic", () -> fails(UnknownTopicOrPartitionException.class,
        () -> get(admin.listOffsets(Map.of(new TopicPartition(topic("unknown"), 0), OffsetSpec.latest()),
            new ListOffsetsOptions().timeoutMs(3000)).all())));
    check("empty_partition_offsets", () -> {
      String empty = create("empty", 1, Map.of());
      TopicPartition part = new TopicPartition(empty, 0);
      same(listOffset(part, OffsetSpec.latest()).offset(), 0L, "latest");
      same(listOffset(part, OffsetSpec.maxTimestamp()).offset(), -1L, "offset of the largest timestamp");
    });
  }

  private ListOffsetsResult.ListOffsetsResultInfo listOffset(TopicPartition partition, OffsetSpec spec) throws Exception {
    return get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition));
  }

  private void checkProducerState() {
    check("describe_producers", () -> {
      TopicPartition partition = new TopicPartition(topic("idempotent_none"), 0);
      List<ProducerState> producers =
          get(admin.describeProducers(List.of(partition)).partitionResult(partition)).activeProducers();
      same(producers.size(), 1, "producers");
      same(producers.get(0).lastSequence(), MESSAGES - 1, "last sequence");
      same(producers.get(0).producerEpoch(), 0, "epoch");
    });
    check("many_partitions_in_one_session", () -> {
      String topic = create("many", 12, Map.of());
      try (KafkaProducer<String, String> producer = producer(Map.of())) {
        for (int i = 0; i < 1200; ++i) producer.send(new ProducerRecord<>(topic, i % 12, null, "m" + i));
        producer.flush();
      }
      Map<Integer, Integer> next = new HashMap<>();
      try (KafkaConsumer<String, String> consumer = consumer(Map.of("max.partition.fetch.bytes", 300))) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int i = 0; i < 12; ++i) partitions.add(new TopicPartition(topic, i));
        consumer.assign(partitions);
        for (ConsumerRecord<String, String> record : read(consumer, 1200)) {
          int place = next.merge(record.partition(), 1, Integer::sum) - 1;
          same(record.value(), "m" + (place * 12 + record.partition()), "record");
        }
      }
      same(next.values().stream().mapToInt(Integer::intValue).sum(), 1200, "records");
    });
  }

  private void checkErrors() {
    check("too_large_record_is_refused", () -> {
      String topic = create("small", 1, Map.of("max.message.bytes", "2000"));
      try (KafkaProducer<String, String> producer = producer(Map.of("batch.size", 100_000))) {
        fails(RecordTooLargeException.class,
            () -> producer.send(new ProducerRecord<>(topic, "z".repeat(5000))).get(TIMEOUT_S, TimeUnit.SECONDS));
        producer.send(new ProducerRecord<>(topic, "fits")).get(TIMEOUT_S, TimeUnit.SECONDS);
      }
    });
    check("far_future_timestamp_is_refused", () -> {
      String topic = create("future", 1, Map.of());
      try (KafkaProducer<String, String> producer = producer(Map.of())) {
        long future = System.currentTimeMillis() + 10L * 24 * 3600 * 1000;
        fails(InvalidTimestampException.class, () -> producer.send(new ProducerRecord<>(topic, 0, future, null, "later"))
            .get(TIMEOUT_S, TimeUnit.SECONDS));
      }
    });
    check("compacted_topic_needs_keys", () -> {
      String topic = createIfSupported("compacted", "cleanup.policy", "compact");
      if (topic == null) return;
      try (KafkaProducer<String, String> producer = producer(Map.of())) {
        fails(InvalidRecordException.class,
            () -> producer.send(new ProducerRecord<>(topic, "no key")).get(TIMEOUT_S, TimeUnit.SECONDS));
        producer.send(new ProducerRecord<>(topic, "key", "value")).get(TIMEOUT_S, TimeUnit.SECONDS);
      }
    });
  }

  private void checkDeleteRecords() {
    String topic = topic("all_gzip");
    TopicPartition partition = new TopicPartition(topic, 0);
    check("delete_records", () -> {
      DeletedRecords deleted =
          get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(111))).lowWatermarks().get(partition));
      same(deleted.lowWatermark(), 111L, "low watermark");
      same(listOffset(partition, OffsetSpec.earliest()).offset(), 111L, "earliest");
      readAndCompare(topic, "all_gzip", 111, Map.of());
    });
    check("reading_deleted_records_resets", () -> {
      try (KafkaConsumer<String, String> consumer = consumer(Map.of())) {
        consumer.assign(List.of(partition));
        consumer.seek(partition, 3);
        compare(read(consumer, MESSAGES - 111), "all_gzip", 111);
      }
    });
    check("delete_records_beyond_the_end", () -> fails(
        org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> get(admin.deleteRecords(
        Map.of(partition, RecordsToDelete.beforeOffset(1_000_000))).all())));
    check("delete_all_records", () -> {
      get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).all());
      same(listOffset(partition, OffsetSpec.earliest()).offset(), (long) MESSAGES, "earliest");
    });
  }

  private void checkLogDirs() {
    check("describe_log_dirs", () -> {
      int node = get(admin.describeCluster().nodes()).iterator().next().id();
      Map<String, LogDirDescription> dirs = get(admin.describeLogDirs(List.of(node)).allDescriptions()).get(node);
      same(dirs.size(), 1, "directories");
      LogDirDescription dir = dirs.values().iterator().next();
      same(dir.error(), null, "error");
      require(dir.totalBytes().orElse(-1) > 0, "total bytes " + dir.totalBytes());
      require(dir.usableBytes().orElse(-1) > 0, "usable bytes " + dir.usableBytes());
      ReplicaInfo replica = dir.replicaInfos().get(new TopicPartition(topic("all_none"), 0));
      require(replica != null, "partition is not listed");
      require(replica.size() > MESSAGES * 60L, "size " + replica.size());
      same(replica.offsetLag(), 0L, "lag");
    });
  }

  /** Apache Kafka's list of topics may be a moment behind its answer. */
  private void awaitUnlisted(Set<String> topics) throws Exception {
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (Collections.disjoint(get(admin.listTopics().names()), topics)) return;
      Thread.sleep(50);
    }
    throw new AssertionError("still listed");
  }

  private void checkDeleteTopics() {
    check("delete_topics", () -> {
      get(admin.deleteTopics(List.of(topic("a"), topic("c"))).all());
      awaitUnlisted(Set.of(topic("a"), topic("c")));
    });
    check("delete_topic_by_id", () -> {
      Uuid id = get(admin.describeTopics(List.of(topic("b"))).allTopicNames()).get(topic("b")).topicId();
      get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
      awaitUnlisted(Set.of(topic("b")));
    });
    check("delete_unknown_topic", () -> fails(UnknownTopicOrPartitionException.class,
        () -> get(admin.deleteTopics(List.of(topic("unknown"))).all())));
    check("recreated_topic_is_empty", () -> {
      String topic = topic("acks_1");
      get(admin.deleteTopics(List.of(topic)).all());
      for (int attempt = 0; ; ++attempt) {
        try {
          create("acks_1", 1, Map.of());
          break;
        } catch (ExecutionException error) {
          if (attempt == 20 || !(error.getCause() instanceof TopicExistsException)) throw error;
          Thread.sleep(100);
        }
      }
      same(listOffset(new TopicPartition(topic, 0), OffsetSpec.latest()).offset(), 0L, "latest");
    });
  }
}
