#include "net/wire/describe_log_dirs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "engine/api/shard_route.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

using wire::DescribeLogDirsRequest;
using wire::DescribeLogDirsResponse;
using wire::ErrorCode;

struct LogSize {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t bytes = 0;
};

// Sizes of all logs, by log directory; filled by one shard after the other.
struct Found {
  std::map<std::string, std::vector<LogSize>> by_directory;
};

// What was asked for; empty: everything.
using Asked = std::optional<std::set<std::pair<std::string_view, std::int32_t>>>;

Asked to_asked(const DescribeLogDirsRequest& wanted) {
  if (!wanted.topics) return std::nullopt;
  Asked asked(std::in_place);
  for (const auto& topic : *wanted.topics) {
    for (const std::int32_t partition : topic.partitions) asked->emplace(topic.topic, partition);
  }
  return asked;
}

bool is_asked(const Asked& asked, std::string_view topic, std::int32_t partition) {
  return !asked || asked->contains({topic, partition});
}

io::Task<void> collect(const BrokerOptions& options, BrokerShard& owner,
                       const Asked& asked, Found& found) {
  for (const auto& [id, partition] : owner.partitions()) {
    if (partition->log() == nullptr || !is_asked(asked, partition->topic(), id.partition.value())) continue;
    for (const auto& directory : options.log_directories) {
      if (!partition->log()->directory().starts_with(directory + "/")) continue;
      found.by_directory[directory].push_back({partition->topic(), id.partition.value(),
                                               static_cast<std::int64_t>(partition->log()->size())});
    }
  }
  co_return;
}

}  // namespace

io::Task<net::Response> handle_describe_log_dirs(Broker& broker, BrokerShard&, Request& request) {
  DECODE(wanted, DescribeLogDirsRequest);
  const Asked asked = to_asked(wanted);
  Found found;
  co_await on_every_shard(broker, [&](BrokerShard& owner) {
    return collect(broker.options(), owner, asked, found);
  });
  DescribeLogDirsResponse response;
  io::Proactor& proactor = io::Reactor::current().proactor();
  for (const auto& directory : broker.options().log_directories) {
    auto& said = response.results.emplace_back();
    said.log_dir = directory;
    if (const auto free = proactor.free_bytes(directory)) said.usable_bytes = static_cast<std::int64_t>(*free);
    else said.error_code = ErrorCode::kafka_storage_error;
    if (const auto total = proactor.total_bytes(directory)) said.total_bytes = static_cast<std::int64_t>(*total);
    auto& logs = found.by_directory[directory];
    std::ranges::sort(logs, {}, [](const LogSize& log) { return std::tie(log.topic, log.partition); });
    for (const LogSize& log : logs) {
      if (said.topics.empty() || said.topics.back().name != log.topic) {
        said.topics.emplace_back().name = log.topic;
      }
      auto& part = said.topics.back().partitions.emplace_back();
      part.partition_index = log.partition;
      part.partition_size = log.bytes;
    }
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
