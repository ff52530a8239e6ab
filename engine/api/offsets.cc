// Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete.
#include <deque>
#include <set>

#include "engine/api/coordinator_requests.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"
#include "net/wire/offset_fetch.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::OffsetFetchRequest;
using wire::OffsetFetchResponse;

// From these versions on topics go by their ids, one request asks for several groups, and a group's error stands beside it.
constexpr std::int16_t kTopicIdsSince = 10;
constexpr std::int16_t kSeveralGroupsSince = 8;
constexpr std::int16_t kGroupErrorSince = 2;

const TopicImage* find_topic(const MetadataImage& image, std::string_view name, const Uuid& id,
                             std::int16_t version) {
  return version >= kTopicIdsSince ? image.topics.find(id) : image.topics.find(name);
}

ErrorCode unknown_topic(std::int16_t version) {
  return version >= kTopicIdsSince ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
}

// What one group's part of an OffsetFetch asks, in either form.
struct FetchQuestion {
  struct Topic {
    std::string_view name;
    Uuid id;
    const std::vector<std::int32_t>* partitions = nullptr;
    const TopicImage* known = nullptr;
  };
  std::string_view group;
  std::optional<std::string_view> member_id = std::nullopt;
  std::int32_t member_epoch = -1;
  std::optional<std::vector<Topic>> topics;
};

io::Task<std::expected<FetchOffsetsResult, ErrorCode>> ask_for_offsets(Broker& broker, BrokerShard& here,
                                                                      const FetchQuestion& wanted) {
  FetchOffsets question{.ticket = {},
                        .group = wanted.group,
                        .member_id = wanted.member_id,
                        .member_epoch = wanted.member_epoch,
                        .partitions = std::nullopt};
  if (wanted.topics) {
    question.partitions.emplace();
    for (const auto& topic : *wanted.topics) {
      if (topic.name.empty()) continue;  // an id that nobody knows
      for (const std::int32_t partition : *topic.partitions) {
        question.partitions->push_back({topic.name, partition, topic.id});
      }
    }
  }
  auto result = co_await ask_group<FetchOffsetsResult>(broker, here, wanted.group, std::move(question));
  if (result && result->error != ErrorCode::none) co_return std::unexpected(result->error);
  co_return result;
}

// The topics of an answer, from what the coordinator said and from those asked for by an id that nobody knows. `Topic` is the
// form of the version; texts point into `result` and the request.
template <class Topic>
std::vector<Topic> to_topics(const MetadataImage& image, const FetchQuestion& wanted,
                             const FetchOffsetsResult& result, std::int16_t version) {
  std::vector<Topic> topics;
  const bool by_id = version >= kTopicIdsSince;
  std::string_view current;
  bool left_out = false;
  for (const auto& partition : result.partitions) {
    if (topics.empty() || current != partition.topic || left_out) {
      current = partition.topic;
      const TopicImage* known = image.topics.find(partition.topic);
      // By id there is no way to speak of a topic that has gone.
      left_out = by_id && known == nullptr;
      if (left_out) continue;
      auto& topic = topics.emplace_back();
      topic.name = partition.topic;
      if constexpr (requires { topic.topic_id; }) {
        if (known != nullptr) topic.topic_id = known->id;
      }
    }
    auto& said = topics.back().partitions.emplace_back();
    said.partition_index = partition.partition;
    said.committed_offset = partition.offset;
    said.committed_leader_epoch = partition.leader_epoch;
    said.metadata = partition.metadata;
  }
  if (!wanted.topics) return topics;
  for (const auto& asked : *wanted.topics) {
    if (!asked.name.empty()) continue;
    auto& topic = topics.emplace_back();
    if constexpr (requires { topic.topic_id; }) topic.topic_id = asked.id;
    for (const std::int32_t partition : *asked.partitions) {
      auto& said = topic.partitions.emplace_back();
      said.partition_index = partition;
      said.committed_offset = -1;
      said.error_code = ErrorCode::unknown_topic_id;
    }
  }
  return topics;
}

FetchQuestion to_question(const MetadataImage& image, const OffsetFetchRequest::Group& asked,
                          std::int16_t version) {
  FetchQuestion question{.group = asked.group_id,
                         .member_id = asked.member_id,
                         .member_epoch = asked.member_epoch,
                         .topics = std::nullopt};
  if (!asked.topics) return question;
  question.topics.emplace();
  for (const auto& topic : *asked.topics) {
    std::string_view name = topic.name;
    if (version >= kTopicIdsSince) {
      const TopicImage* known = image.topics.find(topic.topic_id);
      name = known == nullptr ? std::string_view() : std::string_view(known->name);
    }
    question.topics->push_back({name, topic.topic_id, &topic.partition_indexes, nullptr});
  }
  return question;
}

io::Task<net::Response> fetch_of_one_group(Broker& broker, BrokerShard& here, const MetadataImage& image,
                                           Request& request, const OffsetFetchRequest& wanted) {
  FetchQuestion question{.group = wanted.group_id, .topics = std::nullopt};
  if (wanted.topics) {
    question.topics.emplace();
    for (const auto& topic : *wanted.topics) {
      question.topics->push_back({topic.name, {}, &topic.partition_indexes, nullptr});
    }
  }
  const std::int16_t version = request.header.api_version;
  const auto result = co_await ask_for_offsets(broker, here, question);
  OffsetFetchResponse response;
  if (result) {
    response.topics = to_topics<OffsetFetchResponse::Topic>(image, question, *result, version);
    co_return answer(request, response);
  }
  response.error_code = result.error();
  if (version >= kGroupErrorSince || !wanted.topics) co_return answer(request, response);
  for (const auto& topic : *wanted.topics) {
    auto& said = response.topics.emplace_back();
    said.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes) {
      auto& each = said.partitions.emplace_back();
      each.partition_index = partition;
      each.committed_offset = -1;
      each.error_code = result.error();
    }
  }
  co_return answer(request, response);
}

// Which partitions of a commit go to the coordinator, and where their errors go.
struct CommitPlan {
  CommitOffsets question;
  std::vector<wire::OffsetCommitResponse::Partition*> answers;
};

void plan_commit(const MetadataImage& image, const wire::OffsetCommitRequest& wanted, std::int16_t version,
                 wire::OffsetCommitResponse& response, CommitPlan& plan) {
  response.topics.resize(wanted.topics.size());
  for (std::size_t i = 0; i < wanted.topics.size(); ++i) {
    const auto& topic = wanted.topics[i];
    auto& topic_answer = response.topics[i];
    topic_answer.name = topic.name;
    topic_answer.topic_id = topic.topic_id;
    topic_answer.partitions.resize(topic.partitions.size());
    const TopicImage* known = find_topic(image, topic.name, topic.topic_id, version);
    for (std::size_t j = 0; j < topic.partitions.size(); ++j) {
      const auto& partition = topic.partitions[j];
      auto& partition_answer = topic_answer.partitions[j];
      partition_answer.partition_index = partition.partition_index;
      if (known == nullptr || known->partition(PartitionIndex{partition.partition_index}) == nullptr) {
        partition_answer.error_code =
            known == nullptr ? unknown_topic(version) : ErrorCode::unknown_topic_or_partition;
        continue;
      }
      plan.question.commits.push_back({.at = {known->name, partition.partition_index},
                                       .topic_id = known->id,
                                       .offset = partition.committed_offset,
                                       .leader_epoch = partition.committed_leader_epoch,
                                       .metadata = partition.committed_metadata.value_or("")});
      plan.answers.push_back(&partition_answer);
    }
  }
}

}  // namespace

io::Task<net::Response> handle_offset_commit(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::OffsetCommitRequest);
  const SharedImage image = here.image();
  wire::OffsetCommitResponse response;
  CommitPlan plan;
  plan.question.group = wanted.group_id;
  plan.question.member_id = wanted.member_id;
  plan.question.group_instance_id = wanted.group_instance_id;
  plan.question.version = request.header.api_version;
  plan.question.generation = wanted.generation_id_or_member_epoch;
  plan.question.retention_ms = wanted.retention_time_ms;
  plan.question.looked_up_at = image->position.offset;
  plan_commit(*image, wanted, request.header.api_version, response, plan);
  if (plan.answers.empty()) co_return answer(request, response);
  const auto result =
      co_await ask_group<CommitResult>(broker, here, wanted.group_id, std::move(plan.question));
  for (std::size_t i = 0; i < plan.answers.size(); ++i) {
    plan.answers[i]->error_code = result ? result->errors[i] : result.error();
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_offset_fetch(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, OffsetFetchRequest);
  const SharedImage image = here.image();
  const std::int16_t version = request.header.api_version;
  if (version < kSeveralGroupsSince) {
    co_return co_await fetch_of_one_group(broker, here, *image, request, wanted);
  }
  OffsetFetchResponse response;
  std::deque<FetchOffsetsResult> results;  // what the response points into
  std::set<std::string_view> seen;
  for (const auto& asked : wanted.groups) {
    // Once each: a name repeated must not make the answer larger than what is known of the groups.
    if (!seen.insert(asked.group_id).second) continue;
    const FetchQuestion question = to_question(*image, asked, version);
    auto result = co_await ask_for_offsets(broker, here, question);
    auto& said = response.groups.emplace_back();
    said.group_id = asked.group_id;
    if (!result) {
      said.error_code = result.error();
      continue;
    }
    results.push_back(std::move(*result));
    said.topics = to_topics<OffsetFetchResponse::GroupTopic>(*image, question, results.back(), version);
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_offset_delete(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::OffsetDeleteRequest);
  const SharedImage image = here.image();
  DeleteOffsets question{.ticket = {}, .group = wanted.group_id, .partitions = {}};
  wire::OffsetDeleteResponse response;
  response.topics.resize(wanted.topics.size());
  std::vector<wire::OffsetDeleteResponse::Partition*> answers;
  for (std::size_t i = 0; i < wanted.topics.size(); ++i) {
    const auto& topic = wanted.topics[i];
    response.topics[i].name = topic.name;
    response.topics[i].partitions.resize(topic.partitions.size());
    const TopicImage* known = image->topics.find(topic.name);
    for (std::size_t j = 0; j < topic.partitions.size(); ++j) {
      auto& said = response.topics[i].partitions[j];
      said.partition_index = topic.partitions[j].partition_index;
      if (known == nullptr || known->partition(PartitionIndex{said.partition_index}) == nullptr) {
        said.error_code = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      question.partitions.push_back({topic.name, said.partition_index});
      answers.push_back(&said);
    }
  }
  const auto result =
      co_await ask_group<DeleteOffsetsResult>(broker, here, wanted.group_id, std::move(question));
  response.error_code = result ? result->error : result.error();
  if (response.error_code != ErrorCode::none) {
    // As Kafka: the error stands for all of it.
    response.topics.clear();
    co_return answer(request, response);
  }
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i]->error_code = result->errors[i];
  co_return answer(request, response);
}

}  // namespace millrace::engine
