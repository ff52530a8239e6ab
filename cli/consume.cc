#include "cli/consume.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "cli/group_consume.h"
#include "cli/interrupt.h"
#include "cli/kafka_client.h"
#include "cli/kafka_record.h"
#include "cli/option_checks.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kOutputBytes = 64 * 1024;

// Where one partition begins and ends; `stop` is exclusive, -1 for no end.
struct PartitionRange {
  std::int64_t start = RD_KAFKA_OFFSET_BEGINNING;
  std::int64_t stop = -1;
};
using PartitionRanges = std::map<std::int32_t, PartitionRange>;

// The offset of the first record at or after `ms` in each partition; the end where there is none.
Result<std::map<std::int32_t, std::int64_t>> offsets_at(rd_kafka_t* client,
                                                        const ConsumeOptions& options,
                                                        const std::vector<std::int32_t>& partitions,
                                                        std::int64_t ms) {
  PartitionListHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::int32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(), partition)->offset = ms;
  }
  const auto code = rd_kafka_offsets_for_times(client, list.get(), options.connection.timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(error_from_kafka(code, "offsets by time"));
  std::map<std::int32_t, std::int64_t> offsets;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& found = list->elems[i];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(error_from_kafka(found.err, "offsets by time"));
    std::int64_t offset = found.offset;
    if (offset < 0) {
      std::int64_t low = 0;
      const auto asked = rd_kafka_query_watermark_offsets(
          client, found.topic, found.partition, &low, &offset, options.connection.timeout_ms);
      if (asked != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(error_from_kafka(asked, "end of the log"));
    }
    offsets[found.partition] = offset;
  }
  return offsets;
}

Result<PartitionRanges> resolve_ranges(rd_kafka_t* client, const ConsumeOptions& options,
                                       const std::vector<std::int32_t>& partitions) {
  PartitionRanges ranges;
  for (const std::int32_t partition : partitions) {
    PartitionRange& range = ranges[partition];
    switch (options.range.start.kind) {
      case RangeEnd::Kind::beginning:
        range.start = RD_KAFKA_OFFSET_BEGINNING;
        break;
      case RangeEnd::Kind::end:
        range.start = RD_KAFKA_OFFSET_END;
        break;
      case RangeEnd::Kind::tail:
        range.start = RD_KAFKA_OFFSET_TAIL(options.range.start.value);
        break;
      default:
        range.start = options.range.start.value;
    }
    if (options.range.stop) range.stop = options.range.stop->value;
  }
  if (options.range.start.kind == RangeEnd::Kind::time) {
    TRY(offsets, offsets_at(client, options, partitions, options.range.start.value));
    for (auto& [partition, range] : ranges) range.start = offsets[partition];
  }
  if (options.range.stop && options.range.stop->kind == RangeEnd::Kind::time) {
    TRY(offsets, offsets_at(client, options, partitions, options.range.stop->value));
    for (auto& [partition, range] : ranges) range.stop = offsets[partition];
  }
  return ranges;
}

// What a partition has; `end` is the offset of the next record.
struct HeldOffsets {
  std::int64_t first = 0;
  std::int64_t end = 0;
};

std::string describe_missing_offset(const std::string& partition, std::int64_t wanted,
                                    const HeldOffsets& offsets) {
  const std::string held =
      offsets.first == offsets.end
          ? fmt::format("no records, and the next one gets {}", offsets.end)
          : fmt::format("offsets {} to {}", offsets.first, offsets.end - 1);
  const std::string what = wanted >= 0 ? fmt::format("there is no offset {}", wanted)
                                       : std::string("it has no such offset any more");
  return fmt::format("{}: {}; it holds {}. `-o beginning` and `-o end` are always there", partition,
                     what, held);
}

// Reads the partitions through one queue, without a group. Stops them again on destruction.
class PartitionReader {
 public:
  PartitionReader(rd_kafka_t* client, const ConsumeOptions& options)
      : client_(client),
        options_(options),
        topic_(rd_kafka_topic_new(client, options.topic.c_str(), nullptr)),
        queue_(rd_kafka_queue_new(client)) {}
  PartitionReader(const PartitionReader&) = delete;
  PartitionReader& operator=(const PartitionReader&) = delete;
  ~PartitionReader() {
    for (const auto& [partition, range] : open_) rd_kafka_consume_stop(topic_.get(), partition);
  }

  Result<void> start(const PartitionRanges& ranges) {
    for (const auto& [partition, range] : ranges) {
      if (range.stop >= 0 && range.start >= range.stop) continue;  // nothing in it
      if (rd_kafka_consume_start_queue(topic_.get(), partition, range.start, queue_.get()) != 0) {
        return fail(
            error_from_kafka(rd_kafka_last_error(), fmt::format("partition {}", partition)));
      }
      open_[partition] = range;
    }
    return {};
  }

  Result<std::int64_t> read(const RecordSink& sink) {
    while (!open_.empty() && !interrupted()) {
      MessageHandle message(rd_kafka_consume_queue(queue_.get(), 0));
      if (!message) {
        if (!sink(nullptr)) break;
        message.reset(rd_kafka_consume_queue(queue_.get(), 200));
      }
      rd_kafka_poll(client_, 0);
      if (!message) continue;
      TRY(go_on, take(*message, sink));
      if (!go_on) break;
    }
    sink(nullptr);
    return count_;
  }

 private:
  Result<bool> take(const rd_kafka_message_t& message, const RecordSink& sink) {
    const auto found = open_.find(message.partition);
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (options_.exit_at_end && found != open_.end()) close(message.partition);
      return true;
    }
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) return out_of_range(message);
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return fail(
          error_from_kafka(message.err, fmt::format("{} [{}]", options_.topic, message.partition)));
    }
    if (found == open_.end()) return true;  // it was fetched before the partition was stopped
    const std::int64_t stop = found->second.stop;
    if (stop < 0 || message.offset < stop) {
      const ConsumedRecord record = record_of(message);
      ++count_;
      if (!sink(&record)) return false;
      if (options_.count_max >= 0 && count_ >= options_.count_max) return false;
    }
    if (stop >= 0 && message.offset + 1 >= stop) close(message.partition);
    return true;
  }

  // The broker has no such offset, and we told librdkafka not to begin anywhere else.
  std::unexpected<Error> out_of_range(const rd_kafka_message_t& message) {
    HeldOffsets held;
    const std::string partition = fmt::format("{} [{}]", options_.topic, message.partition);
    const auto asked =
        rd_kafka_query_watermark_offsets(client_, options_.topic.c_str(), message.partition,
                                         &held.first, &held.end, options_.connection.timeout_ms);
    if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(error_from_kafka(message.err, partition));
    const auto found = open_.find(message.partition);
    const std::int64_t wanted = message.offset >= 0 || found == open_.end() ? message.offset
                                                                            : found->second.start;
    return fail(Errc::out_of_range, describe_missing_offset(partition, wanted, held));
  }

  void close(std::int32_t partition) {
    rd_kafka_consume_stop(topic_.get(), partition);
    open_.erase(partition);
  }

  rd_kafka_t* client_;
  const ConsumeOptions& options_;
  TopicHandle topic_;
  QueueHandle queue_;
  PartitionRanges open_;
  std::int64_t count_ = 0;
};

// `millrace consume` as the command line fills it.
struct ConsumeCommand {
  ConsumeOptions options;
  std::vector<std::string> offsets;
  std::string format_text;
  std::string output;  // "", "table" or "json"

  Exit run() {
    const auto range = parse_offset_range(offsets);
    if (!range) return finish(fail(range.error()));
    options.range = *range;
    const auto format = RecordFormat::parse(pick_format());
    if (!format) return finish(fail(format.error()));
    catch_interrupts();
    if (output == "table") print_out("PARTITION\tOFFSET\tTIMESTAMP\tKEY\tVALUE\n");
    std::string text;
    const auto consumed = consume_all(options, [&](const ConsumedRecord* record) {
      if (record != nullptr && output == "json") {
        text += record_json(*record) + '\n';
      } else if (record != nullptr) {
        format->append(*record, text);
      }
      const bool flush = record == nullptr || text.size() >= kOutputBytes;
      if (!flush || text.empty()) return true;
      write_out(text);
      text.clear();
      return flush_output().has_value();
    });
    if (!consumed) return finish(fail(consumed.error()));
    return Exit::done;
  }

  std::string pick_format() const {
    if (!format_text.empty()) return format_text;
    return output == "table" ? "%p\t%o\t%T\t%k\t%s\n" : "%s\n";
  }
};

Action define(CLI::App& app) {
  auto command = std::make_shared<ConsumeCommand>();
  ConsumeOptions& options = command->options;
  add_connection_options(app, options.connection);
  app.add_option("TOPIC,-t,--topic", options.topic, "Topic to read")->required();
  app.add_option(
      "-g,--group", options.group,
      "Read as a member of this group: go on where it stopped, and commit what was printed")
      ->check(not_empty());
  app.add_option("-p,--partition", options.partitions, "Only these partitions; may be repeated")
      ->allow_extra_args(false);
  app.add_option("-o,--offset", command->offsets,
                 "Where to begin and end: beginning, end, N, -N (the last N), s@TIME, e@TIME, A..B")
      ->allow_extra_args(false);
  app.add_option("-f", command->format_text,
                 "How to print a record: %t %p %o %T %k %s %h %K %S %R %%, \\n, \\t");
  app.add_option("--format", command->output, "How to print records; without it, the value alone")
      ->transform(one_of({"table", "json"}));
  app.add_option("-c,--count", options.count_max, "Stop after so many records")
      ->check(whole_number({}));
  app.add_flag("-e,--exit", options.exit_at_end, "Stop at the end of the log");
  app.add_flag("--read-uncommitted", options.read_uncommitted,
               "Also records of transactions that are open or were aborted");
  app.add_option("-X,--property", options.properties,
                 "A property of librdkafka, as name=value; may be repeated")
      ->allow_extra_args(false);
  return [command] { return command->run(); };
}

}  // namespace

Result<std::int64_t> consume_all(const ConsumeOptions& options, const RecordSink& sink) {
  if (options.count_max == 0) return 0;
  if (!options.group.empty()) return consume_in_group(options, sink);
  std::vector<ClientProperty> properties = {
      {"enable.partition.eof", "true"},
      {"isolation.level", options.read_uncommitted ? "read_uncommitted" : "read_committed"},
      {"auto.offset.reset", "error"}};
  TRY(own, parse_properties(options.properties));
  properties.insert(properties.end(), own.begin(), own.end());
  TRY(client,
      make_client(
          {.type = RD_KAFKA_CONSUMER, .connection = options.connection, .properties = properties}));
  TRY(all, partitions_of(client.get(), options.topic, options.connection));
  for (const std::int32_t wanted : options.partitions) {
    if (std::ranges::find(all, wanted) != all.end()) continue;
    return fail(Errc::not_found, fmt::format("{} has partitions 0 to {}, not {}", options.topic,
                                             all.size() - 1, wanted));
  }
  TRY(ranges,
      resolve_ranges(client.get(), options, options.partitions.empty() ? all : options.partitions));
  PartitionReader reader(client.get(), options);
  TRY_DONE(reader.start(ranges));
  return reader.read(sink);
}

const Command kConsumeCommand = {
    "consume", "Read records, from the beginning unless told otherwise, alone or in a group.",
    define,
    "  millrace consume greetings                                     # all there is, then what "
    "comes\n"
    "  millrace consume greetings -o -10 -e                           # the last ten of each "
    "partition\n"
    "  millrace consume orders -p 0 -o 100..200 -f '%o %k=%s\\n'\n"
    "  millrace consume orders -o s@2026-01-31T12:00..e@2026-01-31T13:00 --format json\n"
    "  millrace consume orders --group billing                        # shared with its members"};

}  // namespace millrace::cli
