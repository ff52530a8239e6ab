import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * VersionMatrix BOOTSTRAP PREFIX: asks every API that the broker advertises in every version it advertises, and
 * parses the answers with Apache Kafka's own message classes.
 *
 * <p>An answer must parse, leave no byte over, and carry no error. One line per API, {@code ok NAME} or
 * {@code FAILED NAME: why}. APIs outside {@link #ASKED} are those of coordinators, replicas and controllers.
 */
public final class VersionMatrix {
  private static final Set<ApiKeys> ASKED = EnumSet.of(ApiKeys.PRODUCE, ApiKeys.FETCH, ApiKeys.LIST_OFFSETS,
      ApiKeys.METADATA, ApiKeys.CREATE_TOPICS, ApiKeys.DELETE_TOPICS, ApiKeys.CREATE_PARTITIONS, ApiKeys.DELETE_RECORDS,
      ApiKeys.DESCRIBE_CONFIGS, ApiKeys.INCREMENTAL_ALTER_CONFIGS, ApiKeys.ALTER_CONFIGS, ApiKeys.DESCRIBE_CLUSTER,
      ApiKeys.DESCRIBE_TOPIC_PARTITIONS, ApiKeys.DESCRIBE_LOG_DIRS, ApiKeys.OFFSET_FOR_LEADER_EPOCH,
      ApiKeys.INIT_PRODUCER_ID, ApiKeys.LIST_CONFIG_RESOURCES, ApiKeys.DESCRIBE_QUORUM, ApiKeys.UPDATE_FEATURES,
      ApiKeys.DESCRIBE_PRODUCERS, ApiKeys.API_VERSIONS);

  private final String prefix;
  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;
  private int correlation = 0;
  private boolean failed = false;
  private Uuid topicId = Uuid.ZERO_UUID;

  private VersionMatrix(String bootstrap, String prefix) throws Exception {
    this.prefix = prefix;
    int colon = bootstrap.lastIndexOf(':');
    socket = new Socket(bootstrap.substring(0, colon), Integer.parseInt(bootstrap.substring(colon + 1)));
    socket.setSoTimeout(15_000);
    socket.setTcpNoDelay(true);
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  public static void main(String[] arguments) throws Exception {
    VersionMatrix matrix = new VersionMatrix(arguments[0], arguments[1]);
    matrix.prepare();
    ApiVersionsResponseData advertised = (ApiVersionsResponseData) matrix.ask(ApiKeys.API_VERSIONS, (short) 4,
        matrix.request(ApiKeys.API_VERSIONS, (short) 4)).data();
    Set<ApiKeys> seen = EnumSet.noneOf(ApiKeys.class);
    for (ApiVersionsResponseData.ApiVersion range : advertised.apiKeys()) {
      if (!ApiKeys.hasId(range.apiKey())) continue;
      ApiKeys key = ApiKeys.forId(range.apiKey());
      if (!ASKED.contains(key)) continue;
      seen.add(key);
      matrix.check(key, range.minVersion(), range.maxVersion());
    }
    for (ApiKeys key : ASKED) {
      if (!seen.contains(key)) matrix.report(key.name, "is not advertised");
    }
    System.exit(matrix.failed ? 1 : 0);
  }

  private void report(String name, String complaint) {
    if (complaint.isEmpty()) {
      System.out.println("ok " + name);
    } else {
      failed = true;
      System.out.println("FAILED " + name + ": " + complaint.replace('\n', ' '));
    }
    System.out.flush();
  }

  private String topic() {
    return prefix + "-matrix";
  }

  /** Creates the topic that all requests name, waits until it is served, and learns its id. */
  private void prepare() throws Exception {
    ask(ApiKeys.CREATE_TOPICS, (short) 7, newTopics(topic(), false));
    for (int attempt = 0; attempt < 200; ++attempt) {
      MetadataResponseData found =
          (MetadataResponseData) ask(ApiKeys.METADATA, (short) 12, request(ApiKeys.METADATA, (short) 12)).data();
      topicId = found.topics().iterator().next().topicId();
      AbstractResponse offsets = ask(ApiKeys.LIST_OFFSETS, (short) 7, request(ApiKeys.LIST_OFFSETS, (short) 7));
      if (!topicId.equals(Uuid.ZERO_UUID) && offsets.errorCounts().keySet().equals(Set.of(Errors.NONE))) break;
      Thread.sleep(50);
    }
    for (int attempt = 0; attempt < 100; ++attempt) {
      AbstractResponse producer =
          ask(ApiKeys.INIT_PRODUCER_ID, (short) 4, request(ApiKeys.INIT_PRODUCER_ID, (short) 4));
      if (producer.errorCounts().keySet().equals(Set.of(Errors.NONE))) break;
      Thread.sleep(50);
    }
  }

  private void check(ApiKeys key, short first, short last) {
    StringBuilder complaints = new StringBuilder();
    short lowest = (short) Math.max(first, key.messageType.lowestSupportedVersion());
    short highest = (short) Math.min(last, key.messageType.highestSupportedVersion(true));
    for (short version = lowest; version <= highest; ++version) {
      try {
        AbstractResponse response = ask(key, version, request(key, version));
        Set<Errors> errors = new TreeSet<>(response.errorCounts().keySet());
        errors.remove(Errors.NONE);
        if (!errors.isEmpty()) complaints.append(" v").append(version).append(' ').append(errors);
      } catch (Exception error) {
        complaints.append(" v").append(version).append(' ').append(error);
        break; // the connection is of no use any more
      }
    }
    report(key.name, complaints.toString().strip());
  }

  private AbstractResponse ask(ApiKeys key, short version, ApiMessage body) throws Exception {
    RequestHeader header = new RequestHeader(key, version, "matrix", ++correlation);
    ObjectSerializationCache cache = new ObjectSerializationCache();
    int size = header.data().size(cache, header.headerVersion()) + body.size(cache, version);
    ByteBuffer frame = ByteBuffer.allocate(size);
    ByteBufferAccessor writer = new ByteBufferAccessor(frame);
    header.data().write(writer, cache, header.headerVersion());
    body.write(writer, cache, version);
    out.writeInt(size);
    out.write(frame.array(), 0, size);
    out.flush();
    byte[] answer = new byte[in.readInt()];
    in.readFully(answer);
    ByteBuffer buffer = ByteBuffer.wrap(answer);
    ByteBufferAccessor reader = new ByteBufferAccessor(buffer);
    ResponseHeaderData responseHeader = new ResponseHeaderData(reader, key.responseHeaderVersion(version));
    if (responseHeader.correlationId() != correlation) throw new IllegalStateException("correlation id differs");
    AbstractResponse response = AbstractResponse.parseResponse(key, reader, version);
    if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes left over");
    return response;
  }

  private ApiMessage newTopics(String name, boolean validateOnly) {
    CreateTopicsRequestData data = new CreateTopicsRequestData().setTimeoutMs(20_000).setValidateOnly(validateOnly);
    data.topics().add(new CreateTopicsRequestData.CreatableTopic().setName(name).setNumPartitions(2)
        .setReplicationFactor((short) 1));
    return data;
  }

  /** A request that a healthy broker answers without an error. */
  private ApiMessage request(ApiKeys key, short version) {
    switch (key) {
      case PRODUCE: return produce(version);
      case FETCH: return fetch(version);
      case LIST_OFFSETS: return listOffsets();
      case METADATA: return metadata(version);
      case CREATE_TOPICS: return newTopics(prefix + "-create-" + version, false);
      case DELETE_TOPICS: return deleteTopics(version);
      case CREATE_PARTITIONS: return createPartitions();
      case DELETE_RECORDS: return deleteRecords();
      case DESCRIBE_CONFIGS: return describeConfigs();
      case INCREMENTAL_ALTER_CONFIGS: return incrementalAlterConfigs();
      case ALTER_CONFIGS: return alterConfigs();
      case DESCRIBE_TOPIC_PARTITIONS: return describeTopicPartitions();
      case OFFSET_FOR_LEADER_EPOCH: return offsetForLeaderEpoch();
      case DESCRIBE_QUORUM: return describeQuorum();
      case DESCRIBE_PRODUCERS: return describeProducers();
      case INIT_PRODUCER_ID:
        return new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(60_000);
      case DESCRIBE_LOG_DIRS: return new DescribeLogDirsRequestData().setTopics(null);
      case UPDATE_FEATURES: return new UpdateFeaturesRequestData().setTimeoutMs(20_000).setValidateOnly(version > 0);
      case API_VERSIONS:
        return new ApiVersionsRequestData().setClientSoftwareName("matrix").setClientSoftwareVersion("1");
      default: return key.messageType.newRequest();
    }
  }

  private ApiMessage produce(short version) {
    MemoryRecords records = MemoryRecords.withRecords(Compression.gzip().build(),
        new SimpleRecord(System.currentTimeMillis(), null, ("version " + version).getBytes()));
    ProduceRequestData data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(20_000);
    ProduceRequestData.TopicProduceData topic = new ProduceRequestData.TopicProduceData();
    if (version >= 13) topic.setTopicId(topicId); else topic.setName(topic());
    topic.setPartitionData(List.of(new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(records)));
    data.topicData().add(topic);
    return data;
  }

  private ApiMessage fetch(short version) {
    FetchRequestData.FetchTopic topic = new FetchRequestData.FetchTopic();
    if (version >= 13) topic.setTopicId(topicId); else topic.setTopic(topic());
    topic.setPartitions(List.of(new FetchRequestData.FetchPartition().setPartition(0).setFetchOffset(0)
        .setPartitionMaxBytes(1 << 20)));
    FetchRequestData data = new FetchRequestData().setMaxWaitMs(10).setMinBytes(1).setMaxBytes(1 << 20)
        .setTopics(List.of(topic));
    if (version <= 14) data.setReplicaId(-1);
    return data;
  }

  private ApiMessage listOffsets() {
    return new ListOffsetsRequestData().setReplicaId(-1).setTopics(List.of(
        new ListOffsetsRequestData.ListOffsetsTopic().setName(topic()).setPartitions(List.of(
            new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(0).setTimestamp(-1)))));
  }

  private ApiMessage metadata(short version) {
    return new MetadataRequestData().setAllowAutoTopicCreation(true).setTopics(
        List.of(new MetadataRequestData.MetadataRequestTopic().setName(topic())));
  }

  private ApiMessage deleteTopics(short version) {
    String name = prefix + "-create-" + Math.min(Math.max(version, 2), 7);
    if (version >= 6) {
      return new DeleteTopicsRequestData().setTimeoutMs(20_000).setTopics(
          List.of(new DeleteTopicsRequestData.DeleteTopicState().setName(name)));
    }
    // Version 1 has no topic of its own that CreateTopics made; it deletes none.
    return new DeleteTopicsRequestData().setTimeoutMs(20_000).setTopicNames(version == 1 ? List.of() : List.of(name));
  }

  private ApiMessage createPartitions() {
    CreatePartitionsRequestData data = new CreatePartitionsRequestData().setTimeoutMs(20_000).setValidateOnly(true);
    data.topics().add(new CreatePartitionsRequestData.CreatePartitionsTopic().setName(topic()).setCount(4)
        .setAssignments(null));
    return data;
  }

  private ApiMessage deleteRecords() {
    return new DeleteRecordsRequestData().setTimeoutMs(20_000).setTopics(List.of(
        new DeleteRecordsRequestData.DeleteRecordsTopic().setName(topic()).setPartitions(List.of(
            new DeleteRecordsRequestData.DeleteRecordsPartition().setPartitionIndex(0).setOffset(0)))));
  }

  private ApiMessage describeConfigs() {
    return new DescribeConfigsRequestData().setResources(List.of(
        new DescribeConfigsRequestData.DescribeConfigsResource().setResourceType((byte) 2).setResourceName(topic())
            .setConfigurationKeys(null)));
  }

  private ApiMessage incrementalAlterConfigs() {
    IncrementalAlterConfigsRequestData data = new IncrementalAlterConfigsRequestData().setValidateOnly(true);
    IncrementalAlterConfigsRequestData.AlterConfigsResource resource =
        new IncrementalAlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2)
            .setResourceName(topic());
    resource.configs().add(new IncrementalAlterConfigsRequestData.AlterableConfig().setName("retention.ms")
        .setConfigOperation((byte) 0).setValue("3600000"));
    data.resources().add(resource);
    return data;
  }

  private ApiMessage alterConfigs() {
    AlterConfigsRequestData data = new AlterConfigsRequestData().setValidateOnly(true);
    AlterConfigsRequestData.AlterConfigsResource resource =
        new AlterConfigsRequestData.AlterConfigsResource().setResourceType((byte) 2).setResourceName(topic());
    resource.configs().add(new AlterConfigsRequestData.AlterableConfig().setName("retention.ms").setValue("3600000"));
    data.resources().add(resource);
    return data;
  }

  private ApiMessage describeTopicPartitions() {
    return new DescribeTopicPartitionsRequestData().setTopics(
        List.of(new DescribeTopicPartitionsRequestData.TopicRequest().setName(topic())));
  }

  private ApiMessage offsetForLeaderEpoch() {
    OffsetForLeaderEpochRequestData data = new OffsetForLeaderEpochRequestData().setReplicaId(-1);
    OffsetForLeaderEpochRequestData.OffsetForLeaderTopic topic =
        new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic(topic());
    topic.setPartitions(List.of(new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition().setPartition(0)
        .setLeaderEpoch(0)));
    data.topics().add(topic);
    return data;
  }

  private ApiMessage describeQuorum() {
    return new DescribeQuorumRequestData().setTopics(List.of(new DescribeQuorumRequestData.TopicData()
        .setTopicName("__cluster_metadata").setPartitions(List.of(
            new DescribeQuorumRequestData.PartitionData().setPartitionIndex(0)))));
  }

  private ApiMessage describeProducers() {
    return new DescribeProducersRequestData().setTopics(List.of(new DescribeProducersRequestData.TopicRequest()
        .setName(topic()).setPartitionIndexes(List.of(0))));
  }
}
