#include "net/wire/describe_log_dirs.h"

#include <algorithm>
#include <map>
#include <set>

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

bool is_asked(const DescribeLogDirsRequest& wanted, std::string_view topic, std::int32_t partition) {
  if (!wanted.topics) return true;
  for (const auto& asked : *wanted.topics) {
    if (asked.topic == topic && std::ranges::find(asked.partitions, partition) != asked.partitions.end()) return true;
  }
  return false;
}

io::Task<void> collect(const BrokerOptions& options, BrokerShard& owner,
                       const DescribeLogDirsRequest& wanted, Found& found) {
  for (const auto& [id, partition] : owner.partitions()) {
    if (partition->log() == nullptr || !is_asked(wanted, partition->topic(), id.partition.value())) continue;
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
  Found found;
  co_await on_every_shard(broker, [&](BrokerShard& owner) {
    return collect(broker.options(), owner, wanted, found);
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
