import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * GroupClient BOOTSTRAP PREFIX PROTOCOLS: consumer groups as a program on Apache Kafka's own Java client uses them.
 *
 * <p>PROTOCOLS is {@code classic} or {@code classic,consumer}.
 */
public final class GroupClient extends Checks {
  private static final int PARTITIONS = 4;
  private static final int RECORDS = 40;

  /** A consumer, what it was told of its partitions, and the records it read. Used by one thread. */
  private final class Member implements ConsumerRebalanceListener, AutoCloseable {
    final KafkaConsumer<String, String> consumer;
    final List<Set<TopicPartition>> assigned = new ArrayList<>();
    final List<Set<TopicPartition>> revoked = new ArrayList<>();
    final List<Set<TopicPartition>> lost = new ArrayList<>();
    final List<String> records = new ArrayList<>();

    Member(String group, Map<String, Object> extra) {
      Map<String, Object> settings = new HashMap<>();
      settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
      settings.put(ConsumerConfig.GROUP_ID_CONFIG, group);
      settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
      settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
      settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 50);
      settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 20_000);
      if (!"consumer".equals(extra.get("group.protocol"))) {
        settings.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6_000);
        settings.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 300);
      }
      settings.putAll(extra);
      consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    Member subscribe(String topic) {
      consumer.subscribe(List.of(topic), this);
      return this;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      assigned.add(new HashSet<>(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      revoked.add(new HashSet<>(partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      lost.add(new HashSet<>(partitions));
    }

    void poll() {
      for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(50))) {
        records.add(record.partition() + ":" + record.value());
      }
    }

    int owned() {
      return consumer.assignment().size();
    }

    @Override
    public void close() {
      consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
    }
  }

  private GroupClient(String bootstrap, String prefix) {
    super(bootstrap, prefix);
  }

  public static void main(String[] arguments) {
    GroupClient client = new GroupClient(arguments[0], arguments[1]);
    boolean consumerProtocol = List.of(arguments[2].split(",")).contains("consumer");
    client.checkProtocol("eager", Map.of("partition.assignment.strategy", RangeAssignor.class.getName()), true);
    client.checkProtocol("cooperative",
        Map.of("partition.assignment.strategy", CooperativeStickyAssignor.class.getName()), false);
    client.checkStaticMembers("static", Map.of());
    client.checkZombie();
    client.checkGroupsAdmin("classic", Map.of(), GroupType.CLASSIC);
    client.checkOffsetsAdmin();
    client.checkRemoval("classic", Map.of());
    if (consumerProtocol) {
      Map<String, Object> consumer = Map.of("group.protocol", "consumer");
      client.checkProtocol("consumer", consumer, false);
      client.checkProtocol("consumer_range", Map.of("group.protocol", "consumer", "group.remote.assignor", "range"),
          false);
      client.checkStaticMembers("consumer_static", consumer);
      client.checkGroupsAdmin("consumer", consumer, GroupType.CONSUMER);
      client.checkRemoval("consumer", consumer);
      client.checkRemovalFromMixedGroup(consumer);
      client.checkMove("eager", Map.of("partition.assignment.strategy", RangeAssignor.class.getName()), consumer);
      client.checkMove("cooperative",
          Map.of("partition.assignment.strategy", CooperativeStickyAssignor.class.getName()), consumer);
      client.checkStaticMove(consumer);
    } else {
      System.out.println("left out: group.protocol=consumer, the broker does not advertise ConsumerGroupHeartbeat");
    }
    client.end();
  }

  /** Polls all members, as their threads would, until `done`. */
  private static void pollUntil(String what, BooleanSupplier done, Member... members) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S);
    while (!done.getAsBoolean()) {
      require(System.nanoTime() < deadline, "waited too long: " + what);
      for (Member member : members) member.poll();
    }
  }

  private static void pollFor(long millis, Member... members) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    while (System.nanoTime() < deadline) for (Member member : members) member.poll();
  }

  private TopicPartition part(String topic, int index) {
    return new TopicPartition(topic, index);
  }

  /** A topic of its own with RECORDS records, spread evenly. */
  private String filled(String name) throws Exception {
    String topic = prefix + "-" + name;
    get(admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all());
    fill(topic, 0);
    return topic;
  }

  private void fill(String topic, int first) throws Exception {
    Map<String, Object> settings = Map.of(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (int i = first; i < first + RECORDS; ++i) {
        producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, "v" + i)).get(TIMEOUT_S, TimeUnit.SECONDS);
      }
    }
  }

  private static Set<String> values(int first, int last) {
    Set<String> all = new TreeSet<>();
    for (int i = first; i < last; ++i) all.add(i % PARTITIONS + ":v" + i);
    return all;
  }

  private void checkProtocol(String label, Map<String, Object> settings, boolean eager) {
    String group = prefix + "-" + label + "-group";
    check(label + "_reads_everything_and_goes_on_after_its_commit", () -> {
      String topic = filled(label + "-on");
      try (Member member = new Member(group + "-on", settings).subscribe(topic)) {
        pollUntil("the first records", () -> member.records.size() >= RECORDS, member);
        same(new TreeSet<>(member.records), values(0, RECORDS), "records");
        member.consumer.commitSync();
        same(member.consumer.committed(Set.of(part(topic, 1))).get(part(topic, 1)).offset(), 10L, "committed");
      }
      fill(topic, RECORDS);
      try (Member member = new Member(group + "-on", settings).subscribe(topic)) {
        pollUntil("the other records", () -> member.records.size() >= RECORDS, member);
        same(new TreeSet<>(member.records), values(RECORDS, 2 * RECORDS), "records after the commit");
      }
    });
    check(label + "_members_share_and_take_over", () -> {
      String topic = filled(label + "-share");
      try (Member first = new Member(group, settings).subscribe(topic)) {
        pollUntil("the first member has all", () -> first.owned() == PARTITIONS, first);
        Member second = new Member(group, settings).subscribe(topic);
        try {
          pollUntil("both have two", () -> first.owned() == 2 && second.owned() == 2, first, second);
          Set<TopicPartition> all = new HashSet<>(first.consumer.assignment());
          all.addAll(second.consumer.assignment());
          same(all.size(), PARTITIONS, "partitions of both");
          int given = first.revoked.stream().mapToInt(Set::size).sum();
          same(given, eager ? PARTITIONS : 2, "partitions that the first had to give up");
          same(first.lost.size(), 0, "losses");
        } finally {
          second.close();
        }
        pollUntil("the first has all again", () -> first.owned() == PARTITIONS, first);
      }
    });
    check(label + "_pattern_finds_new_topics", () -> {
      String topic = filled(label + "-pattern-a");
      Map<String, Object> quick = new HashMap<>(settings);
      quick.put(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 500);
      try (Member member = new Member(group + "-pattern", quick)) {
        member.consumer.subscribe(java.util.regex.Pattern.compile(prefix + "-" + label + "-pattern-.*"), member);
        pollUntil("the first topic", () -> member.owned() == PARTITIONS, member);
        filled(label + "-pattern-b");
        pollUntil("the second topic", () -> member.owned() == 2 * PARTITIONS, member);
        same(member.consumer.assignment().contains(part(topic, 0)), true, "the first topic is still there");
      }
    });
  }

  private void checkStaticMembers(String label, Map<String, Object> settings) {
    String group = prefix + "-" + label + "-group";
    check(label + "_member_returns_without_a_rebalance", () -> {
      String topic = filled(label);
      Map<String, Object> one = as("one", settings);
      Map<String, Object> two = as("two", settings);
      try (Member stays = new Member(group, one).subscribe(topic)) {
        Member leaves = new Member(group, two).subscribe(topic);
        pollUntil("both have two", () -> stays.owned() == 2 && leaves.owned() == 2, stays, leaves);
        Set<TopicPartition> before = leaves.consumer.assignment();
        int told = stays.assigned.size() + stays.revoked.size();
        leaves.close();
        pollFor(700, stays);
        try (Member back = new Member(group, two).subscribe(topic)) {
          pollUntil("it is back", () -> back.owned() == 2, stays, back);
          same(back.consumer.assignment(), before, "partitions of the member that came back");
          pollFor(700, stays, back);
        }
        same(stays.assigned.size() + stays.revoked.size(), told, "what the other was told meanwhile");
      }
    });
  }

  private void checkZombie() {
    check("static_member_is_fenced_by_its_double", () -> {
      String topic = filled("double");
      String group = prefix + "-double-group";
      Map<String, Object> settings = Map.of("group.instance.id", "same");
      try (Member old = new Member(group, settings).subscribe(topic)) {
        pollUntil("the first has all", () -> old.owned() == PARTITIONS, old);
        try (Member young = new Member(group, settings).subscribe(topic)) {
          pollUntil("the double has all", () -> young.owned() == PARTITIONS, young);
          fails(FencedInstanceIdException.class, () -> pollFor(3_000, old));
        }
      }
    });
    check("commit_of_a_member_that_was_given_up_is_refused", () -> {
      String topic = filled("slow");
      String group = prefix + "-slow-group";
      try (Member slow = new Member(group, Map.of("max.poll.interval.ms", 1_000)).subscribe(topic);
          Member other = new Member(group, Map.of()).subscribe(topic)) {
        pollUntil("both have two", () -> slow.owned() == 2 && other.owned() == 2, slow, other);
        Set<TopicPartition> had = Set.copyOf(slow.consumer.assignment());
        pollUntil("the other has all", () -> other.owned() == PARTITIONS, other);
        Map<TopicPartition, OffsetAndMetadata> late = new HashMap<>();
        for (TopicPartition partition : had) late.put(partition, new OffsetAndMetadata(3));
        fails(CommitFailedException.class, () -> slow.consumer.commitSync(late));
        for (TopicPartition partition : had) {
          same(other.consumer.committed(Set.of(partition)).get(partition), null, "committed");
        }
      }
    });
  }

  private void checkGroupsAdmin(String label, Map<String, Object> settings, GroupType type) {
    String group = prefix + "-" + label + "-admin-group";
    check(label + "_group_is_listed_and_described", () -> {
      String topic = filled(label + "-admin");
      Member member = new Member(group, settings).subscribe(topic);
      try {
        pollUntil("assigned", () -> member.owned() == PARTITIONS && member.records.size() >= RECORDS, member);
        member.consumer.commitSync();
        GroupListing listed = get(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all()).stream()
            .filter(one -> one.groupId().equals(group)).findFirst().orElseThrow(() -> new AssertionError("not listed"));
        same(listed.type().orElse(null), type, "type");
        same(listed.groupState().orElse(null), GroupState.STABLE, "state");
        GroupListing none = get(admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all())
            .stream().filter(one -> one.groupId().equals(group)).findFirst().orElse(null);
        same(none, null, "listed as empty");
        ConsumerGroupDescription described = described(group);
        same(described.groupState(), GroupState.STABLE, "described state");
        same(described.type(), type, "described type");
        same(described.members().size(), 1, "members");
        same(described.members().iterator().next().assignment().topicPartitions(), member.consumer.assignment(),
            "assignment");
        same(described.coordinator().port(), Integer.parseInt(bootstrap.split(":")[1]), "coordinator's port");
        if (type == GroupType.CLASSIC) {
          same(described.partitionAssignor(), "range", "assignor");
          same(get(admin.describeClassicGroups(List.of(group)).describedGroups().get(group)).members().size(), 1,
              "members as a classic group");
        }
        fails(GroupNotEmptyException.class, () -> get(admin.deleteConsumerGroups(List.of(group)).all()));
      } finally {
        member.close();
      }
      same(described(group).groupState(), GroupState.EMPTY, "state without members");
    });
    check(label + "_group_is_deleted", () -> {
      get(admin.deleteConsumerGroups(List.of(group)).all());
      require(get(admin.listGroups().all()).stream().noneMatch(one -> one.groupId().equals(group)), "still listed");
      fails(GroupIdNotFoundException.class, () -> get(admin.deleteConsumerGroups(List.of(group)).all()));
      fails(GroupIdNotFoundException.class, () -> described(group));
    });
  }

  private Map<TopicPartition, Long> offsets(String group) throws Exception {
    Map<TopicPartition, Long> found = new HashMap<>();
    get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata())
        .forEach((partition, offset) -> found.put(partition, offset == null ? null : (Long) offset.offset()));
    return found;
  }

  private void checkOffsetsAdmin() {
    String group = prefix + "-offsets-group";
    check("offsets_are_altered_and_listed", () -> {
      String topic = filled("offsets");
      get(admin.alterConsumerGroupOffsets(group, Map.of(part(topic, 0), new OffsetAndMetadata(3, Optional.of(0), "why"),
          part(topic, 2), new OffsetAndMetadata(7))).all());
      same(offsets(group), Map.of(part(topic, 0), 3L, part(topic, 2), 7L), "all offsets");
      OffsetAndMetadata one =
          get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(part(topic, 0));
      same(one.metadata() + " " + one.leaderEpoch().orElse(-1), "why 0", "metadata and epoch");
      Map<String, ListConsumerGroupOffsetsSpec> several = Map.of(
          group, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(part(topic, 2), part(topic, 3))),
          group + "-unknown", new ListConsumerGroupOffsetsSpec());
      ListConsumerGroupOffsetsResult found = admin.listConsumerGroupOffsets(several);
      Map<TopicPartition, OffsetAndMetadata> two = get(found.partitionsToOffsetAndMetadata(group));
      same(two.get(part(topic, 2)).offset(), 7L, "of one partition");
      same(two.get(part(topic, 3)), null, "of one without");
      same(get(found.partitionsToOffsetAndMetadata(group + "-unknown")), Map.of(), "of an unknown group");
    });
    check("altered_offsets_are_where_a_member_begins", () -> {
      try (Member member = new Member(group, Map.of()).subscribe(prefix + "-offsets")) {
        pollUntil("what is left", () -> member.records.size() >= 7 + 10 + 3 + 10, member);
        same(member.records.stream().filter(one -> one.startsWith("2:")).findFirst().orElse(""), "2:v30", "first of 2");
        fails(UnknownMemberIdException.class, () -> get(admin.alterConsumerGroupOffsets(group,
            Map.of(part(prefix + "-offsets", 0), new OffsetAndMetadata(1))).all()));
        fails(GroupSubscribedToTopicException.class, () -> get(admin.deleteConsumerGroupOffsets(group,
            Set.of(part(prefix + "-offsets", 0))).partitionResult(part(prefix + "-offsets", 0))));
      }
    });
    check("offsets_are_deleted", () -> {
      TopicPartition gone = part(prefix + "-offsets", 0);
      get(admin.deleteConsumerGroupOffsets(group, Set.of(gone)).all());
      same(offsets(group), Map.of(part(prefix + "-offsets", 2), 7L), "offsets left");
      fails(GroupIdNotFoundException.class,
          () -> get(admin.deleteConsumerGroupOffsets(group + "-unknown", Set.of(gone)).all()));
    });
    check("offset_of_an_unknown_partition_is_refused", () -> fails(UnknownTopicOrPartitionException.class,
        () -> get(admin.alterConsumerGroupOffsets(group,
            Map.of(part(prefix + "-nowhere", 0), new OffsetAndMetadata(1))).all())));
  }

  private static Map<String, Object> as(String instance, Map<String, Object> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put("group.instance.id", instance);
    return all;
  }

  private ConsumerGroupDescription described(String group) throws Exception {
    return get(admin.describeConsumerGroups(List.of(group)).all()).get(group);
  }

  private void removeFrom(String group, String... instances) throws Exception {
    List<MemberToRemove> members = Arrays.stream(instances).map(MemberToRemove::new).toList();
    get(admin.removeMembersFromConsumerGroup(group, members.isEmpty()
        ? new RemoveMembersFromConsumerGroupOptions() : new RemoveMembersFromConsumerGroupOptions(members)).all());
  }

  private void checkRemoval(String label, Map<String, Object> settings) {
    String group = prefix + "-" + label + "-removal-group";
    check(label + "_members_are_removed", () -> {
      String topic = filled(label + "-removal");
      // Static members stay when they close, so there is somebody to remove.
      try (Member member = new Member(group, as("gone", settings)).subscribe(topic)) {
        pollUntil("assigned", () -> member.owned() == PARTITIONS, member);
      }
      same(described(group).members().size(), 1, "members before");
      fails(UnknownMemberIdException.class, () -> removeFrom(group, "nobody"));
      removeFrom(group, "gone");
      same(described(group).members().size(), 0, "members after");
    });
    check(label + "_all_members_are_removed", () -> {
      String topic = prefix + "-" + label + "-removal";
      for (String name : List.of("a", "b")) {
        try (Member member = new Member(group, as(name, settings)).subscribe(topic)) {
          pollUntil("it takes part", () -> member.consumer.groupMetadata().generationId() > 0, member);
        }
      }
      // One that lives, and is not static: it is removed by its member id, and joins again.
      try (Member lives = new Member(group, settings).subscribe(topic)) {
        pollUntil("it takes part", () -> lives.consumer.groupMetadata().generationId() > 0, lives);
        removeFrom(group);
        pollUntil("it is back, and alone", () -> lives.owned() == PARTITIONS, lives);
      }
      same(described(group).groupState(), GroupState.EMPTY, "state");
    });
  }

  private void checkRemovalFromMixedGroup(Map<String, Object> consumer) {
    check("members_of_either_protocol_are_removed_from_a_mixed_group", () -> {
      String topic = filled("mixed-removal");
      String group = prefix + "-mixed-removal-group";
      try (Member old = new Member(group, as("old", Map.of())).subscribe(topic)) {
        pollUntil("the classic member has all", () -> old.owned() == PARTITIONS, old);
        try (Member young = new Member(group, as("young", consumer)).subscribe(topic)) {
          pollUntil("both have two", () -> old.owned() == 2 && young.owned() == 2, old, young);
        }
        same(type(group), GroupType.CONSUMER, "type");
        removeFrom(group, "young");
        same(type(group), GroupType.CLASSIC, "type without the young one");
        pollUntil("the classic member has all again", () -> old.owned() == PARTITIONS, old);
      }
      removeFrom(group);
      same(described(group).groupState(), GroupState.EMPTY, "state");
    });
  }

  /** A group of classic members is taken over by one of the new protocol and back again, while it goes on. */
  private void checkMove(String how, Map<String, Object> own, Map<String, Object> consumer) {
    check("group_moves_between_the_protocols_online_" + how, () -> {
      String topic = filled("move-" + how);
      String group = prefix + "-move-group-" + how;
      try (Member classic = new Member(group, own).subscribe(topic)) {
        pollUntil("the classic member has all", () -> classic.owned() == PARTITIONS && classic.records.size() == RECORDS, classic);
        classic.consumer.commitSync();
        Member other = new Member(group, own).subscribe(topic);
        try (Member young = new Member(group, consumer).subscribe(topic)) {
          pollUntil("each of the three has one or two", () -> classic.owned() > 0 && other.owned() > 0 && young.owned() > 0
              && classic.owned() + other.owned() + young.owned() == PARTITIONS, classic, other, young);
          same(type(group), GroupType.CONSUMER, "type");
          other.close();
          pollUntil("both have two", () -> classic.owned() == 2 && young.owned() == 2, classic, young);
          fill(topic, RECORDS);
          pollUntil("all is read", () -> {
            Set<String> read = new HashSet<>(classic.records);
            read.addAll(young.records);
            return read.containsAll(values(RECORDS, 2 * RECORDS));
          }, classic, young);
          classic.consumer.commitSync();
          young.consumer.commitSync();
        }
        pollUntil("the classic member has all again", () -> classic.owned() == PARTITIONS, classic);
        same(type(group), GroupType.CLASSIC, "type after");
        fill(topic, 2 * RECORDS);
        pollUntil("all that is new is read", () -> classic.records.containsAll(values(2 * RECORDS, 3 * RECORDS)), classic);
        classic.consumer.commitSync();
      }
    });
  }

  /** A static member is restarted with the other protocol, and back: the one that stays is asked for nothing. */
  private void checkStaticMove(Map<String, Object> consumer) {
    check("static_member_moves_between_the_protocols", () -> {
      String topic = filled("move-static");
      String group = prefix + "-move-group-static";
      Map<String, Object> mover = as("mover", Map.of());
      Map<String, Object> young = as("mover", consumer);
      try (Member stays = new Member(group, as("stays", Map.of())).subscribe(topic)) {
        try (Member member = new Member(group, mover).subscribe(topic)) {
          pollUntil("both have two", () -> stays.owned() == 2 && member.owned() == 2, stays, member);
        }
        try (Member member = new Member(group, young).subscribe(topic)) {
          pollUntil("both have two in the new protocol", () -> stays.owned() == 2 && member.owned() == 2, stays, member);
          same(type(group), GroupType.CONSUMER, "type");
          pollFor(1_000, stays, member);
        }
        try (Member member = new Member(group, mover).subscribe(topic)) {
          pollUntil("both have two again", () -> stays.owned() == 2 && member.owned() == 2, stays, member);
          same(type(group), GroupType.CLASSIC, "type after");
        }
        same(stays.lost.size(), 0, "what the one that stays lost");
      }
    });
  }

  private GroupType type(String group) throws Exception {
    return described(group).type();
  }
}
